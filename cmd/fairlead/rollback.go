package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
)

func newRollback() *cobra.Command {
	var f writeFlags
	cmd := &cobra.Command{
		Use: "rollback REVISION", Short: "Go back to the document as it was after a revision", Args: cobra.ExactArgs(1),
		Long: `Rollback writes the document of an earlier revision as a new one; the history keeps both. It is a write as any other: its effect is
shown, and --confirm undoes it by itself. One object alone is brought back by fairlead restore --object.`,
		Example: "  fairlead rollback 4f2a --reason \"the new pool is slow\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.rollback(cmd, args[0], nil)
		},
		ValidArgsFunction: completeRevision,
	}
	f.add(cmd)
	return cmd
}

// rollback brings the document of a revision back, or only some of its objects.
func (f *writeFlags) rollback(cmd *cobra.Command, revision string, objects []string) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	defer c.Close()
	return f.write(cmd, change{send: func(ctx context.Context, p client.WriteParams) (*resource.WriteResult, error) {
		return c.API().RollbackRevision(ctx, revision, client.RollbackRevisionParams{DryRun: p.DryRun, Force: p.Force, Confirm: p.Confirm, Reason: p.Reason,
			FairleadSource: p.FairleadSource, FairleadAuthor: p.FairleadAuthor, Object: objects})
	}})
}

func newConfirm() *cobra.Command {
	var f apiFlags
	cmd := &cobra.Command{
		Use: "confirm REVISION", Short: "Keep what was written with --confirm", Args: cobra.ExactArgs(1),
		Long: `Confirm keeps a write that is else undone when its time is over. A revision is named by at least 4 of its first digits, or "current".
There is nothing to keep when it was undone already, or was not written with --confirm (exit 4).`,
		Example: "  fairlead apply -f gslb.yaml --confirm 5m\n  fairlead confirm current",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			defer c.Close()
			r, err := c.API().ConfirmRevision(cmd.Context(), args[0])
			if err != nil {
				return apiError(err)
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), r)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "revision %s stays\n", shortRevision(r.ID))
			return err
		},
		ValidArgsFunction: completeRevision,
	}
	f.add(cmd)
	return cmd
}
