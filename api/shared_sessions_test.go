package api

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"fairlead/api/resource"
	"fairlead/gslb"
)

// TestSharedSessionsAreShown in the list of sessions, by site.
func TestSharedSessionsAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if list := get[resource.SessionList](t, newKeeping(t), "/v1/sessions"); list.Shared != nil {
			t.Errorf("nothing is shared, but %+v", list.Shared)
		}
		var heard HeardSessions
		for what, times := range map[gslb.Heard]int{gslb.HeardTaken: 5, gslb.HeardKnown: 4, gslb.HeardReplaced: 3, gslb.HeardKept: 2, gslb.HeardNoRoom: 1, gslb.HeardRefused: 6} {
			for range times {
				heard.Count(what)
			}
		}
		heard.Add(&HeardSessions{Refused: 7, Limited: 1})
		f := newFixture(t, func(o *Options) {
			o.SharedSessions = func() []SharedSessions {
				return []SharedSessions{{Site: "nyc", GivingBack: true, Told: 9, Heard: heard}}
			}
		})
		want := []resource.SharedSessions{{Site: "nyc", GivingBack: true, Told: 9, Heard: []resource.SessionsHeard{
			{Result: "taken", Sessions: 5}, {Result: "known", Sessions: 4}, {Result: "replaced", Sessions: 3}, {Result: "kept", Sessions: 2},
			{Result: "no-room", Sessions: 1}, {Result: "refused", Sessions: 7}, {Result: "limited", Sessions: 7},
		}}}
		f.state.Snapshot.Learned.Sessions = gslb.NewSessions(gslb.SessionOptions{Max: 10})
		if diff := cmp.Diff(want, get[resource.SessionList](t, f, "/v1/sessions").Shared); diff != "" {
			t.Errorf("shared (-want +got):\n%s", diff)
		}
	})
}
