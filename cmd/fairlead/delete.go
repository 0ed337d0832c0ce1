package main

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
)

func newDelete() *cobra.Command {
	var f writeFlags
	cmd := &cobra.Command{
		Use: "delete KIND/NAME", Short: "Delete one object of the document", Args: cobra.ExactArgs(1),
		Long: `Delete takes one object out of the document. What other objects refer to is not deleted; they are listed. A delete that takes the only
answer from a name is refused without --force.`,
		Example: "  fairlead delete service/web-dr --reason \"moved\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.one(cmd, args[0], http.MethodDelete, nil)
		},
		ValidArgsFunction: completeObject,
	}
	f.add(cmd)
	return cmd
}

func newPatch() *cobra.Command {
	var f writeFlags
	var patch string
	cmd := &cobra.Command{
		Use: "patch KIND/NAME -p JSON", Short: "Change some keys of one object", Args: cobra.ExactArgs(1),
		Long: `Patch changes the keys that it names and leaves the others; null takes a key away, and a list replaces the list that is there
(JSON merge patch, RFC 7396).`,
		Example: "  fairlead patch service/web-ams -p '{\"port\": 8080}' --reason \"new port\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.one(cmd, args[0], http.MethodPatch, &client.Text{Type: client.TypePatch, Body: []byte(patch)})
		},
		ValidArgsFunction: completeObject,
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&patch, "patch", "p", "", "what to change, as JSON")
	if err := cmd.MarkFlagRequired("patch"); err != nil {
		panic(err) // the flag is one line above
	}
	return cmd
}

// one makes a write of an object that is there.
func (f *writeFlags) one(cmd *cobra.Command, object, method string, body *client.Text) error {
	key, err := parseObjectArgument(object)
	if err != nil {
		return err
	}
	c, err := f.client()
	if err != nil {
		return err
	}
	defer c.Close()
	w := change{send: func(ctx context.Context, p client.WriteParams) (*resource.WriteResult, error) {
		return c.API().WriteObject(ctx, method, key.Kind.Collection(), key.Name, body, p)
	}}
	if body != nil {
		w.sent = sentText{name: "the patch of " + key.String(), text: body.Body}
	}
	if f.asks(cmd) {
		tag, err := currentTag(cmd.Context(), c.API(), key)
		if err != nil {
			return err
		}
		if tag != "" { // of what is not there, the node says so
			w.guard = tag.guard
		}
	}
	return f.write(cmd, w)
}
