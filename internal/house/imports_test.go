package house

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tableFile holds the import table; the document is the law and this file only enforces it.
const tableFile = "docs/architecture.md"

// tableHeading starts the import table.
const tableHeading = "| room | may import"

// anything is the word for a room that may import all others.
const anything = "anything"

// rooms is the import table: what each room may import. A room is a directory with everything below it that has no
// row of its own; "config/..." is what is below config, without config itself.
type rooms map[string][]string

var backticked = regexp.MustCompile("`([^`]+)`")

// importTable reads the table from the architecture document.
func importTable(t *tree) (rooms, []finding) {
	table := rooms{}
	inside := false
	for i, line := range strings.Split(string(t.text[tableFile]), "\n") {
		switch {
		case strings.HasPrefix(line, tableHeading):
			inside = true
		case !strings.HasPrefix(line, "|"):
			inside = false
		case inside && !strings.HasPrefix(line, "|-"):
			cells := strings.Split(line, "|")
			name := backticked.FindStringSubmatch(cells[1])
			if name == nil || len(cells) < 4 {
				return nil, []finding{{tableFile, i + 1, "a row of the import table needs a room in backticks and a cell with what it may import"}}
			}
			allowed := []string{}
			for _, match := range backticked.FindAllStringSubmatch(cells[2], -1) {
				allowed = append(allowed, match[1])
			}
			switch text := strings.TrimSpace(cells[2]); {
			case strings.HasPrefix(text, anything):
				allowed = append(allowed, anything)
			case len(allowed) == 0 && text != "nothing":
				return nil, []finding{{tableFile, i + 1, `write "nothing", "anything" or rooms in backticks`}}
			}
			table[name[1]] = allowed
		}
	}
	if len(table) == 0 {
		return nil, []finding{{tableFile, 1, "no import table: it starts with " + strconv.Quote(tableHeading)}}
	}
	return table, nil
}

// of returns the room that a package belongs to: the row with the longest matching name.
func (r rooms) of(dir string) string {
	if _, ok := r[dir]; ok {
		return dir
	}
	for parent := dir; strings.Contains(parent, "/"); {
		parent = parent[:strings.LastIndex(parent, "/")]
		if _, ok := r[parent+"/..."]; ok {
			return parent + "/..."
		}
		if _, ok := r[parent]; ok {
			return parent
		}
	}
	return ""
}

// checkImports holds the import table. Tests inside a package keep to its row, but may use the test kit; tests in a
// _test package stand outside and may import anything.
func checkImports(t *tree) []finding {
	table, found := importTable(t)
	if found != nil {
		return found
	}
	for _, f := range t.gofs {
		from := table.of(f.dir())
		if from == "" {
			found = append(found, t.at(f.ast.Package, "package %s has no row in the import table of %s: add one, and say there what the room is for", f.dir(), tableFile))
			continue
		}
		for _, spec := range f.ast.Imports {
			importPath, _ := strconv.Unquote(spec.Path.Value)
			dir, ours := strings.CutPrefix(importPath, module+"/")
			if !ours {
				continue
			}
			if problem := table.refuses(f, from, table.of(dir)); problem != "" {
				found = append(found, t.at(spec.Pos(), "imports %s: %s", dir, problem))
			}
		}
	}
	return found
}

// refuses says why a file of one room may not import another; "" when it may.
func (r rooms) refuses(f goFile, from, to string) string {
	const testkit = "internal/testkit"
	allowed := r[from]
	switch {
	case to == testkit && !f.test && from != testkit:
		return "only tests may import the test kit"
	case to == "":
		return "it has no row in the import table of " + tableFile
	case from == to, f.external(), f.test && to == testkit, slices.Contains(allowed, anything), slices.Contains(allowed, to):
		return ""
	case f.test:
		return fmt.Sprintf("room %s may import %s; a test that needs more belongs into package %s_test", from, list(allowed), f.ast.Name)
	}
	return fmt.Sprintf("room %s may import %s (import table in %s); move the code, or pass what you need in through an interface or function", from, list(allowed), tableFile)
}

func list(rooms []string) string {
	if len(rooms) == 0 {
		return "nothing of ours"
	}
	return strings.Join(rooms, ", ")
}

func TestImports(t *testing.T) { hold(t, checkImports) }

