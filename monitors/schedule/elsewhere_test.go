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
