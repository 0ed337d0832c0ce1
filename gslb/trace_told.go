package gslb

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// told is what a decision tells its trace on the way: what is not to be seen from its end.
type told struct {
	bits   [scopeSteps]int // of the client's address, by what needed them
	fill   *fill           // that was picked from; nil: none was
	turn   uint64
	since  uint64   // answers of fill before
	turns  uint64   // after so many, a rotation begins again; 0: none was picked from
	chance bool     // turns come in no order
	share  []shared // who takes turns; none: nobody does
}

// shared is a service and the part of the turns that it has, as things are.
type shared struct {
	service ServiceIndex
	part    float64
}

// rotates tells of a turn of a field's rotation.
func (t *told) rotates(f *field, turn uint64) {
	t.turn, t.turns = turn, uint64(len(f.rotation))
	parts := make([]float64, len(f.contenders))
	for _, i := range f.rotation {
		parts[i]++
	}
	t.shares(f, parts, float64(t.turns))
}

// ties tells of a turn of contenders that tied, whose weights are total in all.
func (t *told) ties(f *field, turn, total uint64, tied func(int) bool) {
	t.turn, t.turns = turn, total
	parts := make([]float64, len(f.contenders))
	for i := range f.contenders {
		if tied(i) {
			parts[i] = float64(f.contenders[i].weight)
		}
	}
	t.shares(f, parts, float64(total))
}

// pours tells of a turn of a fill.
func (t *told) pours(f *field, w *fill, turn, since uint64) {
	t.fill, t.turn, t.since = w, turn, since
	parts := make([]float64, len(f.contenders))
	w.addParts(parts, float64(since), 0, 1)
	t.shares(f, parts, 1)
}

func (t *told) shares(f *field, parts []float64, of float64) {
	for i, part := range parts {
		if part > 0 {
			t.share = append(t.share, shared{f.contenders[i].service, part / of})
		}
	}
}

// addParts adds up which part of the turns each contender has, of those whose chance lies from low to high in [0,1), when
// since answers were given: what pick does for all of them.
func (f *fill) addParts(parts []float64, since, low, high float64) {
	if f.urgent != nil {
		if until := min(high, f.before-since); until > low {
			f.urgent.addParts(parts, since, low, until)
			low = until
		}
		since -= f.before
	}
	for low < high {
		k, end := f.joined(since+low), high
		if k < len(f.joins) {
			end = min(high, max(f.joins[k]-since, math.Nextafter(low, 2)))
		}
		for i, c := range f.order[:k] {
			if f.prefix == nil {
				parts[c] += (end - low) / float64(k)
				continue
			}
			from, to := 0.0, float64(f.prefix[i])/float64(f.prefix[k-1])
			if i > 0 {
				from = float64(f.prefix[i-1]) / float64(f.prefix[k-1])
			}
			parts[c] += max(0, min(to, end)-max(from, low))
		}
		low = end
	}
}

// scopeStep is a part of a decision that depends on the client's address.
type scopeStep uint8

const (
	scopeSession  scopeStep = iota // the mask of sessions
	scopePlace                     // the region around the client: static-proximity and policies
	scopeDistance                  // the place of the client: score
	scopeHash                      // the mask of source-ip-hash
	scopePushed                    // the longest prefix with a measurement
	scopeSteps
)

func (s scopeStep) String() string {
	return [...]string{"sessions", "place and policies", "distance", "source-ip-hash", "pushed measurements"}[s]
}

// answerText is the arithmetic of TTL and scope.
func (d *Decider) answerText() string {
	return d.ttlText() + "; " + d.scopeText()
}

func (d *Decider) ttlText() string {
	domain := &d.s.Plan.domains[d.Query.Domain]
	of := "the zone's"
	if domain.ownTTL {
		of = "the domain's"
	}
	if d.Decision.TTL == domain.TTL {
		return fmt.Sprintf("TTL %d s, %s", d.Decision.TTL, of)
	}
	why := "all is down"
	v := &d.s.Plan.virtualServers[d.Decision.VirtualServer]
	for i := range v.members {
		st := &d.s.Status.Services[v.members[i].service]
		if st.Doubt != "" && st.State != Disabled && st.State != Draining {
			why = fmt.Sprintf("%s is uncertain: %s", d.s.Plan.services[v.members[i].service].Name, st.Doubt)
			break
		}
	}
	return fmt.Sprintf("TTL %d s, lowered from %s %d s while %s", d.Decision.TTL, of, domain.TTL, why)
}

