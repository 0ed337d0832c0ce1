package node

import (
	"net/netip"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/mep"
	"fairlead/monitors"
)

// TestVoteIsOfWhatWasJustSeen: a site that was asked to probe a service tells what it saw, also when a document comes in between that changes another one.
func TestVoteIsOfWhatWasJustSeen(t *testing.T) {
	n := stillNode(t)
	p := n.publisher
	put := func(kind config.ObjectKind, name, text string) *config.Object {
		o, err := config.NewObject(kind, name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	objects := n.documents.Current().Objects
	serve := func(o ...*config.Object) {
		t.Helper()
		objects = objects.With(o, nil)
		made, err := compiler{n}.Compile(t.Context(), objects, false)
		if err != nil {
			t.Fatal(err)
		}
		n.newest = made.(*intent)
		p.take(n.newest, time.Now())
	}
	serve(put(config.ObjectMonitor, "port", `{"type": "tcp", "quorum": {"agree": 1}}`),
		put(config.ObjectService, "asked", `{"site": "here", "addresses": ["192.0.2.3"], "port": 80, "monitors": ["port"]}`))
	see := func(state monitors.State) {
		p.take(monitors.Verdict{Service: "asked", Monitor: "port", Address: netip.MustParseAddrPort("192.0.2.3:80"), State: state, At: time.Now()}, time.Now())
	}
	see(monitors.Up)
	p.publish(time.Now())
	see(monitors.Down)
	reply := make(chan mep.ProbeAnswer, 1)
	p.take(&voteAsked{"asked", reply}, time.Now())
	serve(webAt(t, "192.0.2.2"))
	if got := <-reply; got.State != mep.StateDown {
		t.Errorf("the answer is %v: %s, want DOWN", got.State, got.Reason)
	}
}
