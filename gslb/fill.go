package gslb

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"time"

	"fairlead/config"
)

// fill spreads the answers of one snapshot over contenders that differ in load, as water finds its level. Contender i stands
// at level value/weight, and each answer raises it by growth/weight. The first answers go to the lowest one until it has
// reached the next one's level; then both share, in proportion to weight/growth, until they reach the third. So clients do
// not all follow one report, and a query costs the same however many contenders there are. Immutable.
type fill struct {
	order  []uint16  // contenders, lowest level first
	joins  []float64 // after how many answers each of them joins those before it; joins[0] is 0
	prefix []uint64  // running sums of the rates at which they take answers; nil: all rates are equal
	loads  []pour    // by contender, for explanations
	// urgent comes first, for this many answers: who is far below the mean, and the first answers where there are few. Nil:
	// nothing is urgent.
	urgent *fill
	before float64
}

// pour is one contender's part in a fill.
type pour struct {
	value  float64 // of the metric, with what is expected
	growth float64 // by which one answer raises it
	// patience is by how many times more an answer counts while differences are levelled, so that this takes its time (Load);
	// 0: once.
	patience float64
	// pace is answers of this node in the last second, longPace those a second for as long as one is kept.
	pace, longPace float64
	// grain is the least by which the metric can differ, 0 when it has none: what chance makes of it depends on that.
	grain float64
	basis basis
}

// basis says where a value comes from.
type basis uint8

const (
	basisNone     basis = iota // never reported, or too long ago: the mean of the others
	basisAged                  // reported, but longer ago than values stay fresh: the last one
	basisMeasured              // fresh
)

const (
	// forgotten is how many times longer than it stays fresh the last value of a metric counts.
	forgotten = 20
	// rateUnits is what the fastest contender's rate is in integers.
	rateUnits = 1 << 16
	// levelAfter is how many answers level contenders whose growth is not known.
	levelAfter = 64
	// farBelow is the part of the mean level, and chance how many times the spread that chance gives, by which a contender
	// must be below it to be urgent.
	farBelow = 0.5
	chance   = 2
	// fewPerSecond is up to how many answers a second no answer of this node needs patience.
	fewPerSecond = 4
	// golden spreads turns evenly: 2^64 divided by the golden ratio.
	golden = 0x9E3779B97F4A7C15
)

// newFill makes a fill from what contenders reported; nil when none of them ever did.
func newFill(loads []pour, contenders []contender) *fill {
	if !estimate(loads, contenders) {
		return nil
	}
	setUnknownGrowth(loads)
	levels, rates, all := make([]float64, len(loads)), make([]float64, len(loads)), make([]uint16, len(loads))
	for i := range loads {
		levels[i] = loads[i].value / float64(contenders[i].weight)
		rates[i] = float64(contenders[i].weight) / loads[i].growth
		all[i] = uint16(i)
	}
	urgent, before := pourUrgent(loads, contenders, levels, rates)
	if few := fewAnswers(loads, contenders, levels); few > before {
		first := poured(slices.Clone(all), levels, rates)
		first.urgent, first.before = urgent, before
		urgent, before = first, few
	}
	for i := range rates {
		rates[i] /= max(loads[i].patience, 1)
	}
	f := poured(all, levels, rates)
	f.loads, f.urgent, f.before = loads, urgent, before
	return f
}

// pourUrgent makes the fill of the contenders far below the mean level, which it raises to where they are not, and returns
// after how many answers that is done. Who is alone in being idle is not left so for the sake of smoothness; what chance may
// explain is not urgent.
func pourUrgent(loads []pour, contenders []contender, levels, rates []float64) (*fill, float64) {
	mean, step := meanLevel(loads, contenders)
	to := mean - max(farBelow*mean, chance*math.Sqrt(mean*step))
	var below []uint16
	answers := 0.0
	for i, level := range levels {
		if level < to {
			below = append(below, uint16(i))
			answers += (to - level) * rates[i]
		}
	}
	if below == nil {
		return nil, 0
	}
	urgent := poured(below, levels, rates)
	for _, i := range below {
		levels[i] = to
	}
	return urgent, answers
}

