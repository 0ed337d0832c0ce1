package house

import (
	"bytes"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// eventsFile lists the log events for who reads the log.
const eventsFile = "docs/operations.md"

// eventName is the form of an event: the room, and what happened.
var eventName = regexp.MustCompile(`^[a-z]+(\.[a-z_]+)+$`)

// checkEvents holds the messages of log calls to one form and to the page that lists them. A log call is a call of a
// level's method, on whatever ends in log, with a literal for a message and zap imported in the file.
func checkEvents(t *tree) []finding {
	var found []finding
	for _, f := range t.gofs {
		if f.test || f.imported("go.uber.org/zap") == "" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			name, ok := loggedEvent(n)
			switch {
			case !ok:
			case !eventName.MatchString(name):
				found = append(found, t.at(n.Pos(), "log event %q: name it room.what_happened, and put words into fields", name))
			case !bytes.Contains(t.text[eventsFile], []byte("`"+name+"`")):
				found = append(found, t.at(n.Pos(), "log event %q is not in %s: add it", name, eventsFile))
			}
			return true
		})
	}
	return found
}

// loggedEvent returns the message of a log call.
func loggedEvent(n ast.Node) (string, bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return "", false
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, method.Sel.Name) || !isLog(method.X) {
		return "", false
	}
	message, ok := call.Args[0].(*ast.BasicLit)
	if !ok || message.Kind != token.STRING {
		return "", false
	}
	name, err := strconv.Unquote(message.Value)
	return name, err == nil
}

// isLog reports whether an expression is called log, as a variable or as the last field.
func isLog(e ast.Expr) bool {
	if selector, ok := e.(*ast.SelectorExpr); ok {
		return selector.Sel.Name == "log"
	}
	return isIdent(e, "log")
}

func TestEvents(t *testing.T) { hold(t, checkEvents) }

func TestEventsCatches(t *testing.T) {
	const head = "-- docs/operations.md --\n| `a.up` | it is up |\n-- a/a.go --\npackage a\nimport \"go.uber.org/zap\"\n"
	catches(t, checkEvents, []example{
		{"documented", head + "func f(log *zap.Logger) { log.Info(\"a.up\") }\n", nil},
		{"not documented", head + "func f(s struct{ log *zap.Logger }) { s.log.Warn(\"a.down\") }\n", []string{"a/a.go:3: log event \"a.down\" is not in"}},
		{"prose", head + "func f(log *zap.Logger) { log.Info(\"it is up\") }\n", []string{"a/a.go:3: log event \"it is up\": name it"}},
		{"not a log", head + "func f(t interface{ Error(string) }) { t.Error(\"no\") }\n", nil},
	})
}
