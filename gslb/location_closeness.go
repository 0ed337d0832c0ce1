package gslb

import "slices"

// Closeness packs the rule "most specific place match, else least great-circle distance" in one number: bit 31 and the
// match depth above, nearness below. Equal depth is settled by distance where both have coordinates.
const (
	depthShift  = 24
	matchedBit  = 1 << 31
	nearnessMax = 1<<depthShift - 1 // in units of 10 m; half the equator is 2,003,750 of them
)

// closeness compares by the rule; 0 is unknown.
func closeness(depth int, client, site spot) uint32 {
	metres := -1.0
	if client.located && site.located {
		metres = greatCircleMetres(client, site)
	}
	return packCloseness(depth, metres)
}

// packCloseness is closeness at a distance that is known already; negative: it is not known.
func packCloseness(depth int, metres float64) uint32 {
	var c uint32
	if metres >= 0 {
		c = nearnessMax - uint32(metres/10)
	}
	if depth > 0 {
		c |= matchedBit | uint32(depth)<<depthShift
	}
	return c
}

// rank replaces the numbers of a row by their places in its order, from 1 for the least, so that rows that order the sites
// alike are alike. 0 stays. sorted is memory to work in.
func rank(row, sorted []uint32) {
	sorted = append(sorted[:0], row...)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	if len(sorted) > 0 && sorted[0] == 0 {
		sorted = sorted[1:]
	}
	for i, c := range row {
		if c != 0 {
			at, _ := slices.BinarySearch(sorted, c)
			row[i] = uint32(at + 1)
		}
	}
}
