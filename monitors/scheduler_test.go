package monitors

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
	"fairlead/monitors/probe"
)

// fakeNet answers connects as its state says; the zero value refuses all. Safe for concurrent use.
type fakeNet struct {
	mu    sync.Mutex
	up    map[string]bool
	delay time.Duration
	dials map[string]int
	hang  bool // connects take until their context ends

	running, most atomic.Int64
}

func (f *fakeNet) set(address string, up bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.up == nil {
		f.up = make(map[string]bool)
	}
	f.up[address] = up
}

func (f *fakeNet) dialed(address string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dials[address]
}

func (f *fakeNet) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n := f.running.Add(1)
	defer f.running.Add(-1)
	for m := f.most.Load(); n > m && !f.most.CompareAndSwap(m, n); m = f.most.Load() {
	}
	f.mu.Lock()
	if f.dials == nil {
		f.dials = make(map[string]int)
	}
	f.dials[address]++
	up, delay, hang := f.up[address], f.delay, f.hang
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(delay):
	}
	if !up {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	near, far := net.Pipe()
	far.Close()
	return near, nil
}

// verdictLog collects verdicts. Safe for concurrent use.
type verdictLog struct {
	mu  sync.Mutex
	all []Verdict
}

func (l *verdictLog) add(v Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, v)
}

func (l *verdictLog) of(service string) []Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Verdict
	for _, v := range l.all {
		if v.Service == service {
			out = append(out, v)
		}
	}
	return out
}

func (l *verdictLog) last(t *testing.T, service string) Verdict {
	t.Helper()
	all := l.of(service)
	if len(all) == 0 {
		t.Fatalf("no verdict of %s", service)
	}
	return all[len(all)-1]
}

func tcpMonitor(interval time.Duration, fall, rise int) config.Monitor {
	still := 0
	return config.Monitor{
		Name: "tcp-ok", Type: config.MonitorTCP, Interval: config.Duration(interval),
		Timeout: config.Duration(interval / 2), Fall: fall, Rise: rise, Jitter: &still,
	}
}

func target(service, address string, m config.Monitor) probe.Target {
	return probe.Target{Service: service, Monitor: &m, Address: netip.MustParseAddrPort(address)}
}

func manyTargets(n int) []probe.Target {
	m := tcpMonitor(5*time.Second, 3, 2)
	m.Jitter = nil
	targets := make([]probe.Target, n)
	for i := range targets {
		targets[i] = probe.Target{Service: fmt.Sprint("s", i), Monitor: &m,
			Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)}
	}
	return targets
}

func TestSchedulerFallAndRise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const address = "192.0.2.1:80"
		network, verdicts := &fakeNet{delay: 10 * time.Millisecond}, &verdictLog{}
		core, logs := observer.New(zap.InfoLevel)
		s := New(Options{Prober: over(network.dial), Verdict: verdicts.add, Logger: zap.New(core)})
		s.SetTargets([]probe.Target{target("web", address, tcpMonitor(time.Second, 3, 2))})
		network.set(address, true)
		inBubble(t, s.Run, func() {
			time.Sleep(5 * time.Second)
			network.set(address, false)
			time.Sleep(5 * time.Second)
			network.set(address, true)
			time.Sleep(5 * time.Second)
		})

		var changes []Verdict
		all := verdicts.of("web")
		for i, v := range all {
			if v.Changed {
				changes = append(changes, v)
			}
			if i > 0 && v.At.Sub(all[i-1].At) != time.Second {
				t.Errorf("verdict %d came %v after the one before, want 1s", i, v.At.Sub(all[i-1].At))
			}
			if v.Failures == 0 && v.Latency != 10*time.Millisecond {
				t.Errorf("latency %v, want 10ms", v.Latency)
			}
		}
		if len(changes) != 3 {
			t.Fatalf("%d changes, want UP, DOWN, UP: %+v", len(changes), changes)
		}
		down, up := changes[1], changes[2]
		if changes[0].State != Up || changes[0].Successes != 1 || changes[0].Since != changes[0].At {
			t.Errorf("first change %+v, want UP after one success", changes[0])
		}
		if down.State != Down || down.Failures != 3 || down.Reason != "tcp connect refused" {
			t.Errorf("second change %+v, want DOWN after 3 failures", down)
		}
		if up.State != Up || up.Successes != 2 || up.Reason != "connected" {
			t.Errorf("third change %+v, want UP after 2 successes", up)
		}
		checkChangeLog(t, logs.All(), address)
	})
}

