package audit

import "time"

// Limits of an entry, in bytes. Longer texts are cut; of a diff the entry says so.
const (
	MaxDiff = 64 << 10
	maxText = 1024
)

// Outcome is how a change ended.
type Outcome string

// Outcomes.
const (
	Accepted Outcome = "accepted" // checked and about to be made: the line is written first
	Refused  Outcome = "refused"  // not allowed; nothing was changed
	Failed   Outcome = "failed"   // accepted, and then could not be made
	Done     Outcome = "done"     // accepted, and then made: Entry.After says which revision it is
)

// Who is somebody who changes something.
type Who struct {
	Name   string `json:"name,omitempty"`
	Kind   string `json:"kind"` // token, certificate, loopback, none, or local for the node itself
	ID     string `json:"id,omitempty"`
	Remote string `json:"remote,omitempty"` // address and port of the connection
}

// Entry is one change, or an attempt at one. What is empty is left out of its line.
type Entry struct {
	Time    time.Time `json:"time"`   // set by Append when it is zero
	Who     Who       `json:"who"`    //
	Action  string    `json:"action"` // a verb: put, patch, delete, rollback, enable, drain, token-create
	Object  string    `json:"object,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Before  string    `json:"before,omitempty"` // revision that it was based on
	After   string    `json:"after,omitempty"`  // revision that it makes
	Force   bool      `json:"force,omitempty"`  // although names lose their answers
	Diff    string    `json:"diff,omitempty"`   // without secrets
	Cut     bool      `json:"diff_cut,omitempty"`
	Request string    `json:"request,omitempty"` // id of the request
	Outcome Outcome   `json:"outcome"`
	Unsaid  int       `json:"unsaid,omitempty"` // refused attempts before this one that were too many to write each
}

// Line is an entry as it stands in the log.
type Line struct {
	Seq  uint64 `json:"seq"`
	Prev string `json:"prev"` // SHA-256 of the line before without its end, in hexadecimal; zeros in the first line of all
	Entry
}
