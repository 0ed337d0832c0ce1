package main

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
)

func newExplain() *cobra.Command {
	var f apiFlags
	var q client.Question
	cmd := &cobra.Command{
		Use:   "explain NAME",
		Short: "Show what a client would be answered now, and why",
		Long: `Explain decides as the server would for a query of this moment and prints every step. It leaves no mark: no turn is
taken and nothing is learned. The words after each step are stable (docs/decision.md).`,
		Example: `  fairlead explain www.gslb.example.com --client 203.0.113.7
  fairlead explain www.gslb.example.com --subnet 198.51.100.0/24 --type AAAA -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Name = args[0]
			if _, err := netip.ParseAddr(q.Client); err != nil {
				return usagef("--client %q is not an IP address", q.Client)
			}
			if q.Subnet != "" {
				subnet, err := parseSubnet(q.Subnet)
				if err != nil {
					return err
				}
				q.Subnet = subnet.String()
			}
			return runExplain(cmd, f, q)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&q.Type, "type", "t", "A", "record type")
	cmd.Flags().StringVar(&q.Client, "client", "127.0.0.1", "address that the query comes from: the resolver's")
	cmd.Flags().StringVar(&q.Subnet, "subnet", "", "client subnet that the query carries (EDNS Client Subnet)")
	return cmd
}

func runExplain(cmd *cobra.Command, f apiFlags, q client.Question) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	e, err := c.Explain(cmd.Context(), q)
	if err != nil {
		return apiError(err)
	}
	if f.output == "json" {
		return printJSON(cmd.OutOrStdout(), e)
	}
	return printExplanation(cmd.OutOrStdout(), e)
}

func printExplanation(w io.Writer, e *resource.Explanation) error {
	asked := fmt.Sprintf("%s %s, asked by %s", e.Question.Name, e.Question.Type, e.Question.Client)
	if e.Question.Subnet.IsValid() {
		asked += fmt.Sprintf(" for client subnet %s", e.Question.Subnet)
	}
	fmt.Fprintln(w, printable(asked))
	fmt.Fprintln(w, printable(resultText(e)))
	for _, section := range [][]string{e.Answer, e.Authority, e.Additional} {
		for _, record := range section {
			fmt.Fprintln(w, "  "+printable(strings.ReplaceAll(record, "\t", " ")))
		}
	}
	fmt.Fprintln(w)
	for i := range e.Trace.Entries {
		if err := printEntry(w, i+1, &e.Trace.Entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// resultText is the answer in one line.
func resultText(e *resource.Explanation) string {
	parts := []string{e.Rcode}
	if e.TTL != nil {
		parts = append(parts, fmt.Sprintf("TTL %d s", *e.TTL))
	}
	if e.Question.Subnet.IsValid() {
		parts = append(parts, fmt.Sprintf("scope /%d", e.Scope))
	}
	if e.EDE != nil {
		parts = append(parts, strings.TrimRight(fmt.Sprintf("EDE %d %s: %s", e.EDE.Code, e.EDE.Name, e.EDE.Text), ": "))
	}
	return fmt.Sprintf("%s (snapshot %d, document %.8s)", strings.Join(parts, ", "), e.Snapshot, e.Document)
}

func printEntry(w io.Writer, n int, e *resource.Step) error {
	line := fmt.Sprintf("%d. %-15s %s", n, e.Step, e.Reason)
	if e.VirtualServer != "" {
		line += fmt.Sprintf(" [%s]", e.VirtualServer)
	}
	if e.Before > 0 {
		line += fmt.Sprintf(" %d -> %d", e.Before, e.After)
	}
	if e.Detail != "" {
		line += ": " + e.Detail
	}
	fmt.Fprintln(w, printable(line))
	var rows [][]string
	for i := range e.Candidates {
		rows = append(rows, candidateRow(&e.Candidates[i]))
	}
	return table(w, "     ", rows...)
}

func candidateRow(c *resource.Candidate) []string {
	mark := "-"
	if c.Kept {
		mark = "+"
	}
	row := []string{mark, c.Service, c.Site, string(c.Reason)}
	metric := ""
	if c.Metric != "" {
		metric = strings.TrimSpace(fmt.Sprintf("%s %.4g %s", c.Metric, c.Value, c.Unit))
	}
	row = append(row, metric, c.Detail)
	evidence := c.Source
	if c.AgeSeconds >= 0 && evidence != "" {
		evidence += ", " + duration(c.AgeSeconds) + " old"
	}
	return append(row, evidence)
}
