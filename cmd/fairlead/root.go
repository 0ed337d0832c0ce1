package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Exit codes, the same for all commands.
const (
	exitDone        = 0
	exitFailed      = 1 // the operation failed, or what was checked is invalid
	exitUsage       = 2 // wrong arguments, also those that only the node can judge; a file that cannot be read
	exitNotFound    = 3 // the node has nothing of this name
	exitConflict    = 4 // somebody else was first
	exitNotAllowed  = 5 // the node does not know who asks, or does not let them
	exitUnreachable = 6 // no node, DNS server or other site answers
)

// exitError is an error with its exit code. An exitError without an error has been reported already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func exit(code int, err error) error { return &exitError{code: code, err: err} }

func usagef(format string, args ...any) error { return exit(exitUsage, fmt.Errorf(format, args...)) }

// run is the whole command but for the process around it: data goes to stdout, messages to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var coded *exitError
	if !errors.As(err, &coded) {
		coded = &exitError{code: exitUsage, err: err} // cobra's own errors are about flags and arguments
	}
	if coded.err != nil {
		fmt.Fprintf(stderr, "fairlead: %v\n", coded.err)
	}
	return coded.code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "fairlead",
		Short: "Global server load balancing: DNS that answers each client with the best site",
		Long: `Fairlead is an authoritative DNS server that steers clients between sites. Sites tell each other state and load
over the Metric Exchange Protocol, and every answer can be explained.

Exit codes: 0 done; 1 failed or invalid; 2 usage, or a file that cannot be read; 3 not found; 4 conflict; 5 not allowed; 6 unreachable.`,
		SilenceErrors: true, SilenceUsage: true,
		Version: version(),
	}
	root.AddCommand(newDemo(), newServe(), newCheck(), newSchema(), newQuery(), newExplain(), newLocate(), newWhatIf(), newReplay(), newStatus(), newPKI(), newBench(), newVersion())
	root.AddCommand(newDisable(), newEnable(), newDrain(), newClear(), newRelease())
	root.AddCommand(newBackup(), newRestore())
	root.AddCommand(newToken(), newAudit(), newDoctor())
	root.AddCommand(newSessions(), newLDNS(), newMeasure(), newMonitor(), newLoad())
	root.AddCommand(newConvert())
	root.AddCommand(newGet(), newApply(), newDiff(), newEdit(), newDelete(), newPatch(), newHistory(), newShow(), newRollback(), newConfirm(), newSync(), newEvents())
	return root
}

// showHelp is the run of a command that only has others: without it, cobra takes any word after it for no error.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "fairlead %s\n", version())
			return err
		},
	}
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v + " " + info.GoVersion
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12] + " " + info.GoVersion
		}
	}
	return "devel " + info.GoVersion
}

// colorful reports whether w is a terminal that wants colours.
func colorful(w io.Writer) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	return isTerminal(w)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // it is a character device, too
	return err != nil || !os.SameFile(info, null)
}
