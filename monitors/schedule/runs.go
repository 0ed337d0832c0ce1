package schedule

import (
	"context"
	"time"
)

// queue puts a job that is due behind the others of its lane.
func (l *Lane) queue(j *Job) {
	j.state = ready
	l.ready.push(j)
}

// begin takes the job that has been due for longest and plans its next run; nil when nothing is due or may start.
func (l *Lane) begin(now time.Time) *Job {
	if l.ctx == nil || l.busy >= l.limit {
		return nil
	}
	j := l.ready.pop()
	if j == nil {
		return nil
	}
	l.busy++
	j.state = running
	if j.cancel == nil || j.ctx.Err() != nil {
		j.ctx, j.cancel = context.WithCancel(l.ctx) // for all runs: a job that is not removed needs no other
	}
	if j.hastened {
		j.due, j.hastened = j.kept, false
		return j
	}
	behind := max(0, now.Sub(l.schedule.timeOf(j.due)))
	base := j.due
	if behind > j.interval/lateShare {
		base = l.schedule.tickOf(now)
	}
	behind += j.owed
	j.owed = 0
	if behind > j.interval/lateShare {
		l.late++
	}
	l.lateness.add(now, behind)
	j.plan(base)
	j.runs++
	return j
}

// start runs a job that has begun, on a goroutine that waits for one if there is any.
func (l *Lane) start(j *Job) {
	if last := len(l.parked) - 1; last >= 0 {
		l.parked[last] <- j // never blocks: it has room for the one job that is sent to it while it is parked
		l.parked[last] = nil
		l.parked = l.parked[:last]
		return
	}
	l.children.Go(func() { l.work(j) })
}

// startAllElsewhere is startElsewhere for jobs that are due together.
func (l *Lane) startAllElsewhere(jobs []*Job) {
	start := func() {
		for _, j := range jobs {
			l.startElsewhere(j)
		}
	}
	if l.together == nil {
		start()
		return
	}
	l.together(start)
}

// startElsewhere has a job that has begun, and was counted among the children, start without a goroutine of the lane, unless it does not.
func (l *Lane) startElsewhere(j *Job) {
	if j.finished == nil {
		j.finished = func() { l.finishElsewhere(j) }
	}
	if j.Start(j.ctx, j.finished) {
		return
	}
	defer l.children.Done() // the goroutine counts for itself
	l.schedule.mu.Lock()
	defer l.schedule.mu.Unlock()
	l.start(j)
}

// finishElsewhere plans the next run of a job that was started elsewhere, and starts another one if there is any.
func (l *Lane) finishElsewhere(j *Job) {
	defer l.children.Done()
	next, _ := l.finish(time.Now(), j, nil)
	if next == nil {
		return
	}
	if next.Start != nil {
		l.children.Add(1)
		l.startElsewhere(next)
		return
	}
	l.schedule.mu.Lock()
	defer l.schedule.mu.Unlock()
	l.start(next)
}

// work runs jobs one after the other until there is none, and no need to wait for another.
func (l *Lane) work(j *Job) {
	more := make(chan *Job, 1)
	for j != nil {
		j.Work(j.ctx)
		var parked bool
		if j, parked = l.finish(time.Now(), j, more); parked {
			j = <-more
		}
	}
}

// finish plans the job's next run and returns another one to run now. If there is none, its goroutine may be parked: the next job
// comes by way of more. nil: it is nobody's goroutine to park.
func (l *Lane) finish(now time.Time, j *Job, more chan *Job) (next *Job, parked bool) {
	s := l.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(now)
	l.busy--
	l.done++
	if !j.removed {
		s.plan(now, j) // a run that took longer than the interval makes the job next, not late
	}
	if next = l.begin(now); next != nil || l.ctx == nil || more == nil || len(l.parked) >= maxParked {
		return next, false
	}
	l.parked = append(l.parked, more)
	return nil, true
}
