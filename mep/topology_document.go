package mep

import (
	"slices"

	"fairlead/config"
)

// TopologyOf is who a site talks to, and who may say what, by the document. Foreign sites are nobody's peers.
func TopologyOf(doc *config.Document, site string) Topology {
	m := &doc.Settings.MEP
	t := Topology{Self: Peer{Site: site}, Relays: doc.Relays(), ParentTimeout: m.ParentTimeout.Std(), ParentReturn: m.ParentReturn.Std()}
	own := doc.Site(site)
	if own == nil {
		return t
	}
	t.Self, _ = PeerOf(own, own)
	for i := range doc.Sites {
		if p, talks := PeerOf(own, &doc.Sites[i]); talks {
			t.Peers = append(t.Peers, p)
		}
	}
	return t
}

// PeerOf is what another site of a document is to a site. talks reports whether they exchange anything.
func PeerOf(own, s *config.Site) (p Peer, talks bool) {
	p = Peer{Site: s.Name, Address: s.Endpoint(), Dial: dialMode(s.Dial)}
	if s.Foreign || s.Name == own.Name {
		return p, false
	}
	above, below := slices.Index(own.Parents(), s.Name), slices.Index(s.Parents(), own.Name)
	switch {
	case above >= 0:
		p.Relation, p.Rank = RelationParent, above
	case below >= 0:
		p.Relation, p.Rank = RelationChild, below
	case own.Parent == "" && s.Parent == "":
		p.Relation = RelationMesh
	default:
		return p, false
	}
	return p, true
}

func dialMode(d config.DialMode) DialMode {
	switch d {
	case config.DialAlways:
		return DialAlways
	case config.DialNever:
		return DialNever
	case config.DialBoth:
		return DialBoth
	}
	return DialAuto
}
