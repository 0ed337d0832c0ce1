package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"time"

	"fairlead/internal/bench"
)

// settle is the time between the first answer of a server and the measurement of its memory.
const settle = 500 * time.Millisecond

// queryTimeout is after which a query counts as lost.
const queryTimeout = 250 * time.Millisecond

// sample is one run of one contender.
type sample struct {
	CPU     float64 `json:"cpu_us_per_query"`
	QPS     float64 `json:"qps"`
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
	Sent    uint64  `json:"sent"`
	Lost    uint64  `json:"lost"`
	Wrong   uint64  `json:"wrong"`
	Unsent  uint64  `json:"unsent,omitempty"`
	Used    float64 `json:"generator_cpu_share"` // of the generator's CPU
	Problem string  `json:"problem,omitempty"`
}

// runWorkload starts all contenders of a workload, lets them take turns, and ends them.
func (s *settings) runWorkload(ctx context.Context, w workload, installed map[string]installation, stderr io.Writer) (*outcome, error) {
	queries, err := w.queries()
	if err != nil {
		return nil, err
	}
	probed, stopMembers, err := listenMembers()
	if err != nil {
		return nil, err
	}
	defer stopMembers()
	result := &outcome{Name: w.name, About: w.about, Names: w.names}
	var running []*process
	defer func() {
		for _, p := range running {
			p.stop()
		}
	}()
	for i, c := range w.contenders {
		found, ok := installed[c.program]
		if !ok {
			continue
		}
		at := &site{dir: filepath.Join(s.folder, fmt.Sprintf("%s-%d", w.name, i)), binary: found.Path, names: w.names, probed: probed}
		if at.port, err = freePort(); err == nil {
			at.api, err = freePort()
		}
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(stderr, "%s: starting %s\n", w.name, c.label)
		p, err := startProcess(ctx, c, at, s.serverCPU)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			result.Skipped = append(result.Skipped, fmt.Sprintf("%s: %v", c.label, err))
			continue
		}
		running = append(running, p)
		result.Contenders = append(result.Contenders, &contenderResult{Label: c.label, Program: c.program})
		if w.grows {
			if err := result.last().started(ctx, p); err != nil {
				return nil, err
			}
		}
	}
	if err := s.takeTurns(ctx, w, queries, running, result, stderr); err != nil {
		return nil, err
	}
	for i, p := range running {
		if w.grows {
			result.Contenders[i].PSSQueried, err = memory(p.cmd.Process.Pid)
			if err != nil {
				return nil, err
			}
		}
	}
	result.judge()
	return result, nil
}

// started notes how long a contender took to start, and its memory.
func (c *contenderResult) started(ctx context.Context, p *process) (err error) {
	c.Ready = p.ready.Seconds()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settle):
	}
	c.PSSLoaded, err = memory(p.cmd.Process.Pid)
	return err
}

// takeTurns runs each contender once per repetition.
func (s *settings) takeTurns(ctx context.Context, w workload, q *bench.Queries, running []*process, result *outcome, stderr io.Writer) error {
	for r := range s.repetitions {
		for i, p := range running {
			one, err := s.measure(ctx, w, q, p)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("%s: %w", p.label, err)
			}
			fmt.Fprintf(stderr, "%s %d/%d: %-16s %6.3f us/query  %8.0f/s  p50 %.0f us  lost %d  wrong %d\n",
				w.name, r+1, s.repetitions, p.label, one.CPU, one.QPS, one.P50, one.Lost, one.Wrong)
			result.Contenders[i].Samples = append(result.Contenders[i].Samples, one)
		}
	}
	return nil
}

// reading is what a server had used and answered at one time.
type reading struct {
	used   time.Duration
	counts bench.Counts
}

// window is how many queries are in flight per socket. Over TCP nothing is dropped for want of a buffer.
func (s *settings) window(w workload) int {
	if w.transport == bench.TCP {
		return max(s.outstanding, 32)
	}
	return s.outstanding
}

// measure runs the load against one contender.
func (s *settings) measure(ctx context.Context, w workload, q *bench.Queries, p *process) (sample, error) {
	g, err := bench.New(bench.Options{
		Target: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(p.site.port)), Transport: w.transport, Queries: q,
		Rate: w.rate, Sockets: s.sockets, Outstanding: s.window(w), Batch: w.batch, Threads: 1,
		Warmup: s.warmup, Duration: s.seconds + 100*time.Millisecond, Timeout: queryTimeout, CPUs: []int{s.generatorCPU},
	})
	if err != nil {
		return sample{}, err
	}
	read := func() (r reading, err error) {
		r.used, err = runTime(p.cmd.Process.Pid)
		r.counts = g.Counts()
		return r, err
	}
	type done struct {
		result *bench.Result
		err    error
	}
	ended := make(chan done, 1)
	go func() {
		result, err := g.Run(ctx)
		ended <- done{result, err}
	}()
	var readings [2]reading
	var problem error
	for i, wait := range []time.Duration{s.warmup + 50*time.Millisecond, s.seconds} {
		select {
		case <-ctx.Done():
		case <-p.ended:
			problem = errors.New("the server ended")
		case <-time.After(wait):
			var err error
			readings[i], err = read()
			problem = errors.Join(problem, err)
		}
	}
	d := <-ended
	if err := errors.Join(d.err, problem); err != nil || ctx.Err() != nil {
		return sample{}, err
	}
	r := d.result
	one := sample{QPS: r.QPS, P50: r.Latency.P50, P99: r.Latency.P99, Sent: r.Sent, Lost: r.Lost, Wrong: r.Wrong, Unsent: r.Unsent,
		Used: r.Generator.CPUSeconds / (r.Seconds + s.warmup.Seconds())}
	if n := readings[1].counts.Right - readings[0].counts.Right; n > 0 {
		one.CPU = float64(readings[1].used-readings[0].used) / 1e3 / float64(n)
	} else {
		one.Problem = "no right answers"
	}
	return one, nil
}
