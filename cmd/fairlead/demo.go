package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/internal/demo"
)

func newDemo() *cobra.Command {
	var selfTest, story, quiet bool
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run two complete sites on this machine, with simulated back-ends",
		Long: `Demo runs two sites in one process through the real code: DNS, the exchange over TLS, monitors and HTTP back-ends, all on
loopback addresses. It needs no root and no network, and leaves nothing behind.`,
		Example: "  fairlead demo\n  fairlead demo --self-test\n  fairlead demo --write ./my-sites",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch out := cmd.OutOrStdout(); {
			case selfTest && dir != "":
				return usagef("--self-test and --write do not go together")
			case selfTest:
				return runSelfTest(cmd)
			case dir != "":
				return runWrite(cmd, dir)
			default:
				o := demo.Options{Out: out, Command: calledAs(os.Args[0]), Color: colorful(out), Story: !quiet && (story || isTerminal(out))}
				if err := demo.Run(cmd.Context(), o); err != nil {
					return exit(exitFailed, err)
				}
				return nil
			}
		},
	}
	cmd.Flags().BoolVar(&selfTest, "self-test", false, "play the story at once, check every answer, and exit")
	cmd.Flags().BoolVar(&story, "story", false, "play the story although the output is not a terminal")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "no story")
	cmd.Flags().StringVar(&dir, "write", "", "write files, keys and a systemd unit for two real sites to this directory")
	return cmd
}

func runSelfTest(cmd *cobra.Command) error {
	_, failed := demo.SelfTest(cmd.Context(), demo.Options{Out: cmd.OutOrStdout()})
	if failed > 0 {
		return exit(exitFailed, nil)
	}
	return nil
}

func runWrite(cmd *cobra.Command, dir string) error {
	files, err := demo.Write(dir)
	for _, f := range files {
		fmt.Fprintln(cmd.OutOrStdout(), f)
	}
	if err != nil {
		return exit(exitFailed, err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "next: %s says what to change and where each file goes\n", filepath.Join(dir, "README.md"))
	return nil
}

// calledAs is the command that was typed; empty for what "go run" has built, which is gone when it ends.
func calledAs(program string) string {
	if strings.Contains(filepath.ToSlash(program), "/go-build") {
		return ""
	}
	return program
}
