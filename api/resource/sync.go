package resource

import (
	"encoding/json"
	"time"
)

// Sync is how the document is shared with other sites.
type Sync struct {
	Mode        string                `json:"mode" doc:"seed (documents are written here), follow (a file is the truth), read_only or etcd."`
	Follows     string                `json:"follows,omitempty" doc:"The file, or the endpoints of etcd."`
	Revision    string                `json:"revision" doc:"Revision of the document here."`
	Document    string                `json:"document" doc:"Hash of the document here."`
	Heads       []string              `json:"heads" nullable:"false" doc:"Newest revisions: one, or those that were merged."`
	Peers       []SyncPeer            `json:"peers" nullable:"false" doc:"Other sites, by name."`
	Conflicts   int                   `json:"conflicts" doc:"Objects that were changed at several sites at once."`
	Quarantine  []QuarantinedRevision `json:"quarantine,omitempty" nullable:"false" doc:"Revisions that were heard and not taken."`
	Inert       []Fault               `json:"inert,omitempty" nullable:"false" doc:"What of the document has no effect, because a merge made it wrong."`
	Unavailable string                `json:"unavailable,omitempty" doc:"Why nothing can be stored now. Absent: it can."`
	NotServed   string                `json:"not_served,omitempty" doc:"Why, since the start, something else is served in place of this document, and what. Absent: this document is served."`
	Gathering   time.Time             `json:"gathering,omitzero" doc:"Since when this document waits for what its new autoscaled groups resolve to; the one before is served meanwhile. Absent: this document is served."`
	Damaged     string                `json:"damaged,omitempty" doc:"What happened to a store that was damaged, and where it is kept aside."`
}

// SyncPeer is how the document stands with another site.
type SyncPeer struct {
	Site      string    `json:"site"`
	Connected bool      `json:"connected"`
	Revision  string    `json:"revision,omitempty" doc:"What it told last."`
	Document  string    `json:"document,omitempty"`
	Same      bool      `json:"same" doc:"It has the same document as this node."`
	Mode      string    `json:"mode,omitempty"`
	Version   string    `json:"version,omitempty" doc:"Release that runs there."`
	Ahead     int       `json:"ahead" doc:"Revisions that are here and not there."`
	Behind    int       `json:"behind" doc:"Revisions that are there and not here."`
	Heard     time.Time `json:"heard,omitzero" doc:"When it told of its document last."`
	LastError string    `json:"last_error,omitempty"`
}

// QuarantinedRevision is a revision that was heard and not taken.
type QuarantinedRevision struct {
	Revision Revision  `json:"revision"`
	From     string    `json:"from" doc:"Site that told of it."`
	Why      string    `json:"why"`
	Since    time.Time `json:"since"`
}

// ConflictList is the objects that were changed at several sites at once.
type ConflictList struct {
	Conflicts []Conflict `json:"conflicts" nullable:"false" doc:"By kind and name."`
}

// Conflict is one object that was changed at several sites at once. What one of them wrote counts until an operator decides.
type Conflict struct {
	Kind   string         `json:"kind"`
	Name   string         `json:"name"`
	Winner ConflictSide   `json:"winner" doc:"What counts."`
	Losers []ConflictSide `json:"losers" nullable:"false" doc:"What was kept aside, the newest first."`
}

// ConflictSide is what one site wrote.
type ConflictSide struct {
	Revision string          `json:"revision"`
	Site     string          `json:"site,omitempty"`
	Author   string          `json:"author,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Time     time.Time       `json:"time,omitzero"`
	Removed  bool            `json:"removed,omitempty" doc:"It removed the object."`
	Object   json.RawMessage `json:"object,omitempty" doc:"The object as it wrote it, without secrets. Absent for a file and where it was removed."`
	Diff     string          `json:"diff,omitempty" doc:"What keeping this side would change. Absent for the winner."`
}

// Resolution settles a conflict.
type Resolution struct {
	Keep   string `json:"keep" minLength:"1" maxLength:"64" doc:"current (what counts now), or the revision of the side to keep."`
	Reason string `json:"reason,omitempty" maxLength:"1000" doc:"Why."`
}

// PeerList is the other sites that this node exchanges with.
type PeerList struct {
	Peers []Peer    `json:"peers" nullable:"false" doc:"By name."`
	At    time.Time `json:"at" doc:"When it was read."`
}

// Peer is another site: the session with it, and how the documents stand.
type Peer struct {
	Site                string    `json:"site"`
	Address             string    `json:"address,omitempty"`
	State               string    `json:"state" doc:"up, connecting, down, left or none, as in the list of sites."`
	Since               time.Time `json:"since,omitzero"`
	Node                string    `json:"node,omitempty"`
	RTTSeconds          *float64  `json:"rtt_seconds,omitempty"`
	ClockSkewSeconds    *float64  `json:"clock_skew_seconds,omitempty"`
	LastHeardAgeSeconds *float64  `json:"last_heard_age_seconds,omitempty"`
	LastError           string    `json:"last_error,omitempty"`
	Document            *SyncPeer `json:"document,omitempty" doc:"Absent: documents are not exchanged with it."`
}
