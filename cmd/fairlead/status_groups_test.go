package main

import (
	"strings"
	"testing"
)

func TestStatusOfGroups(t *testing.T) {
	const at = `"at": "2026-11-22T06:00:00Z"`
	tests := []struct {
		name, list string // what the API says of groups; empty: it lacks the resource
		want       string // the section
	}{
		{"an older node", "", ""},
		{"none", `{"groups": [], ` + at + `}`, ""},
		{"some", `{"groups": [
			{"name": "api", "resolves": "api.pods.test", "addresses": ["192.0.2.1", "192.0.2.2"], "draining": ["192.0.2.3"], "left_out": 4, "age_seconds": 12},
			{"name": "web", "resolves": "web.pods.test", "addresses": [], "failure": "one\ntwo\u001b[31m"},
			{"name": "x", "resolves": "", "site": "edge", "label": "blue", "members": ["one"], "addresses": ["192.0.2.1"], "refused": 2, "age_seconds": 1, "failure": "why"}], ` + at + `}`,
			"GROUP  FROM           ADDRESSES                 RESOLVED  FAILURE\n" +
				"api    api.pods.test  2, 1 draining, 4 left out  12s ago   \n" +
				"web    web.pods.test  0                         never     one; two\\x1b[31m\n" +
				"x site edge, label blue 1, 2 refused 1s ago why\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out, problems output
			if code := run(t.Context(), []string{"status", "--api", fakeStatus(t, "/v1/status/groups?limit=20", test.list)}, &out, &problems); code != exitDone {
				t.Fatalf("exit code %d: %s", code, problems.String())
			}
			_, got, _ := strings.Cut(out.String(), "WHY\n")
			squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
			if squeeze(got) != squeeze(test.want) {
				t.Errorf("section is\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}
