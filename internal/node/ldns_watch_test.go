package node

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/time/rate"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors/ldns"
)

// watched is a resolverWatch of site ams, a parent of edge and a peer of nyc in the mesh, with what it tells.
type watched struct {
	*resolverWatch
	told map[string][]string // by who is told
}

// watchedSites are ams and nyc in the mesh, edge and shop below ams (and shop below nyc if that is lost), and tap below edge.
func watchedSites() *config.Document {
	doc := &config.Document{Sites: []config.Site{{Name: "ams"}, {Name: "nyc"}, {Name: "edge", Parent: "ams"},
		{Name: "shop", Parent: "ams", BackupParents: []string{"nyc"}}, {Name: "tap", Parent: "edge"}}}
	doc.Settings.LDNS = config.LDNSSettings{Prefix4: 32, Prefix6: 128, EntryTimeout: config.Duration(3 * time.Minute), Tolerance: config.Duration(5 * time.Millisecond),
		ProbePrefixRate: 1, MaxEntries: 1000}
	doc.Settings.MEP.NetworkInterval = config.Duration(5 * time.Second)
	return doc
}

func newWatched(site string) *watched {
	table := gslb.NewResolvers(gslb.ResolverOptions{Max: 1000, Timeout: 3 * time.Minute, Own: xxhash.Sum64String(site)})
	w := &watched{told: map[string][]string{}, resolverWatch: &resolverWatch{site: site, hash: xxhash.Sum64String(site),
		table: func() *gslb.Resolvers { return table }, peers: func() []mep.PeerStatus { return nil },
		newcomers: map[string]*newcomer{}, limits: map[string]*rate.Limiter{}, backlog: nil}}
	w.resolverWatch.told = newTelling()
	w.prober = ldns.New(ldns.Options{Measured: w.measured})
	w.tell = func(sections []mep.NetworkSection, to func(string) bool) (taken, left int) {
		for _, peer := range []string{"ams", "edge", "nyc", "shop", "tap"} {
			if peer == site || !to(peer) {
				continue
			}
			taken++
			for _, s := range sections {
				for _, r := range s.Records {
					w.told[peer] = append(w.told[peer], describe(&s, &r))
				}
			}
			slices.Sort(w.told[peer])
		}
		return taken, 0
	}
	w.adopt(watchedSites())
	return w
}

func describe(s *mep.NetworkSection, r *mep.NetworkRecord) string {
	if r.Wanted {
		return fmt.Sprintf("%s wants %s%s", s.Site, r.LDNS, map[bool]string{true: " proven"}[r.Proven])
	}
	return fmt.Sprintf("%s %s %s age %s hops %d", s.Site, r.LDNS, r.RTT, r.Age, s.Hops)
}

// wants compares what peers were told since the last call.
func (w *watched) wants(t *testing.T, when string, want map[string][]string) {
	t.Helper()
	w.tellAll(time.Now(), 5*time.Second)
	for _, peer := range []string{"ams", "edge", "nyc", "shop", "tap"} {
		if !slices.Equal(w.told[peer], want[peer]) {
			t.Errorf("%s: %s is told\n%s\nwant\n%s", when, peer, strings.Join(w.told[peer], "\n"), strings.Join(want[peer], "\n"))
		}
	}
	clear(w.told)
}

