package adns

import (
	"context"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/adns/rrl"
	"fairlead/adns/udp"

	"github.com/miekg/dns"
)

// datagram is one packet with the address of the far end.
type datagram struct {
	bytes []byte
	addr  net.Addr
	err   error // given to the reader instead
}

// memoryPacketConn is a packet connection without a network.
type memoryPacketConn struct {
	in, out  chan datagram
	deadline chan struct{} // closed when a read deadline in the past was set
}

func newMemoryPacketConn() *memoryPacketConn {
	return &memoryPacketConn{in: make(chan datagram), out: make(chan datagram), deadline: make(chan struct{})}
}

func (m *memoryPacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-m.in:
		return copy(b, d.bytes), d.addr, d.err
	case <-m.deadline:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (m *memoryPacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	m.out <- datagram{bytes: append([]byte(nil), b...), addr: to}
	return len(b), nil
}

func (m *memoryPacketConn) SetReadDeadline(time.Time) error  { close(m.deadline); return nil }
func (m *memoryPacketConn) SetWriteDeadline(time.Time) error { return nil }
func (m *memoryPacketConn) SetDeadline(time.Time) error      { return nil }
func (m *memoryPacketConn) LocalAddr() net.Addr {
	return &net.UDPAddr{IP: net.IPv4(192, 0, 2, 53), Port: 53}
}
func (m *memoryPacketConn) Close() error { return nil }

func TestUDPWithoutNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		conn := newMemoryPacketConn()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		server, err := udp.Listen(ctx, udp.Options{Addr: netip.MustParseAddrPort("192.0.2.53:53"), Workers: 1, NewHandler: s.newDatagrams,
			ListenPacket: func(context.Context, string, string) (net.PacketConn, error) { return conn, nil }})
		if err != nil {
			t.Fatal(err)
		}
		go func() { done <- server.Run(ctx) }()

		conn.in <- datagram{bytes: []byte("short"), addr: net.UDPAddrFromAddrPort(asker)} // no answer
		conn.in <- datagram{bytes: plainQuery(www()), addr: net.UDPAddrFromAddrPort(asker)}
		synctest.Wait() // a worker holds an answer
		cancel()
		got := <-conn.out
		if m := unpack(t, got.bytes); len(m.Answer) != 1 || got.addr.String() != asker.String() {
			t.Errorf("got %v to %v", m, got.addr)
		}
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if st := s.Stats(); st.Dropped != 1 || st.Rcodes[dns.RcodeSuccess] != 1 {
			t.Errorf("stats: got %+v", st)
		}
	})
}

// What is left of a response that is too large for the path is its question and OPT, with TC.
func TestTooLarge(t *testing.T) {
	s := newServer(t)
	d := s.newDatagrams(0).(*datagrams)
	for _, where := range []string{"in place", "elsewhere"} {
		p := udp.Packet{Buf: make([]byte, udp.BufferSize), From: asker}
		p.N = copy(p.Buf, plainQuery(www(), optRecord(1232, 1<<15, option(dns.EDNS0NSID))))
		batch := []udp.Packet{p}
		d.Serve(batch)
		p = batch[0]
		if where == "elsewhere" {
			p.Out = append([]byte(nil), p.Buf[:p.N]...)
		}
		d.TooLarge(&p)
		m := unpack(t, p.Buf[:p.N])
		o := m.IsEdns0()
		if !m.Truncated || len(m.Question) != 1 || len(m.Answer)+len(m.Ns) != 0 || o == nil || !o.Do() || len(o.Option) != 1 || p.Out != nil {
			t.Errorf("%s: got %v", where, m)
		}
	}
	// A signature behind OPT goes, and OPT stays.
	wire := s.Handle(plainQuery(www(), optRecord(1232, 1<<15, option(dns.EDNS0NSID))), asker, UDP, nil)
	wire[headerOctets-1]++
	signature := append([]byte{0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 3}, 1, 2, 3)
	m := unpack(t, shortened(make([]byte, 0, 512), append(wire, signature...)))
	if o := m.IsEdns0(); !m.Truncated || o == nil || !o.Do() || len(o.Option) != 1 || len(m.Extra) != 1 {
		t.Errorf("signed: got %v", m)
	}
}

