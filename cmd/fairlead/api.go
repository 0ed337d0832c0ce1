package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"fairlead/api/client"
)

// apiFlags are the flags of commands that ask a running node.
type apiFlags struct {
	address string
	output  string
}

func (f *apiFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.address, "api", "", "address of the node's API (default $FAIRLEAD_API, else "+client.DefaultAddress+")")
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "table, or json: the API's own answer")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if f.output != "table" && f.output != "json" {
			return usagef("--output %q is neither table nor json", f.output)
		}
		return nil
	}
}

func (f *apiFlags) client() (*client.Client, error) {
	address := f.address
	if address == "" {
		address = os.Getenv("FAIRLEAD_API")
	}
	if address == "" {
		address = client.DefaultAddress
	}
	c, err := client.New(address)
	if err != nil {
		return nil, exit(exitUsage, err)
	}
	return c, nil
}

// apiError gives an error of the client its exit code.
func apiError(err error) error {
	var unreachable *client.Unreachable
	var missing *client.NotFound
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unreachable):
		return exit(exitUnreachable, err)
	case errors.As(err, &missing):
		return exit(exitNotFound, err)
	}
	return exit(exitFailed, err)
}
