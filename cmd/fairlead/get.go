package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/config"
)

// getFlags are the flags of fairlead get.
type getFlags struct {
	apiFlags
	watch   bool
	site    string
	labels  []string
	at      string
	secrets bool
}

func newGet() *cobra.Command {
	var f getFlags
	cmd := &cobra.Command{
		Use: "get [KIND [NAME...] | KIND/NAME... | config]", Short: "Show objects of the document, or the whole of it",
		Long: `Get shows what the document has: without arguments how many objects of each kind, with a kind all of it, with names these alone, and with
"config" the whole document. -o yaml writes what fairlead apply reads. Secrets are shown as ***; written back, *** means the
secret that is there.`,
		Example: "  fairlead get services --site ams -l team=web\n  fairlead get service web-ams -o yaml\n  fairlead get config --at 4f2a > yesterday.yaml\n  fairlead get services -w",
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },

		ValidArgsFunction: completeGet,
	}
	f.add(cmd)
	f.outputs(cmd, "table, wide: with all columns, yaml, or json: the API's own answer", "table", "wide", "yaml", "json")
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on, and show what changes")
	cmd.Flags().StringVar(&f.site, "site", "", "only services and service groups of this site")
	cmd.Flags().StringArrayVarP(&f.labels, "label", "l", nil, "only objects with this label, as team=web; a key alone: with any value; several: with all of them")
	cmd.Flags().StringVar(&f.at, "at", "", "of config: as it was after this revision")
	cmd.Flags().BoolVar(&f.secrets, "secrets", false, "with secrets, for administrators; it is in the audit log")
	return cmd
}

func (f *getFlags) run(cmd *cobra.Command, args []string) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	defer c.Close()
	if len(args) == 1 && args[0] == "config" {
		if f.watch || f.site != "" || len(f.labels) > 0 {
			return usagef("--watch, --site and --label are for lists of objects")
		}
		return f.config(cmd, c.API())
	}
	if f.at != "" {
		return usagef("--at is for config; fairlead show REVISION shows what a revision changed")
	}
	kind, names, err := getArguments(args)
	switch {
	case err != nil:
		return err
	case f.watch && (kind == 0 || len(names) > 0):
		return usagef("--watch needs a kind, and no names")
	case kind == 0:
		return f.counts(cmd, c.API())
	case len(names) == 0 && single(kind):
		return f.objects(cmd, c.API(), kind, []string{config.CanonicalObjectName(kind, "")})
	case len(names) > 0:
		return f.objects(cmd, c.API(), kind, names)
	case f.watch:
		return f.follow(cmd, c.API(), kind)
	}
	list, err := c.API().ListObjects(cmd.Context(), kind.Collection(), client.ListObjectsParams{Site: f.site, Label: f.labels})
	if err != nil {
		return apiError(err)
	}
	return f.printList(cmd.OutOrStdout(), kind, list)
}

// getArguments reads a kind with names, or objects of one kind; no kind: all.
func getArguments(args []string) (config.ObjectKind, []string, error) {
	if len(args) == 0 {
		return 0, nil, nil
	}
	if kind, ok := config.ParseObjectKind(args[0]); ok {
		return kind, args[1:], nil
	}
	var kind config.ObjectKind
	var names []string
	for _, arg := range args {
		key, err := parseObjectArgument(arg)
		if err != nil {
			return 0, nil, err
		}
		if kind != 0 && kind != key.Kind {
			return 0, nil, usagef("%s and %s are of different kinds", kind, key.Kind)
		}
		kind, names = key.Kind, append(names, key.Name)
	}
	return kind, names, nil
}

func (f *getFlags) config(cmd *cobra.Command, api client.API) error {
	media := client.TypeYAML
	if f.output == "json" {
		media = client.TypeJSON
	}
	text, err := api.ReadDocument(cmd.Context(), f.at, media, client.ReadParams{Secrets: f.secrets})
	if err != nil {
		return apiError(err)
	}
	_, err = cmd.OutOrStdout().Write(text.Body)
	return err
}

// counts says how many objects of each kind there are.
func (f *getFlags) counts(cmd *cobra.Command, api client.API) error {
	var lists []*resource.ObjectList
	rows := [][]string{{"KIND", "OBJECTS", "NAMES"}}
	for _, kind := range config.ObjectKinds {
		if single(kind) {
			continue
		}
		list, err := api.ListObjects(cmd.Context(), kind.Collection(), client.ListObjectsParams{Site: f.site, Label: f.labels})
		if err != nil {
			return apiError(err)
		}
		lists = append(lists, list)
		if len(list.Objects) == 0 {
			continue
		}
		var names []string
		for _, o := range list.Objects {
			names = append(names, o.Name)
		}
		rows = append(rows, []string{kind.String(), fmt.Sprint(len(names)), clipCell(strings.Join(names, ", "), f.output == "wide")})
	}
	switch f.output {
	case "json":
		return printJSON(cmd.OutOrStdout(), lists)
	case "yaml":
		return printAsDocument(cmd.OutOrStdout(), lists...)
	}
	return table(cmd.OutOrStdout(), "", rows...)
}

