package adns

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"

	"github.com/cespare/xxhash/v2"
	"github.com/miekg/dns"
)

// Names that random documents use, below example.test.
var randomLabels = []string{"a", "b", "c", "www", "*", "x.a", "*.b", "y.c", "deep.down.c", "zone", "_x._tcp"}

// randomWriter writes a document that is valid or not; the check decides.
type randomWriter struct {
	*rand.Rand
	strings.Builder
	services int
	// Whether services have hosts and NAPTR records, and which of them have limits, matters to what uses them.
	hosted, naptr, limited bool
	crowd                  bool // many services, most of them members, by methods with ways of their own for many
	views                  []string
	balanced               []int // labels, in a random order
}

func (w *randomWriter) add(format string, args ...any) { fmt.Fprintf(&w.Builder, format, args...) }
func (w *randomWriter) pick(of ...string) string       { return of[w.IntN(len(of))] }
func (w *randomWriter) name() string                   { return w.pick(randomLabels...) }

// one in n times returns text, else nothing.
func (w *randomWriter) sometimes(n int, format string, args ...any) string {
	if w.IntN(n) > 0 {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

func randomDocument(r *rand.Rand) string {
	w := &randomWriter{Rand: r, services: 2 + r.IntN(5), hosted: r.IntN(3) == 0, naptr: r.IntN(4) == 0, limited: r.IntN(3) == 0, balanced: r.Perm(len(randomLabels))}
	if r.IntN(20) == 0 {
		w.crowd, w.services, w.limited, w.naptr = true, 24+r.IntN(100), false, false
	}
	w.addViews()
	w.addZones()
	w.add("sites:\n  - {name: ams, address: 192.0.2.10, location: {place: EU.NL, latitude: 52, longitude: 5}}\n  - {name: nyc, address: 198.51.100.10, location: {place: NA.US, latitude: 41, longitude: -74}}\n")
	w.addServices()
	w.add("virtual_servers:\n")
	for i := range 4 {
		w.addVirtualServer(i)
	}
	w.add("locations:\n  - {prefix: 10.0.0.0/8, place: EU.NL}\n  - {prefix: 10.1.0.0/16, place: NA.US, latitude: 40, longitude: -70}\n  - {prefix: \"2001:db8::/32\", place: EU}\n")
	w.add("settings:\n  answers: {adaptive_ttl: %v, least_ttl: %ds, coherent: %v}\n", r.IntN(4) > 0, 1+r.IntN(10), r.IntN(4) > 0)
	return w.String()
}

func (w *randomWriter) addViews() {
	for _, name := range []string{"inside", "door", "guests"}[:max(0, w.IntN(6)-2)] {
		if len(w.views) == 0 {
			w.add("views:\n")
		}
		w.views = append(w.views, name)
		w.add("  - {name: %s, %s}\n", name, w.pick("clients: [10.0.0.0/16]", "clients: [10.1.0.0/16, 10.0.0.1/32]", "listeners: [192.0.2.53]",
			"listeners: [192.0.2.54], clients: [10.0.0.0/15]", `listeners: [192.0.2.53, "2001:db8::53"]`))
	}
}

func (w *randomWriter) addZones() {
	w.add("zones:\n  - name: example.test\n    nameservers: [ns1.example.test, ns.far.test]\n    records: |\n      ns1 A 192.0.2.53\n")
	for range max(0, w.IntN(8)-2) {
		w.add("      %s %d %s\n", w.name(), w.IntN(400), w.pick("A 192.0.2.9", "A 192.0.2.10", "AAAA 2001:db8::9", "MX 10 mail",
			`TXT "a text"`, "CNAME www", "CNAME b", "CNAME q.b", "CNAME www.far.test.", "NS ns.far.test.", "NS ns1", "DNAME a", "DNAME b",
			"RRSIG CNAME 13 3 300 20300101000000 20200101000000 1 example.test. AAAA", `TYPE65280 \# 2 abcd`, `TYPE65535 \# 0`,
			"SRV 1 2 3 www", "SVCB 1 . alpn=h2", "DS 1 13 2 "+strings.Repeat("ab", 32)))
	}
	if w.IntN(2) == 0 {
		w.add("  - {name: zone.example.test, nameservers: [ns1.example.test], records: \"back CNAME www.example.test.\"%s}\n", w.viewsOf(3))
	}
	if len(w.views) > 0 && w.IntN(2) == 0 {
		w.add("  - {name: example.test, nameservers: [ns1.example.test], serial: 9, records: \"ns1 A 192.0.2.54\\n%s 60 %s\"%s}\n", w.name(),
			w.pick("TXT other", "A 192.0.2.11", "MX 5 ns1"), w.viewsOf(1))
	}
}

// viewsOf is the views of a zone, one in n times.
func (w *randomWriter) viewsOf(n int) string {
	if len(w.views) == 0 {
		return ""
	}
	return w.sometimes(n, ", views: [%s]", strings.Join(w.views[w.IntN(len(w.views)):], ", "))
}

func (w *randomWriter) addServices() {
	w.add("services:\n")
	for i := range w.services {
		four, six := fmt.Sprintf("10.0.0.%d", i), fmt.Sprintf(`"2001:db8:1::%d"`, i)
		value := w.pick("addresses: ["+four+"]", "addresses: ["+four+", "+six+"]", "addresses: ["+four+", "+six+"]", "addresses: ["+six+"]",
			"addresses: [10.0.0.200]", `cname: "`+w.name()+`.example.test"`, "cname: far.test")
		if w.crowd && (i%7 > 0 || strings.HasPrefix(value, "cname")) {
			value = "addresses: [" + four + ", " + six + "]"
		}
		if (w.hosted || w.naptr) && w.IntN(8) > 0 && strings.HasPrefix(value, "cname") {
			value = "addresses: [" + four + "]" // an alias has neither
		}
		if strings.HasPrefix(value, "cname") {
			w.add("  - {name: s%d, site: %s, %s}\n", i, w.pick("ams", "nyc"), value)
			continue
		}
		if w.hosted {
			value += ", port: 25, host: " + w.pick("ns1.example.test", "a.example.test", "q.b.example.test", "back.zone.example.test", "far.test", fmt.Sprintf("h%d.far.test", i))
		}
		if w.naptr {
			value += fmt.Sprintf(`, naptr: {order: %d, preference: %d, flags: U, services: E2U+sip, regexp: '!^(.*)$!sip:\1@s%d.test!'}`, 1+w.IntN(2), w.IntN(3), w.IntN(4))
		}
		if strings.Contains(value, four) {
			value += w.sometimes(4, ", public_addresses: [203.0.113.%d]", 10+w.IntN(4))
		}
		if len(w.views) > 0 && strings.Contains(value, four) {
			value += w.sometimes(2, ", views: [{view: %s, addresses: [172.16.0.%d]}]", w.pick(w.views...), w.IntN(3))
		}
		if w.limited {
			value += fmt.Sprintf(", max_connections: %d", 5+w.IntN(20)) + w.sometimes(2, ", max_bandwidth: %d", 1+w.IntN(2000)) + w.sometimes(2, ", load_threshold: %d", 1+w.IntN(20))
		}
		value += w.sometimes(3, ", capacity: %d", 1+w.IntN(50)) + w.sometimes(3, ", cost: %d", w.IntN(5)) + w.sometimes(5, ", slow_start: 10s")
		if i > 0 {
			value += w.sometimes(5, ", backup_services: [s%d]", w.IntN(i))
		}
		w.add("  - {name: s%d, site: %s, %s}\n", i, w.pick("ams", "nyc"), value)
	}
}

// allMethods are the methods of config, by the word.
func allMethods() []string { return config.Method("").Enum() }

func (w *randomWriter) method() string {
	if w.crowd && w.IntN(4) > 0 {
		return w.pick("score", "score", "rtt", "source-ip-hash")
	}
	return w.pick(allMethods()...)
}

func (w *randomWriter) addVirtualServer(i int) {
	w.add("  - name: v%d\n    method: %s\n    backup_method: %s\n    max_answers: %d\n    client_subnet: %v\n    when_all_down: %s\n",
		i, w.method(), w.pick(allMethods()...), 1+w.IntN(3), w.IntN(3) > 0, w.pick("all", "all", "empty", "backup-address", "servfail"))
	first := randomLabels[w.balanced[i]] + ".example.test"
	w.addDomains(i, first)
	if i > 0 && w.IntN(2) == 0 {
		w.add("    backup: v%d\n", w.IntN(i))
		w.addSpillover()
		w.add("%s", w.sometimes(3, "    backup_hold: true\n"))
	}
	w.add("%s", w.sometimes(3, "    persistence: {type: source-ip, timeout: %ds, prefix4: %d, prefix6: 48, id: %d, yield_to_order: %v}\n", 5+w.IntN(100), 16+w.IntN(17), w.IntN(3), w.IntN(2) == 0))
	w.add("%s", w.sometimes(3, "    order_threshold: %d\n", w.IntN(101)))
	w.add("%s", w.sometimes(4, "    active_order: descending\n"))
	w.add("%s", w.sometimes(3, "    dynamic_weight: %s\n", w.pick("members", "member-weight")))
	w.add("%s", w.sometimes(3, "    tolerance: %dms\n", w.IntN(30)))
	w.add("%s", w.sometimes(3, "    score: {load: %d, rtt: %d, distance: %d, cost: %d}\n", w.IntN(3), w.IntN(3), w.IntN(3), w.IntN(3)))
	w.add("%s", w.sometimes(3, "    effective_state: true\n"))
	if w.IntN(3) == 0 {
		w.add("    policies:\n")
		for n := range 1 + w.IntN(2) {
			w.add("      - {name: p%d, %s%s%s%s}\n", n, w.pick("prefer: [EU, NA.US]", `prefer: ["*.US"]`, "orders: [2, 1]", "orders: [1]"),
				w.sometimes(2, ", clients: [10.%d.0.0/16]", w.IntN(3)), w.sometimes(3, ", places: [%s]", w.pick("EU", `"*.US"`)), w.sometimes(3, ", listeners: [192.0.2.53]")+w.sometimes(4, ", names: [%q]", first))
		}
	}
	w.add("    members:\n")
	n := 1 + w.IntN(w.services)
	if w.crowd {
		n = w.services - w.IntN(4)
	}
	for _, s := range w.Perm(w.services)[:n] {
		order := 1 + w.IntN(2)
		if w.crowd && w.IntN(20) > 0 {
			order = 1
		}
		w.add("      - {service: s%d, weight: %d, order: %d}\n", s, 1+w.IntN(3), order)
	}
}

func (w *randomWriter) addDomains(i int, first string) {
	more := w.pick("", ", https: {alpn: [h2]}", ", https: {port: 8443}")
	if w.hosted {
		more += w.pick("", ", mx: {preference: 1}")
	}
	if w.hosted && strings.HasPrefix(first, "_") {
		more += ", srv: {}"
	}
	if w.naptr {
		more += w.pick("", ", naptr: {}", ", naptr: {all: false}")
	}
	domains := fmt.Sprintf("{name: %q, ttl: %ds, backup_addresses: [203.0.113.1, \"2001:db8:2::1\"]%s}", first, w.IntN(60), more)
	if more := i + 4; more < len(w.balanced) && w.IntN(3) == 0 { // several domains
		domains += fmt.Sprintf(", {name: %q, backup_addresses: [203.0.113.2]}", randomLabels[w.balanced[more]]+".example.test")
	}
	w.add("    domains: [%s]\n", domains)
}

func (w *randomWriter) addSpillover() {
	methods := []string{"connections, threshold: 10", "bandwidth, threshold: 500", "health, threshold: 60"}
	if w.limited {
		methods = append(methods, "dynamic-connections")
	}
	w.add("%s", w.sometimes(2, "    spillover: {method: %s, persistence: %v, timeout: 20s, without_backup: %s}\n", w.pick(methods...), w.IntN(2) == 0, w.pick("accept", "empty")))
}

// randomBelief gives every service a state, and some a load, measures, doubts and a share.
func randomBelief(r *rand.Rand, plan *gslb.Plan, at time.Time) *gslb.Status {
	status := &gslb.Status{At: at, Services: make([]gslb.ServiceStatus, plan.Services())}
	when := func() time.Time { return at.Add(-time.Duration(r.IntN(20)) * time.Second) }
	measure := func(most uint64) gslb.Measure {
		if r.IntN(3) == 0 {
			return gslb.Measure{}
		}
		return gslb.Measure{Value: float64(r.Uint64N(most)), At: when(), PerAnswer: float64(r.IntN(3)), Expected: float64(r.IntN(3))}
	}
	for i := range status.Services {
		s := &status.Services[i]
		*s = gslb.ServiceStatus{State: gslb.State(r.IntN(5)), Without4: r.IntN(8) == 0, Without6: r.IntN(8) == 0, Since: at}
		if r.IntN(2) == 0 {
			s.State = gslb.Up
		}
		if r.IntN(2) == 0 {
			s.Load = gslb.Load{Active: r.Uint64N(20), At: when(), PerAnswer: 0.25 + r.Float64()*4, Expected: float64(r.IntN(4))}
		}
		if r.IntN(2) == 0 {
			s.Measures = &gslb.Measures{ResponseTime: measure(3), Bandwidth: measure(2000), Packets: measure(300), Custom: measure(30), Requests: measure(9),
				Members: measure(5), MemberWeight: measure(9), Capacity: measure(60)}
		}
		if r.IntN(4) == 0 {
			s.Share = r.Float64()
		}
		if r.IntN(4) == 0 {
			s.Doubt = gslb.DoubtFailing
		}
	}
	for range plan.VirtualServers() {
		status.Held = append(status.Held, r.IntN(4) == 0)
	}
	return status
}

// randomLearned knows nothing yet but what others have measured, which is the same for equal seeds.
func randomLearned(t testing.TB, seed uint64, plan *gslb.Plan) *gslb.Learned {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 11))
	l := gslb.NewLearned(plan)
	l.Sessions = gslb.NewSessions(gslb.SessionOptions{Max: 64})
	l.Resolvers = gslb.NewResolvers(gslb.ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 64, Timeout: 3 * time.Minute})
	for i := range 12 {
		l.Resolvers.Measured(netip.AddrFrom4([4]byte{10, byte(i / 4), 0, byte(i % 4)}), xxhash.Sum64String([]string{"ams", "nyc"}[r.IntN(2)]), time.Duration(r.IntN(60))*time.Millisecond, epoch.Unix())
	}
	for i := range 3 {
		var values []gslb.PushedValue
		for s := range plan.Services() {
			if r.IntN(2) == 0 && len(values) < gslb.MaxPushedServices {
				values = append(values, gslb.PushedValue{Service: plan.Service(gslb.ServiceIndex(s)).Hash, Value: float64(r.IntN(9)), Until: epoch.Unix() + int64(r.IntN(200))})
			}
		}
		if err := l.Pushed.Set(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16), values, epoch.Unix()); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// randomWorld is a valid document, and what is believed of it.
