package main

import (
	"fmt"
	"io"
	"strings"

	"fairlead/api/resource"
)

// maxGroupsShown is how many autoscaled groups are listed; the API has all.
const maxGroupsShown = 20

// printGroups prints the section of autoscaled groups, after a blank line.
func printGroups(w io.Writer, list *resource.GroupList) error {
	fmt.Fprintln(w)
	rows := [][]string{{"GROUP", "FROM", "ADDRESSES", "RESOLVED", "FAILURE"}}
	for _, g := range list.Groups {
		addresses := fmt.Sprint(len(g.Addresses))
		if n := len(g.Draining); n > 0 {
			addresses += fmt.Sprintf(", %d draining", n)
		}
		if g.LeftOut > 0 {
			addresses += fmt.Sprintf(", %d left out", g.LeftOut)
		}
		resolved := "never"
		if g.AgeSeconds != nil {
			resolved = ago(g.AgeSeconds) + " ago"
		}
		from := g.Resolves
		if g.Site != "" {
			from = "site " + g.Site + ", label " + g.Label
		}
		if g.Refused > 0 {
			addresses += fmt.Sprintf(", %d refused", g.Refused)
		}
		rows = append(rows, []string{g.Name, from, addresses, resolved, strings.ReplaceAll(g.Failure, "\n", "; ")})
	}
	if err := table(w, "", rows...); err != nil {
		return err
	}
	if list.NextCursor != "" {
		fmt.Fprintln(w, "and more; /v1/status/groups lists them all")
	}
	return nil
}
