package resource

import (
	"net/netip"
	"time"
)

// Sketch is what is asked of this node: kinds of queries for balanced names, the most frequent first.
type Sketch struct {
	At    time.Time `json:"at" doc:"When it was read."`
	Since time.Time `json:"since,omitzero" doc:"When the first query came. Absent: none did."`
	// HalfLifeSeconds is the time in which a count halves.
	HalfLifeSeconds float64            `json:"half_life_seconds" doc:"Time in which what was counted halves."`
	PerSecond       float64            `json:"per_second" doc:"Queries for balanced names in a second, over about the last half-life."`
	Kinds           int                `json:"kinds" doc:"Kinds of queries that are counted apart."`
	MaxKinds        int                `json:"max_kinds" doc:"Most kinds that are counted apart."`
	LeftOut         uint64             `json:"left_out" doc:"Queries since the start that were not counted, because they came too fast or there were too many names."`
	Entries         []SketchEntry      `json:"entries" nullable:"false" doc:"The most frequent kinds, at most limit."`
	Remainders      []SketchRemainder  `json:"remainders" nullable:"false" doc:"Queries whose kind is not counted apart any more, by name, at most limit."`
	Peak            *ConnectionHistory `json:"peak,omitempty" doc:"The most connections of all services together. Absent: no load was ever reported."`
}

// SketchEntry is one kind of query.
type SketchEntry struct {
	Name     string       `json:"name" doc:"Balanced name."`
	Family   string       `json:"family" enum:"A,AAAA,HTTPS,host,NAPTR,other" doc:"What is asked for: A, AAAA, HTTPS, host (SRV and MX), NAPTR, or other types of a name that may be an alias."`
	LDNS     netip.Prefix `json:"ldns,omitzero" doc:"Network of the resolver."`
	Subnet   netip.Prefix `json:"subnet,omitzero" doc:"EDNS Client Subnet, at most /24 or /48. Absent: none."`
	Listener netip.Addr   `json:"listener,omitzero" doc:"Address of this node that was asked. Absent: not known."`
	// PerSecond is surely of this kind; up to ErrorPerSecond more may be, which are counted in the remainder.
	PerSecond      float64 `json:"per_second" doc:"Queries of this kind in a second; not more than there were."`
	ErrorPerSecond float64 `json:"error_per_second" doc:"At most so many more were of this kind; they are counted in the remainder."`
	Share          float64 `json:"share" doc:"Share of all queries (0 to 1)."`
}

// SketchRemainder is queries whose kind was forgotten.
type SketchRemainder struct {
	Name      string  `json:"name"`
	Family    string  `json:"family" enum:"A,AAAA,HTTPS,host,NAPTR,other"`
	PerSecond float64 `json:"per_second"`
}

// ConnectionHistory is how many connections all services had together.
type ConnectionHistory struct {
	Connections float64   `json:"connections" doc:"The most in the last 24 hours, as the largest of each 5 minutes."`
	At          time.Time `json:"at" doc:"When that was."`
	Now         float64   `json:"now" doc:"As reported last."`
}

// Headroom is what the loss of one site would do to the others.
type Headroom struct {
	Lost string    `json:"lost" doc:"Site that is lost."`
	At   time.Time `json:"at" doc:"When it was computed."`
	// Ratio is what is left of the worst service's capacity: 1 all, 0 nothing, negative: it is exceeded.
	Ratio *float64 `json:"ratio,omitempty" doc:"Part of its capacity that the fullest other service would have left; negative: it would be exceeded by so much. Absent: no capacity or load is known."`
	Worst string   `json:"worst,omitempty" doc:"The fullest service."`
	// Unanswered is queries that would get no answer, or a last resort, and do not now.
	Unanswered float64 `json:"unanswered" doc:"Share of queries that would get no answer or a last resort, and get one now (0 to 1)."`
}

