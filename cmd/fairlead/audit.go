package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/internal/audit"
)

func newAudit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "audit", Short: "Show and verify the log of who changed what", Args: cobra.NoArgs, RunE: showHelp,
	}
	cmd.AddCommand(newAuditList(), newAuditVerify())
	return cmd
}

func newAuditList() *cobra.Command {
	var f apiFlags
	var filter client.AuditFilter
	var since string
	cmd := &cobra.Command{
		Use: "list", Short: "List changes at a node, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(filter.Most); err != nil {
				return err
			}
			if since != "" {
				ago, err := parseDays(since)
				if err != nil {
					return usagef("--since: %w", err)
				}
				filter.Since = time.Now().Add(-ago)
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			defer c.Close()
			page, err := c.Audit(cmd.Context(), filter)
			if err != nil {
				return apiError(err)
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), page)
			}
			rows := [][]string{{"SEQ", "TIME", "WHO", "ACTION", "OBJECT", "OUTCOME", "REASON"}}
			for _, e := range page.Entries {
				who := e.Who.Name
				if who == "" {
					who = e.Who.Kind
				}
				rows = append(rows, []string{strconv.FormatUint(e.Seq, 10), e.Time.UTC().Format(time.RFC3339), who, e.Action, e.Object, e.Outcome, auditReason(&e)})
			}
			return table(cmd.OutOrStdout(), "", rows...)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&filter.Who, "who", "", "only what this token or certificate did: its name or id")
	cmd.Flags().StringVar(&filter.Object, "object", "", "only this object, as service/web-ams, or this kind")
	cmd.Flags().StringVar(&since, "since", "", "only the last 12h or 90d")
	cmd.Flags().IntVar(&filter.Most, "limit", 100, "at most so many; 0: all")
	return cmd
}

// auditReason is why, in one cell: what was said, the revision that was made, and whether it was forced.
func auditReason(e *resource.AuditEntry) string {
	text := e.Reason
	if e.After != "" {
		text = strings.TrimSpace(fmt.Sprintf("%s revision %.12s", text, e.After))
	}
	if e.Force {
		text = strings.TrimSpace(text + " (forced)")
	}
	return text
}

func newAuditVerify() *cobra.Command {
	var files []string
	var nodeFile, head string
	cmd := &cobra.Command{
		Use:   "verify [--file FILE]... [--node NODE.yaml]",
		Short: "Check that no line of an audit log was changed, removed or moved",
		Long: `Verify reads the files of an audit log and checks that each line carries the hash of the one before. It exits 1 with the first line
that does not fit. The newest lines can be taken away without breaking the chain: give with --head what the node logged
(audit.head), or GET /v1/audit told, and verify says whether it is still there.`,
		Example: "  fairlead audit verify --node /etc/fairlead/node.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (len(files) == 0) == (nodeFile == "") {
				return usagef("give either --file, the oldest first, or --node")
			}
			if nodeFile != "" {
				var err error
				if files, err = auditFiles(nodeFile); err != nil {
					return err
				}
			}
			v, err := audit.Verify(files, head)
			switch {
			case err != nil:
				return exit(exitUsage, err)
			case v.Broken != nil:
				return exit(exitFailed, fmt.Errorf("%s:%d: %s", v.Broken.File, v.Broken.Line, v.Broken.Why))
			case head != "" && !v.Seen:
				return exit(exitFailed, fmt.Errorf("the head %s is not there: lines behind it, and it, were removed or changed, or it is of another log", head))
			}
			if v.Unfinished {
				fmt.Fprintln(cmd.ErrOrStderr(), "the last line is not finished: the node is writing it, or ended there; it puts it aside when it starts")
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d lines, from %d to %d, head %s\n", v.Lines, v.First, v.Head.Seq, v.Head.Hash)
			return err
		},
	}
	cmd.Flags().StringArrayVar(&files, "file", nil, "file of the log; several: the oldest first")
	cmd.Flags().StringVar(&nodeFile, "node", "", "node file of the log")
	cmd.Flags().StringVar(&head, "head", "", "hash that must be among the lines")
	return cmd
}

// auditFiles lists the files of a node's audit log.
func auditFiles(nodeFile string) ([]string, error) {
	c, report, err := config.LoadNode(nodeFile)
	if err != nil {
		return nil, exit(exitUsage, err)
	}
	if c == nil {
		return nil, exit(exitFailed, report.Err())
	}
	path := c.API.Audit.File
	if path == "" {
		path = filepath.Join(c.DataDir, "audit.jsonl")
	}
	files, err := audit.Files(path)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("there is no audit log at %q", path)
	}
	if err != nil {
		return nil, exit(exitUsage, err)
	}
	return files, nil
}
