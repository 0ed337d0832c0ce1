package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/internal/node"
)

// onceFlags are the flags of commands that run something once, at a node or without one.
type onceFlags struct {
	apiFlags
	document, node string
}

func (f *onceFlags) add(cmd *cobra.Command) {
	f.apiFlags.add(cmd)
	cmd.Flags().StringVar(&f.document, "document", "", "a GSLB document: no node is asked, and it is run here")
	cmd.Flags().StringVar(&f.node, "node", "", "with --document, a node file: what may be reached, and where secrets are (default: the default of every key)")
}

// workbench is where a document is tried without a node; nil when a node is to be asked.
func (f *onceFlags) workbench(cmd *cobra.Command) (*node.Workbench, error) {
	if f.document == "" {
		if f.node != "" {
			return nil, usagef("--node goes with --document; a running node has its own")
		}
		return nil, nil
	}
	if f.address != "" {
		return nil, usagef("--api asks a node, --document asks none: give one of them")
	}
	source, err := config.ReadSource(f.document)
	if err != nil {
		return nil, exit(exitUsage, err)
	}
	document, problems := config.Parse(source)
	if problems.Errors() > 0 {
		return nil, refused(cmd, problems)
	}
	if f.node == "" {
		return node.NewWorkbench(nil, document), nil
	}
	c, problems, err := config.LoadNode(f.node)
	if err != nil {
		return nil, exit(exitUsage, err)
	}
	if c == nil {
		return nil, refused(cmd, problems)
	}
	return node.NewWorkbench(c, document), nil
}

func newMonitorTest() *cobra.Command {
	var f onceFlags
	var q resource.MonitorQuestion
	cmd := &cobra.Command{
		Use: "test NAME", Short: "Run a monitor once, and show what it sees", Args: cobra.ExactArgs(1),
		Long: `Test has the node run a monitor once, with the node's own addresses, secrets and permissions, against each address of the services that bind
it. No verdict follows. It shows what was done when, and what the monitor makes of it. With --document it is run here, without a node, with
the rights of this user.

Exit codes: 0 all runs pass; 1 some do not; 2 usage; 3 there is no such monitor; 6 no node answers.`,
		Example: `  fairlead monitor test web-ok
  fairlead monitor test web-ok --service web-ams
  fairlead monitor test web-ok --target 192.0.2.80:8080
  fairlead monitor test web-ok --document gslb.yaml --node /etc/fairlead/node.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := f.workbench(cmd)
			if err != nil {
				return err
			}
			got, err := f.testMonitor(cmd.Context(), w, args[0], q)
			if err != nil {
				return err
			}
			if f.output == "json" {
				err = printJSON(cmd.OutOrStdout(), got)
			} else {
				err = printMonitorTest(cmd.OutOrStdout(), got)
			}
			if err == nil && !got.Passes {
				return exit(exitFailed, nil)
			}
			return err
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&q.Service, "service", "", "only this service's addresses, whether it binds the monitor or not")
	cmd.Flags().StringVar(&q.Target, "target", "", "probe HOST or HOST:PORT instead")
	return cmd
}

func (f *onceFlags) testMonitor(ctx context.Context, w *node.Workbench, name string, q resource.MonitorQuestion) (*resource.MonitorTest, error) {
	if w != nil {
		got, err := w.Monitor(ctx, name, q)
		return got, onceError(err)
	}
	c, err := f.client()
	if err != nil {
		return nil, err
	}
	got, err := c.TestMonitor(ctx, name, q)
	return got, apiError(err)
}

// onceError gives an error of a workbench its exit code.
func onceError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, node.ErrNotFound):
		return exit(exitNotFound, err)
	}
	return exit(exitUsage, err)
}

func printMonitorTest(w io.Writer, t *resource.MonitorTest) error {
	for i := range t.Runs {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := printRun(w, &t.Runs[i], ""); err != nil {
			return err
		}
	}
	if t.LeftOut > 0 {
		fmt.Fprintf(w, "\n%d more addresses were left out; --service chooses\n", t.LeftOut)
	}
	if len(t.Runs) < 2 {
		return nil
	}
	passed := 0
	for i := range t.Runs {
		if t.Runs[i].State == "UP" {
			passed++
		}
	}
	_, err := fmt.Fprintf(w, "\n%d of %d pass\n", passed, len(t.Runs))
	return err
}

// printRun prints what was done, line by line, and what follows.
func printRun(w io.Writer, r *resource.MonitorRun, indent string) error {
	fmt.Fprintln(w, indent+printable(runTitle(r)))
	var rows [][]string
	for _, s := range r.Steps {
		rows = append(rows, []string{duration(s.AtSeconds), s.Name, s.Note})
	}
	if err := aligned(w, indent+"  ", rows...); err != nil {
		return err
	}
	for i := range r.Parts {
		if err := printRun(w, &r.Parts[i], indent+"  "); err != nil {
			return err
		}
	}
	state := r.State
	if r.Draining {
		state += ", draining"
	}
	line := fmt.Sprintf("%s: %s%s", state, r.Reason, valuesText(r.Values))
	if r.TookSeconds > 0 {
		line += fmt.Sprintf(" (took %s)", duration(r.TookSeconds))
	}
	_, err := fmt.Fprintln(w, indent+printable(line))
	if r.Held != nil {
		_, err = fmt.Fprintln(w, indent+printable(heldText(r.Held)))
	}
	return err
}

// runTitle says what was run against what.
func runTitle(r *resource.MonitorRun) string {
	title := r.Monitor
	if r.Part != "" {
		title = r.Part
	}
	if r.Type != "" {
		title += " (" + r.Type + ")"
	}
	if r.Service != "" && !strings.HasSuffix(r.Part, " of "+r.Service) {
		title += " of " + r.Service
	}
	if r.Address.IsValid() && r.Type != string(config.MonitorPassive) {
		title += " at " + hostPort(r.Address.String(), r.Port)
	}
	return title
}

// heldText says what the node holds of the same, which is made of more than one run.
func heldText(v *resource.MonitorVerdict) string {
	if v.AgeSeconds == nil {
		return "the node holds nothing yet: it has had no result"
	}
	text := fmt.Sprintf("the node holds it %s for %s, %s in a row", v.State, ago(v.SinceAgeSeconds), inARow(v))
	if v.Draining {
		text += ", draining"
	}
	return text
}