type randomWorld struct {
	text   string
	doc    *config.Document
	plan   *gslb.Plan
	zones  *Zones
	belief *gslb.Snapshot
	seed   uint64
}

// newRandomWorld makes the world of a seed, nil when its document is not valid. What the check accepts must compile.
func newRandomWorld(t *testing.T, r *rand.Rand, seed uint64) *randomWorld {
	t.Helper()
	w := &randomWorld{text: randomDocument(r), seed: seed}
	if w.doc, _ = config.Parse(config.Source{Name: "random.yaml", Text: []byte(w.text)}); w.doc == nil {
		return nil
	}
	var err error
	if w.plan, err = gslb.Compile(w.doc, gslb.CompileOptions{}); err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, w.text)
	}
	if w.zones, err = CompileZones(w.doc, w.plan); err != nil {
		t.Fatalf("seed %d: the check accepted what cannot be served: %v\n%s", seed, err, w.text)
	}
	w.believe(r, epoch)
	return w
}

// believe changes what is believed.
func (w *randomWorld) believe(r *rand.Rand, at time.Time) {
	generation := uint64(1)
	if w.belief != nil {
		generation = w.belief.Generation + 1
	}
	w.belief = gslb.NewSnapshot(generation, w.plan, randomBelief(r, w.plan, at), w.belief)
}

