package ldns

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// loopback is 127.0.0.1 with a name server over UDP, and perhaps TCP, at one port.
type loopback struct {
	port uint16
	mu   sync.Mutex
	seen int // queries
}

func newLoopback(t *testing.T, tcp bool) *loopback {
	t.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	l := &loopback{port: uint16(udp.LocalAddr().(*net.UDPAddr).Port)}
	if tcp {
		listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(l.port)})
		if err != nil {
			t.Skipf("the port is taken: %v", err)
		}
		t.Cleanup(func() { listener.Close() })
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 512)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			l.mu.Lock()
			l.seen++
			l.mu.Unlock()
			if n < headerSize || b[2] != 0 || binary.BigEndian.Uint16(b[4:]) != 1 {
				t.Errorf("not a query of one question without RD: %x", b[:n])
				continue
			}
			b[2], b[3] = flagResponse, 5 // REFUSED
			_, _ = udp.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	t.Cleanup(func() {
		udp.Close()
		<-ended
	})
	return l
}

// measure runs one round to 127.0.0.1 with real packets.
func measure(t *testing.T, port uint16, order ...Kind) (Measurement, bool, Stats) {
	t.Helper()
	found := make(chan Measurement, 1)
	p := New(Options{Settings: Settings{Order: order, Rate: 1000, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Port: port,
		Measured: func(m Measurement) { found <- m }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	if r := p.Want(netip.MustParseAddr("127.0.0.1"), false); r != NotRefused {
		t.Fatalf("refused: %s", r)
	}
	late := time.After(30 * time.Second)
	for {
		select {
		case m := <-found:
			return m, true, p.Stats()
		case <-late:
			t.Fatal("neither measured nor silent")
		case <-time.After(10 * time.Millisecond):
			if s := p.Stats(); s.Silent+s.Refused[Unavailable] > 0 {
				return Measurement{}, false, s
			}
		}
	}
}

func TestRealProbes(t *testing.T) {
	both, udp := newLoopback(t, true), newLoopback(t, false)
	free := func() uint16 { // nobody listens there
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return uint16(l.Addr().(*net.TCPAddr).Port)
	}
	for _, tt := range []struct {
		name  string
		port  uint16
		order []Kind
		want  Kind
		sent  uint64
	}{
		{"DNS", udp.port, []Kind{DNS}, DNS, MaxPackets},
		{"TCP accepted", both.port, []Kind{TCP}, TCP, 1},
		{"TCP refused", free(), []Kind{TCP}, TCP, 1},
		{"DNS is silent, TCP is not", free(), []Kind{DNS, TCP}, TCP, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, ok, s := measure(t, tt.port, tt.order...)
			if !ok || m.Kind != tt.want || m.RTT <= 0 || m.RTT > silence || s.Sent[tt.want] != tt.sent {
				t.Errorf("measured %t: %+v, sent %v; want %s with %d packets", ok, m, s.Sent, tt.want, tt.sent)
			}
		})
	}
	if udp.mu.Lock(); udp.seen != MaxPackets {
		t.Errorf("%d queries came, want %d", udp.seen, MaxPackets)
	}
	udp.mu.Unlock()
}

func TestRealPing(t *testing.T) {
	m, ok, s := measure(t, 9, Ping)
	if s.Refused[Unavailable] > 0 {
		t.Skip("this process may not send ICMP: net.ipv4.ping_group_range leaves its group out, and it has no CAP_NET_RAW")
	}
	if !ok || m.Kind != Ping || m.RTT <= 0 || s.Sent[Ping] != MaxPackets {
		t.Errorf("measured %t: %+v, %+v", ok, m, s)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(appendQuery(nil, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, ok := readAnswer(b); ok && (len(b) < headerSize || id != binary.BigEndian.Uint16(b)) {
			t.Errorf("ID %x of %x", id, b)
		}
	})
}
