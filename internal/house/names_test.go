package house

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func plural(n int) string {
	if n == 1 {
		return "1 line"
	}
	return fmt.Sprintf("%d lines", n)
}

// emptyNames say nothing about what is in a file.
var emptyNames = []string{"utils.go", "util.go", "types.go", "common.go", "helpers.go", "misc.go"}

// fileName is the form of a Go file's name: lower case words with underscores.
var fileName = regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*\.go$`)

func checkFileNames(t *tree) []finding {
	var found []finding
	for _, f := range t.gofs {
		base := path.Base(f.path)
		plain := strings.Replace(base, "_test.go", ".go", 1)
		switch {
		case slices.Contains(emptyNames, plain):
			found = append(found, finding{f.path, 1, "the name says nothing: name the file for the one idea in it"})
		case !fileName.MatchString(base):
			found = append(found, finding{f.path, 1, "use lower case words and underscores; go test runs only what ends in _test.go"})
		}
		if f.test {
			continue
		}
		for _, decl := range f.ast.Decls {
			if function, ok := decl.(*ast.FuncDecl); ok && isTest(function) {
				found = append(found, t.at(function.Pos(), "%s never runs: the name of its file does not end in _test.go", function.Name))
			}
		}
	}
	return found
}

// isTest says whether go test would run the function if its file were a test file.
func isTest(function *ast.FuncDecl) bool {
	name := function.Name.Name
	prefixed := strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "Benchmark")
	if !prefixed || function.Recv != nil || len(function.Type.Params.List) != 1 {
		return false
	}
	pointer, ok := function.Type.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	selector, ok := pointer.X.(*ast.SelectorExpr)
	return ok && isIdent(selector.X, "testing")
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func TestFileNames(t *testing.T) { hold(t, checkFileNames) }

func TestFileNamesCatches(t *testing.T) {
	const test = "package a\nimport \"testing\"\nfunc TestA(t *testing.T) {}\n"
	catches(t, checkFileNames, []example{
		{"good", "-- a/probe_tcp.go --\npackage a\n-- a/probe_tcp_test.go --\n" + test, nil},
		{"empty", "-- a/utils.go --\npackage a\n", []string{"a/utils.go:1: the name says nothing"}},
		{"empty test", "-- a/common_test.go --\n" + test, []string{"a/common_test.go:1: the name says nothing"}},
		{"hyphen", "-- a/weight-test.go --\npackage a\n", []string{"a/weight-test.go:1: use lower case"}},
		{"never runs", "-- a/weight_tests.go --\n" + test, []string{"a/weight_tests.go:3: TestA never runs"}},
	})
}

func checkInit(t *tree) []finding {
	var found []finding
	for _, f := range t.gofs {
		for _, decl := range f.ast.Decls {
			if function, ok := decl.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
				found = append(found, t.at(function.Pos(), "init runs by side effect of an import: make it a constructor that the caller calls"))
			}
		}
	}
	return found
}

func TestInit(t *testing.T) { hold(t, checkInit) }

func TestInitCatches(t *testing.T) {
	catches(t, checkInit, []example{
		{"method", "-- a/a.go --\npackage a\ntype b int\nfunc (b) init() {}\n", nil},
		{"function", "-- a/a.go --\npackage a\nfunc init() {}\n", []string{"a/a.go:2: init runs"}},
		{"in a test", "-- a/a_test.go --\npackage a\nfunc init() {}\n", []string{"a/a_test.go:2: init runs"}},
	})
}

// checkPackageDocs wants one package comment per package, so that go doc has something to say and only one place says it.
func checkPackageDocs(t *tree) []finding {
	docs := map[string][]goFile{}
	first := map[string]goFile{}
	var dirs []string
	for _, f := range t.gofs {
		if f.external() {
			continue
		}
		if _, ok := first[f.dir()]; !ok {
			first[f.dir()] = f
			dirs = append(dirs, f.dir())
		}
		if f.ast.Doc != nil {
			docs[f.dir()] = append(docs[f.dir()], f)
		}
	}
	var found []finding
	for _, dir := range dirs {
		name := first[dir].ast.Name.Name
		with := docs[dir]
		if len(with) == 0 {
			found = append(found, t.at(first[dir].ast.Package, "package %s has no package comment: say in %s/doc.go what it is for and what it does not do", name, dir))
			continue
		}
		for _, f := range with[1:] {
			found = append(found, t.at(f.ast.Doc.Pos(), "a second package comment of %s: %s has one", name, with[0].path))
		}
		if name != "main" && !strings.HasPrefix(with[0].ast.Doc.Text(), "Package "+name+" ") {
			found = append(found, t.at(with[0].ast.Doc.Pos(), "the package comment starts with \"Package %s \"", name))
		}
	}
	return found
}

func TestPackageDocs(t *testing.T) { hold(t, checkPackageDocs) }

func TestPackageDocsCatches(t *testing.T) {
	catches(t, checkPackageDocs, []example{
		{"good", "-- a/a.go --\npackage a\n-- a/doc.go --\n// Package a is one.\npackage a\n-- c/m.go --\n// Fairlead steers.\npackage main\n", nil},
		{"none", "-- a/a.go --\npackage a\n", []string{"a/a.go:1: package a has no package comment"}},
		{"in the test package only", "-- a/a.go --\npackage a\n-- a/a_test.go --\n// Package a_test tests.\npackage a_test\n", []string{"a/a.go:1: package a has no"}},
		{"two", "-- a/a.go --\n// Package a is one.\npackage a\n-- a/b.go --\n// Package a is two.\npackage a\n", []string{"a/b.go:1: a second"}},
		{"another name", "-- a/a.go --\n// Package b is one.\npackage a\n", []string{"a/a.go:1: the package comment starts"}},
	})
}
