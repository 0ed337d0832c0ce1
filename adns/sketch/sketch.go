package sketch

import (
	"cmp"
	"context"
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fairlead/gslb"
)

// Limits.
const (
	// MaxEntries bounds the keys. With all of them in use a Sketch has less than 8 MB.
	MaxEntries = 65_536
	// MaxNames and MaxListeners bound the names and the addresses of this server that keys have; the queries of further
	// ones are counted as left out.
	MaxNames     = 65_536
	MaxListeners = 4096
	// HalfLife is the time in which a count halves.
	HalfLife = 15 * time.Minute
	// Bits4 and Bits6 are how much of a client's address is kept.
	Bits4, Bits6 = 24, 48

	queueSamples = 4096
	// Counts grow with the age of the sketch instead of shrinking with their own: after so many half-lives all are brought
	// back.
	rescaleAfter = 64
)

// Sample is one query, and how many it stands for.
type Sample struct {
	Name     string // of the balanced name as the plan has it: lower case, fully qualified
	Family   gslb.Family
	LDNS     netip.Addr
	Subnet   netip.Prefix // EDNS Client Subnet; the zero Prefix: none
	Listener netip.Addr   // the zero Addr: not known
	Weight   uint32
}

// Entry is one kind of query with its count.
type Entry struct {
	Name     string
	Family   gslb.Family
	LDNS     netip.Prefix // of at most Bits4 or Bits6
	Subnet   netip.Prefix // likewise; the zero Prefix: none
	Listener netip.Addr
	// Count is the queries, decayed, that were surely of this kind; Error is how many more there may have been. Those are
	// in the name's remainder.
	Count, Error float64
}

// Remainder is the queries of one name and family whose kind is not among the entries any more.
type Remainder struct {
	Name   string
	Family gslb.Family
	Count  float64
}

// View is what a Sketch holds at one moment. Counts of Entries and Remainders add up to Total.
type View struct {
	At         time.Time
	Since      time.Time // of the first sample; zero: there was none
	Entries    []Entry   // the most frequent first
	Remainders []Remainder
	Total      float64 // queries, decayed
	// PerSecond is what a count is multiplied with to make it a rate.
	PerSecond float64
	LeftOut   uint64 // queries of names or listeners beyond the limits, or that came too fast, since the start
	Changes   uint64 // samples that were added, since the start: equal numbers mean that nothing was added
}

// Options say what a Sketch is made of. The zero Options are fine.
type Options struct {
	// Entries bounds the keys. 0: MaxEntries.
	Entries int
	// Now is the clock that counts decay by. Nil: time.Now.
	Now func() time.Time
}

// Sketch counts samples. Make Sources from it; Run it once. Safe for concurrent use.
type Sketch struct {
	max     int
	now     func() time.Time
	queue   chan Sample
	leftOut atomic.Uint64

	mu        sync.Mutex
	table     table
	names     interned[string]
	listeners interned[netip.Addr]
	rest      map[restKey]float64
	total     float64 // scaled like counts
	epoch     time.Time
	since     time.Time
	changes   uint64
}

type restKey struct {
	name   uint32
	family gslb.Family
}

