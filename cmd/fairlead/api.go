package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/internal/access"
)

// apiFlags are the flags of commands that ask a running node.
type apiFlags struct {
	address   string
	output    string
	token     string
	tokenFile string
	ca        string
	cert, key string
}

func (f *apiFlags) add(cmd *cobra.Command) {
	f.reach(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "table, or json: the API's own answer")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if f.output != "table" && f.output != "json" {
			return usagef("--output %q is neither table nor json", f.output)
		}
		return nil
	}
}

// reach adds the flags that say which node is asked, and by whom.
func (f *apiFlags) reach(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.address, "api", "", "address of the node's API (default $FAIRLEAD_API, else "+client.DefaultAddress+")")
	cmd.Flags().StringVar(&f.token, "token", "", "token to ask with; others on this machine may see it: rather use --token-file or $FAIRLEAD_TOKEN")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "file that holds the token")
	cmd.Flags().StringVar(&f.ca, "ca", "", "PEM file with the authorities of the node's certificate (default: the system's)")
	cmd.Flags().StringVar(&f.cert, "cert", "", "PEM file with a client certificate to show")
	cmd.Flags().StringVar(&f.key, "key", "", "PEM file with its private key")
	cmd.MarkFlagsMutuallyExclusive("token", "token-file")
}

func (f *apiFlags) client() (*client.Client, error) {
	address := f.address
	if address == "" {
		address = os.Getenv("FAIRLEAD_API")
	}
	if address == "" {
		address = client.DefaultAddress
	}
	token, err := f.secret()
	if err != nil {
		return nil, exit(exitUsage, err)
	}
	c, err := client.Open(client.Options{Address: address, Token: token, CAFile: f.ca, CertFile: f.cert, KeyFile: f.key})
	if err != nil {
		return nil, exit(exitUsage, err)
	}
	return c, nil
}

// maxTokenFile bounds a file that holds a token, in bytes.
const maxTokenFile = 4096

// secret is the token to ask with; empty: none.
func (f *apiFlags) secret() (string, error) {
	switch {
	case f.token != "":
		return f.token, nil
	case f.tokenFile == "":
		return os.Getenv("FAIRLEAD_TOKEN"), nil
	}
	file, err := os.Open(f.tokenFile)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxTokenFile))
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
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
		return exit(exitUnreachable, withRemedy(err))
	case errors.As(err, &missing):
		return exit(exitNotFound, err)
	case errors.As(err, &refused) && slices.ContainsFunc(refused.Errors, func(f resource.Fault) bool { return f.Code == string(access.NoCredentials) }):
		return exit(exitNotAllowed, fmt.Errorf("%w; here: --token-file or FAIRLEAD_TOKEN, or --cert and --key", err))
	case errors.As(err, &refused):
		return exit(refusalCode(refused.Status, refused.Errors), err)
	}
	return exit(exitFailed, err)
}

// withRemedy adds to the error of a node that was not reached what may help.
func withRemedy(err error) error {
	var dialed *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return fmt.Errorf("%w; --ca names the file of the authority that issued its certificate", err)
	case errors.As(err, &dialed) && dialed.Op == "dial":
		return fmt.Errorf("%w; is it running, and is this its api.listen? --api or FAIRLEAD_API names another address", err)
	}
	return err
}

// refusalCode is the exit code of a request that a node refused for these faults.
func refusalCode(status int, faults []resource.Fault) int {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return exitNotAllowed
	}
	bad := status == http.StatusUnprocessableEntity || status == http.StatusBadRequest
	code := exitFailed
	for _, f := range faults {
		switch f.Code {
		case resource.CodeNoSuchService, resource.CodeNoSuchSite, resource.CodeNoSuchVirtualServer, resource.CodeNothingToEnd, resource.CodeNoSuchToken,
			resource.CodeNoSuchObject, resource.CodeNoSuchRevision, resource.CodeNoSuchConflict:
			if code == exitFailed {
				code = exitNotFound
			}
		case resource.CodeSiteSilent:
			return exitUnreachable
		case resource.CodeNameTaken, resource.CodeStale, resource.CodeReadOnly, resource.CodeAnswersLost, resource.CodeKeyReused, resource.CodeNothingToKeep:
			return exitConflict
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
