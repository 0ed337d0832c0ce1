package gslb

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReasonsAreDocumented reads the reasons where they are declared: each must be in docs/decision.md.
func TestReasonsAreDocumented(t *testing.T) {
	source, err := os.ReadFile("reason.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join("..", "docs", "decision.md"))
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`Reason = "([^"]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(reasons) < 30 {
		t.Fatalf("found %d reasons in reason.go; the pattern does not fit it any more", len(reasons))
	}
	if listed := Reasons(); len(listed) != len(reasons) {
		t.Errorf("Reasons lists %d of %d", len(listed), len(reasons))
	}
	for _, r := range reasons {
		if !slices.Contains(Reasons(), Reason(r[1])) {
			t.Errorf("Reasons lacks %q", r[1])
		}
		if !strings.Contains(string(doc), "`"+r[1]+"`") {
			t.Errorf("docs/decision.md does not explain the reason %q", r[1])
		}
	}
}
