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

	// sameMeasurement is how far apart two reports of one measurement may seem, as sites repeat it and delays vary.
	sameMeasurement = 200 * time.Millisecond
	// confidentAnswers is how many answers between two reports make their ratio count in full.
	confidentAnswers = 10
	// learningRate is the weight of one full ratio against what was learned before.
	learningRate = 0.2
)

// nextLoad returns the load after a report of active connections at this time. handed is the count of answers so far: it
// dates the report among the answers, and its growth shows how many connections an answer brings.
func nextLoad(old gslb.Load, active uint64, at time.Time, handed uint64, source string) gslb.Load {
	if !old.At.IsZero() && at.Sub(old.At) < sameMeasurement {
		return old
	}
	next := gslb.Load{Active: active, At: at, Handed: handed, PerAnswer: startPerAnswer, Source: source}
	if old.At.IsZero() {
		return next
	}
	next.PerAnswer = old.PerAnswer
	answers := float64(handed - old.Handed)
	if handed <= old.Handed {
		return next
	}
	gained := 0.0
	if active > old.Active {
		gained = float64(active - old.Active)
	}
	ratio := min(max(gained/answers, minPerAnswer), maxPerAnswer)
	rate := learningRate * min(1, answers/confidentAnswers)
	next.PerAnswer += rate * (ratio - old.PerAnswer)
	return next
}
