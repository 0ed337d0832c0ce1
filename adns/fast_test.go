package adns

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// twin answers one request by both paths. Each learns by itself; they began alike and were asked the same, so they know the
// same.
type twin struct {
	server     *Server
	fast, slow *responder
	snapshots  [2]*Snapshot
	serving    *Snapshot
	now        time.Time
}

// newTwin serves the fixture with everything that decisions look at, and changes it over time.
func newTwin(t testing.TB) *twin {
	t.Helper()
	s := fixtureOf(t, worldlyDocument())
	w := twinOf(t, s, func() *gslb.Learned { return randomLearned(t, 1, s.GSLB.Plan) }, func(o *Options) {
		o.Policy.Cookies = true
		o.Policy.ClientSubnetFrom = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	})
	return w
}

// twinOf serves a snapshot on both paths.
func twinOf(t testing.TB, s *Snapshot, learned func() *gslb.Learned, change ...func(*Options)) *twin {
	t.Helper()
	w := &twin{now: epoch}
	for i := range w.snapshots {
		c := *s
		c.Learned = learned()
		w.snapshots[i] = &c
	}
	w.server = newServer(t, append(change, func(o *Options) {
		o.Snapshot = func() *Snapshot { return w.serving }
		o.Now = func() time.Time { return w.now }
	})...)
	w.fast, w.slow = w.server.newResponder(), w.server.newResponder()
	return w
}

// believe changes what both paths believe.
func (w *twin) believe(belief *gslb.Snapshot) {
	for i := range w.snapshots {
		c := *w.snapshots[i]
		c.GSLB = belief
		w.snapshots[i] = &c
	}
}

// answer returns what each path answers; ok is false when the fast path leaves the request alone.
func (w *twin) answer(t testing.TB, request []byte, c *client) (fast, slow []byte, ok bool) {
	verdict := judgeHeader(request)
	if !verdict.accepted() {
		return nil, nil, false
	}
	buf := make([]byte, 4096)
	try := func(i int) (int, bool) {
		w.fast.tick()
		w.serving = w.snapshots[i]
		return w.fast.fast(buf, copy(buf, request), c)
	}
	size, ok := try(0)
	if !ok {
		if !bytes.Equal(buf[:len(request)], request) {
			t.Fatalf("%x: the fast path changed what it did not answer", request)
		}
		try(1) // a turn may have been taken before the answer turned out not to fit
		return nil, nil, false
	}
	w.slow.tick()
	w.serving = w.snapshots[1]
	in := append(make([]byte, 0, len(request)), request...)
	return buf[:size], w.slow.answerSlow(nil, in, verdict, c), true
}

// same compares two responses as messages: compression and the case of the zone's name may differ.
func same(t testing.TB, request, fast, slow []byte) error {
	if (len(fast) == 0) != (len(slow) == 0) {
		return fmt.Errorf("silence: fast %x, slow %x", fast, slow)
	}
	if len(fast) == 0 {
		return nil
	}
	var f, s dns.Msg
	if err := f.Unpack(fast); err != nil {
		return fmt.Errorf("unpack fast: %w", err)
	}
	if err := s.Unpack(slow); err != nil {
		return fmt.Errorf("unpack slow: %w", err)
	}
	if end := headerOctets + questionOctets(request); !bytes.Equal(fast[headerOctets:end], request[headerOctets:end]) {
		return fmt.Errorf("question: %x of %x", fast[headerOctets:end], request)
	}
	if got, want := canonical(&f), canonical(&s); got != want {
		return fmt.Errorf("fast\n%s\nslow\n%s", got, want)
	}
	return nil
}

func questionOctets(request []byte) int {
	end, ok := skipQuestionName(request, headerOctets)
	if !ok {
		return 0
	}
	return end + 4 - headerOctets
}

// canonical prints all of a message, options sorted, in lower case.
func canonical(m *dns.Msg) string {
	var options []string
	if o := m.IsEdns0(); o != nil {
		for _, option := range o.Option {
			options = append(options, fmt.Sprintf("%d=%s", option.Option(), option))
		}
		slices.Sort(options)
		options = append(options, fmt.Sprintf("size %d version %d do %v rcode %d", o.UDPSize(), o.Version(), o.Do(), o.ExtendedRcode()))
		o.Option = nil
	}
	return strings.ToLower(fmt.Sprintf("%+v %v\n%v\n%v\n%v\n%v", m.MsgHdr, m.Question, m.Answer, m.Ns, m.Extra, options))
}

