package doctor

import (
	"fmt"
	"strings"
	"time"
)

// Level is how a check ended.
type Level string

// Levels.
const (
	OK      Level = "ok"
	Warning Level = "warning" // it works, but not well, or not for long
	Failed  Level = "failed"  // it does not work
	Skipped Level = "skipped" // Seen says why
)

// Check is one thing that was looked at.
type Check struct {
	// Check is the stable name of what is looked at, Subject which one of several: a zone, a site, a file. Subject may be empty.
	Check   string `json:"check"`
	Subject string `json:"subject,omitempty"`
	Level   Level  `json:"level"`
	// Seen is what there is; Why is what follows from it and Do what to do about it, both empty when all is well.
	Seen string `json:"seen"`
	Why  string `json:"why,omitempty"`
	Do   string `json:"do,omitempty"`
}

// Report is all checks, in an order that does not change from one run to the next.
type Report struct {
	At     time.Time     `json:"at"`
	Site   string        `json:"site,omitempty"` // of the node; empty: it is not known
	Checks []Check       `json:"checks"`
	Counts map[Level]int `json:"counts"` // all levels, also those that did not occur
}

// Failed reports whether any check failed.
func (r *Report) Failed() bool { return r.Counts[Failed] > 0 }

func newReport(at time.Time, site string, checks []Check) *Report {
	r := &Report{At: at.UTC().Truncate(time.Second), Site: site, Checks: checks, Counts: map[Level]int{OK: 0, Warning: 0, Failed: 0, Skipped: 0}}
	for _, c := range checks {
		r.Counts[c.Level]++
	}
	return r
}

// maxFindings is how many checks of one kind are listed; further ones are counted.
const maxFindings = 100

// findings collects the checks of one kind.
type findings struct {
	check string
	list  []Check
	over  int
}

func (f *findings) add(level Level, subject, seen, why, do string) {
	if len(f.list) >= maxFindings {
		f.over++
		return
	}
	f.list = append(f.list, Check{Check: f.check, Subject: clip(subject), Level: level, Seen: clip(seen), Why: why, Do: do})
}

func (f *findings) ok(subject, format string, args ...any) {
	f.add(OK, subject, fmt.Sprintf(format, args...), "", "")
}

func (f *findings) skip(subject, format string, args ...any) {
	f.add(Skipped, subject, fmt.Sprintf(format, args...), "", "")
}

// timeUp reports what is not known because the time for all checks ended. That is no fault of what was looked at.
func (f *findings) timeUp(subject string) {
	f.add(Warning, subject, "it had not ended when the time was up", "nothing is known of it", "ask again with a longer --timeout")
}

func (f *findings) all() []Check {
	if f.over > 0 {
		return append(f.list, Check{Check: f.check, Level: Skipped, Seen: fmt.Sprintf("%d more are not listed", f.over)})
	}
	return f.list
}

// maxText bounds a text that may come from elsewhere, in bytes.
const maxText = 500

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return s[:maxText] + "…"
}

// countOf is a number with its noun.
func countOf(n int, noun string) string {
	stem, last := noun[:len(noun)-1], noun[len(noun)-1]
	switch {
	case n == 1:
	case last == 'y' && !strings.ContainsRune("aeou", rune(stem[len(stem)-1])):
		noun = stem + "ies"
	case last == 's':
		noun += "es"
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
