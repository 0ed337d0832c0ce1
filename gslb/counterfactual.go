package gslb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxCounterfactuals is how many services an explanation looks at, besides as many that take turns.
const MaxCounterfactuals = 16

// ChangeKind is what a counterfactual changes. The words are part of the interface.
type ChangeKind string

// Kinds of changes.
const (
	ChangeSession   ChangeKind = "session"      // the client has none
	ChangePair      ChangeKind = "other-family" // the client was not given a service for another family just now
	ChangeState     ChangeKind = "state"        // the service is UP, with an address of the family
	ChangeLimit     ChangeKind = "limit"        // the service is below a limit of its own
	ChangeOverride  ChangeKind = "override"     // an operator's order about a virtual server ends
	ChangeHold      ChangeKind = "hold"         // a virtual server is returned from its backup
	ChangeSpillover ChangeKind = "spillover"    // a virtual server has not reached its threshold
	ChangeLoad      ChangeKind = "load"         // a load or measure of the service
	ChangeRTT       ChangeKind = "rtt"          // the round-trip time from its site to the resolver
	ChangePushed    ChangeKind = "pushed"       // the measurement that was pushed for the client
	ChangePlace     ChangeKind = "place"        // where the client is
	ChangeWeight    ChangeKind = "weight"       // the member's weight
	ChangePolicy    ChangeKind = "policy"       // a policy is not there
	ChangeOrder     ChangeKind = "order"        // no member of better orders is usable
	ChangeOthers    ChangeKind = "others"       // other services are not usable
)

// ChangeKinds lists all kinds.
func ChangeKinds() []ChangeKind {
	return []ChangeKind{ChangeSession, ChangePair, ChangeState, ChangeLimit, ChangeOverride, ChangeHold, ChangeSpillover, ChangeLoad, ChangeRTT, ChangePushed,
		ChangePlace, ChangeWeight, ChangePolicy, ChangeOrder, ChangeOthers}
}

// Change is one difference to what is.
type Change struct {
	Kind ChangeKind `json:"kind"`
	// Metric, Unit, Is and Needed are there when a number changes. Is is absent when nothing is known, and Needed when any number is
	// enough then.
	Metric string   `json:"metric,omitempty"`
	Unit   string   `json:"unit,omitempty"`
	Is     *float64 `json:"is,omitempty"`
	Needed *float64 `json:"needed,omitempty"`
	// Services are those that would not be usable.
	Services []string `json:"services,omitempty"`
	Text     string   `json:"text"` // for people: "if ..."

	edits []edit
}

// Counterfactual says what would have named another service first: the smallest change that was found, and deciding again
// confirmed it.
type Counterfactual struct {
	Service string `json:"service"`
	Site    string `json:"site"`
	// Share is the part of the answers to such queries that the service would get then, as the turns and phases stand: 1
	// when all.
	Share float64 `json:"share"`
	// Changes has mostly one; two where the service is out for a reason of its own and would not be chosen at once if it were
	// not. None: it takes turns already.
	Changes []Change `json:"changes,omitempty" nullable:"false"`
	Text    string   `json:"text"` // for people
}

// Counterfactuals says for other services that could have been answered what would have had to be different: for the best
// of each other site, and for those at the site that was chosen. Where services take turns it says how often. It is pure as
// Decide is, and writes nothing: learned may be in use. The query is decided again up to MaxTrials worlds a service.
func Counterfactuals(s *Snapshot, q Query, learned *Learned, now time.Time) []Counterfactual {
	t := newTrial(s, q, learned, now)
	t.left = 1
	t.enter()
	chosen := t.decide().first()
	shares := map[ServiceIndex]float64{}
	if chosen != none {
		t.enter()
		shares = t.shares()
	}
	targets := t.targets(chosen)
	out := t.takeTurns(targets, shares)
	worlds := t.affordable()
	tried, found, budget := 0, map[uint32]bool{}, worlds
	for _, i := range targets {
		site := s.Plan.services[i].site
		if _, ok := shares[i]; ok || int(i) == chosen || found[site] || tried == MaxCounterfactuals || budget <= 0 {
			continue
		}
		tried++
		t.left = min(worlds/targetsAtLeast, budget)
		before := t.left
		changes, share := t.search(i)
		budget -= before - t.left
		if changes == nil {
			continue
		}
		out = append(out, t.describe(i, share, changes))
		found[site] = chosen == none || site != s.Plan.services[chosen].site
	}
	return out
}

