package probe

import (
	"errors"
	"sync/atomic"
	"time"

	"fairlead/config"
)

// Outcome is how a probe ended.
type Outcome uint8

// Outcomes.
const (
	Passed   Outcome = iota
	Drained          // it passed, and asks to be sent nobody new
	Slow             // it would have passed but for max_response_time
	Unlike           // the target answered otherwise than it should
	NoAnswer         // there was no answer, or none that could be read
	outcomes
)

// String returns the word that metrics have for it.
func (o Outcome) String() string {
	return [...]string{"passed", "drained", "slow", "unexpected", "no-answer"}[o]
}

// Shape of the counts of durations.
const (
	durationBuckets = 13 // and one for what is above
	leastBound      = 500 * time.Microsecond
)

// DurationBounds returns the upper bounds of KindCounts.Durations, but for the last, which has none: half a millisecond and its doubles
// up to 2 s.
func DurationBounds() []time.Duration {
	out := make([]time.Duration, durationBuckets)
	for i := range out {
		out[i] = leastBound << i
	}
	return out
}

// KindCounts are the numbers of one kind of probes.
type KindCounts struct {
	Type      config.MonitorType
	Outcomes  [outcomes]uint64
	Durations [durationBuckets + 1]uint64 // by how long they took as a whole
	Sum       time.Duration               // of all that they took
}

// Outcomes lists all outcomes.
func Outcomes() []Outcome { return []Outcome{Passed, Drained, Slow, Unlike, NoAnswer} }

// counts counts probes by kind. Kinds are added with it and never later.
type counts struct {
	kinds map[config.MonitorType]*kindCounts
}

type kindCounts struct {
	outcomes  [outcomes]atomic.Uint64
	durations [durationBuckets + 1]atomic.Uint64
	sum       atomic.Int64
}

func newCounts() *counts {
	c := &counts{kinds: make(map[config.MonitorType]*kindCounts)}
	for _, word := range config.MonitorType("").Enum() {
		c.kinds[config.MonitorType(word)] = new(kindCounts)
	}
	return c
}

func (c *counts) add(kind config.MonitorType, o Outcome, took time.Duration) {
	k := c.kinds[kind]
	if k == nil {
		return
	}
	k.outcomes[o].Add(1)
	k.sum.Add(int64(took))
	at := 0
	for at < durationBuckets && took > leastBound<<at {
		at++
	}
	k.durations[at].Add(1)
}

// Counts returns the numbers of all kinds of which there was a probe, in no order. What is counted meanwhile may be in a part of them.
func (p *Prober) Counts() []KindCounts {
	var out []KindCounts
	for kind, k := range p.counts.kinds {
		one, some := KindCounts{Type: kind, Sum: time.Duration(k.sum.Load())}, false
		for i := range k.outcomes {
			one.Outcomes[i] = k.outcomes[i].Load()
			some = some || one.Outcomes[i] > 0
		}
		for i := range k.durations {
			one.Durations[i] = k.durations[i].Load()
		}
		if some {
			out = append(out, one)
		}
	}
	return out
}

// outcomeOf says how a probe ended. err is what its kind returned, before it was judged.
func outcomeOf(r *Result, err error) Outcome {
	switch {
	case r.Drain:
		return Drained
	case r.OK:
		return Passed
	case r.Slow:
		return Slow
	case err == nil, errors.As(err, new(*mismatch)):
		return Unlike
	}
	return NoAnswer
}
