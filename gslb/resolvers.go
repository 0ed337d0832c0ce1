package gslb

import (
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	// MaxResolverSites is how many sites' round-trip times are remembered of one resolver: the shortest ones.
	MaxResolverSites = 16
	// maxSiteNames bounds the different sites that a table ever heard of.
	maxSiteNames = 255
	// maxRTT is the longest round-trip time that is told from longer ones: 24 bits of microseconds.
	maxRTT = (1<<24 - 1) * time.Microsecond
)

// Resolvers remembers how long a packet takes from each site to the resolvers (LDNS) that ask for names whose method is
// rtt, and queues those that nobody has measured yet. It is bounded: when there is no room, the resolver that nobody asked
// about for longest gives way. Times are Unix seconds, and come from callers alone.
//
// Safe for concurrent use. The memory is taken when the first measurement comes.
type Resolvers struct {
	*resolverStore
	readOnly bool
}

type resolverStore struct {
	options ResolverOptions
	cells   int // round-trip times of one resolver
	table   atomic.Pointer[resolverTable]
	asked   atomic.Pointer[wantedQueue]

	names     [maxSiteNames]atomic.Uint64 // hashes of the sites, in the order they came
	used      atomic.Int64
	evictions atomic.Uint64
	sweep     atomic.Int64
}

// ResolverOptions are the bounds of a Resolvers.
type ResolverOptions struct {
	Prefix4, Prefix6 int           // bits that identify a resolver; 0: all
	Max              int           // resolvers remembered, give or take a tenth; below 1: 1
	Timeout          time.Duration // how long a measurement counts, and a resolver nobody asks about stays
	Sites            int           // round-trip times of one resolver; 0: MaxResolverSites, the most
	Own              uint64        // site whose measurements make a resolver not wanted; 0: any site's do
	Key              HashKey       // secret, so that nobody aims at places of the table
}

// SiteRTT is the round-trip time from one site.
type SiteRTT struct {
	Site uint64 // hash of its name
	RTT  time.Duration
	At   int64 // when it was measured
	By   RTTSource
}

// ResolverStats counts what a Resolvers holds and did.
type ResolverStats struct {
	Entries   int    // resolvers
	Max       int    // most entries, give or take a tenth
	Bytes     int    // memory of the table
	Evictions uint64 // resolvers that gave way
	Waiting   int    // resolvers that wait to be measured
	Wanted    uint64 // resolvers that were queued
	Refused   uint64 // resolvers that were not: too many of one network, or of all
}

// NewResolvers returns an empty table.
func NewResolvers(o ResolverOptions) *Resolvers {
	if o.Prefix4 < 1 || o.Prefix4 > 32 {
		o.Prefix4 = 32
	}
	if o.Prefix6 < 1 || o.Prefix6 > 128 {
		o.Prefix6 = 128
	}
	if o.Sites < 1 || o.Sites > MaxResolverSites {
		o.Sites = MaxResolverSites
	}
	o.Max = max(o.Max, 1)
	return &Resolvers{resolverStore: &resolverStore{options: o, cells: o.Sites}}
}

// Options returns what the table was made with, with what was left open filled in.
func (r *Resolvers) Options() ResolverOptions { return r.options }

// ReadOnly returns a view of the same resolvers that takes in and wants nothing.
func (r *Resolvers) ReadOnly() *Resolvers {
	return &Resolvers{resolverStore: r.resolverStore, readOnly: true}
}

// Carry returns a table with other options and the same measurements, as far as it has room; the same table when the
// options are the same. What is measured meanwhile may be missing: it is measured again.
func (r *Resolvers) Carry(o ResolverOptions) *Resolvers {
	next := NewResolvers(o)
	if next.options == r.options {
		return r
	}
	r.Each(func(ldns netip.Prefix, wanted int64, rtts []SiteRTT) bool {
		for _, m := range rtts {
			next.MeasuredBy(ldns.Addr(), m.Site, m.RTT, m.At, m.By)
		}
		next.touch(ldns.Addr(), wanted)
		return true
	})
	return next
}

