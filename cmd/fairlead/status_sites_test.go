package main

import (
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
)

// TestSitesThatAreNotEqual: roles and reach have columns where there are children or foreign sites, and none where all are equals.
func TestSitesThatAreNotEqual(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	equal := []resource.Site{{Name: "ams", Relation: "local", AnswersDNS: true, Reach: "here"}, {Name: "nyc", Relation: "mesh", AnswersDNS: true, Reach: "heard", Via: "nyc"}}
	print := func(list []resource.Site) string {
		var b strings.Builder
		if err := printSites(&b, &resource.SiteList{Sites: list, At: at}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := print(equal); strings.Contains(got, "ROLE") {
		t.Errorf("roles of equals:\n%s", got)
	}
	got := print(append(equal,
		resource.Site{Name: "a", Relation: "child", Parents: []string{"ams", "nyc"}, AttachedTo: "nyc", Reach: "heard", Via: "nyc"},
		resource.Site{Name: "b", Relation: "relayed", Parents: []string{"nyc", "ams"}, AnswersDNS: true, Reach: "lost", LearningUntil: at.Add(time.Second)},
		resource.Site{Name: "c", Relation: "foreign", Reach: "foreign"},
		resource.Site{Name: "d", Relation: "mesh", Reach: "left"}))
	rows := map[string][2]string{"a": {"child, at nyc ", "heard via nyc "}, "b": {"child of nyc, ams; answers DNS ", "lost, learning until 03:04:06 UTC "},
		"c": {"foreign ", "foreign "}, "d": {"mesh; no DNS ", "left "}, "nyc": {"mesh ", "heard "}}
	for line := range strings.Lines(got) {
		name, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimLeft(rest, " ")
		want, ok := rows[name]
		if !ok {
			continue
		}
		if delete(rows, name); !strings.HasPrefix(rest, want[0]) || !strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(rest, want[0]), " "), want[1]) {
			t.Errorf("row of %s: %q, want %q and %q", name, line, want[0], want[1])
		}
	}
	if len(rows) > 0 {
		t.Errorf("no rows of %v in\n%s", rows, got)
	}
}
