package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/config"
	"fairlead/internal/doctor"
)

// doctorFlags are the flags of fairlead doctor.
type doctorFlags struct {
	apiFlags
	config    string
	resolvers []string
	timeout   time.Duration
}

func newDoctor() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor [--config NODE.yaml] [--api ADDRESS]",
		Short: "Look for what is wrong with a site: files, machine, delegation, other sites, the running node",
		Long: `Doctor checks a site before its first start, or when something is wrong, and says of each thing what it saw, why that matters and
what to do. It changes nothing.

With --config it looks at what is on this machine: the node file and all files it names, certificates, the data directory, addresses
and limits. Run it as the user that Fairlead runs as. It asks the running node at --api, else at the address in the node file.
For each zone it goes from the parent's name servers down to each server of the zone, and asks that over UDP and TCP.

Exit codes: 0 nothing failed (there may be warnings); 1 something failed; 2 usage.`,
		Example: "  fairlead doctor --config /etc/fairlead/node.yaml\n  fairlead doctor --api https://ams.example.com:8053 --token-file viewer.token -o json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd, &f) },
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&f.config, "config", "f", "", "node file, as fairlead serve takes it")
	cmd.Flags().StringSliceVar(&f.resolvers, "resolver", nil, "resolver that finds the parents of zones, as address or address:port (default: the system's)")
	cmd.Flags().DurationVar(&f.timeout, "timeout", doctor.DefaultTimeout, "time for all checks together")
	return cmd
}

func runDoctor(cmd *cobra.Command, f *doctorFlags) error {
	if f.timeout <= 0 || f.timeout > time.Hour {
		return usagef("--timeout %v is not within 1ns and 1h", f.timeout)
	}
	began := time.Now()
	o := doctor.Options{Config: f.config, Timeout: f.timeout, Version: version(), Expected: f.address != "" || os.Getenv("FAIRLEAD_API") != "" || f.config == ""}
	for _, text := range f.resolvers {
		server, err := resolverAddress(text)
		if err != nil {
			return err
		}
		o.Resolvers = append(o.Resolvers, server)
	}
	if !o.Expected {
		f.address = apiOf(cmd.Context(), f.config, f.timeout/apiShare)
	}
	c, err := f.client()
	if err != nil {
		return err
	}
	defer c.Close()
	o.API = c
	done := showWaiting(cmd.ErrOrStderr(), "looking")
	o.Timeout = max(f.timeout-time.Since(began), time.Millisecond)
	report := doctor.Run(cmd.Context(), o)
	done()
	out := cmd.OutOrStdout()
	if f.output == "json" {
		err = printJSON(out, report)
	} else {
		err = printDoctor(out, report, colorful(out))
	}
	switch {
	case err != nil:
		return exit(exitFailed, err)
	case report.Failed() || cmd.Context().Err() != nil:
		return exit(exitFailed, cmd.Context().Err())
	}
	return nil
}

// resolverAddress reads a resolver; without a port it is 53.
func resolverAddress(text string) (string, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a, 53).String(), nil
	}
	if _, err := netip.ParseAddrPort(text); err != nil {
		return "", usagef("--resolver %q is neither an IP address nor one with a port", text)
	}
	return text, nil
}

// apiShare is the part of the time that reading the node file for the address of its API may take.
const apiShare = 10

// apiOf is where the node of a file has its API, as seen from this machine; the usual place when the file does not say, or is not read in time.
func apiOf(ctx context.Context, file string, limit time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	read := make(chan *config.Node, 1)
	go func() {
		n, _, err := config.LoadNode(file)
		if err != nil {
			n = nil
		}
		read <- n
	}()
	var n *config.Node
	select {
	case n = <-read:
	case <-ctx.Done():
	}
	if n == nil || n.API.Listen == "" {
		return client.DefaultAddress
	}
	address := n.API.Listen
	if host, port, err := net.SplitHostPort(address); err == nil {
		if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
			address = net.JoinHostPort("127.0.0.1", port)
		}
	}
	if n.API.Secure() {
		return "https://" + address
	}
	return address
}

// printDoctor prints a report for people: a line for each check, with why and what to do below those that are not well.
func printDoctor(w io.Writer, r *doctor.Report, color bool) error {
	paint := map[doctor.Level]string{doctor.OK: "\x1b[32m", doctor.Warning: "\x1b[1;33m", doctor.Failed: "\x1b[1;31m", doctor.Skipped: "\x1b[2m"}
	var b strings.Builder
	for _, c := range r.Checks {
		level := fmt.Sprintf("%-8s", c.Level)
		if color {
			level = paint[c.Level] + level + "\x1b[0m"
		}
		subject := ""
		if c.Subject != "" {
			subject = " " + printable(c.Subject)
		}
		fmt.Fprintf(&b, "%s %s%s: %s\n", level, c.Check, subject, printable(c.Seen))
		if c.Why != "" {
			fmt.Fprintf(&b, "           why: %s\n", printable(c.Why))
		}
		if c.Do != "" {
			fmt.Fprintf(&b, "           do:  %s\n", printable(c.Do))
		}
	}
	n := r.Counts
	fmt.Fprintf(&b, "%d ok, %s, %d failed, %d skipped\n", n[doctor.OK], countOf(n[doctor.Warning], "warning"), n[doctor.Failed], n[doctor.Skipped])
	_, err := io.WriteString(w, b.String())
	return err
}
