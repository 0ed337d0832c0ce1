package main

import (
	"io"
	"time"

	"fairlead/api/resource"
)

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
