package node

import (
	"fmt"

	"go.uber.org/zap"

	"fairlead/api/resource"
	"fairlead/config/replica"
	"fairlead/mep"
	"fairlead/sites"
)

// tellTransition tells those who listen to /v1/events, and who gave Options, that the belief about a service has changed.
func (n *Node) tellTransition(t sites.Transition) {
	n.events.Publish(resource.Event{Type: "transition", Subject: "service/" + t.Service, Summary: fmt.Sprintf("%s -> %s: %s", t.From, t.To, t.Reason)},
		map[string]any{"service": t.Service, "site": t.Site, "from": t.From.String(), "to": t.To.String(), "reason": t.Reason, "source": t.Source})
	n.opts.Transition(t)
}

// tellPeer tells of sessions with other sites.
func (n *Node) tellPeer(e mep.Event) {
	switch e := e.(type) {
	case *mep.SessionUp:
		n.tellSession(e.Peer, "up", "the session is up")
	case *mep.PeerLeaving:
		n.tellSession(e.Peer, "leaving", "it announced that it stops")
	case *mep.SessionDown:
		n.tellSession(e.Peer, "down", e.Reason)
	}
	n.opts.PeerEvent(e)
}

func (n *Node) tellSession(site, state, why string) {
	n.events.Publish(resource.Event{Type: "peer", Subject: "site/" + site, Summary: state + ": " + why}, map[string]any{"site": site, "state": state, "reason": why})
}

// documentEvent tells of what happened to the document. It is called with the engine's lock held.
func (n *Node) documentEvent(e replica.Event) {
	n.log.Info(e.Name, zap.String("revision", e.Revision), zap.String("site", e.Site), zap.String("author", e.Author), zap.String("what", e.Text))
	n.events.Publish(resource.Event{Type: "config", Time: e.Time, Subject: "revision/" + e.Revision, Summary: e.Name + ": " + e.Text},
		map[string]any{"event": e.Name, "revision": e.Revision, "site": e.Site, "author": e.Author})
}

// tellOverride tells of what an operator wants for a time.
func (n *Node) tellOverride(o sites.Override) {
	n.events.Publish(resource.Event{Type: "override", Subject: o.Kind.String() + "/" + o.Name, Summary: fmt.Sprintf("%s by %s: %s", o.Action, o.Owner, o.Reason)},
		map[string]any{"kind": o.Kind.String(), "name": o.Name, "action": o.Action.String(), "owner": o.Owner, "site": o.Site})
}
