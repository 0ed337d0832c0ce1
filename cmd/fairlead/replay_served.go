package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/config"
)

// servedName is what the document that a node told is called where something is wrong with it.
const servedName = "the node's document"

// current returns the document that is served: of the file that was named, else what the running node says.
func (f *replayFlags) current(cmd *cobra.Command) (*config.Document, error) {
	if f.document != "" {
		return f.read(cmd, f.document)
	}
	c, err := f.api.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	source, err := served(cmd.Context(), c.API())
	if err != nil {
		return nil, apiError(fmt.Errorf("ask for the document that is served, which --document would name: %w", err))
	}
	sync, err := c.API().GetSync(cmd.Context())
	switch {
	case err != nil:
		return nil, apiError(fmt.Errorf("ask whether the document is served: %w", err))
	case sync.NotServed != "":
		fmt.Fprintf(cmd.ErrOrStderr(), "the node's document is compared, and is not the one that is served: %s\n", printable(sync.NotServed))
	case !sync.Gathering.IsZero():
		fmt.Fprintln(cmd.ErrOrStderr(), "the node's document is compared, and is not served yet: its new groups are being resolved")
	}
	return asServed(cmd, source)
}

// asServed reads a document as the node does that serves it: what of it has no effect there, such as a reference to what another site removed
// meanwhile, has none here.
func asServed(cmd *cobra.Command, source config.Source) (*config.Document, error) {
	objects, problems := source.Objects()
	if objects == nil {
		return nil, refused(cmd, problems)
	}
	document, problems := config.Assemble(objects, config.AssembleOptions{Lenient: true})
	if document == nil {
		return nil, refused(cmd, problems)
	}
	return document, nil
}

// served asks a node for its document and the zone files of it.
func served(ctx context.Context, api client.API) (config.Source, error) {
	text, err := api.ReadDocument(ctx, "", client.TypeYAML, client.ReadParams{})
	if err != nil {
		return config.Source{}, err
	}
	collection := config.ObjectFile.Collection()
	list, err := api.ListObjects(ctx, collection, client.ListObjectsParams{})
	if err != nil {
		return config.Source{}, err
	}
	files := map[string][]byte{}
	for _, o := range list.Objects {
		file, err := api.ReadObject(ctx, collection, o.Name, "", client.ReadParams{})
		if err != nil {
			return config.Source{}, err
		}
		files[o.Name] = file.Body
	}
	return config.Source{Name: servedName, Text: text.Body, Files: files}, nil
}
