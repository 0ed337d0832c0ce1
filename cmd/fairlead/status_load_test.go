package main

import (
	"testing"

	"fairlead/api/resource"
)

func TestAllLoad(t *testing.T) {
	tests := []struct {
		name string
		s    resource.Service
		want string
	}{
		{"nothing", resource.Service{}, "-"},
		{"connections", resource.Service{Load: &resource.Load{Active: 12, AgeSeconds: 2, Source: "push", Expected: 3.6}},
			"12+4 connections (2s old, push)"},
		{"one age for all", resource.Service{Load: &resource.Load{Active: 12, AgeSeconds: 2, Source: "push", Expected: -2},
			Metrics: []resource.Metric{{Name: "response-time", Value: 0.0251, Unit: "s", AgeSeconds: 2, Source: "push"},
				{Name: "custom-load", Value: 0.7, AgeSeconds: 2, Source: "push"}}},
			"12-2 connections (2s old, push), response-time 0.0251 s, custom-load 0.7"},
		{"another age", resource.Service{Metrics: []resource.Metric{{Name: "bandwidth", Value: 123_456_789, Unit: "bit/s", AgeSeconds: 1, Source: "mep nyc"},
			{Name: "packets", Value: 99, Unit: "packets/s", AgeSeconds: 60, Source: "mep nyc"}}},
			"bandwidth 123.5M bit/s (1s old, mep nyc), packets 99 packets/s (1m0s old, mep nyc)"},
	}
	for _, tt := range tests {
		if got := allLoad(&tt.s); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
