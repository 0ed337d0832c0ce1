// Command compare runs Fairlead and other authoritative DNS servers side by side on the same load, and prints what each
// query costs them. It installs nothing: servers that are not on this machine are left out, with a line that says so.
//
//	go run ./bench/compare
//
// Each server is bound to one CPU and the load generator to another. Servers take turns, in short runs, several times
// (A B C A B C), because the speed of a machine drifts: only ratios of neighbouring runs mean something. The measure is
// CPU time of the server's processes per right answer. docs/performance.md says more. Linux only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Limits of the flags.
const (
	maxRepetitions = 1000
	maxSeconds     = 600
	maxNames       = 2_000_000
)

// settings are the flags.
type settings struct {
	workloads, servers         []string
	repetitions                int
	seconds, warmup            time.Duration
	serverCPU, generatorCPU    int
	names, million             int
	sockets, outstanding       int
	rate                       float64
	rmem                       int
	fairlead, jsonFile, folder string
	keep                       bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "compare: %v\n", err)
		os.Exit(1)
	}
}

func parseFlags(args []string, stderr io.Writer) (*settings, error) {
	var s settings
	var workloads, servers string
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&workloads, "workloads", strings.Join(workloadNames(), ","), "what to run")
	flags.StringVar(&servers, "servers", "fairlead,gdnsd,nsd,knot", "servers to run; also pdns, bind, coredns")
	flags.IntVar(&s.repetitions, "repetitions", 5, "runs of each server for each workload")
	flags.DurationVar(&s.seconds, "seconds", 2*time.Second, "measured time of one run")
	flags.DurationVar(&s.warmup, "warmup", 300*time.Millisecond, "time before it that is not measured")
	flags.IntVar(&s.serverCPU, "server-cpu", 0, "CPU of the servers")
	flags.IntVar(&s.generatorCPU, "generator-cpu", 1, "CPU of the load generator and this program")
	flags.IntVar(&s.names, "names", 1000, "names in the small zones")
	flags.IntVar(&s.million, "million", 1_000_000, "names in the workload million")
	flags.IntVar(&s.sockets, "sockets", 32, "sockets of the generator")
	flags.IntVar(&s.outstanding, "outstanding", 0, "queries in flight per socket; 0: 8, or 32 when net.core.rmem_default is 1 MiB or more")
	flags.Float64Var(&s.rate, "rate", 100_000, "queries per second of the workload latency")
	flags.IntVar(&s.rmem, "rmem", 0, "net.core.rmem_default while this runs, for all servers (root only); 0: leave it")
	flags.StringVar(&s.fairlead, "fairlead", "", "fairlead binary; empty: build ./cmd/fairlead")
	flags.StringVar(&s.jsonFile, "json", "", "file to write all results to, as JSON")
	flags.BoolVar(&s.keep, "keep", false, "keep the directory with configurations and logs")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	s.workloads, s.servers = strings.Split(workloads, ","), strings.Split(servers, ",")
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return &s, s.validate()
}

func (s *settings) validate() error {
	for _, w := range s.workloads {
		if !slices.Contains(workloadNames(), w) {
			return fmt.Errorf("-workloads: %q is not one of %s", w, strings.Join(workloadNames(), ", "))
		}
	}
	for _, name := range s.servers {
		if _, ok := programs()[name]; !ok {
			return fmt.Errorf("-servers: %q is not one of fairlead, gdnsd, nsd, knot, pdns, bind, coredns", name)
		}
	}
	switch {
	case s.repetitions < 1 || s.repetitions > maxRepetitions:
		return fmt.Errorf("-repetitions %d is not within 1 and %d", s.repetitions, maxRepetitions)
	case s.seconds < 100*time.Millisecond || s.seconds > maxSeconds*time.Second:
		return fmt.Errorf("-seconds %v is not within 100ms and %ds", s.seconds, maxSeconds)
	case s.warmup < 0 || s.warmup > time.Minute:
		return fmt.Errorf("-warmup %v is not within 0s and 1m", s.warmup)
	case s.names < 1 || s.names > maxNames || s.million < 1 || s.million > maxNames:
		return fmt.Errorf("-names %d and -million %d must be within 1 and %d", s.names, s.million, maxNames)
	case s.rmem < 0 || s.rmem > 1<<30:
		return fmt.Errorf("-rmem %d is not within 0 and %d", s.rmem, 1<<30)
	}
	return nil
}

// run does everything and leaves nothing behind: no process, no file, no changed setting.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	if err := supported(); err != nil {
		return err
	}
	restore, err := setReceiveBuffer(s.rmem)
	if err != nil {
		return err
	}
	defer restore()
	if s.outstanding == 0 {
		s.outstanding = 8
		if receiveBufferDefault() >= 1<<20 {
			s.outstanding = 32
		}
	}
	s.folder, err = os.MkdirTemp("", "fairlead-compare-")
	if err != nil {
		return err
	}
	if s.keep {
		fmt.Fprintf(stderr, "configurations and logs stay in %s\n", s.folder)
	} else {
		defer func() { _ = os.RemoveAll(s.folder) }()
	}
	// Some servers give up their privileges and still read here.
	if err := os.Chmod(s.folder, 0o755); err != nil {
		return err
	}
	if slices.Contains(s.servers, "fairlead") && s.fairlead == "" {
		if s.fairlead, err = build(ctx, s.folder, stderr); err != nil {
			return err
		}
	}
	return s.compare(ctx, stdout, stderr)
}

// build compiles Fairlead as its releases are compiled.
func build(ctx context.Context, folder string, stderr io.Writer) (string, error) {
	path := filepath.Join(folder, "fairlead")
	fmt.Fprintln(stderr, "building fairlead")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "fairlead/cmd/fairlead")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build fairlead (run this inside the repository): %w\n%s", err, out)
	}
	return path, nil
}

// compare runs the workloads one after another.
func (s *settings) compare(ctx context.Context, stdout, stderr io.Writer) error {
	installed := s.find(ctx, stdout)
	report := newReport(s, installed)
	report.writeHead(stdout)
	for _, name := range s.workloads {
		w := workloads(s)[name]
		result, err := s.runWorkload(ctx, w, installed, stderr)
		if err != nil {
			return fmt.Errorf("workload %s: %w", name, err)
		}
		report.Workloads = append(report.Workloads, result)
		result.write(stdout)
	}
	if s.jsonFile == "" {
		return nil
	}
	return report.writeJSON(s.jsonFile)
}