// TestDownInterval: a target is probed at its own pace while it is DOWN, and a change of the timing keeps that.
func TestDownInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const address = "192.0.2.1:80"
		network, verdicts := &fakeNet{}, &verdictLog{}
		s := New(Options{Prober: over(network.dial), Verdict: verdicts.add})
		slow := tcpMonitor(2*time.Second, 2, 1)
		slow.DownInterval = config.Duration(10 * time.Second)
		s.SetTargets([]probe.Target{target("web", address, slow)})
		network.set(address, true)
		inBubble(t, s.Run, func() {
			time.Sleep(9 * time.Second)
			network.set(address, false)
			time.Sleep(50 * time.Second)
			changed := slow
			changed.Fall = 1
			s.SetTargets([]probe.Target{target("web", address, changed)})
			time.Sleep(40 * time.Second)
			network.set(address, true)
			time.Sleep(30 * time.Second)
		})
		counts := map[State]int{}
		all := verdicts.of("web")
		for i, v := range all[2:] {
			before := all[i+1]
			gap, want := v.At.Sub(before.At), 2*time.Second
			if before.State == Down {
				want = 10 * time.Second
			}
			if counts[before.State]++; gap > want {
				t.Errorf("probe %d came %v after one that said %v, want at most %v", i, gap, before.State, want)
			}
		}
		if counts[Down] < 7 || counts[Down] > 12 || counts[Up] < 10 {
			t.Errorf("%d probes after one that said DOWN in 90 s, %d after UP: want about 9, and more than 10", counts[Down], counts[Up])
		}
	})
}

func checkChangeLog(t *testing.T, entries []observer.LoggedEntry, address string) {
	t.Helper()
	if len(entries) != 3 {
		t.Fatalf("%d log lines, want 3", len(entries))
	}
	for i, want := range []string{"monitor.up", "monitor.down", "monitor.up"} {
		got := entries[i]
		fields := got.ContextMap()
		if got.Message != want || fields["service"] != "web" || fields["monitor"] != "tcp-ok" ||
			fields["address"] != address || fields["reason"] == "" {
			t.Errorf("log line %d: %s %v, want %s", i, got.Message, fields, want)
		}
	}
}

func TestSetTargetsKeepsOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, verdicts := &fakeNet{}, &verdictLog{}
		s := New(Options{Prober: over(network.dial), Verdict: verdicts.add})
		m := tcpMonitor(time.Second, 3, 2)
		keep := []probe.Target{target("a", "192.0.2.1:80", m), target("b", "192.0.2.2:80", m)}
		network.set("192.0.2.1:80", true)
		s.SetTargets(keep)
		inBubble(t, s.Run, func() {
			for i := range 50 { // a change each 300 ms, often than the interval
				time.Sleep(300 * time.Millisecond)
				equal := tcpMonitor(time.Second, 3, 2) // equal, not the same pointer, but for what is not about the probe
				equal.Comment, equal.Labels, equal.Quorum.Agree = fmt.Sprint("note ", i), config.Labels{"note": fmt.Sprint(i)}, i
				keep[0].Monitor = &equal
				s.SetTargets(append(keep[:2:2], target(fmt.Sprint("new", i), "192.0.2.3:80", m)))
			}
		})
		for _, service := range []string{"a", "b"} {
			all := verdicts.of(service)
			if len(all) < 14 {
				t.Errorf("%s: %d verdicts in 15s, want one a second", service, len(all))
			}
			for i, v := range all {
				if i > 0 && (v.Changed || v.At.Sub(all[i-1].At) != time.Second) {
					t.Errorf("%s: verdict %d %v after the one before, changed %v", service, i, v.At.Sub(all[i-1].At), v.Changed)
				}
			}
		}
		if st := s.Stats(); st.Targets != 3 {
			t.Errorf("%d targets, want 3", st.Targets)
		}
	})
}

