package gslb

import (
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"fairlead/config"
)

// The methods, as the contract has them: each says who may be first, or that its data is missing.

// pick settles who may be first.
func (o *oracle) pick(v *config.VirtualServer, of []config.Member, q Query, client netip.Addr, r *ruling) {
	if len(of) == 1 {
		r.first = []string{of[0].Service}
		return
	}
	for i, m := range []config.Method{v.Method, v.BackupMethod, config.RoundRobin} {
		o.filling = o.fillOf(v.Name, r.policy, q.Family, i)
		first, turns := o.may(m, v, of, q, client)
		if len(first) == 0 {
			continue
		}
		r.first, r.filled, r.fill = first, fills(m) || m == config.Scored && poursScore(v), o.filling
		if turns && o.coheres(v, r.policy, q) {
			if r.filled || m == config.Scored {
				first = names(of) // agreeing with the other family comes before load
			}
			r.pair = o.pairOf(first, of, q, r.ttl)
		}
		return
	}
}

func fills(m config.Method) bool {
	switch m {
	case config.LeastConnection, config.LeastResponseTime, config.LeastBandwidth, config.LeastPackets, config.CustomLoad:
		return true
	}
	return false
}

// fillOf names a fill: each policy has its own, and each family that need not agree with the others; and the backup method has one
// of its own.
func (o *oracle) fillOf(v string, p *config.Policy, f Family, way int) string {
	name := ""
	if p != nil {
		name = p.Name
	}
	if o.w.doc.Settings.Answers.Coherent {
		f = FamilyNone
	}
	return fmt.Sprint(v, " ", name, " ", f, " ", way)
}

// may lists who may be first by a method. turns says that one of them could be given for the sake of another family.
func (o *oracle) may(m config.Method, v *config.VirtualServer, of []config.Member, q Query, client netip.Addr) (first []string, turns bool) {
	switch m {
	case config.StaticProximity:
		first = leastOf(of, o.farness(of, client))
		return first, len(first) > 1
	case config.RTT:
		first = o.fastest(v, of, q)
		return first, len(first) > 1
	case config.Measured:
		first = leastOf(of, o.pushedScores(of, client))
		return first, len(first) > 1
	case config.SourceIPHashing:
		return leastOf(of, o.draws(v, of, client)), false
	case config.Scored:
		if poursScore(v) {
			return o.flooded(v, of, o.scorePours(v, of)), true
		}
		return leastOf(of, o.scored(v, of, q, client)), true
	case config.RoundRobin:
		return names(of), true
	}
	return o.flooded(v, of, o.pours(m, v, of)), true
}

func names(of []config.Member) []string {
	var out []string
	for _, m := range of {
		out = append(out, m.Service)
	}
	return out
}

// leastOf lists who has the least score; NaN is no score, and nobody is listed without one.
func leastOf(of []config.Member, score []float64) (out []string) {
	least := math.Inf(1)
	for _, s := range score {
		if s < least {
			least = s
		}
	}
	for i, m := range of {
		if i < len(score) && !math.IsNaN(score[i]) && near(score[i], least) {
			out = append(out, m.Service)
		}
	}
	return out
}

// coheres reports whether answers of a virtual server, or of what a policy of it prefers, should agree over families: two
// families have somebody, and one of them a choice.
func (o *oracle) coheres(v *config.VirtualServer, p *config.Policy, q Query) bool {
	if !o.w.doc.Settings.Answers.Coherent || v.Method == config.SourceIPHashing {
		return false
	}
	some, choice := 0, false
	for _, f := range []Family{IPv4, IPv6, AnyFamily} {
		if !slices.Contains(o.families(), f) {
			continue
		}
		of, _ := o.field(v, f, nil)
		if p != nil {
			of = o.preferredBy(v, p, f)
		}
		if len(of) > 0 {
			some++
		}
		choice = choice || len(of) > 1
	}
	return some > 1 && choice && (q.Family == IPv4 || q.Family == IPv6 || q.Family == AnyFamily)
}

// pairOf is the service that the client was given for another family, or those at its site; nil when that is none of first.
func (o *oracle) pairOf(first []string, of []config.Member, q Query, ttl uint32) (at []string) {
	p, ok := o.paired[o.pairName(q)]
	if !ok || strings.ContainsRune(p.families, familyLetter(q.Family)) || o.at-p.at > int64(ttl) {
		return nil
	}
	if slices.Contains(first, p.service) {
		return []string{p.service}
	}
	for _, m := range of {
		if slices.Contains(first, m.Service) && o.service(m.Service).Site == o.service(p.service).Site {
			at = append(at, m.Service)
		}
	}
	return at
}

