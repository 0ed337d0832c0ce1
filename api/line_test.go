package api

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"fairlead/adns/sketch"
)

// TestLinesTurnAway: of each kind of question so many are worked on, some more wait, and the next one is told to come back.
func TestLinesTurnAway(t *testing.T) {
	tests := []struct {
		name, target     string
		working, waiting int
		block            func(o *Options, wait func())
	}{
		{"explain", "/v1/explain?name=near.gslb.example.com&client=192.0.2.9", maxExplaining, maxExplainWaiting,
			func(o *Options, wait func()) {
				state := o.State
				o.State = func() *State { wait(); return state() }
			}},
		{"explain at a site", "/v1/explain?name=near.gslb.example.com&client=192.0.2.9&at_site=nyc", maxAskingSites, maxSitesWaiting,
			func(o *Options, wait func()) {
				o.AskSite = func(context.Context, string, []byte) ([]byte, error) { wait(); return []byte("{}"), nil }
			}},
		{"whatif", "/v1/whatif", maxWhatIf, maxWhatIfWaiting,
			func(o *Options, wait func()) {
				view := o.Sketch
				o.Sketch = func() sketch.View { wait(); return view() }
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				f := newFixture(t, func(o *Options) { tt.block(o, func() { <-gate }) })
				var asking sync.WaitGroup
				codes := make([]int, tt.working+tt.waiting)
				for i := range codes {
					asking.Go(func() { codes[i] = f.request(http.MethodGet, tt.target, "").Code })
				}
				synctest.Wait()
				w := f.request(http.MethodGet, tt.target, "")
				if got := places(refusal(t, w)); w.Code != http.StatusServiceUnavailable || !cmp.Equal(got, []string{"/path busy"}) {
					t.Errorf("one too many: got %d %q, want 503 busy", w.Code, got)
				}
				if got := w.Header().Get("Retry-After"); got != "1" {
					t.Errorf("Retry-After %q, want 1", got)
				}
				close(gate)
				asking.Wait()
				for i, code := range codes {
					if code != http.StatusOK {
						t.Errorf("question %d of as many as may be: got %d", i, code)
					}
				}
				if code := f.request(http.MethodGet, tt.target, "").Code; code != http.StatusOK {
					t.Errorf("afterwards: got %d", code)
				}
			})
		})
	}
}

// TestLineWaitsItsTurn: a request that waits too long gives its place back.
func TestLineWaitsItsTurn(t *testing.T) {
	l := newLine("tests", 1, 1)
	leave, err := l.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if _, err := l.enter(over); err == nil {
			t.Fatal("a second one works at once")
		}
	}
	leave()
	if leave, err = l.enter(t.Context()); err != nil {
		t.Fatalf("after the first has left: %v", err)
	}
	leave()
}