// objects shows single objects.
func (f *getFlags) objects(cmd *cobra.Command, api client.API, kind config.ObjectKind, names []string) error {
	out := cmd.OutOrStdout()
	list := &resource.ObjectList{Kind: kind.String()}
	for n, name := range names {
		media := client.TypeJSON
		if f.output == "yaml" || f.output == "table" && single(kind) {
			media = client.TypeYAML
		}
		text, err := api.ReadObject(cmd.Context(), kind.Collection(), name, media, client.ReadParams{Secrets: f.secrets})
		if err != nil {
			return apiError(err)
		}
		switch {
		case media == client.TypeYAML || kind == config.ObjectFile && f.output == "json":
			if n > 0 {
				fmt.Fprintln(out, "---")
			}
			if _, err := out.Write(text.Body); err != nil {
				return err
			}
		case f.output == "json":
			if err := printJSON(out, json.RawMessage(text.Body)); err != nil {
				return err
			}
		case kind == config.ObjectFile:
			list.Objects = append(list.Objects, resource.ObjectItem{Name: name, Size: len(text.Body)})
		default:
			list.Objects = append(list.Objects, resource.ObjectItem{Name: name, Object: text.Body})
		}
	}
	if len(list.Objects) == 0 {
		return nil
	}
	return f.printList(out, kind, list)
}

func (f *getFlags) printList(w io.Writer, kind config.ObjectKind, list *resource.ObjectList) error {
	switch f.output {
	case "json":
		return printJSON(w, list)
	case "yaml":
		return printAsDocument(w, list)
	}
	rows := [][]string{tableHead(kind, f.output == "wide")}
	for i := range list.Objects {
		rows = append(rows, tableRow(kind, &list.Objects[i], f.output == "wide"))
	}
	return table(w, "", rows...)
}

// printAsDocument writes objects as the part of a document that has them. Files are not in a document.
func printAsDocument(w io.Writer, lists ...*resource.ObjectList) error {
	var objects []*config.Object
	for _, list := range lists {
		kind, _ := config.ParseObjectKind(list.Kind)
		if kind == config.ObjectFile {
			continue
		}
		for _, item := range list.Objects {
			o, err := config.NewObject(kind, item.Name, item.Object)
			if err != nil {
				return exit(exitFailed, fmt.Errorf("read answer: %w", err))
			}
			objects = append(objects, o)
		}
	}
	var b bytes.Buffer
	if err := config.NewObjects(objects).YAML(&b); err != nil {
		return err
	}
	_, err := w.Write(bytes.TrimPrefix(b.Bytes(), []byte("sites: []\n"))) // which no document is without, but a part of one
	return err
}

// follow shows a list, and from then on what changes in it.
func (f *getFlags) follow(cmd *cobra.Command, api client.API, kind config.ObjectKind) error {
	params := client.ListObjectsParams{Site: f.site, Label: f.labels}
	known, revision := map[string]string(nil), ""
	return polling(cmd.Context(), func(ctx context.Context) error {
		probe := params
		probe.Limit = 1
		first, err := api.ListObjects(ctx, kind.Collection(), probe)
		if err != nil || first.Revision == revision {
			return err
		}
		list, err := api.ListObjects(ctx, kind.Collection(), params)
		if err != nil {
			return err
		}
		revision = list.Revision
		now := map[string]string{}
		for _, o := range list.Objects {
			now[o.Name] = o.ETag
		}
		if known == nil {
			known = now
			return f.printList(cmd.OutOrStdout(), kind, list)
		}
		defer func() { known = now }()
		return f.printNews(cmd.OutOrStdout(), kind, list, known)
	})
}

// printNews shows what differs from what was shown.
func (f *getFlags) printNews(w io.Writer, kind config.ObjectKind, list *resource.ObjectList, known map[string]string) error {
	news := *list
	news.Objects = nil
	for _, o := range list.Objects {
		if known[o.Name] != o.ETag {
			news.Objects = append(news.Objects, o)
		}
		delete(known, o.Name)
	}
	if f.output == "json" {
		return printJSON(w, list)
	}
	for name := range known {
		if _, err := fmt.Fprintf(w, "- %s/%s\n", kind, printable(name)); err != nil {
			return err
		}
	}
	if len(news.Objects) == 0 {
		return nil
	}
	return f.printList(w, kind, &news)
}
