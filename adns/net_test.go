package adns

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	logged "go.uber.org/zap/zaptest/observer"
)

// start runs a server until the test ends and checks that it leaves nothing behind.
func start(t testing.TB, change ...func(*Options)) *Server {
	t.Helper()
	before := goleak.IgnoreCurrent()
	s := newServer(t, change...)
	if err := s.Listen(t.Context()); err != nil {
		t.Fatalf("Listen: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if open := s.admitted.open(); open != 0 {
			t.Errorf("%d connections are still open", open)
		}
		goleak.VerifyNone(t, before)
	})
	return s
}

// deadline bounds what a test waits for; it passes only when something is broken.
const deadline = 5 * time.Second

// exchange asks over a real socket.
func exchange(t *testing.T, network string, addr netip.AddrPort, name string, qtype uint16) *dns.Msg {
	t.Helper()
	c := &dns.Client{Net: network, Timeout: deadline}
	m := new(dns.Msg).SetQuestion(name, qtype)
	m.SetEdns0(1232, false)
	r, _, err := c.Exchange(m, addr.String())
	if err != nil {
		t.Fatalf("%s %s: %v", network, addr, err)
	}
	return r
}

func TestServeUDPAndTCP(t *testing.T) {
	listen := []string{"127.0.0.1:0"}
	if ipv6Works() {
		listen = append(listen, "[::1]:0")
	}
	s := start(t, func(o *Options) { o.Listen = listen })
	if got := len(s.Addrs()); got != len(listen) {
		t.Fatalf("addresses: got %v", s.Addrs())
	}
	for _, addr := range s.Addrs() {
		for _, network := range []string{"udp", "tcp"} {
			r := exchange(t, network, addr, "www.example.com.", dns.TypeA)
			if len(r.Answer) != 1 || r.Answer[0].(*dns.A).A.String() != "192.0.2.80" {
				t.Errorf("%s %s: got %v", network, addr, r)
			}
		}
	}
}

func ipv6Works() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		l.Close()
	}
	return err == nil
}

// A connected socket drops datagrams from any other address than the one it asked.
func TestWildcardAnswersFromTheAddressAsked(t *testing.T) {
	listen := []string{"0.0.0.0:0"}
	if ipv6Works() {
		listen = append(listen, "[::]:0")
	}
	s := start(t, func(o *Options) { o.Listen = listen })
	ask := func(ip string, port uint16) {
		conn, err := net.DialTimeout("udp", netip.AddrPortFrom(netip.MustParseAddr(ip), port).String(), deadline)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(deadline))
		if _, err := conn.Write(plainQuery(www())); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 512)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatalf("%s: %v", ip, err)
		}
		if m := unpack(t, b[:n]); m.Id != testID || len(m.Answer) != 1 {
			t.Errorf("%s: got %v", ip, m)
		}
	}
	for _, ip := range []string{"127.0.0.1", "127.0.0.77", "127.53.0.1"} {
		ask(ip, s.Addrs()[0].Port())
	}
	if len(listen) > 1 {
		ask("::1", s.Addrs()[1].Port())
	}
}

// Both wildcards can be had with one port, because the IPv6 socket leaves IPv4 alone.
func TestListenBothWildcards(t *testing.T) {
	if !ipv6Works() {
		t.Skip("no IPv6 here")
	}
	first := newServer(t, func(o *Options) { o.Listen = []string{"0.0.0.0:0"} })
	if err := first.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	port := first.Addrs()[0].Port()
	second := newServer(t, func(o *Options) {
		o.Listen = []string{netip.AddrPortFrom(netip.IPv6Unspecified(), port).String()}
	})
	if err := second.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func TestTCPPipelining(t *testing.T) {
	s := start(t)
	conn := dial(t, s)
	var all []byte
	const queries = 20
	for i := range queries {
		q := plainQuery(www())
		binary.BigEndian.PutUint16(q, uint16(i))
		all = append(binary.BigEndian.AppendUint16(all, uint16(len(q))), q...)
	}
	if _, err := conn.Write(all); err != nil {
		t.Fatal(err)
	}
	for i := range queries {
		if m := readMessage(t, conn); m.Id != uint16(i) || len(m.Answer) != 1 {
			t.Fatalf("answer %d: got %v", i, m)
		}
	}
}

func TestTCPOctetByOctetThenHalfClose(t *testing.T) {
	s := start(t)
	conn := dial(t, s)
	q := plainQuery(www())
	for _, b := range append(binary.BigEndian.AppendUint16(nil, uint16(len(q))), q...) {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if m := readMessage(t, conn); len(m.Answer) != 1 {
		t.Errorf("got %v", m)
	}
	if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the answer: %d, %v, want EOF", n, err)
	}
}

func TestTCPHostileMessages(t *testing.T) {
	s := start(t)
	tests := []struct {
		name   string
		bytes  []byte
		answer bool // one FORMERR comes before the end
	}{
		{"length 0", []byte{0, 0}, false},
		{"length 11", append([]byte{0, 11}, make([]byte, 11)...), false},
		{"a response", append([]byte{0, 12}, request{flags: 0x8000}.bytes()...), false},
		{"tls hello", append([]byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03}, make([]byte, 64)...), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := dial(t, s)
			if _, err := conn.Write(tt.bytes); err != nil {
				t.Fatal(err)
			}
			if tt.answer {
				if m := readMessage(t, conn); m.Rcode == dns.RcodeSuccess {
					t.Errorf("got %v", m)
				}
			}
			// Unread data makes the kernel send RST instead of FIN: both are the end.
			if n, err := conn.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%d, %v, want the end", n, err)
			}
		})
	}
}