// WhatIf is what would happen if sites or services were lost.
type WhatIf struct {
	At       time.Time `json:"at"`
	Snapshot uint64    `json:"snapshot" doc:"Snapshot that the answers were computed from."`
	Lost     []string  `json:"lost" nullable:"false" doc:"Sites and services that are lost."`
	Load     float64   `json:"load" doc:"Factor on all connections."`
	// PerSecond, Kinds and Covered say what the answers rest on.
	PerSecond float64 `json:"per_second" doc:"Queries in a second that the sketch knows of."`
	Kinds     int     `json:"kinds" doc:"Kinds of queries that were decided."`
	Covered   float64 `json:"covered" doc:"Share of the known queries that were decided; the others are of names that are gone, or whose clients are not known."`

	Before WhatIfState `json:"before" doc:"As it is now, with the load."`
	// Rounds has at least one entry. In each further one those that were overloaded in the round before have failed, too.
	Rounds  []WhatIfRound `json:"rounds" nullable:"false" doc:"What follows, and what follows from that, until nothing fails any more."`
	Settled bool          `json:"settled" doc:"Nothing is overloaded after the last round, or nothing is left that could fail."`
	Notes   []string      `json:"notes" nullable:"false" doc:"What is not known, for people."`
}

// WhatIfRound is one step of a cascade.
type WhatIfRound struct {
	Failed []string    `json:"failed" nullable:"false" doc:"Services that are down in this round: first those that are lost, then those that were overloaded."`
	State  WhatIfState `json:"state"`
}

// WhatIfState is where queries and connections go.
type WhatIfState struct {
	Sites    []WhatIfSite    `json:"sites" nullable:"false" doc:"In the document's order."`
	Services []WhatIfService `json:"services" nullable:"false" doc:"Services with answers or connections, now or then."`
	Names    []WhatIfName    `json:"names" nullable:"false" doc:"Names of which queries get no answer or a last resort, the most queries first; at most 100."`
	// Unanswered and LastResort are shares of the queries.
	Unanswered float64 `json:"unanswered" doc:"Share of queries that get no address (0 to 1)."`
	LastResort float64 `json:"last_resort" doc:"Share of queries that get addresses of services that are down, or backup addresses (0 to 1)."`
	// Stranded is connections whose clients got no answer, or a last resort.
	Stranded float64 `json:"stranded" doc:"Connections that have nowhere to go."`
}

// WhatIfSite sums up a site's services.
type WhatIfSite struct {
	Name        string  `json:"name"`
	Share       float64 `json:"share" doc:"Share of queries whose answer names it first (0 to 1)."`
	Connections float64 `json:"connections"`
	// Capacity is 0 when none is known.
	Capacity      float64  `json:"capacity,omitempty" doc:"Sum of the capacities that are known, of services that are not DOWN; of all where all are. Absent: none is."`
	Percent       *float64 `json:"percent,omitempty" doc:"Connections of the services whose capacity is known, in percent of it. Absent: no capacity is known."`
	WithoutLimits int      `json:"without_capacity,omitempty" doc:"Services in use whose capacity is not known."`
}

// WhatIfService is one service.
type WhatIfService struct {
	Name        string   `json:"name"`
	Site        string   `json:"site"`
	State       string   `json:"state" enum:"UP,DOWN,UNKNOWN,DISABLED,DRAINING"`
	Share       float64  `json:"share" doc:"Share of queries whose answer names it first (0 to 1)."`
	Connections *float64 `json:"connections,omitempty" doc:"Absent: no load is known that could tell."`
	Capacity    float64  `json:"capacity,omitempty" doc:"Connections that it can carry. Absent: not known."`
	Percent     *float64 `json:"percent,omitempty" doc:"Connections in percent of the capacity. Absent: one of them is not known."`
	AtLimit     bool     `json:"at_limit,omitempty" doc:"It reached max_connections; further clients went elsewhere."`
	Overloaded  bool     `json:"overloaded,omitempty" doc:"It has more connections than its capacity."`
	Estimated   bool     `json:"estimated,omitempty" doc:"It reported no load: the mean of the others per answer was taken."`
}

// WhatIfName is a name with queries that are not answered as they should be.
type WhatIfName struct {
	Name       string  `json:"name"`
	PerSecond  float64 `json:"per_second" doc:"Queries for it in a second."`
	Unanswered float64 `json:"unanswered" doc:"Share of them that gets no address (0 to 1)."`
	LastResort float64 `json:"last_resort" doc:"Share of them that gets a last resort (0 to 1)."`
}
