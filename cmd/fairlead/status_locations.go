package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"fairlead/api/client"
	"fairlead/api/resource"
)

// locationFiles returns how the node's location files are. Nil: there are none, or the node is of a release that does not
// tell.
func locationFiles(ctx context.Context, c *client.Client) (*resource.GeoFileList, error) {
	list, err := c.LocationFiles(ctx)
	var missing *client.NotFound
	switch {
	case errors.As(err, &missing):
		return nil, nil
	case err != nil:
		return nil, err
	case len(list.Files) == 0:
		return nil, nil
	}
	return list, nil
}

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
