package udp

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"
)

// batched are the ways that move batches.
func batched(t testing.TB) []IO {
	return slices.DeleteFunc(ways(t), func(io IO) bool { return io == Portable })
}

// gate holds a worker back, so that what is sent meanwhile arrives as one batch.
type gate struct {
	*echo
	held          func() // is called by the worker while it is held
	entered, open chan struct{}
}

func newGate(serve func(p *Packet)) *gate {
	return &gate{&echo{serve: serve}, func() {}, make(chan struct{}), make(chan struct{})}
}

func (g *gate) Serve(batch []Packet) {
	if string(batch[0].Buf[:batch[0].N]) == "hold" {
		g.entered <- struct{}{}
		<-g.open
		g.held()
	}
	g.echo.Serve(batch)
}

// inOneBatch makes all datagrams that send sends arrive together.
func (g *gate) inOneBatch(t *testing.T, conn *net.UDPConn, send func()) {
	t.Helper()
	if _, err := conn.Write([]byte("hold")); err != nil {
		t.Fatal(err)
	}
	<-g.entered
	send()
	g.open <- struct{}{}
	if got := hear(t, conn); string(got) != "hold" {
		t.Fatalf("got %q, want what was held back", got)
	}
}

func TestBatches(t *testing.T) {
	for _, io := range batched(t) {
		t.Run(io.String(), func(t *testing.T) {
			g := newGate(nil)
			s := start(t, loopback4, io, g)
			first, second := dial(t, s.Addr()), dial(t, s.Addr())
			const each = BatchSize
			g.inOneBatch(t, first, func() {
				for i := range each {
					fmt.Fprintf(first, "first %d", i)
					fmt.Fprintf(second, "second %d", i)
				}
			})
			for i := range each {
				if got, want := string(hear(t, first)), fmt.Sprintf("first %d", i); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if got, want := string(hear(t, second)), fmt.Sprintf("second %d", i); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
			st := s.Stats()
			if g.largest != BatchSize || st.Packets != 2*each+1 || st.Batches != 3 {
				t.Errorf("got a batch of %d and %+v, want %d, and 3 batches", g.largest, st, BatchSize)
			}
		})
	}
}

// answers asks in one batch, and returns the answers by client.
func answers(t *testing.T, io IO, bind netip.Addr, to string, gso bool, lengths []int, clients []int) ([][]string, Stats) {
	t.Helper()
	g := newGate(func(p *Packet) {
		// A question of one octet asks for as many octets as its place in lengths says.
		if p.N == 1 {
			i := int(p.Buf[0])
			p.N = copy(p.Buf, bytes.Repeat([]byte{byte('A' + i)}, lengths[i]))
		}
	})
	s := start(t, bind, io, g)
	g.held = func() { s.workers[0].(*batchWorker).ring.gso = gso }
	conns := make([]*net.UDPConn, 1+slices.Max(clients))
	for i := range conns {
		conns[i] = dial(t, netip.AddrPortFrom(netip.MustParseAddr(to), s.Addr().Port()))
	}
	g.inOneBatch(t, conns[0], func() {
		for i := range lengths {
			if _, err := conns[clients[i]].Write([]byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
		}
	})
	got := make([][]string, len(conns))
	want := uint64(1) // the one that was held
	for i, length := range lengths {
		if length > 0 {
			want++
			got[clients[i]] = append(got[clients[i]], string(hear(t, conns[clients[i]])))
		}
	}
	waitFor(t, "all to be counted", func() bool { return s.Stats().Sent == want })
	return got, s.Stats()
}

func TestGSO(t *testing.T) {
	wild4 := netip.IPv4Unspecified()
	same := func(n, octets int) []int { return slices.Repeat([]int{octets}, n) }
	for _, c := range []struct {
		name    string
		bind    netip.Addr
		to      string
		lengths []int
		clients []int // empty: one
		sends   uint64
		merged  uint64
	}{
		{"all alike", loopback4, "127.0.0.1", same(31, 100), nil, 1, 31},
		{"two", loopback4, "127.0.0.1", same(2, 100), nil, 1, 2},
		{"one", loopback4, "127.0.0.1", same(1, 100), nil, 0, 0},
		{"IPv6", loopback6, "::1", same(31, 100), nil, 1, 31},
		{"wildcard", wild4, "127.53.0.77", same(31, 100), nil, 1, 31},
		{"IPv6 wildcard", netip.IPv6Unspecified(), "::1", same(31, 100), nil, 1, 31},
		{"the last is shorter", loopback4, "127.0.0.1", []int{100, 100, 99, 98, 98}, nil, 2, 5},
		{"longer ones begin anew", loopback4, "127.0.0.1", []int{50, 60, 70, 70}, nil, 1, 2},
		{"shorter closes", loopback4, "127.0.0.1", []int{70, 60, 70, 70}, nil, 2, 4},
		{"silence between", loopback4, "127.0.0.1", []int{70, 0, 70, 0, 70}, nil, 1, 3},
		{"clients by turns", loopback4, "127.0.0.1", same(4, 100), []int{0, 1, 0, 1}, 0, 0},
		{"one client after the other", loopback4, "127.0.0.1", same(6, 100), []int{0, 0, 0, 1, 1, 1}, 2, 6},
		{"the largest", loopback4, "127.0.0.1", same(31, maxSegment), nil, 1, 31},
		{"larger", loopback4, "127.0.0.1", same(31, maxSegment+1), nil, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			clients := c.clients
			if clients == nil {
				clients = make([]int, len(c.lengths))
			}
			for _, io := range batched(t) {
				plain, st := answers(t, io, c.bind, c.to, false, c.lengths, clients)
				if st.GSOSends != 0 {
					t.Errorf("%s: merged although it is off: %+v", io, st)
				}
				merged, st := answers(t, io, c.bind, c.to, true, c.lengths, clients)
				for i := range plain {
					if !slices.Equal(plain[i], merged[i]) {
						t.Errorf("%s: client %d: got %.200q merged, want %.200q", io, i, merged[i], plain[i])
					}
				}
				if st.GSORefused > 0 {
					t.Skipf("this kernel does not merge: %+v", st)
				}
				if st.GSOSends != c.sends || st.GSOPackets != c.merged {
					t.Errorf("%s: got %d sends of %d, want %d of %d", io, st.GSOSends, st.GSOPackets, c.sends, c.merged)
				}
			}
		})
	}
}

// TestGSOKeepsSourcesApart: one client asks two addresses of a wildcard in one batch. The answers are of one length and go one
// way, but come from two addresses, so they are not merged.
func TestGSOKeepsSourcesApart(t *testing.T) {
	for _, io := range batched(t) {
		g := newGate(nil)
		s := start(t, netip.IPv4Unspecified(), io, g)
		asked := [2]netip.AddrPort{
			netip.AddrPortFrom(netip.MustParseAddr("127.53.0.77"), s.Addr().Port()),
			netip.AddrPortFrom(netip.MustParseAddr("127.53.0.78"), s.Addr().Port()),
		}
		client, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback4, 0)))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_ = client.SetReadDeadline(time.Now().Add(patience))
		const each = 8
		g.inOneBatch(t, dial(t, asked[0]), func() {
			for i := range byte(2 * each) {
				if _, err := client.WriteToUDPAddrPort([]byte{i % 2}, asked[i%2]); err != nil {
					t.Fatal(err)
				}
			}
		})
		for range 2 * each {
			var b [10]byte
			n, from, err := client.ReadFromUDPAddrPort(b[:])
			if err != nil {
				t.Fatalf("%s: %v", io, err)
			}
			if n != 1 || from != asked[b[0]] {
				t.Errorf("%s: got %x from %s, want it from the address that was asked", io, b[:n], from)
			}
		}
	}
}

