package sketch

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fairlead/gslb"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// clocked returns a Sketch and its clock.
func clocked(entries int) (*Sketch, *time.Time) {
	now := epoch
	return New(Options{Entries: entries, Now: func() time.Time { return now }}), &now
}

func sample(name, ldns, subnet string, weight uint32) *Sample {
	s := &Sample{Name: name, Family: gslb.IPv4, LDNS: netip.MustParseAddr(ldns), Weight: weight}
	if subnet != "" {
		s.Subnet = netip.MustParsePrefix(subnet)
	}
	return s
}

func same() cmp.Options {
	return cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateApprox(1e-9, 1e-9)}
}

func TestKindsAreNetworks(t *testing.T) {
	s, _ := clocked(0)
	s.Add(sample("a.", "192.0.2.1", "", 1))
	s.Add(sample("a.", "::ffff:192.0.2.99", "", 2)) // the same network
	s.Add(sample("a.", "2001:db8:1:2::1", "198.51.100.77/32", 4))
	s.Add(sample("a.", "2001:db8:1:ffff::1", "198.51.100.3/25", 8))
	s.Add(sample("a.", "2001:db8:1:2::1", "198.51.0.0/16", 16))
	s.Add(sample("a.", "2001:db8:1:2::1", "2001:db8:5:6::/64", 32))
	s.Add(sample("b.", "192.0.2.1", "0.0.0.0/0", 64))
	listened := sample("a.", "192.0.2.1", "", 128)
	listened.Listener = netip.MustParseAddr("203.0.113.53")
	s.Add(listened)
	v := s.View()
	p := netip.MustParsePrefix
	want := []Entry{
		{Name: "a.", Family: gslb.IPv4, LDNS: p("192.0.2.0/24"), Listener: listened.Listener, Count: 128},
		{Name: "b.", Family: gslb.IPv4, LDNS: p("192.0.2.0/24"), Subnet: p("0.0.0.0/0"), Count: 64},
		{Name: "a.", Family: gslb.IPv4, LDNS: p("2001:db8:1::/48"), Subnet: p("2001:db8:5::/48"), Count: 32},
		{Name: "a.", Family: gslb.IPv4, LDNS: p("2001:db8:1::/48"), Subnet: p("198.51.0.0/16"), Count: 16},
		{Name: "a.", Family: gslb.IPv4, LDNS: p("2001:db8:1::/48"), Subnet: p("198.51.100.0/24"), Count: 12},
		{Name: "a.", Family: gslb.IPv4, LDNS: p("192.0.2.0/24"), Count: 3},
	}
	if d := cmp.Diff(want, v.Entries, same()); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
	if v.Total != 255 || v.Changes != 8 || s.Len() != 6 {
		t.Errorf("got %+v", v)
	}
}

func TestCountsHalve(t *testing.T) {
	s, now := clocked(0)
	s.Add(sample("old.", "192.0.2.1", "", 64))
	*now = now.Add(3 * HalfLife)
	s.Add(sample("new.", "192.0.2.1", "", 10))
	v := s.View()
	if len(v.Entries) != 2 || v.Entries[0].Name != "new." || math.Abs(v.Entries[1].Count-8) > 1e-9 || math.Abs(v.Total-18) > 1e-9 {
		t.Errorf("after three half-lives: got %+v, want 10 and 8", v)
	}
	*now = now.Add(100 * HalfLife) // far enough to bring all counts back
	s.Add(sample("newest.", "192.0.2.1", "", 1))
	if v := s.View(); len(v.Entries) != 1 || v.Entries[0].Name != "newest." || math.Abs(v.Total-1) > 1e-9 {
		t.Errorf("much later: got %+v, want the newest alone", v)
	}
	*now = now.Add(-200 * HalfLife)
	s.Add(sample("newest.", "192.0.2.1", "", 1))
	if v := s.View(); math.Abs(v.Total-2) > 1e-9 {
		t.Errorf("the clock went back: got a total of %v, want 2", v.Total)
	}
}

func TestRates(t *testing.T) {
	s, now := clocked(0)
	for range 3600 * 2 { // two queries a second for an hour
		*now = now.Add(500 * time.Millisecond)
		s.Add(sample("a.", "192.0.2.1", "", 1))
	}
	v := s.View()
	if got := v.Entries[0].Count * v.PerSecond; math.Abs(got-2) > 0.02 {
		t.Errorf("got %v queries per second, want 2", got)
	}
}