// RTTs appends what counts of a resolver at the time at, in no order. It allocates nothing when into has room for Sites.
func (r *Resolvers) RTTs(ldns netip.Addr, at int64, into []SiteRTT) []SiteRTT {
	t := r.table.Load()
	if t == nil {
		return into
	}
	var e resolver
	if !t.find(r.seek(ldns), &e) {
		return into
	}
	for i, c := range e.cells[:e.count] {
		if c.until(r.seconds()) > at {
			into = append(into, r.siteRTT(c, e.by[i]))
		}
	}
	return into
}

// ask reads what counts of a resolver at the time at, and notes that it is wanted as Wanted does. It returns nil when the
// resolver is not known, else e.
func (r *Resolvers) ask(ldns netip.Addr, at int64, e *resolver) (known *resolver, hash uint64) {
	w := r.seek(ldns)
	known = r.look(&w, at-r.seconds(), e)
	if !r.readOnly && at > 0 {
		r.want(ldns, &w, at, known)
	}
	return known, w.hash
}

// peek is ask without the note.
func (r *Resolvers) peek(ldns netip.Addr, at int64, e *resolver) *resolver {
	w := r.seek(ldns)
	return r.look(&w, at-r.seconds(), e)
}

// look reads a resolver, with what was measured after a time; nil: it is not known.
func (r *resolverStore) look(w *sought, after int64, e *resolver) *resolver {
	if t := r.table.Load(); t == nil || !t.fresh(w, max(after, 0), e) {
		return nil
	}
	return e
}

// Lookup returns the network that stands for a resolver, and all that is known of it, also what does not count any more.
func (r *Resolvers) Lookup(ldns netip.Addr) (network netip.Prefix, rtts []SiteRTT, ok bool) {
	var e resolver
	if t := r.table.Load(); t == nil || !t.find(r.seek(ldns), &e) {
		return netip.Prefix{}, nil, false
	}
	for i, c := range e.cells[:e.count] {
		rtts = append(rtts, r.siteRTT(c, e.by[i]))
	}
	return r.network(&e), rtts, true
}

// Measured takes in a round-trip time, and reports whether it did: one that is older than what is there from the same
// site is not taken, nor is a long one when there are enough shorter ones.
func (r *Resolvers) Measured(ldns netip.Addr, site uint64, rtt time.Duration, at int64) bool {
	return r.MeasuredBy(ldns, site, rtt, at, RTTUnknown)
}

// MeasuredBy is Measured with how it was measured, which decides nothing.
func (r *Resolvers) MeasuredBy(ldns netip.Addr, site uint64, rtt time.Duration, at int64, by RTTSource) bool {
	if r.readOnly || at <= 0 || rtt < 0 || !ldns.IsValid() {
		return false
	}
	name, ok := r.nameOf(site)
	if !ok {
		return false
	}
	return r.made().measured(r.resolverStore, r.seek(ldns), newCell(name, rtt, at), by, false)
}

// Restore is MeasuredBy of what an earlier table of the same options had: all of its resolvers find room again, also those
// that it had above Max.
func (r *Resolvers) Restore(ldns netip.Addr, m SiteRTT) bool {
	if r.readOnly || m.At <= 0 || m.RTT < 0 || !ldns.IsValid() {
		return false
	}
	name, ok := r.nameOf(m.Site)
	return ok && r.made().measured(r.resolverStore, r.seek(ldns), newCell(name, m.RTT, m.At), m.By, true)
}

// Drop forgets a resolver, and reports whether there was one.
func (r *Resolvers) Drop(ldns netip.Addr) bool {
	t := r.table.Load()
	if t == nil || r.readOnly {
		return false
	}
	if !t.drop(r.seek(ldns)) {
		return false
	}
	r.used.Add(-1)
	return true
}

// Len returns the number of resolvers.
func (r *Resolvers) Len() int { return int(r.used.Load()) }

// Stats returns counters.
func (r *Resolvers) Stats() ResolverStats {
	out := ResolverStats{Entries: r.Len(), Max: r.options.Max, Evictions: r.evictions.Load()}
	if t := r.table.Load(); t != nil {
		out.Bytes = t.bytes()
	}
	if q := r.asked.Load(); q != nil {
		out.Waiting, out.Wanted, out.Refused = q.waiting(), q.tail.Load(), q.refused.Load()
	}
	return out
}