// TestGSORefused makes the kernel refuse merged sends the way interfaces without checksum offload do.
func TestGSORefused(t *testing.T) {
	for _, io := range batched(t) {
		t.Run(io.String(), func(t *testing.T) {
			core, logs := observer.New(zap.InfoLevel)
			g := newGate(nil)
			s := start(t, loopback4, io, g, func(o *Options) { o.Logger = zap.New(core) })
			w := s.workers[0].(*batchWorker)
			// A socket that sends no checksums cannot have merged sends cut up: EINVAL.
			if err := unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1); err != nil {
				t.Skip(err)
			}
			conn := dial(t, s.Addr())
			for range 2 {
				g.inOneBatch(t, conn, func() {
					for i := range 9 {
						fmt.Fprintf(conn, "%d", i)
					}
				})
				for i := range 9 {
					if got := string(hear(t, conn)); got != fmt.Sprint(i) {
						t.Errorf("got %q, want %d", got, i)
					}
				}
			}
			waitFor(t, "the counters", func() bool { return s.Stats().Sent == 20 })
			if st := s.Stats(); st.GSORefused != 1 || st.GSOSends != 0 || st.WriteErrors != 0 {
				t.Errorf("got %+v, want one refusal and none after it", st)
			}
			if got := logs.FilterMessage("dns.udp.gso_off").Len(); got != 1 {
				t.Errorf("logged %d times, want once", got)
			}
		})
	}
}

