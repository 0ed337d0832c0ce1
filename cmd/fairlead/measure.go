package main

import (
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
)

func newMeasure() *cobra.Command {
	cmd := &cobra.Command{
		Use: "measure", Short: "Push measurements for virtual servers whose method is api", Args: cobra.NoArgs,
		Long: `Measure says how good services are for the clients of a prefix: the least number wins. Of several prefixes that hold a client the
longest counts. Measurements are told to the one node that is asked: push them to each site.`,
		RunE: showHelp,
	}
	cmd.AddCommand(newMeasureSet(), newMeasureList(), newMeasureDrop())
	return cmd
}

func newMeasureSet() *cobra.Command {
	var f apiFlags
	var lasting string
	cmd := &cobra.Command{
		Use: "set PREFIX SERVICE=VALUE...", Short: "Replace the measurements of a prefix", Args: cobra.MinimumNArgs(2),
		Example: "  fairlead measure set 203.0.113.0/24 web-ams=12.5 web-nyc=80 --for 10m",
		RunE: func(cmd *cobra.Command, args []string) error {
			prefix, err := measuredPrefix(args[0])
			if err != nil {
				return err
			}
			report := resource.MeasurementReport{For: lasting}
			for _, arg := range args[1:] {
				service, text, ok := strings.Cut(arg, "=")
				value, err := strconv.ParseFloat(text, 64)
				if !ok || service == "" || err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
					return usagef("%q is not SERVICE=NUMBER", arg)
				}
				report.Values = append(report.Values, resource.ReportedValue{Service: service, Value: value})
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			m, err := c.Measure(cmd.Context(), prefix, report)
			if err != nil {
				return apiError(err)
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), m)
			}
			return printMeasurements(cmd.OutOrStdout(), []resource.Measurement{*m})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&lasting, "for", "5m", "how long it counts")
	return cmd
}

func measuredPrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return p, usagef("%q is not a prefix such as 203.0.113.0/24", text)
	case p != p.Masked():
		return p, usagef("%s has bits beyond its length: the prefix is %s", p, p.Masked())
	}
	return p, nil
}

func newMeasureList() *cobra.Command {
	var f apiFlags
	var filter client.MeasurementFilter
	cmd := &cobra.Command{
		Use: "list", Short: "Show what was pushed", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if filter.Client != "" {
				if _, err := parseAddress("--client ", filter.Client); err != nil {
					return err
				}
			}
			if err := checkLimit(filter.Most); err != nil {
				return err
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			list, err := c.Measurements(cmd.Context(), filter)
			if err != nil {
				return apiError(err)
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), list)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "prefixes with measurements: %d of at most %d\n", list.Prefixes, list.Max)
			if err := printMeasurements(cmd.OutOrStdout(), list.Measurements); err != nil || list.NextCursor == "" {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "and more; --limit 0 lists all")
			return err
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&filter.Client, "client", "", "only what counts for this client, an address")
	cmd.Flags().IntVar(&filter.Most, "limit", shownEntries, "most prefixes; 0: all")
	return cmd
}

func newMeasureDrop() *cobra.Command {
	var f apiFlags
	cmd := &cobra.Command{
		Use: "drop PREFIX", Short: "Forget the measurements of a prefix", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			prefix, err := measuredPrefix(args[0])
			if err != nil {
				return err
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			return apiError(c.Unmeasure(cmd.Context(), prefix))
		},
	}
	f.add(cmd)
	return cmd
}

func printMeasurements(w io.Writer, list []resource.Measurement) error {
	if len(list) == 0 {
		return nil
	}
	rows := [][]string{{"PREFIX", "SERVICE", "VALUE", "ENDS IN"}}
	for i := range list {
		for j, v := range list[i].Values {
			prefix := list[i].Prefix.String()
			if j > 0 {
				prefix = ""
			}
			rows = append(rows, []string{prefix, orDash(v.Service), strconv.FormatFloat(v.Value, 'g', -1, 64), duration(v.EndsInSeconds)})
		}
	}
	return table(w, "", rows...)
}