// A request that does not fit the read buffer, but is within the limit.
func TestTCPLongRequest(t *testing.T) {
	s := start(t)
	conn := dial(t, s)
	q := plainQuery(www(), optRecord(1232, 0, option(65001, make([]byte, 4000)...)))
	for range 2 {
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(q))), q...)); err != nil {
			t.Fatal(err)
		}
		if m := readMessage(t, conn); len(m.Answer) != 1 {
			t.Errorf("got %v", m)
		}
	}
}

func dial(t *testing.T, s *Server) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.Addrs()[0].String(), deadline)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(deadline))
	return conn
}

// readMessage reads one message with its length.
func readMessage(t *testing.T, conn net.Conn) *dns.Msg {
	t.Helper()
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		t.Fatalf("read a response: %v", err)
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Fatalf("read a response: %v", err)
	}
	return unpack(t, b)
}

func TestListenErrors(t *testing.T) {
	taken, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	takenTCP, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer takenTCP.Close()
	denied := func(context.Context, string, string) (net.PacketConn, error) {
		return nil, &net.OpError{Op: "listen", Err: syscall.EACCES}
	}
	invalid := func(context.Context, string, string) (net.PacketConn, error) {
		return nil, &net.OpError{Op: "listen", Err: syscall.EINVAL}
	}
	tests := []struct {
		name   string
		listen []string
		packet func(context.Context, string, string) (net.PacketConn, error)
		want   []string
	}{
		{"nothing", nil, nil, []string{"no address is configured"}},
		{"no port", []string{"127.0.0.1"}, nil, []string{`"127.0.0.1"`, "address:port"}},
		{"bad port", []string{"127.0.0.1:dns"}, nil, []string{`"dns" is not a port number`}},
		{"name", []string{"localhost:53"}, nil, []string{`"localhost" is not an IP address`}},
		{"udp port in use", []string{taken.LocalAddr().String()}, nil, []string{"UDP " + taken.LocalAddr().String(), "another program"}},
		{"tcp port in use", []string{takenTCP.Addr().String()}, nil, []string{"TCP " + takenTCP.Addr().String(), "another program"}},
		{"not our address", []string{"192.0.2.1:0"}, nil, []string{"UDP 192.0.2.1:0", "does not have the address"}},
		{"no privilege", []string{"127.0.0.1:53"}, denied, []string{"UDP 127.0.0.1:53", "CAP_NET_BIND_SERVICE"}},
		{"link-local without interface", []string{"[fe80::1]:53"}, invalid, []string{"UDP [fe80::1]:53", "write [fe80::1%eth0]:53"}},
		{"second fails", []string{"127.0.0.1:0", taken.LocalAddr().String()}, nil, []string{taken.LocalAddr().String()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, func(o *Options) { o.Listen, o.ListenPacket = tt.listen, tt.packet })
			err := s.Run(t.Context())
			if err == nil {
				t.Fatal("it listens")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got %q, want %q in it", err, part)
				}
			}
			if got := s.Addrs(); len(got) != 0 {
				t.Errorf("it keeps %v", got)
			}
		})
	}
}

func TestParseListenWithoutHost(t *testing.T) {
	got, err := parseListen([]string{":53"})
	if err != nil || len(got) != 2 || got[0].String() != "0.0.0.0:53" || got[1].String() != "[::]:53" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestNewRejects(t *testing.T) {
	snapshot := func() *Snapshot { return nil }
	for name, o := range map[string]Options{
		"no snapshot":      {},
		"negative workers": {Snapshot: snapshot, Workers: -1},
		"too many workers": {Snapshot: snapshot, Workers: MaxWorkers + 1},
		"long nsid":        {Snapshot: snapshot, NSID: strings.Repeat("x", maxNSID+1)},
		"many addresses":   {Snapshot: snapshot, Listen: make([]string, MaxListen+1)},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRunOnlyOnce(t *testing.T) {
	s := start(t)
	exchange(t, "udp", s.Addrs()[0], "www.example.com.", dns.TypeA) // it runs
	if err := s.Run(t.Context()); err == nil {
		t.Error("Run ran twice")
	}
	if err := s.Close(); err == nil {
		t.Error("Close closed a running server")
	}
}

// flakyListener fails some accepts first.
type flakyListener struct {
	net.Listener
	failures int
}

func (f *flakyListener) Accept() (net.Conn, error) {
	if f.failures > 0 {
		f.failures--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return f.Listener.Accept()
}

func TestAcceptSurvivesExhaustion(t *testing.T) {
	core, logs := logged.New(zap.InfoLevel)
	s := start(t, func(o *Options) {
		o.Logger = zap.New(core)
		o.ListenStream = func(ctx context.Context, network, address string) (net.Listener, error) {
			l, err := systemListenStream(ctx, network, address)
			return &flakyListener{l, 3}, err
		}
	})
	if r := exchange(t, "tcp", s.Addrs()[0], "www.example.com.", dns.TypeA); len(r.Answer) != 1 {
		t.Errorf("got %v", r)
	}
	if got := s.Stats().Streams[TCP].AcceptErrors; got != 3 {
		t.Errorf("accept errors: got %d, want 3", got)
	}
	if got := logs.FilterMessage("dns.tcp.accept_error").Len(); got != 1 {
		t.Errorf("logged %d times, want once", got)
	}
	if logs.FilterMessage("dns.tcp.accept_recovered").Len() != 1 {
		t.Error("the recovery was not logged")
	}
}
