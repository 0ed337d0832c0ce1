package schedule

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestInstead: jobs that come in the place of others start spread, none later than those would have, be they replaced once or over and over.
func TestInstead(t *testing.T) {
	tests := []struct {
		name         string
		before, then time.Duration
		times        int // replaced, once in 100 ms
		most         int // starts within 100 ms: half again above their mean, twice where what is under way begins anew each time
	}{
		{"the same interval", 5 * time.Second, 5 * time.Second, 1, 150},
		{"longer", 5 * time.Second, time.Minute, 1, 150},
		{"shorter", time.Minute, 5 * time.Second, 1, 150},
		{"over and over", 5 * time.Second, 5 * time.Second, 60, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 5000
				l, log := newLane(n), &startLog{}
				jobs := instantJobs(n, tt.before, 0, log)
				l.Replace(nil, jobs)
				inBubble(t, l.Run, func() {
					time.Sleep(5 * tt.before)
					log.reset()
					began := time.Now()
					for range tt.times {
						next := instantJobs(n, tt.then, 0, log)
						for i := range next {
							next[i].Instead = jobs[i]
						}
						l.Replace(jobs, next)
						jobs = next
						time.Sleep(100 * time.Millisecond)
					}
					time.Sleep(tt.before)
					var slots [650]int
					for _, j := range jobs {
						starts := log.of(j.ID)
						if len(starts) == 0 || starts[0].Sub(began) > tt.before {
							t.Fatalf("job %x first ran %v after %v, want within %v", j.ID, starts, began, tt.before)
						}
						for _, at := range starts {
							slots[at.Sub(began)/(100*time.Millisecond)]++
						}
					}
					for i, starts := range slots {
						if starts > tt.most {
							t.Errorf("%d starts within 100ms, after %v, want at most %d", starts, time.Duration(i)*100*time.Millisecond, tt.most)
						}
					}
					for i := range jobs {
						if jobs[i].Instead != nil {
							t.Fatal("a job remembers the one in whose place it came")
						}
					}
				})
			})
		})
	}
}

// TestInsteadOfWhatDidNotRun: there is nothing to take over, and Hasten finds a job that took a place.
func TestInsteadOfWhatDidNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log := newLane(10), &startLog{}
		one := func(instead *Job, interval time.Duration) *Job {
			return &Job{ID: 7, Interval: interval, Instead: instead, Work: func(context.Context) { log.add(7) }}
		}
		first := one(nil, time.Hour)
		l.Replace(nil, []*Job{first})
		second := one(first, time.Hour) // before the first one ran
		l.Replace([]*Job{first}, []*Job{second})
		inBubble(t, l.Run, func() {
			time.Sleep(FirstWithin)
			synctest.Wait()
			if n := len(log.of(7)); n != 1 {
				t.Fatalf("%d runs, want 1 within %v", n, FirstWithin)
			}
			third := one(second, 2*time.Hour)
			l.Replace([]*Job{second}, []*Job{third})
			time.Sleep(time.Minute)
			if n := len(log.of(7)); n != 1 {
				t.Fatalf("%d runs, want none before its time", n)
			}
			l.Hasten(third)
			synctest.Wait()
			if n := len(log.of(7)); n != 2 {
				t.Errorf("%d runs, want that Hasten made one", n)
			}
			time.Sleep(time.Hour)
			if n := len(log.of(7)); n != 3 {
				t.Errorf("%d runs an hour later, want the one that the job had planned before", n)
			}
		})
	})
}

// TestInsteadWithinOwnInterval: whoever took a place runs within the own interval, be it only a little shorter than the one before.
func TestInsteadWithinOwnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log := newLane(100), &startLog{}
		const n = 20
		before := instantJobs(n, time.Minute, 0, log)
		l.Replace(nil, before)
		inBubble(t, l.Run, func() {
			time.Sleep(2*time.Minute + time.Second)
			log.reset()
			began, jobs := time.Now(), instantJobs(n, 45*time.Second, 0, log)
			for i := range jobs {
				jobs[i].Instead = before[i]
			}
			l.Replace(before, jobs)
			time.Sleep(time.Minute)
			for _, j := range jobs {
				if starts := log.of(j.ID); len(starts) == 0 || starts[0].Sub(began) > 45*time.Second {
					t.Errorf("job %x ran %v after %v, want within 45s", j.ID, starts, began)
				}
			}
		})
	})
}

// TestInsteadAndRetimed: what Hasten has a job find that took a place changes when it runs next, as of any other job.
func TestInsteadAndRetimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log := newLane(10), &startLog{}
		one := func(instead *Job) *Job {
			return &Job{ID: 7, Interval: time.Hour, Instead: instead, Work: func(context.Context) { log.add(7) }}
		}
		first := one(nil)
		l.Replace(nil, []*Job{first})
		inBubble(t, l.Run, func() {
			time.Sleep(2 * time.Second)
			second := one(first)
			l.Replace([]*Job{first}, []*Job{second})
			time.Sleep(time.Minute)
			log.reset()
			l.Hasten(second)
			synctest.Wait()
			l.Retime(second, 5*time.Second)
			time.Sleep(time.Minute)
			if n := len(log.of(7)); n < 12 || n > 13 {
				t.Errorf("%d runs within a minute, want one each 5 s", n)
			}
		})
	})
}
