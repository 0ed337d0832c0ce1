package node

import (
	"net/netip"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/mep"
	"fairlead/monitors"
)

// serving returns what has a node that does not run serve its document with some objects otherwise.
func serving(t *testing.T, n *Node) func(...*config.Object) {
	objects := n.documents.Current().Objects
	return func(o ...*config.Object) {
		t.Helper()
		objects = objects.With(o, nil)
		made, err := compiler{n}.Compile(t.Context(), objects, false)
		if err != nil {
			t.Fatal(err)
		}
		n.newest = made.(*intent)
		n.publisher.take(n.newest, time.Now())
	}
}

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
	serve := serving(t, n)
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

// TestHeadroomFollowsTheDocument: what the loss of a site would do is found out again when the document has changed, though nobody asks anything else and no state
// has changed.
func TestHeadroomFollowsTheDocument(t *testing.T) {
	n := stillNode(t)
	computed := func() bool {
		before := n.headroom.shown.Load()
		n.headroom.compute()
		return n.headroom.shown.Load() != before
	}
	if !computed() || computed() {
		t.Fatal("what is known already is not known, or is computed again")
	}
	serving(t, n)(webAt(t, "192.0.2.2"))
	if !computed() {
		t.Error("what is shown is that of the document before")
	}
}