// TestUnreachableClient has one client of a batch that the kernel refuses to send to.
func TestUnreachableClient(t *testing.T) {
	for _, io := range batched(t) {
		t.Run(io.String(), func(t *testing.T) {
			var w *batchWorker
			place := 0
			g := newGate(nil)
			g.serve = func(p *Packet) {
				if string(p.Buf[:p.N]) == "lost" { // as if it came from a broadcast address, and then from port 0
					name := (*unix.RawSockaddrInet4)(unsafe.Pointer(&w.ring.names[place]))
					name.Addr = [4]byte{255, 255, 255, 255}
				}
				if string(p.Buf[:p.N]) == "port" {
					w.ring.names[place].Port = 0
				}
				place = (place + 1) % BatchSize
			}
			s := start(t, loopback4, io, g)
			w = s.workers[0].(*batchWorker)
			conn := dial(t, s.Addr())
			g.inOneBatch(t, conn, func() {
				place = -1 // the held one
				for _, question := range []string{"a", "lost", "port", "b", "lost", "c"} {
					fmt.Fprint(conn, question)
				}
			})
			var got []string
			for range 3 {
				got = append(got, string(hear(t, conn)))
			}
			if strings.Join(got, "") != "abc" {
				t.Errorf("got %q, want a, b and c", got)
			}
			waitFor(t, "the counters", func() bool { st := s.Stats(); return st.WriteErrors == 3 && st.Sent == 4 })
		})
	}
}

func TestWorkersShare(t *testing.T) {
	for _, io := range batched(t) {
		t.Run(io.String(), func(t *testing.T) {
			const workers, clients = 3, 60
			var served [workers]atomic.Int64
			s := start(t, loopback4, io, nil, func(o *Options) {
				o.Workers = workers
				o.NewHandler = func(i int) Handler {
					return &echo{serve: func(*Packet) { served[i].Add(1) }}
				}
			})
			for i := range clients {
				question := fmt.Sprint(i)
				if got := ask(t, dial(t, s.Addr()), []byte(question)); string(got) != question {
					t.Fatalf("got %q, want %q", got, question)
				}
			}
			for i := range served {
				if served[i].Load() == 0 {
					t.Errorf("worker %d of %d served none of %d clients", i, workers, clients)
				}
			}
			if got := s.Stats().Packets; got != clients {
				t.Errorf("packets: got %d, want %d", got, clients)
			}
		})
	}
}

// TestCollectorIsNotHeldUp is about raw workers: they block in the kernel without the scheduler's knowledge.
func TestCollectorIsNotHeldUp(t *testing.T) {
	const most = 500 * time.Millisecond // milliseconds are usual; without the time-out or the yield it is seconds
	for _, load := range []bool{false, true} {
		for _, io := range batched(t) {
			t.Run(fmt.Sprintf("%s, load %t", io, load), func(t *testing.T) {
				s := start(t, loopback4, io, nil, func(o *Options) {
					o.Workers, o.NewHandler = 2, func(int) Handler { return &echo{} }
				})
				var stop atomic.Bool
				var clients sync.WaitGroup
				defer clients.Wait()
				defer stop.Store(true)
				if load {
					conn := dial(t, s.Addr())
					clients.Go(func() {
						for !stop.Load() {
							_, _ = conn.Write([]byte("?"))
						}
					})
					waitFor(t, "traffic", func() bool { return s.Stats().Packets > 100 })
				}
				fastest := patience // another program may delay one collection, but not all
				for range 5 {
					began := time.Now()
					runtime.GC()
					fastest = min(fastest, time.Since(began))
				}
				if fastest > most {
					t.Errorf("each collection took %v or more, want less than %v", fastest, most)
				}
			})
		}
	}
}

