package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func someQueries(t testing.TB, change func(*QueryOptions)) *Queries {
	t.Helper()
	names, err := PatternNames("h%d", "bench.test", 50)
	if err != nil {
		t.Fatal(err)
	}
	o := QueryOptions{Names: names, Types: []uint16{dns.TypeA, dns.TypeAAAA}, Seed: 7}
	if change != nil {
		change(&o)
	}
	q, err := NewQueries(o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func gentle(t testing.TB, target netip.AddrPort) Options {
	return Options{
		Target: target, Transport: UDP, Queries: someQueries(t, nil), Sockets: 3, Outstanding: 5, Batch: 4, Threads: 1,
		Warmup: 20 * time.Millisecond, Duration: 150 * time.Millisecond, Timeout: 200 * time.Millisecond,
	}
}

func measure(t *testing.T, o Options) *Result {
	t.Helper()
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := g.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent != r.Answered+r.Lost+r.Wrong {
		t.Errorf("sent %d, but answered %d + lost %d + wrong %d", r.Sent, r.Answered, r.Lost, r.Wrong)
	}
	c := g.Counts()
	if c.Lost != r.Lost || c.Wrong != r.Wrong || c.Sent < r.Sent || c.Right < r.Answered {
		t.Errorf("the published counts at the end are %+v, the result's %d sent, %d answered, %d lost, %d wrong", c, r.Sent, r.Answered, r.Lost, r.Wrong)
	}
	return r
}

// engines runs a test for each way to send.
func engines(t *testing.T, test func(t *testing.T, set func(*Options))) {
	for _, e := range []struct {
		name      string
		transport Transport
		portable  bool
		threads   int
	}{{"udp", UDP, false, 1}, {"udp two threads", UDP, false, 2}, {"udp portable", UDP, true, 1}, {"tcp", TCP, false, 1}, {"tcp portable", TCP, true, 1}} {
		t.Run(e.name, func(t *testing.T) {
			test(t, func(o *Options) { o.Transport, o.Portable, o.Threads = e.transport, e.portable, e.threads })
		})
	}
}

func TestEveryQueryIsAnswered(t *testing.T) {
	engines(t, func(t *testing.T, set func(*Options)) {
		s := startStandIn(t, nil)
		o := gentle(t, s.address)
		set(&o)
		r := measure(t, o)
		if r.Answered < 100 || r.Lost+r.Wrong+r.Unexpected > 0 {
			t.Errorf("got %+v, want answers only", r)
		}
		if all := s.received.Load(); r.Sent > all {
			t.Errorf("sent %d, but the server saw %d", r.Sent, all)
		}
		if r.Rcodes["NOERROR"] != r.Answered || r.Latency.P50 <= 0 || r.Latency.Max < r.Latency.P99 || r.QPS <= 0 {
			t.Errorf("got rcodes %v, latency %+v, %v/s", r.Rcodes, r.Latency, r.QPS)
		}
	})
}

func TestSilenceIsLoss(t *testing.T) {
	engines(t, func(t *testing.T, set func(*Options)) {
		s := startStandIn(t, func(n uint64, r []byte) []byte {
			if n%50 == 0 {
				return nil
			}
			return r
		})
		o := gentle(t, s.address)
		set(&o)
		o.Warmup, o.Timeout = 0, 30*time.Millisecond
		if r := measure(t, o); r.Lost == 0 || r.Answered == 0 || r.Wrong > 0 {
			t.Errorf("got %d answered, %d lost, %d wrong; want some answered, some lost, none wrong", r.Answered, r.Lost, r.Wrong)
		}
	})
}

func TestNobodyAnswers(t *testing.T) {
	s := startStandIn(t, func(uint64, []byte) []byte { return nil })
	o := gentle(t, s.address)
	o.Warmup = 0
	if r := measure(t, o); r.Lost == 0 || r.Answered > 0 || r.Unexpected > 0 || r.QPS != 0 {
		t.Errorf("got %+v, want losses only", r)
	}
}

// TestWrongAnswers spoils some answers in each way and expects them to be found for what they are.
func TestWrongAnswers(t *testing.T) {
	cases := []struct {
		name  string
		fault fault
		spoil func(r []byte) []byte
	}{
		{"rcode", wrongRcode, func(r []byte) []byte { r[3] |= 2; return r }},
		{"not a response", notResponse, func(r []byte) []byte { r[2] &^= 0x80; return r }},
		{"opcode", notResponse, func(r []byte) []byte { r[2] |= 0x20; return r }},
		{"truncated", truncated, func(r []byte) []byte { r[2] |= 2; return r }},
		{"question", wrongQuestion, func(r []byte) []byte { r[headerOctets+1] = 'x'; return r }},
		{"question's case", wrongQuestion, func(r []byte) []byte { r[headerOctets+1] ^= 0x20; return r }},
		{"type", wrongQuestion, func(r []byte) []byte { r[len(r)-20] ^= 0x7f; return r }},
		{"no record", noAnswer, func(r []byte) []byte { r[7] = 0; return r[:len(r)-16] }},
		{"cut off", malformedReply, func(r []byte) []byte { return r[:len(r)-10] }},
	}
	engines(t, func(t *testing.T, set func(*Options)) {
		var spoilt [faultCount]atomic.Uint64
		s := startStandIn(t, func(n uint64, r []byte) []byte {
			if i := int(n % 20); i < len(cases) {
				spoilt[cases[i].fault].Add(1)
				return cases[i].spoil(r)
			}
			return r
		})
		o := gentle(t, s.address)
		set(&o)
		o.Warmup, o.Timeout = 0, time.Second
		r := measure(t, o)
		for f := notResponse; f < faultCount; f++ {
			if got, want := r.WrongBy[faultNames[f]], spoilt[f].Load(); got != want || got == 0 {
				t.Errorf("got %d of %q, want the %d that the server sent", got, faultNames[f], want)
			}
		}
		if r.Answered == 0 || r.Lost > 0 {
			t.Errorf("got %d answered, %d lost; want some answered and none lost", r.Answered, r.Lost)
		}
	})
}

// TestWrongID counts an answer under another ID as unexpected, and its query as lost.
func TestWrongID(t *testing.T) {
	s := startStandIn(t, func(n uint64, r []byte) []byte {
		if n%10 == 0 {
			binary.BigEndian.PutUint16(r, binary.BigEndian.Uint16(r)+1<<12)
		}
		return r
	})
	o := gentle(t, s.address)
	o.Warmup, o.Timeout = 0, 30*time.Millisecond
	if r := measure(t, o); r.Unexpected == 0 || r.Lost == 0 || r.Lost > r.Unexpected+uint64(o.Sockets*o.Outstanding) {
		t.Errorf("got %d unexpected and %d lost, want as many of both", r.Unexpected, r.Lost)
	}
}

func TestNegativeAnswers(t *testing.T) {
	s := startStandIn(t, func(_ uint64, r []byte) []byte { r[3], r[7] = r[3]|rcodeNXDomain, 0; return r[:len(r)-16] })
	o := gentle(t, s.address)
	o.Duration = 30 * time.Millisecond
	if r := measure(t, o); r.WrongBy["rcode"] == 0 || r.Answered > 0 {
		t.Errorf("NXDOMAIN: got %d answered, wrong %v", r.Answered, r.WrongBy)
	}
	o.Expect.Negative = true
	if r := measure(t, o); r.Wrong > 0 || r.Rcodes["NXDOMAIN"] == 0 {
		t.Errorf("NXDOMAIN accepted: got wrong %v, rcodes %v", r.WrongBy, r.Rcodes)
	}
}

func TestRate(t *testing.T) {
	engines(t, func(t *testing.T, set func(*Options)) {
		s := startStandIn(t, nil)
		o := gentle(t, s.address)
		set(&o)
		o.Rate, o.Duration, o.Warmup = 1000, 400*time.Millisecond, 100*time.Millisecond
		o.Sockets, o.Outstanding = 4, 100
		r := measure(t, o)
		due := o.Rate * o.Duration.Seconds()
		if got := float64(r.Sent + r.Unsent); got < due-float64(2*o.Sockets) || got > due+float64(2*o.Sockets) {
			t.Errorf("got %d sent and %d not in time, want %v due", r.Sent, r.Unsent, due)
		}
		if float64(r.Sent) < due/2 {
			t.Errorf("got %d of %v queries sent in time", r.Sent, due)
		}
	})
}

// TestLatencyCountsFromWhenItWasDue stalls the server: queries that were due meanwhile have waited, sent or not.
func TestLatencyCountsFromWhenItWasDue(t *testing.T) {
	const stall = 150 * time.Millisecond
	s := startStandIn(t, func(n uint64, r []byte) []byte {
		if n == 50 {
			<-time.After(stall)
		}
		return r
	})
	o := gentle(t, s.address)
	o.Rate, o.Sockets, o.Outstanding = 1000, 1, 4 // few may be in flight: most wait to be sent
	o.Warmup, o.Duration, o.Timeout = 0, 400*time.Millisecond, time.Second
	r := measure(t, o)
	if want := stall.Seconds() * 1e6 / 2; r.Latency.P90 < want {
		t.Errorf("p90 is %v us, want at least %v: most of %v were due while the server stood still", r.Latency.P90, want, r.Sent)
	}
}

func TestInterrupted(t *testing.T) {
	engines(t, func(t *testing.T, set func(*Options)) {
		s := startStandIn(t, nil)
		o := gentle(t, s.address)
		set(&o)
		o.Warmup, o.Duration = 0, time.Minute
		g, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Millisecond)
		defer cancel()
		r, err := g.Run(ctx)
		if err != nil || !r.Interrupted || r.Answered == 0 || r.Seconds > 30 || r.Sent != r.Answered+r.Lost+r.Wrong {
			t.Errorf("got %+v, %v; want what was measured until the end", r, err)
		}
	})
}

// TestClosedConnections has a server that closes connections: what is outstanding then is lost, and the run goes on over
// new ones.
func TestClosedConnections(t *testing.T) {
	for _, portable := range []bool{false, true} {
		t.Run(fmt.Sprintf("portable %v", portable), func(t *testing.T) {
			s := startStandIn(t, nil)
			s.closeEvery = 30 // a busy machine answers few queries in the time
			o := gentle(t, s.address)
			o.Transport, o.Portable = TCP, portable
			if r := measure(t, o); r.Answered == 0 || r.Reconnects == 0 || r.Lost == 0 {
				t.Errorf("got %d answered, %d lost, %d reconnects; want some of each", r.Answered, r.Lost, r.Reconnects)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	target := netip.MustParseAddrPort("127.0.0.1:53")
	for _, c := range []struct {
		name   string
		change func(*Options)
	}{
		{"sockets", func(o *Options) { o.Sockets = MaxSockets + 1 }},
		{"no sockets", func(o *Options) { o.Sockets = 0 }},
		{"outstanding", func(o *Options) { o.Outstanding = MaxOutstanding + 1 }},
		{"batch", func(o *Options) { o.Batch = 0 }},
		{"threads", func(o *Options) { o.Threads = 4 }},
		{"duration", func(o *Options) { o.Duration = 2 * MaxDuration }},
		{"no duration", func(o *Options) { o.Duration = 0 }},
		{"timeout", func(o *Options) { o.Timeout = 0 }},
		{"rate", func(o *Options) { o.Rate = -1 }},
		{"transport", func(o *Options) { o.Transport = "quic" }},
		{"target", func(o *Options) { o.Target = netip.AddrPort{} }},
		{"CPU", func(o *Options) { o.CPUs = []int{-1} }},
		{"queries", func(o *Options) { o.Queries = nil }},
	} {
		o := gentle(t, target)
		if err := o.Validate(); err != nil {
			t.Fatalf("the options to start from: %v", err)
		}
		c.change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
}

// BenchmarkUserPart is what the generator itself does for a query and its answer, without the kernel.
func BenchmarkUserPart(b *testing.B) {
	o := gentle(b, netip.MustParseAddrPort("127.0.0.1:53"))
	w := newWorker(context.Background(), &o, 0, 1, 1)
	w.start = time.Now()
	l := w.lanes[0]
	answer := reply(o.Queries.message(0))
	var buf [maxMessage]byte
	b.ReportAllocs()
	for b.Loop() {
		n := w.compose(l, buf[:], 1)
		copy(answer, buf[:2])
		copy(answer[headerOctets:], buf[headerOctets:n])
		w.accept(l, answer, 2)
	}
}
