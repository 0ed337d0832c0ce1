package udp

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

var loopback4, loopback6 = netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()

// silent answers with what it was asked and does nothing else.
type silent struct{}

func (silent) Serve([]Packet) {}

// echo does the same, and remembers what it saw.
type echo struct {
	mu      sync.Mutex
	largest int
	packets []Packet // the last batch, without buffers
	serve   func(p *Packet)
}

func (e *echo) Serve(batch []Packet) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.largest = max(e.largest, len(batch))
	e.packets = append(e.packets[:0], batch...)
	for i := range batch {
		if e.serve != nil {
			e.serve(&batch[i])
		}
	}
}

// last returns the latest packet.
func (e *echo) last() Packet {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.packets[len(e.packets)-1]
}

// ways are the ways that this system has.
func ways(t testing.TB) []IO {
	if !haveBatches {
		return []IO{Portable}
	}
	if err := testRaw(); err != nil {
		t.Logf("raw is not tested: %v", err)
		return []IO{Netpoll, Portable}
	}
	return []IO{Raw, Netpoll, Portable}
}

// eachWay runs a test for every way to wait.
func eachWay(t *testing.T, test func(t *testing.T, io IO)) {
	for _, io := range ways(t) {
		t.Run(io.String(), func(t *testing.T) { test(t, io) })
	}
}

// start runs a server of one worker until the test ends.
func start(t testing.TB, addr netip.Addr, io IO, h Handler, change ...func(*Options)) *Server {
	t.Helper()
	o := Options{Addr: netip.AddrPortFrom(addr, 0), Workers: 1, IO: io, NewHandler: func(int) Handler { return h }}
	for _, c := range change {
		c(&o)
	}
	s, err := Listen(context.Background(), o)
	if err != nil {
		if addr.Is6() && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)) {
			t.Skipf("this machine has no IPv6: %v", err)
		}
		t.Fatal(err)
	}
	if io == Raw {
		before := runtime.GOMAXPROCS(0)
		if RaiseGOMAXPROCS(o.Workers) != before {
			t.Cleanup(func() { runtime.GOMAXPROCS(before) })
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	return s
}

// dial connects to a server, so that only answers from the address that was asked arrive.
func dial(t testing.TB, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadBuffer(4 << 20)
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// ask sends a datagram and returns the answer.
func ask(t testing.TB, conn *net.UDPConn, question []byte) []byte {
	t.Helper()
	if _, err := conn.Write(question); err != nil {
		t.Fatal(err)
	}
	return hear(t, conn)
}

// hear returns the next answer.
func hear(t testing.TB, conn *net.UDPConn) []byte {
	t.Helper()
	b := make([]byte, maxDatagram)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func local(conn *net.UDPConn) netip.AddrPort { return conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func TestEcho(t *testing.T) {
	wild4, wild6 := netip.IPv4Unspecified(), netip.IPv6Unspecified()
	for _, c := range []struct {
		name       string
		bind, dial netip.Addr
		linux      bool // other systems have one loopback address
	}{
		{"IPv4", loopback4, loopback4, false},
		{"IPv6", loopback6, loopback6, false},
		{"IPv4 wildcard", wild4, loopback4, false},
		{"IPv4 wildcard, another address", wild4, netip.MustParseAddr("127.53.0.77"), true},
		{"IPv6 wildcard", wild6, loopback6, false},
		{"mapped", netip.MustParseAddr("::ffff:127.0.0.1"), loopback4, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.linux && runtime.GOOS != "linux" {
				t.Skip("only Linux serves all of 127.0.0.0/8")
			}
			eachWay(t, func(t *testing.T, io IO) {
				h := &echo{}
				s := start(t, c.bind, io, h)
				to := netip.AddrPortFrom(c.dial, s.Addr().Port())
				conn := dial(t, to)
				for _, question := range []string{"hello", "x", strings.Repeat("long", 300)} {
					if got := ask(t, conn, []byte(question)); string(got) != question {
						t.Fatalf("got %q, want %q", got, question)
					}
					if p := h.last(); p.From != local(conn) || p.Local != to || p.Cut {
						t.Fatalf("got from %s to %s cut %t, want from %s to %s", p.From, p.Local, p.Cut, local(conn), to)
					}
				}
				st := s.Stats()
				if st.Packets != 3 || st.Batches != 3 || st.ReadErrors+st.WriteErrors+st.Dropped+st.TooLarge != 0 {
					t.Errorf("stats: got %+v", st)
				}
			})
		})
	}
}

func TestResponses(t *testing.T) {
	elsewhere := bytes.Repeat([]byte("elsewhere"), 1000)
	for _, c := range []struct {
		name  string
		serve func(p *Packet)
		want  []byte // nil: silence
	}{
		{"shorter", func(p *Packet) { p.N = 2 }, []byte("he")},
		{"longer", func(p *Packet) { p.N = copy(p.Buf, "hello yourself") }, []byte("hello yourself")},
		{"elsewhere", func(p *Packet) { p.Out = elsewhere }, elsewhere},
		{"elsewhere, and N is 0", func(p *Packet) { p.Out, p.N = elsewhere, 0 }, elsewhere},
		{"silence", func(p *Packet) { p.N = 0 }, nil},
		{"impossible length", func(p *Packet) { p.N = len(p.Buf) + 1 }, nil},
		{"negative length", func(p *Packet) { p.N = -1 }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, io IO) {
				s := start(t, loopback4, io, &echo{serve: func(p *Packet) {
					if string(p.Buf[:p.N]) == "hello" {
						c.serve(p)
					}
				}})
				conn := dial(t, s.Addr())
				if c.want != nil {
					if got := ask(t, conn, []byte("hello")); !bytes.Equal(got, c.want) {
						t.Errorf("got %q, want %q", got, c.want)
					}
				} else if _, err := conn.Write([]byte("hello")); err != nil {
					t.Fatal(err)
				}
				if got := ask(t, conn, []byte("bye")); string(got) != "bye" {
					t.Errorf("got %q, want the answer to the next question", got)
				}
			})
		})
	}
}

