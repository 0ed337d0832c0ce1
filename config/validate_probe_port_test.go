package config

import (
	"fmt"
	"testing"
)

func TestNeedsPort(t *testing.T) {
	// Each is made of all others, so that there are more ways through them than can be walked.
	parts := make([]string, 40)
	for i := range parts {
		parts[i] = fmt.Sprint("round", i)
	}
	doc := Document{Monitors: []Monitor{
		{Name: "tcp", Type: MonitorTCP}, {Name: "elsewhere", Type: MonitorTCP, Target: &ProbeTarget{Port: 80}}, {Name: "http", Type: MonitorHTTP},
		{Name: "alive", Type: MonitorPing}, {Name: "of-tcp", Type: MonitorCalculated, Calculated: &CalculatedProbe{Monitors: []CalculatedPart{{Monitor: "alive"}, {Monitor: "tcp"}}}},
		{Name: "of-other", Type: MonitorCalculated, Calculated: &CalculatedProbe{Monitors: []CalculatedPart{{Monitor: "alive"}, {Monitor: "tcp", Service: "web"}}}},
	}}
	var all []CalculatedPart
	for _, name := range parts {
		all = append(all, CalculatedPart{Monitor: name})
	}
	for _, name := range parts {
		doc.Monitors = append(doc.Monitors, Monitor{Name: name, Type: MonitorCalculated, Calculated: &CalculatedProbe{Monitors: all}})
	}
	for _, tt := range []struct {
		bound []string
		want  string
	}{
		{nil, ""}, {[]string{"http", "alive", "elsewhere"}, ""}, {[]string{"alive", "tcp"}, "tcp"}, {[]string{"of-tcp"}, "of-tcp"}, {[]string{"of-other"}, ""},
		{[]string{"missing"}, ""}, {[]string{"round7"}, ""}, {[]string{"round7", "tcp"}, "tcp"},
	} {
		var bound []MonitorBinding
		for _, name := range tt.bound {
			bound = append(bound, MonitorBinding{Monitor: name})
		}
		if got := doc.NeedsPort(bound); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.bound, got, tt.want)
		}
	}
}
