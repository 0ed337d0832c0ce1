package adns

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"fairlead/config"
	"fairlead/config/zonedata"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// randomName returns up to depth labels of a small alphabet below a name.
func randomName(r *rand.Rand, depth int, alphabet, below string) string {
	for range depth {
		below = string(alphabet[r.IntN(len(alphabet))]) + "." + below
	}
	return below
}

// randomZone is zone-file text with a few records of random names, delegations and aliases among them. A name has records of
// one type.
func randomZone(r *rand.Rand, origin string) string {
	b := strings.Builder{}
	b.WriteString("@ SOA ns h 1 2 3 4 60\n@ NS ns\n@ NS ns.far.test.\n")
	if r.IntN(8) == 0 {
		b.WriteString("@ DNAME " + randomName(r, 2, "abc", "z.") + "\n")
	}
	taken := map[string]bool{}
	for range 1 + r.IntN(9) {
		owner, target := randomName(r, 1+r.IntN(3), "abc*", origin), randomName(r, r.IntN(4), "abc", "z.")
		kind := []string{"A 192.0.2.1", "TXT x", "MX 10 " + target, "NS " + target, "NS " + target, "CNAME " + target, "DNAME " + target}[r.IntN(7)]
		if taken[owner] || strings.HasPrefix(owner, "*") && (strings.HasPrefix(kind, "NS") || strings.HasPrefix(kind, "DNAME")) {
			continue
		}
		taken[owner] = true
		fmt.Fprintf(&b, "%s %s\n", owner, kind)
	}
	return b.String()
}

// randomTree makes zones inside zones with balanced names between them, and prints what they are.
func randomTree(t *testing.T, r *rand.Rand) (s *Snapshot, text string) {
	origins := map[string]bool{"z.": true}
	for range r.IntN(4) {
		origins[randomName(r, 1+r.IntN(3), "abc", "z.")] = true
	}
	var data []*zonedata.Zone
	for _, origin := range slices.Sorted(maps.Keys(origins)) {
		zone := randomZone(r, origin)
		data = append(data, zoneOf(t, origin, zone))
		text += "$ORIGIN " + origin + "\n" + zone
	}
	doc := &config.Document{
		Sites:    []config.Site{{Name: "ams"}},
		Services: []config.Service{service("v4", "ams", "", "192.0.2.80"), service("alias", "ams", "a.z")},
	}
	doc.Settings.MEP.MetricsInterval = config.Duration(1e9)
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	zones, err := compile(data, plan)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for range 1 + r.IntN(4) { // those that fit
		name := strings.TrimSuffix(randomName(r, r.IntN(4), "abc", "z."), ".")
		if r.IntN(3) == 0 {
			name = "*." + name
		}
		servers := doc.VirtualServers
		doc.VirtualServers = append(servers[:len(servers):len(servers)], virtualServer(name, []string{"v4", "alias"}[r.IntN(2)]))
		with, err := gslb.Compile(doc, gslb.CompileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		z, err := compile(data, with)
		if err != nil {
			doc.VirtualServers = servers
			continue
		}
		plan, zones = with, z
		text += name + " is balanced\n"
	}
	status := &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services())}
	for i := range status.Services {
		status.Services[i] = gslb.ServiceStatus{State: gslb.Up, Since: epoch}
	}
	return &Snapshot{Generation: 1, Zones: zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}, text
}

// Both paths see the same names in zones inside zones, with delegations, aliases, wildcards and balanced names anywhere.
func TestFastIsSlowInNestedZones(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	answered := 0
	for range 300 {
		s, text := randomTree(t, r)
		w := twinOf(t, s, func() *gslb.Learned { return gslb.NewLearned(s.GSLB.Plan) })
		c := client{addr: fastClients[0], port: 53}
		for range 200 {
			name := randomName(r, r.IntN(6), "aabbcc*", "z.")
			qtype := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeNS, dns.TypeTXT, dns.TypeMX, dns.TypeDNAME, dns.TypeHTTPS}[r.IntN(7)]
			request := plainQuery(question(name, qtype, dns.ClassINET))
			fast, slow, ok := w.answer(t, request, &c)
			if !ok {
				continue
			}
			answered++
			if err := same(t, request, fast, slow); err != nil {
				t.Fatalf("%s %s: %v\n%s", name, dns.Type(qtype), err, text)
			}
		}
	}
	if answered < 20_000 {
		t.Errorf("the fast path answered %d queries", answered)
	}
}

// What lies below a delegation or a DNAME is not the zone's, though a zone further down is served here too: neither path
// answers for the names between the two.
func TestZoneBelowDelegation(t *testing.T) {
	top := zoneOf(t, "z.", apex+"cut NS ns.far.test.\nalias DNAME far.test.\n")
	zones, err := compile([]*zonedata.Zone{top, zoneOf(t, "a.b.cut.z.", apex), zoneOf(t, "a.b.alias.z.", apex)}, noDomains{})
	if err != nil {
		t.Fatal(err)
	}
	snapshot := &Snapshot{Zones: zones}
	s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return snapshot } })
	for name, want := range map[string]string{
		"b.cut.z.":     "cut.z.\t60\tIN\tNS\tns.far.test.",
		"x.b.cut.z.":   "cut.z.\t60\tIN\tNS\tns.far.test.",
		"b.alias.z.":   "alias.z.\t60\tIN\tDNAME\tfar.test.",
		"x.b.alias.z.": "alias.z.\t60\tIN\tDNAME\tfar.test.",
		"a.b.cut.z.":   "a.b.cut.z.\t60\tIN\tSOA",
	} {
		m := unpack(t, s.Handle(plainQuery(question(name, dns.TypeA, dns.ClassINET)), asker, UDP, nil))
		if got := append(m.Answer, m.Ns...); len(got) == 0 || !strings.HasPrefix(got[0].String(), want) {
			t.Errorf("%s: got %v, want %s", name, got, want)
		}
	}
}
