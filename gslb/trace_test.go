package gslb

import (
	"math"
	"slices"
	"testing"

	"fairlead/config"
)

// entries returns what the trace of one query says of a step.
func entries(w *world, t *testing.T, step Step) []Entry {
	t.Helper()
	s, l := w.snapshot(t)
	var tr Trace
	Decide(s, Query{Family: IPv4, LDNS: epochAddr}, l, epoch, &tr)
	return slices.DeleteFunc(tr.Entries, func(e Entry) bool { return e.Step != step })
}

// TestTraceSaysWhyAMemberIsOut: each state has its own reason, and only who is kept is UP.
func TestTraceSaysWhyAMemberIsOut(t *testing.T) {
	for state, want := range map[State]Reason{Up: ReasonUp, Down: ReasonDown, Unknown: ReasonUnknown, Disabled: ReasonDisabled, Draining: ReasonDraining} {
		got := entries(twoSites(config.VirtualServer{Method: config.RoundRobin}).state("a", state), t, StepCandidates)
		if len(got) != 1 || len(got[0].Candidates) != 2 {
			t.Fatalf("%v: got %+v, want one entry with two candidates", state, got)
		}
		if c := got[0].Candidates[0]; c.Service != "a" || c.Reason != want || c.Kept != (state == Up) {
			t.Errorf("%v: got %s kept %t, want %s", state, c.Reason, c.Kept, want)
		}
	}
}

// TestTraceTellsDistances holds kilometres and matching qualifiers against figures made by another program and another
// formula (the spherical law of cosines): from London to the two sites.
func TestTraceTellsDistances(t *testing.T) {
	got := entries(twoSites(config.VirtualServer{Method: config.StaticProximity}).location("198.51.100.0/24", "EU.GB", 51.5074, -0.1278), t, StepMethod)
	if len(got) != 1 || len(got[0].Candidates) != 2 {
		t.Fatalf("got %+v, want one entry with two candidates", got)
	}
	for i, want := range []struct {
		km     float64
		detail string
	}{
		{358, "1 qualifiers of the place match; region is 24 bits of the client"},
		{5571, "0 qualifiers of the place match; region is 24 bits of the client"},
	} {
		c := got[0].Candidates[i]
		if math.Abs(c.Value-want.km) > want.km/100 || c.Unit != "km" || c.Detail != want.detail {
			t.Errorf("%s: got %.0f %s, %q; want %.0f km, %q", c.Service, c.Value, c.Unit, c.Detail, want.km, want.detail)
		}
	}
}

// TestTraceTellsEveryMethodTried: the method, its backup and the rotation that was left.
func TestTraceTellsEveryMethodTried(t *testing.T) {
	got := entries(twoSites(config.VirtualServer{Method: config.StaticProximity, BackupMethod: config.LeastConnection}), t, StepMethod)
	var reasons []Reason
	for _, e := range got {
		reasons = append(reasons, e.Reason)
	}
	if want := []Reason{ReasonNotLocated, ReasonNoLoad, ReasonRotation}; !slices.Equal(reasons, want) {
		t.Errorf("got %v, want %v", reasons, want)
	}
}
