package config_test

import (
	"path/filepath"
	"testing"

	"fairlead/config"
	"fairlead/gslb"
)

// TestWhatIsLeftCompiles removes each object, and each pair of them, from documents: what is left can be served, or there is no document.
func TestWhatIsLeftCompiles(t *testing.T) {
	files, err := filepath.Glob("../examples/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	served := 0
	for _, file := range files {
		src, err := config.ReadSource(file)
		if err != nil {
			t.Fatal(err)
		}
		whole, report := src.Objects()
		if report.Errors() > 0 {
			continue // a node file
		}
		var keys []config.ObjectKey
		for o := range whole.All {
			keys = append(keys, o.Key())
		}
		for i, a := range keys {
			for _, b := range keys[i:] {
				objects := whole.With(nil, []config.ObjectKey{a, b})
				doc, report := config.Assemble(objects, config.AssembleOptions{Lenient: true})
				if doc == nil {
					continue
				}
				if _, err := gslb.Compile(doc.Expanded(nil), gslb.CompileOptions{}); err != nil {
					t.Errorf("%s without %s and %s: %v; left out: %v", file, a, b, err, report.Problems())
				}
				served++
			}
		}
	}
	if served < 100 {
		t.Errorf("only %d documents were served", served)
	}
}
