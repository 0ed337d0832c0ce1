// Command herd shows what becomes of services whose load is reported late: how evenly the method least-connection uses
// them, and how a balancer would that sends everybody to the service with the least report until the next report comes.
//
// Two sites answer apart. Clients come as a Poisson process through resolvers that keep answers for their TTL; a
// connection lasts an exponential time. Every site reads its services' connections at an interval and tells the other
// over MEP once a second. The sites decide with packages sites and gslb, as the server does.
//
//	go run ./bench/herd                        # prints the table: spread, and in brackets the worst moment's
//	go run ./bench/herd -svg docs/img/herd.svg # writes the plot too
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// table is what is printed, in order.
func table() []Case {
	equal := func(n int) []int { return []int{1, 1, 1, 1, 1, 1, 1, 1}[:n] }
	var out []Case
	for _, report := range []time.Duration{time.Second, 5 * time.Second} {
		for _, weights := range [][]int{equal(2), equal(4), equal(8), {4, 2, 1, 1}} {
			for _, life := range []time.Duration{500 * time.Millisecond, 5 * time.Second, 30 * time.Second} {
				out = append(out, Case{Weights: weights, Report: report, Life: life, Seed: 1})
			}
		}
	}
	return out
}

func main() {
	svg := flag.String("svg", "", "write the plot to this file")
	flag.Parse()
	if err := run(os.Stdout, *svg); err != nil {
		fmt.Fprintln(os.Stderr, "herd:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, svg string) error {
	if err := printTable(out, table()); err != nil || svg == "" {
		return err
	}
	picture, err := plot(plotted())
	if err != nil {
		return err
	}
	if err := os.WriteFile(svg, picture, 0o644); err != nil {
		return fmt.Errorf("write the plot: %w", err)
	}
	return nil
}

func printTable(out io.Writer, cases []Case) error {
	fmt.Fprintln(out, "| weights | load read every | connections last | Fairlead | in turn | least report wins |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|")
	for _, c := range cases {
		fmt.Fprintf(out, "| %s | %v | %v |", strings.Trim(fmt.Sprint(c.Weights), "[]"), c.Report, c.Life)
		for _, choice := range []Choice{Ours, Turns, Naive} {
			r, err := Simulate(c, choice)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, " %.2f (%.2f) |", r.Spread, r.Worst)
		}
		fmt.Fprintln(out)
	}
	return nil
}
