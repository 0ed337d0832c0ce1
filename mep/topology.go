package mep

import "time"

// Relation is what a peer is to this site.
type Relation uint8

// Relations.
const (
	// RelationMesh is another site without parent: both tell each other everything.
	RelationMesh Relation = iota
	// RelationChild is a site that may report to this one.
	RelationChild
	// RelationParent is a site that this one may report to.
	RelationParent
)

// String returns the relation as people read it.
func (r Relation) String() string {
	switch r {
	case RelationChild:
		return "child"
	case RelationParent:
		return "parent"
	}
	return "mesh"
}

// DialMode says who opens connections with a site.
type DialMode uint8

// Dial modes.
const (
	DialAuto   DialMode = iota // a parent with its children, else the site with the lower address
	DialAlways                 // the site with all others
	DialNever                  // the others with the site
	DialBoth                   // either end
)

// Topology is who this site talks to, and who may say what.
type Topology struct {
	Self  Peer
	Peers []Peer // at most MaxPeers; an entry for this site itself is skipped
	// Relays says, for each site that has parents, which sites may pass on what it says. Sites that are not in it speak for
	// themselves only. It is read, and must not be written to any more.
	Relays map[string][]string
	// ParentTimeout is how long a parent is lost before this site attaches to the next one. 0: 10 s.
	ParentTimeout time.Duration
	// ParentReturn is how long a better parent is back before this site returns there. 0: it returns at once.
	ParentReturn time.Duration
}