// TestImportTableHasNoDeadNames finds rows that allow rooms which have no row themselves.
func TestImportTableHasNoDeadNames(t *testing.T) {
	table, found := importTable(repository(t))
	for _, f := range found {
		t.Error(f)
	}
	for _, room := range slices.Sorted(maps.Keys(table)) {
		for _, allowed := range table[room] {
			if _, ok := table[allowed]; !ok && allowed != anything {
				t.Errorf("%s: the row of %s names %s, which has no row", tableFile, room, allowed)
			}
		}
	}
}

func TestImportsCatches(t *testing.T) {
	const table = "-- docs/architecture.md --\n" +
		"| room | may import (of ours) |\n|---|---|\n" +
		"| `config` (the model) | nothing |\n" +
		"| `config/...` | `config`, `mep` |\n" +
		"| `mep` | `config` |\n" +
		"| `cmd` | anything |\n" +
		"| `internal/testkit` | anything |\n"
	catches(t, checkImports, []example{
		{"allowed", table + "-- mep/a.go --\npackage mep\nimport \"fairlead/config\"\n" +
			"-- mep/wire/a.go --\npackage wire\nimport \"fairlead/mep\"\nimport \"net\"\n" +
			"-- config/store/a.go --\npackage store\nimport \"fairlead/mep\"\n" +
			"-- cmd/fairlead/a.go --\npackage main\nimport \"fairlead/config/store\"\n", nil},
		{"upwards", table + "-- config/a.go --\npackage config\nimport \"fairlead/mep\"\n",
			[]string{"config/a.go:2: imports mep: room config may import nothing of ours"}},
		{"sideways below", table + "-- mep/wire/a.go --\npackage wire\nimport \"fairlead/config/store\"\n",
			[]string{"mep/wire/a.go:2: imports config/store: room mep may import config"}},
		{"no row", table + "-- extra/a.go --\npackage extra\n",
			[]string{"extra/a.go:1: package extra has no row"}},
		{"imports what has no row", table + "-- cmd/fairlead/a.go --\npackage main\nimport \"fairlead/extra\"\n",
			[]string{"cmd/fairlead/a.go:2: imports extra: it has no row"}},
		{"test kit outside tests", table + "-- cmd/fairlead/a.go --\npackage main\nimport \"fairlead/internal/testkit\"\n",
			[]string{"cmd/fairlead/a.go:2: imports internal/testkit: only tests"}},
		{"test kit in tests", table + "-- mep/a_test.go --\npackage mep\nimport \"fairlead/internal/testkit\"\n", nil},
		{"test inside", table + "-- config/a_test.go --\npackage config\nimport \"fairlead/mep\"\n",
			[]string{"config/a_test.go:2: imports mep: room config may import nothing of ours; a test that needs more belongs into package config_test"}},
		{"test outside", table + "-- config/a_test.go --\npackage config_test\nimport \"fairlead/mep\"\n", nil},
		{"no table", "-- docs/architecture.md --\nnothing here\n", []string{"docs/architecture.md:1: no import table"}},
		{"unreadable row", "-- docs/architecture.md --\n| room | may import |\n|---|---|\n| `mep` | some |\n",
			[]string{"docs/architecture.md:3: write"}},
	})
}

// yamlModule is imported from one file only, so that what it does with hostile bytes is guarded in one place.
const (
	yamlModule = "gopkg.in/yaml.v3"
	yamlFile   = "config/yaml.go"
)

func checkYAMLImport(t *tree) []finding {
	var found []finding
	for _, f := range t.gofs {
		for _, spec := range f.ast.Imports {
			if importPath, _ := strconv.Unquote(spec.Path.Value); importPath == yamlModule && f.path != yamlFile {
				found = append(found, t.at(spec.Pos(), "imports %s: only %s may, because it guards against what the module does with hostile bytes; use package config", yamlModule, yamlFile))
			}
		}
	}
	return found
}

func TestYAMLImport(t *testing.T) { hold(t, checkYAMLImport) }

func TestYAMLImportCatches(t *testing.T) {
	catches(t, checkYAMLImport, []example{
		{"the one file", "-- config/yaml.go --\npackage config\nimport \"gopkg.in/yaml.v3\"\n", nil},
		{"another", "-- api/a.go --\npackage api\nimport y \"gopkg.in/yaml.v3\"\n", []string{"api/a.go:2: imports gopkg.in/yaml.v3"}},
	})
}
