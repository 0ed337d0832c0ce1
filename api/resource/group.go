package resource

import (
	"net/netip"
	"time"
)

// GroupList is one page of the autoscaled service groups, by name.
type GroupList struct {
	Groups []Group   `json:"groups" nullable:"false" doc:"Autoscaled service groups by name."`
	At     time.Time `json:"at" doc:"When it was read; ages are as of then."`
	// NextCursor asks for the following page; empty on the last one.
	NextCursor string `json:"next_cursor,omitempty" doc:"Cursor of the following page; absent on the last one."`
}

// Group is how the DNS name of an autoscaled service group resolves, or what its site announces for a group.
type Group struct {
	Name      string       `json:"name" doc:"Name of the group; its services are named GROUP:ADDRESS, announced ones GROUP:MEMBER."`
	Resolves  string       `json:"resolves" doc:"DNS name whose addresses are the services. Empty: a site announces them."`
	Site      string       `json:"site,omitempty" doc:"Site that announces the services."`
	Label     string       `json:"label,omitempty" doc:"Label of the announced services."`
	Members   []string     `json:"members,omitempty" doc:"Second halves of the names of announced services."`
	Refused   int          `json:"refused,omitempty" doc:"Announced services that cannot be used; failure says why of the first."`
	Addresses []netip.Addr `json:"addresses" nullable:"false" doc:"Addresses that are services now, whatever their state."`
	Draining  []netip.Addr `json:"draining,omitempty" doc:"Addresses that are gone from the answer and are draining."`
	LeftOut   int          `json:"left_out,omitempty" doc:"Addresses of the answer above autoscale.max, which are no services."`
	// AgeSeconds is nil when the name was never resolved.
	AgeSeconds *float64 `json:"age_seconds,omitempty" doc:"Age of the last answer with addresses. Absent: there was none."`
	Failure    string   `json:"failure,omitempty" doc:"Why the last question was not answered; what was resolved last stays. Absent: it was."`
	// FailureAgeSeconds is nil when the last question was answered.
	FailureAgeSeconds *float64 `json:"failure_age_seconds,omitempty" doc:"Age of that failure."`
}