// takeTurns tells who takes turns, when more than one does.
func (t *trial) takeTurns(targets []ServiceIndex, shares map[ServiceIndex]float64) (out []Counterfactual) {
	if len(shares) < 2 {
		return nil
	}
	for _, i := range targets {
		if share, ok := shares[i]; ok && len(out) < MaxCounterfactuals {
			out = append(out, t.describe(i, share, nil))
		}
	}
	if more := len(shares) - len(out); more > 0 {
		out[len(out)-1].Text += fmt.Sprintf("; so do %d more services", more)
	}
	return out
}

// bestElsewhere lists who is answered first when all of the chosen site are out, then when those of the next site are, too, and
// so on: the best service of each site.
func (t *trial) bestElsewhere(chosen int) (out []ServiceIndex) {
	var gone []ServiceIndex
	for next := chosen; next != none && len(out) < t.affordable()/MaxTrials*2; {
		site := t.base.Plan.services[next].site
		for _, i := range t.services {
			if t.base.Plan.services[i].site == site {
				gone = append(gone, i)
			}
		}
		t.enter(asDown(gone...))
		if next = t.decide().first(); next != none && !slices.Contains(gone, ServiceIndex(next)) {
			out = append(out, ServiceIndex(next))
		} else {
			break // a stand-in keeps it
		}
	}
	return out
}

// targets lists the members of the chain: the chosen one, then by virtual server, who may be picked before who may not, the best
// of each site before others, and order.
func (t *trial) targets(chosen int) []ServiceIndex {
	best := t.bestElsewhere(chosen)
	out := make([]ServiceIndex, 0, len(t.services))
	if chosen != none {
		out = append(out, ServiceIndex(chosen))
	}
	for _, vs := range t.chain {
		v := &t.base.Plan.virtualServers[vs]
		members := slices.Clone(v.members)
		out0 := func(m *member) int {
			switch up := t.base.memberReason(m, false) == ReasonUp && t.base.familyReason(m, t.asked.Family) == ReasonUp; {
			case up && slices.Contains(best, m.service):
				return 0
			case up:
				return 1
			}
			return 2
		}
		slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(out0(&a), out0(&b)) })
		for i := range members {
			if m := members[i].service; !slices.Contains(out, m) && t.base.Plan.services[m].answers(t.asked.Family) {
				out = append(out, m)
			}
		}
	}
	return out
}

func (t *trial) describe(i ServiceIndex, share float64, changes []Change) Counterfactual {
	svc := &t.base.Plan.services[i]
	c := Counterfactual{Service: svc.Name, Site: svc.Site, Share: share, Changes: changes}
	if len(changes) == 0 {
		c.Text = "takes turns: " + shareText(share) + " of the answers"
		return c
	}
	texts := make([]string, len(changes))
	for i := range changes {
		texts[i] = changes[i].Text
	}
	if c.Text = strings.Join(texts, ", and "); share < 1 {
		c.Text += "; it would take " + shareText(share) + " of the answers"
	}
	return c
}

// shareText writes a share as the fraction that it is, or else in percent.
func shareText(share float64) string {
	for d := 1.0; d <= 10; d++ {
		for n := 1.0; n <= d; n++ {
			if diff := share - n/d; diff < 1e-9 && diff > -1e-9 {
				if d == 1 {
					return "all"
				}
				return fmt.Sprintf("%.0f/%.0f", n, d)
			}
		}
	}
	switch {
	case share < 0.01:
		return "less than 1 %"
	case share > 0.99:
		return "more than 99 %"
	}
	return fmt.Sprintf("about %.0f %%", share*100)
}
