package main

import "slices"

// spread is the middle and the ends of some values.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf returns the spread of the values above 0; a 0 is a run that measured nothing. The zero spread means that there
// are none. Of an even number of values the median is the mean of the two in the middle.
func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	for len(sorted) > 0 && sorted[0] <= 0 {
		sorted = sorted[1:]
	}
	if len(sorted) == 0 {
		return spread{}
	}
	half := len(sorted) / 2
	median := sorted[half]
	if len(sorted)%2 == 0 {
		median = (sorted[half-1] + sorted[half]) / 2
	}
	return spread{median, sorted[0], sorted[len(sorted)-1]}
}

// ratios divides values pairwise: repetition i of one contender by repetition i of the other. Pairs with a zero are left
// out: one of the runs measured nothing.
func ratios(over, under []float64) []float64 {
	var r []float64
	for i := range min(len(over), len(under)) {
		if over[i] > 0 && under[i] > 0 {
			r = append(r, over[i]/under[i])
		}
	}
	return r
}
