package node

import (
	"slices"

	"fairlead/config"
	"fairlead/mep"
)

// topologyOf is who a site talks to, and who may say what, by the document. Foreign sites are nobody's peers.
func topologyOf(doc *config.Document, site string) mep.Topology {
	m := &doc.Settings.MEP
	t := mep.Topology{Self: mep.Peer{Site: site}, Relays: doc.Relays(), ParentTimeout: m.ParentTimeout.Std(), ParentReturn: m.ParentReturn.Std()}
	own := doc.Site(site)
	if own == nil {
		return t
	}
	t.Self.Address, t.Self.Dial = own.Endpoint(), dialMode(own.Dial)
	for i := range doc.Sites {
		s := &doc.Sites[i]
		if s.Foreign || s.Name == site {
			continue
		}
		p := mep.Peer{Site: s.Name, Address: s.Endpoint(), Dial: dialMode(s.Dial)}
		above, below := slices.Index(own.Parents(), s.Name), slices.Index(s.Parents(), site)
		switch {
		case above >= 0:
			p.Relation, p.Rank = mep.RelationParent, above
		case below >= 0:
			p.Relation, p.Rank = mep.RelationChild, below
		case own.Parent == "" && s.Parent == "":
			p.Relation = mep.RelationMesh
		default:
			continue
		}
		t.Peers = append(t.Peers, p)
	}
	return t
}

func dialMode(d config.DialMode) mep.DialMode {
	switch d {
	case config.DialAlways:
		return mep.DialAlways
	case config.DialNever:
		return mep.DialNever
	case config.DialBoth:
		return mep.DialBoth
	}
	return mep.DialAuto
}