// snapshot is what serves the world with what was learned.
func (w *randomWorld) snapshot(learned *gslb.Learned) *Snapshot {
	return &Snapshot{Generation: w.belief.Generation, Zones: w.zones, GSLB: w.belief, Learned: learned}
}

var randomListeners = []netip.Addr{{}, netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("192.0.2.54")}

// randomQuestion asks for something in, beside or below what a document has.
func randomQuestion(r *rand.Rand) Question {
	types := []uint16{dns.TypeA, dns.TypeA, dns.TypeA, dns.TypeA, dns.TypeA, dns.TypeA, dns.TypeA, dns.TypeA, dns.TypeAAAA, dns.TypeAAAA, dns.TypeAAAA, dns.TypeAAAA, dns.TypeCNAME, dns.TypeANY, dns.TypeTXT, dns.TypeNS, dns.TypeNAPTR,
		dns.TypeSOA, dns.TypeDS, dns.TypeMX, dns.TypeMX, dns.TypeHTTPS, dns.TypeHTTPS, dns.TypeSRV, dns.TypeSRV, dns.TypeRRSIG, 65280, dns.TypeAXFR, typeNXNAME, dns.TypeOPT}
	name := randomLabels[r.IntN(len(randomLabels))] + ".example.test."
	switch r.IntN(8) {
	case 0:
		name = "q." + name
	case 1:
		name = strings.ToUpper(name)
	case 2:
		name = []string{"example.test.", "back.zone.example.test.", "zone.example.test.", "ns1.example.test.", "far.test.", "."}[r.IntN(6)]
	}
	q := Question{Name: name, Type: types[r.IntN(len(types))], Class: dns.ClassINET, LDNS: netip.AddrFrom4([4]byte{10, byte(r.IntN(3)), 0, byte(r.IntN(4))}),
		Listener: randomListeners[r.IntN(len(randomListeners))]}
	if r.IntN(30) == 0 {
		q.Class = dns.ClassCHAOS
	}
	switch r.IntN(4) {
	case 0:
		q.Subnet = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(r.IntN(3)), 7, 0}), 8*r.IntN(4)).Masked()
	case 1:
		q.Subnet = netip.MustParsePrefix("2001:db8:77::/48")
	}
	return q
}

