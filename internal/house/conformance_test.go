package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// conformanceFile says which RFC's row is shown by which test.
const conformanceFile = "docs/conformance.md"

var (
	// namedTest is how a test is named there: directory, function, and the beginning of a subtest's name.
	namedTest = regexp.MustCompile(`^([a-z][a-z0-9/_]*)\.((?:Test|Fuzz)[A-Za-z0-9_]*)(?:/(.+))?$`)
	// rowOfTest is how a subtest names the row that it shows.
	rowOfTest = regexp.MustCompile(`^(row|hostile) (\d+)\b`)
)

// suite is what a package's tests have: functions, and texts that can be names of subtests.
type suite struct {
	functions map[string]bool
	texts     []string
}

// suites collects the tests of every package by its directory.
func (t *tree) suites() map[string]*suite {
	found := map[string]*suite{}
	for _, f := range t.gofs {
		if !f.test {
			continue
		}
		s := found[f.dir()]
		if s == nil {
			s = &suite{functions: map[string]bool{}}
			found[f.dir()] = s
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil {
					s.functions[n.Name.Name] = true
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
					s.texts = append(s.texts, text)
				}
			}
			return true
		})
	}
	return found
}

// has reports whether a text begins with name, on the boundary of a word.
func (s *suite) has(name string) bool {
	return slices.ContainsFunc(s.texts, func(text string) bool {
		rest, ok := strings.CutPrefix(text, name)
		return ok && (rest == "" || !isWord(rest[0]))
	})
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// problem says what is wrong with the name of a test; "" when there is one.
func problem(suites map[string]*suite, golden func(string) bool, name string) string {
	match := namedTest.FindStringSubmatch(name)
	if match == nil {
		return fmt.Sprintf("%q names no test: write directory.TestName/subtest", name)
	}
	s := suites[match[1]]
	switch {
	case s == nil || !s.functions[match[2]]:
		return fmt.Sprintf("there is no %s in %s", match[2], match[1])
	case match[3] != "" && !s.has(match[3]) && !golden(match[1]+"/testdata/broken/"+match[3]):
		return fmt.Sprintf("%s in %s has no subtest %q", match[2], match[1], match[3])
	}
	return ""
}

// checkConformance holds the tables of conformanceFile: no row is there twice, and each ends with tests that exist, or with a
// dash and the reason in brackets. Subtests that name a row name one that is there.
func checkConformance(t *tree) []finding {
	var found []finding
	suites, rows := t.suites(), map[string]bool{}
	golden := func(path string) bool { _, ok := t.text[path]; return ok }
	prose(t.text[conformanceFile], func(number int, line string) {
		report := func(format string, args ...any) {
			found = append(found, finding{conformanceFile, number, fmt.Sprintf(format, args...)})
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || len(cells) < 4 || strings.TrimSpace(cells[0]) == "row" {
			return
		}
		row, last := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[len(cells)-1])
		if rows[row] {
			report("row %s is there twice", row)
		}
		rows[row] = true
		names := codeSpan.FindAllString(last, -1)
		if len(names) == 0 && !(strings.HasPrefix(last, "– (") && strings.HasSuffix(last, ")")) {
			report("row %s names no test: write – and the reason in brackets if there is none", row)
		}
		for _, name := range names {
			if what := problem(suites, golden, strings.Trim(name, "`")); what != "" {
				report("row %s: %s", row, what)
			}
		}
	})
	if t.text[conformanceFile] == nil {
		return found
	}
	seen := map[string]bool{}
	for _, s := range suites {
		for _, text := range s.texts {
			match := rowOfTest.FindStringSubmatch(text)
			if match == nil {
				continue
			}
			row := strings.TrimPrefix(match[1], "row") + match[2]
			if row = strings.Replace(row, "hostile", "H", 1); !rows[row] && !seen[row] {
				seen[row] = true
				found = append(found, finding{conformanceFile, 1, fmt.Sprintf("subtest %q shows row %s, which is not here", text, row)})
			}
		}
	}
	return found
}

func TestConformanceIsShown(t *testing.T) { hold(t, checkConformance) }

func TestConformanceCatches(t *testing.T) {
	const test = "-- a/b/x_test.go --\npackage b\nfunc TestX(t *testing.T) { run(\"row 1 plain\"); run(`a \"b\"`) }\n"
	const head = test + "-- docs/conformance.md --\n| row | topic | does | tests |\n|---|---|---|---|\n"
	catches(t, checkConformance, []example{
		{"good", head + "| 1 | t | d | `a/b.TestX`, `a/b.TestX/row 1`, `a/b.TestX/a \"b\"` |\n| 2 | t | d | – (not yet) |\n", nil},
		{"no function", head + "| 1 | t | d | `a/b.TestY` |\n", []string{"docs/conformance.md:3: row 1: there is no TestY"}},
		{"no package", head + "| 1 | t | d | `a.TestX` |\n", []string{"docs/conformance.md:3: row 1: there is no TestX in a"}},
		{"no subtest", head + "| 1 | t | d | `a/b.TestX/row` `a/b.TestX/row 1 pla` |\n", []string{"docs/conformance.md:3: row 1: TestX in a/b has no subtest"}},
		{"no name", head + "| 1 | t | d | `X` |\n", []string{"docs/conformance.md:3: row 1: \"X\" names no test"}},
		{"no reason", head + "| 1 | t | d | – |\n", []string{"docs/conformance.md:3: row 1 names no test"}},
		{"twice", head + "| 1 | t | d | `a/b.TestX` |\n| 1 | t | d | `a/b.TestX` |\n", []string{"docs/conformance.md:4: row 1 is there twice"}},
		{"row is missing", head + "| 2 | t | d | `a/b.TestX` |\n", []string{"docs/conformance.md:1: subtest \"row 1 plain\" shows row 1"}},
	})
}
