package gslb

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

const testTimeout = 180 * time.Second

func newTestResolvers(most int) *Resolvers {
	return NewResolvers(ResolverOptions{Prefix4: 24, Prefix6: 56, Max: most, Timeout: testTimeout, Key: HashKey{3, 4}})
}

// sorted lists what is known, by site.
func sorted(rtts []SiteRTT) []SiteRTT {
	slices.SortFunc(rtts, func(a, b SiteRTT) int { return int(a.Site) - int(b.Site) })
	return rtts
}

func TestResolvers(t *testing.T) {
	r := newTestResolvers(1000)
	ldns := netip.MustParseAddr("192.0.2.1")
	if got := r.RTTs(ldns, 1000, nil); got != nil {
		t.Errorf("an empty table knows %v", got)
	}
	r.Measured(ldns, 11, 20*time.Millisecond, 1000)
	r.Measured(netip.MustParseAddr("192.0.2.99"), 12, 30*time.Millisecond, 1010) // of the same /24
	r.Measured(netip.MustParseAddr("2001:db8:0:ff::1"), 11, time.Millisecond, 1000)
	for _, tt := range []struct {
		name, ldns string
		at         int64
		want       []SiteRTT
	}{
		{"both", "192.0.2.200", 1020, []SiteRTT{{Site: 11, RTT: 20 * time.Millisecond, At: 1000}, {Site: 12, RTT: 30 * time.Millisecond, At: 1010}}},
		{"IPv4-mapped", "::ffff:192.0.2.200", 1020, []SiteRTT{{Site: 11, RTT: 20 * time.Millisecond, At: 1000}, {Site: 12, RTT: 30 * time.Millisecond, At: 1010}}},
		{"one has ended", "192.0.2.200", 1180, []SiteRTT{{Site: 12, RTT: 30 * time.Millisecond, At: 1010}}},
		{"both have", "192.0.2.200", 1190, nil},
		{"another network", "192.0.3.1", 1020, nil},
		{"IPv6", "2001:db8::1", 1020, []SiteRTT{{Site: 11, RTT: time.Millisecond, At: 1000}}},
		{"another IPv6", "2001:db8:0:100::1", 1020, nil},
	} {
		if got := sorted(r.RTTs(netip.MustParseAddr(tt.ldns), tt.at, nil)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	if r.Measured(ldns, 11, time.Millisecond, 999) {
		t.Error("an older measurement was taken")
	}
	if r.Measured(ldns, 0, time.Millisecond, 1100) || r.Measured(netip.Addr{}, 11, time.Millisecond, 1100) || r.Measured(ldns, 11, -1, 1100) {
		t.Error("a measurement without a site or resolver, or below zero, was taken")
	}
	r.Measured(ldns, 11, time.Hour, 1100)
	if got := r.RTTs(ldns, 1100, nil); !slices.Contains(got, SiteRTT{Site: 11, RTT: maxRTT, At: 1100}) {
		t.Errorf("got %v, want one with %v", got, maxRTT)
	}
	if r.ReadOnly().Measured(ldns, 11, 0, 1200) || r.ReadOnly().Drop(ldns) || !r.Drop(ldns) || r.Drop(ldns) || r.Len() != 1 {
		t.Errorf("a view wrote, or dropping does not work: %d resolvers are left", r.Len())
	}
}

// TestResolversKeepTheBest: of more sites than there is room for, the nearest are remembered.
func TestResolversKeepTheBest(t *testing.T) {
	r := NewResolvers(ResolverOptions{Max: 10, Timeout: testTimeout, Sites: 4})
	ldns := netip.MustParseAddr("2001:db8::53")
	for _, site := range rand.New(rand.NewPCG(1, 1)).Perm(20) {
		r.Measured(ldns, uint64(site+1), time.Duration(site+1)*time.Millisecond, 1000)
	}
	var got []uint64
	for _, m := range sorted(r.RTTs(ldns, 1000, nil)) {
		got = append(got, m.Site)
	}
	if want := []uint64{1, 2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("got sites %v, want %v", got, want)
	}
	if !r.Measured(ldns, 20, time.Second, 1180) { // all others have ended
		t.Error("a long one was refused in favour of old ones")
	}
	for site := range uint64(300) {
		r.Measured(ldns, 100+site, 0, 2000)
	}
	if r.Measured(ldns, 1000, 0, 9999) {
		t.Errorf("more than %d sites were numbered", maxSiteNames)
	}
}

// oracleResolver is what a slow and obvious table remembers of a resolver.
type oracleResolver struct {
	last  int64
	cells map[uint64]SiteRTT
}

// count returns what counts.
func (o *oracleResolver) count(at int64) (out []SiteRTT) {
	if o == nil {
		return nil
	}
	for _, c := range o.cells {
		if c.At+180 > at {
			out = append(out, c)
		}
	}
	return out
}

// TestResolversAgainstAMap drives a table and a map with the same random calls and times.
func TestResolversAgainstAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	r := newTestResolvers(5000)
	oracle := map[netip.Prefix]*oracleResolver{}
	at := int64(1_000_000)
	prefix := func(a netip.Addr) netip.Prefix {
		bits := 24
		if a.Is6() {
			bits = 56
		}
		p, _ := a.Prefix(bits)
		return p
	}
	for step := range 30_000 {
		ldns := someone(rng.IntN(100) * 256 * 7)
		e := oracle[prefix(ldns)]
		switch rng.IntN(6) {
		case 0, 1:
			site, rtt := rng.Uint64N(5)+1, time.Duration(rng.IntN(1000))*time.Millisecond
			if r.Measured(ldns, site, rtt, at) {
				if e == nil {
					e = &oracleResolver{cells: map[uint64]SiteRTT{}}
					oracle[prefix(ldns)] = e
				}
				e.cells[site], e.last = SiteRTT{Site: site, RTT: rtt, At: at}, at
			} else {
				t.Fatalf("step %d: not taken", step)
			}
		case 2:
			r.Drop(ldns)
			delete(oracle, prefix(ldns))
		case 3:
			at += rng.Int64N(8)
		case 4:
			if rng.IntN(20) == 0 {
				r.Expire(at, 1)
				for p, e := range oracle {
					if e.last+180 <= at {
						delete(oracle, p)
					}
				}
			}
		case 5:
			if rng.IntN(100) == 0 {
				o := r.Options()
				o.Max = 4000 + rng.IntN(2000)
				r = r.Carry(o)
			}
		}
		want := oracle[prefix(ldns)].count(at)
		if got := r.RTTs(ldns, at, nil); !slices.Equal(sorted(got), sorted(want)) {
			t.Fatalf("step %d: got %v, want %v", step, got, want)
		}
		if r.Len() != len(oracle) {
			t.Fatalf("step %d: %d resolvers, want %d", step, r.Len(), len(oracle))
		}
	}
}

func TestResolversGiveWay(t *testing.T) {
	r := NewResolvers(ResolverOptions{Max: 1000, Timeout: testTimeout})
	for n := range 10_000 {
		r.Measured(someone(n), 1, time.Millisecond, int64(1000+n))
	}
	st := r.Stats()
	if st.Entries > 1150 || st.Entries < 900 || st.Evictions != uint64(10_000-st.Entries) {
		t.Errorf("%d resolvers, %d evictions; want about 1000", st.Entries, st.Evictions)
	}
	old := 0
	r.Each(func(_ netip.Prefix, _ int64, rtts []SiteRTT) bool {
		if rtts[0].At < 8000 {
			old++
		}
		return true
	})
	if old > 20 {
		t.Errorf("%d old resolvers are there", old)
	}
}

func TestWanted(t *testing.T) {
	r := NewResolvers(ResolverOptions{Max: 1000, Timeout: testTimeout, Own: 7})
	ldns := netip.MustParseAddr("192.0.2.1")
	next := func(want string) {
		t.Helper()
		a, ok := r.NextWanted()
		if got := a.String(); ok != (want != "") || ok && got != want {
			t.Errorf("got %s, want %q", got, want)
		}
	}
	next("")
	r.ReadOnly().Wanted(ldns, 1000)
	next("")
	r.Wanted(ldns, 1000)
	r.Wanted(ldns, 1009) // queued a moment ago
	next("192.0.2.1")
	next("")
	r.Wanted(ldns, 1010)
	next("192.0.2.1")
	r.Measured(ldns, 8, time.Millisecond, 1020) // by another site
	r.Wanted(ldns, 1021)
	next("192.0.2.1")
	r.Measured(ldns, 7, time.Millisecond, 1040)
	r.Wanted(ldns, 1129)
	next("")
	r.Wanted(ldns, 1130) // half of its time is over
	next("192.0.2.1")

	// Who asks keeps its entry, though nobody measures.
	r.Expire(1300, 1)
	if r.Len() != 1 {
		t.Error("a resolver that was wanted is gone")
	}
	r.Expire(1310, 1)
	if r.Len() != 0 {
		t.Error("a resolver that nobody wanted for the time-out is there")
	}
}

// TestMeasuredBy: how a time was measured stays with it, whatever comes beside it.
func TestMeasuredBy(t *testing.T) {
	r := newTestResolvers(100)
	ldns := netip.MustParseAddr("192.0.2.1")
	by := func(n uint64) RTTSource { return RTTSource(n % 6) }
	for n := uint64(1); n <= MaxResolverSites; n++ {
		r.MeasuredBy(ldns, n, time.Duration(n)*time.Millisecond, 1000, by(n))
	}
	r.MeasuredBy(ldns, 3, 40*time.Millisecond, 1001, RTTPassive) // another way of the same site
	r.MeasuredBy(ldns, 99, time.Microsecond, 1002, RTTPushed)    // in the place of the longest, which is 3 now
	r.MeasuredBy(ldns, 5, time.Millisecond, 900, RTTTCP)         // too old
	for _, c := range []*Resolvers{r, r.Carry(ResolverOptions{Prefix4: 24, Max: 50, Timeout: testTimeout})} {
		rtts := c.RTTs(ldns, 1002, nil)
		if len(rtts) != MaxResolverSites {
			t.Errorf("%d times, want %d", len(rtts), MaxResolverSites)
		}
		for _, m := range rtts {
			want := by(m.Site)
			if m.Site == 99 {
				want = RTTPushed
			}
			if m.By != want || m.Site == 3 {
				t.Errorf("site %d by %q, want %q", m.Site, m.By, want)
			}
		}
	}
}

func TestAsked(t *testing.T) {
	r := newTestResolvers(100)
	ldns := netip.MustParseAddr("192.0.2.1")
	asked := func(at int64, want bool, when string) {
		t.Helper()
		if got := r.Asked(ldns, at); got != want {
			t.Errorf("%s: asked %t, want %t", when, got, want)
		}
	}
	asked(1000, false, "nobody did")
	r.Wanted(ldns, 1000)
	asked(1009, true, "it was queued")
	asked(1010, false, "some seconds later")
	r.Measured(ldns, 11, time.Millisecond, 1010)
	asked(1010, false, "measured only")
	r.Wanted(ldns, 1050)
	asked(1200, true, "it has an entry and asked")
	asked(1230, false, "not within the time-out")
}

// TestWantedStaysBounded: a flood of forged addresses fills neither the table nor the queue, and one network's flood leaves
// the others their share.
func TestWantedStaysBounded(t *testing.T) {
	r := NewResolvers(ResolverOptions{Max: 1000, Timeout: testTimeout})
	drain := func() (n int) {
		for {
			if _, ok := r.NextWanted(); !ok {
				return n
			}
			n++
		}
	}
	for n := range 256 {
		r.Wanted(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 1000)
	}
	r.Wanted(netip.MustParseAddr("198.51.100.1"), 1000)
	if got := drain(); got != wantedPerNetwork+1 {
		t.Errorf("%d of one network and one other were queued, want %d", got, wantedPerNetwork+1)
	}
	for n := range 100_000 {
		r.Wanted(someone(n*256), 1000)
	}
	if got := r.Stats(); got.Waiting > wantedSlots || got.Refused == 0 {
		t.Errorf("%d wait and %d were refused", got.Waiting, got.Refused)
	}
	if got := drain(); got > wantedSlots || r.Len() != 0 || r.Stats().Bytes != 0 {
		t.Errorf("%d were queued, want at most %d; %d are in the table", got, wantedSlots, r.Len())
	}
}

func TestResolversConcurrently(t *testing.T) {
	r := NewResolvers(ResolverOptions{Max: 100_000, Timeout: testTimeout})
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			var room [MaxResolverSites]SiteRTT
			for n := range 3000 {
				ldns := someone(n % 500)
				r.Wanted(ldns, 1000+int64(n/100))
				r.Measured(ldns, uint64(w+1), time.Duration(w)*time.Millisecond, 1000)
				for _, m := range r.RTTs(ldns, 1000, room[:0]) {
					if m.RTT != time.Duration(m.Site-1)*time.Millisecond || m.At != 1000 {
						t.Errorf("a measurement that nobody made: %v", m)
						return
					}
				}
				r.NextWanted()
				if n%500 == 0 {
					r.Each(func(netip.Prefix, int64, []SiteRTT) bool { return true })
				}
			}
		})
	}
	group.Wait()
	if r.Len() != 500 {
		t.Errorf("%d resolvers, want 500", r.Len())
	}
}

