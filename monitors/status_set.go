package monitors

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// statusSet is the set of status codes that pass.
type statusSet []statusRange

type statusRange struct{ first, last int }

// parseStatusSet reads codes ("301") and ranges ("200-299"). None at all means 200-299.
func parseStatusSet(words []string) (statusSet, error) {
	if len(words) == 0 {
		return statusSet{{200, 299}}, nil
	}
	set := make(statusSet, 0, len(words))
	for _, w := range words {
		first, last, isRange := strings.Cut(w, "-")
		if !isRange {
			last = first
		}
		a, errA := strconv.Atoi(strings.TrimSpace(first))
		b, errB := strconv.Atoi(strings.TrimSpace(last))
		if errA != nil || errB != nil || a < 100 || b > 599 || a > b {
			return nil, fmt.Errorf("http.expect_status %q is neither a code (200) nor a range (200-299)", w)
		}
		set = append(set, statusRange{a, b})
	}
	return set, nil
}

func (s statusSet) has(code int) bool {
	return slices.ContainsFunc(s, func(r statusRange) bool { return r.first <= code && code <= r.last })
}

// String returns the set as it is configured: "200-299 or 301".
func (s statusSet) String() string {
	words := make([]string, len(s))
	for i, r := range s {
		words[i] = strconv.Itoa(r.first)
		if r.last != r.first {
			words[i] += "-" + strconv.Itoa(r.last)
		}
	}
	return strings.Join(words, " or ")
}
