package rrl

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"

	"github.com/gaissmai/bart"
)

// Bounds of Options.
const (
	MaxPerSecond = 1_000_000
	MaxSlip      = 100
	MinEntries   = 1 << 10
	MaxEntries   = 1 << 24
	// DefaultEntries is 8 MiB.
	DefaultEntries = 1 << 20
	MaxExempt      = 1024
)

// classStride keeps the details of two classes apart: 2^64 divided by the golden ratio.
const classStride = 0x9e3779b97f4a7c15

// Prefix lengths that count as one client: what one site or customer commonly has.
const (
	clientBits4 = 24
	clientBits6 = 56
)

// Class is a kind of response; each has accounts of its own. What the detail of an account should be:
type Class uint8

// Classes.
const (
	// Answer has data: the node that it came from and the type. Not the name of the question, else a wildcard would give
	// every made-up name an account of its own.
	Answer Class = iota
	// Negative is no data or no such name: the zone.
	Negative
	// Referral is to other servers: the delegated node.
	Referral
	// Error is any other response code, REFUSED too: nothing, 0.
	Error
	numClasses
)

// String returns the class's name in logs.
func (c Class) String() string {
	return [numClasses]string{"answer", "negative", "referral", "error"}[c%numClasses]
}

// Action says what becomes of a response.
type Action uint8

// Actions.
const (
	Send Action = iota
	Slip        // send it truncated: question and OPT only, with TC
	Drop
)

// Options say what a Limiter is made of.
type Options struct {
	// PerSecond is the responses per second of one account, 1 to MaxPerSecond.
	PerSecond int
	// Slip: of the limited responses every nth is sent truncated, the first of them included. 1: all; 0: none.
	// At most MaxSlip.
	Slip int
	// Entries is the number of accounts that can be in debt at once, 8 octets each; it is rounded up to a power of two.
	// 0: DefaultEntries.
	Entries int
	// Exempt are clients without a limit; at most MaxExempt.
	Exempt []netip.Prefix
}

// Limiter counts responses. Safe for concurrent use, without locks.
type Limiter struct {
	table   []uint64 // buckets of bucketEntries entries, each in one cache line
	buckets uint64   // number of buckets - 1
	seed    [2]uint64
	scale   uint64 // nanoseconds to units, as a fraction of 2^64
	burst   uint64 // units that an account may be ahead of now
	slip    uint64
	exempt  *bart.Lite // nil: none
}

// New makes a limiter whose table is spread by a seed of its own, so that nobody can know which accounts share a place.
func New(o Options) (*Limiter, error) {
	if o.Entries == 0 {
		o.Entries = DefaultEntries
	}
	switch {
	case o.PerSecond < 1 || o.PerSecond > MaxPerSecond:
		return nil, fmt.Errorf("make rate limiter: %d responses per second; give 1 to %d", o.PerSecond, MaxPerSecond)
	case o.Slip < 0 || o.Slip > MaxSlip:
		return nil, fmt.Errorf("make rate limiter: slip %d; give 0 to %d", o.Slip, MaxSlip)
	case o.Entries < MinEntries || o.Entries > MaxEntries:
		return nil, fmt.Errorf("make rate limiter: %d entries; give %d to %d", o.Entries, MinEntries, MaxEntries)
	case len(o.Exempt) > MaxExempt:
		return nil, fmt.Errorf("make rate limiter: %d exempt prefixes; at most %d", len(o.Exempt), MaxExempt)
	}
	entries := uint64(1) << bits.Len64(uint64(o.Entries-1))
	scale, _ := bits.Div64(uint64(o.PerSecond)*unitsPerResponse, 0, 1e9)
	l := &Limiter{
		table:   make([]uint64, entries),
		buckets: entries/bucketEntries - 1,
		seed:    [2]uint64{rand.Uint64(), rand.Uint64()},
		scale:   scale,
		burst:   uint64(o.PerSecond) * unitsPerResponse,
		slip:    uint64(o.Slip),
	}
	if len(o.Exempt) > 0 {
		l.exempt = new(bart.Lite)
		for _, p := range o.Exempt {
			l.exempt.Insert(p.Masked())
		}
	}
	return l, nil
}

// Key is an account: a client's network, a class and a detail, spread over 64 bits.
type Key uint64

// Key returns the account of a response. client is unmapped.
func (l *Limiter) Key(client netip.Addr, class Class, detail uint64) Key {
	hi, lo := bits.Mul64(network(client)^l.seed[0], detail+uint64(class)*classStride^l.seed[1])
	hi, lo = bits.Mul64(hi^lo^l.seed[1], classStride)
	return Key(hi ^ lo)
}

// network returns the client's prefix and family as a number.
func network(client netip.Addr) uint64 {
	if client.Is4() {
		a := client.As4()
		return uint64(a[0])<<16 | uint64(a[1])<<8 | uint64(a[2])
	}
	a := client.As16()
	var n uint64
	for _, b := range a[:clientBits6/8] {
		n = n<<8 | uint64(b)
	}
	return n | 1<<63>>(63-clientBits6) // a bit that no IPv4 network has
}

// Prefix returns the network that client is counted in.
func Prefix(client netip.Addr) netip.Prefix {
	n := clientBits6
	if client.Is4() {
		n = clientBits4
	}
	p, _ := client.Prefix(n)
	return p
}

// Touch brings the account's place into the cache, for who handles many queries at once. The result is of no meaning.
func (l *Limiter) Touch(key Key) uint64 { return atomic.LoadUint64(&l.table[l.place(key)]) }

// Account counts one response and says what becomes of it. now is in nanoseconds of a clock that does not go backwards;
// it may be coarse, and callers may differ by a little. client is unmapped.
//
// Of one account no more than PerSecond*t + PerSecond responses are sent in any time of t seconds, unless more than
// bucketEntries accounts that share a bucket are in debt at once: then the one with the least debt is forgotten.
func (l *Limiter) Account(client netip.Addr, class Class, detail uint64, now int64) Action {
	action := l.count(l.Key(client, class, detail), now)
	if action != Send && l.exempt != nil && l.exempt.Contains(client) {
		// Asked last, because it costs more than the rest and few get here.
		return Send
	}
	return action
}
