package replay

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"
)

const (
	// maxMoved bounds Report.Moved.
	maxMoved = 20
	// rounding is what adding fractions may be off.
	rounding = 1e-9
)

// Report says how far two documents answer the same queries alike. Shares are of all queries.
type Report struct {
	Queries uint64 `json:"queries"`
	Kinds   int    `json:"kinds"`
	// Shift is the share of answers that change: for each kind of query half the sum of the differences between the
	// probabilities of each answer (the distance in variation), weighted by how often it was asked.
	Shift       float64         `json:"shift"`
	NewFailures float64         `json:"new_failures"`          // share of queries that fail with the candidate, and do not now
	Failures    map[string]Both `json:"failures"`              // by kind: NXDOMAIN, REFUSED, SERVFAIL, no data, last resort
	Sites       map[string]Both `json:"sites"`                 // share of queries whose first answer leads there
	Scope       Scope           `json:"scope"`                 // of queries with a client subnet
	Moved       []Moved         `json:"moved"`                 // names, the most answers that changed first
	LeftOut     uint64          `json:"left_out,omitempty"`    // queries of more kinds than are kept apart
	Unreadable  uint64          `json:"unreadable,omitempty"`  // entries
	Other       uint64          `json:"not_queries,omitempty"` // entries without a question in class IN
	Cut         bool            `json:"cut,omitempty"`         // the log ends in the middle of an entry
}

