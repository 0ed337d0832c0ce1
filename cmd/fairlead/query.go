package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/internal/query"
)

func newQuery() *cobra.Command {
	var r query.Request
	var subnet string
	var short bool
	cmd := &cobra.Command{
		Use:   "query NAME @SERVER",
		Short: "Ask a DNS server one question",
		Example: `  fairlead query www.gslb.example.com @192.0.2.53
  fairlead query www.gslb.example.com @127.0.0.1:5301 --subnet 198.51.100.0/24 --type AAAA`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.Name, r.Server, err = nameAndServer(args); err != nil {
				return err
			}
			if subnet != "" {
				if r.Subnet, err = parseSubnet(subnet); err != nil {
					return err
				}
			}
			return runQuery(cmd, r, short)
		},
	}
	cmd.Flags().StringVarP(&r.Type, "type", "t", query.DefaultType, "record type")
	cmd.Flags().StringVar(&subnet, "subnet", "", "client subnet to send (EDNS Client Subnet), an address or a prefix")
	cmd.Flags().BoolVar(&r.TCP, "tcp", false, "ask over TCP")
	cmd.Flags().BoolVar(&r.NoEDNS, "no-edns", false, "ask without EDNS")
	cmd.Flags().BoolVar(&r.Recurse, "recurse", false, "set the recursion desired flag")
	cmd.Flags().DurationVar(&r.Timeout, "timeout", query.DefaultTimeout, "longest wait for an answer")
	cmd.Flags().BoolVar(&short, "short", false, "print the answers' data only")
	return cmd
}

// nameAndServer takes the two arguments in either order; the server's begins with @.
func nameAndServer(args []string) (name, server string, err error) {
	name, server = args[0], args[1]
	if strings.HasPrefix(name, "@") {
		name, server = server, name
	}
	if !strings.HasPrefix(server, "@") || strings.HasPrefix(name, "@") {
		return "", "", usagef("give one name and one server, the server with an @: fairlead query www.example.com @127.0.0.1:5301")
	}
	return name, server[1:], nil
}

// parseSubnet reads a prefix, or an address, which stands for what resolvers send of it: /24 or /56.
func parseSubnet(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, usagef("--subnet %q is neither a prefix such as 198.51.100.0/24 nor an address", text)
	}
	bits := 56
	if a.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(a, bits).Masked(), nil
}

func runQuery(cmd *cobra.Command, r query.Request, short bool) error {
	if r.Timeout <= 0 || r.Timeout > time.Hour {
		return usagef("--timeout %v is not within 1ns and 1h", r.Timeout)
	}
	result, err := query.Do(cmd.Context(), r)
	var usage *query.UsageError
	var unreachable *query.UnreachableError
	switch {
	case errors.As(err, &usage):
		return exit(exitUsage, err)
	case errors.As(err, &unreachable):
		return exit(exitUnreachable, err)
	case err != nil:
		return exit(exitFailed, err)
	}
	if short {
		for _, line := range result.Short() {
			fmt.Fprintln(cmd.OutOrStdout(), line)
		}
		return nil
	}
	return result.Write(cmd.OutOrStdout())
}
