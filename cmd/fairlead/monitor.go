package main

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
)

func newMonitor() *cobra.Command {
	cmd := &cobra.Command{
		Use: "monitor", Short: "Show what monitors say, and run one of them once", Args: cobra.NoArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(newMonitorTest(), newMonitorList())
	return cmd
}

func newMonitorList() *cobra.Command {
	var f apiFlags
	var service string
	var states []string
	cmd := &cobra.Command{
		Use: "list [NAME]", Short: "Show what a node's monitors say of each address", Args: cobra.MaximumNArgs(1),
		Long: `List shows the verdicts of the monitors that the node runs itself, by service: since when, what the last probe saw, how long it took, and how many
probes in a row failed or passed. What other sites see is in fairlead status.`,
		Example: "  fairlead monitor list\n  fairlead monitor list web-ok --state DOWN",
		RunE: func(cmd *cobra.Command, args []string) error {
			name := strings.Join(args, "")
			if err := verdictStates(states); err != nil {
				return err
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			services, err := monitored(cmd, c, service)
			if err != nil {
				return apiError(err)
			}
			list := []listedVerdict{}
			for _, s := range services {
				for _, v := range s.Monitors {
					if (name == "" || v.Monitor == name) && (len(states) == 0 || isOneOf(states, &v)) {
						list = append(list, listedVerdict{s.Name, v})
					}
				}
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), map[string]any{"monitors": list})
			}
			return printVerdicts(cmd.OutOrStdout(), list)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&service, "service", "", "of this service only")
	cmd.Flags().StringSliceVar(&states, "state", nil, "in one of these states only: UP, DOWN, UNKNOWN, DRAINING")
	return cmd
}

// listedVerdict is a verdict with its service.
type listedVerdict struct {
	Service string `json:"service"`
	resource.MonitorVerdict
}

// draining is how the state of what is UP and draining is asked for and shown.
const draining = "DRAINING"

func verdictStates(states []string) error {
	known := []string{"UP", "DOWN", "UNKNOWN", draining}
	for i, s := range states {
		states[i] = strings.ToUpper(s)
		if !strings.Contains(" "+strings.Join(known, " ")+" ", " "+states[i]+" ") {
			return usagef("--state %q is not one of %s", s, strings.Join(known, ", "))
		}
	}
	return nil
}

func isOneOf(states []string, v *resource.MonitorVerdict) bool {
	for _, s := range states {
		if s == v.State || s == draining && v.Draining {
			return true
		}
	}
	return false
}

// monitored returns one service, or all.
func monitored(cmd *cobra.Command, c *client.Client, service string) ([]resource.Service, error) {
	if service != "" {
		s, err := c.Service(cmd.Context(), service)
		if err != nil {
			return nil, err
		}
		return []resource.Service{*s}, nil
	}
	all, err := c.Services(cmd.Context(), client.ServiceFilter{})
	if err != nil {
		return nil, err
	}
	return all.Services, nil
}

func printVerdicts(w io.Writer, list []listedVerdict) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no such monitor runs here")
		return err
	}
	rows := [][]string{{"SERVICE", "MONITOR", "TYPE", "ADDRESS", "STATE", "FOR", "PROBED", "TOOK", "IN A ROW", "WHY"}}
	for _, v := range list {
		state := v.State
		if v.Draining {
			state += " (draining)"
		}
		probed := ago(v.AgeSeconds)
		if v.AgeSeconds != nil {
			probed += " ago"
		}
		rows = append(rows, []string{v.Service, v.Monitor, v.Type, hostPort(v.Address.String(), v.Port), state, ago(v.SinceAgeSeconds), probed, latency(v.LatencySeconds),
			inARow(&v.MonitorVerdict), orDash(v.Reason) + valuesText(v.Values)})
	}
	return table(w, "", rows...)
}

func latency(seconds float64) string {
	if seconds == 0 {
		return "-"
	}
	return duration(seconds)
}

func inARow(v *resource.MonitorVerdict) string {
	switch {
	case v.Failures > 0:
		return fmt.Sprintf("%d failed", v.Failures)
	case v.Successes > 0:
		return fmt.Sprintf("%d passed", v.Successes)
	}
	return "-"
}

func valuesText(values []resource.MonitorValue) string {
	var parts []string
	for _, v := range values {
		parts = append(parts, fmt.Sprintf("%s=%s%s", v.Name, strconv.FormatFloat(v.Value, 'g', 6, 64), v.Unit))
	}
	if parts == nil {
		return ""
	}
	return " [" + strings.Join(parts, " ") + "]"
}

func hostPort(address string, port int) string {
	if port == 0 {
		return address
	}
	return net.JoinHostPort(address, strconv.Itoa(port))
}
