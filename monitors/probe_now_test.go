package monitors

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/monitors/probe"
)

// TestProbeNow: a probe on demand counts, comes at once, and moves none of the others.
func TestProbeNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, verdicts := &fakeNet{delay: 10 * time.Millisecond}, &verdictLog{}
		s := New(Options{Prober: over(network.dial), Verdict: verdicts.add})
		s.SetTargets([]probe.Target{target("web", "192.0.2.1:80", tcpMonitor(10*time.Second, 3, 2)), target("web", "192.0.2.2:80", tcpMonitor(10*time.Second, 3, 2)),
			target("other", "192.0.2.3:80", tcpMonitor(10*time.Second, 3, 2))})
		for _, a := range []string{"192.0.2.1:80", "192.0.2.2:80", "192.0.2.3:80"} {
			network.set(a, true)
		}
		inBubble(t, s.Run, func() {
			time.Sleep(25 * time.Second)
			before := verdicts.of("web")
			other := len(verdicts.of("other"))
			network.set("192.0.2.1:80", false)
			began := time.Now()
			for i := range 3 {
				if err := s.ProbeNow(t.Context(), "web", 0); err != nil {
					t.Fatal(err)
				}
				if got := len(verdicts.of("web")) - len(before); got != 2*(i+1) {
					t.Fatalf("after %d calls: %d verdicts more, want both addresses' each time", i+1, got)
				}
			}
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("it took %v, want only what the probes take", took)
			}
			down := 0
			for _, v := range verdicts.of("web") {
				if v.State == Down && v.Changed && v.Failures == 3 {
					down++
				}
			}
			if down != 1 || len(verdicts.of("other")) != other {
				t.Errorf("%d verdicts of DOWN after 3 failures, want 1; %d probes of another service, want none", down, len(verdicts.of("other"))-other)
			}
			dials := network.dialed("192.0.2.1:80")
			if err := s.ProbeNow(t.Context(), "web", time.Second); err != nil || network.dialed("192.0.2.1:80") != dials {
				t.Errorf("a result that is fresh enough was asked for again (%v)", err)
			}
			time.Sleep(20 * time.Second)
			for _, address := range []string{"192.0.2.1:80", "192.0.2.2:80"} {
				var last, next time.Time
				for _, v := range before {
					if v.Address.String() == address {
						last = v.At
					}
				}
				for _, v := range verdicts.of("web")[len(before)+6:] {
					if v.Address.String() == address && next.IsZero() {
						next = v.At
					}
				}
				if gap := next.Sub(last); gap != 10*time.Second {
					t.Errorf("%s: the next regular probe came %v after the one before, want 10s as ever", address, gap)
				}
			}
		})
	})
}

func TestProbeNowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &fakeNet{hang: true}
		s := New(Options{Prober: over(network.dial)})
		s.SetTargets([]probe.Target{target("web", "192.0.2.1:80", tcpMonitor(time.Minute, 3, 2))})
		if err := s.ProbeNow(t.Context(), "nothing", 0); !errors.Is(err, ErrNoTarget) {
			t.Errorf("a service that is not probed: %v", err)
		}
		inBubble(t, s.Run, func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := s.ProbeNow(ctx, "web", 0); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a probe that takes longer: %v", err)
			}
			ended := make(chan error, 1)
			go func() { ended <- s.ProbeNow(t.Context(), "web", 0) }()
			synctest.Wait()
			s.SetTargets(nil)
			if err := <-ended; err != nil {
				t.Errorf("the target is gone: %v", err)
			}
		})
	})
}

// TestProbeNowKeepsTheLimit: many at once wait for their turn.
func TestProbeNowKeepsTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &fakeNet{delay: 50 * time.Millisecond}
		s := New(Options{Prober: over(network.dial), Concurrency: 4})
		targets := manyTargets(20)
		s.SetTargets(targets)
		inBubble(t, s.Run, func() {
			time.Sleep(8 * time.Second)
			done := make(chan error, len(targets))
			for i := range targets {
				go func() { done <- s.ProbeNow(t.Context(), targets[i].Service, 0) }()
			}
			for range targets {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		})
		if most := network.most.Load(); most > 4 {
			t.Errorf("%d probes at once, the limit is 4", most)
		}
	})
}
