package resource

import (
	"net/netip"
	"time"
)

// SessionList is one page of the sessions, in no order.
type SessionList struct {
	Sessions []Session     `json:"sessions" nullable:"false" doc:"Sessions that pass the filter, in no order. One that begins or ends meanwhile may be listed or not."`
	Counts   SessionCounts `json:"counts" doc:"All sessions, whatever is listed."`
	At       time.Time     `json:"at" doc:"When it was read."`
	// NextCursor asks for the following page; empty on the last one.
	NextCursor string `json:"next_cursor,omitempty" doc:"Cursor of the following page; absent on the last one."`
}

// SessionCounts says how full the table is.
type SessionCounts struct {
	Entries   int    `json:"entries" doc:"Sessions, with some that have ended within the last minute."`
	Max       int    `json:"max" doc:"settings.sessions.max_entries."`
	Evictions uint64 `json:"evictions" format:"int64" doc:"Sessions that gave way before their end, since the start."`
}

// Kinds of sessions.
const (
	SessionPersistence = "persistence"
	SessionSpillover   = "spillover"
)

// Session is a client that stays where it was sent.
type Session struct {
	Client         netip.Prefix `json:"client" format:"cidr" doc:"The network that stands for the client."`
	Kind           string       `json:"kind,omitempty" enum:"persistence,spillover" doc:"persistence: the client keeps its service. spillover: it stays on the backup. Absent: the document has no such sessions any more."`
	ID             uint32       `json:"id" format:"int64" doc:"Persistence id: that of the document, or one made from the virtual server's name."`
	VirtualServers []string     `json:"virtual_servers" nullable:"false" doc:"Virtual servers that share it."`
	Service        string       `json:"service,omitempty" doc:"The client's service. Absent: it is not in the document any more, or the kind is spillover."`
	EndsInSeconds  float64      `json:"ends_in_seconds" doc:"When it ends, unless it is used."`
}

// Dropped says how many sessions were forgotten.
type Dropped struct {
	Dropped int `json:"dropped" doc:"Sessions that were forgotten."`
}
