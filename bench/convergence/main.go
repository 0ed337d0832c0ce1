// Command convergence measures how soon all sites of a mesh answer by what changed at one of them. Whole nodes run in this
// process, with TLS between them and real sockets on the loopback interface, and their DNS is asked all the time.
//
//	go run ./bench/convergence                       # 8 sites, the default intervals; some minutes
//	go run ./bench/convergence -interval 200ms -keepalive 2s -changes 20
//
// Three things happen: a service's state changes at its site (from when its own site's answers changed), a site falls silent
// without a word, as by a power cut, and a site stops as planned. Beside them it prints how late this program's own timers
// were meanwhile: no answer can be seen sooner on a machine that is busy.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	p := plan{}
	flag.IntVar(&p.sites, "sites", 8, "sites in the mesh (4 to 32)")
	flag.DurationVar(&p.interval, "interval", time.Second, "settings.mep.metrics_interval")
	flag.DurationVar(&p.keepalive, "keepalive", 10*time.Second, "settings.mep.keepalive_timeout")
	flag.IntVar(&p.changes, "changes", 100, "changes of state")
	flag.IntVar(&p.kills, "kills", 5, "sites that fall silent, one after another")
	flag.IntVar(&p.stops, "stops", 5, "sites that stop, one after another; at most all but 3")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, p); err != nil {
		fmt.Fprintln(os.Stderr, "convergence:", err)
		os.Exit(1)
	}
}

// plan says what is measured.
type plan struct {
	sites                 int
	interval, keepalive   time.Duration
	changes, kills, stops int
}

func (p plan) validate() error {
	if p.sites < 4 || p.sites > 32 || p.stops > p.sites-3 {
		return fmt.Errorf("%d sites, of which %d stop: want 4 to 32, of which at most all but 3 stop", p.sites, p.stops)
	}
	return nil
}

// run measures and prints a table.
func run(ctx context.Context, out io.Writer, p plan) error {
	results, err := measure(ctx, p)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d sites, metrics_interval %v, keepalive_timeout %v\n\n", p.sites, p.interval, p.keepalive)
	fmt.Fprintln(out, "| what changed | sites that saw it | median | p99 | slowest | promised | timers late by |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|")
	for _, r := range results {
		fmt.Fprintf(out, "| %s | %d | %s | %s | %s | %s | %s |\n", r.what, len(r.delays), ms(r.quantile(0.5)), ms(r.quantile(0.99)),
			ms(r.quantile(1)), ms(r.promised), ms(r.late))
	}
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.0f ms", d.Seconds()*1000) }

// measure starts a mesh, lets all happen and stops the mesh.
func measure(ctx context.Context, p plan) (results []result, err error) {
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
	if err := m.settled(ctx); err != nil {
		return nil, err
	}
	for _, trial := range []func(context.Context) (result, error){m.changes, m.kills, m.stops} {
		r, err := trial(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.what, err)
		}
		results = append(results, r)
	}
	return results, nil
}
