package config

import "strings"

// maxSpellings is how many known words an unknown one is compared with.
const maxSpellings = 5000

// nearest returns the known word that an unknown one was probably meant to be, or "".
func nearest(word string, known []string) string {
	best, bestCost := "", 1+max(1, min(3, len(word)/3))
	plain := plainSpelling(word)
	if plain == "" || len(word) > 128 {
		return ""
	}
	for i, k := range known {
		if i >= maxSpellings {
			break
		}
		p := plainSpelling(k)
		cost := 0
		switch {
		case p == plain:
		case len(plain) >= 3 && strings.HasPrefix(p, plain):
			cost = 1
		case abs(len(p)-len(plain)) >= bestCost:
			continue
		default:
			cost = editDistance(plain, p)
		}
		if cost < bestCost {
			best, bestCost = k, cost
		}
	}
	return best
}

// didYouMean is the hint for an unknown word, or fallback when nothing is near.
func didYouMean(word string, known []string, fallback string) string {
	if n := nearest(word, known); n != "" {
		return "did you mean " + quote(n) + "?"
	}
	return fallback
}

// plainSpelling drops what people vary: case, hyphens, underscores, spaces.
func plainSpelling(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// editDistance is the optimal string alignment distance: insertions, deletions, substitutions, and swaps of neighbours.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
