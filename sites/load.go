package sites

import (
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
	"fairlead/monitors/metric"
)

const (
	// sameMeasurement is how far apart two reports of one measurement may seem, as sites repeat it and delays vary. They
	// tell the same number.
	sameMeasurement = 200 * time.Millisecond
	// countRounds is how many counts of answers are remembered, countApart how far apart they are: reports tell what was
	// so some time ago, and the answers since then are what counts.
	countRounds = 64
	countApart  = 500 * time.Millisecond
	// Differences are levelled over levelling times the TTL, at most mostPatience.
	levelling    = 4
	mostPatience = time.Minute
	// leastInterval is the least time that a Status is reckoned to count for.
	leastInterval = 100 * time.Millisecond
	// longestUse is for how long answers count as being in use at most: the rounds reach twice as far.
	longestUse = countRounds * countApart / 2
	// usualTTL is that of answers with the service by way of a backup only.
	usualTTL = 30 * time.Second
)

// metering is the metrics besides connections: their field on the wire, whether they rise with answers, and over which time
// what is reported is the mean.
var metering = [...]struct {
	metric metric.Metric
	wire   mep.Fields
	rises  bool
	window time.Duration
	of     func(*gslb.Measures) *gslb.Measure
}{
	{metric.Requests, mep.HasRequestsPerSecond, true, monitors.RateWindow, func(m *gslb.Measures) *gslb.Measure { return &m.Requests }},
	{metric.ResponseTime, mep.HasResponseTime, false, 0, func(m *gslb.Measures) *gslb.Measure { return &m.ResponseTime }},
	{metric.Bandwidth, mep.HasBitsPerSecond, true, monitors.RateWindow, func(m *gslb.Measures) *gslb.Measure { return &m.Bandwidth }},
	{metric.Packets, mep.HasPacketsPerSecond, true, monitors.RateWindow, func(m *gslb.Measures) *gslb.Measure { return &m.Packets }},
	{metric.CustomLoad, mep.HasCustomLoad, true, 0, func(m *gslb.Measures) *gslb.Measure { return &m.Custom }},
	{metric.Members, mep.HasMembersBehind, false, 0, func(m *gslb.Measures) *gslb.Measure { return &m.Members }},
	{metric.MemberWeight, mep.HasMemberWeight, false, 0, func(m *gslb.Measures) *gslb.Measure { return &m.MemberWeight }},
	{metric.Capacity, mep.HasCapacity, false, 0, func(m *gslb.Measures) *gslb.Measure { return &m.Capacity }},
}

// rounds are the times at which answers were counted.
type rounds struct {
	at [countRounds]time.Time
	n  uint64 // so far
}

// due reports whether a count is due, and notes its time.
func (r *rounds) due(now time.Time) bool {
	if r.n > 0 && now.Sub(r.at[(r.n-1)%countRounds]) < countApart {
		return false
	}
	r.at[r.n%countRounds] = now
	r.n++
	return true
}

// busy is how busy a service with a load source is, as reports tell, and what followed from answers.
type busy struct {
	counts      [countRounds]uint64 // of answers, by round
	from        uint64              // first round that was counted
	kept        time.Duration       // for how long an answer is used: its TTL
	connections meter
	inUse       float64               // answers in use at the time of the last report of connections
	others      *[len(metering)]meter // nil until one of them was reported
}

// meter is one metric of a service.
type meter struct {
	value  float64
	at     time.Time // of the last report; zero: there was none
	source string
	handed float64 // answers whose clients that report could know of
	habit  habit
}

// count notes how many answers there are in this round.
func (b *busy) count(r *rounds, handed uint64) { b.counts[(r.n-1)%countRounds] = handed }

// handedAt returns how many answers there were at a time up to now, when there are handed. What is longer ago than the
// rounds reach counts as of the oldest.
func (b *busy) handedAt(r *rounds, at, now time.Time, handed uint64) float64 {
	laterAt, later := now, float64(handed)
	for n := r.n; n > b.from && r.n-n < countRounds; n-- {
		earlierAt, earlier := r.at[(n-1)%countRounds], float64(b.counts[(n-1)%countRounds])
		if !at.Before(earlierAt) {
			if !at.Before(laterAt) || !laterAt.After(earlierAt) {
				return later
			}
			part := float64(at.Sub(earlierAt)) / float64(laterAt.Sub(earlierAt))
			return earlier + part*(later-earlier)
		}
		laterAt, later = earlierAt, earlier
	}
	return later
}

