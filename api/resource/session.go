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
	// Shared is empty when sessions are not shared.
	Shared []SharedSessions `json:"shared,omitempty" doc:"Other sites that sessions are shared with, by name. Absent when there are none."`
	// Uses is on the first page only, and not where one client is asked for.
	Uses     []SessionUse `json:"uses,omitempty" doc:"Virtual servers that keep sessions, in the document's order: the first 256 of those that pass the filter. On the first page, unless a client is asked for."`
	MoreUses bool         `json:"more_uses,omitempty" doc:"There are more uses than are listed."`
	// NextCursor asks for the following page; empty on the last one.
	NextCursor string `json:"next_cursor,omitempty" doc:"Cursor of the following page; absent on the last one."`
}

// SessionCounts says how full the table is.
type SessionCounts struct {
	Entries   int    `json:"entries" doc:"Sessions, with some that have ended within the last minute."`
	Max       int    `json:"max" doc:"settings.sessions.max_entries."`
	Evictions uint64 `json:"evictions" format:"int64" doc:"Sessions that gave way before their end, since the start."`
}

// SessionUse is how the sessions go that a virtual server keeps. Virtual servers with one persistence id share sessions: Now, FromPeers and
// Expired are of all of them.
type SessionUse struct {
	VirtualServer string `json:"virtual_server"`
	Kind          string `json:"kind" enum:"persistence,spillover" doc:"persistence: clients keep their service. spillover: they stay on the backup."`
	ID            uint32 `json:"id" format:"int64" doc:"Persistence id; virtual servers with one id share sessions."`
	Now           int    `json:"now" doc:"Sessions that have not ended."`
	FromPeers     int    `json:"from_peers" doc:"Of these, those that another site told of last."`
	Created       uint64 `json:"created" format:"int64" doc:"Sessions that queries here began since the start, or that got another service."`
	Honoured      uint64 `json:"honoured" format:"int64" doc:"Answers that were given by a session since the start."`
	Expired       uint64 `json:"expired" format:"int64" doc:"Sessions that came to their end since the start. It is noticed within a minute."`
}

// SharedSessions is how sharing goes with another site.
type SharedSessions struct {
	Site       string          `json:"site" doc:"The other site."`
	GivingBack bool            `json:"giving_back" doc:"It is being told of all sessions: it was started, or away for long."`
	Told       uint64          `json:"told" format:"int64" doc:"Sessions that it was told of, since the start."`
	Heard      []SessionsHeard `json:"heard" nullable:"false" doc:"Sessions that it told of, since the start."`
}

// SessionsHeard counts sessions that another site told of.
type SessionsHeard struct {
	Result   string `json:"result" enum:"taken,known,replaced,kept,no-room,refused,limited" doc:"taken: one more, or a later end. known: nothing new. replaced: the client had another service here, which gave way. kept: it had another service here, which stayed. no-room: the table is full. refused: the document has no such session. limited: the site told of too many."`
	Sessions uint64 `json:"sessions" format:"int64" doc:"How many."`
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
