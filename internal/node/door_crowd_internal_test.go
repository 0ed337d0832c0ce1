package node

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"
)

// TestIdleConnectionsKeepNobodyOut: connections that were answered and say nothing more, and those that never said anything, give their places to new ones;
// those that wait for an answer do not.
func TestIdleConnectionsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	const ask = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, c := range []struct {
		name, say string
		tls       bool
	}{
		{"they were answered", ask, false}, {"they say nothing", "", false}, {"half a head", ask[:20], false}, {"they were answered over TLS", ask, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			slow := make(chan struct{})
			dial := crowded(t, c.tls, slow)
			busy := dial()
			_, _ = io.WriteString(busy, "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
			for range maxAPIConnections - 1 {
				conn := dial()
				_, _ = io.WriteString(conn, c.say)
				if c.say == ask && status(conn) != http.StatusOK {
					t.Fatal("not answered")
				}
			}
			more := dial()
			_, _ = io.WriteString(more, ask)
			if status(more) != http.StatusOK {
				t.Fatal("one more is kept out")
			}
			close(slow)
			if status(busy) != http.StatusOK {
				t.Error("one that waited for its answer was ended")
			}
		})
	}
}

// crowded serves a crowd with a time for heads that is longer than a test waits, and returns what connects to it.
func crowded(t *testing.T, secured bool, slow <-chan struct{}) func() net.Conn {
	t.Helper()
	socket, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newCrowd(socket)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-slow
		}
	}))
	_ = s.Listener.Close()
	s.Listener, s.Config.ConnState, s.Config.ReadHeaderTimeout = l, l.observe, time.Minute
	if secured {
		s.StartTLS()
	} else {
		s.Start()
	}
	client := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // of a test
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		counted := func() int {
			l.mu.Lock()
			defer l.mu.Unlock()
			return len(l.guests)
		}
		for until := time.Now().Add(10 * time.Second); counted() > 0; runtime.Gosched() {
			if time.Now().After(until) {
				t.Fatalf("%d connections are counted after all were closed", counted())
			}
		}
	})
	return func() net.Conn {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", socket.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		if secured {
			conn = tls.Client(conn, client)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
}

func status(c net.Conn) int {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
