package gslb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"fairlead/config"
)

// oracle decides slowly and obviously: it works on the document and the belief by name, keeps no standings, and uses
// floating point and plain scans where Decide uses tables. It shares with Decide the document, and the hash functions, which
// TestRendezvousGolden holds.
type oracle struct {
	w     *world
	turns map[string]int // of a virtual server and family
	sent  map[string]int // answers by service
}

func (o *oracle) decide(q Query) string {
	v := &o.w.doc.VirtualServers[0]
	client := q.LDNS
	if v.ClientSubnet && q.Subnet.IsValid() && q.Subnet.Bits() > 0 && !q.Subnet.Addr().IsUnspecified() {
		client = q.Subnet.Addr()
	}
	for at, depth := v, 0; at != nil && depth <= 10; at, depth = o.find(at.Backup), depth+1 {
		for order := 1; order <= 2; order++ {
			usable := o.usable(at, order)
			of, failing := o.family(usable, q.Family)
			if len(of) > 0 || len(usable) > 0 && !failing {
				return o.answer(at, of, q.Family, client)
			}
		}
	}
	for _, f := range o.families() {
		for order := 1; order <= 2; order++ {
			if of, _ := o.family(o.usable(v, order), f); len(of) > 0 {
				return "empty" // it is up for the other family
			}
		}
	}
	if v.WhenAllDown == config.AnswerBackupAddress && q.Family == ByHost {
		return "empty"
	}
	if v.WhenAllDown != config.AnswerAll {
		return map[config.WhenAllDown]string{config.AnswerEmpty: "empty", config.AnswerServFail: "servfail", config.AnswerBackupAddress: "backup-address"}[v.WhenAllDown]
	}
	var all []string
	for _, m := range byOrder(v.Members) {
		if o.w.status[m.Service].State != Disabled && o.has(m.Service, q.Family) {
			all = append(all, m.Service)
		}
	}
	if len(all) == 0 {
		return "empty"
	}
	n := o.turn(v.Name, q.Family) % len(all)
	return strings.Join(append(slices.Clone(all[n:]), all[:n]...), " ")
}

func (o *oracle) find(name string) *config.VirtualServer {
	for i := range o.w.doc.VirtualServers {
		if o.w.doc.VirtualServers[i].Name == name {
			return &o.w.doc.VirtualServers[i]
		}
	}
	return nil
}

func (o *oracle) service(name string) *config.Service {
	for i := range o.w.doc.Services {
		if o.w.doc.Services[i].Name == name {
			return &o.w.doc.Services[i]
		}
	}
	return nil
}

// families lists what the domain's virtual server is asked for.
func (o *oracle) families() []Family {
	if d := o.w.doc.VirtualServers[0].Domains[0]; d.HTTPS == nil && d.SRV == nil && d.MX == nil {
		return []Family{FamilyNone, IPv4, IPv6}
	}
	return []Family{FamilyNone, IPv4, IPv6, AnyFamily, ByHost}
}

func (o *oracle) has(name string, f Family) bool {
	switch f {
	case AnyFamily:
		return o.has(name, IPv4) || o.has(name, IPv6)
	case ByHost:
		return o.service(name).Host != ""
	}
	for _, a := range o.service(name).Addresses {
		if a.Is4() == (f == IPv4) && f != FamilyNone {
			return true
		}
	}
	return false
}

func byOrder(in []config.Member) []config.Member {
	out := slices.Clone(in)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Order < out[j].Order })
	return out
}

func (o *oracle) turn(name string, f Family) int {
	key := fmt.Sprint(name, f)
	o.turns[key]++
	return o.turns[key] - 1
}

// usable lists the members of an order that are up and not full.
func (o *oracle) usable(v *config.VirtualServer, order int) []config.Member {
	var out []config.Member
	for _, m := range v.Members {
		st, limit := o.w.status[m.Service], o.service(m.Service).MaxConnections
		full := limit > 0 && st.Load.Active >= limit && !st.Load.At.IsZero() && epoch.Sub(st.Load.At) <= 6*time.Second
		if st.State != Up || full || m.Order != order {
			continue
		}
		out = append(out, m)
	}
	return out
}

// family lists the members that can answer a family, and says whether some cannot because their address fails.
func (o *oracle) family(usable []config.Member, f Family) (of []config.Member, failing bool) {
	for _, m := range usable {
		st := o.w.status[m.Service]
		down := f == IPv4 && st.Without4 || f == IPv6 && st.Without6
		if f == AnyFamily {
			four, six := o.has(m.Service, IPv4) && !st.Without4, o.has(m.Service, IPv6) && !st.Without6
			down = !four && !six
		}
		switch {
		case !o.has(m.Service, f):
		case down:
			failing = true
		default:
			of = append(of, m)
		}
	}
	return of, failing
}

func (o *oracle) answer(v *config.VirtualServer, of []config.Member, f Family, client netip.Addr) string {
	if len(of) == 0 {
		return "empty"
	}
	first := 0
	if len(of) > 1 {
		first = o.pick(v, of, f, client)
	}
	o.sent[of[first].Service]++
	var names []string
	for i := range min(v.MaxAnswers, len(of)) {
		names = append(names, of[(first+i)%len(of)].Service)
	}
	return strings.Join(names, " ")
}