// TestWhoIsToldOfResolvers: measurements go up and across, with those of children; wishes go everywhere but back.
func TestWhoIsToldOfResolvers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched("ams")
		a, b := netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("2620:fe::fe")
		const ms = time.Millisecond
		w.found(a, 20*ms, time.Now(), gslb.RTTPing)
		time.Sleep(2 * time.Second)
		w.wants(t, "measured here", map[string][]string{"nyc": {"ams 9.9.9.9 20ms age 2s hops 8"}})
		w.wants(t, "nothing is new", nil)

		w.found(a, 24*ms, time.Now(), gslb.RTTPing)
		w.wants(t, "within the tolerance", nil)
		w.found(a, 26*ms, time.Now(), gslb.RTTPing)
		w.wants(t, "beyond it", map[string][]string{"nyc": {"ams 9.9.9.9 26ms age 0s hops 8"}})
		time.Sleep(46 * time.Second)
		w.found(a, 26*ms, time.Now(), gslb.RTTPing)
		w.wants(t, "due to be renewed", map[string][]string{"nyc": {"ams 9.9.9.9 26ms age 0s hops 8"}})

		hear := func(peer, site string, hops uint8, records ...mep.NetworkRecord) {
			w.hear(&mep.NetworkReport{Peer: peer, Site: site, Hops: hops, Records: records, ReceivedAt: time.Now()})
		}
		hear("edge", "tap", 7, mep.NetworkRecord{LDNS: b, RTT: 3 * ms, Age: time.Second})
		hear("edge", "edge", 0, mep.NetworkRecord{LDNS: b, RTT: 4 * ms})
		hear("nyc", "nyc", 8, mep.NetworkRecord{LDNS: b, RTT: 80 * ms, Source: 1})
		hear("nyc", "gone", 8, mep.NetworkRecord{LDNS: b, RTT: ms})
		hear("nyc", "ams", 8, mep.NetworkRecord{LDNS: b, RTT: ms})
		hear("nyc", "nyc", 8, mep.NetworkRecord{LDNS: a, RTT: ms, Age: time.Hour})
		w.wants(t, "children have measured", map[string][]string{"nyc": {"tap 2620:fe::fe 3ms age 1s hops 6"}})
		if got := len(w.table().RTTs(b, time.Now().Unix(), nil)); got != 3 {
			t.Errorf("%d times are known, want those of tap, edge and nyc", got)
		}
		if got := len(w.table().RTTs(a, time.Now().Unix(), nil)); got != 1 {
			t.Errorf("%d times are known of %s, want the one of this site", got, a)
		}

		wanted := func(a netip.Addr) mep.NetworkRecord { return mep.NetworkRecord{LDNS: a, Wanted: true, Proven: true} }
		hear("nyc", "nyc", 8, wanted(b))
		w.wants(t, "a site of the mesh wants it", map[string][]string{"edge": {"ams wants 2620:fe::fe proven"}, "shop": {"ams wants 2620:fe::fe proven"}})
		hear("nyc", "nyc", 8, wanted(b))
		w.wants(t, "it was told a moment ago", nil)
		c := netip.MustParseAddr("8.8.4.4")
		hear("edge", "edge", 8, wanted(c))
		w.wants(t, "a child wants one", map[string][]string{"nyc": {"ams wants 8.8.4.4 proven"}, "edge": {"ams wants 8.8.4.4 proven"}, "shop": {"ams wants 8.8.4.4 proven"}})
		if got := w.Take(10); !slices.Equal(got, []netip.Addr{b, b, c}) {
			t.Errorf("for probes of others: %v", got)
		}
	})
}

// TestWishesAreRenewed: while a resolver asks, other sites hear that it is wanted before what they measured ends, wherever in
// a second things happen.
func TestWishesAreRenewed(t *testing.T) {
	for _, offset := range []time.Duration{0, 300 * time.Millisecond, 950 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(offset)
			w := newWatched("ams")
			a := netip.MustParseAddr("9.9.9.9")
			var heard []time.Time
			for range 3600 { // six minutes of a query every tenth of a second
				now := time.Now()
				w.table().Wanted(a, now.Unix())
				w.takeWanted(now)
				w.tellAll(now, time.Second)
				if len(w.told["nyc"]) > 0 && strings.Contains(strings.Join(w.told["nyc"], " "), "wants") {
					heard = append(heard, now)
				}
				if len(w.Take(1)) > 0 { // measured as soon as it is wanted
					w.found(a, time.Millisecond, now.Add(40*time.Millisecond), gslb.RTTPing)
				}
				clear(w.told)
				time.Sleep(100 * time.Millisecond)
			}
			for i := 1; i < len(heard); i++ {
				if d := heard[i].Sub(heard[i-1]); d > 100*time.Second {
					t.Errorf("offset %s: %s without a wish", offset, d)
				}
			}
			if len(heard) < 4 {
				t.Errorf("offset %s: wishes at %v", offset, heard)
			}
		})
	}
}

