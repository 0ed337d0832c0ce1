package house

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// checkSleep keeps real sleeping out of tests: it makes them slow, and wrong on a busy machine. In a bubble of
// testing/synctest sleeping takes no time and wakes exactly.
func checkSleep(t *tree) []finding {
	var found []finding
	for _, f := range t.gofs {
		if !f.test || f.imported("testing/synctest") != "" {
			continue
		}
		name := f.imported("time")
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok && name != "" && isIdent(selector.X, name) && selector.Sel.Name == "Sleep" {
				found = append(found, t.at(selector.Pos(), "a test sleeps in real time: run it in a testing/synctest bubble, or wait for the event itself"))
			}
			return true
		})
	}
	return found
}

func TestSleep(t *testing.T) { hold(t, checkSleep) }

func TestSleepCatches(t *testing.T) {
	const sleep = "func f() { time.Sleep(1) }\n"
	catches(t, checkSleep, []example{
		{"in a bubble", "-- a/a_test.go --\npackage a\nimport \"testing/synctest\"\nimport \"time\"\n" + sleep + "var _ = synctest.Test\n", nil},
		{"outside", "-- a/a_test.go --\npackage a\nimport \"time\"\n" + sleep, []string{"a/a_test.go:3: a test sleeps"}},
		{"renamed", "-- a/a_test.go --\npackage a\nimport clock \"time\"\nvar f = clock.Sleep\n", []string{"a/a_test.go:3: a test sleeps"}},
		{"not the clock", "-- a/a_test.go --\npackage a\nvar time interface{ Sleep(int) }\n" + sleep, nil},
	})
}

// checkConstructors keeps goroutines out of constructors, where nobody could wait for their end.
func checkConstructors(t *tree) []finding {
	var found []finding
	for _, f := range t.gofs {
		for _, decl := range f.ast.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if f.test || !ok || function.Recv != nil || !strings.HasPrefix(function.Name.Name, "New") {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				if statement, ok := n.(*ast.GoStmt); ok {
					found = append(found, t.at(statement.Pos(), "constructor %s starts a goroutine: start it in Run(ctx), which waits for its end", function.Name))
				}
				return true
			})
		}
	}
	return found
}

func TestConstructors(t *testing.T) { hold(t, checkConstructors) }

func TestConstructorsCatches(t *testing.T) {
	catches(t, checkConstructors, []example{
		{"in Run", "-- a/a.go --\npackage a\nfunc Run() { go Run() }\n", nil},
		{"in New", "-- a/a.go --\npackage a\nfunc NewA() { go NewA() }\n", []string{"a/a.go:2: constructor NewA"}},
	})
}

// pureRoom is the room whose answers depend on arguments alone.
const pureRoom = "gslb"

// impure are the imports through which the world gets in.
var impure = []string{"context", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "net", "net/http", "os", "syscall", "go.uber.org/zap"}

// clock are the functions of package time that read or wait for the clock.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// checkPure keeps the decision a function of its arguments: explain, what-if and replay are only true as long as it is.
func checkPure(t *tree) []finding {
	var found []finding
	for _, f := range t.gofs {
		if f.test || f.dir() != pureRoom {
			continue
		}
		for _, spec := range f.ast.Imports {
			if importPath, _ := strconv.Unquote(spec.Path.Value); slices.Contains(impure, importPath) {
				found = append(found, t.at(spec.Pos(), "package %s is pure and cannot import %s: make what you need an argument", pureRoom, importPath))
			}
		}
		name := f.imported("time")
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				found = append(found, t.at(n.Pos(), "package %s starts no goroutine", pureRoom))
			case *ast.SelectorExpr:
				if name != "" && isIdent(n.X, name) && slices.Contains(clock, n.Sel.Name) {
					found = append(found, t.at(n.Pos(), "package %s reads no clock: take the time as an argument", pureRoom))
				}
			}
			return true
		})
	}
	return found
}

func TestPure(t *testing.T) { hold(t, checkPure) }

func TestPureCatches(t *testing.T) {
	catches(t, checkPure, []example{
		{"good", "-- gslb/a.go --\npackage gslb\nimport \"net/netip\"\nimport \"time\"\nvar a time.Duration\n", nil},
		{"elsewhere", "-- adns/a.go --\npackage adns\nimport \"os\"\nfunc f() { go f() }\n", nil},
		{"import", "-- gslb/a.go --\npackage gslb\nimport \"math/rand/v2\"\n", []string{"gslb/a.go:2: package gslb is pure"}},
		{"goroutine", "-- gslb/a.go --\npackage gslb\nfunc f() { go f() }\n", []string{"gslb/a.go:2: package gslb starts"}},
		{"clock", "-- gslb/a.go --\npackage gslb\nimport \"time\"\nvar f = time.Now\n", []string{"gslb/a.go:3: package gslb reads"}},
		{"a test", "-- gslb/a_test.go --\npackage gslb\nimport \"time\"\nvar f = time.Now\n", nil},
	})
}
