package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/resource"
)

func newLDNS() *cobra.Command {
	var f apiFlags
	var most int
	cmd := &cobra.Command{
		Use: "ldns [ADDRESS]", Short: "Show resolvers, and how far from each site they are", Args: cobra.MaximumNArgs(1),
		Long: `Ldns lists the round-trip times that method rtt decides by: of one resolver, or of all of them. Each site
measures them; "fairlead ldns set" is how a probe of your own reports one.`,
		Example: "  fairlead ldns\n  fairlead ldns 192.0.2.53\n  fairlead ldns set 192.0.2.53 --site ams --rtt 12.5ms",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			if err := checkLimit(most); err != nil {
				return err
			}
			list := &resource.ResolverList{}
			if len(args) == 1 {
				if _, err := parseAddress("", args[0]); err != nil {
					return err
				}
				one, err := c.Resolver(cmd.Context(), args[0])
				if err != nil {
					return apiError(err)
				}
				if f.output == "json" {
					return printJSON(cmd.OutOrStdout(), one)
				}
				list.Resolvers = []resource.Resolver{*one}
				return printResolvers(cmd.OutOrStdout(), list)
			}
			if list, err = c.Resolvers(cmd.Context(), most); err != nil {
				return apiError(err)
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), list)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "resolvers: %d of at most %d, %d wait to be measured\n", list.Counts.Entries, list.Counts.Max, list.Counts.Waiting)
			return printResolvers(cmd.OutOrStdout(), list)
		},
	}
	f.add(cmd)
	cmd.Flags().IntVar(&most, "limit", shownEntries, "most resolvers; 0: all")
	cmd.AddCommand(newLDNSSet())
	return cmd
}

func newLDNSSet() *cobra.Command {
	var f apiFlags
	var site string
	var rtt, age time.Duration
	cmd := &cobra.Command{
		Use: "set ADDRESS --site SITE --rtt DURATION", Short: "Report a round-trip time to a resolver", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch _, err := parseAddress("", args[0]); {
			case err != nil:
				return err
			case site == "" || !cmd.Flags().Changed("rtt"):
				return usagef("--site and --rtt are needed")
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			return apiError(c.PutRTT(cmd.Context(), args[0], resource.RTTReport{Site: site, RTTMs: float64(rtt) / float64(time.Millisecond), AgeSeconds: age.Seconds()}))
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&site, "site", "", "site that it was measured from")
	cmd.Flags().DurationVar(&rtt, "rtt", 0, "round-trip time, for example 12.5ms")
	cmd.Flags().DurationVar(&age, "age", 0, "how long ago it was measured")
	return cmd
}

func printResolvers(w io.Writer, list *resource.ResolverList) error {
	rows := [][]string{{"RESOLVER", "SITE", "RTT", "BY", "AGE"}}
	for i := range list.Resolvers {
		r := &list.Resolvers[i]
		name := r.Resolver.String()
		for _, m := range r.RTTs {
			age := duration(m.AgeSeconds)
			if !m.Counts {
				age += ", too old"
			}
			rows = append(rows, []string{name, orDash(m.Site), fmt.Sprintf("%g ms", m.RTTMs), orDash(m.By), age})
			name = "" // once is enough
		}
	}
	if len(rows) == 1 {
		return nil
	}
	if err := table(w, "", rows...); err != nil {
		return err
	}
	if list.NextCursor != "" {
		fmt.Fprintln(w, "and more; --limit 0 lists all")
	}
	return nil
}
