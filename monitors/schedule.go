package monitors

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"
)

// Limits of a schedule.
const (
	// minInterval bounds how often one job runs, whatever it asks for.
	minInterval = 100 * time.Millisecond
	// firstWithin bounds how long a new job waits for its first run (less when its interval is shorter).
	firstWithin = time.Second
	// lateShare: a run that starts later than interval/lateShare after it was due counts as late.
	lateShare = 10
	// pauseLimit is how late the loop may look before this counts as a pause of the whole process.
	pauseLimit = 100 * time.Millisecond
	// maxJitter is percent of the interval, either way.
	maxJitter = 50
)

var errRunning = errors.New("run schedule: it is running already")

// Stats are the numbers of one schedule, for metrics. Done, Late and Pauses only grow.
type Stats struct {
	Targets int    // what is run
	Running int    // runs under way
	Waiting int    // due, but not started: the limit of runs at once is reached
	Done    uint64 // runs finished, those cancelled by a removal included
	Late    uint64 // runs started more than a tenth of their interval after they were due
	Pauses  uint64 // times when the process stood still, and the plan was moved by the length of the pause
}

// job is something to do at every interval.
type job struct {
	id       uint64 // stable hash of what the job is about: its place in the interval and its jitter follow from it
	interval time.Duration
	jitter   int // percent of interval, either way
	// work must return soon after its context ends. A context that has ended means: the result is no longer wanted.
	work func(context.Context)

	// Guarded by schedule.mu.
	due     time.Time
	kept    time.Time          // when it was due before it was hastened; zero: it was not
	runs    uint64             // started so far
	index   int                // in schedule.queue; -1 while it runs
	cancel  context.CancelFunc // of the run under way
	removed bool
}

// schedule runs jobs. One loop looks at the queue; each run is a goroutine that ends with it. A job runs once at a time,
// and what it missed is not made up for: the next run is an interval after the last one was due, or after it started if
// that was late.
//
// Safe for concurrent use; jobs may be replaced before, during and after run.
type schedule struct {
	limit int // runs at once
	wake  chan struct{}

	mu        sync.Mutex
	queue     jobQueue // jobs that do not run now, earliest first
	jobs      int
	running   int
	saturated bool // the last look left due jobs behind because of limit
	active    bool
	done      uint64
	late      uint64
	pauses    uint64
}

func newSchedule(limit int) *schedule {
	return &schedule{limit: limit, wake: make(chan struct{}, 1)}
}

// replace takes jobs out, cancelling their runs, and puts new ones in.
func (s *schedule) replace(now time.Time, out, in []*job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range out {
		s.remove(j)
	}
	for _, j := range in {
		j.interval = max(j.interval, minInterval)
		j.jitter = min(max(j.jitter, 0), maxJitter)
		j.due = now.Add(j.firstWait())
		heap.Push(&s.queue, j)
		s.jobs++
	}
	s.look()
}

func (s *schedule) remove(j *job) {
	if j.removed {
		return
	}
	j.removed = true
	s.jobs--
	if j.cancel != nil {
		j.cancel()
		return
	}
	heap.Remove(&s.queue, j.index)
}

// run starts what is due until ctx ends, then waits for the runs under way.
func (s *schedule) run(ctx context.Context) error {
	s.mu.Lock()
	if s.active {
		s.mu.Unlock()
		return errRunning
	}
	s.active, s.saturated = true, false
	s.delay(s.overdue(time.Now())) // what fell due before there was a loop is not late
	s.mu.Unlock()

	var children sync.WaitGroup
	timer := time.NewTimer(0)
	defer func() {
		timer.Stop()
		children.Wait()
		s.mu.Lock()
		s.active = false
		s.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.wake:
		}
		starts, wait := s.take(ctx, time.Now())
		for _, st := range starts {
			children.Go(func() {
				st.job.work(st.ctx)
				s.finish(time.Now(), st.job)
			})
		}
		if wait < 0 {
			timer.Stop()
		} else {
			timer.Reset(wait)
		}
	}
}

type start struct {
	job *job
	ctx context.Context
}

// take marks what is due as running and says how long nothing else will be; negative when only a wake changes that.
func (s *schedule) take(ctx context.Context, now time.Time) (starts []start, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.absorbPause(now)
	s.saturated = false
	for len(s.queue) > 0 {
		j := s.queue[0]
		if wait := j.due.Sub(now); wait > 0 {
			return starts, wait
		}
		if s.running == s.limit {
			s.saturated = true
			return starts, -1
		}
		heap.Pop(&s.queue)
		starts = append(starts, s.begin(ctx, now, j))
	}
	return starts, -1
}

