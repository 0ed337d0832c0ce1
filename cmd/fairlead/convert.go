package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"fairlead/internal/convert"
	"fairlead/internal/wholefile"
)

// exitLeft is the exit code of a conversion that left something out, or changed it. The document was written.
const exitLeft = 3

// converting is where the document of a conversion goes and what is said about it.
type converting struct {
	output  string
	force   bool
	verbose bool
}

func newConvert() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "convert",
		Short: "Make a GSLB document of another product's configuration",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(newConvertNetScaler(), newConvertBINDZone())
	return cmd
}

func (c *converting) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&c.output, "output", "o", "", "file to write the document to, instead of standard output")
	cmd.Flags().BoolVar(&c.force, "force", false, "write over the output file if it is there")
	cmd.Flags().BoolVar(&c.verbose, "verbose", false, "show notes, and count lines that are about something else")
}

func newConvertNetScaler() *cobra.Command {
	var c converting
	cmd := &cobra.Command{
		Use:   "netscaler FILE",
		Short: "Convert a NetScaler's ns.conf, or what show ns runningConfig prints",
		Long: `Netscaler reads sites, services, service groups, virtual servers and their bindings, monitors, locations, policies and DNS
records of a NetScaler and writes a GSLB document that does the same. What could not be converted, or not as it is, is listed with its
line and the reason, and stands as a comment in the document. Secrets are never copied. FILE is - for standard input.

Exit codes: 0 everything was converted; 3 the document was written and something is listed; 1 nothing could be converted; 2 a file cannot
be read or is there already.`,
		Example: "  fairlead convert netscaler ns.conf -o gslb.yaml\n  fairlead check gslb.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readWhole(cmd.InOrStdin(), args[0])
			if err != nil {
				return exit(exitUsage, err)
			}
			result, err := convert.NetScaler(convert.NetScalerOptions{Name: args[0], Text: text})
			if err != nil {
				return exit(exitFailed, err)
			}
			return c.finish(cmd, result)
		},
	}
	c.flags(cmd)
	return cmd
}

// readWhole reads a file, or standard input for "-".
func readWhole(stdin io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return readBounded(stdin, name)
	}
	return readConverted(name)
}

// readConverted reads a file that is to be converted.
func readConverted(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f, name)
}

func readBounded(in io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, convert.MaxFileBytes+1))
	if err == nil && len(text) > convert.MaxFileBytes {
		err = fmt.Errorf("read %q: it has more than %d bytes", name, convert.MaxFileBytes)
	}
	return text, err
}

// finish writes the document and lists what is to be said about it.
func (c *converting) finish(cmd *cobra.Command, r *convert.Result) error {
	if err := c.write(cmd.OutOrStdout(), r.Document); err != nil {
		return err
	}
	c.list(cmd.ErrOrStderr(), r)
	if !r.Complete() {
		return exit(exitLeft, nil)
	}
	return nil
}

func (c *converting) write(stdout io.Writer, text []byte) error {
	if c.output == "" {
		if _, err := stdout.Write(text); err != nil {
			return exit(exitFailed, err)
		}
		return nil
	}
	const readable = 0o644 // it has no secrets
	if !c.force {
		// Whoever makes a file of this name meanwhile keeps it.
		f, err := os.OpenFile(c.output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, readable)
		if errors.Is(err, fs.ErrExist) {
			return usagef("%s is there already: --force writes over it", c.output)
		}
		if err != nil {
			return exit(exitUsage, err)
		}
		_ = f.Close() // nothing was written
	}
	err := wholefile.Write(c.output, readable, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return exit(exitFailed, fmt.Errorf("write document: %w", err))
	}
	return nil
}

// list prints findings, and a summary last.
func (c *converting) list(w io.Writer, r *convert.Result) {
	counts := map[convert.Kind]int{}
	for _, f := range r.Findings {
		counts[f.Kind]++
		if f.Kind != convert.Note || c.verbose {
			fmt.Fprintln(w, f)
		}
	}
	if r.More > 0 {
		fmt.Fprintf(w, "and %d more\n", r.More)
	}
	passed := 0
	for _, kind := range slices.Sorted(maps.Keys(r.Passed)) {
		passed += r.Passed[kind]
		if c.verbose {
			fmt.Fprintf(w, "passed over: %s: %d\n", kind, r.Passed[kind])
		}
	}
	fmt.Fprint(w, "converted:")
	for _, kind := range slices.Sorted(maps.Keys(r.Objects)) {
		fmt.Fprintf(w, " %s %d,", kind, r.Objects[kind])
	}
	fmt.Fprintf(w, " left out %d, changed %d, problems %d, notes %d, lines about something else %d\n", counts[convert.Left], counts[convert.Changed],
		counts[convert.Problem], counts[convert.Note], passed)
}
