package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/config"
)

const (
	// completionTimeout is how long a node may take to tell names to a shell that completes a word.
	completionTimeout = 500 * time.Millisecond
	// maxCompletions is how many names are offered.
	maxCompletions = 1000
)

// Completion asks the node that the command would ask. Whatever goes wrong, nothing is offered and nothing is said.

// asking calls ask with a client that the flags of a command name.
func asking(cmd *cobra.Command, ask func(ctx context.Context, api client.API) []string) []string {
	value := func(name string) string {
		if flag := cmd.Flags().Lookup(name); flag != nil {
			return flag.Value.String()
		}
		return ""
	}
	f := apiFlags{address: value("api"), token: value("token"), tokenFile: value("token-file"), ca: value("ca"), cert: value("cert"), key: value("key")}
	c, err := f.client()
	if err != nil {
		return nil
	}
	defer c.Close()
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	return ask(ctx, c.API())
}

// namesOf lists the names of a kind that begin with a word.
func namesOf(ctx context.Context, api client.API, kind config.ObjectKind, prefix, word string) []string {
	list, err := api.ListObjects(ctx, kind.Collection(), client.ListObjectsParams{Limit: maxCompletions})
	if err != nil {
		return nil
	}
	var out []string
	for _, o := range list.Objects {
		if strings.HasPrefix(o.Name, word) {
			out = append(out, prefix+o.Name)
		}
	}
	return out
}

// completeObject completes KIND/NAME.
func completeObject(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	kindWord, name, slash := strings.Cut(word, "/")
	if !slash {
		var out []string
		for _, kind := range config.ObjectKinds {
			if text := kind.String() + "/"; strings.HasPrefix(text, word) && !single(kind) {
				out = append(out, text)
			} else if single(kind) && strings.HasPrefix(kind.String(), word) {
				out = append(out, kind.String())
			}
		}
		if cmd.Name() == "edit" && strings.HasPrefix("config", word) {
			out = append(out, "config")
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	kind, ok := config.ParseObjectKind(kindWord)
	if !ok || single(kind) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return asking(cmd, func(ctx context.Context, api client.API) []string { return namesOf(ctx, api, kind, kindWord+"/", name) }), cobra.ShellCompDirectiveNoFileComp
}

// completeGet completes a kind and then names of it.
func completeGet(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		kind, ok := config.ParseObjectKind(args[0])
		if !ok || single(kind) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return asking(cmd, func(ctx context.Context, api client.API) []string { return namesOf(ctx, api, kind, "", word) }), cobra.ShellCompDirectiveNoFileComp
	}
	if strings.Contains(word, "/") {
		return completeObject(cmd, nil, word)
	}
	out := []string{}
	for _, kind := range config.ObjectKinds {
		if strings.HasPrefix(kind.Collection(), word) {
			out = append(out, kind.Collection())
		}
	}
	if strings.HasPrefix("config", word) {
		out = append(out, "config")
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeNames completes names of one kind as the first argument.
func completeNames(kind config.ObjectKind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return asking(cmd, func(ctx context.Context, api client.API) []string { return namesOf(ctx, api, kind, "", word) }), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeOrder completes what an order is about: a service, or KIND/NAME.
func completeOrder(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if flag := cmd.Flags().Lookup("site"); flag != nil && flag.Value.String() == "true" {
		return completeNames(config.ObjectSite)(cmd, args, word)
	}
	kindWord, name, slash := strings.Cut(word, "/")
	if slash {
		kind, known := config.ParseObjectKind(kindWord)
		if orderKinds()[kindWord] == "" || !known {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return asking(cmd, func(ctx context.Context, api client.API) []string { return namesOf(ctx, api, kind, kindWord+"/", name) }), cobra.ShellCompDirectiveNoFileComp
	}
	list, how := completeNames(config.ObjectService)(cmd, args, word)
	for _, kind := range slices.Sorted(maps.Keys(orderKinds())) {
		if strings.HasPrefix(kind, word) {
			list, how = append(list, kind+"/"), how|cobra.ShellCompDirectiveNoSpace
		}
	}
	return list, how
}

// completeRevision completes revisions, with who made them and why.
func completeRevision(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	return asking(cmd, func(ctx context.Context, api client.API) []string {
		list, err := api.ListRevisions(ctx, client.ListRevisionsParams{Limit: maxCompletions})
		if err != nil {
			return nil
		}
		var out []string
		for _, r := range list.Revisions {
			if id := shortRevision(r.ID); strings.HasPrefix(id, word) {
				out = append(out, cobra.CompletionWithDesc(id, printable(strings.Join([]string{revisionTime(&r), r.Author, r.Reason}, " "))))
			}
		}
		return out
	}), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeConflict completes objects that have a conflict.
func completeConflict(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return asking(cmd, func(ctx context.Context, api client.API) []string {
		list, err := api.ListConflicts(ctx)
		if err != nil {
			return nil
		}
		var out []string
		for _, c := range list.Conflicts {
			if text := c.Kind + "/" + c.Name; strings.HasPrefix(text, word) {
				out = append(out, text)
			}
		}
		return out
	}), cobra.ShellCompDirectiveNoFileComp
}
