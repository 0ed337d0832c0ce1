package main

import (
	"fmt"
	"io"
	"strings"

	"fairlead/api/resource"
)

const (
	// screenWidth is what an explanation for people fits in.
	screenWidth = 100
	// shownCandidates is how many candidates of a step are shown without --verbose.
	shownCandidates = 12
	// leastDetail is how much of a candidate's text is shown however long its name is.
	leastDetail = 24
)

// printBecause tells the steps that made the answer what it is, and leaves out those that did not matter.
func printBecause(w io.Writer, e *resource.Explanation) error {
	fmt.Fprintln(w, "\nbecause")
	for i := range e.Trace.Entries {
		step := &e.Trace.Entries[i]
		if !matters(e, i) {
			continue
		}
		label := string(step.Step)
		text := string(step.Reason)
		if step.VirtualServer != "" && step.Step == resource.StepVirtualServer {
			text = step.VirtualServer + ": " + text
		}
		if step.Step == resource.StepCandidates {
			text = fmt.Sprintf("%d of %d members may be picked", step.After, step.Before)
		} else if detail := strings.TrimPrefix(step.Detail, "method "+text+"; "); detail != "" && detail != "method "+text {
			text += ": " + detail
		}
		wrapped(w, fmt.Sprintf("  %-15s", label), printable(text))
		if err := printCandidates(w, step); err != nil {
			return err
		}
	}
	return nil
}

// matters reports whether a step is worth a line at three in the morning.
func matters(e *resource.Explanation, i int) bool {
	step := &e.Trace.Entries[i]
	switch step.Step {
	case resource.StepLearn:
		return false
	case resource.StepName:
		return step.Reason != resource.ReasonBalanced || len(e.Trace.Entries) == 1
	case resource.StepPersistence:
		return step.Reason != resource.ReasonSessionNew
	case resource.StepPolicy:
		return step.Reason != resource.ReasonNoPolicy
	}
	return true
}

// printCandidates shows who was left out, and what a method compared.
func printCandidates(w io.Writer, step *resource.Step) error {
	if step.Step == resource.StepAnswer {
		return nil
	}
	const indent = 17
	name, age := 0, 0
	for i := range step.Candidates {
		c := &step.Candidates[i]
		name, age = max(name, len([]rune(printable(nameAt(c))))), max(age, len(ageOf(c)))
	}
	width := max(screenWidth-indent-len("=>")-name-age-3*len("  "), leastDetail)
	var rows [][]string
	more := 0
	for i := range step.Candidates {
		c := &step.Candidates[i]
		if step.Step == resource.StepCandidates && c.Kept {
			continue
		}
		if len(rows) >= shownCandidates && !c.Kept {
			more++
			continue
		}
		rows = append(rows, shortRow(step, c, width))
	}
	if err := table(w, strings.Repeat(" ", indent), rows...); err != nil {
		return err
	}
	if more > 0 {
		fmt.Fprintf(w, "%*sand %d more; --verbose lists all\n", indent, "", more)
	}
	return nil
}

// nameAt is a candidate's name with its site.
func nameAt(c *resource.Candidate) string {
	if c.Site == "" {
		return c.Service
	}
	return c.Service + " (" + c.Site + ")"
}

// ageOf is how old a candidate's evidence is.
func ageOf(c *resource.Candidate) string {
	if c.AgeSeconds < 0 || c.Source == "" {
		return ""
	}
	return duration(c.AgeSeconds) + " old"
}

// shortRow is a candidate without what is long: its text has at most width characters.
func shortRow(step *resource.Step, c *resource.Candidate, width int) []string {
	mark := "  "
	if c.Kept {
		mark = "=>"
	}
	name := nameAt(c)
	age := ageOf(c)
	if step.Step != resource.StepMethod {
		text := string(c.Reason)
		if c.Metric != "" {
			text += strings.TrimRight(fmt.Sprintf(": %s %.6g %s", c.Metric, c.Value, c.Unit), " ")
		}
		if c.Detail != "" {
			text += "  " + c.Detail
		}
		return []string{mark, name, clipped(text, width), age}
	}
	if c.Metric == "" {
		return []string{mark, name, clipped(c.Detail, width), age}
	}
	return []string{mark, name, clipped(strings.TrimSpace(fmt.Sprintf("%s %.4g %s", c.Metric, c.Value, c.Unit)), width), age}
}

// clipped shortens a text to a number of characters.
func clipped(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return s
}

// printCounterfactuals tells what would change the answer.
func printCounterfactuals(w io.Writer, e *resource.Explanation) error {
	if len(e.Counterfactuals) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nwhat else")
	width := 0
	for i := range e.Counterfactuals {
		c := &e.Counterfactuals[i]
		width = max(width, len([]rune(printable(c.Service+" ("+c.Site+")"))))
	}
	for i := range e.Counterfactuals {
		c := &e.Counterfactuals[i]
		text := c.Text
		if len(c.Changes) > 0 {
			text = "would be answered " + text
		}
		wrapped(w, fmt.Sprintf("  %-*s  ", width, printable(c.Service+" ("+c.Site+")")), printable(text))
	}
	return nil
}

// wrapped prints a text beside a label, in lines that fit the screen.
func wrapped(w io.Writer, label, text string) {
	indent := strings.Repeat(" ", len([]rune(label)))
	line, used := label, len(indent)
	for i, word := range strings.Fields(text) {
		n := len([]rune(word))
		if i > 0 && used+1+n > screenWidth {
			fmt.Fprintln(w, line)
			line, used = indent, len(indent)
		} else if i > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}
