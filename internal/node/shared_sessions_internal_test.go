package node

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
)

// clients that share sessions in the tests below stay for two minutes.
const testTimeout = 120

// toldNet is sites in one goroutine, with clocks of their own. What they tell each other travels in frames that may be late, or lost
// with their connection.
type toldNet struct {
	t     *testing.T
	now   time.Time // nobody's clock
	sites []*toldSite
	late  func() time.Duration
}

type toldSite struct {
	net    *toldNet
	number int
	*sharing
	skew     time.Duration // its clock is ahead by
	table    *gslb.Sessions
	links    map[string]*toldLink // to others, by name
	id       uint32
	services []uint64
}

// toldLink is one direction between two sites.
type toldLink struct {
	up          bool
	taken, read uint64
	frames      []flyingFrame
	octets      int
}

type flyingFrame struct {
	mep.SessionsFrame
	sent, arrives time.Time
}

func siteName(i int) string { return fmt.Sprintf("site-%d", i) }

// newToldNet connects sites; more of the document, below sites, is an argument.
func newToldNet(t *testing.T, sites int, more func(i int) string, room int) *toldNet {
	t.Helper()
	var text strings.Builder
	text.WriteString("zones: [{name: example.test, nameservers: [ns.example.test], records: \"ns 60 A 192.0.2.53\"}]\nsites:\n")
	for i := range sites {
		fmt.Fprintf(&text, "  - {name: %s, address: 127.0.0.%d%s}\n", siteName(i), i+1, more(i))
	}
	text.WriteString("services:\n")
	var members []string
	for i := range 4 {
		fmt.Fprintf(&text, "  - {name: s%d, site: %s, addresses: [192.0.2.%d]}\n", i, siteName(0), i+1)
		members = append(members, fmt.Sprintf("{service: s%d}", i))
	}
	fmt.Fprintf(&text, "virtual_servers:\n  - name: www\n    domains: [{name: www.example.test}]\n    members: [%s]\n    persistence: {type: source-ip, timeout: %ds}\n",
		strings.Join(members, ", "), testTimeout)
	doc, report := config.Parse(config.Source{Name: "test", Text: []byte(text.String())})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := &toldNet{t: t, now: time.Unix(1_700_000_000, 0), late: func() time.Duration { return 20 * time.Millisecond }}
	for i := range sites {
		s := &toldSite{net: n, number: i, table: gslb.NewSessions(gslb.SessionOptions{Max: room, Key: gslb.HashKey{uint64(i), 9}}), links: map[string]*toldLink{}}
		for j := range 4 {
			s.services = append(s.services, plan.Service(gslb.ServiceIndex(j)).Hash)
		}
		s.id = plan.SessionUses()[0].ID
		s.sharing = &sharing{site: siteName(i), log: zap.NewNop(), wall: func(now time.Time) time.Time { return now.Add(s.skew) }, peers: map[string]*sharer{},
			serving: func() (*config.Document, *gslb.Plan, *gslb.Sessions) { return doc, plan, s.table },
			tell:    s.tellOther, had: func(site string) uint64 { return s.links[site].read }}
		n.sites = append(n.sites, s)
		s.turn(n.now) // reads the document
	}
	return n
}

func (n *toldNet) connect(a, b int, incarnation uint64) {
	for _, pair := range [][2]int{{a, b}, {b, a}} {
		s := n.sites[pair[0]]
		s.links[siteName(pair[1])] = &toldLink{up: true}
		s.peer(&mep.SessionUp{Peer: siteName(pair[1]), Hello: mep.Hello{Incarnation: incarnation}})
	}
}

func (n *toldNet) cut(a, b int) {
	for _, pair := range [][2]int{{a, b}, {b, a}} {
		s := n.sites[pair[0]]
		s.links[siteName(pair[1])] = &toldLink{}
		s.peer(&mep.SessionDown{Peer: siteName(pair[1])})
	}
}

func (n *toldNet) mesh() {
	for i := range n.sites {
		for j := range i {
			n.connect(i, j, 1)
		}
	}
}

func (s *toldSite) clock() time.Time { return s.net.now.Add(s.skew) }

