package house

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// machinePath is a path as it is on somebody's machine and nowhere else.
var machinePath = regexp.MustCompile(`(?m)(?:^|[^\w.~/-])(/(?:work|root|home/\w+|Users/\w+|tmp/\w+)/[\w.-]*)`)

// checkMachinePaths keeps the paths of the machine that something was written on out of the repository.
func checkMachinePaths(t *tree) []finding {
	var found []finding
	for _, file := range t.paths("") {
		if strings.HasPrefix(file, "internal/house/") {
			continue // names such paths to find them
		}
		if !machinePath.Match(t.text[file]) {
			continue
		}
		number := 0
		for line := range bytes.SplitSeq(t.text[file], []byte("\n")) {
			number++
			if match := machinePath.FindSubmatch(line); match != nil {
				found = append(found, finding{file, number, string(match[1]) + " is a path of one machine: make it relative, a parameter, or a path that an installation has"})
			}
		}
	}
	return found
}

func TestMachinePaths(t *testing.T) { hold(t, checkMachinePaths) }

func TestMachinePathsCatches(t *testing.T) {
	catches(t, checkMachinePaths, []example{
		{"good", "-- a.md --\n/etc/fairlead, docs/work/a, https://example.com/root/a, ~/home/x and /var/lib\n", nil},
		{"found", "-- a/b.go --\npackage a\n// see /work/x.md\n", []string{"a/b.go:2: /work/x.md is a path"}},
		{"in quotes", "-- a.yaml --\na: \"/home/ann/x\"\n", []string{"a.yaml:1: /home/ann/x"}},
	})
}
