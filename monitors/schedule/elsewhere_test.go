package schedule

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestStartElsewhere: jobs that are started without a goroutine of the lane keep to the plan, the limit and the lane's end as others do.
func TestStartElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs, limit, takes = 40, 10, 200 * time.Millisecond
		log, plain := &startLog{}, &startLog{}
		var running, most atomic.Int64
		own := instantJobs(jobs, time.Second, 0, plain)
		for i, j := range own {
			if i%4 == 0 {
				continue // some are not
			}
			refused := i%4 == 1
			j.Work = func(context.Context) {
				if !refused {
					t.Error("worked on what was started elsewhere")
				}
				log.add(j.ID)
			}
			j.Start = func(ctx context.Context, finished func()) bool {
				if refused {
					return false
				}
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				go func() {
					select {
					case <-ctx.Done():
					case <-time.After(takes):
						log.add(j.ID)
					}
					running.Add(-1)
					finished()
				}()
				return true
			}
		}
		l := newLane(limit)
		l.Replace(nil, own)
		began := time.Now()
		inBubble(t, l.Run, func() {
			time.Sleep(9 * time.Second)
			l.Replace(own[:jobs/2], nil) // what runs of them is cancelled
			if synctest.Wait(); l.Stats().Targets != jobs/2 {
				t.Errorf("stats %+v", l.Stats())
			}
			time.Sleep(time.Second - time.Since(began)%time.Second)
		})
		if n := running.Load(); n != 0 {
			t.Errorf("%d run after Run has returned", n)
		}
		if n := most.Load(); n > limit || n < 2 {
			t.Errorf("%d ran at once, want up to %d", n, limit)
		}
		for i, j := range own {
			starts := log.of(j.ID)
			if i%4 == 0 {
				starts = plain.of(j.ID)
			}
			if len(starts) < 8 || len(starts) > 11 {
				t.Errorf("job %d ran %d times in 9 or 10 s", i, len(starts))
			}
		}
		if st := l.Stats(); st.Running != 0 || st.Done < 9*jobs/2 {
			t.Errorf("stats %+v", st)
		}
	})
}

// TestRunWaitsForWhatRunsElsewhere.
func TestRunWaitsForWhatRunsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(1)
		ended := false
		l.Replace(nil, []*Job{{ID: 1, Interval: time.Second, Start: func(ctx context.Context, finished func()) bool {
			go func() {
				<-ctx.Done()
				time.Sleep(3 * time.Second)
				ended = true
				finished()
			}()
			return true
		}}})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := l.Run(ctx); err != nil || !ended {
			t.Errorf("%v, ended %v", err, ended)
		}
	})
}

// TestStartTogether: what is due at once is started within one call, lane by lane, and what is started when another ends is started as well.
func TestStartTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs = 500
		s := New()
		var lanes []*Lane
		var calls, inside, started atomic.Int64
		for lane := range 2 {
			l := s.Lane(jobs)
			if lane == 0 {
				l.StartTogether(func(start func()) {
					calls.Add(1)
					inside.Store(1)
					start()
					inside.Store(0)
				})
			}
			all := instantJobs(jobs, 5*time.Second, 0, &startLog{})
			for _, j := range all {
				j.ID += uint64(lane)
				j.Start = func(_ context.Context, finished func()) bool {
					if started.Add(1); (inside.Load() == 1) != (lane == 0) {
						t.Errorf("lane %d: started inside %d", lane, inside.Load())
					}
					go finished()
					return true
				}
			}
			l.Replace(nil, all)
			lanes = append(lanes, l)
		}
		runAll(t, lanes, func() { time.Sleep(10*time.Second - time.Nanosecond) })
		if n := started.Load(); n < 2*2*jobs-jobs || n > 2*3*jobs {
			t.Errorf("%d started", n)
		}
		if n := calls.Load(); n < 100 || n > jobs*7/5 { // at most 100 for the first second, 250 for each 5 s
			t.Errorf("%d calls for %d starts: want several, but far fewer than starts", n, started.Load()/2)
		}
	})
}

// TestCoarseJobsStartTogether: from coarseFrom on jobs are due at the same ticks as others, at their intervals all the same.
func TestCoarseJobsStartTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			interval time.Duration
			want     time.Duration // between two moments
		}{{coarseFrom - wheelTick, wheelTick}, {coarseFrom, coarseTicks * wheelTick}, {5 * time.Second, coarseTicks * wheelTick}} {
			log, l, began := &startLog{}, newLane(2000), time.Now()
			l.Replace(nil, instantJobs(300, tt.interval, 5, log))
			inBubble(t, l.Run, func() { time.Sleep(20 * tt.interval) })
			runs, odd := 0, 0
			for _, starts := range log.starts {
				for _, at := range starts[1:] { // the first is soon
					if runs++; at.Sub(began)%(coarseTicks*wheelTick) != 0 {
						odd++
					}
				}
			}
			if (odd == 0) != (tt.want == coarseTicks*wheelTick) {
				t.Errorf("each %v: %d of %d runs between coarse ticks", tt.interval, odd, runs)
			}
			if mean := 20 * tt.interval * 300 / time.Duration(runs); mean < tt.interval*95/100 || mean > tt.interval*105/100 {
				t.Errorf("each %v: %d runs, one each %v", tt.interval, runs, mean)
			}
		}
	})
}
