package adns

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	logged "go.uber.org/zap/zaptest/observer"
)

// closedConn notes that it was closed.
type closedConn struct {
	net.Conn
	closed bool
}

func (c *closedConn) Close() error {
	c.closed = true
	return nil
}
func (c *closedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *closedConn) SetWriteDeadline(time.Time) error { return nil }

// The table against the obvious one: the connection that is evicted is the one whose last use is the oldest.
func TestAdmissionEvictsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		const total, perPrefix = 40, 6
		a := newAdmission(TCPOptions{MaxConnections: total, MaxPerClient: perPrefix})
		lastUse := map[*slot]time.Duration{}
		oldest := func(among func(*slot) bool) (found *slot) {
			for s, used := range lastUse {
				if among(s) && !s.busy.Load() && (found == nil || used < lastUse[found]) {
					found = s
				}
			}
			return found
		}
		var now time.Duration
		for range 5000 {
			time.Sleep(time.Millisecond)
			now += time.Millisecond
			switch any := oldest(func(*slot) bool { return random.IntN(3) == 0 }); {
			case any != nil && random.IntN(3) == 0:
				a.touch(any, time.Now())
				lastUse[any] = now
				continue
			case any != nil && random.IntN(20) == 0:
				a.leave(any)
				a.leave(any)
				delete(lastUse, any)
				continue
			}
			prefix := netip.Prefix{}
			if i := random.IntN(12); i > 0 {
				prefix = clientPrefix(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}))
			}
			var want *slot
			same := 0
			for s := range lastUse {
				if prefix.IsValid() && s.prefix == prefix {
					same++
				}
			}
			switch {
			case same >= perPrefix:
				want = oldest(func(s *slot) bool { return s.prefix == prefix })
			case len(lastUse) >= total:
				want = oldest(func(*slot) bool { return true })
			}
			s, evicted := a.enter(&closedConn{}, prefix, time.Now())
			if s == nil {
				t.Fatal("refused though there are idle connections")
			}
			if evicted != (want != nil) || want != nil && !want.conn.(*closedConn).closed {
				t.Fatalf("evicted %v, want %v, and that it is the oldest", evicted, want != nil)
			}
			delete(lastUse, want)
			lastUse[s] = now - unprovenHandicap
			if got := a.open(); got != len(lastUse) {
				t.Fatalf("open: got %d, want %d", got, len(lastUse))
			}
		}
		for s := range lastUse {
			a.leave(s)
		}
		if a.open() != 0 || len(a.byPrefix) != 0 {
			t.Errorf("left over: %d, %v", a.open(), a.byPrefix)
		}
	})
}

func TestAdmissionRefuses(t *testing.T) {
	a := newAdmission(TCPOptions{MaxConnections: 3, MaxPerClient: 2})
	one := clientPrefix(netip.MustParseAddr("203.0.113.1"))
	enter := func(p netip.Prefix) *slot { s, _ := a.enter(&closedConn{}, p, time.Now()); return s }
	for _, p := range []netip.Prefix{one, one, {}} {
		enter(p).busy.Store(true)
	}
	if enter(one) != nil {
		t.Error("a prefix has more than its share")
	}
	if enter(netip.Prefix{}) != nil {
		t.Error("there are more than in all")
	}
	if a.evict() {
		t.Error("a busy connection was evicted")
	}
	a.slots[0].busy.Store(false)
	if enter(netip.Prefix{}) == nil {
		t.Error("the only idle connection made no room")
	}
	a.drain()
	a.maxTotal = 100
	if enter(netip.Prefix{}) != nil {
		t.Error("a server that ends takes connections")
	}
}

// A quarter of the file descriptors is not for connections, and who asked for more is told.
func TestConnectionsWithinDescriptors(t *testing.T) {
	for _, tt := range []struct{ asked, descriptors, want int }{
		{0, 0, MaxTCPConnections}, {0, 65536, MaxTCPConnections}, {0, 20_000, 15_000}, {0, 1024, 768}, {0, 1, 1},
		{500, 1024, 500}, {768, 1024, 768}, {769, 1024, 768}, {1_000_000, 0, 1_000_000},
	} {
		core, logs := logged.New(zap.InfoLevel)
		s := &Server{log: zap.New(core)}
		s.limitConnections(TCPOptions{MaxConnections: tt.asked, MaxPerClient: 7}, tt.descriptors)
		if got := s.admitted; got.maxTotal != tt.want || got.maxPerPrefix != 7 {
			t.Errorf("%d asked, %d descriptors: got %d in all and %d of a client, want %d and 7", tt.asked, tt.descriptors,
				got.maxTotal, got.maxPerPrefix, tt.want)
		}
		lowered := tt.want < tt.asked || tt.asked == 0 && tt.want < MaxTCPConnections
		if got := logs.FilterMessage("dns.tcp.limit_lowered").Len() == 1; got != lowered {
			t.Errorf("%d asked, %d descriptors: told %v, want %v", tt.asked, tt.descriptors, got, lowered)
		}
	}
}