// New returns an empty Sketch.
func New(o Options) *Sketch {
	if o.Entries <= 0 || o.Entries > MaxEntries {
		o.Entries = MaxEntries
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sketch{max: o.Entries, now: o.Now, queue: make(chan Sample, queueSamples), rest: map[restKey]float64{}}
	s.table.index, s.names.max, s.listeners.max = map[key]uint32{}, MaxNames, MaxListeners
	return s
}

func (s *Sketch) put(sample *Sample) {
	select {
	case s.queue <- *sample:
	default:
		s.leftOut.Add(uint64(sample.Weight))
	}
}

// Run adds samples until ctx ends, and returns nil.
func (s *Sketch) Run(ctx context.Context) error {
	for {
		select {
		case sample := <-s.queue:
			s.Add(&sample)
		case <-ctx.Done():
			return nil
		}
	}
}

// Add adds a sample.
func (s *Sketch) Add(sample *Sample) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch.IsZero() {
		s.epoch, s.since = now, now
	}
	k, ok := s.keyOf(sample)
	if !ok {
		s.leftOut.Add(uint64(sample.Weight))
		return
	}
	weight := float64(sample.Weight) * s.scale(now)
	s.changes++
	s.total += weight
	if at, ok := s.table.index[k]; ok {
		s.table.grow(at, weight)
		return
	}
	if len(s.table.entries) < s.max {
		s.table.insert(k, weight)
		return
	}
	old := s.table.replaceLeast(k, weight)
	s.rest[restKey{old.key.name, old.key.family}] += old.count - old.err
}

// scale returns how much a query counts that comes now: twice as much as one HalfLife ago. So counts need not be touched
// to decay, and their order stays.
func (s *Sketch) scale(now time.Time) float64 {
	halves := float64(now.Sub(s.epoch)) / float64(HalfLife)
	if halves < 0 { // the clock was set back
		return 1
	}
	if halves < rescaleAfter {
		return math.Exp2(halves)
	}
	factor := math.Exp2(-halves)
	for i := range s.table.entries {
		s.table.entries[i].count *= factor
		s.table.entries[i].err *= factor
	}
	for k, v := range s.rest {
		if v *= factor; v < leastCount {
			v = 0
		}
		s.rest[k] = v
	}
	s.total *= factor
	s.epoch = now
	return 1
}

// leastCount is a count below which a kind is not asked for any more.
const leastCount = 0.01

// View returns what there is.
func (s *Sketch) View() View {
	now := s.now()
	s.mu.Lock()
	v, rows := s.copy(now)
	s.mu.Unlock()
	v.Entries = slices.DeleteFunc(rows, func(e Entry) bool { return e.Count+e.Error < leastCount })
	slices.SortFunc(v.Entries, func(a, b Entry) int { return cmp.Compare(b.Count, a.Count) })
	slices.SortFunc(v.Remainders, func(a, b Remainder) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Family, b.Family))
	})
	return v
}

// copy returns all there is, in no order.
func (s *Sketch) copy(now time.Time) (View, []Entry) {
	v := View{At: now, Since: s.since, LeftOut: s.leftOut.Load(), Changes: s.changes}
	if s.epoch.IsZero() {
		return v, nil
	}
	factor := 1 / s.scale(now)
	v.Total = s.total * factor
	v.PerSecond = perSecond(now.Sub(s.since))
	rows := make([]Entry, len(s.table.entries))
	for i := range s.table.entries {
		e := &s.table.entries[i]
		rows[i] = Entry{Name: s.names.all[e.key.name], Family: e.key.family, LDNS: e.key.ldns(), Subnet: e.key.subnet(),
			Listener: s.listeners.all[e.key.listener], Count: (e.count - e.err) * factor, Error: e.err * factor}
	}
	for k, count := range s.rest {
		if count *= factor; count >= leastCount {
			v.Remainders = append(v.Remainders, Remainder{Name: s.names.all[k.name], Family: k.family, Count: count})
		}
	}
	return v, rows
}

// perSecond is the sum of all queries' weights in a second, as it is after some time of even traffic.
func perSecond(age time.Duration) float64 {
	seconds := HalfLife.Seconds() / math.Ln2 * (1 - math.Exp2(-age.Seconds()/HalfLife.Seconds()))
	return 1 / max(seconds, 1)
}

// Len returns the number of keys.
func (s *Sketch) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.table.entries)
}

// LeftOut returns how many queries were not counted. Safe for concurrent use, and without waiting.
func (s *Sketch) LeftOut() uint64 { return s.leftOut.Load() }

// Changes returns how many samples were added.
func (s *Sketch) Changes() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changes
}
