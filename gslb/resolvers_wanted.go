package gslb

import (
	"net/netip"
	"sync/atomic"
)

const (
	// wantedSlots bounds the resolvers that wait to be measured.
	wantedSlots = 4096
	// wantedMemory is how many resolvers are remembered as queued a short time ago.
	wantedMemory = 8192
	// wantedAgain is how long a queued resolver is not queued again, in seconds.
	wantedAgain = 10
	// wantedNetworks is how many networks are counted apart, wantedPerNetwork what one of them may queue within wantedAgain:
	// addresses of queries can be forged, and who forges those of a network must not have all of it measured.
	wantedNetworks   = 4096
	wantedPerNetwork = 16
)

// wantedQueue is a bounded queue that many may write and read without waiting for each other, with what keeps it short.
type wantedQueue struct {
	recent   [wantedMemory]atomic.Uint64   // hash in the upper half, time in the lower
	networks [wantedNetworks]atomic.Uint64 // count in the lowest 16 bits, above it the time in units of wantedAgain
	refused  atomic.Uint64

	tail atomic.Uint64
	_    [cacheLine - 8]byte
	head atomic.Uint64
	_    [cacheLine - 8]byte
	ring [wantedSlots]wantedSlot
}

// wantedSlot is a place in the ring. Its turn, plus its index, is the position that may be written there, or that position
// plus 1 when it may be read.
type wantedSlot struct{ turn, high, low atomic.Uint64 }

// Wanted notes that a resolver asked for a name whose method is rtt. When its own site has no fresh measurement the
// resolver is queued for NextWanted, unless it was a moment ago; so that forged addresses do no harm, the queue is bounded,
// and so is what one network (/24, /48) may put there.
func (r *Resolvers) Wanted(ldns netip.Addr, at int64) {
	if r.readOnly || !ldns.IsValid() || at <= 0 {
		return
	}
	w := r.seek(ldns)
	var e resolver
	r.want(ldns, &w, at, r.look(&w, at-r.seconds(), &e))
}

// want is Wanted with what is known of the resolver, of which only what counts now is needed; nil: nothing.
func (r *Resolvers) want(ldns netip.Addr, w *sought, at int64, e *resolver) {
	if e != nil && r.known(w, e, at) {
		return
	}
	q := r.asked.Load()
	if q == nil {
		r.asked.CompareAndSwap(nil, &wantedQueue{})
		q = r.asked.Load()
	}
	if q.isRecent(w.hash, at) {
		return
	}
	high, low := words(ldns)
	network := high &^ (1<<16 - 1) // /48
	if ldns.Is4() || ldns.Is4In6() {
		network = low &^ 0xff
	}
	if !q.allows(r.options.Key.hash(network, 0, 1), at) || !q.put(high, low) {
		q.refused.Add(1)
	}
}

// known reports whether a resolver need not be measured, and notes that somebody asked.
func (r *Resolvers) known(w *sought, e *resolver, at int64) bool {
	if at-e.wanted > r.seconds()/refreshShare {
		r.table.Load().touch(*w, at)
	}
	for _, c := range e.cells[:e.count] {
		// After half of its time a measurement is made again, so that it never ends while somebody asks.
		if c.at()+r.seconds()/2 > at && (r.options.Own == 0 || r.names[c.name()].Load() == r.options.Own) {
			return true
		}
	}
	return false
}

// touch is for Carry.
func (r *Resolvers) touch(ldns netip.Addr, wanted int64) {
	if t := r.table.Load(); t != nil && wanted > 0 {
		t.touch(r.seek(ldns), wanted)
	}
}

// NextWanted takes the next resolver that is to be measured; ok is false when there is none.
func (r *Resolvers) NextWanted() (ldns netip.Addr, ok bool) {
	q := r.asked.Load()
	if q == nil || r.readOnly {
		return netip.Addr{}, false
	}
	high, low, ok := q.take()
	if !ok {
		return netip.Addr{}, false
	}
	return addrOf(high, low), true
}

// Asked reports whether a resolver asked lately for a name whose method is rtt, as far as that was noted: within the time-out
// when something was measured of it, else within some seconds.
func (r *Resolvers) Asked(ldns netip.Addr, at int64) bool {
	if !ldns.IsValid() {
		return false
	}
	w := r.seek(ldns)
	var e resolver
	if t := r.table.Load(); t != nil && t.find(w, &e) && e.wanted > 0 && e.wanted+r.seconds() > at {
		return true
	}
	q := r.asked.Load()
	if q == nil {
		return false
	}
	word := q.recent[w.hash%wantedMemory].Load()
	return word>>32 == w.hash>>32 && at-int64(uint32(word)) < wantedAgain
}

// isRecent reports whether a resolver was queued a moment ago, and remembers that it is now.
func (q *wantedQueue) isRecent(hash uint64, at int64) bool {
	word := &q.recent[hash%wantedMemory]
	old, now := word.Load(), hash&^(1<<32-1)|uint64(uint32(at))
	if old>>32 == now>>32 && at-int64(uint32(old)) < wantedAgain {
		return true
	}
	return !word.CompareAndSwap(old, now) // who was faster has queued it, or another one; then the next query does
}

// allows counts a resolver of a network.
func (q *wantedQueue) allows(network uint64, at int64) bool {
	word := &q.networks[network%wantedNetworks]
	for {
		old, now := word.Load(), uint64(at/wantedAgain)<<16
		switch {
		case old>>16 != now>>16:
		case old&0xffff >= wantedPerNetwork:
			return false
		default:
			now = old
		}
		if word.CompareAndSwap(old, now+1) {
			return true
		}
	}
}

func (q *wantedQueue) waiting() int { return int(q.tail.Load() - min(q.head.Load(), q.tail.Load())) }

// put appends; not when the queue is full.
func (q *wantedQueue) put(high, low uint64) bool {
	for {
		tail := q.tail.Load()
		i := tail % wantedSlots
		slot := &q.ring[i]
		switch turn := slot.turn.Load() + i; {
		case turn == tail:
			if q.tail.CompareAndSwap(tail, tail+1) {
				slot.high.Store(high)
				slot.low.Store(low)
				slot.turn.Store(tail + 1 - i)
				return true
			}
		case turn < tail:
			return false
		}
	}
}

// take removes the first.
func (q *wantedQueue) take() (high, low uint64, ok bool) {
	for {
		head := q.head.Load()
		i := head % wantedSlots
		slot := &q.ring[i]
		switch turn := slot.turn.Load() + i; {
		case turn == head+1:
			if q.head.CompareAndSwap(head, head+1) {
				high, low = slot.high.Load(), slot.low.Load()
				slot.turn.Store(head + wantedSlots - i)
				return high, low, true
			}
		case turn < head+1:
			return 0, 0, false
		}
	}
}