func familyLetter(f Family) rune { return rune('a' + int(f)) }

// pairName identifies who keeps an answer: a resolver does for all clients in its scope.
func (o *oracle) pairName(q Query) string {
	if o.kin == 0 {
		return q.LDNS.String()
	}
	kin, _ := q.Subnet.Addr().Prefix(o.kin)
	return q.LDNS.String() + " " + kin.String()
}

// draws are the weighted rendezvous scores.
func (o *oracle) draws(v *config.VirtualServer, of []config.Member, client netip.Addr) []float64 {
	masked, _ := client.Prefix(maskOf(client, v.SourceIPHash.Prefix4, v.SourceIPHash.Prefix6))
	var out []float64
	for _, m := range of {
		h := drawByHand(masked.Addr(), o.seeds[m.Service])
		out = append(out, (64-math.Log2(float64(h)+1))/o.weight(v, m))
	}
	return out
}

// drawByHand follows the steps in docs/decision.md bit by bit.
func drawByHand(masked netip.Addr, seed uint64) uint64 {
	finish := func(h uint64) uint64 {
		for _, k := range []uint64{0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53} {
			h = (h ^ h>>33) * k
		}
		return h ^ h>>33
	}
	b := masked.As16()
	client := xxhash.Sum64(b[:])
	h := finish(client^(seed<<32|seed>>32)) >> 8
	for k := range 8 {
		bit := client >> (56 + k) & 1
		for j, some := range []uint64{0xfe, 0xff} {
			key := finish(seed+(uint64(j)+1)*0x9e3779b97f4a7c15) >> (8 * k)
			bit += uint64(bits.OnesCount64(client >> (8 * j) & key & some))
		}
		h |= bit % 2 << (56 + k)
	}
	return h
}

// beyond is farther than anything on earth, and notNear the farness of a site that shares neither place nor coordinates.
const beyond, notNear = 1e6, 1e6 - 1

// farness is how far sites are from a client: first by place, then by distance. nil: nobody is anywhere near.
func (o *oracle) farness(of []config.Member, client netip.Addr) []float64 {
	l := o.location(client)
	if l == nil {
		return nil
	}
	var out []float64
	some := false
	for _, m := range of {
		at := o.site(o.service(m.Service).Site).Location
		depth := 0
		have, want := strings.Split(strings.ToLower(at.Place), "."), strings.Split(strings.ToLower(l.Place), ".")
		for depth < len(have) && depth < len(want) && have[depth] == want[depth] && have[depth] != "" {
			depth++
		}
		km := float64(notNear)
		if at.Latitude != nil && l.Latitude != nil {
			km = kilometres(*l.Latitude, *l.Longitude, *at.Latitude, *at.Longitude)
		}
		some = some || depth > 0 || km < notNear
		out = append(out, km-beyond*float64(depth))
	}
	if !some {
		return nil
	}
	return out
}

// kilometres is the great-circle distance, by the law of cosines.
func kilometres(lat1, lon1, lat2, lon2 float64) float64 {
	const radians, radius = math.Pi / 180, 6371.0088
	c := math.Sin(lat1*radians)*math.Sin(lat2*radians) + math.Cos(lat1*radians)*math.Cos(lat2*radians)*math.Cos((lon1-lon2)*radians)
	return radius * math.Acos(min(1, max(-1, c)))
}

// fastest lists who is within the tolerance of the least time to the resolver.
func (o *oracle) fastest(v *config.VirtualServer, of []config.Member, q Query) (out []string) {
	times := o.w.rtts[q.LDNS]
	least := time.Duration(math.MaxInt64)
	for _, m := range of {
		if t, ok := times[o.service(m.Service).Site]; ok {
			least = min(least, t)
		}
	}
	for _, m := range of {
		if t, ok := times[o.service(m.Service).Site]; ok && t <= least+v.Tolerance.Std() {
			out = append(out, m.Service)
		}
	}
	return out
}

// pushedScores are what was pushed for the longest prefix around the client.
func (o *oracle) pushedScores(of []config.Member, client netip.Addr) []float64 {
	var best netip.Prefix
	for _, p := range o.w.pushed {
		if p.prefix.Contains(client) && (!best.IsValid() || p.prefix.Bits() > best.Bits()) {
			best = p.prefix
		}
	}
	var out []float64
	for _, m := range of {
		score := math.NaN()
		for _, p := range o.w.pushed {
			if p.prefix == best && p.service == m.Service && !p.ended {
				score = p.value
			}
		}
		out = append(out, score)
	}
	return out
}

// oraclePour is what a method that compares loads knows of a member: its level is value / weight, and an answer raises it by
// growth / weight.
type oraclePour struct {
	value, growth float64
	known         bool
}

