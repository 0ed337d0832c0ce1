package replay

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"fairlead/adns"
	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/geodata"
	"fairlead/gslb"
	"fairlead/internal/whatif"
)

// World is a document that answers, with what is believed of its services. Safe for concurrent use.
type World struct {
	snapshot *adns.Snapshot
	at       time.Time
	texts    []serviceText
}

// serviceText is what an answer with a service has, by the family that is asked for.
type serviceText struct{ site, name, alias, v4, v6, host string }

// flood is how many connections an answer is said to bring: what a method evens out is even at once.
const flood = 1e9

// NewWorld compiles a valid document. believed says in which state services are and how many connections they have, by name;
// a service that is not in it is UP, so nil makes all UP. at is the time that queries are said to come at. geo is what the
// node's location files say; nil: there are none.
func NewWorld(doc *config.Document, geo *geodata.Table, believed []resource.Service, at time.Time) (*World, error) {
	doc = doc.Expanded(nil)
	plan, err := gslb.Compile(doc, gslb.CompileOptions{Geo: geo})
	if err != nil {
		return nil, err
	}
	zones, err := adns.CompileZones(doc, plan)
	if err != nil {
		return nil, err
	}
	status := &gslb.Status{At: at, Services: make([]gslb.ServiceStatus, plan.Services())}
	for i := range status.Services {
		status.Services[i].State = gslb.Up
		if doc.Services[i].State == config.ServiceDisabled {
			status.Services[i].State = gslb.Disabled
		}
	}
	for i := range believed {
		if err := believe(plan, status, &believed[i]); err != nil {
			return nil, err
		}
	}
	w := &World{at: at, snapshot: &adns.Snapshot{Generation: 1, Zones: zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}}
	for i := range plan.Services() {
		s := plan.Service(gslb.ServiceIndex(i))
		w.texts = append(w.texts, serviceText{site: s.Site, name: s.Name, alias: s.CNAME, v4: text(s.Addr4), v6: text(s.Addr6), host: s.Host})
	}
	return w, nil
}

func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// believe sets the state of a service that the plan has.
func believe(plan *gslb.Plan, status *gslb.Status, s *resource.Service) error {
	i, ok := plan.ServiceByName(s.Name)
	if !ok || status.Services[i].State == gslb.Disabled {
		return nil
	}
	st := &status.Services[i]
	for _, state := range []gslb.State{gslb.Up, gslb.Down, gslb.Unknown, gslb.Disabled, gslb.Draining} {
		if state.String() == s.State {
			st.State, st.Without4, st.Without6 = state, s.WithoutIPv4, s.WithoutIPv6
			if s.Load != nil {
				st.Load = gslb.Load{Active: s.Load.Active, At: status.At, PerAnswer: flood, Source: s.Load.Source}
			}
			return nil
		}
	}
	return fmt.Errorf("believe service %q: state %q is none", s.Name, s.State)
}

// Outcomes of a query besides services.
const (
	failNXDOMAIN   = "NXDOMAIN"
	failNoData     = "no data"
	failLastResort = "last resort"
)

// share is how often a query is answered in one way.
type share struct {
	answer string // the address or name that comes first; of a failure its kind
	site   string // that it leads to; empty: none, or a static record
	failed bool
	part   float64
}

// outlook is how a query is answered: every answer with its probability, and the scope.
type outlook struct {
	shares []share
	scope  int
	draws  int
}

// asker decides queries of one goroutine.
type asker struct {
	world   *World
	decider gslb.Decider
	learned *gslb.Learned
	answers map[nameType]outlook // of names where it does not matter who asks
}

type nameType struct {
	name string
	kind uint16
}

func (w *World) asker() *asker {
	return &asker{world: w, learned: w.snapshot.Learned.Copy(), answers: map[nameType]outlook{}}
}

// look returns how a query is answered.
func (a *asker) look(k *Kind) outlook {
	key := nameType{k.Name, k.Type}
	if known, ok := a.answers[key]; ok {
		return known
	}
	s := a.world.snapshot
	domain, family, ok := s.Balanced(k.Name, k.Type, k.Listener, k.Client)
	if !ok {
		return a.lookUp(k, key)
	}
	d := s.GSLB.Plan.Domain(domain)
	q := gslb.Query{Domain: domain, Family: family, LDNS: k.Client, Subnet: k.Subnet, Listener: k.Listener, At: a.world.at.Unix()}
	if !d.NeedsClient && s.GSLB.Plan.Views() == 0 {
		out := a.decide(&q, k, 4*whatif.MostDraws, 16*whatif.MostDraws)
		a.answers[key] = out
		return out
	}
	return a.decide(&q, k, whatif.MostDraws/4, 4*whatif.MostDraws)
}