// Each calls f for each resolver, in no order, until f returns false: the network that stands for it, when it asked last as
// far as that was noted, and all that is known of it, also what does not count any more. f must not keep rtts.
func (r *Resolvers) Each(f func(ldns netip.Prefix, wanted int64, rtts []SiteRTT) bool) { r.Walk(0, f) }

// Walk is Each from a position on: 0, or what an earlier Walk returned. When f returned false, next is the position to go
// on with; else it is 0.
func (r *Resolvers) Walk(from int, f func(ldns netip.Prefix, wanted int64, rtts []SiteRTT) bool) (next int) {
	t := r.table.Load()
	if t == nil || from < 0 {
		return 0
	}
	rtts := make([]SiteRTT, 0, MaxResolverSites)
	var copied [placeWays]resolver
	for p := from / placeWays; p < len(t.places); p++ {
		t.copy(p, &copied)
		for i := max(0, from-p*placeWays); i < placeWays; i++ {
			e := &copied[i]
			if !e.taken {
				continue
			}
			rtts = rtts[:0]
			for i, c := range e.cells[:e.count] {
				rtts = append(rtts, r.siteRTT(c, e.by[i]))
			}
			if !f(r.network(e), e.wanted, rtts) {
				return p*placeWays + i + 1
			}
		}
	}
	return 0
}

// Expire forgets resolvers that nobody asked about nor measured for the time-out. It looks at a share of the table, a
// different one at each call: all of it after parts calls. One caller at a time.
func (r *Resolvers) Expire(at int64, parts int) {
	t := r.table.Load()
	if t == nil || r.readOnly {
		return
	}
	first := int(r.sweep.Load())
	n := min((len(t.places)+parts-1)/max(parts, 1), len(t.places))
	for i := range n {
		r.used.Add(int64(-t.expire((first+i)%len(t.places), at-r.seconds())))
	}
	r.sweep.Store(int64((first + n) % len(t.places)))
}

func (r *resolverStore) seconds() int64 { return int64(r.options.Timeout / time.Second) }

func (r *resolverStore) siteRTT(c rttCell, by RTTSource) SiteRTT {
	return SiteRTT{Site: r.names[c.name()].Load(), RTT: c.rtt(), At: c.at(), By: by}
}

func (r *resolverStore) network(e *resolver) netip.Prefix {
	a := addrOf(e.high, e.low)
	if a.Is4() {
		return netip.PrefixFrom(a, r.options.Prefix4)
	}
	return netip.PrefixFrom(a, r.options.Prefix6)
}

// seek masks and hashes a resolver's address.
func (r *resolverStore) seek(ldns netip.Addr) (w sought) {
	w.high, w.low = words(ldns)
	if ldns.Is4() || ldns.Is4In6() {
		w.low &= ^uint64(0) << (32 - r.options.Prefix4)
	} else {
		w.high, w.low = maskWords(w.high, w.low, r.options.Prefix6)
	}
	w.hash = r.options.Key.hash(w.high, w.low, 0)
	return w
}

func maskWords(high, low uint64, bits int) (uint64, uint64) {
	if bits <= 64 {
		return high & (^uint64(0) << (64 - bits)), 0
	}
	return high, low & (^uint64(0) << (128 - bits))
}

// nameOf numbers a site. Numbers are never given to another one.
func (r *resolverStore) nameOf(site uint64) (uint8, bool) {
	if site == 0 {
		return 0, false
	}
	for i := range r.names {
		for {
			known := r.names[i].Load()
			if known == site || known == 0 && r.names[i].CompareAndSwap(0, site) {
				return uint8(i), true
			}
			if known != 0 {
				break
			}
		}
	}
	return 0, false
}

func (r *resolverStore) made() *resolverTable {
	for {
		if t := r.table.Load(); t != nil {
			return t
		}
		r.table.CompareAndSwap(nil, newResolverTable(r.options.Max, r.cells))
	}
}
