package mep

import "time"

// Event is what Options.Receive is told: *SessionUp, *ServicesReport, *SiteReach, *ViewsReport, *OverridesReport, *NetworkReport,
// *SessionsReport, *DecisionsReport, *ConfigMessage, *PeerLeaving or *SessionDown.
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

// ServicesReport is a site's full set of services. What an earlier report had and this one lacks is gone. Should a name
// come twice, the last record counts. Of one site, reports come in the order of (Incarnation, Set), whoever passes them on;
// what was overtaken is dropped. Only when the newer of two instances of a site is gone, those of the older one follow.
type ServicesReport struct {
	Peer string // site that told it
	Site string // site whose services they are: Peer, or one that may report to it
	// Records must not be written to. Nothing but the ages changed if they are the same slice as in the report before, and they
	// often are: a report of a site comes when something changed, and else every second metrics interval if it tells loads, or four
	// times within a keepalive timeout. So what a report lacks between is not older than the session is silent.
	//
	// Their ages are upper bounds: a source that measures every second, and has nothing new to tell, may be said to have measured
	// up to a few seconds ago, but is never said to have measured after it stopped. Rates are told within about 2 percent.
	Records     []ServiceRecord
	Incarnation uint64
	Set         uint64 // grows with every set of the incarnation
	// ReceivedAt is when the last frame of the set was read, on this node's clock. The ages in the records were taken Age
	// before it, plus the time the frames travelled.
	ReceivedAt time.Time
	Age        time.Duration
}

// Reach is what is told of a site by the one that it reports to.
type Reach uint8

// Reaches. The numbers are part of the protocol: append only.
const (
	ReachHeard Reach = 1 // it is attached, and there is a session with it
	ReachLost  Reach = 2 // the session was lost; it may have attached to another parent
	ReachLeft  Reach = 3 // it stopped as planned

	// reachMoving is ReachLost when who lost it had another document than one of those who passed that on. It is on the wire only:
	// SiteReach has Differs.
	reachMoving Reach = 4
)

// SiteReach says that a peer hears, or has lost, a site that reports to it. For sites that report to this one SessionUp and
// SessionDown say it.
//
// ReachHeard comes before the first report of the site by that peer, and says nothing of whether others told of it before. When
// the session with Peer ends there is no SiteReach: all that it told of is lost with it.
type SiteReach struct {
	Peer  string // site that told it
	Site  string // site that it is about
	Reach Reach
	// Differs says that not all from the site that lost Site to this one have the same document, by what they told last. By one of
	// them Site may have another way by which it is heard.
	Differs bool
	At      time.Time
}

// NetworkReport is what a site measured of resolvers, and which ones it wants to be measured.
type NetworkReport struct {
	Peer    string // site that told it
	Site    string // site that measured: Peer, or one that may report to it
	Hops    uint8  // how many more sites may pass it on
	Records []NetworkRecord
	// ReceivedAt is when the frame was read; ages of records count from then.
	ReceivedAt time.Time
}

// SessionsReport is persistence sessions that a peer keeps. It adds to those before.
type SessionsReport struct {
	Peer    string // site
	Records []SessionRecord
	// ReceivedAt and Age are as in ServicesReport.
	ReceivedAt time.Time
	Age        time.Duration
}

// DecisionsReport is a peer's digest of its answers to the sample.
type DecisionsReport struct {
	Peer string // site
	DecisionsDigest
	ReceivedAt time.Time
}

// ConfigMessage is a message about documents. What it means is not this package's.
type ConfigMessage struct {
	Peer string // site
	Kind uint8
	Body []byte
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
	Ending Ending // the same, in a word
	Left   bool   // the peer announced it
	// Differs says that the peer had another document, by which it may be heard in another way.
	Differs bool
	At      time.Time
	// Heard is when something was heard last from it: a keepalive timeout before At when it fell silent, just before when the
	// session broke otherwise.
	Heard time.Time
	// Others is when something was heard last from any other peer of the same relation that there is a session with; zero: there is
	// none. Long before At, it means that they will be lost next.
	Others time.Time
}

func (*SessionUp) isEvent()       {}
func (*ServicesReport) isEvent()  {}
func (*SiteReach) isEvent()       {}
func (*NetworkReport) isEvent()   {}
func (*SessionsReport) isEvent()  {}
func (*DecisionsReport) isEvent() {}
func (*ConfigMessage) isEvent()   {}
func (*ViewsReport) isEvent()     {}
func (*OverridesReport) isEvent() {}
func (*PeerLeaving) isEvent()     {}
func (*SessionDown) isEvent()     {}