// Both is a number now, and with the candidate.
type Both struct {
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// Scope is how long the scopes of answers are.
type Scope struct {
	Queries   uint64         `json:"queries"` // with a client subnet
	MeanBits  Both           `json:"mean_bits"`
	BeforeBit map[int]uint64 `json:"before"` // queries by scope prefix length
	AfterBit  map[int]uint64 `json:"after"`
}

// Moved is a name whose answers change.
type Moved struct {
	Name        string  `json:"name"`
	Type        string  `json:"type"`
	Queries     uint64  `json:"queries"`
	Shift       float64 `json:"shift"`        // share of its answers
	NewFailures float64 `json:"new_failures"` // likewise
}

// sums is what one goroutine found out. Its numbers are queries.
type sums struct {
	shift, failures       float64
	failed                map[string]Both
	sites                 map[string]Both
	scoped                uint64
	bitsBefore, bitsAfter map[int]uint64
	names                 map[nameType]*Moved
}

func newSums() *sums {
	return &sums{failed: map[string]Both{}, sites: map[string]Both{}, bitsBefore: map[int]uint64{}, bitsAfter: map[int]uint64{}, names: map[nameType]*Moved{}}
}

// Compare answers all queries from both documents.
func Compare(ctx context.Context, q *Queries, now, candidate *World) (*Report, error) {
	kinds := slices.SortedFunc(maps.Keys(q.Kinds), func(a, b Kind) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type), a.Client.Compare(b.Client), cmp.Compare(a.Subnet.Bits(), b.Subnet.Bits()), a.Subnet.Addr().Compare(b.Subnet.Addr()), a.Listener.Compare(b.Listener))
	})
	workers := runtime.GOMAXPROCS(0)
	group, ctx := errgroup.WithContext(ctx)
	all := newSums()
	var mu sync.Mutex
	for w := range workers {
		group.Go(func() error {
			mine, before, after := newSums(), now.asker(), candidate.asker()
			for i := len(kinds) * w / workers; i < len(kinds)*(w+1)/workers; i++ {
				if i%1024 == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
				k := &kinds[i]
				b, a := before.look(k), after.look(k)
				mine.note(k, q.Kinds[*k], &b, &a)
			}
			mu.Lock()
			defer mu.Unlock()
			all.merge(mine)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("compare answers: %w", err)
	}
	return all.report(q), nil
}

// note compares the answers to one kind of query, which was asked n times.
func (s *sums) note(k *Kind, n uint64, before, after *outlook) {
	weight := float64(n)
	shift := distance(before, after)
	failures := failing(after) - failing(before)
	if failures < rounding {
		failures = 0
	}
	s.shift += weight * shift
	s.failures += weight * failures
	for i, o := range []*outlook{before, after} {
		for j := range o.shares {
			one := &o.shares[j]
			if one.failed {
				s.failed[one.answer] = s.failed[one.answer].with(i, weight*one.part)
			} else if one.site != "" {
				s.sites[one.site] = s.sites[one.site].with(i, weight*one.part)
			}
		}
	}
	if k.Subnet.IsValid() {
		s.scoped += n
		s.bitsBefore[before.scope] += n
		s.bitsAfter[after.scope] += n
	}
	key := nameType{k.Name, k.Type}
	m := s.names[key]
	if m == nil {
		m = &Moved{Name: k.Name, Type: dns.Type(k.Type).String()}
		s.names[key] = m
	}
	m.Queries += n
	m.Shift += weight * shift
	m.NewFailures += weight * failures
}

func (b Both) with(i int, n float64) Both {
	if i == 0 {
		b.Before += n
	} else {
		b.After += n
	}
	return b
}

func failing(o *outlook) (sum float64) {
	for i := range o.shares {
		if o.shares[i].failed {
			sum += o.shares[i].part
		}
	}
	return sum
}

// distance is half the sum of the differences of all probabilities: 0 the same, 1 nothing in common. What a rotation may be
// off because it was drawn a limited number of times, one turn for each answer that both give, is none.
func distance(a, b *outlook) float64 {
	sum, common, apart := 0.0, 0, false
	for i := range a.shares {
		other := b.part(&a.shares[i])
		sum += math.Abs(a.shares[i].part - other)
		if other > 0 {
			common++
		} else {
			apart = true
		}
	}
	for i := range b.shares {
		if a.part(&b.shares[i]) == 0 {
			sum, apart = sum+b.shares[i].part, true
		}
	}
	if least := min(a.draws, b.draws); !apart && least > 1 && sum*float64(least) <= float64(common)*(1+rounding) {
		return 0
	}
	return sum / 2
}

// part returns how often an answer is given that another document gives.
func (o *outlook) part(of *share) (sum float64) {
	for i := range o.shares {
		if o.shares[i].answer == of.answer && o.shares[i].failed == of.failed {
			sum += o.shares[i].part
		}
	}
	return sum
}

func (s *sums) merge(more *sums) {
	s.shift += more.shift
	s.failures += more.failures
	s.scoped += more.scoped
	for k, v := range more.failed {
		s.failed[k] = s.failed[k].with(0, v.Before).with(1, v.After)
	}
	for k, v := range more.sites {
		s.sites[k] = s.sites[k].with(0, v.Before).with(1, v.After)
	}
	for bits, n := range more.bitsBefore {
		s.bitsBefore[bits] += n
	}
	for bits, n := range more.bitsAfter {
		s.bitsAfter[bits] += n
	}
	for k, m := range more.names {
		if have := s.names[k]; have != nil {
			have.Queries, have.Shift, have.NewFailures = have.Queries+m.Queries, have.Shift+m.Shift, have.NewFailures+m.NewFailures
		} else {
			s.names[k] = m
		}
	}
}

// report turns queries into shares.
func (s *sums) report(q *Queries) *Report {
	total := float64(max(q.Queries, 1))
	out := &Report{Queries: q.Queries, Kinds: len(q.Kinds), Shift: tidy(s.shift / total), NewFailures: s.failures / total, Failures: map[string]Both{}, Sites: map[string]Both{},
		Moved: []Moved{}, LeftOut: q.LeftOut, Unreadable: q.Unreadable, Other: q.Other, Cut: q.Cut}
	for k, v := range s.failed {
		out.Failures[k] = Both{v.Before / total, v.After / total}
	}
	for k, v := range s.sites {
		out.Sites[k] = Both{v.Before / total, v.After / total}
	}
	out.Scope = Scope{Queries: s.scoped, BeforeBit: s.bitsBefore, AfterBit: s.bitsAfter, MeanBits: Both{mean(s.bitsBefore), mean(s.bitsAfter)}}
	for _, m := range s.names {
		if m.Shift > 0 || m.NewFailures > 0 {
			out.Moved = append(out.Moved, *m)
		}
	}
	slices.SortFunc(out.Moved, func(a, b Moved) int {
		return cmp.Or(cmp.Compare(b.Shift, a.Shift), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	out.Moved = out.Moved[:min(len(out.Moved), maxMoved)]
	for i := range out.Moved {
		m := &out.Moved[i]
		m.Shift, m.NewFailures = m.Shift/float64(m.Queries), m.NewFailures/float64(m.Queries)
	}
	return out
}

// tidy takes away what adding fractions leaves, so that a limit is kept by what is just at it.
func tidy(v float64) float64 { return math.Round(v/rounding) / (1 / rounding) }

func mean(bits map[int]uint64) float64 {
	sum, of := 0.0, 0.0
	for b, n := range bits {
		sum, of = sum+float64(b)*float64(n), of+float64(n)
	}
	if of == 0 {
		return 0
	}
	return sum / of
}
