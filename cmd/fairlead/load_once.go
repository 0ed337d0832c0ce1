package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fairlead/api/resource"
	"fairlead/internal/node"
)

func newLoad() *cobra.Command {
	cmd := &cobra.Command{Use: "load", Short: "Read a load source once", Args: cobra.NoArgs, RunE: showHelp}
	cmd.AddCommand(newLoadTest())
	return cmd
}

func newLoadTest() *cobra.Command {
	var f onceFlags
	cmd := &cobra.Command{
		Use: "test SERVICE", Short: "Read the load source of a service once, and show what it tells", Args: cobra.ExactArgs(1),
		Long: `Test has the node read the load source of a service once. No load is reported. Totals are shown as they are: two reads make a rate of them. With
--document it is read here, without a node, with the rights of this user.

Exit codes: 0 read; 1 not read; 2 usage; 3 no such service, or it has no load source; 6 no node answers.`,
		Example: "  fairlead load test web-ams\n  fairlead load test web-ams --document gslb.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := f.workbench(cmd)
			if err != nil {
				return err
			}
			got, err := f.testLoad(cmd.Context(), w, args[0])
			if err != nil {
				return err
			}
			if f.output == "json" {
				err = printJSON(cmd.OutOrStdout(), got)
			} else {
				err = printLoadTest(cmd.OutOrStdout(), got)
			}
			if err == nil && !got.OK {
				return exit(exitFailed, nil)
			}
			return err
		},
	}
	f.add(cmd)
	return cmd
}

func (f *onceFlags) testLoad(ctx context.Context, w *node.Workbench, service string) (*resource.LoadTest, error) {
	if w != nil {
		got, err := w.Load(ctx, service)
		return got, onceError(err)
	}
	c, err := f.client()
	if err != nil {
		return nil, err
	}
	got, err := c.TestLoad(ctx, service)
	return got, apiError(err)
}

func printLoadTest(w io.Writer, t *resource.LoadTest) error {
	fmt.Fprintln(w, printable(fmt.Sprintf("load of %s from %s", t.Service, t.Source)))
	var rows [][]string
	for _, s := range t.Steps {
		rows = append(rows, []string{duration(s.AtSeconds), s.Name, s.Note})
	}
	if err := aligned(w, "  ", rows...); err != nil {
		return err
	}
	if !t.OK {
		_, err := fmt.Fprintln(w, printable("not read: "+t.Failure))
		return err
	}
	rows = nil
	for _, m := range t.Metrics {
		note := ""
		if m.Total {
			note = "so far; its rate counts"
		}
		rows = append(rows, []string{m.Name, amount(m.Value), m.Unit, note})
	}
	if err := aligned(w, "  ", rows...); err != nil {
		return err
	}
	if t.Lacks != "" {
		fmt.Fprintln(w, printable("not there: "+t.Lacks))
	}
	_, err := fmt.Fprintf(w, "read in %s\n", duration(t.TookSeconds))
	return err
}