// known reports whether something measured then counts at all.
func known(at time.Time) bool { return !at.IsZero() && epoch.Sub(at) <= 2*time.Minute }

func (o *oracle) pours(m config.Method, v *config.VirtualServer, of []config.Member) []oraclePour {
	perAnswer, reports := 0.0, 0.0
	var out []oraclePour
	for _, member := range of {
		l, by := o.w.status[member.Service].Load, o.measures(member.Service)
		var p oraclePour
		connections := 0.0
		if known(l.At) {
			connections = float64(l.Active) + l.Expected
		}
		measured := func(x Measure) oraclePour { return oraclePour{x.Value + x.Expected, x.PerAnswer, known(x.At)} }
		switch m {
		case config.LeastConnection:
			p = oraclePour{connections, l.PerAnswer, known(l.At)}
		case config.LeastResponseTime:
			p = oraclePour{(connections + 1) * by.ResponseTime.Value, by.ResponseTime.Value, known(by.ResponseTime.At)}
		case config.LeastBandwidth:
			p = measured(by.Bandwidth)
		case config.LeastPackets:
			p = measured(by.Packets)
		default:
			if p = measured(by.Custom); fresh(l.At) && connections < 1 {
				p.value = 0
			}
		}
		if !p.known {
			p = oraclePour{}
		} else if !l.At.IsZero() {
			perAnswer, reports = perAnswer+l.PerAnswer, reports+1
		}
		out = append(out, p)
	}
	for i := range out {
		switch {
		case !out[i].known || reports == 0:
		case m == config.LeastConnection:
			out[i].growth = perAnswer / reports
		case m == config.LeastResponseTime:
			out[i].growth *= perAnswer / reports
		}
	}
	return o.complete(out, v, of)
}

// complete gives members that never told anything the mean of the others by weight; nil when nobody did.
func (o *oracle) complete(in []oraclePour, v *config.VirtualServer, of []config.Member) []oraclePour {
	var value, weight, growth, n, most float64
	for i, p := range in {
		if p.known {
			value, weight, growth, n = value+p.value, weight+o.weight(v, of[i]), growth+p.growth, n+1
		}
	}
	if n == 0 {
		return nil
	}
	for i := range in {
		if !in[i].known {
			in[i].value, in[i].growth = value/weight*o.weight(v, of[i]), growth/n
		}
		most = max(most, in[i].value)
	}
	for i := range in {
		if in[i].growth <= 0 {
			if in[i].growth = 1; most > 0 {
				in[i].growth = most / 64
			}
		}
	}
	return in
}

// flooded lists whom the water has reached with the next answer, after as many as the fill has given. Who is reached by a part of that answer may have it.
func (o *oracle) flooded(v *config.VirtualServer, of []config.Member, in []oraclePour) (out []string) {
	if in == nil {
		return nil
	}
	type stand struct{ level, rate float64 }
	var stands []stand
	for i, p := range in {
		stands = append(stands, stand{p.value / o.weight(v, of[i]), o.weight(v, of[i]) / p.growth})
	}
	sort.Slice(stands, func(i, j int) bool { return stands[i].level < stands[j].level })
	answers, level, rate := float64(o.given[o.filling]+1), stands[0].level, 0.0
	for i, s := range stands { // answers lift the level from one stand to the next
		if i > 0 {
			need := rate * (s.level - level)
			if need > answers && !near(need, answers) {
				break
			}
			answers, level = answers-need, s.level
		}
		rate += s.rate
	}
	for i, m := range of {
		if l := in[i].value / o.weight(v, m); l < level || near(l, level) {
			out = append(out, m.Service)
		}
	}
	return out
}

// scored is the scores of method score by weight; nil when nothing is known that it weighs.
func (o *oracle) scored(v *config.VirtualServer, of []config.Member, q Query, client netip.Addr) []float64 {
	weights := v.Score
	if weights == (config.Score{}) {
		weights.Load = 1
	}
	inputs := [][]float64{o.loads(of), o.roundTrips(of, q), o.distances(of, client), o.costs(of)}
	out := make([]float64, len(of))
	some := false
	for n, weight := range []float64{weights.Load, weights.RTT, weights.Distance, weights.Cost} {
		if weight == 0 || inputs[n] == nil {
			continue
		}
		some = true
		for i := range of {
			out[i] += weight * inputs[n][i]
		}
	}
	if weights.RTT > 0 && len(o.w.rtts[q.LDNS]) > 0 {
		some = true
	}
	if !some {
		return nil
	}
	for i, m := range of {
		out[i] /= o.weight(v, m)
	}
	return out
}

