package main

import (
	"fmt"
	"io"
	"strings"

	"fairlead/api/resource"
)

// printLocationFiles prints the section of location files, after a blank line.
func printLocationFiles(w io.Writer, list *resource.GeoFileList) error {
	fmt.Fprintln(w)
	rows := [][]string{{"LOCATION FILE", "FORMAT", "USED", "ENTRIES", "WRITTEN", "FAILURE"}}
	for _, f := range list.Files {
		used, written, failure := "no", "-", "-"
		if f.Used {
			used = "yes"
		}
		if f.Changed != nil {
			written = since(list.At, *f.Changed) + " ago"
		}
		if f.Failure != "" {
			failure = strings.ReplaceAll(f.Failure, "\n", "; ")
		}
		rows = append(rows, []string{f.File, f.Format, used, fmt.Sprint(f.Entries), written, failure})
	}
	return table(w, "", rows...)
}
