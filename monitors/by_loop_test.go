package monitors

import (
	"context"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/monitors/probe"
)

// TestSchedulerByTheLoop: over the real network, verdicts follow from probes without goroutines of their own, as from others; also when
// whoever is told them is busy.
func TestSchedulerByTheLoop(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH == "386" {
		t.Skip("no loop here")
	}
	for _, busy := range []bool{false, true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var serving sync.WaitGroup
		serving.Go(func() {
			for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
				conn.Close()
			}
		})
		told := make(chan Verdict, 1000)
		var asked atomic.Int64
		s := New(Options{Verdict: func(v Verdict) { told <- v }, Busy: func() bool { asked.Add(1); return busy }})
		s.SetTargets([]probe.Target{target("web", l.Addr().String(), tcpMonitor(100*time.Millisecond, 2, 1))})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		await := func(state State, reason string) {
			t.Helper()
			for deadline := time.After(30 * time.Second); ; {
				select {
				case v := <-told:
					if v.State == state && v.Reason == reason {
						return
					}
				case <-deadline:
					t.Fatalf("busy %v: no verdict %v, %q", busy, state, reason)
				}
			}
		}
		await(Up, "connected")
		l.Close()
		serving.Wait()
		await(Down, "tcp connect refused")
		if asked.Load() == 0 {
			t.Errorf("busy %v: no probe was by the loop", busy)
		}
		cancel()
		running.Wait()
	}
}

// TestLoopEndsWithTheScheduler: probes under way are dropped, as is what comes of them.
func TestLoopEndsWithTheScheduler(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := New(Options{Verdict: func(v Verdict) { t.Errorf("told %+v", v) }})
	m := tcpMonitor(time.Hour, 1, 1)
	m.TCP = &config.Dialogue{Expect: "never"}
	s.SetTargets([]probe.Target{target("web", l.Addr().String(), m), target("other", l.Addr().String(), m)})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	s.SetTargets(nil)
	cancel()
	began := time.Now()
	if running.Wait(); time.Since(began) > time.Minute {
		t.Errorf("it ended after %v", time.Since(began))
	}
	if st := s.Stats(); st.Running != 0 {
		t.Errorf("stats %+v", st)
	}
}
