package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/api/resource"
)

func newLocate() *cobra.Command {
	var f apiFlags
	cmd := &cobra.Command{
		Use:   "locate ADDRESS",
		Short: "Show where an address is, and how close the sites are",
		Long: `Locate prints what the document's locations and the node's location files say about an address: its place, its
coordinates, which of them says so, and the sites by how close they are.`,
		Example: `  fairlead locate 203.0.113.7
  fairlead locate 2001:db8::7 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := parseAddress("", args[0]); err != nil {
				return err
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			at, err := c.Locate(cmd.Context(), args[0])
			if err != nil {
				return apiError(err)
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), at)
			}
			return printLocated(cmd.OutOrStdout(), at)
		},
	}
	f.add(cmd)
	return cmd
}

func printLocated(w io.Writer, at *resource.Located) error {
	place := at.Place
	switch {
	case len(at.Sources) == 0:
		place = "nothing is known"
	case place == "":
		place = "no place"
	}
	line := fmt.Sprintf("%s: %s", at.Address, place)
	if at.Latitude != nil && at.Longitude != nil {
		line += fmt.Sprintf(" (%g, %g)", *at.Latitude, *at.Longitude)
	}
	fmt.Fprintln(w, printable(line))
	fmt.Fprintf(w, "the same is said of %s to %s; decisions look at %d bits\n", at.First, at.Last, at.Scope)
	if len(at.Sources) > 0 {
		fmt.Fprintln(w, printable("source: "+strings.Join(at.Sources, ", ")))
	}
	fmt.Fprintln(w)
	rows := [][]string{{"SITE", "RANK", "PLACE MATCH", "DISTANCE"}}
	for _, s := range at.Sites {
		rank, distance := "-", "-"
		if s.Rank > 0 {
			rank = fmt.Sprint(s.Rank)
		}
		if s.Kilometres != nil {
			distance = fmt.Sprintf("%.0f km", *s.Kilometres)
		}
		rows = append(rows, []string{s.Site, rank, fmt.Sprint(s.Depth), distance})
	}
	return table(w, "", rows...)
}