// turns is how often each answer should have its turn on the average.
const turns = 8

// decide draws answers of a balanced name: so many, and up to most while there are answers that had few turns.
func (a *asker) decide(q *gslb.Query, k *Kind, draws, most int) outlook {
	out := outlook{}
	view := a.world.snapshot.GSLB.Plan.ViewOf(k.Listener, k.Client)
	a.decider.Query = *q
	for i := 0; i < draws || i < most && (i < turns*len(out.shares) || i%len(out.shares) != 0); i++ {
		a.decider.Decide(a.world.snapshot.GSLB, a.learned, a.world.at, nil)
		to, fixed := whatif.Outcome(&a.decider.Decision)
		if i == 0 && a.decider.Decision.SubnetUsed {
			out.scope = int(a.decider.Decision.Scope)
		}
		out.add(a.answer(to, k.Type, view))
		if out.draws++; i == 0 && fixed {
			break
		}
	}
	for i := range out.shares {
		out.shares[i].part /= float64(out.draws)
	}
	return out
}

func (o *outlook) add(s share) {
	for i := range o.shares {
		if o.shares[i].answer == s.answer && o.shares[i].failed == s.failed {
			o.shares[i].part++
			return
		}
	}
	s.part = 1
	o.shares = append(o.shares, s)
}

// answer returns what a client sees of an outcome.
func (a *asker) answer(to int32, qtype uint16, view gslb.ViewIndex) share {
	switch to {
	case whatif.Nobody:
		if a.decider.Decision.Outcome == gslb.OutcomeServFail {
			return share{answer: "SERVFAIL", failed: true}
		}
		return share{answer: failNoData, failed: true}
	case whatif.Familyless:
		return share{answer: failNoData, failed: true}
	case whatif.LastResort:
		return share{answer: failLastResort, failed: true}
	}
	t := &a.world.texts[to]
	out := share{site: t.site, answer: cmp.Or(t.alias, t.host, t.name)}
	if t.alias != "" || qtype != dns.TypeA && qtype != dns.TypeAAAA {
		return out
	}
	out.answer = t.v4
	if qtype == dns.TypeAAAA {
		out.answer = t.v6
	}
	if view != 0 {
		v4, v6 := a.world.snapshot.GSLB.Plan.Seen(view, gslb.ServiceIndex(to))
		out.answer = text(v4)
		if qtype == dns.TypeAAAA {
			out.answer = text(v6)
		}
	}
	return out
}

// lookUp answers a query for a name that is not balanced, or an alias of one that is.
func (a *asker) lookUp(k *Kind, key nameType) outlook {
	s := *a.world.snapshot
	s.Learned = a.learned
	answer := s.Resolve(adns.Question{Name: k.Name, Type: k.Type, Class: dns.ClassINET, LDNS: k.Client, Subnet: k.Subnet, Listener: k.Listener}, a.world.at, nil)
	for i := len(answer.Answer) - 1; i >= 0; i-- {
		alias, ok := answer.Answer[i].(*dns.CNAME)
		if !ok {
			continue
		}
		if _, _, ok := s.Balanced(alias.Target, k.Type, k.Listener, k.Client); ok {
			next := *k
			next.Name = dns.CanonicalName(alias.Target)
			return a.look(&next)
		}
	}
	out := outlook{shares: []share{{part: 1}}, draws: 1}
	switch {
	case answer.Rcode == dns.RcodeNameError:
		out.shares[0].answer, out.shares[0].failed = failNXDOMAIN, true
	case answer.Rcode != dns.RcodeSuccess:
		out.shares[0].answer, out.shares[0].failed = dns.RcodeToString[answer.Rcode], true
	case len(answer.Answer) == 0 && len(answer.Authority) > 0 && !answer.Authoritative:
		out.shares[0].answer = "referral"
	case len(answer.Answer) == 0:
		out.shares[0].answer, out.shares[0].failed = failNoData, true
	default:
		for _, rr := range answer.Answer {
			full := dns.Copy(rr)
			full.Header().Ttl = 0
			out.shares[0].answer += full.String() + "\n"
		}
	}
	if a.world.snapshot.GSLB.Plan.Views() == 0 {
		a.answers[key] = out
	}
	return out
}
