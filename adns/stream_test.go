package adns

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// fromConn is one end of a pipe with an address.
type fromConn struct {
	net.Conn
	from netip.AddrPort
}

func (f fromConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(f.from) }
func (f fromConn) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.53:53"))
}

// piped is a server over TCP in memory, inside a bubble.
type piped struct {
	*Server
	t        *testing.T
	listener *handedListener
	cancel   context.CancelFunc
	done     chan struct{} // closed when all connections have ended
}

func newPiped(t *testing.T, change ...func(*Options)) *piped {
	p := &piped{Server: newServer(t, change...), t: t, done: make(chan struct{}),
		listener: &handedListener{conns: make(chan net.Conn), closed: make(chan struct{})}}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		defer close(p.done)
		if err := p.serveTCP(ctx, p.listener); err != nil {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-p.done
	})
	return p
}

// dial connects from an address, and waits until the server has taken the connection.
func (p *piped) dial(from string) net.Conn {
	near, far := net.Pipe()
	p.t.Cleanup(func() { near.Close() })
	if !p.listener.take(fromConn{far, netip.MustParseAddrPort(from)}) {
		p.t.Fatal("the server takes no connections")
	}
	synctest.Wait()
	return near
}

// ask sends a query and reports whether an answer comes.
func ask(conn net.Conn) bool {
	if _, err := conn.Write(framedQuery()); err != nil {
		return false
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return false
	}
	_, err := io.ReadFull(conn, make([]byte, binary.BigEndian.Uint16(length[:])))
	return err == nil
}

// framedQuery is a query with its length.
func framedQuery() []byte { return appendFramed(nil, plainQuery(www())) }

func TestStreamTimes(t *testing.T) {
	tests := []struct {
		name     string
		talk     func(net.Conn)
		after    time.Duration // from the start to the end of the connection
		timeouts uint64
	}{
		{"idle from the start", func(net.Conn) {}, TCPIdle, 0},
		{"idle after an answer", func(c net.Conn) {
			time.Sleep(TCPIdle - time.Second)
			ask(c)
		}, 2*TCPIdle - time.Second, 0},
		{"message is never completed", func(c net.Conn) { c.Write(framedQuery()[:5]) }, streamMessage, 1},
		{"message begins late", func(c net.Conn) {
			time.Sleep(TCPIdle - time.Second)
			c.Write(framedQuery()[:1])
		}, TCPIdle - time.Second + streamMessage, 1},
		{"one octet a second", func(c net.Conn) {
			for _, b := range framedQuery() {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, streamMessage, 1},
		{"answer is never read", func(c net.Conn) { c.Write(framedQuery()) }, streamWrite, 1},
		{"answer is read too slowly", func(c net.Conn) {
			c.Write(framedQuery())
			for _, err := c.Read(make([]byte, 1)); err == nil; _, err = c.Read(make([]byte, 1)) {
				time.Sleep(time.Second)
			}
		}, streamWrite, 1},
		{"each message has its own time", func(c net.Conn) {
			c.Write(framedQuery()[:1])
			for range 3 { // completes one and begins the next
				time.Sleep(streamMessage - time.Second)
				c.Write(append(framedQuery()[1:], 0))
				c.Read(make([]byte, 512))
			}
		}, 3*(streamMessage-time.Second) + streamMessage, 1},
		{"second message is never completed", func(c net.Conn) {
			c.Write(append(framedQuery(), 0))
			c.Read(make([]byte, 512))
		}, streamMessage, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPiped(t)
				conn := p.dial("203.0.113.7:5353")
				begin := time.Now()
				var talk sync.WaitGroup
				talk.Go(func() { tt.talk(conn) })
				for synctest.Wait(); p.admitted.open() > 0; synctest.Wait() {
					time.Sleep(time.Millisecond)
				}
				if got := time.Since(begin); got != tt.after {
					t.Errorf("ended after %v, want %v", got, tt.after)
				}
				if got := p.Stats().Streams[TCP].Timeouts; got != tt.timeouts {
					t.Errorf("timeouts: got %d, want %d", got, tt.timeouts)
				}
				talk.Wait()
			})
		})
	}
}