// fewAnswers is how many of the next answers go to whoever stands lowest, each for what it really brings: as many as are
// missing to fewPerSecond. So few cannot come back as a wave, and patience would leave nearly all of them in turn. It is 0 when
// chance may explain how far the lowest is from the mean.
func fewAnswers(loads []pour, contenders []contender, levels []float64) float64 {
	pace, longPace, patience := 0.0, 0.0, 0.0
	for i := range loads {
		l := &loads[i]
		pace, longPace, patience = pace+l.pace, longPace+l.longPace, max(patience, l.patience)
	}
	if pace = max(pace, longPace); patience <= 1 || pace >= fewPerSecond {
		return 0
	}
	mean, step := meanLevel(loads, contenders)
	if slices.Min(levels) >= mean-math.Sqrt(mean*step*(1-1/float64(len(loads)))) {
		return 0
	}
	return math.Ceil(fewPerSecond - pace)
}

// meanLevel is the level if all was level, and the most that one grain of a metric raises a contender's.
func meanLevel(loads []pour, contenders []contender) (mean, step float64) {
	var value, weight float64
	for i := range loads {
		value, weight = value+loads[i].value, weight+float64(contenders[i].weight)
		step = max(step, cmp.Or(loads[i].grain, loads[i].growth)/float64(contenders[i].weight))
	}
	return value / weight, step
}

// poured makes a fill of some contenders by their levels, and by how many answers raise each level by one.
func poured(of []uint16, levels, rates []float64) *fill {
	f := &fill{order: of, joins: make([]float64, len(of))}
	slices.SortStableFunc(f.order, func(a, b uint16) int { return cmp.Compare(levels[a], levels[b]) })
	rate := rates[f.order[0]]
	for i := 1; i < len(of); i++ {
		f.joins[i] = f.joins[i-1] + rate*(levels[f.order[i]]-levels[f.order[i-1]])
		rate += rates[f.order[i]]
	}
	f.addPrefix(rates)
	return f
}

// setUnknownGrowth gives contenders whose growth is not known one that levels them soon.
func setUnknownGrowth(loads []pour) {
	highest := 0.0
	for i := range loads {
		highest = max(highest, loads[i].value)
	}
	unknown := 1.0
	if highest > 0 {
		unknown = highest / levelAfter
	}
	for i := range loads {
		if loads[i].growth <= 0 {
			loads[i].growth = unknown
		}
	}
}

// addPrefix makes the table by which unequal contenders share answers.
func (f *fill) addPrefix(rates []float64) {
	least, most := math.Inf(1), 0.0
	for _, c := range f.order {
		least, most = min(least, rates[c]), max(most, rates[c])
	}
	if most <= least*(1+1e-9) {
		return
	}
	f.prefix = make([]uint64, len(f.order))
	sum := uint64(0)
	for i, c := range f.order {
		sum += max(1, uint64(math.Round(rates[c]/most*rateUnits)))
		f.prefix[i] = sum
	}
}

// estimate gives contenders without a value the mean of the others per weight, and all of them without a growth the mean
// growth. It reports whether any value is known.
func estimate(loads []pour, contenders []contender) bool {
	var value, weight, growth, patience, known float64
	for i := range loads {
		if l := &loads[i]; l.basis != basisNone {
			known++
			patience = max(patience, l.patience)
			value += l.value
			growth += l.growth
			weight += float64(contenders[i].weight)
		}
	}
	if known == 0 {
		return false
	}
	for i := range loads {
		if l := &loads[i]; l.basis == basisNone {
			l.value, l.growth, l.patience = value/weight*float64(contenders[i].weight), growth/known, patience
		}
	}
	return true
}

// pick returns the contender for a turn. since is how many answers this fill has given before. A snapshot may answer few
// queries: the turn says by chance, which is even over snapshots, who is taken while a part of one answer is still to go
// before the next contender joins.
func (f *fill) pick(turn, since uint64) int {
	answers := float64(since) + float64(turn*golden>>11)/(1<<53)
	if f.urgent != nil {
		if answers < f.before {
			return f.urgent.pick(turn, since)
		}
		answers -= f.before
	}
	k := f.joined(answers)
	if f.prefix == nil {
		return int(f.order[uint32(turn)%uint32(k)])
	}
	x, _ := bits.Mul64(turn*golden, f.prefix[k-1])
	if k <= 8 {
		for i := range k - 1 {
			if f.prefix[i] > x {
				return int(f.order[i])
			}
		}
		return int(f.order[k-1])
	}
	i, found := slices.BinarySearch(f.prefix[:k], x)
	if found {
		i++
	}
	return int(f.order[i])
}

