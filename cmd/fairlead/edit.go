package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/config"
)

// editMark begins the lines that are put on top of what is edited, and taken away again.
const editMark = "#~ "

func newEdit() *cobra.Command {
	var f writeFlags
	cmd := &cobra.Command{
		Use: "edit {KIND/NAME | config}", Short: "Change an object or the whole document in an editor",
		Long: `Edit opens an object or the whole document as YAML in $VISUAL, else $EDITOR, and writes what was saved. When something is wrong with it, it is opened
again with the problems on top. To give up, save an empty file, or quit without a change. What was typed and not written stays in a
file, which is named. When somebody else was first, nothing is written (exit 4).`,
		Example: "  fairlead edit service/web-ams --reason \"new port\"",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			defer c.Close()
			e := &editing{flags: &f, api: c.API(), whole: args[0] == "config"}
			if !e.whole {
				if e.key, err = parseObjectArgument(args[0]); err != nil {
					return err
				}
			}
			return e.run(cmd)
		},
		ValidArgsFunction: completeObject,
	}
	f.add(cmd)
	return cmd
}

// editing is one object, or the whole document, in an editor.
type editing struct {
	flags *writeFlags
	api   client.API
	whole bool
	key   config.ObjectKey
	tag   string // what it was when it was read
	path  string // of the file that is edited
}

func (e *editing) run(cmd *cobra.Command) error {
	text, err := e.read(cmd.Context())
	if err != nil {
		return apiError(err)
	}
	e.tag = text.ETag
	before, head := text.Body, ""
	file, err := os.CreateTemp("", "fairlead-*"+e.extension())
	if err != nil {
		return exit(exitFailed, err)
	}
	e.path = file.Name()
	if err := file.Close(); err != nil {
		return exit(exitFailed, err)
	}
	typed := before
	for {
		after, err := e.edit(cmd, head, typed)
		switch {
		case err != nil:
			return e.keep(cmd, typed, exit(exitFailed, err))
		case len(bytes.TrimSpace(after)) == 0, bytes.Equal(after, typed):
			return e.given(cmd, after, before)
		}
		typed = after
		err = e.flags.write(cmd, e.change(typed))
		var wrong *wrongText
		switch {
		case err == nil:
			return os.Remove(e.path)
		case !errors.As(err, &wrong):
			return e.keep(cmd, typed, err)
		}
		head = wrong.text
	}
}

func (e *editing) read(ctx context.Context) (*client.Text, error) {
	if e.whole {
		return e.api.ReadDocument(ctx, "", client.TypeYAML, client.ReadParams{})
	}
	return e.api.ReadObject(ctx, e.key.Kind.Collection(), e.key.Name, client.TypeYAML, client.ReadParams{})
}

func (e *editing) extension() string {
	if e.key.Kind == config.ObjectFile {
		return ".zone"
	}
	return ".yaml"
}

// edit opens a text below a head of remarks, and returns what was saved without these.
func (e *editing) edit(cmd *cobra.Command, head string, text []byte) ([]byte, error) {
	var b bytes.Buffer
	for line := range strings.Lines(head) {
		b.WriteString(editMark + printable(strings.TrimRight(line, "\n")) + "\n")
	}
	b.Write(text)
	if err := os.WriteFile(e.path, b.Bytes(), 0o600); err != nil {
		return nil, err
	}
	if err := runEditor(cmd, e.path); err != nil {
		return nil, err
	}
	saved, err := os.ReadFile(e.path)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for line := range bytes.Lines(saved) {
		if !bytes.HasPrefix(line, []byte(strings.TrimSpace(editMark))) {
			out.Write(line)
		}
	}
	return out.Bytes(), nil
}

// runEditor runs the user's editor and waits for it.
func runEditor(cmd *cobra.Command, path string) error {
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	if editor == "" {
		editor = "vi"
	}
	run := exec.CommandContext(cmd.Context(), "sh", "-c", editor+` "$1"`, "editor", path) // $EDITOR is a command line, as git and crontab take it
	if runtime.GOOS == "windows" {
		words := strings.Fields(editor)
		run = exec.CommandContext(cmd.Context(), words[0], append(words[1:], path)...)
	}
	run.Stdin, run.Stdout, run.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	if err := run.Run(); err != nil {
		return fmt.Errorf("run editor %q: %w", editor, err)
	}
	return nil
}

// wrongText is a write that was refused for what was typed.
type wrongText struct {
	text string
	err  error
}

func (w *wrongText) Error() string { return w.text }
func (w *wrongText) Unwrap() error { return w.err }

// change is the write of what was typed.
func (e *editing) change(typed []byte) change {
	name := "config"
	if !e.whole {
		name = e.key.String()
	}
	body := client.Text{Type: client.TypeYAML, Body: typed}
	if e.key.Kind == config.ObjectFile {
		body.Type = "application/octet-stream"
	}
	send := func(ctx context.Context, p client.WriteParams) (*resource.WriteResult, error) {
		p.IfMatch = e.tag
		if e.whole {
			return e.api.PutConfig(ctx, body, client.PutConfigParams{DryRun: p.DryRun, Force: p.Force, Confirm: p.Confirm, Reason: p.Reason,
				FairleadSource: p.FairleadSource, FairleadAuthor: p.FairleadAuthor, IfMatch: p.IfMatch})
		}
		return e.api.WriteObject(ctx, http.MethodPut, e.key.Kind.Collection(), e.key.Name, &body, p)
	}
	return change{send: func(ctx context.Context, p client.WriteParams) (*resource.WriteResult, error) {
		result, err := send(ctx, p)
		return result, wrong(err, sentText{name: name, text: typed})
	}}
}

// wrong tells what can be typed better from what cannot.
func wrong(err error, sent sentText) error {
	var refused *client.Problem
	if !errors.As(err, &refused) || refused.Status != http.StatusUnprocessableEntity {
		return err
	}
	report := reportOf(refused.Errors, sent)
	if report == nil {
		return err
	}
	var b strings.Builder
	if report.Render(&b, false) != nil {
		return err
	}
	return &wrongText{b.String(), err}
}

// given ends an edit that shall not be.
func (e *editing) given(cmd *cobra.Command, after, before []byte) error {
	if len(bytes.TrimSpace(after)) == 0 || bytes.Equal(after, before) {
		fmt.Fprintln(cmd.ErrOrStderr(), "nothing was changed")
		return os.Remove(e.path)
	}
	return e.keep(cmd, after, exit(exitFailed, errors.New("given up: it is still wrong")))
}

// keep keeps what was typed, and says where.
func (e *editing) keep(cmd *cobra.Command, typed []byte, err error) error {
	if os.WriteFile(e.path, typed, 0o600) == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "what you wrote is in %s\n", e.path)
	}
	return err
}
