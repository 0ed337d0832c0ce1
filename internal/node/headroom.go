package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"fairlead/adns/sketch"
	"fairlead/api"
	"fairlead/api/resource"
	"fairlead/gslb"
	"fairlead/internal/whatif"
)

// Limits of what is computed without being asked for.
const (
	headroomInterval = 30 * time.Second
	// headroomBudget is how long one computation may take; sites that are left have their turn in the next one.
	headroomBudget = 50 * time.Millisecond
	// headroomPause is how many times longer than it took the next computation waits, at least.
	headroomPause = 500
	headroomKinds = 2048
	headroomDraws = 10_000
)

// headroom keeps what the loss of each site would do, and the peak of connections.
type headroom struct {
	state  func() *api.State
	sketch *sketch.Sketch

	mu   sync.Mutex
	peak peak

	shown atomic.Pointer[[]resource.Headroom]
	// What follows belongs to run.
	losses  map[string]resource.Headroom
	next    int          // index of the site whose turn it is
	changes uint64       // of the sketch, when all were computed
	status  *gslb.Status // likewise
	plan    *gslb.Plan   // likewise
}

func newHeadroom(state func() *api.State, s *sketch.Sketch) *headroom {
	return &headroom{state: state, sketch: s, losses: map[string]resource.Headroom{}}
}

// run computes until ctx ends, and returns nil.
func (h *headroom) run(ctx context.Context) error {
	beat := time.NewTicker(tick)
	defer beat.Stop()
	var due time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-beat.C:
			h.note(now)
			if now.Before(due) || h.sketch.Changes() == 0 { // without queries there is nothing to say
				continue
			}
			took := h.compute()
			due = now.Add(max(headroomInterval, headroomPause*took))
		}
	}
}

// note takes the connections of this moment down.
func (h *headroom) note(now time.Time) {
	total := 0.0
	status := h.state().Snapshot.GSLB.Status
	for i := range status.Services {
		total += whatif.Carries(&status.Services[i])
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peak.note(now, total)
}

// compute asks what the loss of each site would do, as far as the budget goes, and says how long that took. Nothing is
// computed while neither queries, states nor the document have changed.
func (h *headroom) compute() time.Duration {
	st := h.state()
	changes := h.sketch.Changes()
	if h.next == 0 && changes == h.changes && h.plan == st.Snapshot.GSLB.Plan && !statesDiffer(h.status, st.Snapshot.GSLB.Status) {
		return 0
	}
	began := time.Now()
	view := h.sketch.View()
	losses := whatif.NewLosses(whatif.Input{Snapshot: st.Snapshot.GSLB, Learned: st.Snapshot.Learned, Queries: api.SketchQueries(&view),
		Kinds: headroomKinds, Draws: headroomDraws})
	all := st.Document.Sites
	for range all {
		at := h.next % len(all)
		h.losses[all[at].Name] = losses.Of(all[at].Name)
		if h.next = at + 1; h.next == len(all) {
			h.next, h.changes, h.status, h.plan = 0, changes, st.Snapshot.GSLB.Status, st.Snapshot.GSLB.Plan
			break
		}
		if time.Since(began) > headroomBudget {
			break
		}
	}
	shown := []resource.Headroom{}
	for i := range all {
		if one, ok := h.losses[all[i].Name]; ok {
			shown = append(shown, one)
		}
	}
	h.shown.Store(&shown)
	return time.Since(began)
}

// list returns what was computed last, in the document's order.
func (h *headroom) list() []resource.Headroom {
	if all := h.shown.Load(); all != nil {
		return *all
	}
	return nil
}

func (h *headroom) history() resource.ConnectionHistory {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.peak.history()
}

func (h *headroom) sketchSize() (int, uint64) { return h.sketch.Len(), h.sketch.LeftOut() }