// Accepts that fail and succeed by turns do not fill the log.
func TestAcceptErrorsAreToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := logged.New(zap.InfoLevel)
		retry := acceptRetry{server: newServer(t, func(o *Options) { o.Logger = zap.New(core) }), transport: TCP}
		before := time.Now()
		for time.Since(before) < acceptLogInterval+time.Second {
			retry.failed(t.Context(), syscall.EMFILE)
			retry.succeeded()
		}
		for _, event := range []string{"dns.tcp.accept_error", "dns.tcp.accept_recovered"} {
			if got := logs.FilterMessage(event).Len(); got != 2 {
				t.Errorf("%s: logged %d times, want 2", event, got)
			}
		}
	})
}

func TestClientPrefix(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32", "2001:db8:0:1:2::3": "2001:db8:0:1::/64",
		"fe80::1%eth0": "fe80::/64", "127.0.0.9": "invalid Prefix", "::1": "invalid Prefix", "::ffff:127.0.0.1": "invalid Prefix",
	} {
		if got := clientPrefix(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
	if clientPrefix(netip.Addr{}).IsValid() {
		t.Error("no address is limited")
	}
}

func TestIdleShrinks(t *testing.T) {
	for _, tt := range []struct {
		full       time.Duration
		open, want int // want in milliseconds
	}{
		{10 * time.Second, 0, 10000}, {10 * time.Second, 499, 10000}, {10 * time.Second, 500, 10000},
		{10 * time.Second, 650, 6000}, {10 * time.Second, 799, 2266}, {10 * time.Second, 800, 2000},
		{10 * time.Second, 949, 2000}, {10 * time.Second, 950, 1000}, {10 * time.Second, 1000, 1000},
		{time.Second, 650, 1000}, {500 * time.Millisecond, 1000, 500}, {2 * time.Second, 799, 2000},
	} {
		if got := shrunkIdle(tt.full, tt.open, 1000); got.Milliseconds() != int64(tt.want) {
			t.Errorf("%v with %d of 1000: got %v, want %d ms", tt.full, tt.open, got, tt.want)
		}
	}
}

// The shrunk time-out is the one that ends connections, and that the server tells clients.
func TestIdleInACrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPiped(t, func(o *Options) { o.TCP = TCPOptions{MaxConnections: 100, MaxPerClient: 100} })
		early := p.dial("203.0.113.7:5353")
		for range 84 {
			p.dial("203.0.113.7:5353")
		}
		if got := p.admitted.idleTimeout(); got != idleCrowded {
			t.Errorf("got %v, want %v", got, idleCrowded)
		}
		begin := time.Now()
		last := p.dial("203.0.113.7:5353")
		if !ask(early) { // whose next deadline was set when it was alone
			t.Error("not answered")
		}
		for _, conn := range []net.Conn{early, last} {
			// All of them are due at one moment. Those that end first make the time of the others longer again.
			if _, err := conn.Read(make([]byte, 1)); err == nil || time.Since(begin) < idleCrowded || time.Since(begin) > 2*idleCrowded {
				t.Errorf("ended after %v (%v), want %v or a little more", time.Since(begin), err, idleCrowded)
			}
		}
		time.Sleep(TCPIdle)
		if got := p.admitted.idleTimeout(); got != TCPIdle {
			t.Errorf("alone again: got %v, want %v", got, TCPIdle)
		}
	})
}

// A server without file descriptors takes those of idle connections.
func TestAcceptEvictsForDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		handed := &handedListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		flaky := &flakyListener{handed, 0}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- s.serveTCP(ctx, flaky) }()
		near, far := net.Pipe()
		handed.take(fromConn{far, netip.MustParseAddrPort("203.0.113.7:53")})
		synctest.Wait()
		flaky.failures = 1
		_, other := net.Pipe()
		handed.take(fromConn{other, netip.MustParseAddrPort("203.0.113.8:53")})
		if _, err := near.Read(make([]byte, 1)); err == nil {
			t.Error("the idle connection stays")
		}
		synctest.Wait() // it is counted when it is closed already
		if got := s.Stats().Streams[TCP].Evicted; got != 1 {
			t.Errorf("%d evictions are counted, want 1", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
