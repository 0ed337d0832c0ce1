package main

import (
	"github.com/spf13/cobra"

	"fairlead/api/resource"
)

func newDiff() *cobra.Command {
	var f writeFlags
	var file string
	cmd := &cobra.Command{
		Use: "diff {-f FILE | KIND/NAME -f FILE | REVISION [REVISION]}", Short: "Show how the document differs from a file or a revision, or two revisions",
		Long: `Diff shows what fairlead apply would change, with its effect, or how the documents of two revisions differ; of one revision, what
became of it until now.

Exit codes: 0 no difference; 1 differences, or the file is invalid.`,
		Example: "  fairlead diff -f gslb.yaml\n  fairlead diff 4f2a 77c0\n  fairlead diff service/web-ams -f web-ams.yaml",
		Args:    cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" && len(args) == 0 {
				return usagef("name a file with -f, or revisions")
			}
			if file != "" && len(args) > 1 {
				return usagef("name either a file or revisions")
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			defer c.Close()
			if file == "" {
				to := "current"
				if len(args) == 2 {
					to = args[1]
				}
				d, err := c.API().DiffRevisions(cmd.Context(), args[0], to)
				if err != nil {
					return apiError(err)
				}
				return f.showRevisionDiff(cmd, d)
			}
			w, err := applying(cmd, c.API(), args, file)
			if err != nil {
				return err
			}
			f.dryRun, f.force = true, true // it is only looked at: what would be lost is shown as well
			result, err := f.waiting(cmd, f.params(), w)
			if err != nil {
				return writeError(cmd, err, w.sent)
			}
			return f.showDiff(cmd, result)
		},
		ValidArgsFunction: completeRevision,
	}
	f.apiFlags.add(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "file to compare with; - for standard input")
	return cmd
}

func (f *writeFlags) showDiff(cmd *cobra.Command, result *resource.WriteResult) error {
	out := cmd.OutOrStdout()
	if f.output == "json" {
		if err := printJSON(out, result); err != nil {
			return err
		}
	} else if len(result.Changes) > 0 {
		if err := printPlan(out, result, colorful(out)); err != nil {
			return err
		}
	}
	if len(result.Changes) > 0 {
		return exit(exitFailed, nil)
	}
	return nil
}

func (f *writeFlags) showRevisionDiff(cmd *cobra.Command, d *resource.RevisionDiff) error {
	out := cmd.OutOrStdout()
	if f.output == "json" {
		if err := printJSON(out, d); err != nil {
			return err
		}
	} else if len(d.Changes) > 0 {
		if err := printChanges(out, d.Changes, d.MoreChanges, colorful(out)); err != nil {
			return err
		}
	}
	if len(d.Changes) > 0 {
		return exit(exitFailed, nil)
	}
	return nil
}