// askerOf is who asks a question.
func askerOf(q Question, transport Transport) *client {
	c := &client{addr: q.LDNS, port: 4242, transport: transport}
	if q.Listener.IsValid() {
		c.local = netip.AddrPortFrom(q.Listener, 53)
	}
	return c
}

// Random documents have everything that a decision looks at, often enough.
func TestRandomWorlds(t *testing.T) {
	counts := map[string]int{}
	valid, documents := 0, 300
	for seed := range uint64(documents) {
		w := newRandomWorld(t, rand.New(rand.NewPCG(seed, 7)), seed)
		if w == nil {
			continue
		}
		valid++
		for _, what := range append(allMethods(), "views:", "type: source-ip", "spillover:", "policies:", "naptr: {order", "srv: {}", "public_addresses", "backup_hold", "effective_state", "persistence: true") {
			if strings.Contains(w.text, what) {
				counts[what]++
			}
		}
		if w.zones.faces != nil {
			counts["faces"]++
		}
		if w.plan.Services() > 64 {
			counts["crowd"]++
		}
	}
	if valid < documents/4 {
		t.Errorf("only %d of %d random documents are valid", valid, documents)
	}
	for what, n := range counts {
		if n < 3 {
			t.Errorf("%d of %d documents have %q", n, valid, what)
		}
	}
	names := []string{}
	for what, n := range counts {
		names = append(names, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(names)
	t.Logf("%d of %d documents are valid: %s", valid, documents, strings.Join(names, ", "))
}