func TestSetTargetsChangedMonitor(t *testing.T) {
	path := func(m config.Monitor) config.Monitor { m.TLS.ServerName = "other"; return m }
	faster := func(m config.Monitor) config.Monitor {
		m.Interval, m.Fall = config.Duration(500*time.Millisecond), 5
		return m
	}
	tests := []struct {
		name     string
		change   func(config.Monitor) config.Monitor
		failures int // in a row until DOWN, two before the change included
	}{
		{"timing keeps the state", faster, 5},
		{"another question starts over", path, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const address = "192.0.2.1:80"
				network, verdicts := &fakeNet{}, &verdictLog{}
				s := New(Options{Prober: over(network.dial), Verdict: verdicts.add})
				m := tcpMonitor(10*time.Second, 3, 2)
				network.set(address, true)
				s.SetTargets([]probe.Target{target("a", address, m)})
				inBubble(t, s.Run, func() {
					time.Sleep(21 * time.Second)
					network.set(address, false)
					time.Sleep(20 * time.Second)
					if v := verdicts.last(t, "a"); v.State != Up || v.Failures != 2 {
						t.Fatalf("before the change: %+v, want UP with 2 failures", v)
					}
					s.SetTargets([]probe.Target{target("a", address, tt.change(m))})
					time.Sleep(9 * time.Second)
				})
				for _, v := range verdicts.of("a") {
					if v.Changed && v.State == Down {
						if v.Failures != tt.failures {
							t.Errorf("DOWN after %d failures, want %d", v.Failures, tt.failures)
						}
						return
					}
				}
				t.Error("never DOWN")
			})
		})
	}
}

func TestSetTargetsRemovalDropsLateResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, verdicts := &fakeNet{hang: true}, &verdictLog{}
		s := New(Options{Prober: over(network.dial), Verdict: verdicts.add})
		s.SetTargets([]probe.Target{target("a", "192.0.2.1:80", tcpMonitor(10*time.Second, 3, 2))})
		inBubble(t, s.Run, func() {
			time.Sleep(2 * time.Second)
			if st := s.Stats(); st.Running != 1 {
				t.Fatalf("stats %+v, want one running", st)
			}
			s.SetTargets(nil)
			synctest.Wait()
			if st := s.Stats(); st.Running != 0 || st.Targets != 0 {
				t.Errorf("stats %+v, want nothing left", st)
			}
			time.Sleep(time.Minute)
		})
		if n := len(verdicts.of("a")); n != 0 {
			t.Errorf("%d verdicts of a removed target", n)
		}
		if n := network.dialed("192.0.2.1:80"); n != 1 {
			t.Errorf("%d probes, want 1", n)
		}
	})
}

func TestRunEndDropsResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, verdicts := &fakeNet{hang: true}, &verdictLog{}
		s := New(Options{Prober: over(network.dial), Verdict: verdicts.add})
		s.SetTargets([]probe.Target{target("a", "192.0.2.1:80", tcpMonitor(10*time.Second, 3, 2))})
		inBubble(t, s.Run, func() { time.Sleep(2 * time.Second) })
		if n := len(verdicts.of("a")); n != 0 {
			t.Errorf("%d verdicts: a node that stops must not call its targets down", n)
		}
	})
}

func TestSetTargetsFromVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &fakeNet{}
		var s *Scheduler
		s = New(Options{Prober: over(network.dial), Verdict: func(Verdict) { s.SetTargets(nil) }})
		s.SetTargets(manyTargets(100))
		inBubble(t, s.Run, func() { time.Sleep(5 * time.Second) })
		if st := s.Stats(); st.Targets != 0 {
			t.Errorf("%d targets left", st.Targets)
		}
	})
}

func TestSetTargetsTwice(t *testing.T) {
	s := New(Options{})
	first := target("a", "192.0.2.1:80", tcpMonitor(time.Second, 1, 1))
	second := target("a", "192.0.2.1:80", tcpMonitor(time.Second, 7, 1))
	s.SetTargets([]probe.Target{first, second})
	if st := s.Stats(); st.Targets != 1 {
		t.Errorf("%d targets, want 1", st.Targets)
	}
	if got := s.targets[keyOf(&first)].target.Monitor.Fall; got != 1 {
		t.Errorf("fall %d: the first of two equal keys must count", got)
	}
}

func TestSchedulerTenThousandTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const targets, limit = 10_000, 500
		network := &fakeNet{delay: 200 * time.Millisecond} // 400 at once on average
		var verdicts, mostGoroutines atomic.Int64
		before := runtime.NumGoroutine()
		s := New(Options{Prober: over(network.dial), Concurrency: limit, Verdict: func(Verdict) {
			n := int64(runtime.NumGoroutine() - before)
			for m := mostGoroutines.Load(); n > m && !mostGoroutines.CompareAndSwap(m, n); m = mostGoroutines.Load() {
			}
			verdicts.Add(1)
		}})
		s.SetTargets(manyTargets(targets))
		inBubble(t, s.Run, func() { time.Sleep(11 * time.Second) })
		st := s.Stats()
		if n := verdicts.Load(); n < 2*targets || n > 3*targets {
			t.Errorf("%d verdicts in 11s, want about %d", n, targets*5/2)
		}
		if most := network.most.Load(); most > limit || most < limit/2 {
			t.Errorf("%d probes at once, want at most %d", most, limit)
		}
		if n := mostGoroutines.Load(); n > limit+10 {
			t.Errorf("%d goroutines, want at most one for each probe at once", n)
		}
		if st.Targets != targets || st.Running != 0 || st.Done < uint64(verdicts.Load()) {
			t.Errorf("stats %+v", st)
		}
	})
}

// TestSchedulerAllTimeOut: targets that time out together must not throw the schedule off its period.
func TestSchedulerAllTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const targets = 1000
		network := &fakeNet{hang: true}
		var verdicts atomic.Int64
		s := New(Options{Prober: over(network.dial), Verdict: func(v Verdict) {
			verdicts.Add(1)
			if v.State != Down || v.Reason != "timed out after 2.5s connecting" {
				t.Errorf("verdict %+v", v)
			}
		}})
		s.SetTargets(manyTargets(targets)) // 2.5 s each 5 s: 500 at once
		inBubble(t, s.Run, func() { time.Sleep(31 * time.Second) })
		if n := verdicts.Load(); n < 5*targets || n > 7*targets {
			t.Errorf("%d verdicts in 31s, want about %d", n, 6*targets)
		}
	})
}

// over is a Prober whose connections are opened by dial.
func over(dial probe.DialFunc) *probe.Prober {
	return probe.New(probe.Options{DialContext: dial})
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

// BenchmarkSetTargets is the cost of setting 10,000 targets that are there already.
func BenchmarkSetTargets(b *testing.B) {
	s, targets := New(Options{}), manyTargets(10_000)
	s.SetTargets(targets)
	b.ReportAllocs()
	for b.Loop() {
		s.SetTargets(targets)
	}
}

// TestMonitorsAreReadOnce: targets of one monitor that come together share what was made of it, and keep it.
func TestMonitorsAreReadOnce(t *testing.T) {
	m, other := tcpMonitor(time.Minute, 1, 1), tcpMonitor(time.Minute, 1, 1)
	other.Name = "other"
	to := func(service string, m *config.Monitor) probe.Target {
		return probe.Target{Service: service, Monitor: m, Address: netip.MustParseAddrPort("192.0.2.1:80")}
	}
	s := New(Options{})
	s.SetTargets([]probe.Target{to("a", &m), to("b", &m), to("c", &other)})
	held := func(service string, m *config.Monitor) *probe.Prepared {
		return s.targets[targetKey{service, m.Name, netip.MustParseAddrPort("192.0.2.1:80")}].target.Prepared
	}
	first := held("a", &m)
	if first == nil || held("b", &m) != first || held("c", &other) == first {
		t.Errorf("prepared %p and %p for one monitor, %p for another", first, held("b", &m), held("c", &other))
	}
	s.SetTargets([]probe.Target{to("a", &m), to("b", &m)})
	if held("a", &m) != first {
		t.Error("a target that stays is prepared again")
	}
}

// TestSetTargetsOtherTiming: a new timeout of thousands of targets has none of them probed sooner or later than before.
func TestSetTargetsOtherTiming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, verdicts := &fakeNet{}, &verdictLog{}
		s := New(Options{Prober: over(network.dial), Verdict: verdicts.add})
		m := tcpMonitor(20*time.Second, 3, 2)
		var targets []probe.Target
		for i := range 100 {
			targets = append(targets, target(fmt.Sprint("s", i), fmt.Sprintf("192.0.2.%d:80", i), m))
		}
		s.SetTargets(targets)
		inBubble(t, s.Run, func() {
			time.Sleep(time.Minute)
			changed := m
			changed.Timeout /= 2
			for i := range targets {
				targets[i].Monitor = &changed
			}
			s.SetTargets(targets)
			time.Sleep(time.Minute)
		})
		for i := range targets {
			all := verdicts.of(fmt.Sprint("s", i))
			for k := 2; k < len(all); k++ { // the first two come within the first interval
				if apart := all[k].At.Sub(all[k-1].At); apart > 20*time.Second || apart < 19*time.Second {
					t.Fatalf("target %d: verdict %d came %v after the one before, want 20s", i, k, apart)
				}
			}
		}
	})
}