// TestQuiet drives a worker by hand: after a while without datagrams it gives its processor up, and takes it again.
func TestQuiet(t *testing.T) {
	w, err := newTestWorker(netip.AddrPortFrom(loopback4, 0), true)
	if err != nil {
		t.Skip(err)
	}
	defer unix.Close(w.fd)
	w.adopt(silent{})
	w.since = time.Now()
	w.nothing()
	if w.quiet {
		t.Error("quiet at once")
	}
	w.since = time.Now().Add(-quietAfter)
	w.nothing()
	if !w.quiet {
		t.Errorf("not quiet after %v", quietAfter)
	}
	if n, errno := w.wait(); errno != unix.EAGAIN && errno != unix.EINTR {
		t.Errorf("got %d datagrams, %v; want that nothing comes", n, errno)
	}
	conn := dial(t, w.ring.local)
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	n, errno := w.wait()
	if !w.serve(n) || errno != 0 || string(hear(t, conn)) != "hello" {
		t.Errorf("got %d datagrams, %v; want one", n, errno)
	}
	w.nothing()
	if w.quiet {
		t.Error("quiet right after a datagram")
	}
}

// TestQuietServer waits until a worker has given its processor up. It still answers, and ends.
func TestQuietServer(t *testing.T) {
	if !slices.Contains(ways(t), Raw) {
		t.Skip("there is no raw here")
	}
	h := &idler{idle: make(chan time.Time, 1)}
	s := start(t, loopback4, Raw, h)
	quiet := func() {
		for began := time.Now(); time.Since(began) < quietAfter+2*IdleInterval; {
			<-h.idle
		}
	}
	quiet()
	if got := ask(t, dial(t, s.Addr()), []byte("hello")); string(got) != "hello" {
		t.Errorf("got %q", got)
	}
	quiet()
}

// TestNoAllocations lets many datagrams pass and looks at what the heap saw.
func TestNoAllocations(t *testing.T) {
	for _, io := range batched(t) {
		for _, bind := range []netip.Addr{loopback4, netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
			t.Run(fmt.Sprint(io, " ", bind), func(t *testing.T) {
				s := start(t, bind, io, silent{})
				to := loopback4
				if bind.Is6() {
					to = loopback6
				}
				conn := dial(t, netip.AddrPortFrom(to, s.Addr().Port()))
				one, b := []byte("?"), make([]byte, 64)
				round := func() {
					if _, err := conn.Write(one); err != nil {
						t.Fatal(err)
					}
					if _, err := conn.Read(b); err != nil {
						t.Fatal(err)
					}
				}
				round()
				const rounds = 2000
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range rounds { // testing.AllocsPerRun takes all processors but one away, and a raw worker needs its own
					round()
				}
				runtime.ReadMemStats(&after)
				if got := after.Mallocs - before.Mallocs; got > rounds/20 {
					t.Errorf("got %d allocations for %d datagrams, want next to none", got, rounds)
				}
			})
		}
	}
}

// TestDrain stops a server whose worker is busy: what has arrived by then is still answered.
func TestDrain(t *testing.T) {
	for _, io := range batched(t) {
		t.Run(io.String(), func(t *testing.T) {
			g := newGate(nil)
			o := Options{Addr: netip.AddrPortFrom(loopback4, 0), Workers: 1, IO: io, NewHandler: func(int) Handler { return g }}
			s, err := Listen(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if io == Raw {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
				RaiseGOMAXPROCS(1)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			conn := dial(t, s.Addr())
			g.inOneBatch(t, conn, func() {
				for i := range 100 {
					fmt.Fprintf(conn, "%d", i)
				}
				cancel()
				waitFor(t, "the end to begin", s.stopping.Load)
			})
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			for i := range 100 {
				if got := string(hear(t, conn)); got != fmt.Sprint(i) {
					t.Fatalf("got %q, want %d", got, i)
				}
			}
		})
	}
}

func TestBrokenSocket(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	w := &batchWorker{fd: -1, ring: newRing(netip.MustParseAddrPort("127.0.0.1:53")), stopping: new(atomic.Bool)}
	w.log = zap.New(core)
	if err := w.run(); err == nil || !strings.Contains(err.Error(), "127.0.0.1:53") {
		t.Errorf("run: got %v, want an error that names the socket", err)
	}
	for range 3 {
		w.failed(&w.counters, syscall.ENETDOWN)
	}
	if got := w.readErrors.Load(); got != 3 || logs.FilterMessage("dns.udp.read_error").Len() != 1 {
		t.Errorf("got %d errors, logged %d times; want 3, logged once", got, logs.Len())
	}
}