// used returns how many answers were in use at a time up to now, when there are handed: those of the TTL before.
func (b *busy) used(r *rounds, at, now time.Time, handed uint64) float64 {
	return b.handedAt(r, at, now, handed) - b.handedAt(r, at.Add(-min(b.kept, longestUse)), now, handed)
}

// pace is how many answers there were in the last second, and how many a second in the time for which one is kept if that is more.
func (b *busy) pace(r *rounds, kept time.Duration, now time.Time, handed uint64) (last, long float64) {
	kept = min(max(kept, time.Second), longestUse)
	last = float64(handed) - b.handedAt(r, now.Add(-time.Second), now, handed)
	return last, (float64(handed) - b.handedAt(r, now.Add(-kept), now, handed)) / kept.Seconds()
}

// connected takes in a report of connections.
func (b *busy) connected(value float64, at, now time.Time, source string, r *rounds, handed uint64) {
	m := &b.connections
	before, was := m.value, m.at
	m.take(value, at, b.handedAt(r, at, now, handed), source)
	if m.at.Equal(was) {
		return
	}
	inUse := b.used(r, at, now, handed)
	if !was.IsZero() && at.Sub(was) >= sameMeasurement {
		m.habit.learnUse(value-before, inUse-b.inUse)
	}
	b.inUse = inUse
}

// take takes in a report of one metric. handed is the count of answers whose clients the report could know of.
func (m *meter) take(value float64, at time.Time, handed float64, source string) {
	apart := at.Sub(m.at)
	if !m.at.IsZero() && (apart <= -sameMeasurement || apart < sameMeasurement && value == m.value) {
		return
	}
	if !m.at.IsZero() && apart >= sameMeasurement && handed >= m.handed {
		m.habit.learn(m.value, value, handed-m.handed, apart)
	}
	m.value, m.at, m.handed, m.source = value, at, handed, source
}

// measure is the metric as of now, when there are handed answers. old is how long ago it was so; fresh says whether
// that is recent enough to reckon from.
func (m *meter) measure(handed uint64, old time.Duration, fresh bool, start, least float64) gslb.Measure {
	out := gslb.Measure{Value: m.value, At: m.at, Source: m.source}
	r := m.habit.rate(start, least)
	answers := max(float64(handed)-m.handed, 0)
	out.PerAnswer = r.guess
	if !fresh {
		old = 0 // nothing is known to have ended
	}
	out.Expected = max(m.habit.expected(m.value, answers, old, r), -m.value)
	return out
}

// answersKept returns for how long resolvers and clients use an answer with a service, by its name.
func answersKept(doc *config.Document, plan *gslb.Plan) map[string]time.Duration {
	ttls := make(map[gslb.VirtualServerIndex]time.Duration)
	for i := range plan.Domains() {
		d := plan.Domain(gslb.DomainIndex(i))
		ttls[d.VirtualServer()] = max(ttls[d.VirtualServer()], time.Duration(d.TTL)*time.Second)
	}
	out := make(map[string]time.Duration)
	for i := range doc.VirtualServers {
		v := &doc.VirtualServers[i]
		ttl := usualTTL
		if len(v.Domains) > 0 {
			ttl = ttls[gslb.VirtualServerIndex(i)]
		}
		for _, m := range v.Members {
			out[m.Service] = max(out[m.Service], ttl)
		}
	}
	return out
}

// told takes in what this node's load source told.
func (b *busy) told(l *monitors.Load, r *rounds, handed uint64) {
	now := l.At
	if r.n > 0 && r.at[(r.n-1)%countRounds].After(now) {
		now = r.at[(r.n-1)%countRounds]
	}
	if !l.WithoutActive {
		b.connected(float64(l.Active), l.At, now, l.Source, r, handed)
	}
	for i := range metering {
		if v, ok := l.Metrics.Get(metering[i].metric); ok {
			at := l.At.Add(-metering[i].window / 2)
			b.other(i).take(v, l.At, b.handedAt(r, at, now, handed), l.Source)
		}
	}
}

