package whatif

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
)

// shuffled is a document of services, s0 and so on, and virtual servers drawn at random. rounds are how often what one of them says was drawn.
type shuffled struct {
	services, virtualServers []string
	came                     bool // there is a service more
}

func (d *shuffled) service(r *rand.Rand, i int) {
	state := []string{"enabled", "enabled", "enabled", "disabled", "draining"}[r.IntN(5)]
	more := []string{"", ", max_connections: 20", ", backup_services: [s0]", ", capacity: 100"}[r.IntN(4)]
	if i == 0 {
		more = "" // it stands in for others
	}
	d.services[i] = fmt.Sprintf("  - {name: s%d, site: %s, addresses: [192.0.2.%d, '2001:db8::%d'], state: %s%s}\n", i, []string{"ams", "nyc"}[i%2], 1+r.IntN(250), 1+i, state, more)
}

func (d *shuffled) virtualServer(r *rand.Rand, i int) {
	var b strings.Builder
	fmt.Fprintf(&b, "  - {name: v%d, domains: [{name: n%d.example.test}], method: %s, members: [", i, i, []string{"round-robin", "least-connection", "source-ip-hash", "static-proximity"}[r.IntN(4)])
	for _, s := range r.Perm(len(d.services))[:1+r.IntN(3)] {
		fmt.Fprintf(&b, "{service: s%d, weight: %d, order: %d}, ", s, 1+r.IntN(3), 1+r.IntN(2))
	}
	b.WriteString("]")
	if i%8 < 7 && i+1 < len(d.virtualServers) && r.IntN(3) == 0 { // longer chains are refused
		fmt.Fprintf(&b, ", backup: v%d", i+1)
	}
	if r.IntN(4) == 0 {
		fmt.Fprintf(&b, ", policies: [{name: p, clients: [203.0.113.0/24], orders: [2, 1]}]")
	}
	if r.IntN(4) == 0 {
		b.WriteString(", effective_state: true")
	}
	d.virtualServers[i] = b.String() + "}\n"
}

// comeOrGo brings a service, and makes it a member of a virtual server, or takes the one out that came before.
func (d *shuffled) comeOrGo(r *rand.Rand) {
	for i, text := range d.virtualServers {
		d.virtualServers[i] = strings.Replace(text, "{service: more, weight: 2}, ", "", 1)
	}
	if d.came = !d.came; d.came {
		i := r.IntN(len(d.virtualServers))
		d.virtualServers[i] = strings.Replace(d.virtualServers[i], "members: [", "members: [{service: more, weight: 2}, ", 1)
	}
}