// names that random queries ask for: of zones, balanced, missing, and foreign.
var fastNames = []string{
	"example.com.", "www.example.com.", "_types._tcp.example.com.", "both.example.com.", "twins.example.com.", "hash.example.com.", "x.app.example.com.",
	"y.x.app.example.com.", "app.example.com.", "deep.below.example.com.", "below.example.com.", "only4.example.com.", "cdn.example.com.",
	"inner.example.com.", "lost.example.com.", "bal.child.example.com.", "child.example.com.", "nope.child.example.com.", "all.example.com.",
	"empty.example.com.", "fail.example.com.", "spare.example.com.", "mail.example.com.", "txt.example.com.", "mixed.example.com.",
	"a.b.ent.example.com.", "b.ent.example.com.", "ent.example.com.", "q.wild.example.com.", "q.q.wild.example.com.", "ent.wild.example.com.",
	"q.ent.wild.example.com.", "stay.example.com.", "spill.example.com.", "policy.example.com.", "held.example.com.", "second.example.com.", "least-connection.example.com.",
	"least-response-time.example.com.", "static-proximity.example.com.", "rtt.example.com.", "custom-load.example.com.", "api.example.com.", "score.example.com.", "*.wild.example.com.", "*.app.example.com.", "q.alias.example.com.", "c1.example.com.", "dangling.example.com.", "l1.example.com.",
	"sub.example.com.", "x.sub.example.com.", "ns.sub.example.com.", "nope.example.com.", "a.nope.example.com.", "com.", ".", "example.org.",
}

// randomQuery returns a query that is well formed, or nearly.
func randomQuery(r *rand.Rand) []byte {
	name := fastNames[r.IntN(len(fastNames))]
	if r.IntN(4) == 0 {
		name = strings.ToUpper(name)
	}
	qtype := []uint16{1, 1, 1, 28, 28, 2, 5, 6, 15, 16, 33, 39, 43, 64, 65, 255, 257, 46, 47, uint16(r.IntN(300))}[r.IntN(20)]
	qclass := uint16(1)
	if r.IntN(20) == 0 {
		qclass = uint16(r.IntN(5))
	}
	if r.IntN(3) == 0 {
		return flipped(r, plainQuery(question(name, qtype, qclass)))
	}
	var options [][]byte
	for range r.IntN(4) {
		switch r.IntN(9) {
		case 0, 1:
			bits := r.IntN(34)
			a := netip.AddrFrom4([4]byte{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))})
			if p, err := a.Prefix(bits); err == nil {
				a = p.Addr()
			}
			options = append(options, option(8, append([]byte{0, 1, byte(bits), byte(r.IntN(30) / 29)}, a.AsSlice()[:min(4, (bits+7)/8)]...)...))
		case 2:
			bits := r.IntN(130)
			a := netip.MustParseAddr("2001:db8:1234:5678:9abc:def0:1234:5678")
			if p, err := a.Prefix(bits); err == nil {
				a = p.Addr()
			}
			options = append(options, option(8, append([]byte{0, 2, byte(bits), 0}, a.AsSlice()[:min(16, (bits+7)/8)]...)...))
		case 3:
			options = append(options, option(3, make([]byte, r.IntN(3))...))
		case 4, 5:
			sizes := []int{8, 8, 16, 24, 24, 40, 7, 9, 41}
			data := make([]byte, sizes[r.IntN(len(sizes))])
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			options = append(options, option(10, data...))
		case 6:
			options = append(options, option(11))
		case 7:
			options = append(options, option(12, make([]byte, r.IntN(20))...))
		default:
			options = append(options, option(uint16(r.IntN(70)), make([]byte, r.IntN(9))...))
		}
	}
	size := []uint16{0, 511, 512, 600, 1232, 4096, 65535}[r.IntN(7)]
	return flipped(r, plainQuery(question(name, qtype, qclass), optRecord(size, uint32(r.IntN(2))<<15|uint32(r.IntN(30)/29)<<16, options...)))
}

// flipped changes one bit, sometimes.
func flipped(r *rand.Rand, query []byte) []byte {
	binary.BigEndian.PutUint16(query, uint16(r.Uint32()))
	query[2] |= byte(r.IntN(2))       // RD
	query[3] |= byte(r.IntN(16)) << 4 // Z, AD, CD
	if r.IntN(10) == 0 {
		query[r.IntN(len(query))] ^= 1 << r.IntN(8)
	}
	if r.IntN(30) == 0 {
		query = query[:headerOctets+r.IntN(len(query)-headerOctets+1)]
	}
	return query
}

var fastClients = []netip.Addr{netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("198.51.100.77"), netip.MustParseAddr("2001:db8::53")}

// How many queries the tests ask that compare two ways to an answer, and how they are drawn:
// go test ./adns -run 'TestFastIsSlow|TestExplainedIsServed' -rounds 10000000 -seed 2 -timeout 2h
var (
	fastRounds = flag.Int("rounds", 60_000, "queries that each of the tests of two ways asks")
	fastSeed   = flag.Uint64("seed", 1, "seed of these queries")
)

