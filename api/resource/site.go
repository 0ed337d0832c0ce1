package resource

import "time"

// States of the exchange with a site.
const (
	PeerLocal      = "local"      // this node's own site
	PeerUp         = "up"         // there is a session
	PeerDown       = "down"       // no session
	PeerConnecting = "connecting" // this node dials
	PeerLeft       = "left"       // no session, as the site announced before it stopped
	PeerNone       = "none"       // this node exchanges nothing with the site
)

// How a site's document compares with this node's.
const (
	DocumentSame    = "same"
	DocumentDiffers = "differs"
	DocumentUnknown = "unknown"
)

// What a site is to this node's.
const (
	RelationLocal   = "local"   // this node's own site
	RelationMesh    = "mesh"    // neither has a parent: they tell each other everything
	RelationParent  = "parent"  // this node's site may report to it
	RelationChild   = "child"   // it may report to this node's site
	RelationRelayed = "relayed" // it reports to others, which tell of it
	RelationForeign = "foreign" // there is no node of Fairlead
	RelationNone    = "none"    // it tells others, and they do not tell this node's site, which has a parent
)

// Whether a site is heard.
const (
	ReachHere    = "here"     // it is this node's own
	ReachHeard   = "heard"    // it tells of itself, or somebody tells of it
	ReachLost    = "lost"     // it was heard
	ReachLeft    = "left"     // it announced that it stops
	ReachNever   = "never"    // it was not heard since this node started
	ReachForeign = "foreign"  // nobody speaks for it
	ReachNotTold = "not-told" // sites are told nothing of others by those above them
)

// SiteList is all sites, in the document's order.
type SiteList struct {
	Sites    []Site    `json:"sites" nullable:"false" doc:"Sites in the document's order."`
	Snapshot uint64    `json:"snapshot" doc:"Generation of the snapshot that this was read from."`
	At       time.Time `json:"at" doc:"When it was read; ages are as of then."`
	// Alarm says why this node suspects itself; empty: it does not.
	Alarm string `json:"alarm,omitempty" doc:"Why this node suspects itself, and what that means for what it believes. Absent: it does not."`
	// Isolated says that no other site is heard; empty: some are, or there are not two.
	Isolated string `json:"isolated,omitempty" doc:"That this node hears none of several other sites, and what that means for what it believes. Absent: it hears some."`
}

// Site is a site as this node sees it.
type Site struct {
	Name     string    `json:"name"`
	Address  string    `json:"address" doc:"MEP end point, as the document writes it."`
	Local    bool      `json:"local" doc:"It is this node's site."`
	Location *Location `json:"location,omitempty"`
	Peer     string    `json:"peer" enum:"local,up,down,connecting,left,none" doc:"State of the exchange with it. none: this node exchanges nothing with it."`
	Relation string    `json:"relation" enum:"local,mesh,parent,child,relayed,foreign,none" doc:"What it is to this node's site, by the document."`
	Parents  []string  `json:"parents,omitempty" doc:"Sites that it may report to, best first. Absent: it is in the mesh."`
	// AttachedTo is empty for sites without parents, and while it is not known.
	AttachedTo string `json:"attached_to,omitempty" doc:"The parent that it reports to now, as far as this node knows."`
	AnswersDNS bool   `json:"answers_dns" doc:"Its nodes answer DNS; else they only carry traffic."`
	Reach      string `json:"reach,omitempty" enum:"here,heard,lost,left,never,foreign,not-told" doc:"Whether its own word on its services reaches this node, by whatever way. Absent: not known yet."`
	// Via is the site itself when it tells of itself.
	Via       string `json:"via,omitempty" doc:"The site that tells of it: itself, or one that it reports to. Absent: nobody did."`
	Partition string `json:"partition,omitempty" doc:"Who hears it and who does not, where the sites of the mesh differ: the net between them is cut, or works in one direction."`
	// ReachSince is zero when it was never heard; LearningUntil when nothing is being learned.
	ReachSince    time.Time `json:"reach_since,omitzero" doc:"Since when it is heard, or is not."`
	LearningUntil time.Time `json:"learning_until,omitzero" doc:"Until when its services keep their state although it is not heard, as it may have changed its parent."`
	// Since is when Peer took its value; zero for the local site.
	Since time.Time `json:"since,omitzero" doc:"Since when the exchange is in this state."`
	// LastHeardAgeSeconds is the age of the last frame from the site. Nil: it was never heard.
	LastHeardAgeSeconds *float64 `json:"last_heard_age_seconds,omitempty" doc:"Age of the last frame from it. Absent: it was never heard."`
	// RTTSeconds and ClockSkewSeconds are nil until a round trip was measured.
	RTTSeconds       *float64 `json:"rtt_seconds,omitempty" doc:"Smoothed round trip time. Absent: not measured."`
	ClockSkewSeconds *float64 `json:"clock_skew_seconds,omitempty" doc:"How far its clock is ahead of this node's. Absent: not measured."`
	Node             string   `json:"node,omitempty" doc:"Name of the node that speaks for the site."`
	Version          uint8    `json:"version,omitempty" doc:"MEP version of the session."`
	// Document compares the document that the site told last with this node's present one.
	Document  string `json:"document" enum:"same,differs,unknown" doc:"Whether the site's document, as it told last, is this node's."`
	Sessions  uint64 `json:"sessions" doc:"Sessions since this node started."`
	BytesIn   uint64 `json:"bytes_in" doc:"Octets of frames received in the current session, else in the last one."`
	BytesOut  uint64 `json:"bytes_out" doc:"Octets of frames sent in the current session, else in the last one."`
	LastError string `json:"last_error,omitempty" doc:"Why the last attempt failed or the last session ended."`
	// LastErrorAt is zero when there was no error.
	LastErrorAt time.Time   `json:"last_error_at,omitzero"`
	Services    StateCounts `json:"services" doc:"Its services, counted by what this node believes of them."`
	Headroom    *Headroom   `json:"headroom,omitempty" doc:"What its loss would do to the others. Absent: not computed yet."`
	// Agreement is nil for the local site and for those that are not compared.
	Agreement *Agreement `json:"agreement,omitempty" doc:"Whether it answers as this node does. Absent: it is not compared, as one of the two does not answer DNS or is not in the mesh."`
}

// Location is where a site is.
type Location struct {
	Place     string   `json:"place,omitempty" doc:"Dotted qualifiers, widest first."`
	Latitude  *float64 `json:"latitude,omitempty" doc:"Degrees north."`
	Longitude *float64 `json:"longitude,omitempty" doc:"Degrees east."`
}

// StateCounts counts services by state.
type StateCounts struct {
	Up       int `json:"UP"`
	Down     int `json:"DOWN"`
	Unknown  int `json:"UNKNOWN"`
	Disabled int `json:"DISABLED"`
	Draining int `json:"DRAINING"`
}
