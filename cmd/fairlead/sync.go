package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
)

func newSync() *cobra.Command {
	cmd := &cobra.Command{
		Use: "sync", Short: "How the document is shared with other sites, and what they changed at once", Args: cobra.NoArgs, RunE: showHelp,
	}
	cmd.AddCommand(newSyncStatus(), newSyncConflicts(), newSyncResolve())
	return cmd
}

func newSyncStatus() *cobra.Command {
	var f apiFlags
	cmd := &cobra.Command{
		Use: "status", Short: "Show how the document stands with other sites", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			defer c.Close()
			s, err := c.API().GetSync(cmd.Context())
			if err != nil {
				return apiError(err)
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), s)
			}
			return printSync(cmd.OutOrStdout(), s, time.Now())
		},
	}
	f.add(cmd)
	return cmd
}

func printSync(w io.Writer, s *resource.Sync, now time.Time) error {
	mode := s.Mode
	if s.Follows != "" {
		mode += " " + s.Follows
	}
	fmt.Fprintf(w, "revision %s, document %s, %s\n", shortRevision(s.Revision), shortRevision(s.Document), printable(mode))
	for _, alarm := range []string{s.NotServed, s.Unavailable, s.Damaged} {
		if alarm != "" {
			fmt.Fprintf(w, "ALARM: %s\n", printable(alarm))
		}
	}
	if !s.Gathering.IsZero() {
		fmt.Fprintf(w, "not served yet: its new groups are being resolved, for %v; the document before is served meanwhile\n", max(0, now.Sub(s.Gathering)).Round(100*time.Millisecond))
	}
	if s.Conflicts > 0 {
		fmt.Fprintf(w, "%s: fairlead sync conflicts\n", countOf(s.Conflicts, "conflict"))
	}
	for _, q := range s.Quarantine {
		fmt.Fprintf(w, "not taken: revision %s of %s, from %s: %s\n", shortRevision(q.Revision.ID), printable(q.Revision.Author), printable(q.From), printable(q.Why))
	}
	for _, f := range s.Inert {
		fmt.Fprintf(w, "without effect: %s: %s [%s]\n", printable(placeOf(f.Pointer)), printable(f.Detail), printable(f.Code))
	}
	if len(s.Peers) == 0 {
		_, err := fmt.Fprintln(w, "no other site")
		return err
	}
	rows := [][]string{{"SITE", "SESSION", "DOCUMENT", "AHEAD", "BEHIND", "MODE", "RELEASE", "HEARD", "WHY"}}
	for _, p := range s.Peers {
		session, document, heard := "down", "another", "-"
		if p.Connected {
			session = "up"
		}
		if p.Same {
			document = "the same"
		}
		if !p.Heard.IsZero() {
			heard = since(now, p.Heard) + " ago"
		}
		rows = append(rows, []string{p.Site, session, document, fmt.Sprint(p.Ahead), fmt.Sprint(p.Behind), orDash(p.Mode), orDash(p.Version), heard, p.LastError})
	}
	return table(w, "", rows...)
}

func newSyncConflicts() *cobra.Command {
	var f apiFlags
	cmd := &cobra.Command{
		Use: "conflicts", Short: "List objects that were changed at several sites at once", Args: cobra.NoArgs,
		Long: `Conflicts lists objects that several sites changed while they were cut from each other. What the last of them wrote counts, at all sites;
the others are kept until somebody settles it with fairlead sync resolve. The difference of a side is what keeping it would change.

Exit codes: 0 there are none; 1 there are some.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			defer c.Close()
			list, err := c.API().ListConflicts(cmd.Context())
			if err != nil {
				return apiError(err)
			}
			out := cmd.OutOrStdout()
			if f.output == "json" {
				err = printJSON(out, list)
			} else {
				err = printConflicts(out, list, colorful(out))
			}
			if err == nil && len(list.Conflicts) > 0 {
				err = exit(exitFailed, nil)
			}
			return err
		},
	}
	f.add(cmd)
	return cmd
}

func printConflicts(w io.Writer, list *resource.ConflictList, color bool) error {
	for _, c := range list.Conflicts {
		fmt.Fprintf(w, "%s/%s\n  counts: %s\n", printable(c.Kind), printable(c.Name), sideText(&c.Winner))
		for i := range c.Losers {
			fmt.Fprintf(w, "  kept:   %s\n", sideText(&c.Losers[i]))
			printDiff(w, c.Losers[i].Diff, color)
		}
	}
	text := "no conflicts"
	if len(list.Conflicts) > 0 {
		text = "to settle one: fairlead sync resolve KIND/NAME --keep REVISION, or --keep current"
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// sideText says in one line who wrote a side of a conflict.
func sideText(s *resource.ConflictSide) string {
	text := shortRevision(s.Revision)
	if s.Author != "" {
		text += " of " + s.Author
	}
	if s.Site != "" {
		text += " at " + s.Site
	}
	if !s.Time.IsZero() {
		text += ", " + s.Time.Format(time.RFC3339)
	}
	if s.Removed {
		text += ", removed it"
	}
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return printable(text)
}

func newSyncResolve() *cobra.Command {
	var f writeFlags
	var keep string
	cmd := &cobra.Command{
		Use: "resolve KIND/NAME --keep {current | REVISION}", Short: "Settle which side of a conflict counts", Args: cobra.ExactArgs(1),
		Long: `Resolve ends a conflict: --keep current keeps what counts now, --keep REVISION what that side wrote. It is a write as any other, and goes to
all sites. To make something of both, write the object with fairlead edit and then keep what is current.`,
		Example: "  fairlead sync resolve service/web-ams --keep 77c0 --reason \"nyc was right\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := parseObjectArgument(args[0])
			if err != nil {
				return err
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			defer c.Close()
			return f.write(cmd, change{send: func(ctx context.Context, p client.WriteParams) (*resource.WriteResult, error) {
				return c.API().ResolveConflict(ctx, key.Kind.String(), key.Name, resource.Resolution{Keep: strings.ToLower(keep)},
					client.ResolveConflictParams{DryRun: p.DryRun, Force: p.Force, Confirm: p.Confirm, Reason: p.Reason, FairleadSource: p.FairleadSource, FairleadAuthor: p.FairleadAuthor})
			}})
		},
		ValidArgsFunction: completeConflict,
	}
	f.add(cmd)
	cmd.Flags().StringVar(&keep, "keep", "", "current, or the revision of the side to keep")
	if err := cmd.MarkFlagRequired("keep"); err != nil {
		panic(err) // the flag is one line above
	}
	return cmd
}