// The fast path answers what the slow path would have, and there is much that it answers.
func TestFastIsSlow(t *testing.T) {
	w := newTwin(t)
	r := rand.New(rand.NewPCG(*fastSeed, 5))
	answered, rounds := 0, *fastRounds
	for i := range rounds {
		if w.now = w.now.Add(time.Duration(r.IntN(2000)) * time.Millisecond); i%200 == 0 {
			plan := w.snapshots[0].GSLB.Plan
			w.believe(gslb.NewSnapshot(uint64(2+i), plan, mostlyUp(r, plan, w.now), w.snapshots[0].GSLB))
		}
		request := randomQuery(r)
		c := client{addr: fastClients[r.IntN(len(fastClients))], port: 53, transport: Transport(r.IntN(int(numTransports)))}
		if l := randomListeners[r.IntN(len(randomListeners))]; l.IsValid() {
			c.local = netip.AddrPortFrom(l, 53)
		}
		fast, slow, ok := w.answer(t, request, &c)
		if !ok {
			continue
		}
		answered++
		if err := same(t, request, fast, slow); err != nil {
			t.Fatalf("%s %x: %v", c.transport, request, err)
		}
	}
	if answered < rounds/4 {
		t.Errorf("the fast path answered %d of %d", answered, rounds)
	}
	t.Logf("the fast path answered %d of %d", answered, rounds)
}

// The same in worlds that have everything, in any combination.
func TestFastIsSlowInRandomWorlds(t *testing.T) {
	t.Parallel()
	const questions = 300
	answered, asked := 0, 0
	for seed := *fastSeed << 32; asked < *fastRounds/2; seed++ {
		r := rand.New(rand.NewPCG(seed, 8))
		world := newRandomWorld(t, r, seed)
		if world == nil {
			continue
		}
		w := twinOf(t, world.snapshot(nil), func() *gslb.Learned { return randomLearned(t, seed, world.plan) })
		for range questions {
			if w.now = w.now.Add(time.Duration(r.IntN(3000)) * time.Millisecond); r.IntN(20) == 0 {
				world.believe(r, w.now)
				w.believe(world.belief)
			}
			q := randomQuestion(r)
			request := wireQuery(q)
			asked++
			fast, slow, ok := w.answer(t, request, askerOf(q, Transport(r.IntN(int(numTransports)))))
			if !ok {
				continue
			}
			answered++
			if err := same(t, request, fast, slow); err != nil {
				t.Fatalf("seed %d: %s %s %v of %s at %s: %v\n%s", seed, q.Name, dns.Type(q.Type), q.Subnet, q.LDNS, q.Listener, err, world.text)
			}
		}
	}
	if answered < asked/4 {
		t.Errorf("the fast path answered %d of %d", answered, asked)
	}
	t.Logf("the fast path answered %d of %d", answered, asked)
}

// FuzzFast holds the two paths together on any bytes, and the query's parser to what miekg/dns reads.
func FuzzFast(f *testing.F) {
	r := rand.New(rand.NewPCG(6, 7))
	for range 200 {
		f.Add(randomQuery(r), uint8(r.IntN(16)))
	}
	w := newTwin(f)
	f.Fuzz(func(t *testing.T, request []byte, how uint8) {
		c := client{addr: fastClients[int(how>>2)%len(fastClients)], port: 53, transport: Transport(how % uint8(numTransports))}
		c.local = netip.AddrPortFrom(randomListeners[int(how>>4)%len(randomListeners)], 53)
		if w.now = w.now.Add(time.Second); len(request) > 1024 {
			return
		}
		if fast, slow, ok := w.answer(t, request, &c); ok {
			if err := same(t, request, fast, slow); err != nil {
				t.Fatalf("%s: %v", c.transport, err)
			}
		}
		checkParse(t, request)
	})
}

// checkParse compares what is read of a query with what miekg/dns reads.
func checkParse(t *testing.T, request []byte) {
	if !judgeHeader(request).accepted() {
		return
	}
	var l labels
	q := query{labels: &l}
	q.parse(append([]byte(nil), request...))
	if q.malformed || q.opt.malformed || q.opt.present && q.opt.version != 0 {
		return
	}
	var m dns.Msg
	if err := m.Unpack(request); err != nil {
		// The decoder reads the data of records that are only skipped here.
		if binary.BigEndian.Uint32(request[8:]) == 0 {
			t.Fatalf("miekg/dns does not read a question that is read here: %v", err)
		}
		return
	}
	if len(m.Question) != 1 || m.Question[0].Name != q.name() || m.Question[0].Qtype != q.qtype || m.Question[0].Qclass != q.qclass {
		t.Fatalf("question %v, read as %s %d %d", m.Question, q.name(), q.qtype, q.qclass)
	}
	if key := mustKey(t, q.name()); string(key) != string(l.suffix(0)) {
		t.Fatalf("name %q, looked up as %q", key, l.suffix(0))
	}
	o := m.IsEdns0()
	if (o != nil) != q.opt.present || o != nil && (o.UDPSize() != q.opt.size || o.Do() != q.opt.do) {
		t.Fatalf("OPT %v, read as %+v", o, q.opt)
	}
	if o == nil {
		return
	}
	for _, option := range o.Option {
		if e, ok := option.(*dns.EDNS0_SUBNET); ok && int(e.SourceNetmask) != q.opt.subnet.prefix.Bits() {
			t.Fatalf("subnet %v, read as %v", e, q.opt.subnet.prefix)
		}
	}
}

