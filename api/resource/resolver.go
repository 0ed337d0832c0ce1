package resource

import (
	"net/netip"
	"time"
)

// ResolverList is one page of the resolvers with measured round-trip times, in no order.
type ResolverList struct {
	Resolvers []Resolver     `json:"resolvers" nullable:"false" doc:"Resolvers, in no order."`
	Counts    ResolverCounts `json:"counts" doc:"All resolvers, whatever is listed."`
	At        time.Time      `json:"at" doc:"When it was read."`
	// NextCursor asks for the following page; empty on the last one.
	NextCursor string `json:"next_cursor,omitempty" doc:"Cursor of the following page; absent on the last one."`
}

// ResolverCounts says how full the table is.
type ResolverCounts struct {
	Entries int `json:"entries" doc:"Resolvers."`
	Max     int `json:"max" doc:"settings.ldns.max_entries."`
	Waiting int `json:"waiting" doc:"Resolvers that wait to be measured."`
}

// Resolver is how far a resolver is from the sites.
type Resolver struct {
	Resolver netip.Prefix `json:"resolver" format:"cidr" doc:"The network that stands for it (settings.ldns)."`
	RTTs     []SiteRTT    `json:"rtts" nullable:"false" doc:"Round-trip times, the shortest first."`
}

// SiteRTT is the round-trip time from one site to a resolver.
type SiteRTT struct {
	Site       string  `json:"site,omitempty" doc:"Name of the site. Absent: it is not in the document any more."`
	RTTMs      float64 `json:"rtt_ms" doc:"Milliseconds."`
	AgeSeconds float64 `json:"age_seconds" doc:"Since it was measured."`
	Counts     bool    `json:"counts" doc:"It is younger than settings.ldns.entry_timeout."`
	By         string  `json:"by,omitempty" enum:"ping,dns,tcp,passive,pushed" doc:"How it was measured; passive is from a connection of the resolver's own. Absent: not known any more."`
}

// RTTReport is what somebody has measured.
type RTTReport struct {
	Site       string  `json:"site" maxLength:"127" doc:"Site that it was measured from."`
	RTTMs      float64 `json:"rtt_ms" minimum:"0" maximum:"16777" doc:"Round-trip time in milliseconds."`
	AgeSeconds float64 `json:"age_seconds,omitempty" minimum:"0" maximum:"86400" doc:"How long ago it was measured."`
}

// WantedResolvers are resolvers to be measured.
type WantedResolvers struct {
	Resolvers []netip.Addr `json:"resolvers" nullable:"false" doc:"Their addresses, those that have waited for longest first."`
}