// A datagram that was cut is no query, even if what is left of it is one.
func TestCutDatagram(t *testing.T) {
	d := newServer(t).newDatagrams(0).(*datagrams)
	for _, cut := range []bool{false, true} {
		p := udp.Packet{Buf: make([]byte, udp.BufferSize), From: asker, Cut: cut}
		fill := udp.BufferSize - len(plainQuery(www(), optRecord(1232, 0, option(65001))))
		p.N = copy(p.Buf, plainQuery(www(), optRecord(1232, 0, option(65001, make([]byte, fill)...))))
		batch := []udp.Packet{p}
		d.Serve(batch)
		want := dns.RcodeSuccess
		if cut {
			want = dns.RcodeFormatError
		}
		if m := unpack(t, batch[0].Buf[:batch[0].N]); p.N != udp.BufferSize || m.Rcode != want {
			t.Errorf("cut %v: got %s to %d octets, want %s", cut, rcodeName(m.Rcode), p.N, rcodeName(want))
		}
	}
}

// A worker's clock goes on: what was limited is answered a second later, and a cookie becomes too old.
func TestDatagramClock(t *testing.T) {
	now := epoch
	s := newServer(t, withPolicy(cookies), withPolicy(func(o *PolicyOptions) { o.RateLimit = rrl.Options{PerSecond: 2} }),
		func(o *Options) { o.Now = func() time.Time { return now } })
	d := s.newDatagrams(0).(*datagrams)
	serve := func(additional ...[]byte) (answered int, last *dns.Msg) {
		batch := make([]udp.Packet, 5)
		for i := range batch {
			batch[i] = udp.Packet{Buf: make([]byte, udp.BufferSize), From: asker}
			batch[i].N = copy(batch[i].Buf, plainQuery(www(), additional...))
		}
		d.Serve(batch)
		for i := range batch {
			if batch[i].N > 0 {
				answered, last = answered+1, unpack(t, batch[i].Buf[:batch[i].N])
			}
		}
		return answered, last
	}
	_, m := serve(optRecord(1232, 0, option(dns.EDNS0COOKIE, []byte("clientck")...)))
	learned, err := hex.DecodeString(m.IsEdns0().Option[0].(*dns.EDNS0_COOKIE).Cookie)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after              time.Duration
		anonymous, cookied int
	}{{0, 0, 5}, {1100 * time.Millisecond, 2, 5}, {600 * time.Millisecond, 1, 5}, {time.Hour, 2, 0}} {
		now = now.Add(step.after)
		if got, _ := serve(); got != step.anonymous {
			t.Errorf("%s later: %d of 5 were answered, want %d", step.after, got, step.anonymous)
		}
		if got, _ := serve(optRecord(1232, 0, option(dns.EDNS0COOKIE, learned...))); got != step.cookied {
			t.Errorf("%s later, with a cookie: %d of 5 were answered, want %d", step.after, got, step.cookied)
		}
	}
}

// A datagram that makes the program panic is answered with SERVFAIL, and those behind it in the batch as ever.
func TestDatagramPanic(t *testing.T) {
	for _, atFirst := range []bool{false, true} {
		testDatagramPanic(t, atFirst)
	}
}

// testDatagramPanic panics at the second datagram, or already when the batch is looked at as a whole.
func testDatagramPanic(t *testing.T, atFirst bool) {
	good := fixture(t)
	asked := 0
	s := newServer(t, func(o *Options) {
		o.Snapshot = func() *Snapshot {
			if asked++; asked == 2 {
				panic("boom")
			}
			return good
		}
	})
	d := s.newDatagrams(0).(*datagrams)
	batch := make([]udp.Packet, 3)
	for i := range batch {
		batch[i] = udp.Packet{Buf: make([]byte, udp.BufferSize), From: asker}
		batch[i].N = copy(batch[i].Buf, plainQuery(www()))
	}
	asked = -1 // the batch is looked at before it is answered
	if atFirst {
		asked = 1
	}
	d.Serve(batch)
	for i, want := range []int{dns.RcodeSuccess, dns.RcodeServerFailure, dns.RcodeSuccess} {
		if atFirst {
			want = dns.RcodeSuccess
		}
		wire := batch[i].Buf[:batch[i].N]
		if len(batch[i].Out) > 0 {
			wire = batch[i].Out
		}
		var m dns.Msg
		if err := m.Unpack(wire); err != nil || m.Rcode != want {
			t.Errorf("datagram %d: got %v, %v, want %s", i, &m, err, dns.RcodeToString[want])
		}
	}
	want := uint64(1)
	if atFirst {
		want = 0
	}
	if got := s.Stats().Panics; got != want {
		t.Errorf("%d panics counted, want %d", got, want)
	}
}
