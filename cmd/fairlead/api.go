package main

import (
	"errors"
	"net/http"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
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
	var refused *client.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unreachable):
		return exit(exitUnreachable, err)
	case errors.As(err, &missing):
		return exit(exitNotFound, err)
	case errors.As(err, &refused):
		return exit(refusalCode(refused.Status, refused.Errors), err)
	}
	return exit(exitFailed, err)
}

// refusalCode is the exit code of a request that a node refused for these faults.
func refusalCode(status int, faults []resource.Fault) int {
	bad := status == http.StatusUnprocessableEntity || status == http.StatusBadRequest
	code := exitFailed
	for _, f := range faults {
		switch f.Code {
		case resource.CodeNoSuchService, resource.CodeNoSuchSite, resource.CodeNoSuchVirtualServer, resource.CodeNothingToEnd:
			if code == exitFailed {
				code = exitNotFound
			}
		case resource.CodeSiteSilent:
			return exitUnreachable
		case resource.CodeRequired, resource.CodeUnknown, resource.CodeInvalid:
			if bad {
				code = exitUsage // it was written wrongly, whatever else there is
			}
		}
	}
	return code
}

// parseAddress reads the address of a flag or an argument. What names a zone of this machine means nothing to others.
func parseAddress(what, text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return a, usagef("%s%q is not an IP address", what, text)
	}
	return a, nil
}

// checkLimit refuses a --limit that is none.
func checkLimit(most int) error {
	if most < 0 {
		return usagef("--limit %d is negative", most)
	}
	return nil
}