func (o *oracle) pick(v *config.VirtualServer, of []config.Member, f Family, client netip.Addr) int {
	for _, m := range []config.Method{v.Method, v.BackupMethod} {
		score, ok := o.scores(m, v, of, client)
		if !ok {
			continue
		}
		if score == nil {
			break
		}
		best := slices.Min(score)
		var tied []config.Member
		for i, s := range score {
			if s == best {
				tied = append(tied, of[i])
			}
		}
		if m == config.SourceIPHashing || len(tied) == 1 {
			return slices.Index(score, best)
		}
		return o.byWeight(of, score, best, o.turn(v.Name, f))
	}
	return o.smooth(of, o.turn(v.Name, f))
}

// byWeight is the n-th turn among the tied, in blocks of weight.
func (o *oracle) byWeight(of []config.Member, score []float64, best float64, n int) int {
	var turns []int
	for i, m := range of {
		for range m.Weight {
			if score[i] == best {
				turns = append(turns, i)
			}
		}
	}
	return turns[n%len(turns)]
}

// smooth is the n-th turn of the rotation: all due times of a round, sorted.
func (o *oracle) smooth(of []config.Member, n int) int {
	type turn struct {
		due float64
		who int
	}
	var round []turn
	for i, m := range of {
		for k := range m.Weight {
			round = append(round, turn{(float64(k) + 0.5) / float64(m.Weight), i})
		}
	}
	sort.SliceStable(round, func(i, j int) bool {
		if d := round[i].due - round[j].due; math.Abs(d) > 1e-12 {
			return d < 0
		}
		return round[i].who < round[j].who
	})
	return round[n%len(round)].who
}

// scores gives each member a number of which the least wins; not ok when the data is missing, nil for rotation.
func (o *oracle) scores(m config.Method, v *config.VirtualServer, of []config.Member, client netip.Addr) ([]float64, bool) {
	switch m {
	case config.LeastConnection:
		return o.loadScores(of)
	case config.StaticProximity:
		return o.distanceScores(of, client)
	case config.SourceIPHashing:
		bits := v.SourceIPHash.Prefix6
		if client.Is4() {
			bits = v.SourceIPHash.Prefix4
		}
		masked, _ := client.Prefix(bits)
		var out []float64
		for _, mem := range of {
			h := draw(clientHash(masked.Addr()), seedOf(o.w, mem.Service))
			out = append(out, (64-math.Log2(float64(h)+1))/float64(mem.Weight))
		}
		return out, true
	}
	return nil, true
}

func seedOf(w *world, name string) uint64 {
	plan, err := Compile(&w.doc, CompileOptions{})
	if err != nil {
		panic(err)
	}
	i, _ := plan.ServiceByName(name)
	return plan.services[i].seed
}

func (o *oracle) loadScores(of []config.Member) ([]float64, bool) {
	var active, weight float64
	for _, m := range of {
		if l := o.w.status[m.Service].Load; !l.At.IsZero() {
			active, weight = active+float64(l.Active), weight+float64(m.Weight)
		}
	}
	var out []float64
	for _, m := range of {
		l := o.w.status[m.Service].Load
		load := active / weight * float64(m.Weight)
		if !l.At.IsZero() {
			load = float64(l.Active)
		}
		load += float64(o.sent[m.Service]) // the test's loads say one connection per answer
		out = append(out, load/float64(m.Weight))
	}
	return out, weight > 0
}

func (o *oracle) distanceScores(of []config.Member, client netip.Addr) ([]float64, bool) {
	best := -1
	for i, l := range o.w.doc.Locations {
		if l.Prefix.Contains(client) && (best < 0 || l.Prefix.Bits() > o.w.doc.Locations[best].Prefix.Bits()) {
			best = i
		}
	}
	if best < 0 {
		return nil, false
	}
	place := strings.Split(strings.ToLower(o.w.doc.Locations[best].Place), ".")
	var out []float64
	for _, m := range of {
		var depth int
		for _, s := range o.w.doc.Sites {
			if s.Name == o.service(m.Service).Site {
				for i, q := range strings.Split(strings.ToLower(s.Location.Place), ".") {
					if i >= len(place) || place[i] != q {
						break
					}
					depth++
				}
			}
		}
		out = append(out, -float64(depth))
	}
	return out, slices.Min(out) < 0
}

