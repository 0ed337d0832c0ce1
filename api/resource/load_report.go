package resource

import "time"

// LoadReport is a pushed report of how busy a service is. It tells at least one metric, and is the whole of what is known at
// its time: what it leaves out goes on ageing. A total is a counter that only grows; its rate over 14 s counts, unless the
// rate itself is told too.
type LoadReport struct {
	Active            *uint64  `json:"active,omitempty" maximum:"9007199254740992" doc:"Active connections (at most 2^53)."`
	RequestsPerSecond *float64 `json:"requests_per_second,omitempty" minimum:"0" maximum:"9007199254740992" doc:"Requests per second."`
	RequestsTotal     *float64 `json:"requests_total,omitempty" minimum:"0" maximum:"9007199254740992" doc:"Requests so far."`
	ResponseTimeMS    *float64 `json:"response_time_ms,omitempty" minimum:"0" maximum:"9007199254740992" doc:"Mean time to the first byte, in milliseconds."`
	BitsPerSecond     *float64 `json:"bits_per_second,omitempty" minimum:"0" maximum:"9007199254740992" doc:"Bandwidth, both directions together."`
	BytesTotal        *float64 `json:"bytes_total,omitempty" minimum:"0" maximum:"9007199254740992" doc:"Bytes so far, both directions together."`
	PacketsPerSecond  *float64 `json:"packets_per_second,omitempty" minimum:"0" maximum:"9007199254740992" doc:"Packets per second."`
	PacketsTotal      *float64 `json:"packets_total,omitempty" minimum:"0" maximum:"9007199254740992" doc:"Packets so far."`
	Custom            *float64 `json:"custom,omitempty" minimum:"0" maximum:"9007199254740992" doc:"Custom load, in the service's own unit. Passed over when the document says what it is made of."`
	Members           *float64 `json:"members,omitempty" minimum:"0" maximum:"9007199254740992" doc:"Usable servers behind the service."`
	MemberWeight      *float64 `json:"member_weight,omitempty" minimum:"0" maximum:"9007199254740992" doc:"Sum of the weights of the usable servers behind it."`
	Capacity          *float64 `json:"capacity,omitempty" minimum:"0" maximum:"9007199254740992" doc:"Connections that it can carry."`
	// At is when the report was made; zero: when it arrives.
	At time.Time `json:"at,omitzero" doc:"When the report was made. Default: when it arrives. Not more than 5 s ahead of this node's clock."`
}