// TestTotalsStayWhole has far more kinds than room. What is known of each kind is a true lower bound, count plus error an
// upper one, and nothing is lost from the totals.
func TestTotalsStayWhole(t *testing.T) {
	const room = 64
	s, _ := clocked(room)
	draw := rand.New(rand.NewPCG(1, 2))
	truth := map[string]float64{}
	byName := map[string]float64{}
	total := 0.0
	for range 50_000 {
		net := int(math.Abs(draw.NormFloat64()) * 40) // the middle is frequent
		name := fmt.Sprintf("n%d.", draw.IntN(3))
		one := sample(name, fmt.Sprintf("192.0.%d.1", net), "", 1+uint32(draw.IntN(4)))
		s.Add(one)
		truth[fmt.Sprintf("%s %d", name, net)] += float64(one.Weight)
		byName[name] += float64(one.Weight)
		total += float64(one.Weight)
	}
	v := s.View()
	if s.Len() != room || math.Abs(v.Total-total) > 1e-6 {
		t.Fatalf("got %d entries and a total of %v, want %d and %v", s.Len(), v.Total, room, total)
	}
	got := map[string]float64{}
	for _, e := range v.Entries {
		got[e.Name] += e.Count
		real := truth[fmt.Sprintf("%s %d", e.Name, e.LDNS.Addr().As4()[2])]
		if real < e.Count-1e-6 || real > e.Count+e.Error+1e-6 {
			t.Errorf("%s %s: %v queries are outside of %v to %v", e.Name, e.LDNS, real, e.Count, e.Count+e.Error)
		}
		if e.Error > total/room {
			t.Errorf("%s %s: an error of %v is above the bound %v", e.Name, e.LDNS, e.Error, total/room)
		}
	}
	for _, r := range v.Remainders {
		got[r.Name] += r.Count
	}
	if d := cmp.Diff(byName, got, cmpopts.EquateApprox(1e-9, 1e-6)); d != "" {
		t.Errorf("queries by name (-want +got):\n%s", d)
	}
}

func TestLimits(t *testing.T) {
	s, _ := clocked(0)
	s.names.max, s.listeners.max = 2, 1
	for i := range 5 {
		s.Add(sample(fmt.Sprintf("n%d.", i), "192.0.2.1", "", 10))
	}
	if v := s.View(); len(v.Entries) != 2 || v.LeftOut != 30 || v.Total != 20 {
		t.Errorf("got %+v, want two names and 30 queries left out", v)
	}
	for range queueSamples + 3 {
		s.put(sample("n0.", "192.0.2.1", "", 1))
	}
	if v := s.View(); v.LeftOut != 33 {
		t.Errorf("left out: got %d, want 33: three found the queue full", v.LeftOut)
	}
}

// TestMemory fills a Sketch.
func TestMemory(t *testing.T) {
	if got := unsafe.Sizeof(key{}); got > 24 {
		t.Errorf("a key has %d octets, want 24", got)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, _ := clocked(0)
	one := sample("a.", "10.0.0.0", "", 1)
	for i := range MaxEntries + 100 {
		one.LDNS = netip.AddrFrom4([4]byte{byte(10 + i>>16), byte(i >> 8), byte(i), 0})
		s.Add(one)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if got := int64(after.HeapAlloc) - int64(before.HeapAlloc); s.Len() != MaxEntries || got > 8<<20 {
		t.Errorf("%d entries have %d octets, want at most 8 MB", s.Len(), got)
	}
	runtime.KeepAlive(s)
}

// TestSourceIsFair counts two kinds of queries that alternate strictly: neither may be preferred, however fast they come.
func TestSourceIsFair(t *testing.T) {
	for _, c := range []struct {
		name  string
		nanos int64 // between queries
		most  int64 // samples
	}{
		{"slow: all of them", 10_000_000, 200_000},
		{"fast", 2_000, 400_000_000/nanosPerSample + 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := clocked(0)
			source := s.Source()
			const queries = 200_000
			counted, samples, left := [2]float64{}, int64(0), source.Gap()
			for i := range int64(queries) {
				if left--; left > 0 {
					continue
				}
				counted[i%2] += float64(source.Take(i * c.nanos))
				samples++
				left = source.Gap()
			}
			total := counted[0] + counted[1]
			slack := 8 * math.Sqrt(float64(samples)) / float64(samples) // eight standard deviations
			if share := counted[0] / total; math.Abs(share-0.5) > slack {
				t.Errorf("share of the first kind: got %v of %d samples", share, samples)
			}
			if total > queries || total < 0.99*queries-2*float64(source.mean) {
				t.Errorf("got a total of %v, want %d", total, queries)
			}
			if samples > c.most {
				t.Errorf("got %d samples, want at most %d", samples, c.most)
			}
		})
	}
}

func TestRunAddsWhatIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		s.Source().Record(sample("a.", "192.0.2.1", "", 3))
		synctest.Wait()
		if got := s.View().Total; got != 3 {
			t.Errorf("got %v, want 3", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	s := New(Options{})
	one := sample("a.", "10.0.0.0", "", 1)
	b.ReportAllocs()
	for i := range b.N {
		one.LDNS = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		s.Add(one)
	}
}

// TestAFloodIsForgotten: after a flood, a query each tenth of a second. The distance between samples that was right for the flood
// shrinks within seconds, and the samples stand for all queries.
func TestAFloodIsForgotten(t *testing.T) {
	s, _ := clocked(0)
	source := s.Source()
	queries, counted, left, now := int64(0), int64(0), source.Gap(), int64(0)
	late := source.Late()
	ask := func(n int, every int64) {
		for range n {
			if now += every; now > late {
				left, late = source.Slow(now, left), source.Late()
			}
			queries++
			if left--; left <= 0 {
				counted += int64(source.Take(now))
				left, late = source.Gap(), source.Late()
			}
		}
	}
	ask(50_000_000, 100) // ten million a second
	if source.mean < 10_000 {
		t.Fatalf("in the flood a sample stands for %d queries, which is no flood", source.mean)
	}
	ask(60, 100_000_000)
	if source.mean != 1 || left != 1 {
		t.Errorf("6 s later a sample stands for %d queries, and the next is %d away; want 1", source.mean, left)
	}
	if counted != queries {
		t.Errorf("samples stand for %d of %d queries", counted, queries)
	}
}
