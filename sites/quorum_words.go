package sites

import (
	"fmt"
	"strings"
)

// mostNames is how many sites a reason names.
const mostNames = 5

// words says how the votes stand: of the family that most see DOWN.
func (q *quorum) words(e *evidence, names [2][]string, regions [2]regions) string {
	c, f, what := &q.count, 0, "it"
	if c.down[1] > c.down[0] {
		f = 1
	}
	if len(e.service.Addresses) > 1 && c.down[0] != c.down[1] {
		what = [2]string{"its IPv4 address", "its IPv6 address"}[f]
	} else if len(e.service.Addresses) == 1 {
		f = family(e.service.Addresses[0])
	}
	if !c.enough {
		out := fmt.Sprintf("only %d of the %d sites asked %s heard, and %d must agree", c.heard, len(q.seats), isAre(c.heard), q.agree)
		if c.heard >= q.agree {
			out = fmt.Sprintf("%d of the %d sites asked are heard, from too few regions: %d must agree", c.heard, len(q.seats), q.regions)
		}
		return out
	}
	var b strings.Builder
	switch c.down[f] {
	case 0:
		fmt.Fprintf(&b, "none of %d sites sees %s DOWN", len(q.seats), what)
	case 1:
		fmt.Fprintf(&b, "1 of %d sites sees %s DOWN (%s)", len(q.seats), what, listed(names[f]))
	default:
		fmt.Fprintf(&b, "%d of %d sites see %s DOWN (%s)", c.down[f], len(q.seats), what, listed(names[f]))
	}
	fmt.Fprintf(&b, "; %d must", q.agree)
	if q.regions > 1 {
		fmt.Fprintf(&b, ", from %d regions", q.regions)
		if n := len(regions[f]); c.down[f] >= q.agree && n < q.regions {
			fmt.Fprintf(&b, " and these are from %d", n)
		}
	}
	if left := len(q.seats) - c.heard; left > 0 {
		fmt.Fprintf(&b, "; %d %s not heard", left, isAre(left))
	}
	return b.String()
}

// drainWords says how the votes stand about a service that asks to be drained.
func (q *quorum) drainWords(u *unfitness) string {
	var b strings.Builder
	verb := "sees"
	if len(u.draining) > 1 {
		verb = "see"
	}
	fmt.Fprintf(&b, "%d of %d sites %s it DRAINING (%s)", len(u.draining), len(q.seats), verb, listed(u.draining))
	if len(u.down) > 0 {
		fmt.Fprintf(&b, ", %d DOWN (%s)", len(u.down), listed(u.down))
	}
	fmt.Fprintf(&b, "; %d must", q.agree)
	if q.regions > 1 {
		fmt.Fprintf(&b, ", from %d regions", q.regions)
	}
	return b.String()
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// listed names sites, as many as a reason has room for.
func listed(names []string) string {
	if len(names) > mostNames {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNames], ", "), len(names)-mostNames)
	}
	return strings.Join(names, ", ")
}