// TestWantedQueueLosesNothing has many who put and take at the same time.
func TestWantedQueueLosesNothing(t *testing.T) {
	q := &wantedQueue{}
	const each = 20_000
	var group sync.WaitGroup
	var mu sync.Mutex
	seen := map[uint64]int{}
	for w := range uint64(2) {
		group.Go(func() {
			for n := uint64(0); n < each; {
				if q.put(w, n) {
					n++
				} else {
					relax(spins - 1)
				}
			}
		})
		group.Go(func() {
			for n := 0; n < each; {
				high, low, ok := q.take()
				if !ok {
					relax(spins - 1)
					continue
				}
				n++
				mu.Lock()
				seen[high<<32|low]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(seen) != 2*each {
		t.Errorf("%d of %d arrived", len(seen), 2*each)
	}
}

func BenchmarkResolvers(b *testing.B) {
	for _, sites := range []int{1, 4, 16} {
		r := NewResolvers(ResolverOptions{Max: 100_000, Timeout: testTimeout, Sites: sites})
		for n := range 1000 {
			for site := range sites {
				r.Measured(someone(n), uint64(site+1), time.Millisecond, 1000)
			}
		}
		ldns := someone(17)
		b.Run(fmt.Sprintf("rtts/%d", sites), func(b *testing.B) {
			b.ReportAllocs()
			var room [MaxResolverSites]SiteRTT
			for b.Loop() {
				r.RTTs(ldns, 1000, room[:0])
			}
		})
		b.Run(fmt.Sprintf("wanted/%d", sites), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Wanted(ldns, 1000)
			}
		})
	}
}
