package probe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fairlead/config"
)

// statusSet is the set of status codes that pass.
type statusSet []config.StatusRange

// parseStatusSet reads codes ("301") and ranges ("200-299") of a key of the document. None at all means 200-299.
func parseStatusSet(key string, words []string) (statusSet, error) {
	if len(words) == 0 {
		return statusSet{{Low: 200, High: 299}}, nil
	}
	set := make(statusSet, len(words))
	for i, w := range words {
		var err error
		if set[i], err = config.ParseStatusRange(w); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return set, nil
}

func (s statusSet) has(code int) bool {
	return slices.ContainsFunc(s, func(r config.StatusRange) bool { return r.Low <= code && code <= r.High })
}

// String returns the set as it is configured: "200-299 or 301".
func (s statusSet) String() string {
	words := make([]string, len(s))
	for i, r := range s {
		words[i] = strconv.Itoa(r.Low)
		if r.High != r.Low {
			words[i] += "-" + strconv.Itoa(r.High)
		}
	}
	return strings.Join(words, " or ")
}
