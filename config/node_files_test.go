package config

import (
	"os"
	"path/filepath"
	"testing"
)

// TestHintsOfFilesThatCannotBeRead: only a file that is not there may be one whose path starts elsewhere.
func TestHintsOfFilesThatCannotBeRead(t *testing.T) {
	path := writeNode(t, goodNode, 0o600)
	doc := filepath.Join(filepath.Dir(path), "doc.yaml")
	hint := func() string {
		t.Helper()
		report, err := CheckFile(path)
		if err != nil || report.Errors() != 1 {
			t.Fatalf("%v, want one error:\n%s", err, rendered(t, report))
		}
		return report.Problems()[0].Hint
	}
	if err := os.Remove(doc); err != nil {
		t.Fatal(err)
	}
	if got := hint(); got != "the path is relative to the node file" {
		t.Errorf("missing file: hint %q", got)
	}
	if err := os.Mkdir(doc, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := hint(); got != "" {
		t.Errorf("directory: hint %q", got)
	}
}