// randomWorld draws a small document and a belief about it.
func randomWorld(r *rand.Rand) *world {
	w := newWorld()
	places := []string{"EU.NL.NH", "EU.NL.ZH", "EU.BE", "NA.US.NY", "NA.CA", "AS.JP"}
	for i := range 3 {
		w.site(fmt.Sprintf("site%d", i), places[r.IntN(len(places))])
	}
	for i := range 6 {
		addrs := []string{fmt.Sprintf("192.0.2.%d", i+1), fmt.Sprintf("2001:db8::%d", i+1)}
		if r.IntN(4) == 0 {
			addrs = addrs[r.IntN(2):][:1]
		}
		name := fmt.Sprintf("svc%d", i)
		w.service(name, fmt.Sprintf("site%d", r.IntN(3)), []State{Up, Up, Up, Down, Unknown, Disabled, Draining}[r.IntN(7)], addrs...)
		if r.IntN(3) > 0 {
			w.load(name, uint64(r.IntN(20)), time.Duration(r.IntN(12))*time.Second)
		}
		if r.IntN(3) > 0 {
			w.doc.Services[i].Host = name + ".example.com"
		}
		w.doc.Services[i].MaxConnections = uint64(max(0, r.IntN(30)-15))
		st := w.status[name]
		st.Without4, st.Without6 = r.IntN(12) == 0, r.IntN(12) == 0
		w.status[name] = st
	}
	methods := []config.Method{config.RoundRobin, config.LeastConnection, config.SourceIPHashing, config.StaticProximity}
	for i := range 3 {
		v := config.VirtualServer{Name: fmt.Sprintf("vs%d", i), Method: methods[r.IntN(4)], BackupMethod: methods[r.IntN(4)], MaxAnswers: 1 + r.IntN(3),
			ClientSubnet: r.IntN(2) == 0, WhenAllDown: []config.WhenAllDown{config.AnswerAll, config.AnswerAll, config.AnswerEmpty, config.AnswerServFail, config.AnswerBackupAddress}[r.IntN(5)]}
		for _, s := range r.Perm(6)[:1+r.IntN(5)] {
			v.Members = append(v.Members, config.Member{Service: fmt.Sprintf("svc%d", s), Weight: 1 + r.IntN(9), Order: 1 + r.IntN(2)})
		}
		if i == 0 {
			v.Domains = domains("www.example.com")
			if r.IntN(2) == 0 {
				v.Domains[0].HTTPS = &config.HTTPSAnswer{}
			}
		}
		if i < 2 && r.IntN(2) == 0 {
			v.Backup = fmt.Sprintf("vs%d", i+1)
		}
		w.virtualServer(v)
	}
	for range r.IntN(8) {
		p, _ := netip.AddrFrom4([4]byte{203, 0, byte(r.IntN(4)), byte(r.IntN(256))}).Prefix(20 + r.IntN(9))
		if !slices.ContainsFunc(w.doc.Locations, func(l config.Location) bool { return l.Prefix == p }) {
			w.location(p.String(), places[r.IntN(len(places))])
		}
	}
	return w
}

// TestDecideAgreesWithOracle compares Decide with the oracle on random plans, beliefs and queries, and checks on the way
// that explaining changes nothing and that the scope is truthful.
func TestDecideAgreesWithOracle(t *testing.T) {
	const plans, queries = 3000, 12
	for seed := range uint64(plans) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := randomWorld(r)
		s, l := w.snapshot(t)
		o := &oracle{w: w, turns: map[string]int{}, sent: map[string]int{}}
		for n := range queries {
			f := o.families()
			q := Query{Family: f[r.IntN(len(f))], LDNS: netip.AddrFrom4([4]byte{203, 0, byte(r.IntN(5)), byte(r.IntN(256))})}
			if r.IntN(2) == 0 {
				q.Subnet, _ = netip.AddrFrom4([4]byte{203, 0, byte(r.IntN(5)), 0}).Prefix(24)
			}
			explained := Decide(s, q, l.Copy(), epoch, &Trace{})
			checkScope(t, s, q, l, explained)
			got, d := ask2(s, l, q)
			if explained != d {
				t.Fatalf("seed %d query %d: explained %+v, served %+v", seed, n, explained, d)
			}
			if want := o.decide(q); got != want {
				t.Fatalf("seed %d query %d %+v: got %q (%s), oracle says %q", seed, n, q, got, d.Reason, want)
			}
		}
	}
}

// checkScope asks for another client inside the answer's scope: it must get the same.
func checkScope(t *testing.T, s *Snapshot, q Query, l *Learned, d Decision) {
	t.Helper()
	if !d.SubnetUsed {
		return
	}
	other := q
	masked, err := q.Subnet.Addr().Prefix(int(d.Scope))
	if err != nil {
		t.Fatalf("scope %d of %s: %v", d.Scope, q.Subnet, err)
	}
	b := masked.Addr().As4()
	for i := int(d.Scope); i < 24; i++ {
		if (i*2654435761)>>7&1 == 1 {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	if b[0] == 127 || b[0] == 0 || b[0] >= 224 || b[0] == 169 && b[1] == 254 {
		return // not routable: the resolver would be the client
	}
	other.Subnet, _ = netip.AddrFrom4(b).Prefix(24)
	if got := Decide(s, other, l.Copy(), epoch, nil); got != d {
		t.Fatalf("client %s got %+v with scope %d, but %s inside it gets %+v", q.Subnet, d, d.Scope, other.Subnet, got)
	}
}

func ask2(s *Snapshot, l *Learned, q Query) (string, Decision) {
	subnet := ""
	if q.Subnet.IsValid() {
		subnet = q.Subnet.String()
	}
	return ask(s, l, q.Family, q.LDNS.String(), subnet)
}
