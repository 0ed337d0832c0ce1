package agree

import "time"

// State says whether a site answers as this one does.
type State string

// States.
const (
	Unknown State = "unknown" // nothing was compared lately: the site tells no digests
	Agrees  State = "agrees"
	Differs State = "differs"
)

// Cause is why sites differ. The words are part of the interface.
type Cause string

// Causes, those that others may follow from first.
const (
	CauseDocument Cause = "document" // the other site has another one: nothing more is compared
	CauseServices Cause = "services" // one knows services that the other does not
	CauseOverride Cause = "override" // of an operator, known at one
	CauseHealth   Cause = "health"   // a service has another state
	CauseLocation Cause = "location" // a location file has other content
	CauseLoadAge  Cause = "load-age" // a load is fresh at one only
	CauseClock    Cause = "clock"
	CauseAnswers  Cause = "answers" // answers differ and nothing of the above does
)

// Causes returns all of them.
func Causes() []Cause {
	return []Cause{CauseDocument, CauseServices, CauseOverride, CauseHealth, CauseLocation, CauseLoadAge, CauseClock, CauseAnswers}
}

// Finding is a cause and what it is about.
type Finding struct {
	Cause Cause
	// Objects are services, overrides, files or questions, at most MaxObjects; Text says of each what differs. More says that
	// there are others.
	Objects []Object
	More    bool
}

// Object is one thing that differs.
type Object struct{ Name, Text string }

// MaxObjects is how many objects a finding names.
const MaxObjects = 16

// PeerStatus is how this site compares with another one.
type PeerStatus struct {
	Site     string
	State    State
	Since    time.Time // of State
	Compared time.Time // last; zero: never
	// Findings say why they differ, the first what others may follow from. Empty while they agree.
	Findings []Finding
	// Disagreements counts, by cause, how often it came to be one since this node started.
	Disagreements map[Cause]uint64
}
