package resource

import "time"

// SecondaryList is one page of the zones that a node transfers from primaries, by name.
type SecondaryList struct {
	Secondaries []Secondary     `json:"secondaries" nullable:"false" doc:"Zones by name."`
	Counts      SecondaryCounts `json:"counts" doc:"All zones from primaries, whatever is listed."`
	At          time.Time       `json:"at" doc:"When it was read."`
	// NextCursor asks for the following page; empty on the last one.
	NextCursor string `json:"next_cursor,omitempty" doc:"Cursor of the following page; absent on the last one."`
}

// SecondaryCounts says how the zones from primaries are. Each is served or unserved; either may be failing.
type SecondaryCounts struct {
	Served   int `json:"served" doc:"Zones with data that did not expire."`
	Unserved int `json:"unserved" doc:"Zones answered with SERVFAIL: never transferred, or expired."`
	Failing  int `json:"failing" doc:"Zones whose last refresh failed, served or not."`
}

// Secondary is a zone whose records come from primaries.
type Secondary struct {
	Zone string `json:"zone" doc:"Name, in lower case and with the final dot."`
	// Serial is nil when the zone was never had.
	Serial *uint32 `json:"serial,omitempty" format:"int64" doc:"Serial of the version that is here. Absent: there never was one."`
	// Confirmed is nil when no primary ever did.
	Confirmed *time.Time `json:"confirmed,omitempty" doc:"When a primary last said that this version is the newest. Absent: never."`
	Served    bool       `json:"served" doc:"It has data that did not expire."`
	Failure   string     `json:"failure,omitempty" doc:"Why the last refresh failed, for people. Absent: it did not."`
}