func (s *toldSite) tellOther(site string, f mep.SessionsFrame) (uint64, bool) {
	l := s.links[site]
	if !l.up || len(l.frames) > 64 {
		return 0, false
	}
	arrives := s.net.now.Add(s.net.late())
	if k := len(l.frames); k > 0 && l.frames[k-1].arrives.After(arrives) {
		arrives = l.frames[k-1].arrives // in order
	}
	l.frames = append(l.frames, flyingFrame{f, s.net.now, arrives})
	l.taken++
	l.octets += f.Size()
	return l.taken, true
}

// run lets time pass.
func (n *toldNet) run(d time.Duration, each func()) {
	for end := n.now.Add(d); n.now.Before(end); n.now = n.now.Add(shareTick) {
		if each != nil {
			each()
		}
		for _, s := range n.sites {
			for other, l := range s.links {
				for len(l.frames) > 0 && !l.frames[0].arrives.After(n.now) {
					f := l.frames[0]
					l.frames, l.read = l.frames[1:], l.read+1
					to := n.sites[other[len(other)-1]-'0']
					// The age is how long the frame had been kept before it was sent; what it travelled nobody knows.
					to.peer(&mep.SessionsReport{Peer: s.site, Records: f.Sessions(), ReceivedAt: n.now, Age: f.sent.Sub(f.Made())})
				}
			}
			s.turn(n.now)
		}
	}
}

func (s *toldSite) keep(client int, service int) {
	at := s.clock().Unix()
	k := s.key(client)
	if had, ok := s.table.Find(k, at); ok && service < 0 {
		s.table.Keep(k, had, at, at+testTimeout)
		return
	}
	s.table.Keep(k, s.services[max(service, 0)], at, at+testTimeout)
}

func (s *toldSite) key(client int) gslb.SessionKey {
	return gslb.SessionKey{ID: s.id, Client: netip.AddrFrom4([4]byte{10, byte(client >> 16), byte(client >> 8), byte(client)})}
}

// agree checks that sites have the same service for each client. Who has none is left, unless all must have the session.
func (n *toldNet) agree(clients int, all bool, context string) {
	n.t.Helper()
next:
	for c := range clients {
		var first uint64
		missing := 0
		for _, s := range n.sites {
			service, until, ok := s.table.Lookup(s.key(c), s.clock().Unix())
			switch {
			case !ok:
				missing++
			case until <= s.clock().Unix()+mostSlack:
				continue next // about to end
			case first == 0:
				first = service
			case service != first:
				n.t.Errorf("%s: client %d has %x at %s, %x at another site", context, c, service, s.site, first)
			}
		}
		if all && missing > 0 {
			n.t.Errorf("%s: %d sites have no session of client %d", context, missing, c)
		}
	}
}

func plainSite(int) string { return "" }

// TestSitesSettle: clients that got different services at the same time have one of them everywhere within two intervals.
func TestSitesSettle(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 1))
		n := newToldNet(t, 4, plainSite, 10_000)
		for _, s := range n.sites {
			s.skew = time.Duration(rng.Int64N(int64(time.Hour)))
		}
		n.late = func() time.Duration { return time.Duration(rng.Int64N(int64(time.Second))) }
		n.mesh()
		n.run(time.Second, nil)
		for c := range 200 {
			for _, s := range n.sites {
				if rng.IntN(4) > 0 {
					s.keep(c, rng.IntN(4))
				}
			}
			n.sites[0].keep(c, rng.IntN(4))
		}
		n.run(2*5*time.Second+4*time.Second, nil)
		n.agree(200, true, fmt.Sprintf("seed %d", seed))
		before := n.octets()
		n.run(time.Minute, nil)
		if after := n.octets(); after != before {
			t.Errorf("seed %d: %d octets are told after all agree", seed, after-before)
		}
	}
}

func (n *toldNet) octets() (sum int) {
	for _, s := range n.sites {
		for _, l := range s.links {
			sum += l.octets
		}
	}
	return sum
}

