package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
)

func newStatus() *cobra.Command {
	var f apiFlags
	var filter client.ServiceFilter
	cmd := &cobra.Command{
		Use:       "status [sites|services]",
		Short:     "Show what a running node believes of sites and services",
		Example:   "  fairlead status\n  fairlead status services -o wide\n  fairlead status services --state DOWN -o json",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"sites", "services"},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			if err := upperStates(filter.States); err != nil {
				return err
			}
			what := "both"
			if len(args) == 1 {
				what = args[0]
			}
			if what == "sites" && (filter.Site != "" || len(filter.States) > 0) {
				return usagef("--site and --state choose services; status sites shows none")
			}
			if filter.Site != "" {
				if _, err := c.Site(cmd.Context(), filter.Site); err != nil {
					return apiError(err)
				}
			}
			return runStatus(cmd, c, what, filter, f.output)
		},
	}
	f.add(cmd)
	addWide(cmd, &f)
	cmd.Flags().StringVar(&filter.Site, "site", "", "services of this site only")
	cmd.Flags().StringSliceVar(&filter.States, "state", nil, "services in one of these states only: UP, DOWN, UNKNOWN, DISABLED, DRAINING")
	return cmd
}

// upperStates takes states in any case.
func upperStates(states []string) error {
	known := []string{"UP", "DOWN", "UNKNOWN", "DISABLED", "DRAINING"}
	for i, s := range states {
		states[i] = strings.ToUpper(s)
		if !slices.Contains(known, states[i]) {
			return usagef("--state %q is not one of %s", s, strings.Join(known, ", "))
		}
	}
	return nil
}

func runStatus(cmd *cobra.Command, c *client.Client, what string, filter client.ServiceFilter, output string) error {
	var sites *resource.SiteList
	var services *resource.ServiceList
	var more sections
	var err error
	if what != "services" {
		if sites, err = c.Sites(cmd.Context()); err != nil {
			return apiError(err)
		}
	}
	if what != "sites" {
		if services, err = c.Services(cmd.Context(), filter); err != nil {
			return apiError(err)
		}
	}
	if what == "both" {
		if more, err = readSections(cmd.Context(), c); err != nil {
			return apiError(err)
		}
	}
	out := cmd.OutOrStdout()
	if output == "json" {
		switch what {
		case "sites":
			return printJSON(out, sites)
		case "services":
			return printJSON(out, services)
		}
		all := map[string]any{"sites": sites.Sites, "services": services.Services}
		if sites.Alarm != "" {
			all["alarm"] = sites.Alarm
		}
		if sites.Isolated != "" {
			all["isolated"] = sites.Isolated
		}
		more.addTo(all)
		return printJSON(out, all)
	}
	if sites != nil {
		for _, alarm := range []string{sites.Alarm, sites.Isolated} {
			if alarm != "" {
				fmt.Fprintf(out, "ALARM: %s\n\n", printable(alarm))
			}
		}
		document, err := c.Document(cmd.Context())
		if err != nil {
			return apiError(err)
		}
		printDocument(out, document, sites.At)
		if err := printSites(out, sites); err != nil {
			return err
		}
	}
	if services != nil {
		if sites != nil {
			fmt.Fprintln(out)
		}
		if err := printServices(out, services, output == "wide"); err != nil {
			return err
		}
	}
	return more.print(out)
}

func printDocument(w io.Writer, d *resource.Document, now time.Time) {
	fmt.Fprintf(w, "document %.8s from %s, in use for %s\n", d.ID, printable(d.Source), since(now, d.Since))
	if d.Waiting != "" {
		fmt.Fprintln(w, printable(d.Waiting))
	}
	if d.LastError != "" {
		fmt.Fprintln(w, "a newer one was refused:")
		for line := range strings.Lines(d.LastError) {
			fmt.Fprintln(w, "  "+printable(strings.TrimRight(line, "\n")))
		}
	}
	fmt.Fprintln(w)
}

// headroom is what the loss of a site would do, in a few words.
func headroom(h *resource.Headroom) string {
	switch {
	case h == nil:
		return "-"
	case h.Unanswered > 0.0005:
		return fmt.Sprintf("%.3g %% of queries unanswered", h.Unanswered*100)
	case h.Ratio == nil:
		return "answered"
	}
	return fmt.Sprintf("%s at %.3g %%", h.Worst, (1-*h.Ratio)*100)
}

func counts(c resource.StateCounts) string {
	var parts []string
	for _, s := range []struct {
		n     int
		state string
	}{{c.Up, "UP"}, {c.Down, "DOWN"}, {c.Unknown, "UNKNOWN"}, {c.Disabled, "DISABLED"}, {c.Draining, "DRAINING"}} {
		if s.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", s.n, s.state))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func printServices(w io.Writer, list *resource.ServiceList, wide bool) error {
	rows := [][]string{{"SERVICE", "SITE", "STATE", "FOR", "LOAD", "WHY"}}
	for _, s := range list.Services {
		state := s.State
		if s.WithoutIPv4 {
			state += " (not IPv4)"
		}
		if s.WithoutIPv6 {
			state += " (not IPv6)"
		}
		if s.Doubt != "" {
			state += " (" + s.Doubt + ")"
		}
		if s.Drain != nil {
			line, _ := drainLine(&s, list.At)
			s.Reason += "; " + line
		}
		load := "-"
		if s.Load != nil {
			load = fmt.Sprintf("%d, %s old", s.Load.Active, duration(s.Load.AgeSeconds))
		}
		if wide {
			load = allLoad(&s)
		}
		rows = append(rows, []string{s.Name, s.Site, state, since(list.At, s.Since), load, fmt.Sprintf("%s (%s)", s.Reason, s.Source)})
	}
	return table(w, "", rows...)
}

func since(now, then time.Time) string { return duration(now.Sub(then).Seconds()) }
