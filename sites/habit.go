package sites

import (
	"math"
	"time"
)

const (
	// habitMemory is the weight that what was learned keeps with every report.
	habitMemory = 0.97
	// priorReports is how many reports' worth of chance the first guess outweighs.
	priorReports = 4
	// surprise is by how many times the spread that chance gives a report may differ from what was learned: a service that
	// fails, or that others fill, says nothing about answers.
	surprise = 5
	// certainReports is from how many reports with answers on an answer may be believed to bring more than
	// mostUncertain: before, a few coincidences look like a habit.
	certainReports = 20
	mostUncertain  = 8
	// What is more than outlier times the mean counts as that much, once there were outlierAfter reports: one that is far off
	// would spoil what is learned for many minutes, since sums remember large numbers longest.
	outlier      = 8
	outlierAfter = 4
	// leastSurvival bounds how much of a metric is believed to end between two reports.
	leastSurvival = 0.05
	// leastPerAnswer is the least number of connections that one answer is believed to bring, while there are any.
	leastPerAnswer = 0.25
	// usualPart is by how many times the mean of a metric there may be of it that ends as it used to: what stands above that has
	// come some other way, and nothing is known of how long it stays.
	usualPart = 2
	// foreseen is for how many times the usual time between two reports the fit holds.
	foreseen = 2
	// startPerAnswer is the first guess of it.
	startPerAnswer = 1
)

// habit is what reports taught about one metric of a service: how much of it an answer brings, and how soon that ends.
//
// The model: an answer brings k, each part of which ends by chance after a mean life L, so that with q answers a second the
// metric stands at k·L·q (Little's law). Reports tell the mean of the metric, and Learned that of q: their ratio C = k·L is
// known well. What remains is k. From one report to the next the metric changes by k times the answers, less its own decay,
// which C ties to k as well: the change is k × (answers − metric × mean answers / mean metric), a line through zero. Its
// slope is fitted here; old reports count ever less. Answers of other sites are in the slope as far as those sites follow the
// same reports.
//
// Behind resolvers that keep answers for their TTL an answer brings connections for just so long, and what it brought ends
// when it does: most answers take the place of others, and the fit above sees little of what they do. So there is a second one,
// of the metric's change to that of the answers in use (learnUse); of the two, that by which an answer brings more is believed.
//
// After a few reports both are guesses: loads also move for reasons of their own, and an answer that was given by then seems to
// have brought it all, and what ends with it. A guess is good enough for how many answers fill a difference, which the next report
// corrects. What is expected since a report is added to what was measured, so that comes from what is certain only (fit).
type habit struct {
	reports        float64 // sum of the weights of all reports
	value, answers float64 // sums of the metric, and of the answers between reports
	seconds        float64 // sum of the times between reports
	before         float64 // sum of the metric before each change
	fit            fit     // of changes to answers
	learned        float64 // k of the fit, for the next report's surprise
	telling        float64 // sum of the weights of reports that answers preceded
	use            fit     // of changes to those of answers in use
	held           float64 // what that fit gave, for the next report's surprise
}

// learn takes in the change from one report to the next; answers were handed out between them.
func (h *habit) learn(before, after, answers float64, apart time.Duration) {
	if h.value > 0 && h.reports >= outlierAfter {
		most := outlier * h.value / h.reports
		before, after = min(before, most), min(after, most)
	}
	h.reports = h.reports*habitMemory + 1
	h.value = h.value*habitMemory + after
	h.answers = h.answers*habitMemory + answers
	h.seconds = h.seconds*habitMemory + apart.Seconds()
	x := answers
	if h.value > 0 {
		x -= before * h.answers / h.value
	}
	h.telling *= habitMemory
	if answers > 0 {
		h.telling++
	}
	change := after - before
	if k := h.learned; k > 0 {
		most := surprise * (k*math.Abs(x) + math.Sqrt(k*before) + k)
		change = min(max(change, -most), most)
	}
	h.before = h.before*habitMemory + before
	h.fit.take(x, change)
}

// learnUse takes in by how much the metric, and the number of answers in use, changed from one report to the next; after learn.
func (h *habit) learnUse(change, inUse float64) {
	if k := h.held; k > 0 {
		most := surprise * (k*math.Abs(inUse) + math.Sqrt(k*h.value/h.reports) + k)
		change = min(max(change, -most), most)
	}
	h.use.take(inUse, change)
}

// perUse returns how much of the metric there is for each answer in use, as far as changes show it; at most most. start is
// the first guess.
func (h *habit) perUse(start, most float64) float64 {
	if h.use.square <= 0 {
		return 0
	}
	if h.telling < certainReports {
		most = min(most, mostUncertain*start)
	}
	h.held = min(max(h.use.along/h.use.square*h.reports/(h.reports+priorReports), 0), most)
	return h.held
}

// rate is what one answer brings, and how much of a metric ends in a second, 1/L.
type rate struct {
	guess  float64 // k by the fit, however little tells it
	sure   float64 // k as far as it is certain: between the first guess and the fit
	ending float64 // 1/L that goes with sure
}

// rate returns what the fit to answers tells. start is the first guess of k, 0 when there is none; least is the least k, unless the
// metric itself is less.
func (h *habit) rate(start, least float64) rate {
	if h.answers <= 0 || h.value <= 0 {
		return rate{guess: start, sure: start}
	}
	ratio := h.value / h.answers // what would be there for each answer if all of it ended until the next report
	most := ratio * (1 - leastSurvival)
	first := start
	if start == 0 {
		first = ratio / 2
	} else if h.telling < certainReports {
		most = min(most, max(mostUncertain*start, least))
	}
	prior := priorReports * h.answers / h.reports
	// What an answer adds until the next report.
	fitted := (h.fit.along + prior*first) / (h.fit.square + prior)
	sure := first + h.fit.certainty()*(fitted-first)
	fitted, sure = min(max(fitted, least), most), min(max(sure, least), most)
	h.learned = fitted
	ended := -math.Log(1 - sure/ratio) // until the next report, in lives
	return rate{guess: -math.Log(1-fitted/ratio) * ratio, sure: ended * ratio, ending: ended * h.reports / h.seconds}
}

// within is an age, or the most for which the fit can tell what ends: it saw what happens from one report to the next. While
// reports stay away nothing more is believed to end.
func (h *habit) within(age time.Duration) time.Duration {
	if h.reports == 0 {
		return age
	}
	return min(age, time.Duration(foreseen*h.seconds/h.reports*float64(time.Second)))
}

// expected is by how much the metric differs from a report of value that is old: what the answers since have brought, less
// what has ended.
func (h *habit) expected(value, answers float64, old time.Duration, r rate) float64 {
	passed := old.Seconds() * r.ending
	if passed < 1e-6 {
		return r.sure * answers
	}
	ended := -math.Expm1(-passed)
	return ended*(r.sure*answers/passed) - ended*min(value, usualPart*h.before/h.reports)
}