func (d *shuffled) document(t *testing.T, before *config.Objects) (*config.Objects, *config.Document) {
	t.Helper()
	more := ""
	if d.came {
		more = "  - {name: more, site: nyc, addresses: [192.0.2.254]}\n"
	}
	text := "zones: [{name: example.test, nameservers: [ns.example.test], ttl: 30s}]\nsites: [{name: ams, address: 192.0.2.1}, {name: nyc, address: 198.51.100.1}]\n" +
		"services:\n" + strings.Join(d.services, "") + more + "virtual_servers:\n" + strings.Join(d.virtualServers, "")
	objects, report := config.Source{Name: "test", Text: []byte(text)}.Objects()
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	if before != nil {
		objects = objects.Sharing(before)
	}
	doc, report := config.Assemble(objects, config.AssembleOptions{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	return objects, doc
}

// TestEffectOnPartIsThatOnAll: what changes for those who ask is the same whether all names are looked at, or only those that can change. Some of the
// seeds are others at every run.
func TestEffectOnPartIsThatOnAll(t *testing.T) {
	const seeds, others = 15, 5
	parts, moved := 0, 0
	for seed := range uint64(seeds) {
		p, m := sameOnPart(t, seed)
		parts, moved = parts+p, moved+m
	}
	t.Logf("%d of %d changes on a part, %d moved queries", parts, seeds*changesEach, moved)
	if parts < 80 || moved < 60 {
		t.Error("hardly any change was looked at in part, or moved anything")
	}
	for range others {
		sameOnPart(t, rand.Uint64())
	}
}

// changesEach is how many changes follow each other from a seed.
const changesEach = 12

// sameOnPart draws a document and changes of it. It returns how many were looked at in part, and how many moved queries.
func sameOnPart(t *testing.T, seed uint64) (parts, moved int) {
	r := rand.New(rand.NewPCG(seed, 11))
	d := &shuffled{services: make([]string, 24), virtualServers: make([]string, 30)}
	for i := range d.services {
		d.service(r, i)
	}
	for i := range d.virtualServers {
		d.virtualServer(r, i)
	}
	objects, doc := d.document(t, nil)
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for round := range changesEach {
		switch r.IntN(6) {
		case 0, 1:
			d.service(r, r.IntN(len(d.services)))
		case 2:
			d.comeOrGo(r)
		default:
			d.virtualServer(r, r.IntN(len(d.virtualServers)))
		}
		nextObjects, nextDoc := d.document(t, objects)
		next, err := gslb.Compile(nextDoc, gslb.CompileOptions{Before: plan})
		if err != nil {
			t.Fatal(err)
		}
		c := randomBelief(r, doc, nextDoc, plan, next)
		if touched, known := next.Touched(plan); known && len(touched) <= next.VirtualServers()/partShare {
			parts++
		}
		got, want := c.Effect(t.Context()), c.whole(t.Context())
		if effectText(got) != effectText(want) {
			t.Fatalf("seed %d, change %d: got\n%s\nwant\n%s", seed, round, effectText(got), effectText(want))
		}
		if want.Moved > 0 {
			moved++
		}
		objects, doc, plan = nextObjects, nextDoc, next
	}
	return parts, moved
}

// randomBelief is a change of documents while some services are not what the first document says.
func randomBelief(r *rand.Rand, doc, nextDoc *config.Document, plan, next *gslb.Plan) *Change {
	says := func(doc *config.Document) func(gslb.ServiceIndex) gslb.State {
		return func(i gslb.ServiceIndex) gslb.State {
			return map[config.ServiceState]gslb.State{config.ServiceEnabled: gslb.Up, config.ServiceDisabled: gslb.Disabled, config.ServiceDraining: gslb.Draining}[doc.Services[i].State]
		}
	}
	status := &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services()), Held: make([]bool, plan.VirtualServers()), Ordered: make([]gslb.Ordered, plan.VirtualServers())}
	for i := range status.Services {
		st := &status.Services[i]
		if st.State = says(doc)(gslb.ServiceIndex(i)); st.State == gslb.Up && r.IntN(4) == 0 {
			st.State = gslb.Down
		}
		st.Load = gslb.Load{Active: uint64(r.IntN(30)), At: epoch.Add(-time.Second), PerAnswer: 1}
	}
	status.Held[r.IntN(plan.VirtualServers())] = true
	status.Ordered[r.IntN(plan.VirtualServers())].State = gslb.Draining
	c := &Change{Before: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan), After: next, State: says(nextDoc), Was: says(doc)}
	for i := range plan.Domains() {
		c.Queries = append(c.Queries, asked(plan.Domain(gslb.DomainIndex(i)).Name, float64(1+r.IntN(20)), "203.0.113.1", "198.51.100.9")...)
	}
	c.patience = time.Hour // else a busy machine looks at less of the whole than of the part
	for range 200 {        // what was answered just now
		q := gslb.Query{Domain: gslb.DomainIndex(r.IntN(plan.Domains())), Family: bothFamilies[r.IntN(2)], At: epoch.UnixNano(), LDNS: netip.MustParseAddr("203.0.113.1")}
		gslb.Decide(c.Before, q, c.Learned, epoch, nil)
	}
	return c
}
