package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
)

func newExplain() *cobra.Command {
	var f apiFlags
	var q client.Question
	var verbose bool
	cmd := &cobra.Command{
		Use:   "explain NAME",
		Short: "Show what a client would be answered now, why, and what would change it",
		Long: `Explain decides as the server would for a query of this moment: the answer, the reasons, and what would
have to be different for others to be answered. It leaves no mark: no turn is taken and nothing is
learned. --verbose prints every step; the words after each one are stable (docs/explain.md).`,
		Example: `  fairlead explain www.gslb.example.com --client 203.0.113.7
  fairlead explain www.gslb.example.com --subnet 198.51.100.0/24 --type AAAA -o json
  fairlead explain www.gslb.example.com --client 203.0.113.7 --at-site all`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Name = args[0]
			if err := checkQuestion(&q); err != nil {
				return err
			}
			return runExplain(cmd, f, q, verbose)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&q.Type, "type", "t", "A", "record type")
	cmd.Flags().StringVar(&q.Client, "client", "127.0.0.1", "address that the query comes from: the resolver's")
	cmd.Flags().StringVar(&q.Subnet, "subnet", "", "client subnet that the query carries (EDNS Client Subnet)")
	cmd.Flags().StringVar(&q.Listener, "listener", "", "address of the server that is asked, for views and policies that look at it")
	cmd.Flags().StringVar(&q.AtSite, "at-site", "", "site whose node is to say what it would answer, or all to compare them")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "print every step")
	return cmd
}

func checkQuestion(q *client.Question) error {
	for _, flag := range []struct{ name, value string }{{"client", q.Client}, {"listener", q.Listener}} {
		if flag.value == "" {
			continue
		}
		if _, err := parseAddress("--"+flag.name+" ", flag.value); err != nil {
			return err
		}
	}
	if q.Subnet != "" {
		subnet, err := parseSubnet(q.Subnet)
		if err != nil {
			return err
		}
		q.Subnet = subnet.String()
	}
	return nil
}

func runExplain(cmd *cobra.Command, f apiFlags, q client.Question, verbose bool) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	if q.AtSite == allSites {
		return explainEverywhere(cmd, c, f, q)
	}
	e, err := c.Explain(cmd.Context(), q)
	if err != nil {
		return apiError(err)
	}
	if f.output == "json" {
		return printJSON(cmd.OutOrStdout(), e)
	}
	return printExplanation(cmd.OutOrStdout(), e, verbose)
}

func printExplanation(w io.Writer, e *resource.Explanation, verbose bool) error {
	asked := fmt.Sprintf("%s %s, asked by %s", e.Question.Name, e.Question.Type, e.Question.Client)
	if e.Question.Subnet.IsValid() {
		asked += fmt.Sprintf(" for client subnet %s", e.Question.Subnet)
	}
	if e.Question.Listener.IsValid() {
		asked += fmt.Sprintf(" at %s", e.Question.Listener)
	}
	fmt.Fprintln(w, printable(asked))
	fmt.Fprintln(w, printable(resultText(e)))
	for _, section := range [][]string{e.Answer, e.Authority, e.Additional} {
		for _, record := range section {
			fmt.Fprintln(w, "  "+printable(strings.ReplaceAll(record, "\t", " ")))
		}
	}
	if e.Alarm != "" {
		fmt.Fprintln(w, "\n"+printable("ALARM: "+e.Alarm))
	}
	if verbose {
		fmt.Fprintln(w)
		for i := range e.Trace.Entries {
			if err := printEntry(w, i+1, &e.Trace.Entries[i]); err != nil {
				return err
			}
		}
	} else if err := printBecause(w, e); err != nil {
		return err
	}
	if err := printCounterfactuals(w, e); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", printable(fmt.Sprintf("site %s, snapshot %d, document %.8s, belief %s old", e.Site, e.Snapshot, e.Document, duration(e.StatusAgeSeconds))))
	return err
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
	return strings.Join(parts, ", ")
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
