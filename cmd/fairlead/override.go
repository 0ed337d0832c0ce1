package main

import (
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/config"
)

// orderFlags are the flags of commands that order something.
type orderFlags struct {
	apiFlags
	site   bool
	reason string
	owner  string
	lasts  time.Duration
	wait   bool
}

func (f *orderFlags) add(cmd *cobra.Command, timed bool) {
	f.apiFlags.add(cmd)
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for those who will wonder")
	cmd.Flags().StringVar(&f.owner, "owner", "", "who (default: the user who calls)")
	if timed {
		f.lasts = 4 * time.Hour
		cmd.Flags().Var((*daysValue)(&f.lasts), "for", "how long, as 2h or 30d, from 1s to 30d; what shall stay belongs into the document")
		if err := cmd.MarkFlagRequired("reason"); err != nil {
			panic(err) // the flag is three lines above
		}
	}
}

// caller is who the process runs as.
func (f *orderFlags) caller() string {
	if f.owner != "" {
		return f.owner
	}
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "cli"
}

func newDisable() *cobra.Command {
	return newOrder("disable", "Take a service, a group, a site's services or a virtual server out of answers for a time")
}

func newEnable() *cobra.Command {
	return newOrder("enable", "Use a service, or the services of a group or site, for a time although the document disables it")
}

func newDrain() *cobra.Command {
	return newOrder("drain", "Give a service, a group, a site's services or a virtual server no new clients for a time; sessions are kept")
}

func newOrder(action, short string) *cobra.Command {
	var f orderFlags
	cmd := &cobra.Command{
		Use: action + " NAME|KIND/NAME --reason TEXT [--for 2h]", Short: short, Args: cobra.ExactArgs(1),
		Long: short + `.

All sites follow within seconds, and a restart does not end it. It ends by itself after --for, and with
"fairlead clear NAME". While it lasts it beats the document's state; it does not make a service UP that
monitors see DOWN (docs/belief.md).

NAME is a service. service-group/NAME is all services of a group, those that join it later included, and
site/NAME all of a site: an order about one service beats that about its group, which beats that about its
site. virtual-server/NAME is answered from its backup, whatever its members are: disabled for everybody,
draining for new clients. To enable it ends that.`,
		Example: "  fairlead " + action + " web-ams --reason \"kernel update\" --for 2h\n  fairlead " + action + " service-group/web --reason \"new release\" --for 30m",

		ValidArgsFunction: completeOrder,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, err := f.about(args[0])
			if err != nil {
				return err
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			o, err := c.Give(cmd.Context(), about, action, resource.Order{Reason: f.reason, For: f.lasts.String(), Owner: f.caller()})
			if err != nil {
				return apiError(err)
			}
			if err := printOverride(cmd, o, f.output); err != nil || !f.wait {
				return err
			}
			return waitForDrain(cmd, c, about.Name)
		},
	}
	f.add(cmd, true)
	cmd.Flags().BoolVar(&f.site, "site", false, "NAME is a site: all its services that have no override of their own")
	if action == "drain" {
		cmd.Flags().BoolVar(&f.wait, "wait", false, "wait until no resolver holds an answer with it, no session points to it, and its connections have ended")
		cmd.MarkFlagsMutuallyExclusive("site", "wait")
	}
	return cmd
}

func newClear() *cobra.Command {
	var f orderFlags
	cmd := &cobra.Command{
		Use: "clear NAME|KIND/NAME", Short: "End the override of a service, group, site or virtual server: what the document says counts again", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			about, err := f.about(args[0])
			if err != nil {
				return err
			}
			return f.withdraw(cmd, about, "clear")
		},

		ValidArgsFunction: completeOrder,
	}
	f.add(cmd, false)
	cmd.Flags().BoolVar(&f.site, "site", false, "NAME is a site")
	return cmd
}

func newRelease() *cobra.Command {
	var f orderFlags
	cmd := &cobra.Command{
		Use: "release VIRTUAL-SERVER", Short: "Return a virtual server that backup_hold keeps on its backup", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.withdraw(cmd, client.Subject{Kind: "virtual-servers", Name: args[0]}, "release")
		},
		ValidArgsFunction: completeNames(config.ObjectVirtualServer),
	}
	f.add(cmd, false)
	return cmd
}

func (f *orderFlags) withdraw(cmd *cobra.Command, about client.Subject, action string) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	o, err := c.Withdraw(cmd.Context(), about, action, resource.Withdrawal{Reason: f.reason, Owner: f.caller()})
	if err != nil {
		return apiError(err)
	}
	return printOverride(cmd, o, f.output)
}

func printOverride(cmd *cobra.Command, o *resource.Override, output string) error {
	w := cmd.OutOrStdout()
	switch {
	case output == "json":
		return printJSON(w, o)
	case o.Action == "clear" || o.Action == "release":
		_, err := fmt.Fprintf(w, "%s %s: %s\n", o.Kind, printable(o.Name), o.Action)
		return err
	}
	_, err := fmt.Fprintf(w, "%s %s: %s until %s, then as the document says\n", o.Kind, printable(o.Name), o.Action, o.Until.Format(time.RFC3339))
	return err
}

// drainPoll is the time between two looks at a service that drains.
const drainPoll = 2 * time.Second

// waitForDrain tells how a drain goes on, until nothing is left.
func waitForDrain(cmd *cobra.Command, c *client.Client, name string) error {
	said := ""
	for {
		s, err := c.Service(cmd.Context(), name)
		if err != nil {
			return apiError(err)
		}
		if s.Drain == nil && s.State == "UP" && (s.Override == nil || s.Override.Action != "drain") {
			return exit(exitFailed, fmt.Errorf("wait for %q: the order to drain it has ended, and it has new clients again; order it anew, with a longer --for", name))
		}
		line, done := drainLine(s, time.Now())
		if line != said {
			fmt.Fprintln(cmd.OutOrStdout(), line)
			said = line
		}
		if done {
			return nil
		}
		select {
		case <-cmd.Context().Done():
			return exit(exitFailed, fmt.Errorf("wait for %q: %w; it goes on draining", name, cmd.Context().Err()))
		case <-time.After(drainPoll):
		}
	}
}

// drainLine says what a service that drains has still before it. done: nothing that is known of.
func drainLine(s *resource.Service, now time.Time) (line string, done bool) {
	d := s.Drain
	switch {
	case d == nil && s.State == "UP":
		return fmt.Sprintf("%s is UP: the order is on its way", printable(s.Name)), false
	case d == nil:
		return fmt.Sprintf("%s is %s: nothing to wait for (%s)", printable(s.Name), s.State, printable(s.Reason)), true
	}
	resolvers, clients := ", no resolver holds an answer any more", d.Sessions != nil && *d.Sessions > 0
	if wait := d.ResolversUntil.Sub(now); wait > 0 {
		resolvers = ", resolvers may hold answers for " + duration(wait.Round(time.Second).Seconds())
	} else if clients {
		resolvers = ", whose clients are still sent to it"
	}
	connections, sessions, left := "connections are not reported", "", ""
	if d.Connections != nil {
		connections = fmt.Sprintf("%d connections", *d.Connections)
	}
	if clients {
		sessions = fmt.Sprintf(", %d sessions", *d.Sessions)
	}
	if d.EstimateSeconds != nil && *d.EstimateSeconds >= 1 {
		left = "; about " + duration(*d.EstimateSeconds) + " left"
	}
	done = !clients && !d.ResolversUntil.After(now) && (d.Connections == nil || *d.Connections == 0)
	return connections + sessions + resolvers + left, done
}
