package main

import (
	"context"
	"errors"
	"io"
	"time"

	"fairlead/api/client"
	"fairlead/api/resource"
)

// standingOverrides returns what operators want for a time; nil when there is nothing, or the node is of a release without.
func standingOverrides(ctx context.Context, c *client.Client) (*resource.OverrideList, error) {
	list, err := c.Overrides(ctx)
	var missing *client.NotFound
	switch {
	case errors.As(err, &missing):
		return nil, nil
	case err != nil:
		return nil, err
	case len(list.Overrides) == 0:
		return nil, nil
	}
	return list, nil
}

func printOverrides(w io.Writer, list *resource.OverrideList) error {
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	rows := [][]string{{"OVERRIDE", "OF", "NAME", "UNTIL", "BY", "AT", "WHY"}}
	for _, o := range list.Overrides {
		until := "released"
		if !o.Until.IsZero() {
			until = o.Until.Format(time.RFC3339)
		}
		rows = append(rows, []string{o.Action, o.Kind, o.Name, until, o.Owner, o.Site, o.Reason})
	}
	return table(w, "", rows...)
}
