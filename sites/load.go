package sites

import (
	"time"

	"fairlead/gslb"
)

// Bounds of what one answer is believed to bring.
const (
	minPerAnswer   = 0.25
	maxPerAnswer   = 8
	startPerAnswer = 1

	// sameMeasurement is how far apart two reports of one measurement may seem, as sites repeat it and delays vary. They
	// tell the same number.
	sameMeasurement = 200 * time.Millisecond
	// confidentAnswers is how many answers between two reports make their ratio count in full.
	confidentAnswers = 10
	// learningRate is the weight of one full ratio against what was learned before.
	learningRate = 0.2
)

// nextLoad returns the load after a report of active connections at this time. handed is the count of answers so far: it
// dates the report among the answers, and its growth shows how many connections an answer brings.
//
// How many of the active connections those answers brought, and how many were open before, nobody can tell: all are
// counted. Too few per answer would send the clients of all sites to the service that reported least, until it reports
// most; too many only spread the answers more evenly than the connections. It also covers the answers of the other sites.
func nextLoad(old gslb.Load, active uint64, at time.Time, handed uint64, source string) gslb.Load {
	if apart := at.Sub(old.At); !old.At.IsZero() && (apart <= -sameMeasurement || apart < sameMeasurement && active == old.Active) {
		return old
	}
	next := gslb.Load{Active: active, At: at, Handed: handed, PerAnswer: startPerAnswer, Source: source}
	if old.At.IsZero() {
		return next
	}
	next.PerAnswer = old.PerAnswer
	if handed <= old.Handed {
		return next
	}
	answers := float64(handed - old.Handed)
	ratio := min(max(float64(active)/answers, minPerAnswer), maxPerAnswer)
	rate := learningRate * min(1, answers/confidentAnswers)
	next.PerAnswer += rate * (ratio - old.PerAnswer)
	return next
}