// TestSitesSettleAfterFaults: queries anywhere, links that break with what is on them, and clocks that are set, and then peace.
func TestSitesSettleAfterFaults(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 2))
		n := newToldNet(t, 4, plainSite, 10_000)
		n.late = func() time.Duration { return time.Duration(rng.Int64N(int64(1500 * time.Millisecond))) }
		n.mesh()
		down := map[[2]int]bool{}
		faults := seed%2 == 1
		n.run(3*time.Minute, func() {
			for range 8 {
				n.sites[rng.IntN(4)].keep(rng.IntN(200), rng.IntN(4))
			}
			if a, b := rng.IntN(4), rng.IntN(4); a < b && rng.IntN(20) == 0 {
				if pair := [2]int{a, b}; down[pair] {
					delete(down, pair)
					n.connect(a, b, 1)
				} else {
					down[pair] = true
					n.cut(a, b)
				}
			}
			if faults && rng.IntN(200) == 0 {
				n.sites[rng.IntN(4)].skew += time.Duration(rng.Int64N(int64(2*time.Minute))) - time.Minute
			}
		})
		for pair := range down {
			n.connect(pair[0], pair[1], 1)
		}
		n.run(20*time.Second, nil)
		n.agree(200, !faults, fmt.Sprintf("seed %d", seed))
	}
}

// TestGivenBackAtARate: a site that comes anew is given all, those that last longest first, no faster than it may be, and goes on
// where it was when its connection breaks.
func TestGivenBackAtARate(t *testing.T) {
	const clients = 60_000
	n := newToldNet(t, 2, plainSite, 100_000)
	from, to := n.sites[0], n.sites[1]
	for c := range clients {
		if c%2 == 0 {
			from.table.Merge(from.key(c), from.services[0], n.now.Unix()+testTimeout)
		} else {
			from.table.Merge(from.key(c), from.services[0], n.now.Unix()+testTimeout/3)
		}
	}
	from.table.EachNote(1<<30, func(gslb.SessionNote) {})
	n.connect(0, 1, 7)
	link := from.links[siteName(1)]
	n.run(2*time.Second, nil)
	if most := 2*shareRate + shareBurst + 10_000; link.octets > most || link.octets < most/2 {
		t.Errorf("%d octets in 2 s, want at most %d", link.octets, most)
	}
	long := 0
	to.table.Each(func(_ gslb.SessionKey, _ uint64, until int64) bool {
		if until > n.now.Unix()+testTimeout/2 {
			long++
		}
		return true
	})
	if had := to.table.Len(); had == 0 || long < had*99/100 {
		t.Errorf("%d of %d sessions that came first are of those that last long", long, had)
	}
	told := link.octets
	for range 3 {
		n.cut(0, 1)
		n.run(time.Second, nil)
		n.connect(0, 1, 7)
		n.run(time.Second, nil)
		told += from.links[siteName(1)].octets
	}
	n.run(6*time.Second, nil)
	told += from.links[siteName(1)].octets // the last link's first second twice: about 400 kB
	if got := to.table.Len(); got < clients*98/100 {
		t.Errorf("%d of %d sessions arrived", got, clients)
	}
	if most := clients * sharedOctets * 3 / 2; told > most {
		t.Errorf("%d octets for %d sessions, want at most %d: it began anew", told, clients, most)
	}
	if st := from.status(); len(st) != 1 || st[0].GivingBack || st[0].Told < clients {
		t.Errorf("status %+v", st)
	}
}

