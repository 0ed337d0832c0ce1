// Command documents measures what a large document costs those who change it. Whole nodes of several sites run in this process, each with its
// own data directory, with TLS between them and real sockets on the loopback interface; the document is written through their API.
//
//	go run ./bench/documents                       # 8 sites, 10,000 services, 5,000 virtual servers; a minute
//	go run ./bench/documents -services 1000 -patches 20 -cpuprofile cpu.out
//
// Measured are a document that is applied whole, changes of single services at one site after the other until they are acknowledged and until
// the DNS of every other site answers by them, and what all that leaves on disk and in memory.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

func main() {
	p := plan{}
	var profile, memory string
	flag.IntVar(&p.sites, "sites", 8, "sites (1 to 32)")
	flag.IntVar(&p.services, "services", 10_000, "services; half as many virtual servers")
	flag.IntVar(&p.patches, "patches", 200, "changes of one service each")
	flag.IntVar(&p.asked, "asked", 2000, "names that were asked for, by which the effect of a change is computed")
	flag.IntVar(&p.others, "others", 10, "changes of each other kind: of a site, of members, services added and removed")
	flag.DurationVar(&p.pause, "pause", 100*time.Millisecond, "between two changes")
	flag.StringVar(&profile, "cpuprofile", "", "write a profile of the changes to this file")
	flag.StringVar(&memory, "memprofile", "", "write what the changes allocated to this file")
	flag.Parse()
	runtime.MemProfileRate = 0 // until the changes begin
	if err := profiled(profile, memory, &p, func() error { return run(context.Background(), os.Stdout, p) }); err != nil {
		fmt.Fprintln(os.Stderr, "documents:", err)
		os.Exit(1)
	}
}

// plan says what is measured.
type plan struct {
	sites, services, patches, others, asked int
	pause                                   time.Duration
	profile, memory                         io.Writer // of the changes; nil: none
}

func (p plan) validate() error {
	if p.sites < 1 || p.sites > 32 || p.services < p.sites || p.services > 60_000 || p.patches < 1 || p.others < 0 {
		return fmt.Errorf("%d sites, %d services, %d changes, %d others: want 1 to 32 sites, at least a service for each and at most 60000, and a change",
			p.sites, p.services, p.patches, p.others)
	}
	return nil
}

// profiled opens the files of the profiles around do.
func profiled(cpu, memory string, p *plan, do func() error) error {
	for path, to := range map[string]*io.Writer{cpu: &p.profile, memory: &p.memory} {
		if path == "" {
			continue
		}
		f, err := os.Create(path)
		if err != nil {
			return fmt.Errorf("make a profile: %w", err)
		}
		defer f.Close()
		*to = f
	}
	return do()
}

// run measures and prints a table.
func run(ctx context.Context, out io.Writer, p plan) error {
	r, err := measure(ctx, p)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d sites in one process on %d cores, which they share; %d services, %d virtual servers; %v between two changes\n\n",
		p.sites, runtime.GOMAXPROCS(0), p.services, p.services/2, p.pause)
	fmt.Fprintln(out, "| what | median | p95 | slowest | CPU, all sites together |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	for _, t := range r.times {
		spent := ""
		if t.cpu > 0 {
			spent = ms(t.cpu)
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", t.what, ms(t.quantile(0.5)), ms(t.quantile(0.95)), ms(t.quantile(1)), spent)
	}
	fmt.Fprintf(out, "\nOne service changed: %.1f MB allocated, all sites together; while nothing happens they take %.0f %% of a CPU. Each change left %.1f KB in a site's data directory, "+
		"which had %.1f MB. The heap of a site is %.1f MB with the document and %.1f MB after the changes.\n",
		r.allocated/1e6, 100*r.idle, r.grown/1e3, r.disk/1e6, r.heap[0]/1e6, r.heap[1]/1e6)
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }

// measure starts the sites, changes documents and stops the sites.
func measure(ctx context.Context, p plan) (r *results, err error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	m, err := newMesh(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() {
		if stopped := m.close(); err == nil {
			err = stopped
		}
	}()
	r = &results{}
	if err := m.applied(ctx, r); err != nil {
		return nil, fmt.Errorf("apply a document: %w", err)
	}
	err = p.recorded(func() error {
		if err := m.patched(ctx, r); err != nil {
			return fmt.Errorf("change a service: %w", err)
		}
		if err := m.otherwise(ctx, r); err != nil {
			return fmt.Errorf("change other things: %w", err)
		}
		return nil
	})
	return r, err
}

// memoryRate is how many octets are allocated from one sample to the next.
const memoryRate = 32 << 10

// recorded writes profiles of what do does.
func (p plan) recorded(do func() error) error {
	if p.profile != nil {
		if err := pprof.StartCPUProfile(p.profile); err != nil {
			return fmt.Errorf("begin the profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	if p.memory == nil {
		return do()
	}
	runtime.MemProfileRate = memoryRate
	if err := do(); err != nil {
		return err
	}
	runtime.MemProfileRate = 0
	return pprof.Lookup("allocs").WriteTo(p.memory, 0)
}