// TestSetTargetsOtherTimingOfParts: a new timeout of what thousands of calculated ones are made of has none of it probed at once.
func TestSetTargetsOtherTimingOfParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, verdicts := &fakeNet{}, &verdictLog{}
		s := New(Options{Prober: over(network.dial), Verdict: verdicts.add})
		set := func(m *config.Monitor) {
			var targets []probe.Target
			var all []Calculated
			for i := range 100 {
				part := target(fmt.Sprint("s", i), fmt.Sprintf("192.0.2.%d:80", i), *m)
				part.Monitor = m
				whole := config.Monitor{Name: "whole", Type: config.MonitorCalculated, Interval: m.Interval, Calculated: &config.CalculatedProbe{Need: 1}}
				targets = append(targets, part)
				all = append(all, Calculated{Target: target(part.Service, part.Address.String(), whole), Parts: []Part{{Name: m.Name, Targets: []probe.Target{part}}}})
			}
			s.SetTargets(targets, all...)
		}
		m := tcpMonitor(20*time.Second, 3, 2)
		set(&m)
		inBubble(t, s.Run, func() {
			time.Sleep(time.Minute)
			before := s.Stats().Done
			changed := m
			changed.Timeout /= 2
			set(&changed)
			time.Sleep(time.Second)
			if probed := s.Stats().Done - before; probed > 20 {
				t.Errorf("%d of 100 targets were probed within a second, want about 5", probed)
			}
		})
	})
}

// TestSetTargetsOtherTimingWhileDown: what is DOWN for a timeout that was too short does not wait for a long down_interval when that is mended, and
// thousands of such are no burst, either.
func TestSetTargetsOtherTimingWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, verdicts := &fakeNet{}, &verdictLog{}
		s := New(Options{Prober: over(network.dial), Verdict: verdicts.add})
		m := tcpMonitor(20*time.Second, 1, 1)
		m.DownInterval = config.Duration(time.Hour)
		var targets []probe.Target
		for i := range 100 {
			targets = append(targets, target(fmt.Sprint("s", i), fmt.Sprintf("192.0.2.%d:80", i), m))
		}
		s.SetTargets(targets)
		inBubble(t, s.Run, func() {
			time.Sleep(3 * time.Minute)
			before := s.Stats().Done
			changed := m
			changed.Timeout *= 2
			for i := range targets {
				targets[i].Monitor = &changed
			}
			s.SetTargets(targets)
			time.Sleep(time.Second)
			if probed := s.Stats().Done - before; probed > 20 {
				t.Errorf("%d of 100 targets were probed within a second, want about 5", probed)
			}
			time.Sleep(20 * time.Second)
			if probed := s.Stats().Done - before; probed < 100 {
				t.Errorf("%d probes within the interval, want each of 100 targets probed", probed)
			}
		})
	})
}
