package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"fairlead/config"
)

func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Check GSLB documents and node files",
		Long: `Check reads GSLB documents and node files as the server does and prints every problem at once, each with its place
and a code (docs/errors.md). A node file is checked with its document and the other files it names.

Exit codes: 0 no errors (there may be warnings); 1 errors; 2 a file cannot be read.`,
		Example: "  fairlead check node-ams.yaml two-sites.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE:    runCheck,
	}
}

func runCheck(cmd *cobra.Command, files []string) error {
	out := cmd.OutOrStdout()
	invalid := false
	var unreadable []error
	for _, file := range files {
		report, err := config.CheckFile(file)
		if err != nil {
			unreadable = append(unreadable, err)
			continue
		}
		if err := report.Render(out, colorful(out)); err != nil {
			return exit(exitFailed, err)
		}
		if report.Errors() > 0 {
			invalid = true
		} else if report.Warnings() == 0 {
			fmt.Fprintf(out, "%s: ok\n", file)
		}
	}
	switch {
	case unreadable != nil:
		return exit(exitUsage, errors.Join(unreadable...))
	case invalid:
		return exit(exitFailed, nil)
	}
	return nil
}
