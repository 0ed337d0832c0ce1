// Command probes measures what probing thousands of targets costs: the processor time and memory of the process that
// probes, and how late its probes start. The targets answer from a process of their own, at addresses of the loopback
// network; the kernel's work for a connection over loopback is done on behalf of who sends, so that the servers' half of it
// is in the figures, too. The servers look for work 500 times a second rather than being woken by it: waking another
// processor would be charged to the prober, and does not happen between machines.
//
//	go run ./bench/probes                                                   # 10,000 targets each 5 s, for each kind
//	go run ./bench/probes -targets 10000 -interval 5s -seconds 30 -kind http # one kind
//	go run ./bench/probes -kind tcp -churn 1000                             # 1,000 of the targets replaced each second
//	go run ./bench/probes -pin=false                                        # on any processor; else the prober has one, and the targets the others
//
// It runs on Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// The bars: what a run with 10,000 targets each 5 s should stay below.
const (
	mostCPU      = 15  // percent of one core
	mostMiB      = 200 // resident, at the most
	mostLateness = 250 * time.Millisecond
)

// kinds of probes that can be measured.
var kinds = [...]string{"tcp", "http", "https", "udp", "ping"}

// plan says what is measured.
type plan struct {
	kind     string
	targets  int
	churn    int
	interval time.Duration
	measured time.Duration
	pinned   bool
}

func (p plan) validate() error {
	for _, kind := range strings.Split(p.kind, ",") {
		if !slices.Contains(kinds[:], kind) {
			return fmt.Errorf("kind %q: want some of %s", kind, strings.Join(kinds[:], ", "))
		}
	}
	if p.targets < 1 || p.targets > 60_000 || p.churn < 0 || p.churn > p.targets {
		return fmt.Errorf("%d targets, %d of them replaced each second: want 1 to 60000, and at most all of them", p.targets, p.churn)
	}
	if p.interval < 100*time.Millisecond || p.measured < p.interval {
		return fmt.Errorf("interval %v, measured %v: want 100ms or more, and at least an interval", p.interval, p.measured)
	}
	return nil
}

func main() {
	p := plan{}
	serving := flag.String("serve", "", "be the targets of this kind, until the standard input ends (what the program calls itself with)")
	flag.StringVar(&p.kind, "kind", strings.Join(kinds[:], ","), "kinds of probes, with commas")
	flag.IntVar(&p.targets, "targets", 10_000, "targets (1 to 60000)")
	flag.DurationVar(&p.interval, "interval", 5*time.Second, "each is probed at this interval")
	flag.IntVar(&p.churn, "churn", 0, "so many targets are replaced each second")
	flag.BoolVar(&p.pinned, "pin", true, "the prober stays on one processor, and the targets on the others")
	seconds := flag.Int("seconds", 30, "how long is measured, after a warm-up of one interval and 2 s")
	flag.Parse()
	p.measured = time.Duration(*seconds) * time.Second
	var err error
	switch {
	case *serving != "":
		err = serve(*serving)
	case p.pinned:
		if p.pinned, err = pin(); err != nil {
			break
		}
		fallthrough
	default:
		err = compare(context.Background(), p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "probes:", err)
		os.Exit(1)
	}
}

// compare measures each kind in a process of its own, so that the memory of one is not counted for the next, and prints a table.
func compare(ctx context.Context, p plan) error {
	if err := p.validate(); err != nil {
		return err
	}
	asked := strings.Split(p.kind, ",")
	if len(asked) > 1 {
		printHead(p)
		var failed error
		for _, kind := range asked {
			failed = errors.Join(failed, again(ctx, p, kind))
		}
		return failed
	}
	f, err := measure(ctx, p)
	if err != nil {
		return err
	}
	if os.Getenv(rowOnly) == "" {
		printHead(p)
	}
	fmt.Println(f.row())
	return nil
}

func printHead(p plan) {
	fmt.Printf("%d targets each %v, %d replaced each second, %v measured%s\n\n", p.targets, p.interval, p.churn, p.measured,
		map[bool]string{true: ", the prober on one processor and the targets on others"}[p.pinned])
	fmt.Println("| kind | CPU of one core | for one probe | of it user, kernel | peak memory | late p50 | p99 | longest | probes | failed |  |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|")
}

// figures are what came of one kind.
type figures struct {
	plan
	user, kernel  time.Duration
	took          time.Duration
	peakMiB       float64
	p50, p99, max time.Duration
	probes        uint64
	failed        uint64
}

func (f figures) row() string {
	cpu := f.user + f.kernel
	share := 100 * cpu.Seconds() / f.took.Seconds()
	verdict := "within"
	if share > mostCPU || f.peakMiB > mostMiB || f.p99 > mostLateness {
		verdict = fmt.Sprintf("above %d %%, %d MiB or %v", mostCPU, mostMiB, mostLateness)
	}
	each := func(d time.Duration) string {
		return fmt.Sprintf("%.0f µs", float64(d.Microseconds())/float64(max(f.probes, 1)))
	}
	return fmt.Sprintf("| %s | %.1f %% | %s | %s, %s | %.0f MiB | %v | %v | %v | %d | %d | %s |", f.kind, share, each(cpu), each(f.user), each(f.kernel),
		f.peakMiB, f.p50.Round(100*time.Microsecond), f.p99.Round(100*time.Microsecond), f.max.Round(100*time.Microsecond), f.probes, f.failed, verdict)
}
