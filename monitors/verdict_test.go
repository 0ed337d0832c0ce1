package monitors

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestTally(t *testing.T) {
	tests := []struct {
		name       string
		fall, rise int
		results    string // + success, - failure
		want       string // state after each: U up, D down
	}{
		{"first success decides", 3, 2, "+", "U"},
		{"first failure decides", 3, 2, "-", "D"},
		{"fall in a row", 3, 2, "+---", "UUUD"},
		{"failures not in a row", 3, 2, "+--+--+", "UUUUUUU"},
		{"rise in a row", 3, 2, "-++", "DDU"},
		{"successes not in a row", 3, 3, "-++-++-+++", "DDDDDDDDDU"},
		{"down stays down", 2, 2, "-----", "DDDDD"},
		{"one is enough", 1, 1, "+-+-", "UDUD"},
		{"below one counts as one", 0, -1, "+-+", "UDU"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var tl tally
			now := time.Unix(1000, 0)
			got, since := "", time.Time{}
			for _, r := range tt.results {
				before := tl.state
				now = now.Add(time.Second)
				tl = tl.next(now, r == '+', tt.fall, tt.rise)
				got += tl.state.String()[:1]
				if tl.state != before {
					since = now
				}
				if !tl.since.Equal(since) {
					t.Fatalf("after %q: since %v, want %v", got, tl.since, since)
				}
			}
			if got != tt.want {
				t.Errorf("states %s, want %s", got, tt.want)
			}
		})
	}
}

// TestTallyAgainstHistory compares with the definition: a look at the last results.
func TestTallyAgainstHistory(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		fall, rise := 1+rnd.IntN(5), 1+rnd.IntN(5)
		var tl tally
		var history []bool
		want := Unknown
		for range 100 {
			ok := rnd.IntN(3) > 0
			history = append(history, ok)
			switch {
			case len(history) == 1 && ok, lastAre(history, true, rise):
				want = Up
			case len(history) == 1, lastAre(history, false, fall):
				want = Down
			}
			tl = tl.next(time.Unix(int64(len(history)), 0), ok, fall, rise)
			if tl.state != want {
				t.Fatalf("fall %d, rise %d, history %v: %v, want %v", fall, rise, history, tl.state, want)
			}
		}
	}
}

func lastAre(history []bool, ok bool, n int) bool {
	if len(history) < n {
		return false
	}
	for _, h := range history[len(history)-n:] {
		if h != ok {
			return false
		}
	}
	return true
}

func ExampleState_String() {
	fmt.Println(Unknown, Up, Down)
	// Output: UNKNOWN UP DOWN
}
