package schedule

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// naive is when a job that is never late runs, reckoned as the documentation of the package says.
func naive(j *Job, began time.Time, until time.Duration) (at []time.Duration) {
	round := func(f float64) time.Duration { return time.Duration(math.Round(f/float64(wheelTick))) * wheelTick }
	soon := min(j.Interval, FirstWithin)
	due := time.Duration(j.place()*float64(soon)) / wheelTick * wheelTick
	for run := uint64(0); due < until; run++ {
		at = append(at, due)
		gap := float64(j.Interval)
		if run == 0 {
			gap = float64(soon) + j.place()*(gap-float64(soon))
		}
		vary := (2*fraction(mix(j.ID+run+1)) - 1) * gap * float64(j.Jitter) / 100
		if j.Interval < coarseFrom {
			due += round(math.Trunc(gap + vary))
			continue
		}
		const coarse = coarseTicks * wheelTick
		due += round(math.Trunc(gap)) + time.Duration(vary)/coarse*coarse
		due = due / coarse * coarse
	}
	return at
}

// TestScheduleAgainstModel: jobs of many intervals in three lanes run exactly when each of them alone would.
func TestScheduleAgainstModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const until = 10 * time.Minute
		s, log, began := New(), &startLog{}, time.Now()
		intervals := []time.Duration{100 * time.Millisecond, 333 * time.Millisecond, time.Second, 5 * time.Second, 61 * time.Second, time.Hour}
		var jobs []*Job
		var lanes []*Lane
		for i := range 3 {
			own := instantJobs(60, time.Second, 0, log)
			for k, j := range own {
				id := mix(uint64(1000*i + k))
				j.ID, j.Interval, j.Jitter, j.Work = id, intervals[k%len(intervals)], k%7, func(context.Context) { log.add(id) }
			}
			l := s.Lane(100)
			l.Replace(nil, own)
			jobs, lanes = append(jobs, own...), append(lanes, l)
		}
		runAll(t, lanes, func() { time.Sleep(until - time.Nanosecond) })
		for _, j := range jobs {
			var got []time.Duration
			for _, at := range log.starts[j.ID] {
				got = append(got, at.Sub(began))
			}
			if want := naive(j, began, until); !slices.Equal(got, want) {
				t.Fatalf("job each %v, jitter %d: %d runs %v..., want %d %v...", j.Interval, j.Jitter, len(got), got[:min(5, len(got))], len(want), want[:min(5, len(want))])
			}
		}
	})
}

// runAll runs lanes until body returns.
func runAll(t *testing.T, lanes []*Lane, body func()) {
	t.Helper()
	if len(lanes) == 0 {
		body()
		return
	}
	inBubble(t, lanes[0].Run, func() { runAll(t, lanes[1:], body) })
}

// TestOthersAreNotDisturbed: adding and removing a thousand jobs, over and over, moves no other and makes none late.
func TestOthersAreNotDisturbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stay, come = 1000, 1000
		run := func(disturb bool) (map[uint64][]time.Time, Stats) {
			log, l := &startLog{}, newLane(2000)
			l.Replace(nil, instantJobs(stay, 5*time.Second, 5, log))
			inBubble(t, l.Run, func() {
				var guests []*Job
				for range 100 {
					time.Sleep(300 * time.Millisecond)
					if disturb {
						fresh := instantJobs(come, time.Second, 0, &startLog{})
						l.Replace(guests, fresh)
						guests = fresh
					}
				}
			})
			return log.starts, l.Stats()
		}
		began := time.Now()
		alone, _ := run(false)
		shift := time.Since(began)
		disturbed, st := run(true)
		for id, starts := range alone {
			if !slices.EqualFunc(starts, disturbed[id], func(a, b time.Time) bool { return b.Sub(a) == shift }) {
				t.Fatalf("job %x ran at %v alone, at %v (%v later) among others that come and go", id, starts, disturbed[id], shift)
			}
		}
		if st.Late != 0 || st.Lateness.Max != 0 || st.Targets != stay+come || st.Done < 30*stay {
			t.Errorf("stats %+v, want nothing late", st)
		}
	})
}

// TestRetime: jobs that get another interval together are spread over it, and come to it at once.
func TestRetime(t *testing.T) {
	tests := []struct {
		name        string
		first, then time.Duration
	}{
		{"longer", 5 * time.Second, 60 * time.Second},
		{"shorter", 60 * time.Second, 5 * time.Second},
		{"longer, from the first run on", 0, 60 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const jobs, slots = 2000, 20
				log, l := &startLog{}, newLane(2000)
				var change atomic.Bool
				all := instantJobs(jobs, max(tt.first, 5*time.Second), 0, log)
				for _, j := range all {
					add := j.Work
					j.Work = func(ctx context.Context) {
						add(ctx)
						if change.Load() {
							l.Retime(j, tt.then)
						}
					}
				}
				l.Replace(nil, all)
				change.Store(tt.first == 0)
				inBubble(t, l.Run, func() {
					if tt.first != 0 {
						time.Sleep(3 * tt.first)
					}
					change.Store(true)
					time.Sleep(2 * max(tt.first, tt.then))
					log.reset()
					began := time.Now()
					time.Sleep(tt.then)
					synctest.Wait()
					checkEven(t, log, began, tt.then, jobs, slots)
				})
			})
		})
	}
}

