package main

import (
	"testing"
	"time"
)

// handovers is how often something has to be woken between a change and an answer that tells of it: who writes and who reads the
// frame, who publishes, and who asks. Each may be as late as this program's timers were, for the machine has others to serve.
const handovers = 4

// TestConvergence holds what docs/reliability.md promises, with short intervals and few changes.
func TestConvergence(t *testing.T) {
	results, err := measure(t.Context(), plan{sites: 8, interval: 200 * time.Millisecond, keepalive: time.Second, changes: 2, kills: 1, stops: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 3 {
		t.Fatalf("%d results, want 3", len(results))
	}
	for _, r := range results {
		t.Logf("%s: %d delays, median %v, slowest %v, promised %v, timers late by %v", r.what, len(r.delays), r.quantile(0.5), r.quantile(1), r.promised, r.late)
		if got, want := r.quantile(0.99), r.promised+handovers*r.late; len(r.delays) == 0 || got > want {
			t.Errorf("%s: after %v in all answers, want within %v (timers were late by %v)", r.what, got, want, r.late)
		}
	}
}

func TestPlanIsChecked(t *testing.T) {
	for name, p := range map[string]plan{"too few": {sites: 3}, "too many": {sites: 33}, "too few remain": {sites: 8, stops: 6}} {
		if p.validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestQuantile(t *testing.T) {
	r := result{}
	if got := r.quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v, want 0", got)
	}
	for i := range 100 {
		r.delays = append(r.delays, time.Duration(99-i))
	}
	for q, want := range map[float64]time.Duration{0.5: 50, 0.99: 99, 1: 99} {
		if got := r.quantile(q); got != want {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
}