// TestChildTellsItsParent: a child tells the parent that it reports to, and no other.
func TestChildTellsItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched("shop")
		attached := "ams"
		w.peers = func() []mep.PeerStatus {
			return []mep.PeerStatus{{Site: "ams", Relation: mep.RelationParent, Attached: attached == "ams"}, {Site: "nyc", Relation: mep.RelationParent, Attached: attached == "nyc"}}
		}
		a := netip.MustParseAddr("9.9.9.9")
		w.found(a, time.Millisecond, time.Now(), gslb.RTTDNS)
		w.wants(t, "its own", map[string][]string{"ams": {"shop 9.9.9.9 1ms age 0s hops 8"}})
		attached = "nyc"
		w.found(a, 50*time.Millisecond, time.Now(), gslb.RTTDNS)
		w.wants(t, "its backup", map[string][]string{"nyc": {"shop 9.9.9.9 50ms age 0s hops 8"}})
	})
}

// TestNewcomersAreToldInParts: a site with a new session is told all, the newest first, no faster than the rate.
func TestNewcomersAreToldInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched("ams")
		table := gslb.NewResolvers(gslb.ResolverOptions{Max: 100_000, Timeout: time.Hour})
		w.table = func() *gslb.Resolvers { return table }
		const all = 30_000
		for n := range all {
			a := netip.AddrFrom4([4]byte{9, byte(n >> 16), byte(n >> 8), byte(n)})
			table.Measured(a, w.hash, time.Duration(n)*time.Microsecond, time.Now().Unix()-int64(n/100))
			if n < 10 {
				table.Measured(a, xxhash.Sum64String("nyc"), time.Millisecond, time.Now().Unix())
			}
		}
		w.meet(&mep.SessionUp{Peer: "nyc"})
		w.meet(&mep.SessionUp{Peer: "edge"}) // a child is told wishes alone
		var lots []int
		last := time.Duration(0)
		for range 5 {
			w.tellAll(time.Now(), 5*time.Second)
			lots = append(lots, len(w.told["nyc"]))
			least, most := time.Hour, time.Duration(0)
			for _, line := range w.told["nyc"] {
				age, err := time.ParseDuration(strings.Fields(line)[4])
				if err != nil || !strings.HasPrefix(line, "ams ") {
					t.Fatalf("told %q", line)
				}
				least, most = min(least, age), max(most, age)
			}
			if least < last {
				t.Errorf("age %s after age %s", least, last)
			}
			last = max(last, most)
			if len(w.told["edge"]) > 0 {
				t.Errorf("edge is told %d", len(w.told["edge"]))
			}
			clear(w.told)
		}
		if want := []int{5 * networkRate, 5 * networkRate, all - 10*networkRate, 0, 0}; !slices.Equal(lots, want) {
			t.Errorf("told %v, want %v", lots, want)
		}
		// The session ends in the middle: nothing is told until there is another.
		w.meet(&mep.SessionUp{Peer: "nyc"})
		w.tellAll(time.Now(), time.Second)
		w.meet(&mep.SessionDown{Peer: "nyc"})
		clear(w.told)
		w.tellAll(time.Now(), time.Second)
		if len(w.told) > 0 || w.backlog == nil {
			t.Errorf("told %d after the session ended", len(w.told["nyc"]))
		}
		time.Sleep(time.Minute)
		if w.tellAll(time.Now(), time.Second); w.backlog != nil {
			t.Error("what nobody needs is kept")
		}
	})
}

// TestTellingIsBounded: neither measurements nor wishes that wait grow without end, nor does one peer fill the table at once.
func TestTellingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched("ams")
		var records []mep.NetworkRecord
		for n := range 4 * mep.MaxNetwork {
			a := netip.AddrFrom4([4]byte{9, byte(n >> 16), byte(n >> 8), byte(n)})
			records = append(records, mep.NetworkRecord{LDNS: a, Wanted: n%2 == 0, RTT: time.Millisecond})
		}
		for range 100 {
			w.hear(&mep.NetworkReport{Peer: "edge", Site: "edge", Hops: 8, Records: records, ReceivedAt: time.Now()})
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if n := w.resolverWatch.told.count; n > maxUntold || len(w.resolverWatch.told.wishes) > maxUntoldWishes || w.resolverWatch.told.left == 0 {
			t.Errorf("%d measurements and %d wishes wait, %d were left", n, len(w.resolverWatch.told.wishes), w.resolverWatch.told.left)
		}
		if len(w.outside) > maxOutside || w.counts.Heard > heardBurst || w.counts.Excess == 0 {
			t.Errorf("%d for others, %d records taken, %d not", len(w.outside), w.counts.Heard, w.counts.Excess)
		}
	})
}
