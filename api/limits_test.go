package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// rawServer serves the interface with limits that are short enough to be seen. The zero values stay what they are.
func rawServer(t *testing.T, h http.Handler, change func(*http.Server)) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := Server(h)
	change(s)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

func dialRaw(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// say sends a text and returns the status of the answer; 0 when the connection ends without one.
func say(t *testing.T, c net.Conn, text string) int {
	t.Helper()
	_, _ = io.WriteString(c, text) // it may be refused before all of it was read
	return hear(c)
}

func hear(c net.Conn) int {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestServerLimits: what the server lets a client do is bounded, for every way to be slow or large.
func TestServerLimits(t *testing.T) {
	s := Server(http.NotFoundHandler())
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.HTTP2 == nil || s.HTTP2.MaxConcurrentStreams != maxStreams {
		t.Errorf("a limit is missing: %+v", s)
	}
	f := newDocumentsFixture(t)
	address := rawServer(t, f.handler, func(s *http.Server) {
		s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout = 300*time.Millisecond, 600*time.Millisecond, 300*time.Millisecond
	})
	const host = "Host: localhost\r\n"
	for _, c := range []struct {
		name, text string
		want       int // 0: the connection is ended without an answer
	}{
		{"says nothing", "", 0},
		{"half a head", "GET /livez HTTP/1.1\r\n" + host, 0},
		{"a head that is too large", "GET /livez HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", maxHeaderBytes+8192) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		{"an address that is too long", "GET /livez?" + strings.Repeat("x", maxHeaderBytes+8192) + " HTTP/1.1\r\n" + host + "\r\n", http.StatusRequestHeaderFieldsTooLarge},
		{"a body that is told to be too large", "PATCH /v1/services/web-ams HTTP/1.1\r\n" + host + "Content-Type: application/merge-patch+json\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat(" ", 1<<21), http.StatusRequestEntityTooLarge},
		{"a body that is too large in chunks", "PATCH /v1/services/web-ams HTTP/1.1\r\n" + host + "Content-Type: application/merge-patch+json\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", 1<<21, strings.Repeat(" ", 1<<21)), http.StatusRequestEntityTooLarge},
		{"a body for a read", "GET /metrics HTTP/1.1\r\n" + host + "Content-Length: 10\r\n\r\n", http.StatusOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			conn := dialRaw(t, address)
			if got := say(t, conn, c.text); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
			_, _ = io.Copy(io.Discard, conn) // until the server ends it
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it was held for %v", took)
			}
		})
	}
}

// TestBodiesAreNotReadForStrangers: who may not write is told so before the body is sent.
func TestBodiesAreNotReadForStrangers(t *testing.T) {
	f := newDocumentsFixture(t)
	f.who = "nobody"
	address := rawServer(t, f.handler, func(*http.Server) {})
	for _, target := range []string{"PUT /v1/config", "PUT /v1/files/x.zone", "POST /v1/restore", "POST /v1/explain", "PATCH /v1/services/web-ams"} {
		begin := time.Now()
		got := say(t, dialRaw(t, address), target+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/yaml\r\nContent-Length: 60000000\r\n\r\n")
		if got != http.StatusUnauthorized && got != http.StatusMethodNotAllowed || time.Since(begin) > 5*time.Second {
			t.Errorf("%s: %d after %v", target, got, time.Since(begin))
		}
	}
}

// TestSlowDocumentIsAnswered: a document that takes longer on its way than an answer may is answered all the same.
func TestSlowDocumentIsAnswered(t *testing.T) {
	f := newDocumentsFixture(t)
	whole := f.request(http.MethodGet, "/v1/config", "", "Accept", "application/yaml").Body.String()
	address := rawServer(t, f.handler, func(s *http.Server) { s.WriteTimeout = 200 * time.Millisecond })
	c := dialRaw(t, address)
	_, _ = fmt.Fprintf(c, "PUT /v1/config HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/yaml\r\nContent-Length: %d\r\n\r\n%s", len(whole), whole[:10])
	timer := time.NewTimer(500 * time.Millisecond) // what is on its way takes so long
	<-timer.C
	if got := say(t, c, whole[10:]); got != http.StatusOK {
		t.Errorf("got %d", got)
	}
}

// TestLargeBodiesWaitForTheirTurn: there are only so many in memory at once, and those beyond are told to come back; small ones pass.
func TestLargeBodiesWaitForTheirTurn(t *testing.T) {
	f := newDocumentsFixture(t)
	address := rawServer(t, f.handler, func(*http.Server) {})
	head := "PUT /v1/config?dry_run=true HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/yaml\r\n"
	for range maxLargeBodies + maxLargeWaiting {
		c := dialRaw(t, address)
		if _, err := io.WriteString(c, head+"Content-Length: 5000000\r\n\r\nx"); err != nil {
			t.Fatal(err)
		}
	}
	until := time.Now().Add(10 * time.Second)
	for got := 0; got != http.StatusServiceUnavailable; {
		w := f.request(http.MethodGet, "/v1/config", "", "Accept", "application/yaml")
		whole := w.Body.String()
		if small := say(t, dialRaw(t, address), head+fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(whole), whole)); small != http.StatusOK {
			t.Fatalf("a small one: %d", small)
		}
		c := dialRaw(t, address)
		_ = c.SetDeadline(time.Now().Add(time.Second))
		if got = say(t, c, head+"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"); time.Now().After(until) {
			t.Fatalf("one more: %d", got)
		}
	}
}

// TestSlowReaderOfMetrics: who asks for metrics and does not read them holds a place no longer than an answer may take.
func TestSlowReaderOfMetrics(t *testing.T) {
	f := newDocumentsFixture(t)
	address := rawServer(t, f.handler, func(s *http.Server) { s.WriteTimeout = 300 * time.Millisecond })
	for range maxScrapes {
		c := dialRaw(t, address)
		if _, err := io.WriteString(c, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 200)); err != nil {
			t.Fatal(err)
		}
	}
	until := time.Now().Add(10 * time.Second)
	for {
		if w := f.request(http.MethodGet, "/metrics", ""); w.Code == http.StatusOK {
			break
		} else if time.Now().After(until) {
			t.Fatalf("after 10 s: %d %s", w.Code, w.Body)
		}
	}
	if w := f.request(http.MethodGet, "/docs", ""); w.Code != http.StatusOK || w.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("/docs: %d", w.Code)
	}
}

// TestBackupThatNeedsAPassphrase: the client is told what is missing, and gets no file.
func TestBackupThatNeedsAPassphrase(t *testing.T) {
	f := newFixture(t, func(o *Options) {
		o.Backup = func(_ context.Context, w io.Writer, passphrase string) error {
			if passphrase == "" {
				return fmt.Errorf("%w: monitor/m", ErrNeedsPassphrase)
			}
			_, err := io.WriteString(w, "sealed")
			return err
		}
	})
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/v1/backup", nil))
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "monitor/m") || w.Header().Get("Content-Type") != problemType || w.Header().Get("Content-Disposition") != "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}
