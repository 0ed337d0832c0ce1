package schedule

import (
	"context"
	"sync"
	"time"
)

// pauseLimit is how late the loop may look before this counts as a pause of the whole process.
const pauseLimit = 100 * time.Millisecond

// Schedule holds the jobs of all its lanes in one wheel. Safe for concurrent use.
type Schedule struct {
	turning chan struct{} // holds one: for the lane that turns the wheel
	wake    chan struct{}

	mu     sync.Mutex
	epoch  time.Time // of tick 0; a pause moves it, and with it all that is planned
	wheel  wheel
	asleep int64 // the tick up to which the loop means to sleep; 0: it does not sleep
	lanes  []*Lane
	active int // lanes
	pauses uint64

	starting []*Job // room for those of one look; of the goroutine that turns the wheel
}

// New returns a Schedule without lanes.
func New() *Schedule {
	return &Schedule{turning: make(chan struct{}, 1), wake: make(chan struct{}, 1), epoch: time.Now()}
}

// Lane adds a lane in which at most limit jobs run at once.
func (s *Schedule) Lane(limit int) *Lane {
	l := &Lane{schedule: s, limit: max(limit, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lanes = append(s.lanes, l)
	return l
}

// turn is the loop: it starts what is due in every lane until ctx ends. One lane's Run at a time is in it.
func (s *Schedule) turn(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			s.asleep = 0
			s.mu.Unlock()
			return
		case <-timer.C:
		case <-s.wake:
		}
		if wait := s.look(time.Now()); wait >= 0 {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// look starts what is due and says how long nothing else will be; negative when only a wake changes that.
func (s *Schedule) look(now time.Time) (wait time.Duration) {
	wait, elsewhere := s.lookFor(now)
	for rest := elsewhere; len(rest) > 0; {
		n := 1 // of the same lane: they come lane by lane
		for n < len(rest) && rest[n].lane == rest[0].lane {
			n++
		}
		rest[0].lane.startAllElsewhere(rest[:n])
		rest = rest[n:]
	}
	clear(elsewhere)
	return wait
}

// lookFor is look, and returns those that may be started elsewhere than on a goroutine of their lane.
func (s *Schedule) lookFor(now time.Time) (wait time.Duration, elsewhere []*Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	elsewhere = s.starting[:0]
	for _, l := range s.lanes {
		for j := l.begin(now); j != nil; j = l.begin(now) {
			if j.Start != nil {
				l.children.Add(1)
				elsewhere = append(elsewhere, j)
			} else {
				l.start(j)
			}
		}
	}
	s.starting = elsewhere
	next, ok := s.wheel.next()
	if !ok {
		s.asleep = 1<<63 - 1
		return -1, elsewhere
	}
	s.asleep = next
	return max(0, s.timeOf(next).Sub(now)), elsewhere
}

// expire moves what is due from the wheel to the lists of its lanes.
func (s *Schedule) expire(now time.Time) {
	s.settle(now)
	var due jobList
	s.wheel.advance(s.tickOf(now), &due)
	for j := due.pop(); j != nil; j = due.pop() {
		j.lane.queue(j)
	}
}

// settle moves a plan that stood still. Whatever plans does it first: what is planned by the moment would else be moved by a pause that
// came before.
func (s *Schedule) settle(now time.Time) {
	if s.active == 0 {
		s.epoch = s.epoch.Add(s.overdue(now)) // nobody was to look
		return
	}
	s.absorbPause(now)
}

// absorbPause moves the whole plan when the loop looks later than it meant to: the process stood still (a suspended
// machine, a starved processor). Without it all that fell due meanwhile would start at once and stay in step for ever.
// What is left behind by a lane's limit is not in the wheel any more, and no sign of a pause.
func (s *Schedule) absorbPause(now time.Time) {
	pause := s.overdue(now)
	if pause < pauseLimit {
		return
	}
	s.pauses++
	tick := s.tickOf(now)
	owe := func(j *Job) {
		if j.due <= tick {
			j.owed += pause
		}
	}
	s.wheel.each(owe)
	for _, l := range s.lanes {
		l.ready.each(owe)
	}
	s.epoch = s.epoch.Add(pause)
}

// overdue is for how long there has been something to do in the wheel.
func (s *Schedule) overdue(now time.Time) time.Duration {
	next, ok := s.wheel.next()
	if !ok {
		return 0
	}
	return max(0, now.Sub(s.timeOf(next)))
}

// plan puts a job into the wheel, or into its lane's list if it is due; the loop is woken if it must not sleep as long.
func (s *Schedule) plan(now time.Time, j *Job) {
	tick := s.tickOf(now)
	if next, ok := s.wheel.next(); !ok || next > tick {
		// Nothing is missed. The wheel stood still because nothing was due, and a slot that began since would look overdue.
		s.wheel.now = max(s.wheel.now, tick)
	}
	if j.due <= s.wheel.now {
		j.due = max(j.due, tick)
		j.lane.queue(j)
		s.rouse()
		return
	}
	j.state = planned
	s.wheel.insert(j)
	if j.due < s.asleep {
		s.rouse()
	}
}

// rouse makes the loop look again.
func (s *Schedule) rouse() {
	select {
	case s.wake <- struct{}{}:
	default: // it will
	}
}

// tickOf is the tick that has begun at now.
func (s *Schedule) tickOf(now time.Time) int64 { return int64(now.Sub(s.epoch) / wheelTick) }

func (s *Schedule) timeOf(tick int64) time.Time { return s.epoch.Add(time.Duration(tick) * wheelTick) }
