package monitors

import (
	"net/netip"
	"time"

	"fairlead/monitors/probe"
)

// State is what the probes of one monitor say about one target.
type State uint8

// States. A target is Unknown until its first probe has finished.
const (
	Unknown State = iota
	Up
	Down
)

// String returns the state as status prints it.
func (s State) String() string {
	switch s {
	case Up:
		return "UP"
	case Down:
		return "DOWN"
	}
	return "UNKNOWN"
}

// Verdict is what is held of one target after one more probe of it.
type Verdict struct {
	Service, Monitor string
	Address          netip.AddrPort
	State            State
	Since            time.Time     // of State
	At               time.Time     // when the probe finished
	Reason           string        // what the probe saw, for people; while State is Up it may tell of a failure that does not count yet
	Latency          time.Duration // of the probe, to the first byte; 0 when it did not get that far
	Failures         int           // in a row, this probe included; 0 after a success
	Successes        int           // in a row, this probe included; 0 after a failure
	Draining         bool          // UP, and the target asks to be sent nobody new (drain_on); failures do not end that
	DrainingChanged  bool          // Draining is another than before this probe
	Slow             bool          // the probe would have passed but for max_response_time
	Values           []probe.Value // numbers that the target told besides
	Changed          bool          // State is another than before this probe
	Parts            []PartVerdict // what a calculated monitor is made of; nil: it is none
}

// tally counts results in a row and holds the state that follows from them. It is a value: next returns the one that
// follows. fall and rise below 1 count as 1.
type tally struct {
	state               State
	since               time.Time
	failures, successes int
}

// next takes in a result that came at now. The first one decides at once; then fall failures in a row make Down, rise
// successes in a row make Up.
func (t tally) next(now time.Time, ok bool, fall, rise int) tally {
	if ok {
		t.successes, t.failures = t.successes+1, 0
	} else {
		t.failures, t.successes = t.failures+1, 0
	}
	state := t.state
	switch {
	case ok && (state == Unknown || t.successes >= rise):
		state = Up
	case !ok && (state == Unknown || t.failures >= fall):
		state = Down
	}
	if state != t.state {
		t.state, t.since = state, now
	}
	return t
}