// joined returns how many contenders share the answers after this many.
func (f *fill) joined(since float64) int {
	low, high := 1, len(f.joins)
	if high <= 8 {
		for low < high && f.joins[low] <= since {
			low++
		}
		return low
	}
	for low < high { // joins[low-1] <= since, and joins[high] is beyond
		middle := (low + high) / 2
		if f.joins[middle] <= since {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// pours returns what a method that compares loads knows of a field's contenders.
func (s *Snapshot) pours(m config.Method, f *field) []pour {
	out := make([]pour, len(f.contenders))
	for i := range f.contenders {
		out[i] = s.pour(m, f.contenders[i].service)
	}
	if m == config.LeastConnection || m == config.LeastResponseTime {
		// How many connections an answer brings is the clients' habit, not the service's: all get the mean, or one that
		// was learned sooner would draw the answers.
		s.shareGrowth(m, f, out)
	}
	return out
}

func (s *Snapshot) pour(m config.Method, i ServiceIndex) pour {
	st, limit := &s.Status.Services[i], s.Plan.services[i].loadFresh
	if st.Load.At.IsZero() && st.Measures == nil {
		return pour{}
	}
	none := new(Measures)
	by := cmp.Or(st.Measures, none)
	connections := Measure{Value: float64(st.Load.Active), At: st.Load.At, PerAnswer: st.Load.PerAnswer, Patience: st.Load.Patience,
		Pace: st.Load.Pace, LongPace: st.Load.LongPace, Expected: st.Load.Expected}
	switch m {
	case config.LeastConnection:
		p := s.pourOf(&connections, limit)
		p.grain = 1
		return p
	case config.LeastResponseTime:
		return s.pourTime(&connections, &by.ResponseTime, limit)
	case config.LeastBandwidth:
		return s.pourOf(&by.Bandwidth, limit)
	case config.LeastPackets:
		return s.pourOf(&by.Packets, limit)
	case config.CustomLoad:
		p := s.pourOf(&by.Custom, limit)
		if idle := connections.Fresh(s.Status.At, limit) && connections.Value+connections.Expected < 1; idle && p.basis != basisNone {
			p.value = 0 // without an active transaction it comes first
		}
		return p
	}
	return pour{}
}

// pourOf takes a metric as it is.
func (s *Snapshot) pourOf(m *Measure, limit time.Duration) pour {
	p := pour{value: m.Value + m.Expected, growth: m.PerAnswer, patience: m.Patience, pace: m.Pace, longPace: m.LongPace, basis: basisMeasured}
	switch {
	case m.At.IsZero(), s.Status.At.Sub(m.At) > forgotten*limit:
		return pour{}
	case !m.Fresh(s.Status.At, limit):
		p.basis = basisAged
	}
	return p
}

// pourTime is what least-response-time compares: connections × mean time to the first byte. The next connection counts
// already, so that idle services differ by their time.
func (s *Snapshot) pourTime(connections, responseTime *Measure, limit time.Duration) pour {
	n, t := s.pourOf(connections, limit), s.pourOf(responseTime, limit)
	if t.basis == basisNone {
		return pour{}
	}
	return pour{value: (n.value + 1) * t.value, growth: t.value, pace: n.pace, longPace: n.longPace, grain: t.value,
		basis: min(t.basis, max(n.basis, basisAged))}
}

// shareGrowth gives all contenders the mean number of connections that an answer brings.
func (s *Snapshot) shareGrowth(m config.Method, f *field, out []pour) {
	var perAnswer, patience, known float64
	for i := range f.contenders {
		if l := &s.Status.Services[f.contenders[i].service].Load; !l.At.IsZero() && out[i].basis != basisNone {
			known++
			perAnswer += l.PerAnswer
			patience = max(patience, l.Patience)
		}
	}
	if known == 0 {
		return
	}
	for i := range out {
		out[i].patience = patience
		switch {
		case out[i].basis == basisNone:
		case m == config.LeastResponseTime:
			out[i].growth *= perAnswer / known
		default:
			out[i].growth = perAnswer / known
		}
	}
}
