package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
)

// shownEntries is how many sessions or resolvers are listed unless more are asked for.
const shownEntries = 100

// sessionFlags say which sessions.
type sessionFlags struct {
	apiFlags
	filter client.SessionFilter
}

func (f *sessionFlags) add(cmd *cobra.Command) {
	f.apiFlags.add(cmd)
	cmd.Flags().StringVar(&f.filter.VirtualServer, "virtual-server", "", "only sessions of this virtual server")
	cmd.Flags().StringVar(&f.filter.Client, "client", "", "only sessions of this client, an address")
}

func (f *sessionFlags) check() error {
	if f.filter.Client != "" {
		if _, err := parseAddress("--client ", f.filter.Client); err != nil {
			return err
		}
	}
	return checkLimit(f.filter.Most)
}

func newSessions() *cobra.Command {
	var f sessionFlags
	cmd := &cobra.Command{
		Use: "sessions", Short: "Show which clients stay where they were sent", Args: cobra.NoArgs,
		Long: `Sessions lists what persistence, and spillover with persistence, remembers at this node: the network that stands for the
client, its service, and when the session ends unless it is used.`,
		Example: "  fairlead sessions --virtual-server web\n  fairlead sessions --client 203.0.113.7\n  fairlead sessions drop --client 203.0.113.7",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			list, err := c.Sessions(cmd.Context(), f.filter)
			if err != nil {
				return apiError(err)
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), list)
			}
			return printSessions(cmd.OutOrStdout(), list)
		},
	}
	f.add(cmd)
	cmd.Flags().IntVar(&f.filter.Most, "limit", shownEntries, "most sessions; 0: all")
	cmd.AddCommand(newSessionsDrop())
	return cmd
}

func newSessionsDrop() *cobra.Command {
	var f sessionFlags
	var all bool
	cmd := &cobra.Command{
		Use: "drop", Short: "Forget sessions: the clients are decided anew", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if narrow := f.filter != (client.SessionFilter{}); narrow == all {
				return usagef("say which sessions: --virtual-server, --client or both, or --all")
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			n, err := c.DropSessions(cmd.Context(), f.filter)
			if err != nil {
				return apiError(err)
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), resource.Dropped{Dropped: n})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "forgot %d sessions\n", n)
			return err
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "forget all sessions")
	return cmd
}

func printSessions(w io.Writer, list *resource.SessionList) error {
	fmt.Fprintf(w, "sessions: %d of at most %d, %d gave way\n", list.Counts.Entries, list.Counts.Max, list.Counts.Evictions)
	if err := printSessionUses(w, list); err != nil {
		return err
	}
	if len(list.Sessions) == 0 {
		return nil
	}
	if len(list.Uses) > 0 {
		fmt.Fprintln(w)
	}
	rows := [][]string{{"CLIENT", "KIND", "SERVICE", "ENDS IN", "VIRTUAL SERVERS"}}
	for i := range list.Sessions {
		s := &list.Sessions[i]
		rows = append(rows, []string{s.Client.String(), orDash(s.Kind), orDash(s.Service), duration(s.EndsInSeconds), orDash(strings.Join(s.VirtualServers, " "))})
	}
	if err := table(w, "", rows...); err != nil {
		return err
	}
	if list.NextCursor != "" {
		fmt.Fprintln(w, "and more; --limit 0 lists all")
	}
	return nil
}

// printSessionUses prints who keeps sessions, after a blank line.
func printSessionUses(w io.Writer, list *resource.SessionList) error {
	if len(list.Uses) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	rows := [][]string{{"SESSIONS OF", "KIND", "NOW", "FROM PEERS", "CREATED", "HONOURED", "EXPIRED"}}
	for i := range list.Uses {
		u := &list.Uses[i]
		rows = append(rows, []string{u.VirtualServer, u.Kind, fmt.Sprint(u.Now), fmt.Sprint(u.FromPeers), fmt.Sprint(u.Created), fmt.Sprint(u.Honoured), fmt.Sprint(u.Expired)})
	}
	if err := table(w, "", rows...); err != nil {
		return err
	}
	if list.MoreUses {
		fmt.Fprintln(w, "and more; fairlead sessions --virtual-server NAME tells of one")
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
