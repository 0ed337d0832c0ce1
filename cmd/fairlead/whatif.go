package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/api/resource"
)

func newWhatIf() *cobra.Command {
	var f apiFlags
	var lose []string
	var load string
	cmd := &cobra.Command{
		Use:   "whatif",
		Short: "Show where clients and connections would go if sites or services were lost",
		Long: `Whatif decides the queries of the last minutes again, without the sites and services that are lost, and moves the
connections that are known with the answers. Services that would be overloaded fail in a second round, and so on, until
nothing fails any more. It changes nothing (docs/whatif.md).`,
		Example: "  fairlead whatif --lose ams\n  fairlead whatif --lose web-ams --lose web-nyc --load peak\n  fairlead whatif --load 2x -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			out, err := c.WhatIf(cmd.Context(), lose, load)
			if err != nil {
				return apiError(err)
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), out)
			}
			return printWhatIf(cmd.OutOrStdout(), out)
		},
	}
	f.add(cmd)
	cmd.Flags().StringArrayVar(&lose, "lose", nil, "site or service that is lost; may be given several times")
	cmd.Flags().StringVar(&load, "load", "1x", "factor on all connections, such as 1.5x; or peak: the most of the last 24 hours")
	return cmd
}

func printWhatIf(w io.Writer, out *resource.WhatIf) error {
	lost := "nothing is lost"
	if len(out.Lost) > 0 {
		lost = strings.Join(out.Lost, ", ") + " lost"
	}
	fmt.Fprintln(w, printable(fmt.Sprintf("%s, %.3gx the connections of now; from %.4g queries/s in %d kinds (snapshot %d)",
		lost, out.Load, out.PerSecond, out.Kinds, out.Snapshot)))
	for i := range out.Rounds {
		round := &out.Rounds[i]
		fmt.Fprintln(w)
		switch {
		case i > 0:
			fmt.Fprintln(w, printable(fmt.Sprintf("round %d: overloaded, and failed: %s", i+1, strings.Join(round.Failed, ", "))))
		case len(round.Failed) > 0:
			fmt.Fprintln(w, printable(fmt.Sprintf("round 1: down: %s", strings.Join(round.Failed, ", "))))
		default:
			fmt.Fprintln(w, "round 1")
		}
		if err := printRound(w, &out.Before, &round.State); err != nil {
			return err
		}
	}
	for _, note := range out.Notes {
		fmt.Fprintln(w, printable("note: "+note))
	}
	return nil
}

func printRound(w io.Writer, before, after *resource.WhatIfState) error {
	rows := [][]string{{"SITE", "SERVICE", "SHARE", "", "", "CONNECTIONS", "", "", "CAPACITY", "USED", ""}}
	for i := range after.Sites {
		was, is := &before.Sites[i], &after.Sites[i]
		rows = append(rows, []string{is.Name, "", percent(was.Share), "->", percent(is.Share), fmt.Sprintf("%.0f", was.Connections), "->", fmt.Sprintf("%.0f", is.Connections),
			capacityText(is.Capacity), percentText(is.Percent), ""})
		rows = append(rows, serviceRows(before, after, is.Name)...)
	}
	if err := table(w, "  ", rows...); err != nil {
		return err
	}
	if after.Unanswered > 0 || after.LastResort > 0 {
		fmt.Fprintf(w, "  %s of the queries get no address (now %s), %s a last resort (now %s); %.0f connections are stranded\n",
			percent(after.Unanswered), percent(before.Unanswered), percent(after.LastResort), percent(before.LastResort), after.Stranded)
	}
	worse := slices.DeleteFunc(slices.Clone(after.Names), func(n resource.WhatIfName) bool { return asNow(before.Names, n) })
	for _, n := range worse[:min(len(worse), 10)] {
		fmt.Fprintln(w, printable(fmt.Sprintf("  %s: %s unanswered, %s last resort, %.3g queries/s", n.Name, percent(n.Unanswered), percent(n.LastResort), n.PerSecond)))
	}
	return nil
}

// asNow reports whether a name is no worse off than it is already.
func asNow(before []resource.WhatIfName, n resource.WhatIfName) bool {
	const rounding = 1e-6
	return slices.ContainsFunc(before, func(b resource.WhatIfName) bool {
		return b.Name == n.Name && n.Unanswered <= b.Unanswered+rounding && n.LastResort <= b.LastResort+rounding
	})
}

// serviceRows are the rows of a site's services. Both states list them in the same order; one may have some that the other
// has not.
func serviceRows(before, after *resource.WhatIfState, site string) (rows [][]string) {
	for i := range after.Services {
		is := &after.Services[i]
		if is.Site != site {
			continue
		}
		was := &resource.WhatIfService{}
		for j := range before.Services {
			if before.Services[j].Name == is.Name {
				was = &before.Services[j]
			}
		}
		var marks []string
		for _, m := range []struct {
			is   bool
			text string
		}{{is.State != "UP", is.State}, {is.Overloaded, "OVERLOADED"}, {is.AtLimit, "at its limit"}, {is.Estimated, "load estimated"}} {
			if m.is {
				marks = append(marks, m.text)
			}
		}
		rows = append(rows, []string{"", is.Name, percent(was.Share), "->", percent(is.Share), countText(was.Connections), "->", countText(is.Connections),
			capacityText(is.Capacity), percentText(is.Percent), strings.Join(marks, ", ")})
	}
	return rows
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", share*100) }

func percentText(p *float64) string {
	if p == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.3g %%", *p)
}

func capacityText(c float64) string {
	if c == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.0f", c)
}

func countText(n *float64) string {
	if n == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.0f", *n)
}
