package main

import (
	"fmt"
	"io"
	"strings"

	"fairlead/api/resource"
)

// Colours of differences on a terminal.
const (
	paintAdded   = "\x1b[32m"
	paintRemoved = "\x1b[31m"
	paintPlace   = "\x1b[36m"
	paintEnd     = "\x1b[0m"
)

// changeMarks are the marks of changed objects.
var changeMarks = map[string]string{"added": "+", "changed": "~", "removed": "-"}

// printPlan prints what a write does, or would do: objects, their differences, and what becomes of answers.
func printPlan(w io.Writer, r *resource.WriteResult, color bool) error {
	if len(r.Changes) == 0 {
		_, err := fmt.Fprintln(w, "nothing changes")
		return err
	}
	if err := printChanges(w, r.Changes, r.MoreChanges, color); err != nil {
		return err
	}
	for _, f := range r.Warnings {
		fmt.Fprintf(w, "warning: %s: %s [%s]\n", printable(placeOf(f.Pointer)), printable(f.Detail), printable(f.Code))
	}
	return printEffect(w, r.Effect)
}

// placeOf is where a fault lies, for people.
func placeOf(pointer string) string {
	pointer = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(pointer, "/objects/"), "/body"), "/")
	place, inside, found := strings.Cut(pointer, "/")
	if found {
		place += " " + strings.ReplaceAll(inside, "/", ".")
	}
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(place)
}

// printChanges prints changed objects, each with its difference.
func printChanges(w io.Writer, changes []resource.ObjectChange, more int, color bool) error {
	count := map[string]int{}
	for _, c := range changes {
		count[c.Change]++
		fmt.Fprintf(w, "%s %s/%s\n", changeMarks[c.Change], printable(c.Kind), printable(c.Name))
		printDiff(w, c.Diff, color)
	}
	counts := fmt.Sprintf("%d added, %d changed, %d removed", count["added"], count["changed"], count["removed"])
	if more > 0 {
		counts += fmt.Sprintf(", and %d more", more)
	}
	_, err := fmt.Fprintln(w, counts)
	return err
}

// printDiff prints the lines of a difference below its object, without the head that repeats what is called how.
func printDiff(w io.Writer, diff string, color bool) {
	for line := range strings.Lines(diff) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ") {
			continue
		}
		paint := ""
		switch {
		case strings.HasPrefix(line, "+"):
			paint = paintAdded
		case strings.HasPrefix(line, "-"):
			paint = paintRemoved
		case strings.HasPrefix(line, "@@"):
			paint = paintPlace
		}
		if line = printable(line); color && paint != "" {
			line = paint + line + paintEnd
		}
		fmt.Fprintln(w, "    "+line)
	}
}

// printEffect prints what becomes of answers.
func printEffect(w io.Writer, e *resource.WriteEffect) error {
	if e == nil {
		return nil
	}
	switch {
	case e.Queries == 0:
		fmt.Fprintln(w, "effect: there were no recent queries to tell by")
	default:
		fmt.Fprintf(w, "effect: %s of %d recent queries get another answer\n", percent(e.Moved), e.Queries)
	}
	for _, name := range e.NewNames {
		fmt.Fprintf(w, "  %s gets an answer\n", printable(name))
	}
	for _, name := range e.LostNames {
		fmt.Fprintf(w, "  %s LOSES its answer\n", printable(name))
	}
	if len(e.Names) == 0 {
		return nil
	}
	rows := [][]string{{"NAME", "QUERIES", "MOVED", "FROM", "TO"}}
	for _, n := range e.Names {
		rows = append(rows, []string{n.Name, fmt.Sprint(n.Queries), percent(n.Moved), shares(n.From), shares(n.To)})
	}
	if err := table(w, "  ", rows...); err != nil {
		return err
	}
	if e.More > 0 {
		fmt.Fprintf(w, "  and %d more names\n", e.More)
	}
	return nil
}

func shares(list []resource.EffectShare) string {
	if len(list) == 0 {
		return "nothing"
	}
	parts := make([]string, len(list))
	for i, s := range list {
		if parts[i] = s.Service; s.Part < 0.9995 {
			parts[i] += " " + percent(s.Part)
		}
	}
	return strings.Join(parts, ", ")
}

// printOutcome says what became of a write.
func printOutcome(w io.Writer, r *resource.WriteResult) error {
	var err error
	switch {
	case r.DryRun:
		_, err = fmt.Fprintln(w, "dry run: nothing was written")
	case r.Revision == "":
		_, err = fmt.Fprintf(w, "revision %s stays\n", shortRevision(r.Current))
	case r.ConfirmBy != "":
		_, err = fmt.Fprintf(w, "revision %s, undone at %s unless you say: fairlead confirm %[1]s\n", shortRevision(r.Revision), printable(r.ConfirmBy))
	default:
		_, err = fmt.Fprintf(w, "revision %s\n", shortRevision(r.Revision))
	}
	return err
}

// shortRevision is as much of a revision as people need.
func shortRevision(id string) string {
	if len(id) > 12 {
		id = id[:12]
	}
	return printable(id)
}

// countOf is a number of things in words.
func countOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