// TestWhatASiteMayTell: sessions that the document cannot have are refused, what lasts too long is cut, and neither a flood nor
// a full table takes what this site's own clients have.
func TestWhatASiteMayTell(t *testing.T) {
	n := newToldNet(t, 3, plainSite, 4096)
	s := n.sites[0]
	n.connect(0, 1, 1)
	at := n.now.Unix()
	tell := func(site string, records ...mep.SessionRecord) {
		s.peer(&mep.SessionsReport{Peer: site, Records: records, ReceivedAt: n.now})
	}
	addr := netip.MustParseAddr
	good := mep.SessionRecord{ID: s.id, Client: addr("192.0.2.1"), Service: s.services[0], Remaining: time.Minute}
	for name, change := range map[string]func(r *mep.SessionRecord){
		"id":         func(r *mep.SessionRecord) { r.ID++ },
		"service":    func(r *mep.SessionRecord) { r.Service++ },
		"backup":     func(r *mep.SessionRecord) { r.Service = gslb.OnBackup },
		"not masked": func(r *mep.SessionRecord) { r.Client = addr("2001:db8::1") },
		"over":       func(r *mep.SessionRecord) { r.Remaining = 0 },
	} {
		r := good
		change(&r)
		if tell(siteName(1), r); s.table.Len() != 0 {
			t.Fatalf("%s: it was taken", name)
		}
	}
	if tell("site-7", good); s.table.Len() != 0 {
		t.Fatal("a session of a site that the document does not have was taken")
	}
	good.Remaining = 24 * time.Hour
	tell(siteName(1), good)
	if _, until, ok := s.table.Lookup(s.key(0), at); ok || until > at {
		t.Error("a client that nobody told of has a session")
	}
	if _, until, ok := s.table.Lookup(gslb.SessionKey{ID: s.id, Client: good.Client}, at); !ok || until != at+testTimeout {
		t.Errorf("a session of a day: %v until %d s", ok, until-at)
	}
	for c := range 1000 {
		s.keep(c, 1)
	}
	flood := func(service uint64) (records []mep.SessionRecord) {
		for c := range 2048 {
			records = append(records, mep.SessionRecord{ID: s.id, Client: addr(fmt.Sprintf("10.9.%d.%d", c>>8, c&255)), Service: service, Remaining: testTimeout * time.Second})
		}
		return records
	}
	for i := range 200 {
		records := flood(s.services[i%4])
		for j := range records {
			b := records[j].Client.As4()
			b[1] = byte(i)
			records[j].Client = netip.AddrFrom4(b)
		}
		tell(siteName(1), records...)
	}
	for c := range 1000 {
		if got, ok := s.table.Find(s.key(c), at); !ok || got == 0 {
			t.Fatalf("client %d has lost its session", c)
		}
	}
	st := s.status()
	if h := st[0].Heard; h.Limited == 0 || h.NoRoom == 0 || s.table.Len() > 4096*7/8+20 || h.Refused < 4 {
		t.Errorf("%d sessions, counted %+v", s.table.Len(), h)
	}
	if st := s.table.Stats(); st.Evictions != 0 {
		t.Errorf("%d sessions were evicted", st.Evictions)
	}
}

// TestSessionsPassThroughParents: sites that answer and report to another one share with all others through it.
func TestSessionsPassThroughParents(t *testing.T) {
	n := newToldNet(t, 4, func(i int) string { // 0 and 1 are the mesh; 2 reports to 0, 3 to 1
		if i < 2 {
			return ""
		}
		return fmt.Sprintf(", parent: %s, answers_dns: true", siteName(i-2))
	}, 10_000)
	n.connect(0, 1, 1)
	n.connect(0, 2, 1)
	n.connect(1, 3, 1)
	n.run(time.Second, nil)
	for c := range 100 {
		n.sites[c%4].keep(c, c/4%4)
		n.sites[(c+1)%4].keep(c, (c+1)%4)
	}
	n.run(30*time.Second, nil)
	n.agree(100, true, "through parents")
	before := n.octets()
	n.run(time.Minute, nil)
	if after := n.octets(); after != before {
		t.Errorf("%d octets are told after all agree", after-before)
	}
}

// TestDropsReachWhoWasAway: what was dropped while a link was down does not come back, and who comes again afterwards gets a
// session as everybody.
func TestDropsReachWhoWasAway(t *testing.T) {
	n := newToldNet(t, 3, plainSite, 10_000)
	n.mesh()
	for c := range 50 {
		n.sites[0].keep(c, 1)
	}
	n.run(6*time.Second, nil)
	n.agree(50, true, "before")
	n.cut(0, 2)
	n.cut(1, 2)
	n.run(2*time.Second, nil)
	for c := range 50 {
		at := n.now.Unix()
		if !n.sites[1].table.Forget(n.sites[1].key(c), at, at+testTimeout) {
			t.Fatalf("client %d had no session", c)
		}
	}
	n.run(200*time.Millisecond, nil)
	if _, ok := n.sites[0].table.Find(n.sites[0].key(7), n.now.Unix()); ok {
		t.Error("0.2 s after a drop the other site has the session still")
	}
	n.connect(0, 2, 1)
	n.connect(1, 2, 1)
	n.run(5*time.Second, nil)
	n.sites[2].keep(7, 3)
	n.run(10*time.Second, nil)
	for _, s := range n.sites {
		for c := range 50 {
			if got, ok := s.table.Find(s.key(c), n.now.Unix()); ok != (c == 7) || ok && got != s.services[3] {
				t.Errorf("%s: client %d: %v", s.site, c, ok)
			}
		}
	}
}
