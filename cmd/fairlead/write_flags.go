package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/config"
)

// writeFlags are the flags of commands that change the document.
type writeFlags struct {
	apiFlags
	dryRun, force, yes bool
	confirm            time.Duration
	reason             string
}

func (f *writeFlags) add(cmd *cobra.Command) {
	f.apiFlags.add(cmd)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would happen, and change nothing")
	cmd.Flags().BoolVar(&f.force, "force", false, "also when names lose their answers")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask, also on a terminal")
	cmd.Flags().DurationVar(&f.confirm, "confirm", 0, "undo it after so long, as 5m, unless fairlead confirm REVISION is called; from 5s to 24h")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for those who will wonder")
}

func (f *writeFlags) params() client.WriteParams {
	p := client.WriteParams{DryRun: f.dryRun, Force: f.force, Reason: f.reason, FairleadSource: "cli", FairleadAuthor: userAtHost()}
	if f.confirm != 0 {
		p.Confirm = f.confirm.String()
	}
	return p
}

// userAtHost is who runs the command, for nodes that know no more than that it is somebody on their own machine.
func userAtHost() string {
	name := new(orderFlags).caller()
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// asks reports whether somebody is there who can be asked.
func (f *writeFlags) asks(cmd *cobra.Command) bool {
	return !f.yes && !f.dryRun && f.output == "table" && isTerminal(cmd.OutOrStdout()) && terminalInput(cmd)
}

// change is one write that a command makes.
type change struct {
	send func(ctx context.Context, p client.WriteParams) (*resource.WriteResult, error)
	// guard makes the write depend on what was shown of it. Nil: it does already.
	guard func(p *client.WriteParams, shown *resource.WriteResult)
	sent  sentText
}

// sentText is what a node may find something wrong with.
type sentText struct {
	name  string // for people; empty: there is none
	text  []byte
	plain bool              // it is a zone file, and no YAML
	files map[string][]byte // zone files that were sent with a document, by their paths in it
}

// write makes a change and prints what it did. Where somebody can be asked, it is shown first and made when they agree.
func (f *writeFlags) write(cmd *cobra.Command, c change) error {
	p := f.params()
	if f.asks(cmd) {
		dry := p
		dry.DryRun = true
		plan, err := f.waiting(cmd, dry, c)
		if err != nil {
			return writeError(cmd, err, c.sent)
		}
		out := cmd.OutOrStdout()
		if err := printPlan(out, plan, colorful(out)); err != nil {
			return err
		}
		if len(plan.Changes) == 0 {
			return nil
		}
		if !agreed(cmd, "Do this?") {
			return exit(exitFailed, errors.New("nothing was written"))
		}
		if c.guard != nil {
			c.guard(&p, plan)
		}
		result, err := f.waiting(cmd, p, c)
		if err != nil {
			return writeError(cmd, err, c.sent)
		}
		return printOutcome(out, result)
	}
	result, err := f.waiting(cmd, p, c)
	if err != nil {
		return writeError(cmd, err, c.sent)
	}
	return f.printResult(cmd, result)
}

func (f *writeFlags) waiting(cmd *cobra.Command, p client.WriteParams, c change) (*resource.WriteResult, error) {
	defer showWaiting(cmd.ErrOrStderr(), "waiting for the node")()
	return c.send(cmd.Context(), p)
}

func (f *writeFlags) printResult(cmd *cobra.Command, result *resource.WriteResult) error {
	out := cmd.OutOrStdout()
	if f.output == "json" {
		return printJSON(out, result)
	}
	if err := printPlan(out, result, colorful(out)); err != nil {
		return err
	}
	return printOutcome(out, result)
}

// agreed asks a question whose answer is yes or no. What cannot be read is no, and so is Ctrl-C: the read is left alone then, as nothing ends it but the
// end of the process.
func agreed(cmd *cobra.Command, question string) bool {
	fmt.Fprintf(cmd.ErrOrStderr(), "%s [y/N] ", question)
	said := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		said <- line
	}()
	select {
	case line := <-said:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return true
		}
	case <-cmd.Context().Done():
		fmt.Fprintln(cmd.ErrOrStderr())
	}
	return false
}

// writeError gives a refused write its exit code. What is wrong with what was sent is shown with its lines, as fairlead check does.
func writeError(cmd *cobra.Command, err error, sent sentText) error {
	var typed *wrongText
	if errors.As(err, &typed) {
		return err // the editor shows it
	}
	var refused *client.Problem
	if errors.As(err, &refused) && len(refused.Errors) > 0 && refused.Errors[0].Code == resource.CodeAnswersLost {
		return answersLost(cmd, refused)
	}
	if refused == nil || refused.Status != http.StatusUnprocessableEntity {
		return apiError(err)
	}
	report := reportOf(refused.Errors, sent)
	if report == nil {
		return apiError(err)
	}
	stderr := cmd.ErrOrStderr()
	if err := report.Render(stderr, colorful(stderr)); err != nil {
		return exit(exitFailed, err)
	}
	return exit(exitFailed, nil)
}

// answersLost names the names that a write would leave without an answer.
func answersLost(cmd *cobra.Command, refused *client.Problem) error {
	stderr := cmd.ErrOrStderr()
	names := 0
	for _, f := range refused.Errors {
		if name, is := strings.CutPrefix(f.Pointer, "/names/"); is {
			fmt.Fprintf(stderr, "%s LOSES its answer\n", printable(name))
			names++
		}
	}
	if names == 0 {
		return exit(exitConflict, refused)
	}
	return exit(exitConflict, fmt.Errorf("nothing was written: %s would have no answer any more; say --force if that is meant", countOf(names, "name")))
}

// reportOf makes a report of faults in what was sent and in the document that it would make; nil when they are about something else.
func reportOf(faults []resource.Fault, sent sentText) *config.Report {
	var problems []config.Problem
	files := map[string][]byte{}
	for _, f := range faults {
		p := config.Problem{Line: f.Line, Column: f.Column, Severity: config.SeverityError, Code: config.Code(f.Code), Message: f.Detail}
		path, inBody := strings.CutPrefix(f.Pointer, "/body")
		object, inObjects := strings.CutPrefix(f.Pointer, "/objects/")
		switch {
		case inBody && sent.name != "":
			p.File, p.Path = sent.name, path
			p.Width = markedWidth(sent.text, p.Line, p.Column)
			if sent.plain {
				p.Width = writtenWidth(sent.text, p.Line, p.Column)
			}
		case inObjects:
			name, at, _ := strings.Cut(object, "/")
			p.File = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
			if path, isFile := strings.CutPrefix(p.File, "file/"); isFile && sent.files[path] != nil {
				p.File, files[beside(sent.name, path)] = beside(sent.name, path), sent.files[path]
				p.Width = writtenWidth(sent.files[path], p.Line, p.Column)
			}
			if at != "" {
				p.Path, p.Message = "/"+at, strings.ReplaceAll(at, "/", ".")+": "+p.Message
			}
		default:
			return nil
		}
		problems = append(problems, p)
	}
	if len(problems) == 0 {
		return nil
	}
	report := config.NewReport(sent.name, sent.text, problems)
	for name, text := range files {
		report.Show(name, text)
	}
	return report
}

// beside is a zone file as fairlead check names it: from the same place as the document.
func beside(document, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(document), path)
}
