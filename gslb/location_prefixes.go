package gslb

import (
	"slices"

	"fairlead/config/geodata"
)

// prefixSets numbers the sets of matchers whose prefixes clients are in. 0 is the empty set.
type prefixSets struct {
	numbers map[string]uint32
	sets    [][]uint64
}

// list returns a set as bits by matcher.
func (p *prefixSets) list(n uint32) []uint64 {
	if n == 0 {
		return nil
	}
	return p.sets[n-1]
}

// edge is where a matcher's prefix begins, or where it has ended.
type edge struct {
	at      geodata.Key
	matcher int
	by      int // +1 or -1
}

// spans returns which set the clients of one family are in.
func (p *prefixSets) spans(matchers []clientMatcher, family int) (out []geodata.Span) {
	edges, end := prefixEdges(matchers, family)
	inside, held := make([]int, len(matchers)), 0
	set := make([]uint64, (len(matchers)+63)/64)
	for i := 0; i < len(edges); {
		at := edges[i].at
		for ; i < len(edges) && edges[i].at == at; i++ {
			m := edges[i].matcher
			inside[m] += edges[i].by
			held += edges[i].by
			set[m/64] &^= 1 << (m % 64)
			if inside[m] > 0 {
				set[m/64] |= 1 << (m % 64)
			}
		}
		if held == 0 {
			continue
		}
		last := end
		if i < len(edges) {
			last = edges[i].at.Before()
		}
		out = geodata.AppendSpan(out, geodata.Span{First: at, Last: last, Value: p.number(set)})
	}
	return out
}

// prefixEdges returns the edges in ascending order, and the last address of the family.
func prefixEdges(matchers []clientMatcher, family int) (edges []edge, end geodata.Key) {
	end = geodata.LastKey(family == 0)
	for m := range matchers {
		for _, prefix := range matchers[m].prefixes {
			if familyOf(prefix.Addr()) != family {
				continue
			}
			first, last := geodata.PrefixRange(prefix)
			edges = append(edges, edge{first, m, 1})
			if last != end {
				edges = append(edges, edge{last.After(), m, -1})
			}
		}
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return a.at.Compare(b.at) })
	return edges, end
}

func (p *prefixSets) number(set []uint64) uint32 {
	key := string(appendKey(nil, 0, set))
	n, ok := p.numbers[key]
	if !ok {
		if p.numbers == nil {
			p.numbers = map[string]uint32{}
		}
		p.sets = append(p.sets, slices.Clone(set))
		n = uint32(len(p.sets))
		p.numbers[key] = n
	}
	return n
}