func mustKey(t *testing.T, name string) key {
	k, err := nameKey(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// benchServer answers 1000 balanced names, by round-robin over four services of which one is down.
func benchServer(b testing.TB, method config.Method) (*Server, [][]byte) {
	b.Helper()
	doc := &config.Document{
		Zones: []config.Zone{{Name: "bench.test", Nameservers: []string{"ns1.bench.test"}}},
		Sites: []config.Site{{Name: "ams"}, {Name: "nyc"}},
	}
	doc.Settings.MEP.MetricsInterval = config.Duration(1e9)
	v := config.VirtualServer{Name: "v", Method: method, BackupMethod: config.RoundRobin, ClientSubnet: true, MaxAnswers: 1, WhenAllDown: config.AnswerAll}
	for i := range 4 {
		name := fmt.Sprintf("s%d", i)
		doc.Services = append(doc.Services, config.Service{Name: name, Site: []string{"ams", "nyc"}[i%2], Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}})
		v.Members = append(v.Members, config.Member{Service: name, Weight: 1 + i, Order: 1})
	}
	var queries [][]byte
	for i := range 1000 {
		name := fmt.Sprintf("h%06d.bench.test", i)
		ttl := config.Duration(30e9)
		v.Domains = append(v.Domains, config.Domain{Name: name, TTL: &ttl})
		queries = append(queries, plainQuery(question(name+".", dns.TypeA, dns.ClassINET),
			optRecord(1232, 0, option(dns.EDNS0SUBNET, 0, 1, 24, 0, 10, byte(i), 7))))
	}
	doc.VirtualServers = []config.VirtualServer{v}
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		b.Fatal(err)
	}
	status := &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services())}
	for i := range status.Services {
		status.Services[i].State = gslb.Up
	}
	status.Services[3].State = gslb.Down
	zones, err := CompileZones(doc, plan)
	if err != nil {
		b.Fatal(err)
	}
	snapshot := &Snapshot{Zones: zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}
	return newServer(b, func(o *Options) {
		o.Snapshot = func() *Snapshot { return snapshot }
		o.Policy.Cookies = true
		o.Policy.RateLimit.PerSecond = 1_000_000
	}), queries
}

// BenchmarkAnswer is parse, decision and encoding of a balanced query with OPT and client subnet, with cookies, limits and
// counters on. BenchmarkAnswerUnlimited is the same without the rate limit.
func BenchmarkAnswer(b *testing.B)          { benchmarkAnswer(b, true) }
func BenchmarkAnswerUnlimited(b *testing.B) { benchmarkAnswer(b, false) }

func benchmarkAnswer(b *testing.B, limited bool) {
	for _, method := range []config.Method{config.RoundRobin, config.StaticProximity, config.SourceIPHashing} {
		b.Run(string(method), func(b *testing.B) {
			s, queries := benchServer(b, method)
			if !limited {
				s.policy.limiter = nil
			}
			r := s.newResponder()
			c := client{addr: netip.MustParseAddr("203.0.113.5"), port: 53}
			buf := make([]byte, 4096)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				q := queries[i%len(queries)]
				if len(r.answerBare(buf, copy(buf, q), &c)) <= len(q) {
					b.Fatal("no answer")
				}
				if i++; i%32 == 0 {
					r.flush()
				}
			}
		})
	}
}

// The path of nearly all queries allocates nothing.
func TestFastDoesNotAllocate(t *testing.T) {
	s, queries := benchServer(t, config.RoundRobin)
	r := s.newResponder()
	c := client{addr: netip.MustParseAddr("203.0.113.5"), port: 53}
	buf := make([]byte, 4096)
	i := 0
	if got := testing.AllocsPerRun(1000, func() {
		r.answer(buf, copy(buf, queries[i%len(queries)]), &c)
		r.flush()
		i++
	}); got != 0 {
		t.Errorf("%v allocations per query", got)
	}
	if st := s.Stats(); st.Paths[Slow] != 0 || st.Paths[Fast] == 0 {
		t.Errorf("paths %v, want all fast", st.Paths)
	}
}