func (d *Decider) scopeText() string {
	if d.blocked {
		return fmt.Sprintf("scope %d: the block of addresses that no client has", d.Decision.Scope)
	}
	var parts []string
	for step, bits := range d.told.bits {
		if bits > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", scopeStep(step), bits))
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("scope %d: no step depended on the client's address", d.Decision.Scope)
	}
	return fmt.Sprintf("scope %d, the most bits of the client's address that a step needed: %s", d.Decision.Scope, strings.Join(parts, ", "))
}

// turnText says whose turn it was.
func (d *Decider) turnText(f *field) string {
	switch w := d.told.fill; {
	case w != nil:
		return fmt.Sprintf("; answer %d of this snapshot: %s", d.told.since+1, d.phaseText(f, w))
	case d.told.chance:
		return fmt.Sprintf("; one of %d equals", len(d.told.share))
	case d.told.turns > 0:
		return fmt.Sprintf("; turn %d of %d", d.told.turn%d.told.turns+1, d.told.turns)
	}
	return ""
}

// mostNamed is how many names a sentence has.
const mostNamed = 6

// phaseText says who shares the answers of a fill now, and who joins next.
func (d *Decider) phaseText(f *field, w *fill) string {
	since := float64(d.told.since)
	if w.urgent != nil && since < w.before {
		left := w.before - since
		return fmt.Sprintf("far below the mean: %s; all share after %.4g more", d.sharersText(f, w.urgent, since), left)
	}
	return d.sharersText(f, w, since-w.before)
}

func (d *Decider) sharersText(f *field, w *fill, since float64) string {
	k := w.joined(since)
	var names []string
	for _, i := range w.order[:min(k, mostNamed)] {
		names = append(names, d.s.Plan.services[f.contenders[i].service].Name)
	}
	text := strings.Join(names, ", ")
	if k > mostNamed {
		text += fmt.Sprintf(" and %d more", k-mostNamed)
	}
	if text += " share"; k == 1 {
		text = names[0] + " has the lowest level"
	}
	if soon := w.joined(since + 1); soon > k { // a part of an answer is by chance, as fill.pick has it
		return fmt.Sprintf("%s; %d of %d share before the next", text, soon, len(w.order))
	}
	if k == len(w.order) {
		return text
	}
	next := d.s.Plan.services[f.contenders[w.order[k]].service].Name
	return fmt.Sprintf("%s; %s joins after %.4g more", text, next, w.joins[k]-since)
}

// traceLearned records what a query leaves behind where it is served. f is nil when the client's session answered. keeps says
// that the client has a session from now on.
func (d *Decider) traceLearned(v *virtualServer, f *field, counted, keeps bool) {
	var parts []string
	name := d.s.Plan.services[d.Decision.Services[0]].Name
	if counted {
		parts = append(parts, "an answer is counted for "+name)
	}
	if d.told.fill != nil || d.told.turns > 0 || d.told.chance {
		parts = append(parts, "the turn is taken")
	}
	if keeps && d.learned.Sessions != nil {
		parts = append(parts, fmt.Sprintf("the client's session with %s is kept for %s", name, time.Duration(v.persistence.timeout)*time.Second))
	}
	if f != nil && f.paired && d.pairKind != 0 {
		parts = append(parts, fmt.Sprintf("its other families stay with %s for %d s", name, d.Decision.TTL))
	}
	if (v.picking == byRTT || v.backupPicking == byRTT || v.picking == byScore && v.score.rtt > 0) && d.learned.Resolvers != nil {
		parts = append(parts, "the resolver is measured if it was not")
	}
	e := Entry{Step: StepLearn, VirtualServer: v.name, Reason: ReasonLearned, Detail: strings.Join(parts, "; ")}
	if len(parts) == 0 {
		e.Reason = ReasonNothingLearned
	}
	d.trace.Add(e)
}