// poursScore reports whether a virtual server's score depends on loads and costs alone: answers are poured then.
func poursScore(v *config.VirtualServer) bool { return v.Score.RTT == 0 && v.Score.Distance == 0 }

// scorePours is what pouring by score starts with.
func (o *oracle) scorePours(v *config.VirtualServer, of []config.Member) []oraclePour {
	weight := v.Score.Load
	if v.Score == (config.Score{}) {
		weight = 1
	}
	loads, costs := o.loads(of, false), o.costs(of)
	if (weight == 0 || loads == nil) && v.Score.Cost == 0 {
		return nil
	}
	one := o.loads(of, true)
	out := make([]oraclePour, len(of))
	for i, m := range of {
		p := oraclePour{known: true}
		if costs != nil {
			p.value = v.Score.Cost * costs[i]
		}
		if loads != nil {
			p.value += weight * loads[i]
			if l := o.w.status[m.Service].Load; known(l.At) {
				p.growth = weight * (one[i] - loads[i])
			}
		}
		out[i] = p
	}
	return o.complete(out, v, of)
}

// scaled brings inputs to 0…1 by the greatest. NaN becomes the mean.
func scaled(in []float64) []float64 {
	sum, n, most := 0.0, 0.0, 0.0
	for _, x := range in {
		if !math.IsNaN(x) {
			sum, n, most = sum+x, n+1, max(most, x)
		}
	}
	if n == 0 {
		return nil
	}
	for i, x := range in {
		if math.IsNaN(x) {
			in[i] = sum / n
		}
		if most > 0 {
			in[i] /= most
		}
	}
	return in
}

// capacity is the connections that a service can carry; 0: nobody says.
func (o *oracle) capacity(name string) float64 {
	s := o.service(name)
	if m := o.measures(name); m.Capacity.Value > 0 {
		return m.Capacity.Value
	}
	if s.Capacity > 0 {
		return float64(s.Capacity)
	}
	return float64(s.MaxConnections)
}

// oracleFew is up to how many members method score compares as they are at the moment.
const oracleFew = 16

// loads are parts of capacities if all have one, else of the greatest load, or of 10. Scores that are poured start from
// what is expected; further asks for one answer more than that. Other scores count the answers since the report; among many
// the greatest load and the mean are those of the reports.
func (o *oracle) loads(of []config.Member, further ...bool) []float64 {
	most, sum, n := 10.0, 0.0, 0.0
	out, scale := make([]float64, len(of)), make([]float64, len(of))
	for i, m := range of {
		l := o.w.status[m.Service].Load
		if out[i], scale[i] = math.NaN(), math.NaN(); !known(l.At) {
			continue
		}
		if out[i] = float64(l.Active) + l.Expected; further == nil {
			out[i] = float64(l.Active) + float64(o.sent[m.Service])*l.PerAnswer
		}
		if scale[i] = out[i]; further == nil && len(of) > oracleFew {
			scale[i] = float64(l.Active)
		}
		most = max(most, scale[i])
	}
	all := !slices.ContainsFunc(of, func(m config.Member) bool { return o.capacity(m.Service) == 0 })
	for i, m := range of {
		if further != nil && further[0] {
			out[i] += o.w.status[m.Service].Load.PerAnswer
		}
		by := most
		if all {
			by = o.capacity(m.Service)
		}
		out[i], scale[i] = out[i]/by, scale[i]/by
		if further != nil || len(of) <= oracleFew {
			scale[i] = out[i]
		}
		if !math.IsNaN(scale[i]) {
			sum, n = sum+scale[i], n+1
		}
	}
	if n == 0 {
		return nil
	}
	for i := range out {
		if math.IsNaN(out[i]) {
			out[i] = sum / n
		}
	}
	return out
}

func (o *oracle) roundTrips(of []config.Member, q Query) []float64 {
	var out []float64
	for _, m := range of {
		x := math.NaN()
		if t, ok := o.w.rtts[q.LDNS][o.service(m.Service).Site]; ok {
			x = t.Seconds()
		}
		out = append(out, x)
	}
	return scaled(out)
}

func (o *oracle) distances(of []config.Member, client netip.Addr) []float64 {
	l := o.location(client)
	if l == nil || l.Latitude == nil {
		return nil
	}
	var out []float64
	for _, m := range of {
		x := math.NaN()
		if at := o.site(o.service(m.Service).Site).Location; at.Latitude != nil {
			x = kilometres(*l.Latitude, *l.Longitude, *at.Latitude, *at.Longitude)
		}
		out = append(out, x)
	}
	return scaled(out)
}

func (o *oracle) costs(of []config.Member) []float64 {
	var out []float64
	for _, m := range of {
		out = append(out, o.service(m.Service).Cost)
	}
	return scaled(out)
}
