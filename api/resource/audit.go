package resource

import "time"

// AuditPage is a part of the audit log.
type AuditPage struct {
	Entries    []AuditEntry `json:"entries" nullable:"false" doc:"The newest first. A page may be empty and still be followed by another."`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Cursor of the next page. Absent: this is the last."`
	Head       AuditHead    `json:"head" doc:"The end of the chain at this moment."`
	Unreadable int          `json:"unreadable,omitempty" doc:"Lines on the way that are no entries; fairlead audit verify says more."`
}

// AuditHead is the end of the chain: who notes it elsewhere sees later whether lines were taken away.
type AuditHead struct {
	Seq  uint64 `json:"seq" doc:"Number of the last line; 0: there is none."`
	Hash string `json:"hash" doc:"SHA-256 of the last line, in hexadecimal."`
}

// AuditEntry is one change, or an attempt at one.
type AuditEntry struct {
	Seq     uint64    `json:"seq" doc:"Number of the line."`
	Time    time.Time `json:"time"`
	Who     AuditWho  `json:"who"`
	Action  string    `json:"action" doc:"A verb; of a refused attempt the operation."`
	Object  string    `json:"object,omitempty" doc:"What was changed, as kind/name; of a refused attempt the path."`
	Reason  string    `json:"reason,omitempty" doc:"What was said for it, or why it was refused or failed."`
	Before  string    `json:"before,omitempty" doc:"Revision that it was based on."`
	After   string    `json:"after,omitempty" doc:"Revision that it made."`
	Force   bool      `json:"force,omitempty" doc:"It was to be made also when names lose their answers."`
	Diff    string    `json:"diff,omitempty" doc:"What changed, without secrets."`
	Cut     bool      `json:"diff_cut,omitempty" doc:"Whether the diff was too long to keep all of it."`
	Request string    `json:"request,omitempty" doc:"The request's X-Request-Id."`
	Outcome string    `json:"outcome" doc:"accepted: checked, and then made. done: accepted by an earlier line, and made as the revision after. failed: accepted by an earlier line, and then not made. refused: not allowed."`
	Unsaid  int       `json:"unsaid,omitempty" doc:"Refused attempts before this one that were too many to write each."`
	Prev    string    `json:"prev" doc:"SHA-256 of the line before, in hexadecimal."`
}

// AuditWho is somebody who changes something.
type AuditWho struct {
	Name   string `json:"name,omitempty"`
	Kind   string `json:"kind" doc:"token, certificate, loopback, none, or local for the node itself."`
	ID     string `json:"id,omitempty" doc:"Of the token."`
	Remote string `json:"remote,omitempty" doc:"Address and port of the connection."`
}
