package sites

import (
	"testing"
	"time"
)

// TestWhatIsLeftOutIsSaid: once when it begins, again when votes are among it, and not each time that a number near the limit moves
// across it.
func TestWhatIsLeftOutIsSaid(t *testing.T) {
	none, services, votes := ViewsLeftOut{}, ViewsLeftOut{Services: 1}, ViewsLeftOut{Votes: 1, Services: 5}
	steps := []struct {
		after time.Duration
		left  ViewsLeftOut
		said  bool
	}{
		{0, none, false},
		{time.Second, services, true},
		{time.Second, ViewsLeftOut{Services: 2, Sites: 1}, false},
		{time.Second, none, false},
		{time.Second, services, false},
		{time.Second, votes, true},
		{time.Second, services, false},
		{time.Second, votes, false},
		{time.Second, none, false},
		{leftOutAgain, services, true},
		{time.Second, votes, true},
	}
	var l leftOut
	now := epoch
	for i, s := range steps {
		now = now.Add(s.after)
		if got := l.note(s.left, now); got != s.said {
			t.Errorf("step %d, %+v after %+v: said %v, want %v", i, s.left, l.ViewsLeftOut, got, s.said)
		}
	}
}
