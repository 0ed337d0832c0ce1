package adns

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fromConn is one end of a pipe with an address.
type fromConn struct {
	net.Conn
	from netip.AddrPort
}

func (f fromConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(f.from) }

// serve answers the far end of a pipe inside a bubble, and reports when it is done.
func serve(t *testing.T, ctx context.Context, s *Server) (near net.Conn, done chan struct{}) {
	t.Helper()
	near, far := net.Pipe()
	done = make(chan struct{})
	go func() {
		defer close(done)
		s.serveConn(ctx, fromConn{far, asker})
	}()
	t.Cleanup(func() { near.Close() })
	return near, done
}

// framed is a query with its length.
func framed() []byte {
	q := plainQuery(www())
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(q))), q...)
}

func TestTCPTimes(t *testing.T) {
	tests := []struct {
		name     string
		talk     func(net.Conn)
		after    time.Duration // from the start to the end of the connection
		timeouts uint64
	}{
		{"idle from the start", func(net.Conn) {}, tcpIdle, 0},
		{"idle after an answer", func(c net.Conn) {
			time.Sleep(tcpIdle - time.Second)
			c.Write(framed())
			c.Read(make([]byte, 512))
		}, 2*tcpIdle - time.Second, 0},
		{"message is never completed", func(c net.Conn) { c.Write(framed()[:5]) }, tcpMessage, 1},
		{"one octet a second", func(c net.Conn) {
			for _, b := range framed() {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, tcpMessage, 1},
		{"answer is never read", func(c net.Conn) { c.Write(framed()) }, tcpWrite, 1},
		{"second message is never completed", func(c net.Conn) {
			c.Write(append(framed(), 0))
			c.Read(make([]byte, 512))
		}, tcpMessage, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				begin := time.Now()
				conn, done := serve(t, context.Background(), s)
				var talk sync.WaitGroup
				defer talk.Wait()
				talk.Go(func() { tt.talk(conn) })
				<-done
				if got := time.Since(begin); got != tt.after {
					t.Errorf("ended after %v, want %v", got, tt.after)
				}
				if got := s.Stats().TCPTimeouts; got != tt.timeouts {
					t.Errorf("timeouts: got %d, want %d", got, tt.timeouts)
				}
			})
		})
	}
}

// What was read before the stop is answered; what was not is left.
func TestTCPDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		ctx, cancel := context.WithCancel(context.Background())
		conn, done := serve(t, ctx, s)
		go conn.Write(append(append(framed(), framed()...), framed()[:3]...))
		synctest.Wait() // all is read, and the first answer waits for us
		begin := time.Now()
		cancel()
		for range 2 {
			if m := readMessage(t, conn); len(m.Answer) != 1 {
				t.Errorf("got %v", m)
			}
		}
		<-done
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("the stop took %v", waited)
		}
	})
}

// A client that asks and does not read cannot hold up the stop.
func TestTCPDrainStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		conn, done := serve(t, ctx, newServer(t))
		go conn.Write(append(framed(), framed()...))
		synctest.Wait() // the first answer waits to be read
		begin := time.Now()
		cancel()
		<-done
		if waited := time.Since(begin); waited != tcpDrain {
			t.Errorf("the stop took %v, want %v", waited, tcpDrain)
		}
	})
}

func TestTCPDrainIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		_, done := serve(t, ctx, newServer(t))
		synctest.Wait()
		begin := time.Now()
		cancel()
		<-done
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("the stop took %v", waited)
		}
	})
}

func TestAdmission(t *testing.T) {
	var a admission
	prefix := func(ip string) netip.Prefix { return clientPrefix(netip.MustParseAddr(ip)) }
	for i := range MaxTCPPerPrefix {
		if !a.enter(prefix(fmt.Sprintf("2001:db8::%x", i+1))) {
			t.Fatalf("connection %d of a /64 was refused", i)
		}
	}
	if a.enter(prefix("2001:db8::ffff:1")) {
		t.Error("a /64 has more than its share")
	}
	for _, other := range []string{"2001:db8:0:1::1", "192.0.2.1", "::ffff:192.0.2.1"} {
		if !a.enter(prefix(other)) {
			t.Errorf("%s was refused for another's connections", other)
		}
	}
	a.leave(prefix("2001:db8::1"))
	if !a.enter(prefix("2001:db8::ffff:1")) {
		t.Error("a place that became free was not given")
	}
	for a.open() < MaxTCPConnections {
		if !a.enter(prefix("127.0.0.1")) {
			t.Fatal("loopback has no share of its own")
		}
	}
	if a.enter(prefix("127.0.0.1")) || a.enter(prefix("198.51.100.1")) {
		t.Error("more than the total")
	}
	for a.open() > MaxTCPPerPrefix+3 {
		a.leave(prefix("::1"))
	}
	for range MaxTCPPerPrefix {
		a.leave(prefix("2001:db8::1"))
	}
	a.leave(prefix("2001:db8:0:1::1"))
	a.leave(prefix("192.0.2.1"))
	a.leave(prefix("192.0.2.1"))
	if a.open() != 0 || len(a.byPrefix) != 0 {
		t.Errorf("left over: %d, %v", a.open(), a.byPrefix)
	}
}
