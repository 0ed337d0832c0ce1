package gslb

import "time"

// State is what is believed about a service.
type State uint8

// States. A service is a candidate for new clients only while it is Up.
const (
	Unknown  State = iota // no evidence that counts yet, or any more
	Up                    // may be answered
	Down                  // evidence says that it does not work
	Disabled              // the operator wants it out, also as a last resort
	Draining              // keeps its sessions, gets no new clients
)

// String returns the state as status and explain print it.
func (s State) String() string {
	switch s {
	case Up:
		return "UP"
	case Down:
		return "DOWN"
	case Disabled:
		return "DISABLED"
	case Draining:
		return "DRAINING"
	}
	return "UNKNOWN"
}

// Load is the last report of how busy a service is. The zero Load means that none was ever received.
type Load struct {
	Active uint64 // active connections when the report was made
	// At is when the report was made, on this node's clock (a peer's report is dated back by its age). Zero: no report.
	At time.Time
	// Handed is Learned's count of answers for the service when the report was made: what was handed out since is
	// not in Active yet. Of a service that never reported, or not for long, it is the count about
	// a metrics interval ago.
	Handed uint64
	// PerAnswer is how many connections one answer brings, as learned from reports.
	PerAnswer float64
	// Patience is by how many times less than they would the answers of this status are to level differences, which then
	// takes about as long as answers are kept; at once, they would come back as a wave when those end together. 0: 1.
	Patience float64
	// Pace is how many answers this node has given with the service in the last second, LongPace how many a second for as long
	// as one is kept: where both are few, they need no patience.
	Pace, LongPace float64
	// Expected is by how many connections Active is believed to have changed since, as of Status.At: what the answers
	// handed out since have brought, less what has ended. Not below -Active.
	Expected float64
	Source   string // who measured: "haproxy", "push", "mep nyc"
}

// Measure is the last report of one metric besides connections. The zero Measure means that none was ever received.
type Measure struct {
	Value float64
	At    time.Time // as Load.At
	// PerAnswer, Patience, Pace, LongPace and Expected are as in Load, in the metric's unit.
	PerAnswer, Patience, Pace, LongPace, Expected float64
	Source                                        string
}

// Fresh reports whether the measure is young enough to be compared with others at now.
func (m *Measure) Fresh(now time.Time, limit time.Duration) bool {
	return !m.At.IsZero() && now.Sub(m.At) <= limit
}

// Measures are the metrics of a service besides connections. Immutable once in a Status.
type Measures struct {
	ResponseTime Measure // mean time to the first byte, in seconds
	Bandwidth    Measure // bit/s
	Packets      Measure // packet/s
	Custom       Measure // custom load, in the load source's own unit
	Requests     Measure // requests per second
	Members      Measure // usable members behind the service
	MemberWeight Measure // the sum of their weights
	Capacity     Measure // connections that it can carry
}

// Fresh reports whether the load is young enough to be compared with others at now.
func (l Load) Fresh(now time.Time, limit time.Duration) bool {
	return !l.At.IsZero() && now.Sub(l.At) <= limit
}

// ServiceStatus is the belief about one service.
type ServiceStatus struct {
	State State
	// Without4 and Without6 say that this family's address fails its monitors although the service is Up by the other
	// one: it is left out of answers of its family.
	Without4, Without6 bool
	Reason             string    // why the state is what it is, for people: "monitor web-ok: 3 of 3 failed"
	Source             string    // whose evidence decided: "monitor web-ok", "mep nyc", "assumed", "operator"
	Since              time.Time // of the state
	Seen               time.Time // of the evidence; its age is what explain prints. Zero: none.
	Load               Load
	Measures           *Measures // nil: nothing but connections was ever reported
	// Share is the part of the weight that counts while the service starts slowly; 0 and 1: all of it.
	Share float64
	// Doubt says why the state is uncertain, which lowers the TTL of answers; empty: it is not.
	Doubt Reason
}

// Status is the belief about all services of one Plan, by ServiceIndex. It is immutable once it is in a Snapshot.
type Status struct {
	// At is when belief was gathered: the ages of loads are taken then.
	At       time.Time
	Services []ServiceStatus
	// Held says, by VirtualServerIndex, which virtual servers stay on their backup until an operator returns them. Nil: none.
	Held []bool
	// Ordered says, by VirtualServerIndex, what operators want of virtual servers for a time. Nil: nothing.
	Ordered []Ordered
	// Alarm says for people why this node doubts itself; empty: it does not.
	Alarm string
	// Isolated says for people that no other site is heard, and what follows; empty: some are.
	Isolated string
}
