package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/config"
)

// saying is a server that follows a script, in memory: "S: " is a line that it says, "C: " one that it must hear. "raw " is said without a
// line end; "TLS" starts TLS; "drip " says a byte a second for ever; "endless " repeats a line; "silent" hears and says nothing.
// When the script is over the connection is closed.
func saying(t *testing.T, script ...string) DialFunc {
	t.Helper()
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go follow(t, far, tls.Certificate{}, script)
		return near, nil
	}
}

// sayingTLS is saying over TCP: with TLS both sides of a pipe may want to write at a time.
func sayingTLS(t *testing.T, cert tls.Certificate, script ...string) DialFunc {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	t.Cleanup(func() { l.Close(); served.Wait() })
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		served.Go(func() {
			if conn, err := l.Accept(); err == nil {
				follow(t, conn, cert, script)
			}
		})
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
}

// follow does what a script says.
func follow(t *testing.T, far net.Conn, cert tls.Certificate, script []string) {
	defer far.Close()
	conn, r := far, bufio.NewReader(far)
	for _, step := range script {
		word, text, _ := strings.Cut(step, " ")
		switch word {
		case "S:":
			io.WriteString(conn, text+"\r\n")
		case "raw":
			io.WriteString(conn, text)
		case "C:":
			line, err := r.ReadString('\n')
			if got := strings.TrimSuffix(line, "\r\n"); got != text {
				t.Errorf("the client says %q (%v), want %q", got, err, text)
			}
		case "TLS":
			conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
			r = bufio.NewReader(conn)
		case "silent":
			io.Copy(io.Discard, r)
		case "drip":
			for i := 0; ; i++ {
				if _, err := conn.Write([]byte{text[i%len(text)]}); err != nil {
					return
				}
				<-time.After(time.Second) // of the bubble
			}
		case "endless":
			for {
				if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
					return
				}
			}
		default:
			t.Errorf("no such step: %q", step)
		}
	}
}

// keyring is a Prober whose passwords are all the same.
func keyring(dial DialFunc, password string) *Prober {
	return New(Options{DialContext: dial, Secret: func(s config.Secret) (string, error) {
		if s == "env:NONE" {
			return "", errors.New("variable NONE is not set")
		}
		return password, nil
	}})
}

// serviceMonitor is a monitor of a kind with a timeout of 5 s.
func serviceMonitor(kind config.MonitorType) config.Monitor {
	return config.Monitor{Name: "probed", Type: kind, Interval: config.Duration(time.Minute), Timeout: config.Duration(5 * time.Second)}
}

var somebody = &config.ProbeLogin{User: "probe", Password: "env:PASSWORD"}

// cannedConn says what it was given, hears everything, and never waits.
type cannedConn struct{ r io.Reader }

func (c cannedConn) Read(p []byte) (int, error)       { return c.r.Read(p) }
func (c cannedConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c cannedConn) Close() error                     { return nil }
func (c cannedConn) LocalAddr() net.Addr              { return nil }
func (c cannedConn) RemoteAddr() net.Addr             { return nil }
func (c cannedConn) SetDeadline(time.Time) error      { return nil }
func (c cannedConn) SetReadDeadline(time.Time) error  { return nil }
func (c cannedConn) SetWriteDeadline(time.Time) error { return nil }

func canned(answer []byte) DialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		return cannedConn{strings.NewReader(string(answer))}, nil
	}
}