func TestCutAndEmpty(t *testing.T) {
	eachWay(t, func(t *testing.T, io IO) {
		h := &echo{serve: func(p *Packet) {
			switch {
			case p.Cut:
				p.N = copy(p.Buf, "cut")
			case p.N == 0:
				p.N = copy(p.Buf, "empty")
			}
		}}
		s := start(t, loopback4, io, h)
		conn := dial(t, s.Addr())
		for _, c := range []struct {
			octets int
			want   string
		}{{BufferSize, ""}, {BufferSize + 1, "cut"}, {0, "empty"}, {20000, "cut"}, {5, "aaaaa"}} {
			want := c.want
			if want == "" {
				want = strings.Repeat("a", c.octets)
			}
			if got := ask(t, conn, bytes.Repeat([]byte("a"), c.octets)); string(got) != want {
				t.Errorf("%d octets: got %d octets %.20q, want %.20q", c.octets, len(got), got, want)
			}
		}
		if got := s.Stats().Cut; got != 2 {
			t.Errorf("cut: got %d, want 2", got)
		}
	})
}

// shortener is told of what is too large.
type shortener struct {
	echo
	to func(p *Packet)
}

func (s *shortener) TooLarge(p *Packet) { s.to(p) }

func TestTooLarge(t *testing.T) {
	huge := make([]byte, 65520) // more than fits into an IP packet
	serve := func(p *Packet) {
		if string(p.Buf[:p.N]) == "huge" {
			p.Out = huge
		}
	}
	for _, c := range []struct {
		name string
		h    Handler
		want string // of the answers to "a", "huge", "b"
		sent uint64
	}{
		{"shortened", &shortener{echo{serve: serve}, func(p *Packet) { p.Out, p.N = nil, copy(p.Buf, "TC") }}, "a TC b", 3},
		{"given up", &shortener{echo{serve: serve}, func(p *Packet) { p.Out, p.N = nil, 0 }}, "a b", 2},
		{"left as it is", &shortener{echo{serve: serve}, func(*Packet) {}}, "a b", 2},
		{"cannot shorten", &echo{serve: serve}, "a b", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, io IO) {
				s := start(t, loopback4, io, c.h)
				conn := dial(t, s.Addr())
				var got []string
				for _, question := range []string{"a", "huge", "b"} {
					if _, err := conn.Write([]byte(question)); err != nil {
						t.Fatal(err)
					}
				}
				for range c.sent {
					got = append(got, string(hear(t, conn)))
				}
				// What was refused is sent again behind the ones that were not; with one batch the order may be another.
				if strings.Join(got, " ") != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
				waitFor(t, "the counters", func() bool {
					st := s.Stats()
					return st.TooLarge == 1 && st.Sent == c.sent && st.WriteErrors == 0
				})
			})
		})
	}
}

// waitFor waits for a condition.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
		runtime.Gosched()
	}
}

// idler counts its idle moments.
type idler struct {
	echo
	idle chan time.Time
}

func (i *idler) Idle() {
	select {
	case i.idle <- time.Now():
	default:
	}
}

func TestIdle(t *testing.T) {
	eachWay(t, func(t *testing.T, io IO) {
		h := &idler{idle: make(chan time.Time, 3)}
		s := start(t, loopback4, io, h)
		first := <-h.idle
		if got := ask(t, dial(t, s.Addr()), []byte("still there?")); string(got) != "still there?" {
			t.Errorf("got %q", got)
		}
		second := <-h.idle
		if took := second.Sub(first); took < IdleInterval-5*time.Millisecond || took > patience {
			t.Errorf("two idle moments %v apart, want %v or a little more", took, IdleInterval)
		}
	})
}