// absorbPause moves the whole plan when the loop looks later than it meant to: the process stood still (a suspended
// machine, a starved processor). Without it all that fell due meanwhile would start at once and stay in step for ever.
func (s *schedule) absorbPause(now time.Time) {
	pause := s.overdue(now)
	if pause < pauseLimit || s.saturated {
		return
	}
	s.pauses++
	for _, j := range s.queue {
		if now.Sub(j.due) > j.interval/lateShare {
			s.late++
		}
	}
	s.delay(pause)
}

// overdue is for how long the earliest job has been due.
func (s *schedule) overdue(now time.Time) time.Duration {
	if len(s.queue) == 0 {
		return 0
	}
	return max(0, now.Sub(s.queue[0].due))
}

// delay moves all waiting jobs by the same time, so that the queue keeps its order and the jobs stay spread.
func (s *schedule) delay(by time.Duration) {
	for _, j := range s.queue {
		if j.due = j.due.Add(by); !j.kept.IsZero() {
			j.kept = j.kept.Add(by)
		}
	}
}

func (s *schedule) begin(ctx context.Context, now time.Time, j *job) start {
	ctx, j.cancel = context.WithCancel(ctx)
	s.running++
	if !j.kept.IsZero() {
		j.due, j.kept = j.kept, time.Time{}
		return start{job: j, ctx: ctx}
	}
	base := j.due
	if now.Sub(j.due) > j.interval/lateShare {
		s.late++
		base = now
	}
	j.due = base.Add(j.gap())
	j.runs++
	return start{job: j, ctx: ctx}
}

func (s *schedule) finish(now time.Time, j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.done++
	j.cancel()
	j.cancel = nil
	if !j.removed {
		if j.due.Before(now) { // the run itself took longer than the interval: not late, but next
			j.due = now
		}
		heap.Push(&s.queue, j)
	}
	if s.saturated || j.index == 0 {
		s.look()
	}
}

// look makes the loop look again.
func (s *schedule) look() {
	select {
	case s.wake <- struct{}{}:
	default: // it will
	}
}

func (s *schedule) stats(now time.Time) Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Targets: s.jobs, Running: s.running, Done: s.done, Late: s.late, Pauses: s.pauses}
	if s.saturated {
		for _, j := range s.queue {
			if !j.due.After(now) {
				st.Waiting++
			}
		}
	}
	return st
}

// firstWait is how long a new job waits: soon, but all new ones spread.
func (j *job) firstWait() time.Duration {
	return time.Duration(j.place() * float64(min(j.interval, firstWithin)))
}

// gap is the time from the run that is being started to the next. After the first run, which came early, it brings the
// job to its place in the interval; it is between min(interval, firstWithin) and interval then.
func (j *job) gap() time.Duration {
	gap := float64(j.interval)
	if j.runs == 0 {
		soon := float64(min(j.interval, firstWithin))
		gap = soon + j.place()*(gap-soon)
	}
	vary := 2*fraction(mix(j.id+j.runs+1)) - 1
	return time.Duration(gap * (1 + vary*float64(j.jitter)/100))
}

// place is where in its interval the job runs, in [0, 1).
func (j *job) place() float64 { return fraction(mix(j.id)) }

// fraction maps a hash to [0, 1).
func fraction(x uint64) float64 { return float64(x>>11) / (1 << 53) }

// mix is the finalizer of SplitMix64: neighbouring numbers become unrelated ones.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// jobQueue is a heap of jobs by due time. Equal times are ordered by id, so that a schedule repeats exactly in tests.
type jobQueue []*job

func (q jobQueue) Len() int { return len(q) }

func (q jobQueue) Less(a, b int) bool {
	if q[a].due.Equal(q[b].due) {
		return q[a].id < q[b].id
	}
	return q[a].due.Before(q[b].due)
}

func (q jobQueue) Swap(a, b int) {
	q[a], q[b] = q[b], q[a]
	q[a].index, q[b].index = a, b
}

// Push is for container/heap.
func (q *jobQueue) Push(x any) {
	j := x.(*job)
	j.index = len(*q)
	*q = append(*q, j)
}

// Pop is for container/heap.
func (q *jobQueue) Pop() any {
	last := len(*q) - 1
	j := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	j.index = -1
	return j
}
