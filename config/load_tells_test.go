package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestExamplesAreToldTheirLoad: the warning is none about documents that people begin with.
func TestExamplesAreToldTheirLoad(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "examples", "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "node-") {
			continue
		}
		source, err := ReadSource(file)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		_, report := Parse(source)
		for _, p := range report.Problems() {
			if p.Code == codeWarnNoLoad {
				t.Errorf("%s", p.String())
			}
		}
	}
	if seen < 2 {
		t.Fatalf("found %d examples", seen)
	}
}
