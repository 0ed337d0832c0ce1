package main

import (
	"testing"
	"time"
)

func TestDaysValue(t *testing.T) {
	for _, tt := range []struct {
		text  string
		want  time.Duration
		shown string
	}{
		{"30d", 720 * time.Hour, "30d"},
		{"48h", 48 * time.Hour, "2d"},
		{"4h", 4 * time.Hour, "4h0m0s"},
		{"90s", 90 * time.Second, "1m30s"},
		{"1ms", time.Millisecond, "1ms"},
		{"d", 0, ""}, {"0d", 0, ""}, {"-1d", 0, ""}, {"1.5d", 0, ""}, {"36501d", 0, ""}, {"-1h", 0, ""}, {"ever", 0, ""},
	} {
		var got time.Duration
		flag := (*daysValue)(&got)
		err := flag.Set(tt.text)
		if got != tt.want || (err == nil) != (tt.want > 0) || err == nil && flag.String() != tt.shown {
			t.Errorf("%q: got %v, shown as %q, %v; want %v, shown as %q", tt.text, got, flag, err, tt.want, tt.shown)
		}
	}
}
