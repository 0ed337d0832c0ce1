package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"
)

// TestSpread holds what the plot shows: on reports that are seconds old the services stay level, where following the
// least report does not.
func TestSpread(t *testing.T) {
	equal := []int{1, 1, 1, 1}
	for _, tt := range []struct {
		name string
		Case
		naive float64 // the least that the naive choice must come to: else the case shows nothing
	}{
		{"1 s, 4 services", Case{Weights: equal, Report: time.Second, Life: 500 * time.Millisecond}, 1.5},
		{"1 s, 8 services, short connections", Case{Weights: []int{1, 1, 1, 1, 1, 1, 1, 1}, Report: time.Second, Life: 500 * time.Millisecond}, 1.5},
		{"5 s, 4 services", Case{Weights: equal, Report: 5 * time.Second, Life: 5 * time.Second}, 1.5},
		{"5 s, 2 services", Case{Weights: equal[:2], Report: 5 * time.Second, Life: 5 * time.Second}, 0},
		{"5 s, 4 services, short connections", Case{Weights: equal, Report: 5 * time.Second, Life: 500 * time.Millisecond}, 1.5},
		{"5 s, 8 services", Case{Weights: []int{1, 1, 1, 1, 1, 1, 1, 1}, Report: 5 * time.Second, Life: 5 * time.Second}, 1.5},
		{"5 s, weights", Case{Weights: []int{4, 2, 1, 1}, Report: 5 * time.Second, Life: 5 * time.Second}, 1.5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.Warm, tt.Measured, tt.Seed = 15*time.Second, 20*time.Second, 7
			ours, err := Simulate(tt.Case, Ours)
			if err != nil {
				t.Fatal(err)
			}
			naive, err := Simulate(tt.Case, Naive)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("spread %.3f, naive %.3f", ours.Spread, naive.Spread)
			if ours.Spread > 1.1 {
				t.Errorf("the fullest service has %.3f times the mean, want at most 1.1", ours.Spread)
			}
			if naive.Spread < tt.naive {
				t.Errorf("the naive choice comes to %.3f: the case is too easy to show anything", naive.Spread)
			}
		})
	}
}

// TestSimulationRepeats: equal arguments, equal results.
func TestSimulationRepeats(t *testing.T) {
	c := Case{Weights: []int{2, 1}, Report: time.Second, Life: time.Second, Warm: time.Second, Measured: 5 * time.Second, Seed: 3}
	first, err := Simulate(c, Ours)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Simulate(c, Ours)
	if err != nil || first.Spread != again.Spread || len(first.Curves) != len(again.Curves) {
		t.Errorf("twice the same case: %v, then %v (%v)", first.Spread, again.Spread, err)
	}
}

// TestPlot: the picture is well-formed and has a line for each service in both panels.
func TestPlot(t *testing.T) {
	c := plotted()
	c.Warm, c.Measured = time.Second, 10*time.Second
	picture, err := plot(c)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
	}
	if got := strings.Count(string(picture), "<polyline"); got != 2*len(c.Weights) {
		t.Errorf("got %d lines, want %d", got, 2*len(c.Weights))
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	cases := []Case{{Weights: []int{1, 1}, Report: time.Second, Life: time.Second, Warm: time.Second, Measured: 2 * time.Second}}
	if err := printTable(&out, cases); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\n| 1 1 | 1s | 1s | ") {
		t.Errorf("the table has no row of the case:\n%s", out.String())
	}
}
