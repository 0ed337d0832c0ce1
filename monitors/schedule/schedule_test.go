package schedule

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// startLog records when jobs start. Safe for concurrent use.
type startLog struct {
	mu     sync.Mutex
	starts map[uint64][]time.Time
}

func (l *startLog) add(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.starts == nil {
		l.starts = make(map[uint64][]time.Time)
	}
	l.starts[id] = append(l.starts[id], time.Now())
}

func (l *startLog) of(id uint64) []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.starts[id])
}

func (l *startLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.starts)
}

// inBubble runs s until the test's body returns.
func inBubble(t *testing.T, run func(context.Context) error, body func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	body()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

func instantJobs(n int, interval time.Duration, jitter int, log *startLog) []*Job {
	jobs := make([]*Job, n)
	for i := range jobs {
		id := mix(uint64(i))
		jobs[i] = &Job{ID: id, Interval: interval, Jitter: jitter, Work: func(context.Context) { log.add(id) }}
	}
	return jobs
}

func TestScheduleSpread(t *testing.T) {
	for _, jitter := range []int{0, 5, 50} {
		synctest.Test(t, func(t *testing.T) {
			const jobs, interval, slots = 5000, 5 * time.Second, 25
			s, log, began := newLane(2000), &startLog{}, time.Now()
			s.Replace(nil, instantJobs(jobs, interval, jitter, log))
			inBubble(t, s.Run, func() { time.Sleep(3 * interval) })

			var perSlot [slots]int
			for id, starts := range log.starts {
				if first := starts[0].Sub(began); first >= FirstWithin {
					t.Fatalf("job %x first ran after %v, want within %v", id, first, FirstWithin)
				}
				for _, at := range starts {
					if in := at.Sub(began) - 2*interval; in >= 0 && in < interval {
						perSlot[in*slots/interval]++
					}
				}
			}
			if len(log.starts) != jobs {
				t.Fatalf("%d jobs ran, want %d", len(log.starts), jobs)
			}
			for slot, n := range perSlot {
				if mean := jobs / slots; n < mean*2/3 || n > mean*3/2 {
					t.Errorf("jitter %d: %d starts in slot %d, want about %d", jitter, n, slot, mean)
				}
			}
			if st := s.Stats(); st.Late != 0 || st.Pauses != 0 {
				t.Errorf("stats %+v, want nothing late", st)
			}
		})
	}
}

func TestScheduleGaps(t *testing.T) {
	tests := []struct {
		name            string
		interval        time.Duration
		jitter          int
		shortest, above time.Duration
	}{
		{"no jitter", 5 * time.Second, 0, 5 * time.Second, 5*time.Second + 1},
		{"default", 5 * time.Second, 5, 4750 * time.Millisecond, 5250*time.Millisecond + 1},
		{"most", 10 * time.Second, 50, 5 * time.Second, 15*time.Second + 1},
		{"above the most counts as the most", 10 * time.Second, 90, 5 * time.Second, 15*time.Second + 1},
		{"shorter than the first wait", 200 * time.Millisecond, 10, 180 * time.Millisecond, 220*time.Millisecond + 1},
		{"below the shortest interval", time.Microsecond, 0, MinInterval, MinInterval + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, log := newLane(10), &startLog{}
				s.Replace(nil, instantJobs(20, tt.interval, tt.jitter, log))
				inBubble(t, s.Run, func() { time.Sleep(200 * tt.interval) })
				least, most := time.Hour, time.Duration(0)
				for _, starts := range log.starts {
					for i := 2; i < len(starts); i++ { // the gap before it leads to the job's place
						gap := starts[i].Sub(starts[i-1])
						least, most = min(least, gap), max(most, gap)
					}
				}
				if least < tt.shortest || most >= tt.above {
					t.Errorf("gaps %v to %v, want %v to below %v", least, most, tt.shortest, tt.above)
				}
				if tt.jitter >= 5 && most-least < (tt.above-tt.shortest)*9/10 {
					t.Errorf("gaps only from %v to %v: too little of the jitter is used", least, most)
				}
			})
		})
	}
}

func TestScheduleSecondRunKeepsTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 5 * time.Second
		s, log := newLane(10), &startLog{}
		s.Replace(nil, instantJobs(100, interval, 0, log))
		inBubble(t, s.Run, func() { time.Sleep(3 * interval) })
		for id, starts := range log.starts {
			if gap := starts[1].Sub(starts[0]); gap < FirstWithin || gap > interval {
				t.Errorf("job %x: second run %v after the first, want %v to %v", id, gap, FirstWithin, interval)
			}
		}
	})
}

// newLane is a lane of a schedule of its own.
func newLane(limit int) *Lane { return New().Lane(limit) }

// drive has all that is due at now run at once, without a loop, and says how many.
func drive(l *Lane, now time.Time, ran func(*Job)) (count int) {
	l.ctx, l.schedule.active = context.Background(), 1
	l.schedule.expire(now)
	for j := l.begin(now); j != nil; count++ {
		ran(j)
		j, _ = l.finish(now, j, nil)
	}
	l.parked = nil
	return count
}

// TestScheduleAfterPause looks at the plan directly: a loop cannot be held still inside a bubble.
func TestScheduleAfterPause(t *testing.T) {
	const jobs, interval, pause = 1000, 5 * time.Second, time.Minute
	s, now := newLane(jobs), time.Unix(1000, 0)
	s.schedule.epoch = now
	s.replace(now, nil, instantJobs(jobs, interval, 0, &startLog{}))
	runs := make(map[uint64]int)
	step := func(now time.Time) int { return drive(s, now, func(j *Job) { runs[j.ID]++ }) }
	const tick = 10 * time.Millisecond
	for range 10 * time.Second / tick {
		now = now.Add(tick)
		step(now)
	}
	before := s.stats(now)
	now = now.Add(pause)
	clear(runs)
	for range interval / tick {
		if n := step(now); n > 20 { // 2 on average
			t.Fatalf("%d runs at once after a pause", n)
		}
		now = now.Add(tick)
	}
	if len(runs) < jobs*99/100 {
		t.Errorf("%d of %d jobs ran within an interval after the pause", len(runs), jobs)
	}
	for id, n := range runs {
		if n > 1 {
			t.Errorf("job %x ran %d times within an interval: it caught up", id, n)
		}
	}
	after := s.stats(now)
	if after.Pauses != before.Pauses+1 {
		t.Errorf("%d pauses counted, want %d", after.Pauses, before.Pauses+1)
	}
	if late := after.Late - before.Late; late < jobs*9/10 {
		t.Errorf("%d late runs counted, want nearly %d", late, jobs)
	}
}

// TestSchedulePlannedBeforeThePauseIsSeen: what is planned after a pause, but before the loop looks, does not wait for as long as the pause
// was.
func TestSchedulePlannedBeforeThePauseIsSeen(t *testing.T) {
	const interval, pause = 5 * time.Second, time.Hour
	tests := map[string]func(t *testing.T, l *Lane, now time.Time, old *Job) *Job{
		"a new job": func(_ *testing.T, l *Lane, now time.Time, _ *Job) *Job {
			fresh := &Job{ID: 77, Interval: interval}
			l.replace(now, nil, []*Job{fresh})
			return fresh
		},
		"a run that ends and begins another": func(t *testing.T, l *Lane, now time.Time, old *Job) *Job {
			next, _ := l.finish(now, old, nil)
			if next == nil {
				t.Fatal("nothing else was due")
			}
			l.finish(now, next, nil)
			return next
		},
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			s, now := newLane(1), time.Unix(1000, 0)
			s.schedule.epoch = now
			jobs := instantJobs(100, interval, 0, &startLog{})
			s.replace(now, nil, jobs)
			s.ctx, s.schedule.active = context.Background(), 1
			for range FirstWithin / wheelTick / 2 {
				now = now.Add(wheelTick)
				s.schedule.expire(now)
			}
			old := s.begin(now) // takes long, and others wait for it
			now = now.Add(pause)
			planned := do(t, s, now, old)
			s.schedule.expire(now)
			if planned.state == running {
				t.Fatal("it runs still")
			}
			if wait := s.schedule.timeOf(planned.due).Sub(now); wait > interval {
				t.Errorf("it runs in %v, want within %v", wait, interval)
			}
		})
	}
}

func TestScheduleFilledTwiceBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newLane(2000), &startLog{}
		all := instantJobs(20, 5*time.Second, 0, log)
		s.Replace(nil, all[:10])
		time.Sleep(time.Hour)
		s.Replace(nil, all[10:])
		time.Sleep(time.Second)
		inBubble(t, s.Run, func() { time.Sleep(FirstWithin) })
		if len(log.starts) != len(all) {
			t.Errorf("%d of %d ran within %v", len(log.starts), len(all), FirstWithin)
		}
	})
}

func TestScheduleFilledLongBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs = 1000
		s, log := newLane(2000), &startLog{}
		s.Replace(nil, instantJobs(jobs, 5*time.Second, 0, log))
		time.Sleep(time.Hour)
		began := time.Now()
		inBubble(t, s.Run, func() { time.Sleep(FirstWithin) })
		late := 0
		for _, starts := range log.starts {
			if starts[0].Sub(began) > FirstWithin/2 {
				late++
			}
		}
		if len(log.starts) != jobs || late < jobs/3 {
			t.Errorf("%d of %d ran within %v, %d in its second half: want all, spread", len(log.starts), jobs, FirstWithin, late)
		}
		if st := s.Stats(); st.Late != 0 || st.Pauses != 0 {
			t.Errorf("stats %+v, want nothing late", st)
		}
	})
}

func TestScheduleLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, jobs, interval, takes = 10, 100, time.Second, 500 * time.Millisecond
		var running, most, runs atomic.Int64
		perJob := make([]atomic.Int64, jobs)
		s := newLane(limit)
		all := make([]*Job, jobs)
		for i := range all {
			all[i] = &Job{ID: mix(uint64(i)), Interval: interval, Work: func(ctx context.Context) {
				n := running.Add(1)
				defer running.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				runs.Add(1)
				perJob[i].Add(1)
				time.Sleep(takes)
			}}
		}
		s.Replace(nil, all)
		inBubble(t, s.Run, func() {
			time.Sleep(50*time.Second + time.Millisecond)
			synctest.Wait()
			st := s.Stats()
			if st.Running != limit || st.Waiting < jobs/2 || st.Late < uint64(runs.Load())/2 {
				t.Errorf("stats %+v, want %d running, most waiting, most late", st, limit)
			}
		})
		if most.Load() != limit {
			t.Errorf("%d at once, want %d", most.Load(), limit)
		}
		if n := runs.Load(); n < 990 || n > 1010 { // 20 a second
			t.Errorf("%d runs in 50s, want about 1000: what the limit allows", n)
		}
		for i := range perJob {
			if n := perJob[i].Load(); n < 8 || n > 12 {
				t.Errorf("job %d ran %d times, want about 10: the limit must be shared fairly", i, n)
			}
		}
	})
}

func TestScheduleLateRunIsNotMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = time.Second
		log := &startLog{}
		s := newLane(1)
		s.Replace(nil, append(instantJobs(3, interval, 0, log), &Job{ID: 1, Interval: time.Hour,
			Work: func(context.Context) { time.Sleep(10*interval + interval/2) }}))
		inBubble(t, s.Run, func() { time.Sleep(20 * interval) })
		for id, starts := range log.starts {
			for i := 1; i < len(starts); i++ {
				if gap := starts[i].Sub(starts[i-1]); gap < interval {
					t.Errorf("job %x: runs only %v apart", id, gap)
				}
			}
			if len(starts) < 9 || len(starts) > 11 {
				t.Errorf("job %x: %d runs, want about 10: the other 10 fell to the job that held the limit", id, len(starts))
			}
		}
		if st := s.Stats(); st.Late != 3 || st.Pauses != 0 {
			t.Errorf("stats %+v, want 3 late: one run of each job", st)
		}
	})
}

func TestScheduleOneRunAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, runs atomic.Int64
		s := newLane(10)
		s.Replace(nil, []*Job{{ID: 1, Interval: time.Second, Jitter: 50, Work: func(context.Context) {
			if running.Add(1) > 1 {
				t.Error("two runs of one job at once")
			}
			runs.Add(1)
			time.Sleep(1500 * time.Millisecond)
			running.Add(-1)
		}}})
		inBubble(t, s.Run, func() { time.Sleep(time.Minute) })
		if n := runs.Load(); n < 35 || n > 42 {
			t.Errorf("%d runs in a minute, want one each 1.5s", n)
		}
		if st := s.Stats(); st.Late != 0 {
			t.Errorf("%d late: a run that takes long is not late", st.Late)
		}
	})
}

func TestScheduleRemoveCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cancelled, others atomic.Int64
		hang := &Job{ID: 1, Interval: time.Minute, Work: func(ctx context.Context) {
			<-ctx.Done()
			cancelled.Add(1)
		}}
		other := &Job{ID: 2, Interval: time.Minute, Work: func(ctx context.Context) { others.Add(1) }}
		s := newLane(10)
		s.Replace(nil, []*Job{hang, other})
		inBubble(t, s.Run, func() {
			time.Sleep(2 * time.Second)
			s.Replace([]*Job{hang, hang}, nil)
			synctest.Wait()
			if cancelled.Load() != 1 {
				t.Error("the run of a removed job goes on")
			}
			time.Sleep(5 * time.Minute)
			if st := s.Stats(); st.Targets != 1 || st.Running != 0 {
				t.Errorf("stats %+v, want one target, none running", st)
			}
			s.Replace([]*Job{other}, nil)
		})
		if n := others.Load(); n < 5 || n > 6 {
			t.Errorf("the job that stayed ran %d times, want 5 or 6", n)
		}
		if _, _, left := s.schedule.wheel.first(); left {
			t.Error("the wheel still has jobs")
		}
	})
}

func TestScheduleRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newLane(10), &startLog{}
		s.Replace(nil, instantJobs(1, time.Second, 0, log))
		inBubble(t, s.Run, func() {
			time.Sleep(3 * time.Second)
			if err := s.Run(context.Background()); err == nil {
				t.Error("second run at once: no error")
			}
		})
		before := len(log.starts[mix(0)])
		inBubble(t, s.Run, func() { time.Sleep(3 * time.Second) })
		if after := len(log.starts[mix(0)]); after < before+2 {
			t.Errorf("%d runs after a second Run, %d before", after, before)
		}
	})
}

func TestScheduleRunWaitsForItsRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		s := newLane(10)
		s.Replace(nil, []*Job{{ID: 1, Interval: time.Minute, Work: func(ctx context.Context) {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended.Store(true)
		}}})
		inBubble(t, s.Run, func() { time.Sleep(2 * time.Second) })
		if !ended.Load() {
			t.Error("Run returned before its runs had ended")
		}
	})
}

func TestScheduleGoroutinesOnlyForRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log, before := newLane(2000), &startLog{}, runtime.NumGoroutine()
		s.Replace(nil, instantJobs(10_000, 5*time.Second, 5, log))
		inBubble(t, s.Run, func() {
			time.Sleep(7 * time.Second)
			synctest.Wait()
			if n := runtime.NumGoroutine() - before; n > maxParked+2 {
				t.Errorf("%d goroutines for 10,000 waiting jobs, want the loop, and those that are kept", n)
			}
		})
	})
}

// BenchmarkSchedule is the cost of one run in a schedule of 10,000 jobs, without what the run does.
func BenchmarkSchedule(b *testing.B) {
	const jobs, interval = 10_000, 5 * time.Second
	s, now := newLane(jobs), time.Unix(1000, 0)
	s.schedule.epoch = now
	s.replace(now, nil, instantJobs(jobs, interval, 5, &startLog{}))
	b.ReportAllocs()
	for n := 0; n < b.N; now = now.Add(wheelTick) {
		n += drive(s, now, func(*Job) {})
	}
}

// BenchmarkReplace is the cost of taking one job out of 10,000, and putting one in.
func BenchmarkReplace(b *testing.B) {
	const jobs, interval = 10_000, 5 * time.Second
	s := newLane(jobs)
	all := instantJobs(jobs, interval, 5, &startLog{})
	s.Replace(nil, all)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		j := all[n%jobs]
		fresh := &Job{ID: j.ID, Interval: interval, Work: j.Work}
		s.Replace([]*Job{j}, []*Job{fresh})
		all[n%jobs] = fresh
	}
}
