package node

import (
	"context"
	"slices"

	"fairlead/api"
	"fairlead/config/replica"
	"fairlead/mep"
)

// roleOf is what another site is to this one, for documents.
func (n *Node) roleOf(site string) replica.Role {
	st := n.state.Load()
	if st == nil {
		return replica.RoleNone
	}
	own, other := st.Document.Site(n.opts.Config.Site), st.Document.Site(site)
	switch {
	case own == nil || other == nil || other.Foreign:
		return replica.RoleNone
	case own.Parent == site || slices.Contains(own.BackupParents, site):
		return replica.RoleParent
	case other.Parent == own.Name || slices.Contains(other.BackupParents, own.Name):
		return replica.RoleChild
	case own.Parent == "" && other.Parent == "":
		return replica.RoleMesh
	}
	return replica.RoleNone
}

// parent is the site that this one reports to; empty: none.
func (n *Node) parent() string {
	if st := n.state.Load(); st != nil {
		if own := st.Document.Site(n.opts.Config.Site); own != nil {
			return own.Parent
		}
	}
	return ""
}

// members are the other sites that write documents.
func (n *Node) members() []string {
	st := n.state.Load()
	if st == nil {
		return nil
	}
	var out []string
	for i := range st.Document.Sites {
		if s := &st.Document.Sites[i]; s.Parent == "" && !s.Foreign && s.Name != n.opts.Config.Site {
			out = append(out, s.Name)
		}
	}
	return out
}

func (n *Node) sendDocuments(ctx context.Context, site string, kind uint8, body []byte) error {
	return n.exchange.SendConfig(ctx, site, kind, body)
}

// hearDocuments gives the engine of documents what concerns it. It reports whether nobody else wants the event.
func (n *Node) hearDocuments(e mep.Event) bool {
	if n.mesh == nil { // the document is in etcd
		_, is := e.(*mep.ConfigMessage)
		return is
	}
	switch e := e.(type) {
	case *mep.ConfigMessage:
		n.mesh.Hear(e.Peer, e.Kind, e.Body)
		return true
	case *mep.SessionUp:
		n.mesh.PeerUp(e.Peer)
	case *mep.SessionDown:
		n.mesh.PeerDown(e.Peer)
	}
	return false
}

func (n *Node) documentCounts() api.DocumentCounts {
	s := n.documents.Stats()
	return api.DocumentCounts{Written: s.Written, Merged: s.Merged, Undone: s.Undone, Refused: s.Refused, Quarantined: s.Quarantined, Lies: s.Lies, Dropped: s.Dropped}
}
