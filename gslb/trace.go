package gslb

import "time"

// Step is a stage of a decision, in the order of the contract (docs/decision.md).
type Step string

// Steps.
const (
	StepName          Step = "name"
	StepClient        Step = "client"
	StepVirtualServer Step = "virtual-server"
	StepPersistence   Step = "persistence"
	StepPolicy        Step = "policy"
	StepCandidates    Step = "candidates"
	StepMethod        Step = "method"
	StepAnswer        Step = "answer"
	StepLearn         Step = "learn"
)

// Entry is what one step did. Candidates lists every service the step looked at, kept or not.
type Entry struct {
	Step          Step        `json:"step"`
	VirtualServer string      `json:"virtual_server,omitempty"`
	Reason        Reason      `json:"reason"`
	Detail        string      `json:"detail,omitempty"`
	Before        int         `json:"before,omitempty"`
	After         int         `json:"after,omitempty"`
	Candidates    []Candidate `json:"candidates,omitempty"`
}

// Candidate is one service in one step, with the number that decided, if one did.
type Candidate struct {
	Service string  `json:"service"`
	Site    string  `json:"site"`
	Kept    bool    `json:"kept"`
	Reason  Reason  `json:"reason"`
	Metric  string  `json:"metric,omitempty"`
	Value   float64 `json:"value,omitempty"`
	Unit    string  `json:"unit,omitempty"`
	// AgeSeconds is the age of the evidence behind Value, or behind the state. Negative: there is none.
	AgeSeconds float64 `json:"age_seconds,omitempty"`
	Source     string  `json:"source,omitempty"`
	Detail     string  `json:"detail,omitempty"`
}

// Trace collects the entries of one decision. A nil Trace collects nothing and costs nothing; it is what the serving
// path passes. A Trace belongs to one goroutine.
type Trace struct {
	Entries []Entry `json:"entries"`
	// Queries are what was decided: one after the other where aliases lead from one balanced name to the next.
	Queries []Query `json:"-"`
}

// Add appends an entry. Safe on nil; callers avoid building the entry then.
func (t *Trace) Add(e Entry) {
	if t != nil {
		t.Entries = append(t.Entries, e)
	}
}

// age returns the seconds since seen, or -1 when there was nothing.
func age(now, seen time.Time) float64 {
	if seen.IsZero() {
		return -1
	}
	return now.Sub(seen).Seconds()
}
