package resource

import "time"

// Order is what an operator asks for.
type Order struct {
	Reason string `json:"reason" minLength:"1" maxLength:"120" doc:"Why, for those who will wonder."`
	For    string `json:"for,omitempty" doc:"How long, as 30m or 2h; from 1s to 720h. Default: 4h."`
	Owner  string `json:"owner,omitempty" maxLength:"120" doc:"Who. Default: api."`
}

// Withdrawal ends what was ordered.
type Withdrawal struct {
	Reason string `json:"reason,omitempty" maxLength:"120" doc:"Why."`
	Owner  string `json:"owner,omitempty" maxLength:"120" doc:"Who. Default: api."`
}

// Override is what an operator wants for a time, whatever the document says; or, with action hold, that a virtual server stays on
// its backup.
type Override struct {
	Kind   string `json:"kind" enum:"service,service-group,site,virtual-server"`
	Name   string `json:"name"`
	Action string `json:"action" enum:"enable,disable,drain,clear,hold,release"`
	Owner  string `json:"owner"`
	Reason string `json:"reason"`
	// Site is where the order was given.
	Site string    `json:"site" doc:"Site at which it was given."`
	Set  time.Time `json:"set" doc:"When it was given."`
	// Until is zero for a hold, which lasts until it is released.
	Until time.Time `json:"until,omitzero" doc:"When it ends. Absent: when an operator ends it."`
}

// OverrideList is all overrides that have an effect.
type OverrideList struct {
	Overrides []Override `json:"overrides" nullable:"false" doc:"By kind and name."`
	At        time.Time  `json:"at" doc:"When it was read."`
}

// Drain is what a DRAINING service has still before it.
type Drain struct {
	Since time.Time `json:"since" doc:"When it began to drain."`
	// Connections is nil when its load is not reported.
	Connections *uint64 `json:"connections,omitempty" doc:"Active connections by the last load report. Absent: not reported."`
	// HalfLifeSeconds is nil while they do not fall, or it is not known.
	HalfLifeSeconds *float64  `json:"half_life_seconds,omitempty" doc:"Time in which its connections halve. Absent: they do not, or it is not known yet."`
	ResolversUntil  time.Time `json:"resolvers_until" doc:"Until when resolvers may hold an answer with it."`
	// Sessions is nil when there are no sessions.
	Sessions *int `json:"sessions,omitempty" doc:"Persistence sessions that point to it."`
	// EstimateSeconds is nil when nobody can tell.
	EstimateSeconds *float64 `json:"estimate_seconds,omitempty" doc:"Estimated time until no resolver holds an answer with it and less than one connection is left. Absent: nobody can tell."`
}
