package schedule

import (
	"context"
	"time"
)

// Limits of a job's plan.
const (
	// MinInterval bounds how often one job runs, whatever it asks for.
	MinInterval = 100 * time.Millisecond
	// FirstWithin bounds how long a new job waits for its first run; less when its interval is shorter.
	FirstWithin = time.Second
	// MaxJitter is percent of the interval, either way.
	MaxJitter = 50
	// lateShare: a run that starts later than interval/lateShare after it was due counts as late.
	lateShare = 10
	// coarseFrom is the interval from which jobs are due at every coarseTicks-th tick only. What starts together costs less: whoever does the
	// work is woken once for all of it, and so is who waits for its answers.
	coarseFrom  = 2 * time.Second
	coarseTicks = 2
)

// Job is something to do at every interval. It is given to one Lane once; its fields are not changed afterwards.
type Job struct {
	// ID is a stable hash of what the job is about: its place in the interval and its jitter follow from it.
	ID       uint64
	Interval time.Duration // at least MinInterval
	Jitter   int           // percent of the interval, either way; 0 to MaxJitter
	// Instead is the job in whose place this one comes, taken out by the same Replace, if what that one found still counts: the first run
	// is when that one's next would have been, or within the own interval, or Within, where that is shorter. So thousands of jobs that are new since
	// something about all of them changed do not start at once, and none starts later than it would have. It is forgotten then.
	Instead *Job
	Within  time.Duration // 0: Interval
	// Work is called by one goroutine at a time, and must return soon after its context ends. A context that has ended
	// means: the result is no longer wanted. The context outlives the run; it ends with the job or with the Lane's Run.
	Work func(context.Context)
	// Start, unless it is nil, is asked before: it may begin the work elsewhere, without a goroutine of the Lane. Then it returns true,
	// and finished must be called once the work is over, on another goroutine than Start's. It must not wait for anything. False
	// leaves the run to Work.
	Start func(ctx context.Context, finished func()) bool

	// What follows is guarded by Schedule.mu.
	interval time.Duration // Interval, until Retime says otherwise
	state    state
	lane     *Lane
	removed  bool
	placed   bool // it has another's place
	hastened bool
	runs     uint64 // started so far, those on demand excepted
	due      int64  // tick; while it runs, of the next run
	kept     int64  // of a hastened job: when it was due before
	base     int64  // tick from which due was reckoned
	// spread is the interval over which jobs like this one are spread already: at first FirstWithin.
	spread, before time.Duration
	owed           time.Duration // how much the plan moved while the job was overdue
	ctx            context.Context
	cancel         context.CancelFunc
	finished       func() // for Start; nil: it was not asked yet

	// Where it is linked.
	earlier, later *Job
	level, slot    int8
}

// state is where a job is.
type state uint8

const (
	planned state = iota // in the wheel
	ready                // due, in its lane's list
	running
)

// prepare checks what was asked for.
func (j *Job) prepare() {
	j.interval = max(j.Interval, MinInterval)
	j.Jitter = min(max(j.Jitter, 0), MaxJitter)
	j.spread = min(j.interval, FirstWithin)
}

// firstWait is how long a new job waits: soon, but all new ones spread.
func (j *Job) firstWait() time.Duration {
	return time.Duration(j.place() * float64(min(j.interval, FirstWithin)))
}

// first plans the first run, after a tick.
func (j *Job) first(tick int64) {
	of := j.Instead
	j.Instead = nil
	if of == nil || of.lane != j.lane || of.state != planned || of.runs == 0 && !of.placed || of.hastened {
		j.due = tick + int64(j.firstWait()/wheelTick)
		return
	}
	j.placed, j.due, j.spread = true, of.due, min(j.interval, of.spread)
	j.base, j.before = of.base, of.before // for Retime, after a run that Hasten made
	within := j.interval
	if j.Within > 0 {
		within = min(within, j.Within)
	}
	if longest := within * time.Duration(100+j.Jitter) / 100; of.due-tick > ticks(longest) {
		j.due, j.spread = j.align(tick+ticks(time.Duration(j.place()*float64(within)))), min(j.spread, within)
	}
}

// gap is the time from one run to the next. Where jobs like this one are not spread over the interval yet, since they are new
// or since the interval became longer, it brings the job to its place, between what it was and the interval.
func (j *Job) gap() time.Duration {
	gap := float64(j.interval)
	if j.spread < j.interval {
		gap = float64(j.spread) + j.place()*(gap-float64(j.spread))
	}
	vary := 2*fraction(mix(j.ID+j.runs+1)) - 1
	vary *= gap * float64(j.Jitter) / 100
	if j.interval >= coarseFrom {
		return time.Duration(gap) + time.Duration(vary).Truncate(coarseTicks*wheelTick) // both as exact as they can be
	}
	return time.Duration(gap + vary)
}

// align moves a due tick back to one at which the job may be due.
func (j *Job) align(due int64) int64 {
	if j.interval < coarseFrom {
		return due
	}
	return due - due%coarseTicks
}

// plan reckons when the job runs next, if it runs at the tick base.
func (j *Job) plan(base int64) {
	j.base, j.due = base, j.align(base+ticks(j.gap()))
	j.before, j.spread = j.spread, j.interval
}

// replan is plan again, for another interval.
func (j *Job) replan(interval time.Duration) {
	j.interval, j.spread = interval, j.before
	j.plan(j.base)
}

// place is where in its interval the job runs, in [0, 1).
func (j *Job) place() float64 { return fraction(mix(j.ID)) }

// ticks is d in ticks, rounded.
func ticks(d time.Duration) int64 { return int64((d + wheelTick/2) / wheelTick) }

// fraction maps a hash to [0, 1).
func fraction(x uint64) float64 { return float64(x>>11) / (1 << 53) }

// mix is the finalizer of SplitMix64: neighbouring numbers become unrelated ones.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
