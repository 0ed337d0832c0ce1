package main

import (
	"slices"
	"testing"
	"time"
)

// TestDocuments changes a small document: all that is measured is there, and all sites come to answer by each change.
func TestDocuments(t *testing.T) {
	p := plan{sites: 3, services: 300, patches: 6, others: 3, asked: 20, pause: 10 * time.Millisecond}
	r, err := measure(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	counts := append([]int{1, wholeRounds - 1, 1, wholeRounds - 1, p.patches, p.patches * (p.sites - 1), p.patches}, slices.Repeat([]int{p.others}, 2*len(alterations))...)
	if len(r.times) != len(counts) {
		t.Errorf("got %d kinds of times, want %d", len(r.times), len(counts))
	}
	for i, want := range counts {
		if got := r.times[i]; len(got.took) != want || got.quantile(0) <= 0 {
			t.Errorf("%s: got %v, want %d times", got.what, got.took, want)
		}
	}
	if r.disk <= 0 || r.heap[0] <= 0 || r.heap[1] <= 0 {
		t.Errorf("got %v octets on disk and %v of heap", r.disk, r.heap)
	}
	for _, took := range r.times {
		t.Logf("%s: %v", took.what, took.quantile(0.5))
		if took.quantile(1) > changeLimit {
			t.Errorf("%s: took %v", took.what, took.quantile(1))
		}
	}
}

func TestPlanIsChecked(t *testing.T) {
	for name, p := range map[string]plan{"no site": {services: 10, patches: 1}, "too many sites": {sites: 33, services: 100, patches: 1},
		"a site without a service": {sites: 3, services: 2, patches: 1}, "no change": {sites: 3, services: 30},
		"less than no others": {sites: 3, services: 30, patches: 1, others: -1}} {
		if p.validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestQuantile(t *testing.T) {
	r := times{}
	if got := r.quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v, want 0", got)
	}
	for i := range 100 {
		r.took = append(r.took, time.Duration(99-i))
	}
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 50, 0.99: 99, 1: 99} {
		if got := r.quantile(q); got != want {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
}
