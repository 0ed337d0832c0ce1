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
	if got := print(equal); strings.Contains(got, "ROLE") || strings.Contains(got, "PARTITION") {
		t.Errorf("roles of equals:\n%s", got)
	}
	cut := []resource.Site{equal[0], {Name: "nyc", Relation: "mesh", AnswersDNS: true, Reach: "lost", Partition: "nyc is heard by sin, not by ams"}}
	if got := print(cut); !strings.Contains(got, "\nPARTITION: nyc is heard by sin, not by ams\n") {
		t.Errorf("a partition:\n%s", got)
	}
	got := print(append(equal,
		resource.Site{Name: "a", Relation: "child", Parents: []string{"ams", "nyc"}, AttachedTo: "nyc", Reach: "heard", Via: "nyc"},
		resource.Site{Name: "b", Relation: "relayed", Parents: []string{"nyc", "ams"}, AnswersDNS: true, Reach: "lost", LearningUntil: at.Add(time.Second)},
		resource.Site{Name: "e", Relation: "child", Parents: []string{"nyc", "ams"}, Reach: "heard", Peer: "up", LearningUntil: at.Add(time.Second)},
		resource.Site{Name: "f", Relation: "child", Parents: []string{"nyc", "ams"}, Reach: "heard", Peer: "up", Via: "f"},
		resource.Site{Name: "g", Relation: "child", Parents: []string{"nyc", "ams"}, Reach: "heard", Peer: "up", Via: "g", AttachedTo: "ams", LearningUntil: at.Add(time.Second)},
		resource.Site{Name: "c", Relation: "foreign", Reach: "foreign"},
		resource.Site{Name: "d", Relation: "mesh", Reach: "left"}))
	rows := map[string][2]string{"a": {"child, at nyc ", "heard via nyc "}, "b": {"child of nyc, ams; answers DNS ", "lost, learning until 03:04:06 UTC "},
		"e": {"child of nyc, ams ", "there, reports elsewhere "}, "f": {"child of nyc, ams ", "there, reports elsewhere "},
		"g": {"child, at ams ", "heard, learning until 03:04:06 UTC "}, "c": {"foreign ", "foreign "}, "d": {"mesh; no DNS ", "left "}, "nyc": {"mesh ", "heard "}}
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

// TestSitesThatAnswerOtherwise: a column says whether sites answer alike, and why not stands below.
func TestSitesThatAnswerOtherwise(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	objects := make([]resource.DisagreementItem, mostObjects+1)
	for i := range objects {
		objects[i] = resource.DisagreementItem{Name: "web", Detail: "web is UP here and DOWN\n at sin"}
	}
	list := &resource.SiteList{At: at, Sites: []resource.Site{
		{Name: "ams", Document: "same"},
		{Name: "nyc", Document: "same", Agreement: &resource.Agreement{State: "agrees"}},
		{Name: "sin", Document: "same", Agreement: &resource.Agreement{State: "differs", Since: at.Add(-time.Minute), Causes: []resource.Disagreement{
			{Cause: "override", Objects: objects[:1]}, {Cause: "health", Objects: objects}}}},
		{Name: "tyo", Document: "unknown", Agreement: &resource.Agreement{State: "unknown"}},
	}}
	var b strings.Builder
	if err := printSites(&b, list); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{"DOCUMENT  ANSWERS", "same      - ", "same      same ", "same      differ: override ", "unknown   unknown ",
		"\nsin differs from this node for 1m0s:\n  override: web is UP here and DOWN\\n at sin\n  health: web is UP", "  health: and more; "} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "web is UP"); n != 1+mostObjects {
		t.Errorf("%d things are shown, want %d", n, 1+mostObjects)
	}
}