// A connection in steady use stays open however long, and a client that reads is never cut.
func TestStreamStaysOpenInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPiped(t)
		conn := p.dial("203.0.113.7:5353")
		for i := range 40 {
			if !ask(conn) {
				t.Fatalf("ended after %d queries", i)
			}
			time.Sleep(TCPIdle - time.Millisecond*time.Duration(i*200+1))
		}
	})
}

// What was read before the stop is answered; what was not is left.
func TestStreamDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPiped(t)
		conn := p.dial("203.0.113.7:5353")
		go conn.Write(append(append(framedQuery(), framedQuery()...), framedQuery()[:3]...))
		synctest.Wait() // all is read, and the answers wait for us
		begin := time.Now()
		p.cancel()
		for range 2 {
			if m := readMessage(t, conn); len(m.Answer) != 1 {
				t.Errorf("got %v", m)
			}
		}
		<-p.done
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("the stop took %v", waited)
		}
	})
}

func TestStreamDrainTimes(t *testing.T) {
	for name, tt := range map[string]struct {
		sent []byte
		want time.Duration
	}{
		"idle":                 {nil, 0},
		"half a message":       {framedQuery()[:7], 0},
		"answers are not read": {append(framedQuery(), framedQuery()...), streamDrain},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPiped(t)
				conn := p.dial("203.0.113.7:5353")
				go conn.Write(tt.sent)
				synctest.Wait()
				begin := time.Now()
				p.cancel()
				<-p.done
				if waited := time.Since(begin); waited != tt.want {
					t.Errorf("the stop took %v, want %v", waited, tt.want)
				}
			})
		})
	}
}

// Three hundred idle connections do not keep new clients out, neither of one address nor in all.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	tests := []struct {
		name   string
		limits TCPOptions
		from   func(i int) string
	}{
		{"of one address", TCPOptions{}, func(int) string { return "203.0.113.7:5353" }},
		{"of one /64", TCPOptions{}, func(i int) string { return netip.AddrPortFrom(v6(i), 53).String() }},
		{"in all", TCPOptions{MaxConnections: 100}, func(i int) string {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, byte(i), 7}), 53).String()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPiped(t, func(o *Options) { o.TCP = tt.limits })
				first := p.dial(tt.from(0))
				if !ask(first) {
					t.Fatal("the first is not answered")
				}
				for i := range 300 {
					p.dial(tt.from(i))
				}
				last := p.dial(tt.from(5))
				if !ask(last) {
					t.Error("a new client is locked out")
				}
				if !ask(first) {
					t.Error("who has asked a moment ago was evicted before connections that never did")
				}
				st := p.Stats().Streams[TCP]
				if st.Evicted != 202 || st.Refused != 0 || st.Open != 100 {
					t.Errorf("got %+v, want 202 evicted, none refused, 100 open", st)
				}
			})
		})
	}
}

func v6(i int) netip.Addr {
	a := netip.MustParseAddr("2001:db8::").As16()
	a[15], a[14] = byte(i), byte(i>>8)
	return netip.AddrFrom16(a)
}

// Octet by octet, and in pieces that end anywhere: the answers are those of whole messages.
func TestStreamPieces(t *testing.T) {
	var sent, want []byte
	s := newServer(t)
	for i := range 40 {
		q := plainQuery(www(), optRecord(1232, 0, option(65001, make([]byte, 7*i)...)))
		binary.BigEndian.PutUint16(q, uint16(i))
		sent = appendFramed(sent, q)
		want = appendFramed(want, s.Handle(q, netip.MustParseAddrPort("203.0.113.7:5353"), TCP, nil))
	}
	for _, size := range []int{1, 2, 3, 13, 511, 512, 513, 4096, len(sent)} {
		synctest.Test(t, func(t *testing.T) {
			conn := newPiped(t).dial("203.0.113.7:5353")
			go func() {
				for rest := sent; len(rest) > 0; {
					n, _ := conn.Write(rest[:min(size, len(rest))])
					rest = rest[n:]
				}
			}()
			got := make([]byte, len(want))
			if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("pieces of %d: the answers are others (%v)", size, err)
			}
		})
	}
}

