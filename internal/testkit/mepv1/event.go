package mepv1

import "time"

// Event is what Options.Receive is told: *SessionUp, *ServicesReport, *ViewsReport,
// *OverridesReport, *PeerLeaving or *SessionDown.
//
// The events of one peer come one at a time and in order: SessionUp, then any number of reports, then perhaps
// PeerLeaving, then SessionDown. A SessionUp may also follow another without a SessionDown between them: the session was
// replaced by a newer one, and the peer was never lost. Events of different peers come concurrently.
type Event interface{ isEvent() }

// SessionUp says that a session with a peer has begun.
type SessionUp struct {
	Peer    string // site
	Hello   Hello  // the peer's
	Version uint8  // agreed
	At      time.Time
}

// ServicesReport is a peer's full set of services. What an earlier report had and this one lacks is gone. Should a name
// come twice, the last record counts.
type ServicesReport struct {
	Peer string // site
	// Records must not be written to.
	Records     []ServiceRecord
	Incarnation uint64
	Set         uint64 // grows with every set of the incarnation
	// ReceivedAt is when the last frame of the set was read, on this node's clock. The ages in the records were taken Age
	// before it, plus the time the frames travelled.
	ReceivedAt time.Time
	Age        time.Duration
}

// ViewsReport is what a peer sees itself of other sites and their services. It replaces the one before.
type ViewsReport struct {
	Peer    string // site
	Records []ViewRecord
	// ReceivedAt and Age are as in ServicesReport.
	ReceivedAt time.Time
	Age        time.Duration
}

// OverridesReport is all operators' orders that a peer knows of. What it lacks is not withdrawn.
type OverridesReport struct {
	Peer    string // site
	Records []OverrideRecord
	// ReceivedAt and Age are as in ServicesReport.
	ReceivedAt time.Time
	Age        time.Duration
}

// PeerLeaving says that the peer stops as planned: its services will not be reported for a while although nothing failed.
// SessionDown follows.
type PeerLeaving struct {
	Peer string // site
	At   time.Time
}

// SessionDown says that the session with a peer has ended. Nothing follows from it about the peer's services.
type SessionDown struct {
	Peer   string // site
	Reason string // for people
	Left   bool   // the peer announced it
	At     time.Time
}

func (*SessionUp) isEvent()       {}
func (*ServicesReport) isEvent()  {}
func (*ViewsReport) isEvent()     {}
func (*OverridesReport) isEvent() {}
func (*PeerLeaving) isEvent()     {}
func (*SessionDown) isEvent()     {}
