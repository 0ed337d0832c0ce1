package house

import (
	"go/ast"
	"slices"
	"testing"
)

// guardedRooms connect to what the document names: only through the function that they were given, which judges it.
var guardedRooms = []string{"monitors", "monitors/probe", "monitors/source", "monitors/trust"}

// unguarded are the ways around it, by import path. Dialers are the default of constructors, where tests and tools have no guard.
var unguarded = map[string][]string{
	"net": {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer", "Listen", "ListenPacket", "ListenUDP", "ListenConfig",
		"DefaultResolver", "LookupHost", "LookupIP", "ResolveTCPAddr", "ResolveUDPAddr"},
	"fairlead/monitors/direct": {"Dialer", "NewLoop"},
	"crypto/tls":               {"Dial", "DialWithDialer", "Dialer"},
	"net/http":                 {"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport"},
	"os/exec":                  {"Command", "CommandContext", "Cmd"},
}

// checkDials keeps probes and load reads within what the node file lets them reach.
func checkDials(t *tree) []finding {
	var found []finding
	for _, f := range t.gofs {
		if f.test || !slices.Contains(guardedRooms, f.dir()) {
			continue
		}
		for importPath, ways := range unguarded {
			name := f.imported(importPath)
			if name == "" {
				continue
			}
			for _, decl := range f.ast.Decls {
				function, ok := decl.(*ast.FuncDecl)
				constructor := ok && function.Recv == nil && function.Name.Name == "New"
				ast.Inspect(decl, func(n ast.Node) bool {
					s, ok := n.(*ast.SelectorExpr)
					if !ok || !isIdent(s.X, name) || !slices.Contains(ways, s.Sel.Name) || constructor && (s.Sel.Name == "Dialer" || s.Sel.Name == "NewLoop") {
						return true
					}
					found = append(found, t.at(s.Pos(), "%s.%s leaves out the guard: use what Options give", name, s.Sel.Name))
					return true
				})
			}
		}
	}
	return found
}

func TestDials(t *testing.T) { hold(t, checkDials) }

func TestDialsCatches(t *testing.T) {
	const head = "-- monitors/probe/a.go --\npackage probe\nimport \"net\"\n"
	catches(t, checkDials, []example{
		{"a default", head + "func New() any { return new(net.Dialer).DialContext }\n", nil},
		{"elsewhere", "-- adns/a.go --\npackage adns\nimport \"net\"\nvar f = net.Dial\n", nil},
		{"a test", "-- monitors/probe/a_test.go --\npackage probe\nimport \"net\"\nvar f = net.Dial\n", nil},
		{"dials", head + "func f() { net.Dial(\"tcp\", \"\") }\n", []string{"monitors/probe/a.go:3: net.Dial leaves out the guard"}},
		{"a dialer", head + "func f() any { return net.Dialer{} }\n", []string{"monitors/probe/a.go:3: net.Dialer leaves"}},
		{"a dialer of ours", "-- monitors/source/a.go --\npackage source\nimport \"fairlead/monitors/direct\"\nvar d direct.Dialer\n",
			[]string{"monitors/source/a.go:3: direct.Dialer leaves"}},
		{"a loop of ours", "-- monitors/source/a.go --\npackage source\nimport \"fairlead/monitors/direct\"\nvar l = direct.NewLoop()\n",
			[]string{"monitors/source/a.go:3: direct.NewLoop leaves"}},
		{"http", "-- monitors/source/a.go --\npackage source\nimport \"net/http\"\nvar f = http.Get\n", []string{"monitors/source/a.go:3: http.Get leaves"}},
		{"renamed", "-- monitors/a.go --\npackage monitors\nimport x \"os/exec\"\nvar f = x.Command\n", []string{"monitors/a.go:3: x.Command leaves"}},
	})
}
