package probe

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fairlead/config"
)

// TestJudge: what counts first when a monitor makes several things of an answer.
func TestJudge(t *testing.T) {
	const fast, late = 10 * time.Millisecond, time.Second
	most := config.Duration(100 * time.Millisecond)
	tests := []struct {
		name    string
		drain   bool
		err     error
		latency time.Duration
		monitor config.Monitor
		ok      bool
		slow    bool
		want    string // end of the reason
	}{
		{"passes", false, nil, fast, config.Monitor{MaxResponseTime: most}, true, false, "seen"},
		{"too slow", false, nil, late, config.Monitor{MaxResponseTime: most}, false, true, "seen, but after 1s; max_response_time is 100ms"},
		{"as long as allowed", false, nil, most.Std(), config.Monitor{MaxResponseTime: most}, true, false, "seen"},
		{"unlike and slow", false, unlike("x"), late, config.Monitor{MaxResponseTime: most}, false, false, "seen"},
		{"reverse", false, nil, fast, config.Monitor{Reverse: true}, false, false, "seen, which fails: reverse"},
		{"reverse, unlike", false, unlike("x"), fast, config.Monitor{Reverse: true}, true, false, "seen, which passes: reverse"},
		{"reverse, unlike, too slow", false, unlike("x"), late, config.Monitor{Reverse: true, MaxResponseTime: most}, false, true, "which passes: reverse, but after 1s; max_response_time is 100ms"},
		{"reverse, no answer", false, errors.New("x"), fast, config.Monitor{Reverse: true}, false, false, "seen"},
		{"drains, too slow", true, nil, late, config.Monitor{MaxResponseTime: most}, true, false, "seen"},
		{"drains, reverse", true, nil, fast, config.Monitor{Reverse: true}, true, false, "seen"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := judge(Result{OK: tt.err == nil, Drain: tt.drain, Reason: "seen", Latency: tt.latency}, tt.err, &tt.monitor)
			if got.OK != tt.ok || got.Slow != tt.slow || got.Drain != tt.drain || !strings.HasSuffix(got.Reason, tt.want) {
				t.Errorf("got %+v; want OK %t, slow %t, reason %q", got, tt.ok, tt.slow, tt.want)
			}
		})
	}
}
