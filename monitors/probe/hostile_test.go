package probe

import (
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/config"
)

// hostile are servers that no kind of probe may be held up by, nor fill memory for.
var hostile = map[string]func(conn net.Conn){
	"silent":  func(conn net.Conn) { io.Copy(io.Discard, conn) },
	"closes":  func(net.Conn) {},
	"resets":  func(conn net.Conn) { conn.(*net.TCPConn).SetLinger(0) },
	"half":    func(conn net.Conn) { conn.(*net.TCPConn).CloseWrite(); io.Copy(io.Discard, conn) },
	"drips":   func(conn net.Conn) { pour(conn, []byte("2"), 5*time.Millisecond) },
	"digits":  func(conn net.Conn) { pour(conn, bytes.Repeat([]byte("2"), 64<<10), 0) },
	"lines":   func(conn net.Conn) { pour(conn, bytes.Repeat([]byte("220-a\r\n"), 8<<10), 0) },
	"replies": func(conn net.Conn) { pour(conn, bytes.Repeat([]byte("* OK +OK 220 a\r\n"), 4<<10), 0) },
	"zeros":   func(conn net.Conn) { pour(conn, make([]byte, 64<<10), 0) },
	"ones":    func(conn net.Conn) { pour(conn, bytes.Repeat([]byte{0xFF}, 64<<10), 0) },
	"nested":  func(conn net.Conn) { pour(conn, bytes.Repeat([]byte("*1\r\n"), 16<<10), 0) },
	"BER":     func(conn net.Conn) { pour(conn, bytes.Repeat([]byte{0x30, 0x84, 0, 0, 0xFF, 0xFF}, 8<<10), 0) },
	"records": func(conn net.Conn) { // of TLS, an endless message of the handshake
		pour(conn, append([]byte{22, 3, 3, 0x40, 0, 11, 0xFF, 0xFF, 0xFF}, make([]byte, 0x4000-4)...), 0)
	},
	"frames":    func(conn net.Conn) { pour(conn, bytes.Repeat([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}, 4<<10), 0) }, // SETTINGS of HTTP/2
	"continues": func(conn net.Conn) { pour(conn, bytes.Repeat([]byte("HTTP/1.1 100 Continue\r\n\r\n"), 2<<10), 0) },
	"chunks": func(conn net.Conn) {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		pour(conn, bytes.Repeat([]byte("1;x=y\r\na\r\n"), 4<<10), 0)
	},
	"trailers": func(conn net.Conn) {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
		pour(conn, bytes.Repeat([]byte("X-A: b\r\n"), 8<<10), 0)
	},
}

// pour says something again and again, and hears nothing.
func pour(conn net.Conn, what []byte, each time.Duration) {
	for {
		if _, err := conn.Write(what); err != nil {
			return
		}
		if each > 0 {
			<-time.After(each)
		}
	}
}

// serveHostile has a server behave in one of these ways to all who connect, until the test ends.
func serveHostile(t *testing.T, how func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			served.Go(func() { how(conn); conn.Close() })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		served.Wait()
	})
	return l.Addr().String()
}

// hostileMonitors are all kinds that speak over TCP, each asking for as much as it can.
func hostileMonitors() map[string]config.Monitor {
	out := make(map[string]config.Monitor)
	for _, kind := range []config.MonitorType{"tcp", "tls", "http", "https", "dns", "grpc", "smtp", "pop3", "imap", "ftp", "ldap", "mysql", "postgres", "redis", "sip"} {
		m := serviceMonitor(kind)
		m.Timeout = config.Duration(40 * time.Millisecond)
		m.Login = somebody
		m.TCP = &config.Dialogue{Send: "x", Expect: "needle", ExpectRegexp: "(a*)*needle"}
		m.HTTP = config.HTTPProbe{ExpectBodyRegexp: "needle"}
		m.DrainOn = &config.DrainOn{Text: "leaving"}
		m.DNS = &config.DNSProbe{Name: ".", Type: "NS", Transport: config.DNSOverTCP, Rcode: "NOERROR"}
		m.SIP = &config.SIPProbe{Transport: config.SIPOverTCP}
		m.Postgres, m.MySQL = &config.SQLProbe{Query: "SELECT 1", Expect: "1"}, &config.SQLProbe{Query: "SELECT 1", Expect: "1"}
		m.Redis = &config.RedisProbe{Role: config.RedisReplica}
		out[string(kind)] = m
		switch kind {
		case "http":
			m.HTTP.Version = config.HTTP2
			out["http 2"] = m
		case "smtp", "imap", "pop3", "ftp", "ldap":
			m.Security = config.SecuritySTARTTLS
			out[string(kind)+" starttls"] = m
		case "mysql", "postgres", "redis", "tcp", "grpc":
			m.Security = config.SecurityTLS
			out[string(kind)+" tls"] = m
		}
	}
	return out
}

// TestHostileToEveryKind: whatever a server does, a probe of whatever kind ends with its timeout, fails, says why in a few words, and takes
// little memory.
func TestHostileToEveryKind(t *testing.T) {
	monitors := hostileMonitors()
	for how, serve := range hostile {
		address := serveHostile(t, serve)
		for kind, m := range monitors {
			t.Run(how+"/"+kind, func(t *testing.T) {
				p := New(Options{Secret: func(config.Secret) (string, error) { return "secret", nil }})
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				began := time.Now()
				got := p.Probe(context.Background(), target("web", address, m))
				took := time.Since(began)
				runtime.ReadMemStats(&after)
				if got.OK || got.Reason == "" || len(got.Reason) > 400 || strings.ContainsAny(got.Reason, "\r\n\x00") {
					t.Errorf("got %v %q", got.OK, got.Reason)
				}
				if took > 2*time.Second { // 40 ms, on a machine that has much else to do
					t.Errorf("took %v: %s", took, got.Reason)
				}
				if grown := (after.TotalAlloc - before.TotalAlloc) >> 10; grown > 4<<10 {
					t.Errorf("took %d KiB: %s", grown, got.Reason)
				}
			})
		}
	}
}
