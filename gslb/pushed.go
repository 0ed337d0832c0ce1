package gslb

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gaissmai/bart"
)

// Limits of pushed measurements.
const (
	// MaxPushedPrefixes is how many client prefixes can have measurements.
	MaxPushedPrefixes = 1_000_000
	// MaxPushedServices is how many services can have a measurement for one prefix.
	MaxPushedServices = 64
)

// ErrPushedFull says that a limit of pushed measurements is reached.
var ErrPushedFull = errors.New("too many pushed measurements")

// Pushed are measurements from outside, by client prefix and service: what method api compares. Reading takes one atomic
// load; writers exclude each other. Safe for concurrent use.
type Pushed struct {
	table   atomic.Pointer[pushedTable]
	writing sync.Mutex
}

// pushedTable is one state of Pushed. Immutable.
type pushedTable struct {
	prefixes *bart.Table[[]PushedValue]
	longest  [2]int // prefix of each family: at least as long as any
}

// PushedValue is one measurement: the less, the better.
type PushedValue struct {
	Service uint64 // Service.Hash
	Value   float64
	Until   int64 // Unix seconds; not used from then on
}

// NewPushed returns an empty Pushed.
func NewPushed() *Pushed {
	p := &Pushed{}
	p.table.Store(&pushedTable{prefixes: new(bart.Table[[]PushedValue])})
	return p
}

// Set replaces what is known about the clients of a prefix; no values remove it. at is now, in Unix seconds: what has ended
// is removed when the table is full. The error is ErrPushedFull, with the limit.
func (p *Pushed) Set(prefix netip.Prefix, values []PushedValue, at int64) error {
	if len(values) > MaxPushedServices {
		return fmt.Errorf("%w: %d services for %s, at most %d", ErrPushedFull, len(values), prefix, MaxPushedServices)
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	prefix = prefix.Masked()
	next := *p.table.Load()
	if len(values) == 0 {
		next.prefixes = next.prefixes.DeletePersist(prefix)
		if next.prefixes.Size() == 0 {
			next.longest = [2]int{}
		}
		p.table.Store(&next)
		return nil
	}
	if _, replaces := next.prefixes.Get(prefix); !replaces && next.prefixes.Size() >= MaxPushedPrefixes {
		if next.prefixes = withoutEnded(next.prefixes, at); next.prefixes.Size() >= MaxPushedPrefixes {
			return fmt.Errorf("%w: %d prefixes", ErrPushedFull, MaxPushedPrefixes)
		}
	}
	next.prefixes = next.prefixes.InsertPersist(prefix, bestFirst(values))
	family := pushedFamily(prefix.Addr())
	next.longest[family] = max(next.longest[family], prefix.Bits(), 1)
	p.table.Store(&next)
	return nil
}

func bestFirst(values []PushedValue) []PushedValue {
	sorted := slices.Clone(values)
	slices.SortFunc(sorted, func(a, b PushedValue) int {
		return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.Service, b.Service))
	})
	return sorted
}

// Restore takes in what an earlier table had, as far as there is room, and returns how many prefixes it took. What is known of a
// prefix already stays as it is; values that are too many for a prefix, or none, are passed over. It copies the values that it keeps.
func (p *Pushed) Restore(kept iter.Seq2[netip.Prefix, []PushedValue]) (taken int) {
	p.writing.Lock()
	defer p.writing.Unlock()
	old := p.table.Load()
	next := &pushedTable{prefixes: old.prefixes.Clone(), longest: old.longest}
	for prefix, values := range kept {
		if next.prefixes.Size() >= MaxPushedPrefixes {
			break
		}
		prefix = prefix.Masked()
		if _, known := next.prefixes.Get(prefix); known || len(values) == 0 || len(values) > MaxPushedServices || !prefix.IsValid() {
			continue
		}
		next.prefixes.Insert(prefix, bestFirst(values))
		family := pushedFamily(prefix.Addr())
		next.longest[family] = max(next.longest[family], prefix.Bits(), 1)
		taken++
	}
	p.table.Store(next)
	return taken
}

func withoutEnded(old *bart.Table[[]PushedValue], at int64) *bart.Table[[]PushedValue] {
	next := new(bart.Table[[]PushedValue])
	for prefix, values := range old.All() {
		if slices.ContainsFunc(values, func(v PushedValue) bool { return v.Until > at }) {
			next.Insert(prefix, values)
		}
	}
	return next
}

// Expire removes prefixes all of whose measurements have ended at a time, in Unix seconds, and returns how many. Scopes may be wider
// then.
func (p *Pushed) Expire(at int64) int {
	p.writing.Lock()
	defer p.writing.Unlock()
	old := p.table.Load().prefixes
	ended := false
	for _, values := range old.All() {
		if ended = !slices.ContainsFunc(values, func(v PushedValue) bool { return v.Until > at }); ended {
			break
		}
	}
	if !ended {
		return 0
	}
	next := &pushedTable{prefixes: withoutEnded(old, at)}
	for prefix := range next.prefixes.All() {
		family := pushedFamily(prefix.Addr())
		next.longest[family] = max(next.longest[family], prefix.Bits(), 1)
	}
	p.table.Store(next)
	return old.Size() - next.prefixes.Size()
}

// Get returns the measurements of exactly one prefix, best first. The slice must not be changed.
func (p *Pushed) Get(prefix netip.Prefix) ([]PushedValue, bool) {
	return p.table.Load().prefixes.Get(prefix)
}

// Lookup returns what is known about a client, best first, and how many bits of its address that depends on: as many as the
// longest prefix of its family has, since one may lie beside the client in the prefix that was found. The slice is shared: it
// must not be changed.
func (p *Pushed) Lookup(client netip.Addr) (values []PushedValue, bits int) {
	t := p.table.Load()
	if t.longest == [2]int{} || !client.IsValid() {
		return nil, 0
	}
	values, _ = t.prefixes.Lookup(client)
	return values, t.longest[pushedFamily(client)]
}

func pushedFamily(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// Len returns how many prefixes have measurements.
func (p *Pushed) Len() int { return p.table.Load().prefixes.Size() }

// Each calls f with every prefix until it returns false.
func (p *Pushed) Each(f func(netip.Prefix, []PushedValue) bool) {
	for prefix, values := range p.table.Load().prefixes.All() {
		if !f(prefix, values) {
			return
		}
	}
}
