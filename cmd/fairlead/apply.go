package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/config"
)

func newApply() *cobra.Command {
	var f writeFlags
	var file string
	cmd := &cobra.Command{
		Use: "apply [KIND/NAME] -f FILE", Short: "Write the whole document, or one object, and show what it does",
		Long: `Apply writes a file: a whole document, which replaces the one that is there, or with KIND/NAME one object, which is created or replaced.
The zone files that a document names are sent with it; a document from standard input (-f -) leaves those that are there.

It is all or nothing: with anything wrong, everything that is wrong is listed and nothing is written. What changes is shown with
its effect: which names get another answer, for which share of recent queries. On a terminal it is asked for first. A write that
takes the only answer from a name is refused without --force.

Exit codes: 0 done, or nothing to do; 1 invalid, or not agreed to; 4 somebody else was first, names would lose their answers, or
documents are not written at this node; 5 not allowed; 6 unreachable.`,
		Example: "  fairlead apply -f gslb.yaml --reason \"more capacity\" --confirm 5m\n  fairlead get service web-ams -o yaml | sed s/80/8080/ | fairlead apply service/web-ams -f -",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			defer c.Close()
			w, err := applying(cmd, c.API(), args, file)
			if err != nil {
				return err
			}
			return f.write(cmd, w)
		},
		ValidArgsFunction: completeObject,
	}
	f.add(cmd)
	addFile(cmd, &file)
	return cmd
}

func addFile(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "file", "f", "", "file to send; - for standard input")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic(err) // the flag is one line above
	}
}

// applying is the write of a file.
func applying(cmd *cobra.Command, api client.API, args []string, file string) (change, error) {
	if len(args) == 0 {
		return applyDocument(cmd, api, file)
	}
	key, err := parseObjectArgument(args[0])
	if err != nil {
		return change{}, err
	}
	text, err := readInput(cmd, file)
	if err != nil {
		return change{}, exit(exitUsage, err)
	}
	return applyObject(cmd.Context(), api, key, sentText{name: inputName(file), text: text, plain: key.Kind == config.ObjectFile})
}

// inputName is what a file is called in messages.
func inputName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// readInput reads what is to be sent.
func readInput(cmd *cobra.Command, file string) ([]byte, error) {
	in := cmd.InOrStdin()
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	text, err := io.ReadAll(io.LimitReader(in, config.MaxDocumentBytes+1))
	if err == nil && len(text) > config.MaxDocumentBytes {
		err = fmt.Errorf("it has more than %d bytes", config.MaxDocumentBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", inputName(file), err)
	}
	return text, nil
}

func applyDocument(cmd *cobra.Command, api client.API, file string) (change, error) {
	var src config.Source
	body := client.Text{Type: client.TypeYAML}
	var err error
	if file == "-" {
		src.Name = inputName(file)
		src.Text, err = readInput(cmd, file)
		body.Body = src.Text
	} else if src, err = config.ReadSource(file); err == nil {
		body, err = client.DocumentForm(src.Text, src.Files)
	}
	if err != nil {
		return change{}, exit(exitUsage, err)
	}
	return change{
		send: func(ctx context.Context, p client.WriteParams) (*resource.WriteResult, error) {
			return api.PutConfig(ctx, body, client.PutConfigParams{DryRun: p.DryRun, Force: p.Force, Confirm: p.Confirm, Reason: p.Reason,
				FairleadSource: p.FairleadSource, FairleadAuthor: p.FairleadAuthor, IfMatch: p.IfMatch})
		},
		guard: func(p *client.WriteParams, shown *resource.WriteResult) { p.IfMatch = `"` + shown.Current + `"` },
		sent:  sentText{name: src.Name, text: src.Text, files: src.Files},
	}, nil
}

// applyObject is the write of one object, that depends on the object that was there before.
func applyObject(ctx context.Context, api client.API, key config.ObjectKey, sent sentText) (change, error) {
	body := client.Text{Type: client.TypeYAML, Body: sent.text}
	if key.Kind == config.ObjectFile {
		body.Type = "application/octet-stream"
	}
	tag, err := currentTag(ctx, api, key)
	if err != nil {
		return change{}, err
	}
	return change{
		send: func(ctx context.Context, p client.WriteParams) (*resource.WriteResult, error) {
			return api.WriteObject(ctx, http.MethodPut, key.Kind.Collection(), key.Name, &body, p)
		},
		guard: tag.guard,
		sent:  sent,
	}, nil
}

// objectTag is what an object was when it was looked at.
type objectTag string

// currentTag asks what an object is; "" when there is none.
func currentTag(ctx context.Context, api client.API, key config.ObjectKey) (objectTag, error) {
	text, err := api.ReadObject(ctx, key.Kind.Collection(), key.Name, client.TypeJSON, client.ReadParams{})
	var missing *client.NotFound
	if errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", apiError(err)
	}
	return objectTag(text.ETag), nil
}

// guard makes a write depend on the object still being that.
func (t objectTag) guard(p *client.WriteParams, _ *resource.WriteResult) {
	if p.IfMatch = string(t); t == "" {
		p.IfNoneMatch = "*"
	}
}
