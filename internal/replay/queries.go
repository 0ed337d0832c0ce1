package replay

import (
	"net/netip"
)

// Limits of what is read.
const (
	// MaxKinds bounds the kinds of queries that are kept apart; the queries of further ones are counted and left out.
	MaxKinds = 1 << 20
	// maxLineOctets bounds a line of a query log.
	maxLineOctets = 64 << 10
	chunkOctets   = 1 << 20
)

// Kind is one kind of query.
type Kind struct {
	Name     string // lower case, fully qualified
	Type     uint16
	Client   netip.Addr // the resolver's address, or that of its network
	Subnet   netip.Prefix
	Listener netip.Addr
}

// Queries is what was asked, and what could not be read.
type Queries struct {
	Kinds   map[Kind]uint64 // how often each was asked
	Queries uint64          // sum of them
	// Unreadable is lines or messages that are no queries, Other those without a question in class IN, LeftOut queries of more
	// than MaxKinds kinds. Cut says that the end is missing.
	Unreadable, Other, LeftOut uint64
	Cut                        bool
}

func newQueries() *Queries { return &Queries{Kinds: map[Kind]uint64{}} }

func (q *Queries) add(k Kind, n uint64) {
	if _, known := q.Kinds[k]; !known && len(q.Kinds) >= MaxKinds {
		q.LeftOut += n
		return
	}
	q.Kinds[k] += n
	q.Queries += n
}

// merge adds what another goroutine has read.
func (q *Queries) merge(more *Queries) {
	for k, n := range more.Kinds {
		q.add(k, n)
	}
	q.Unreadable += more.Unreadable
	q.Other += more.Other
	q.LeftOut += more.LeftOut
	q.Cut = q.Cut || more.Cut
}
