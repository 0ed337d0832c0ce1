package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"fairlead/internal/pki"
)

func newPKI() *cobra.Command {
	cmd := &cobra.Command{Use: "pki", Short: "Make the certificates that sites prove themselves with", Args: cobra.NoArgs, RunE: showHelp}
	var dir string
	cmd.PersistentFlags().StringVarP(&dir, "dir", "d", "pki", "directory of the authority and the certificates")
	cmd.AddCommand(newPKIInit(&dir), newPKIIssue(&dir))
	return cmd
}

func newPKIInit(dir *string) *cobra.Command {
	var o pki.Options
	cmd := &cobra.Command{
		Use: "init", Short: "Make the authority that issues the sites' certificates", Args: cobra.NoArgs,
		Long: `Init makes ca.crt and ca.key. Copy ca.crt to every site; keep ca.key away from all of them: who has it can be any site.
Init never overwrites an authority.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkValidity(o.Validity); err != nil {
				return err
			}
			if err := pki.Init(*dir, o); err != nil {
				return exit(exitFailed, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "made an authority in %s: ca.crt goes to every site, ca.key stays here\n"+
				"next: fairlead pki issue --dir %s SITE\n", *dir, *dir)
			return nil
		},
	}
	o.Validity = 10 * 365 * 24 * time.Hour
	cmd.Flags().Var((*daysValue)(&o.Validity), "validity", "how long the authority is good, as 3650d")
	return cmd
}

func newPKIIssue(dir *string) *cobra.Command {
	var o pki.Options
	var ips []string
	cmd := &cobra.Command{
		Use: "issue SITE", Short: "Issue a site's certificate and key", Args: cobra.ExactArgs(1),
		Example: "  fairlead pki init\n  fairlead pki issue ams\n  fairlead pki issue nyc",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkValidity(o.Validity); err != nil {
				return err
			}
			for _, text := range ips {
				ip, err := parseAddress("--ip ", text)
				if err != nil {
					return err
				}
				o.IPs = append(o.IPs, ip)
			}
			paths, err := pki.Issue(*dir, args[0], o)
			switch {
			case errors.Is(err, pki.ErrName) || errors.Is(err, fs.ErrNotExist):
				return exit(exitUsage, err)
			case err != nil:
				return exit(exitFailed, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "issued %s and %s for site %s; in the node file:\n  mep:\n    tls: {cert: %s, key: %s, ca: %s}\n",
				paths.Cert, paths.Key, args[0], paths.Cert, paths.Key, paths.CA)
			return nil
		},
	}
	o.Validity = 365 * 24 * time.Hour
	cmd.Flags().Var((*daysValue)(&o.Validity), "validity", "how long the certificate is good, as 365d")
	cmd.Flags().StringSliceVar(&ips, "ip", nil, "further IP address in the certificate, for other programs")
	cmd.Flags().StringSliceVar(&o.DNSNames, "dns", nil, "further host name in the certificate, for other programs")
	cmd.Flags().BoolVar(&o.Force, "force", false, "replace the site's certificate and key")
	return cmd
}

func checkValidity(d time.Duration) error {
	if d <= 0 {
		return usagef("--validity %v is not above 0", d)
	}
	return nil
}