func TestAddressInUse(t *testing.T) {
	eachWay(t, func(t *testing.T, io IO) {
		for _, workers := range []int{1, 2} {
			several := func(o *Options) { o.Workers = workers }
			s := start(t, loopback4, io, &echo{}, several)
			o := Options{Addr: s.Addr(), Workers: workers, IO: io, NewHandler: func(int) Handler { return &echo{} }}
			second, err := Listen(t.Context(), o)
			if err == nil {
				_ = second.Close()
				t.Fatalf("%d workers: a second server shares %s", workers, s.Addr())
			}
			if !errors.Is(err, syscall.EADDRINUSE) && runtime.GOOS != "windows" || !strings.Contains(err.Error(), s.Addr().String()) {
				t.Errorf("%d workers: got %v, want an error that names %s", workers, err, s.Addr())
			}
		}
	})
}

func TestListenRefuses(t *testing.T) {
	good := func() Options {
		return Options{Addr: netip.AddrPortFrom(loopback4, 0), Workers: 1, NewHandler: func(int) Handler { return &echo{} }}
	}
	for _, c := range []struct {
		name   string
		change func(o *Options)
		want   string
	}{
		{"no address", func(o *Options) { o.Addr = netip.AddrPort{} }, "Options.Addr is missing"},
		{"no workers", func(o *Options) { o.Workers = 0 }, "0 workers; give 1 to 256"},
		{"many workers", func(o *Options) { o.Workers = 257 }, "257 workers"},
		{"no handler", func(o *Options) { o.NewHandler = nil }, "NewHandler is missing"},
		{"raw with a socket", func(o *Options) { o.IO, o.ListenPacket = Raw, new(net.ListenConfig).ListenPacket }, "raw needs sockets of its own"},
		{"not ours", func(o *Options) { o.Addr = netip.MustParseAddrPort("192.0.2.1:0") }, "listen on UDP 192.0.2.1:0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := good()
			c.change(&o)
			s, err := Listen(t.Context(), o)
			if err == nil {
				_ = s.Close()
				t.Fatal("got no error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
		})
	}
}

func TestLifecycle(t *testing.T) {
	eachWay(t, func(t *testing.T, io IO) {
		o := Options{Addr: netip.AddrPortFrom(loopback4, 0), Workers: 2, IO: io, NewHandler: func(int) Handler { return &echo{} }}
		s, err := Listen(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if err := s.Run(t.Context()); err == nil {
			t.Error("a closed server runs")
		}
		o.Addr = s.Addr() // free again
		if s, err = Listen(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Run(ended); err != nil {
			t.Errorf("Run with an ended context: %v", err)
		}
		if err := s.Run(t.Context()); err == nil {
			t.Error("a server runs twice")
		}
	})
}

// TestEndsAtOnce stops idle servers. A machine that is busy with other things may delay one of them, but not all.
func TestEndsAtOnce(t *testing.T) {
	const tries, most = 5, 200 * time.Millisecond
	eachWay(t, func(t *testing.T, io IO) {
		if io == Raw {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
			RaiseGOMAXPROCS(3)
		}
		fastest := patience
		for range tries {
			s, err := Listen(t.Context(), Options{Addr: netip.AddrPortFrom(loopback4, 0), Workers: 3, IO: io,
				NewHandler: func(int) Handler { return silent{} }})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			ask(t, dial(t, s.Addr()), []byte("there?"))
			began := time.Now()
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			fastest = min(fastest, time.Since(began))
		}
		if fastest > most {
			t.Errorf("Run ended after %v or more, want less than %v", fastest, most)
		}
	})
}

func TestChoose(t *testing.T) {
	portable := func(o *Options) { o.ListenPacket = new(net.ListenConfig).ListenPacket }
	for _, c := range []struct {
		name    string
		change  func(o *Options)
		want    IO
		because string
	}{
		{"own socket", portable, Portable, "not of this package"},
		{"many sockets", func(o *Options) { o.Sockets = RawSockets() + 1 }, Netpoll, "up to"},
		{"few sockets", func(*Options) {}, Raw, "self-test passed"},
		{"raw by name", func(o *Options) { o.IO, o.Sockets = Raw, RawSockets()+1 }, Raw, "as configured"},
		{"netpoll by name", func(o *Options) { o.IO = Netpoll }, Netpoll, "as configured"},
		{"portable by name", func(o *Options) { o.IO = Portable }, Portable, "as configured"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want != Portable && (!haveBatches || c.want == Raw && testRaw() != nil) {
				t.Skipf("there is no %s here", c.want)
			}
			o := Options{Workers: 1}
			c.change(&o)
			got, err := choose(&o)
			if err != nil || got.IO != c.want || !strings.Contains(got.String(), c.because) {
				t.Errorf("got %v, %v, want %s because %q", got, err, c.want, c.because)
			}
		})
	}
}
