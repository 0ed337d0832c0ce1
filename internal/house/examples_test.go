package house

import (
	"fmt"
	"slices"
	"testing"

	"fairlead/config"
)

// Where each kind of monitor and of load source has a section with an example.
const (
	probesPage = "docs/probes.md"
	loadPage   = "docs/load.md"
)

// checkKinds holds the pages to an example, which loads, of every kind of probe and of load source.
func checkKinds(t *tree) []finding {
	shown := map[string][]string{}
	for _, block := range yamlBlocks(t) {
		if block.file != probesPage && block.file != loadPage || !documentKey.MatchString(block.text) {
			continue
		}
		doc, report := config.Parse(config.Source{Name: block.file, Text: []byte(block.text)})
		if report.Errors() > 0 {
			continue // checkYAMLBlocks says so
		}
		for i := range doc.Monitors {
			shown[probesPage] = append(shown[probesPage], string(doc.Monitors[i].Type))
		}
		for i := range doc.Services {
			if l := doc.Services[i].Load; l != nil {
				shown[loadPage] = append(shown[loadPage], string(l.Source))
			}
		}
	}
	var found []finding
	for _, page := range []struct {
		file, what string
		kinds      []string
	}{{probesPage, "monitor of type", config.MonitorType("").Enum()}, {loadPage, "load source", config.LoadKind("").Enum()}} {
		if t.text[page.file] == nil {
			continue
		}
		for _, kind := range page.kinds {
			if !slices.Contains(shown[page.file], kind) {
				found = append(found, finding{page.file, 1, fmt.Sprintf("no YAML block has a %s %q: give it a section with an example", page.what, kind)})
			}
		}
	}
	return found
}

func TestKinds(t *testing.T) { hold(t, checkKinds) }

func TestKindsCatches(t *testing.T) {
	var want []string
	for _, kind := range config.LoadKind("").Enum() {
		if kind != "push" {
			want = append(want, fmt.Sprintf("docs/load.md:1: no YAML block has a load source %q", kind))
		}
	}
	const push = "```yaml\nsites: [{name: ams, address: 192.0.2.10}]\nservices: [{name: web, site: ams, addresses: [192.0.2.80], load: {source: push}}]\n```\n"
	catches(t, checkKinds, []example{
		{"no such pages", "-- docs/a.md --\ntext\n", nil},
		{"most are missing", "-- docs/load.md --\n" + push, want},
		{"elsewhere does not count", "-- docs/load.md --\ntext\n-- docs/a.md --\n" + push, append(want, `docs/load.md:1: no YAML block has a load source "push"`)},
	})
}
