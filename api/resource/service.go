package resource

import (
	"net/netip"
	"time"
)

// ServiceList is one page of services, by name.
type ServiceList struct {
	Services []Service `json:"services" nullable:"false" doc:"Services by name."`
	Snapshot uint64    `json:"snapshot" doc:"Generation of the snapshot that this page was read from."`
	At       time.Time `json:"at" doc:"When it was read; ages are as of then."`
	// NextCursor asks for the following page; empty on the last one.
	NextCursor string `json:"next_cursor,omitempty" doc:"Cursor of the following page; absent on the last one."`
}

// Service is what this node believes of a service, and why.
type Service struct {
	Name      string       `json:"name"`
	Group     string       `json:"group,omitempty" doc:"Service group that it is of. Absent: none."`
	Site      string       `json:"site" doc:"Site that owns it."`
	Local     bool         `json:"local" doc:"It belongs to this node's site."`
	Addresses []netip.Addr `json:"addresses,omitempty" doc:"At most one IPv4 and one IPv6 address."`
	CNAME     string       `json:"cname,omitempty" doc:"Name that it answers with instead of addresses."`
	Host      string       `json:"host,omitempty" doc:"Name that SRV and MX answers give."`
	Port      int          `json:"port,omitempty" doc:"Port that monitors probe and SRV answers give."`
	State     string       `json:"state" enum:"UP,DOWN,UNKNOWN,DISABLED,DRAINING"`
	// WithoutIPv4 and WithoutIPv6 say that the service is UP, but its address of that family fails its monitors and is
	// left out of answers.
	WithoutIPv4 bool `json:"without_ipv4" doc:"Its IPv4 address fails its monitors and is left out of answers."`
	WithoutIPv6 bool `json:"without_ipv6" doc:"Its IPv6 address fails its monitors and is left out of answers."`

	Reason string `json:"reason" doc:"Why the state is what it is, for people."`
	Source string `json:"source" doc:"Whose evidence decided: monitor NAME, mep SITE, assumed or operator."`
	// Since is when the state began.
	Since time.Time `json:"since" doc:"When the state began."`
	// EvidenceAgeSeconds is the age of the evidence behind the state. Nil: there is none.
	EvidenceAgeSeconds *float64 `json:"evidence_age_seconds,omitempty" doc:"Age of the evidence behind the state. Absent: there is none."`
	// Load is nil until a load was reported.
	Load *Load `json:"load,omitempty" doc:"How busy it is. Absent: no load was ever reported."`
	// Metrics are what else was reported.
	Metrics        []Metric `json:"metrics,omitempty" doc:"What else its load source tells. Absent: nothing."`
	VirtualServers []string `json:"virtual_servers" nullable:"false" doc:"Virtual servers that it is a member of."`
	// Monitors are the verdicts of this node alone; LoadSource is nil when this node reads none.
	Monitors   []MonitorVerdict  `json:"monitors,omitempty" doc:"What this node's monitors say of each of its addresses. Absent: this node does not probe it."`
	LoadSource *LoadSourceStatus `json:"load_source,omitempty" doc:"How reading its load source goes. Absent: this node reads none."`

	// Doubt is why the state is uncertain, in the words of gslb.Reason; empty: it is not.
	Doubt string `json:"doubt,omitempty" doc:"Why the state is uncertain, which lowers TTLs: failing, recovering, flapping, suspicion, peer-lost, learning or stale. Absent: it is not."`
	// Share is nil while all of its weight counts.
	Share    *float64  `json:"share,omitempty" doc:"Part of its weight that counts while it starts slowly. Absent: all of it."`
	Override *Override `json:"override,omitempty" doc:"What an operator wants of it for a time. Absent: what the document says."`
	Drain    *Drain    `json:"drain,omitempty" doc:"What a DRAINING service has still before it. Absent: it does not drain."`
}

// Load is the last report of how busy a service is.
type Load struct {
	Active     uint64  `json:"active" doc:"Active connections when the report was made."`
	AgeSeconds float64 `json:"age_seconds" doc:"Age of the report."`
	Source     string  `json:"source" doc:"Who measured: the kind of load source, such as haproxy, or push, or mep SITE."`
	// Expected is how many connections the answers handed out since the report are expected to have added, less those
	// that are expected to have ended: it may be negative.
	Expected float64 `json:"expected" doc:"Connections expected from the answers handed out since the report, less those that have ended since."`
}

// Metric is the last report of one metric besides active connections.
type Metric struct {
	Name       string  `json:"name" enum:"requests,response-time,bandwidth,packets,custom-load,members,member-weight,capacity"`
	Value      float64 `json:"value"`
	Unit       string  `json:"unit" doc:"Unit of value and expected: 1/s, s, bit/s, packets/s, connections; empty for plain numbers."`
	AgeSeconds float64 `json:"age_seconds" doc:"Age of the report."`
	Source     string  `json:"source" doc:"Who measured: the kind of load source, such as haproxy, or push, or mep SITE."`
	// Expected is what the answers handed out since the report are expected to add.
	Expected float64 `json:"expected" doc:"What the answers handed out since the report are expected to add to value, less what has ended."`
}
