package adns

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fairlead/gslb"
)

// TestReasonsAreListed reads the reasons where they are declared: each is listed, and in docs/decision.md.
func TestReasonsAreListed(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join("..", "docs", "decision.md"))
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range regexp.MustCompile(`gslb\.Reason += "([a-z-]+)"`).FindAllSubmatch(source, -1) {
			declared++
			if !slices.Contains(Reasons(), gslb.Reason(r[1])) {
				t.Errorf("Reasons lacks %q of %s", r[1], name)
			}
			if !strings.Contains(string(doc), "`"+string(r[1])+"`") {
				t.Errorf("docs/decision.md does not explain the reason %q", r[1])
			}
		}
	}
	if declared != len(Reasons()) {
		t.Errorf("%d reasons are declared, %d listed", declared, len(Reasons()))
	}
}