// As many answers as fit into no batch come all, in order.
func TestStreamManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := newPiped(t).dial("203.0.113.7:5353")
		const queries = 3000
		var sent []byte
		for i := range queries {
			q := plainQuery(www())
			binary.BigEndian.PutUint16(q, uint16(i))
			sent = appendFramed(sent, q)
		}
		go conn.Write(sent)
		for i := range queries {
			if m := readMessage(t, conn); m.Id != uint16(i) || len(m.Answer) != 1 {
				t.Fatalf("answer %d: got %v", i, m)
			}
		}
	})
}

// A message of 60,000 octets is answered when its header is that of a query, and its buffer goes back.
func TestStreamLongMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPiped(t)
		conn := p.dial("203.0.113.7:5353")
		q := plainQuery(www(), optRecord(1232, 0, option(dns.EDNS0PADDING, make([]byte, 60_000)...)))
		for range 2 {
			go conn.Write(append(appendFramed(nil, q), framedQuery()...))
			for range 2 {
				if m := readMessage(t, conn); m.Rcode != dns.RcodeSuccess || len(m.Answer) != 1 {
					t.Errorf("got %v", m)
				}
			}
		}
		time.Sleep(streamTick)
		synctest.Wait()
		if got := p.lender.longs.Load(); got != 0 {
			t.Errorf("%d long buffers are held by an idle connection", got)
		}
		gone := p.dial("203.0.113.8:5353")
		gone.Write(appendFramed(nil, q)[:inboxLent+1])
		synctest.Wait()
		if got := p.lender.longs.Load(); got != 1 {
			t.Errorf("%d long buffers are held by half a message, want 1", got)
		}
		gone.Close()
		synctest.Wait()
		if got := p.lender.longs.Load(); got != 0 {
			t.Errorf("%d long buffers are held by a connection that ended", got)
		}
		p.lender.longs.Store(maxInboxLong)
		go conn.Write(appendFramed(nil, q))
		if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a long message beyond the limit: got %v, want the end", err)
		}
		p.lender.longs.Store(0)
	})
}

// What is no DNS ends the connection at once, without its rest being waited for.
func TestStreamHostile(t *testing.T) {
	hello := append([]byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03}, make([]byte, 64)...)
	bomb := binary.BigEndian.AppendUint16(nil, 0xffff)
	bomb = append(bomb, request{counts: [4]uint16{65535, 65535, 65535, 65535}}.bytes()...)
	tests := []struct {
		name  string
		bytes []byte
		rcode int // of one response before the end; -1: there is none
	}{
		{"length 0", []byte{0, 0}, -1},
		{"length 11", append([]byte{0, 11}, make([]byte, 11)...), -1},
		{"length 11, no more", []byte{0, 11}, -1},
		{"a response", appendFramed(nil, request{flags: 0x8000}.bytes()), -1},
		{"tls hello", hello, dns.RcodeFormatError},
		{"http", []byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"), dns.RcodeNotImplemented},
		{"counts of 65535", bomb, dns.RcodeFormatError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPiped(t)
				conn := p.dial("203.0.113.7:5353")
				begin := time.Now()
				go conn.Write(append(framedQuery(), tt.bytes...))
				readMessage(t, conn) // what came before is answered
				rest, _ := io.ReadAll(conn)
				if waited := time.Since(begin); waited != 0 {
					t.Errorf("it took %v", waited)
				}
				if tt.rcode < 0 && len(rest) > 0 {
					t.Errorf("got %x, want silence", rest)
				}
				if tt.rcode >= 0 && (len(rest) != 14 || int(rest[5]&0xF) == dns.RcodeSuccess) {
					t.Errorf("got %x, want one header with an error", rest)
				}
			})
		})
	}
}

