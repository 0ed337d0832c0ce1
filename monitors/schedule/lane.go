package schedule

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxParked is how many goroutines of a lane wait for another job when theirs is done. They keep the stacks that grew with
// the job before; beyond it they end.
const maxParked = 64

// ErrRunning is the error of Lane.Run when it runs already.
var ErrRunning = errors.New("run lane of the schedule: it is running already")

// Lane runs jobs of one kind, at most so many at once. Safe for concurrent use; jobs may be replaced before, during and
// after Run, and by the jobs themselves.
type Lane struct {
	schedule *Schedule
	limit    int
	together func(start func()) // nil: nobody wants to know

	// Guarded by schedule.mu.
	running  bool            // a call of Run has not returned
	ctx      context.Context // of that Run; nil: jobs are not started
	ready    jobList         // due, longest first
	parked   []chan *Job     // goroutines that wait for a job, the latest last
	jobs     int
	busy     int // runs under way
	done     uint64
	late     uint64
	lateness lateness
	children sync.WaitGroup
}

// Stats are the numbers of one lane, for metrics. Done, Late and Pauses only grow.
type Stats struct {
	Targets  int      // what is run
	Running  int      // runs under way
	Waiting  int      // due, but not started: the limit of runs at once is reached
	Done     uint64   // runs finished, those cancelled by a removal included
	Late     uint64   // runs started more than a tenth of their interval after they were due
	Pauses   uint64   // times when the process stood still, and the plan was moved by the length of the pause
	Lateness Lateness // of the runs started during the last minute
}

// StartTogether has the calls of Job.Start for jobs that are due together made by around, which must call start once: so whoever does the
// work can be woken once for all of it. It is set before Run.
func (l *Lane) StartTogether(around func(start func())) { l.together = around }

// Run runs the lane's jobs until ctx ends, then waits for those under way. It returns nil, or ErrRunning. It may be called
// again.
func (l *Lane) Run(ctx context.Context) error {
	if err := l.open(ctx, time.Now()); err != nil {
		return err
	}
	defer l.close()
	select {
	case <-ctx.Done():
	case l.schedule.turning <- struct{}{}:
		l.schedule.turn(ctx)
		<-l.schedule.turning
	}
	return nil
}

// open lets jobs start. What fell due while there was no Run is not late, and does not start all at once.
func (l *Lane) open(ctx context.Context, now time.Time) error {
	s := l.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.running {
		return ErrRunning
	}
	s.settle(now)
	l.running, l.ctx = true, ctx
	s.active++
	due := l.ready
	l.ready = jobList{}
	for j := due.pop(); j != nil; j = due.pop() {
		j.due, j.owed = s.tickOf(now)+int64(j.firstWait()/wheelTick), 0
		s.plan(now, j)
	}
	return nil
}

// close starts no more jobs and returns when none runs.
func (l *Lane) close() {
	s := l.schedule
	s.mu.Lock()
	l.ctx = nil
	s.active--
	for _, p := range l.parked {
		close(p)
	}
	l.parked = nil
	s.mu.Unlock()
	l.children.Wait()
	s.mu.Lock()
	l.running = false
	s.mu.Unlock()
}

// Replace takes jobs out, cancelling their runs, and puts new ones in. The others do not move.
func (l *Lane) Replace(out, in []*Job) {
	s, now := l.schedule, time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	l.replace(now, out, in)
}

func (l *Lane) replace(now time.Time, out, in []*Job) {
	l.schedule.settle(now)
	for _, j := range out {
		l.remove(j)
	}
	for _, j := range in {
		j.lane = l
		j.prepare()
		j.first(l.schedule.tickOf(now))
		l.schedule.plan(now, j)
		l.jobs++
	}
}

func (l *Lane) remove(j *Job) {
	if j.removed {
		return
	}
	j.removed = true
	l.jobs--
	if j.cancel != nil {
		j.cancel()
	}
	switch j.state {
	case planned:
		l.schedule.wheel.remove(j)
	case ready:
		l.ready.remove(j)
	}
}

// Hasten makes a job due now that waits for its time. What it does later stays where it is. A job that runs is left alone, and
// so is one that did not run yet, or will at once.
func (l *Lane) Hasten(j *Job) {
	s, now := l.schedule, time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(now)
	if j.removed || j.state != planned || j.runs == 0 && !j.placed || j.hastened || s.timeOf(j.due).Sub(now) < MinInterval {
		return
	}
	s.wheel.remove(j)
	j.hastened, j.kept = true, j.due
	j.due = min(s.tickOf(now), s.wheel.now)
	s.plan(now, j)
}

// Retime gives a job another interval, from the run under way or the latest one on. Jobs that are retimed together spread over the
// new interval; one that would be overdue by it takes its place from now on. One that is due already runs first. The same
// interval changes nothing.
func (l *Lane) Retime(j *Job, interval time.Duration) {
	s, now := l.schedule, time.Now()
	interval = max(interval, MinInterval)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(now)
	if j.removed || j.lane != l || j.interval == interval {
		return
	}
	if j.state == ready || j.hastened || j.runs == 0 && !j.placed {
		j.interval = interval
		return
	}
	if j.state == planned {
		s.wheel.remove(j)
	}
	j.replan(interval)
	if tick := s.tickOf(now); j.due <= tick {
		j.due = tick + 1 + ticks(time.Duration(j.place()*float64(interval)))
	}
	if j.state == planned {
		s.plan(now, j)
	}
}

// Stats returns the numbers of the moment.
func (l *Lane) Stats() Stats { return l.stats(time.Now()) }

func (l *Lane) stats(now time.Time) Stats {
	l.schedule.mu.Lock()
	defer l.schedule.mu.Unlock()
	return Stats{
		Targets: l.jobs, Running: l.busy, Waiting: l.ready.length,
		Done: l.done, Late: l.late, Pauses: l.schedule.pauses, Lateness: l.lateness.read(now),
	}
}
