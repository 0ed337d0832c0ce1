package house

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dependencyFile says for each direct dependency why it is here.
const dependencyFile = "docs/dependencies.md"

// dependencyHeading starts its tables.
const dependencyHeading = "| Module | Version |"

// release is an exact version that its authors released; a pseudo-version names a commit that they did not.
var release = regexp.MustCompile(`^v\d+\.\d+\.\d+(-(alpha|beta|rc)[.\d]*)?(\+incompatible)?$`)

// requirement is one direct requirement of a go.mod file.
type requirement struct {
	module, version string
	file            string
	line            int
}

// directRequirements reads what a go.mod requires without "// indirect". A module of tools requires what its tool lines
// name.
func directRequirements(t *tree, file string) (direct []requirement, found []finding) {
	var tools []string
	block := ""
	for i, line := range strings.Split(string(t.text[file]), "\n") {
		code, comment, _ := strings.Cut(line, "//")
		words := strings.Fields(code)
		switch {
		case len(words) == 0:
			continue
		case words[0] == ")":
			block = ""
			continue
		case len(words) == 2 && words[1] == "(":
			block = words[0]
			continue
		case block != "":
			words = append([]string{block}, words...)
		}
		switch words[0] {
		case "tool":
			tools = append(tools, words[1])
		case "replace", "exclude":
			found = append(found, finding{file, i + 1, words[0] + " works in this module only, and not for those who import it or run go install: require a release that works"})
		case "require":
			isTool := slices.ContainsFunc(tools, func(tool string) bool { return strings.HasPrefix(tool, words[1]+"/") })
			if strings.Contains(comment, "indirect") && !isTool {
				continue
			}
			direct = append(direct, requirement{words[1], words[2], file, i + 1})
		}
	}
	return direct, found
}

// checkModules holds go.mod and the reasons in the dependency document together.
func checkModules(t *tree) []finding {
	var found []finding
	required := map[string]requirement{}
	for _, file := range []string{"go.mod", "tools/go.mod"} {
		direct, problems := directRequirements(t, file)
		found = append(found, problems...)
		for _, r := range direct {
			required[r.module] = r
			if !release.MatchString(r.version) {
				found = append(found, finding{r.file, r.line, fmt.Sprintf("%s %s is not a release: require one", r.module, r.version)})
			}
		}
	}
	explained := map[string]bool{}
	for _, row := range dependencyRows(t) {
		module, version := strings.Trim(row.cells[0], "`"), row.cells[1]
		at := func(format string, args ...any) {
			found = append(found, finding{dependencyFile, row.line, fmt.Sprintf(format, args...)})
		}
		r, ok := required[module]
		switch {
		case explained[module]:
			at("%s has two rows", module)
		case !ok:
			at("no go.mod requires %s directly: remove the row", module)
		case r.version != version:
			at("%s is at %s in %s, not at %s", module, r.version, r.file, version)
		case slices.Contains(row.cells, ""):
			at("the row of %s has an empty cell", module)
		}
		explained[module] = true
	}
	for _, module := range slices.Sorted(maps.Keys(required)) {
		if r := required[module]; !explained[module] {
			found = append(found, finding{r.file, r.line, fmt.Sprintf("%s has no row in %s: say why it is here and what we would do without it", module, dependencyFile)})
		}
	}
	return found
}

// tableRow is a row of a Markdown table.
type tableRow struct {
	line  int
	cells []string
}

func dependencyRows(t *tree) []tableRow {
	var rows []tableRow
	inside := false
	for i, line := range strings.Split(string(t.text[dependencyFile]), "\n") {
		switch {
		case strings.HasPrefix(line, dependencyHeading):
			inside = true
		case !strings.HasPrefix(line, "|"):
			inside = false
		case inside && !strings.HasPrefix(line, "|-"):
			row := tableRow{line: i + 1}
			for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
				row.cells = append(row.cells, strings.TrimSpace(cell))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func TestModules(t *testing.T) { hold(t, checkModules) }

func TestModulesCatches(t *testing.T) {
	const mod = "-- go.mod --\nmodule fairlead\n\nrequire (\n\texample.com/a v1.2.3\n\texample.com/b v0.1.0 // indirect\n)\n"
	const head = "-- docs/dependencies.md --\n| Module | Version | Why |\n|---|---|---|\n"
	const row = "| `example.com/a` | v1.2.3 | it does a |\n"
	catches(t, checkModules, []example{
		{"good", mod + head + row, nil},
		{"tool", mod + "-- tools/go.mod --\nmodule tools\ntool example.com/c/cmd/c\nrequire example.com/c v0.1.0 // indirect\n" +
			head + row + "| `example.com/c` | v0.1.0 | it checks |\n", nil},
		{"no row", mod + head, []string{"go.mod:4: example.com/a has no row"}},
		{"row without requirement", mod + head + row + "| `example.com/b` | v0.1.0 | why |\n",
			[]string{"docs/dependencies.md:4: no go.mod requires example.com/b directly"}},
		{"version", mod + head + "| `example.com/a` | v1.2.4 | it does a |\n", []string{"docs/dependencies.md:3: example.com/a is at v1.2.3"}},
		{"no reason", mod + head + "| `example.com/a` | v1.2.3 |  |\n", []string{"docs/dependencies.md:3: the row of example.com/a has an empty cell"}},
		{"twice", mod + head + row + row, []string{"docs/dependencies.md:4: example.com/a has two rows"}},
		{"pseudo-version", "-- go.mod --\nmodule fairlead\nrequire example.com/a v0.0.0-20240102030405-0123456789ab\n" + head +
			"| `example.com/a` | v0.0.0-20240102030405-0123456789ab | it does a |\n", []string{"go.mod:2: example.com/a v0.0.0-20240102030405-0123456789ab is not a release"}},
		{"replace", mod + "replace example.com/a => ../a\n" + head + row, []string{"go.mod:7: replace works"}},
	})
}