// A request for a transfer is answered with any number of messages, in its place among the others.
func TestStreamTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPiped(t)
		large := make([]byte, maxWireOctets)
		p.transfer = func(_ context.Context, request []byte, c *client, send func([]byte) error) (bool, error) {
			if strings.Contains(string(request), "other") {
				return false, nil
			}
			if c.addr != netip.MustParseAddr("203.0.113.7") || c.transport != TCP {
				t.Errorf("client: got %+v", c)
			}
			if p.admitted.evict() {
				t.Error("a connection was evicted amid a transfer")
			}
			if err := send(make([]byte, maxWireOctets+1)); !errors.Is(err, errTooLarge) {
				t.Errorf("too large: got %v", err)
			}
			for _, m := range [][]byte{[]byte("first"), large, []byte("last")} {
				if err := send(m); err != nil {
					return true, err
				}
			}
			return true, nil
		}
		conn := p.dial("203.0.113.7:5353")
		axfr := appendFramed(nil, plainQuery(question("example.com.", dns.TypeAXFR, dns.ClassINET)))
		refused := appendFramed(nil, plainQuery(question("other.", dns.TypeIXFR, dns.ClassINET)))
		go conn.Write(bytes.Join([][]byte{framedQuery(), axfr, refused, framedQuery()}, nil))
		readMessage(t, conn)
		for _, want := range []int{5, maxWireOctets, 4} {
			var length [2]byte
			io.ReadFull(conn, length[:])
			if got := int(binary.BigEndian.Uint16(length[:])); got != want {
				t.Fatalf("length: got %d, want %d", got, want)
			}
			io.CopyN(io.Discard, conn, int64(want))
		}
		if m := readMessage(t, conn); m.Rcode == dns.RcodeSuccess {
			t.Errorf("a transfer that nobody took: got %v", m)
		}
		readMessage(t, conn)
	})
}

// A transfer that panics ends its connection, and nothing else.
func TestStreamTransferPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPiped(t)
		p.transfer = func(context.Context, []byte, *client, func([]byte) error) (bool, error) { panic("oops") }
		conn, other := p.dial("203.0.113.7:5353"), p.dial("203.0.113.8:5353")
		go conn.Write(appendFramed(framedQuery(), plainQuery(question("example.com.", dns.TypeAXFR, dns.ClassINET))))
		readMessage(t, conn) // what came before is answered
		if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("got %v, want the end", err)
		}
		if got := p.Stats().Panics; got != 1 {
			t.Errorf("panics: got %d, want 1", got)
		}
		if !ask(other) {
			t.Error("another connection is not answered")
		}
	})
}

func BenchmarkStream(b *testing.B) {
	s := newServer(b)
	near, far := net.Pipe()
	conn := fromConn{far, netip.MustParseAddrPort("203.0.113.7:5353")}
	slot, _ := s.admitted.enter(conn, netip.Prefix{}, time.Now())
	go s.serveStream(context.Background(), conn, slot, TCP)
	const batch = 64
	var sent []byte
	for range batch {
		sent = append(sent, framedQuery()...)
	}
	answers := make([]byte, len(s.Handle(plainQuery(www()), netip.AddrPort{}, TCP, nil))+lengthOctets)
	b.ReportAllocs()
	for i := 0; i < b.N; i += batch {
		go near.Write(sent)
		for range batch {
			if _, err := io.ReadFull(near, answers); err != nil {
				b.Fatal(err)
			}
		}
	}
	near.Close()
}

// The messages that come out of an inbox are those of the octets that went in, however they were cut.
func FuzzInbox(f *testing.F) {
	f.Add(append(framedQuery(), framedQuery()...), uint16(1))
	f.Add([]byte{0, 0}, uint16(3))
	f.Add(append([]byte{0x20, 0}, make([]byte, 9000)...), uint16(700))
	f.Fuzz(func(t *testing.T, sent []byte, piece uint16) {
		s := new(Server)
		var in inbox
		defer in.giveBack(s)
		want := sent
		for rest := sent; len(rest) > 0; {
			room, err := in.room(s)
			if err != nil || len(room) == 0 {
				t.Fatalf("no room with %d octets held: %v", in.have, err)
			}
			n := copy(room, rest[:min(len(rest), int(piece)+1)])
			rest = rest[n:]
			in.read(n)
			for {
				got, err := in.next()
				if err != nil {
					return
				}
				if got == nil {
					break
				}
				if framed := appendFramed(nil, got); !bytes.HasPrefix(want, framed) {
					t.Fatalf("got %x, want what %x begins with", framed, want)
				}
				want = want[lengthOctets+len(got):]
			}
			in.compact()
		}
		if in.have != len(want) {
			t.Fatalf("%d octets are held, want %d", in.have, len(want))
		}
	})
}
