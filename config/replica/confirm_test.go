package replica

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// TestConfirmOver: writes to confirm that are made over each other. What nobody confirmed is not there in the end, whichever is undone first.
func TestConfirmOver(t *testing.T) {
	tests := []struct {
		name          string
		first, second time.Duration
		confirm       int // which is confirmed: 1 or 2; 0: none
		want          string
	}{
		{"the first is undone first", time.Minute, 3 * time.Minute, 0, `{"name":"a","v":1}`},
		{"the second is undone first", 3 * time.Minute, time.Minute, 0, `{"name":"a","v":1}`},
		{"both at once", time.Minute, time.Minute, 0, `{"name":"a","v":1}`},
		{"the first is confirmed", time.Minute, time.Minute, 1, `{"name":"a","v":2}`},
		{"the second is confirmed", time.Minute, 3 * time.Minute, 2, `{"name":"a","v":3}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			played(t, 1, func(w *world) {
				w.startAll()
				s := w.sites[0]
				var ids []string
				for i, within := range []time.Duration{tt.first, tt.second} {
					out := must[*revision.Outcome](t)(s.engine.Commit(context.Background(), &revision.Write{Confirm: within, Author: "ops", Source: "api",
						Put: []*config.Object{service("a", []string{`{"v":2}`, `{"v":3}`}[i])}}))
					ids = append(ids, out.Revision.ID)
				}
				if tt.confirm > 0 {
					if err := s.engine.Confirm(context.Background(), ids[tt.confirm-1], "ops"); err != nil {
						t.Fatal(err)
					}
				}
				pass(2 * time.Minute)
				w.stop(s)
				w.start(s)
				pass(2 * time.Minute)
				if got := s.text("a"); got != tt.want {
					t.Errorf("in the end it is %s, want %s", got, tt.want)
				}
				if n := s.pending(); n != 0 {
					t.Errorf("%d writes still wait", n)
				}
			})
		})
	}
}

// TestConfirmLimit: only so many writes wait to be confirmed; others go on.
func TestConfirmLimit(t *testing.T) {
	played(t, 1, func(w *world) {
		w.startAll()
		s := w.sites[0]
		write := func(within time.Duration) error {
			_, err := s.engine.Commit(context.Background(), &revision.Write{Confirm: within, Author: "ops", Source: "api",
				Put: []*config.Object{service("a", `{"v":"`+strings.Repeat("x", 1+s.pending())+`"}`)}})
			return err
		}
		for range MaxPending {
			if err := write(time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		if err := write(time.Minute); !errors.Is(err, revision.ErrRefused) || !strings.Contains(err.Error(), "wait to be confirmed") {
			t.Errorf("one more: %v", err)
		}
		if err := write(0); err != nil {
			t.Errorf("one that stays: %v", err)
		}
	})
}
