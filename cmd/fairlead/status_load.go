package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/api/resource"
)

// addWide lets a command print tables with more in them.
func addWide(cmd *cobra.Command, f *apiFlags) {
	cmd.Flags().Lookup("output").Usage = "table, wide: with all that load sources tell, or json: the API's own answer"
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if f.output != "table" && f.output != "wide" && f.output != "json" {
			return usagef("--output %q is none of table, wide and json", f.output)
		}
		return nil
	}
}

// allLoad shows everything that was reported of a service. What is as old as what stands before it has no age of its own.
func allLoad(s *resource.Service) string {
	var parts []string
	age := ""
	add := func(text, unit string, seconds float64, source string) {
		if unit != "" {
			text += " " + unit
		}
		if old := fmt.Sprintf(" (%s old, %s)", duration(seconds), source); old != age {
			text, age = text+old, old
		}
		parts = append(parts, text)
	}
	if l := s.Load; l != nil {
		text := strconv.FormatUint(l.Active, 10)
		if l.Expected >= 0.5 || l.Expected <= -0.5 {
			text += fmt.Sprintf("%+.0f", l.Expected)
		}
		add(text, "connections", l.AgeSeconds, l.Source)
	}
	for _, m := range s.Metrics {
		add(m.Name+" "+amount(m.Value), m.Unit, m.AgeSeconds, m.Source)
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

// amount writes a number with at most four digits that count, and k, M, G or T for thousands.
func amount(v float64) string {
	unit := ""
	for _, next := range []string{"k", "M", "G", "T"} {
		if v < 10_000 {
			break
		}
		v, unit = v/1000, next
	}
	return strconv.FormatFloat(v, 'g', 4, 64) + unit
}
