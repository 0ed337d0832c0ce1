package adns

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// tally is one of the numbers that a shard counts.
type tally uint8

// Tallies. The first ones are families with a member for each transport, rcode, class of types and path.
const (
	tallyQueries    = tally(0)
	tallyRcodes     = tallyQueries + tally(numTransports)
	tallyTypes      = tallyRcodes + maxRcode + 1
	tallyPaths      = tallyTypes + tally(numTypeClasses)
	tallyTruncated  = tallyPaths + tally(numPaths)
	tallyDropped    = tallyTruncated + 1
	tallyProhibited = tallyDropped + 1
	tallyCookies    = tallyProhibited + 1
	numTallies      = tallyCookies + tally(numCookieKinds)
)

// The mask of a shard has a bit for each tally.
const _ = uint(64 - numTallies)

// TypeClass is what kind of record was asked for, in a few words.
type TypeClass uint8

// Classes of query types.
const (
	TypeA TypeClass = iota
	TypeAAAA
	TypeHTTPS
	TypeOther
	numTypeClasses
)

// String returns the type's mnemonic, or "other".
func (t TypeClass) String() string {
	return [...]string{"A", "AAAA", "HTTPS", "other"}[min(t, TypeOther)]
}

// classOf returns the class of a query type.
func classOf(qtype uint16) TypeClass {
	switch qtype {
	case dns.TypeA:
		return TypeA
	case dns.TypeAAAA:
		return TypeAAAA
	case dns.TypeHTTPS:
		return TypeHTTPS
	}
	return TypeOther
}

// Path is how an answer was made.
type Path uint8

// Paths.
const (
	Fast     Path = iota // in place, from precompiled bytes
	Slow                 // by way of miekg/dns
	numPaths             //
)

// String returns "fast" or "slow".
func (p Path) String() string {
	if p == Fast {
		return "fast"
	}
	return "slow"
}

// shardCells is how many places shards publish to, so that many workers do not wait for one cache line.
const shardCells = 16

// fastRcodes is how many rcodes have a place in shard.fast: those that the fast path sends without OPT's help.
const fastRcodes = dns.RcodeRefused + 1

// shard counts for one goroutine, in plain numbers. What it counted is seen by others after flush.
type shard struct {
	n     [numTallies]uint64
	dirty uint64 // bit i: n[i] is not zero
	// fast is responses of the fast path, by class of types and rcode; fastDirty says that there are some.
	fast      [numTypeClasses][fastRcodes]uint64
	fastDirty bool
	began     int64 // when the first request since the last flush came, in nanoseconds since epoch; 0: none did
	epoch     time.Time
	cell      *shardCell
}

// shardCell is where shards publish to: several of them, now and then, so additions are atomic.
type shardCell struct {
	n       [numTallies]atomic.Uint64
	latency [numTransports]latencyCell
	_       [64]byte // the neighbour's numbers are in another cache line
}

// shards is all cells. The zero value is ready.
type shards struct {
	next  atomic.Uint32
	cells [shardCells]shardCell
}

// shard returns an empty shard that publishes to s.
func (s *shards) shard() shard {
	// An epoch in the past keeps 0 free for "none".
	return shard{epoch: time.Now().Add(-time.Second), cell: &s.cells[s.next.Add(1)%shardCells]}
}

// sum returns what was published of a tally.
func (s *shards) sum(t tally) (sum uint64) {
	for i := range s.cells {
		sum += s.cells[i].n[t].Load()
	}
	return sum
}

func (l *shard) count(t tally) {
	l.n[t]++
	l.dirty |= 1 << t
}

// start starts the clock with a reading that was made anyway: nanoseconds after a time.
func (l *shard) start(after time.Time, nanos int64) {
	if l.began == 0 {
		l.began = nanos - int64(l.epoch.Sub(after))
	}
}

// query counts a request, answered or not, when it is taken up. The first one since the last flush starts the clock.
func (l *shard) query(t Transport) {
	if l.began == 0 {
		l.began = int64(time.Since(l.epoch))
	}
	l.count(tallyQueries + tally(t))
}

// answered counts a response: its rcode, with the upper bits from OPT, and how it was made.
func (l *shard) answered(rcode int, path Path) {
	if uint(rcode) <= maxRcode {
		l.count(tallyRcodes + tally(rcode))
	}
	l.count(tallyPaths + tally(path))
}

// fastAnswer counts a response of the fast path: asked and answered in one. rcodes that need OPT's bits are seldom, and
// counted the long way.
func (l *shard) fastAnswer(qtype uint16, rcode int) {
	if uint(rcode) >= fastRcodes {
		l.asked(qtype)
		l.answered(rcode, Fast)
		return
	}
	l.fast[classOf(qtype)][rcode]++
	l.fastDirty = true
}

// spread turns what fastAnswer counted into tallies.
func (l *shard) spread() {
	for class := range l.fast {
		for rcode, n := range l.fast[class] {
			if n == 0 {
				continue
			}
			l.add(tallyTypes+tally(class), n)
			l.add(tallyRcodes+tally(rcode), n)
			l.add(tallyPaths+tally(Fast), n)
			l.fast[class][rcode] = 0
		}
	}
	l.fastDirty = false
}

func (l *shard) add(t tally, n uint64) {
	l.n[t] += n
	l.dirty |= 1 << t
}

// asked counts the type of a question that could be read.
func (l *shard) asked(qtype uint16) { l.count(tallyTypes + tally(classOf(qtype))) }

// truncated counts a response with TC.
func (l *shard) truncated() { l.count(tallyTruncated) }

// dropped counts a request that deserves no answer.
func (l *shard) dropped() { l.count(tallyDropped) }

// flush publishes what was counted since the last one. Call it once per batch: the time since the batch's first request is
// the latency of all requests in it.
func (l *shard) flush() {
	if l.fastDirty {
		l.spread()
	}
	if l.dirty == 0 {
		return
	}
	if l.began != 0 {
		elapsed := int64(time.Since(l.epoch)) - l.began
		for t := range numTransports {
			if n := l.n[tallyQueries+tally(t)]; n > 0 {
				l.cell.latency[t].add(elapsed, n)
			}
		}
		l.began = 0
	}
	for left := l.dirty; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		l.cell.n[i].Add(l.n[i])
		l.n[i] = 0
	}
	l.dirty = 0
}
