package api

import (
	"fmt"
	"strings"
	"time"
)

// maxGatheredNamed is how many groups people are told of.
const maxGatheredNamed = 5

// Gathering is a document that is written and waits for what its new groups resolve to. The zero value: none does.
type Gathering struct {
	Since    time.Time
	Revision string   // the newest one that waits
	Groups   []string // that have not answered yet, by name
}

// String tells of it in one line; empty: none waits.
func (g Gathering) String() string {
	if g.Since.IsZero() {
		return ""
	}
	what := "the groups of it that are new"
	if n := len(g.Groups); n > 0 {
		what = "group " + g.Groups[0]
		if n > 1 {
			what = "groups " + strings.Join(g.Groups[:min(n, maxGatheredNamed)], ", ")
		}
		if n > maxGatheredNamed {
			what += fmt.Sprintf(" and %d more", n-maxGatheredNamed)
		}
	}
	return fmt.Sprintf("revision %.8s waits since %s for what %s resolves to; the document before is served meanwhile", g.Revision, g.Since.UTC().Format(time.RFC3339), what)
}