// reported takes in what the owner reported at now.
func (b *busy) reported(record *mep.ServiceRecord, age time.Duration, now time.Time, source string, r *rounds, handed uint64) {
	at := now.Add(-age - record.LoadAge)
	if record.Has&mep.HasActiveConnections != 0 {
		b.connected(float64(min(record.ActiveConnections, metric.MaxActive)), at, now, source, r, handed)
	}
	for i := range metering {
		if record.Has&metering[i].wire != 0 {
			before := at.Add(-metering[i].window / 2)
			b.other(i).take(fromWire(record, metering[i].wire), at, b.handedAt(r, before, now, handed), source)
		}
	}
}

func (b *busy) other(i int) *meter {
	if b.others == nil {
		b.others = new([len(metering)]meter)
	}
	return &b.others[i]
}

// load is the connections as of now.
func (b *busy) load(r *rounds, now time.Time, handed uint64, limit, interval time.Duration) gslb.Load {
	c := &b.connections
	fresh := !c.at.IsZero() && now.Sub(c.at) <= limit
	m := c.measure(handed, c.habit.within(now.Sub(c.at)), fresh, startPerAnswer, leastPerAnswer)
	if fresh {
		inUse := b.used(r, now, now, handed)
		if k := c.habit.perUse(startPerAnswer, c.value/max(inUse, 1)); k > m.PerAnswer {
			m.PerAnswer = k
			m.Expected += c.habit.use.certainty() * (max(k*(inUse-b.inUse), -c.value) - m.Expected)
		}
	}
	last, long := b.pace(r, b.kept, now, handed)
	return gslb.Load{Active: uint64(c.value), At: c.at, Handed: uint64(c.handed), Source: c.source, PerAnswer: m.PerAnswer,
		Patience: patience(b.kept, interval), Pace: last, LongPace: long, Expected: m.Expected}
}

// measures is what else was reported, as of now; nil: nothing ever was.
func (b *busy) measures(r *rounds, now time.Time, handed uint64, limit, interval time.Duration) *gslb.Measures {
	if b.others == nil {
		return nil
	}
	out := new(gslb.Measures)
	for i := range metering {
		m, kind := &b.others[i], &metering[i]
		switch {
		case m.at.IsZero():
		case kind.rises:
			old := now.Sub(m.at)
			one := m.measure(handed, m.habit.within(old)+kind.window/2, old <= limit, 0, 0)
			kept := max(b.kept, kind.window)
			one.Patience = patience(kept, interval)
			one.Pace, one.LongPace = b.pace(r, kept, now, handed)
			*kind.of(out) = one
		default:
			*kind.of(out) = gslb.Measure{Value: m.value, At: m.at, Source: m.source}
		}
	}
	return out
}

// recount makes answers count from now on for what is no longer, or never was, reported: by rounds, as if there had been a
// report.
func (b *busy) recount(now time.Time, handed uint64, limit time.Duration) {
	if now.Sub(b.connections.at) > limit {
		b.connections.handed = float64(handed)
	}
	if b.others == nil {
		return
	}
	for i := range b.others {
		if now.Sub(b.others[i].at) > limit {
			b.others[i].handed = float64(handed)
		}
	}
}

// busyness is how busy a service is. counted says that a round of counts is due, newRound that services without reports start
// to count anew.
func (t *Tracker) busyness(i gslb.ServiceIndex, now time.Time, handed uint64, counted, newRound bool) (gslb.Load, *gslb.Measures) {
	b, limit := t.services[i].busy, t.plan.Service(i).LoadFresh()
	if counted {
		b.count(&t.rounds, handed)
	}
	if newRound {
		b.recount(now, handed, limit)
	}
	return b.load(&t.rounds, now, handed, limit, t.interval), b.measures(&t.rounds, now, handed, limit, t.interval)
}

// patience is by how much less than one answer really brings the answers of one snapshot are to level: an answer is used for
// as long as it is kept, so what is levelled at once comes back as a wave when those answers end together.
func patience(kept, interval time.Duration) float64 {
	return max(1, float64(min(levelling*kept, mostPatience))/float64(max(interval, leastInterval)))
}
