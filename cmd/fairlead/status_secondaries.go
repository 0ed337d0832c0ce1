package main

import (
	"fmt"
	"io"
	"strings"

	"fairlead/api/resource"
)

// maxFailingShown is how many zones that fail are listed; the API has all.
const maxFailingShown = 20

// printSecondaries prints the section of zones from primaries, after a blank line.
func printSecondaries(w io.Writer, list *resource.SecondaryList) error {
	n := list.Counts
	fmt.Fprintf(w, "\nzones from primaries: %d served, %d not served, %d failing\n", n.Served, n.Unserved, n.Failing)
	if len(list.Secondaries) == 0 {
		return nil
	}
	rows := [][]string{{"ZONE", "SERIAL", "CONFIRMED", "SERVED", "FAILURE"}}
	for _, z := range list.Secondaries {
		serial, confirmed, served := "-", "never", "no"
		if z.Serial != nil {
			serial = fmt.Sprint(*z.Serial)
		}
		if z.Confirmed != nil {
			confirmed = since(list.At, *z.Confirmed) + " ago"
		}
		if z.Served {
			served = "yes"
		}
		rows = append(rows, []string{z.Zone, serial, confirmed, served, strings.ReplaceAll(z.Failure, "\n", "; ")})
	}
	if err := table(w, "", rows...); err != nil {
		return err
	}
	if more := n.Failing - len(list.Secondaries); more > 0 {
		fmt.Fprintf(w, "and %d more; /v1/status/secondaries?failing=true lists them all\n", more)
	}
	return nil
}
