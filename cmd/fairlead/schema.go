package main

import (
	"github.com/spf13/cobra"

	"fairlead/config"
)

func newSchema() *cobra.Command {
	var node bool
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the GSLB document or the node file",
		Long: `Schema prints a JSON Schema (2020-12) for editors. Save it and put this in a document's first line:

  # yaml-language-server: $schema=gslb.schema.json`,
		Example: "  fairlead schema > gslb.schema.json\n  fairlead schema --node > node.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema := config.DocumentSchema
			if node {
				schema = config.NodeSchema
			}
			text, err := schema()
			if err == nil {
				_, err = cmd.OutOrStdout().Write(append(text, '\n'))
			}
			if err != nil {
				return exit(exitFailed, err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&node, "node", false, "the node file's schema instead of the document's")
	return cmd
}