func checkEven(t *testing.T, log *startLog, began time.Time, interval time.Duration, jobs, slots int) {
	t.Helper()
	log.mu.Lock()
	defer log.mu.Unlock()
	perSlot := make([]int, slots)
	total := 0
	for _, starts := range log.starts {
		for _, at := range starts {
			perSlot[min(slots-1, int(at.Sub(began)*time.Duration(slots)/interval))]++
			total++
		}
	}
	if total < jobs*99/100 || total > jobs*101/100 {
		t.Errorf("%d runs within the new interval, want each of %d jobs once", total, jobs)
	}
	holes := 0 // where the window that they came from begins, in the phase of each of them
	for slot, n := range perSlot {
		mean := jobs / slots
		if n < mean/2 {
			holes++
		}
		if n > mean*5/2 || holes > 2 {
			t.Errorf("%d runs in slot %d of %d, want about %d: %v", n, slot, slots, mean, perSlot)
			return
		}
	}
}

// TestRetimeHastened: a job that was hastened runs once for that, and comes to its new interval.
func TestRetimeHastened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, l := &startLog{}, newLane(10)
		jobs := instantJobs(2, 10*time.Second, 0, log)
		instant := jobs[0].Work
		jobs[0].Work = func(ctx context.Context) { // so that the second Hasten finds it due or running, and not over
			instant(ctx)
			time.Sleep(time.Millisecond)
		}
		l.Replace(nil, jobs)
		inBubble(t, l.Run, func() {
			time.Sleep(25 * time.Second)
			synctest.Wait()
			before := len(log.of(jobs[0].ID))
			l.Hasten(jobs[0])
			l.Hasten(jobs[0])
			l.Retime(jobs[0], time.Second)
			l.Retime(jobs[1], time.Second) // its latest run is longer ago than that
			synctest.Wait()
			if n := len(log.of(jobs[0].ID)) - before; n != 1 {
				t.Errorf("%d runs at once, want 1", n)
			}
			began := time.Now()
			time.Sleep(20 * time.Second)
			synctest.Wait()
			for i, j := range jobs {
				after := slices.DeleteFunc(log.of(j.ID), func(at time.Time) bool { return !at.After(began) })
				if n := len(after); n < 10 || n > 21 {
					t.Errorf("job %d: %d runs in 20s, want about one a second", i, n)
				}
			}
		})
	})
}

// TestLanesShareTheWheel: when the lane that turns it ends, another takes over; jobs of a lane that does not run wait, and
// start spread when it does.
func TestLanesShareTheWheel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs = 400
		s, first, second := New(), &startLog{}, &startLog{}
		a, b := s.Lane(100), s.Lane(100)
		a.Replace(nil, instantJobs(jobs, 5*time.Second, 0, first))
		b.Replace(nil, instantJobs(jobs, 5*time.Second, 0, second))
		var restarted time.Time
		inBubble(t, b.Run, func() {
			inBubble(t, a.Run, func() {
				time.Sleep(20 * time.Second)
				if err := a.Run(context.Background()); !errors.Is(err, ErrRunning) {
					t.Errorf("a second Run of a lane: %v", err)
				}
			})
			time.Sleep(20 * time.Second)
			restarted = time.Now()
			inBubble(t, a.Run, func() { time.Sleep(FirstWithin) })
		})
		inFirstHalf := 0
		for id, starts := range second.starts {
			for i, at := range starts[2:] {
				if gap := at.Sub(starts[i+1]); gap != 5*time.Second {
					t.Fatalf("job %x of the lane that went on: a gap of %v", id, gap)
				}
			}
		}
		for _, starts := range first.starts {
			if at := starts[len(starts)-1]; !at.Before(restarted) && at.Sub(restarted) < FirstWithin/2 {
				inFirstHalf++
			}
		}
		if inFirstHalf < jobs/3 || inFirstHalf > jobs*2/3 {
			t.Errorf("%d of %d jobs ran in the first half second of the lane's second Run, want about half", inFirstHalf, jobs)
		}
		if st := a.Stats(); st.Late != 0 || st.Pauses != 0 {
			t.Errorf("stats %+v, want nothing late", st)
		}
	})
}

// TestLoopSleeps: the loop looks only when something is due.
func TestLoopSleeps(t *testing.T) {
	s, now := New(), time.Unix(1000, 0)
	s.epoch = now
	l := s.Lane(1)
	l.replace(now, nil, instantJobs(1, time.Hour, 0, &startLog{}))
	looks, runs := 0, 0
	for end := now.Add(10 * time.Hour); now.Before(end); looks++ {
		runs += drive(l, now, func(*Job) {})
		next, ok := s.wheel.next()
		if !ok {
			t.Fatal("the wheel is empty")
		}
		now = s.timeOf(next)
	}
	if runs < 10 || looks > runs*(1+3) { // an hour's jobs move through three finer levels
		t.Errorf("%d looks for %d runs", looks, runs)
	}
}
