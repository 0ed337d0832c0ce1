package adns

import (
	"container/heap"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of connections, all transports together (RFC 9210 section 4.2). They are the defaults of TCPOptions.
const (
	MaxTCPConnections = 20_000
	MaxTCPPerPrefix   = 100 // of one IPv4 address or IPv6 /64; loopback is not limited
	TCPIdle           = 10 * time.Second

	// idleCrowded and idleFull are the idle time-outs as the table fills: the time-out falls from its full length at
	// half of the table to idleCrowded at four fifths, and is idleFull in the last twentieth.
	idleCrowded = 2 * time.Second
	idleFull    = time.Second

	// unprovenHandicap is how much longer a connection counts as idle that has not asked anything yet: a flood of silent
	// connections evicts its own.
	unprovenHandicap = 2 * time.Second
	// maxRestamps bounds the search for the oldest idle connection in a table where all are active.
	maxRestamps = 256
)

// admission holds the open connections of all stream transports against the limits. Where there is no room for a new
// connection, the one that has been idle for longest makes it, so that idle connections never lock anybody out. Admitting
// and leaving take a lock; using a connection does not.
type admission struct {
	maxTotal, maxPerPrefix int
	maxIdle                time.Duration
	begin                  time.Time // stamps are nanoseconds since then

	idle     atomic.Int64 // the idle time-out now
	draining atomic.Bool

	mu       sync.Mutex
	slots    slotHeap                 // all of them
	byPrefix map[netip.Prefix][]*slot // those of prefixes that are limited
}

// slot is one connection's place in the table.
type slot struct {
	conn   net.Conn // below TLS
	prefix netip.Prefix
	// used is the stamp of the last time that something was asked.
	used atomic.Int64
	// busy keeps a connection from being evicted: a zone transfer is under way.
	busy atomic.Bool

	// Under the admission's lock.
	stamp      int64 // used as it was when the slot got its place in the heap: never later than used
	heapIndex  int   // -1: it left
	groupIndex int
}

// newAdmission returns an empty table. Limits that are 0 are the defaults.
func newAdmission(o TCPOptions) *admission {
	a := &admission{
		maxTotal: o.MaxConnections, maxPerPrefix: o.MaxPerClient, maxIdle: o.IdleTimeout,
		begin: time.Now(), byPrefix: make(map[netip.Prefix][]*slot),
	}
	if a.maxTotal == 0 {
		a.maxTotal = MaxTCPConnections
	}
	if a.maxPerPrefix == 0 {
		a.maxPerPrefix = MaxTCPPerPrefix
	}
	if a.maxIdle == 0 {
		a.maxIdle = TCPIdle
	}
	a.idle.Store(int64(a.maxIdle))
	return a
}

// idleTimeout is how long a connection may be idle now: what a client is told that asks (RFC 7828).
func (a *admission) idleTimeout() time.Duration { return time.Duration(a.idle.Load()) }

// touch notes that a connection was used at now.
func (a *admission) touch(s *slot, now time.Time) { s.used.Store(int64(now.Sub(a.begin))) }

// enter takes a connection in. The one that was evicted for it, if any, is closed. A nil slot means that all others are
// busy, or that the server ends: conn is the caller's to close.
func (a *admission) enter(conn net.Conn, prefix netip.Prefix, now time.Time) (entered *slot, evicted bool) {
	s := &slot{conn: conn, prefix: prefix}
	s.stamp = int64(now.Sub(a.begin) - unprovenHandicap)
	s.used.Store(s.stamp)
	a.mu.Lock()
	victim, room := a.makeRoom(prefix)
	if room {
		heap.Push(&a.slots, s)
		if prefix.IsValid() {
			s.groupIndex = len(a.byPrefix[prefix])
			a.byPrefix[prefix] = append(a.byPrefix[prefix], s)
		}
		a.adjust()
	}
	a.mu.Unlock()
	if victim != nil {
		victim.conn.Close()
	}
	if !room {
		return nil, false
	}
	return s, victim != nil
}

// makeRoom takes a connection out of the table if there is no place for one more of the prefix.
func (a *admission) makeRoom(prefix netip.Prefix) (victim *slot, room bool) {
	switch group := a.byPrefix[prefix]; {
	case a.draining.Load():
		return nil, false
	case prefix.IsValid() && len(group) >= a.maxPerPrefix:
		victim = oldest(group)
	case len(a.slots) >= a.maxTotal:
		victim = a.oldest()
	default:
		return nil, true
	}
	if victim == nil {
		return nil, false
	}
	a.remove(victim)
	return victim, true
}

// oldest returns the connection of a group that has been idle for longest, nil if all are busy.
func oldest(group []*slot) (found *slot) {
	for _, s := range group {
		if !s.busy.Load() && (found == nil || s.used.Load() < found.used.Load()) {
			found = s
		}
	}
	return found
}

// oldest returns the connection that has been idle for longest, nil if all that were looked at are busy. The heap is
// ordered by stamps that may be old; those at its top are brought up to date until one is right.
func (a *admission) oldest() *slot {
	for range maxRestamps {
		if len(a.slots) == 0 {
			return nil
		}
		top := a.slots[0]
		used := top.used.Load()
		if top.busy.Load() {
			used = max(top.stamp+1, int64(time.Since(a.begin)))
		}
		if used <= top.stamp {
			return top
		}
		top.stamp = used
		heap.Fix(&a.slots, 0)
	}
	if top := a.slots[0]; !top.busy.Load() {
		return top
	}
	return nil
}

// evict closes the connection that has been idle for longest, to free its file descriptor, and reports whether there was
// one.
func (a *admission) evict() bool {
	a.mu.Lock()
	victim := a.oldest()
	if victim != nil {
		a.remove(victim)
	}
	a.mu.Unlock()
	if victim == nil {
		return false
	}
	victim.conn.Close()
	return true
}

// leave undoes enter. Leaving again, or after an eviction, does nothing.
func (a *admission) leave(s *slot) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remove(s)
}

