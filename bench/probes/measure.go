package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"fairlead/config"
	"fairlead/monitors"
	"fairlead/monitors/probe"
)

// rowOnly is the variable of the environment that leaves the table's head to the process above.
const rowOnly = "FAIRLEAD_BENCH_ROW"

// again measures one kind in another process.
func again(ctx context.Context, p plan, kind string) error {
	cmd := exec.CommandContext(ctx, os.Args[0], "-kind", kind, "-targets", strconv.Itoa(p.targets), "-interval", p.interval.String(),
		"-churn", strconv.Itoa(p.churn), "-pin="+strconv.FormatBool(p.pinned), "-seconds", strconv.Itoa(int(p.measured.Seconds())))
	cmd.Env = append(os.Environ(), rowOnly+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("measure %s: %w", kind, err)
	}
	return nil
}

// servers are the targets' process.
type servers struct {
	cmd   *exec.Cmd
	input io.Closer
	port  uint16
}

func startServers(kind string) (*servers, error) {
	s := &servers{cmd: exec.Command(os.Args[0], "-serve", kind)}
	s.cmd.Stderr = os.Stderr
	input, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the targets: %w", err)
	}
	output, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the targets: %w", err)
	}
	if err := besides(s.cmd.Start); err != nil {
		return nil, fmt.Errorf("start the targets: %w", err)
	}
	s.input = input
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("await the targets: %w", err)
	}
	port, err := strconv.ParseUint(strings.TrimSpace(line), 10, 16)
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("await the targets: %w", err)
	}
	s.port = uint16(port)
	return s, nil
}

func (s *servers) stop() {
	s.input.Close()
	_ = s.cmd.Wait() // how it ends says nothing
}

// targets are n services at addresses of their own. Those with another round are other services.
func (p plan) makeTargets(port uint16, rounds []int) []probe.Target {
	m := &config.Monitor{Name: p.kind, Type: config.MonitorType(p.kind), Interval: config.Duration(p.interval), Timeout: config.Duration(min(p.interval, 2*time.Second)),
		Fall: 3, Rise: 2}
	m.HTTP.Path = "/healthz"
	if p.kind == "udp" {
		m.UDP = &config.Dialogue{Send: question, Expect: question}
	}
	out := make([]probe.Target, p.targets)
	for i := range out {
		out[i] = probe.Target{Service: fmt.Sprintf("service-%d-%d", i, rounds[i]), Monitor: m,
			Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), port)}
	}
	return out
}

// measure probes for the time of the plan.
func measure(ctx context.Context, p plan) (figures, error) {
	targets, err := startServers(p.kind)
	if err != nil {
		return figures{}, err
	}
	defer targets.stop()
	var probes, failed atomic.Uint64
	var reason atomic.Pointer[string]
	s := monitors.New(monitors.Options{Verdict: func(v monitors.Verdict) {
		if probes.Add(1); v.Failures > 0 {
			failed.Add(1)
			reason.Store(&v.Reason)
		}
	}})
	rounds := make([]int, p.targets)
	s.SetTargets(p.makeTargets(targets.port, rounds))
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	time.Sleep(p.interval + 2*time.Second)

	before, began := readUsage(), time.Now()
	probes.Store(0)
	failed.Store(0)
	for next := 0; time.Since(began) < p.measured; {
		time.Sleep(min(time.Second, p.measured-time.Since(began)))
		for range p.churn {
			rounds[next]++
			next = (next + 1) % p.targets
		}
		if p.churn > 0 {
			s.SetTargets(p.makeTargets(targets.port, rounds))
		}
	}
	after, took, st := readUsage(), time.Since(began), s.Stats()
	f := figures{plan: p, user: after.user - before.user, kernel: after.kernel - before.kernel, took: took, peakMiB: after.peakMiB,
		p50: st.Lateness.P50, p99: st.Lateness.P99, max: st.Lateness.Max, probes: probes.Load(), failed: failed.Load()}
	cancel()
	if err := <-ended; err != nil {
		return figures{}, err
	}
	if why := reason.Load(); why != nil {
		fmt.Fprintf(os.Stderr, "%s: the last failure: %s\n", p.kind, *why)
	}
	return f, nil
}
