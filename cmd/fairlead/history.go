package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
)

// historyFlags are the flags of fairlead history.
type historyFlags struct {
	apiFlags
	author string
	most   int
}

func newHistory() *cobra.Command {
	var f historyFlags
	cmd := &cobra.Command{
		Use: "history [KIND/NAME]", Short: "List who changed the document, when and why, newest first", Args: cobra.MaximumNArgs(1),
		Example: "  fairlead history\n  fairlead history service/web-ams --limit 5",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkLimit(f.most); err != nil {
				return err
			}
			p := client.ListRevisionsParams{Author: f.author}
			if len(args) == 1 {
				key, err := parseObjectArgument(args[0])
				if err != nil {
					return err
				}
				p.Object = key.String()
			}
			return f.run(cmd, p)
		},
		ValidArgsFunction: completeObject,
	}
	f.add(cmd)
	f.outputs(cmd, "table, wide: whole revisions and what they changed, or json: the API's own answer", "table", "wide", "json")
	cmd.Flags().StringVar(&f.author, "author", "", "only revisions of this author")
	cmd.Flags().IntVar(&f.most, "limit", 20, "at most so many; 0: all")
	return cmd
}

// historyPage is how many revisions are asked for at once.
const historyPage = 500

func (f *historyFlags) run(cmd *cobra.Command, p client.ListRevisionsParams) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	defer c.Close()
	all := &resource.RevisionList{Revisions: []resource.Revision{}}
	for {
		p.Limit = historyPage
		if left := f.most - len(all.Revisions); f.most > 0 && left < p.Limit {
			p.Limit = left
		}
		page, err := c.API().ListRevisions(cmd.Context(), p)
		if err != nil {
			return apiError(err)
		}
		all.Revisions, all.NextCursor = append(all.Revisions, page.Revisions...), page.NextCursor
		if page.NextCursor == "" || f.most > 0 && len(all.Revisions) >= f.most {
			break
		}
		p.Cursor = page.NextCursor
	}
	if f.output == "json" {
		return printJSON(cmd.OutOrStdout(), all)
	}
	return printHistory(cmd.OutOrStdout(), all.Revisions, f.output == "wide")
}

func printHistory(w io.Writer, revisions []resource.Revision, wide bool) error {
	rows := [][]string{{"REVISION", "TIME", "AUTHOR", "SITE", "BY", "CHANGED", "REASON"}}
	for _, r := range revisions {
		id, changed := shortRevision(r.ID), changedText(&r, 2)
		if wide {
			id, changed = r.ID, changedText(&r, len(r.Objects))
		}
		reason := r.Reason
		if !r.ConfirmBy.IsZero() {
			reason += " (to be confirmed by " + r.ConfirmBy.Format(time.RFC3339) + ")"
		}
		rows = append(rows, []string{id, revisionTime(&r), orDash(r.Author), orDash(r.Site), r.Source, changed, strings.TrimSpace(reason)})
	}
	return table(w, "", rows...)
}

func revisionTime(r *resource.Revision) string {
	switch {
	case !r.Time.IsZero():
		return r.Time.Format(time.RFC3339)
	case !r.Applied.IsZero():
		return r.Applied.Format(time.RFC3339)
	}
	return "-"
}

// changedText names at most some of the objects that a revision changed.
func changedText(r *resource.Revision, most int) string {
	text := strings.Join(r.Objects[:min(most, len(r.Objects))], ", ")
	if more := r.Changed - min(most, len(r.Objects)); more > 0 && text != "" {
		text += fmt.Sprintf(" and %d more", more)
	} else if text == "" {
		text = fmt.Sprintf("%d objects", r.Changed)
	}
	return text
}

func newShow() *cobra.Command {
	var f apiFlags
	cmd := &cobra.Command{
		Use: "show REVISION", Short: "Show one revision and what it changed", Args: cobra.ExactArgs(1),
		Long: `Show tells who made a revision, when, why, and what it changed when it came into effect at this node. A revision is named by at least 4
of its first digits, or "current".`,
		Example: "  fairlead show 4f2a",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			defer c.Close()
			r, err := c.API().GetRevision(cmd.Context(), args[0])
			if err != nil {
				return apiError(err)
			}
			out := cmd.OutOrStdout()
			if f.output == "json" {
				return printJSON(out, r)
			}
			if err := printRevision(out, r); err != nil {
				return err
			}
			return printChanges(out, r.Changes, r.MoreChanges, colorful(out))
		},
		ValidArgsFunction: completeRevision,
	}
	f.add(cmd)
	return cmd
}

func printRevision(w io.Writer, r *resource.Revision) error {
	rows := [][]string{{"revision", r.ID}}
	add := func(what, text string) {
		if text != "" {
			rows = append(rows, []string{what, text})
		}
	}
	if r.Current != r.ID {
		add("merged as", r.Current)
	}
	add("after", strings.Join(r.Parents, ", "))
	add("author", r.Author)
	add("site", r.Site)
	add("by", r.Source)
	add("reason", r.Reason)
	if !r.Time.IsZero() {
		add("time", r.Time.Format(time.RFC3339Nano))
	}
	add("heard from", r.From)
	if !r.ConfirmBy.IsZero() {
		add("confirm by", r.ConfirmBy.Format(time.RFC3339))
	}
	return table(w, "", rows...)
}