func (a *admission) remove(s *slot) {
	if s.heapIndex < 0 {
		return
	}
	heap.Remove(&a.slots, s.heapIndex)
	if group := a.byPrefix[s.prefix]; s.prefix.IsValid() {
		last := len(group) - 1
		group[s.groupIndex] = group[last]
		group[s.groupIndex].groupIndex = s.groupIndex
		group[last] = nil
		if a.byPrefix[s.prefix] = group[:last]; last == 0 {
			delete(a.byPrefix, s.prefix)
		}
	}
	a.adjust()
}

// adjust sets the idle time-out for the number of connections.
func (a *admission) adjust() { a.idle.Store(int64(shrunkIdle(a.maxIdle, len(a.slots), a.maxTotal))) }

// shrunkIdle is the idle time-out with so many of limit connections open.
func shrunkIdle(full time.Duration, open, limit int) time.Duration {
	fill := 100 * open / limit
	switch {
	case fill < 50:
		return full
	case fill >= 95:
		return min(full, idleFull)
	case fill >= 80 || full <= idleCrowded:
		return min(full, idleCrowded)
	}
	return full - (full-idleCrowded)*time.Duration(fill-50)/30
}

// drain lets no more connections in, ends the waiting of those that are open, and gives their last responses a moment
// to leave.
func (a *admission) drain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.draining.Store(true)
	for _, s := range a.slots {
		a.hurry(s.conn)
	}
}

// hurry sets the deadlines of a connection of a server that ends. Whoever sets a deadline must look afterwards whether
// the table drains, and then call it too.
func (a *admission) hurry(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Unix(1, 0))
	_ = conn.SetWriteDeadline(time.Now().Add(streamDrain))
}

// open returns the number of connections.
func (a *admission) open() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.slots)
}

// clientPrefix is what connections are counted by. The zero Prefix is not limited.
func clientPrefix(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	switch {
	case !a.IsValid() || a.IsLoopback():
		return netip.Prefix{}
	case a.Is4():
		bits = 32
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// slotHeap is a heap.Interface, the oldest stamp first.
type slotHeap []*slot

func (h slotHeap) Len() int           { return len(h) }
func (h slotHeap) Less(i, j int) bool { return h[i].stamp < h[j].stamp }

func (h slotHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i, j
}

// Push implements heap.Interface.
func (h *slotHeap) Push(x any) {
	s := x.(*slot)
	s.heapIndex = len(*h)
	*h = append(*h, s)
}

// Pop implements heap.Interface.
func (h *slotHeap) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	s.heapIndex = -1
	return s
}
