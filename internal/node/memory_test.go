package node

import (
	"runtime/debug"
	"testing"
)

// A large document's leftovers are returned and the heap is kept close to what it holds; a small one changes nothing.
func TestTrim(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	ballast := make([]byte, 4*heapGrowth)
	for _, tt := range []struct {
		name   string
		octets int
		large  bool
	}{{"small", largeDocument - 1, false}, {"large", largeDocument, true}} {
		debug.SetGCPercent(100)
		(&intent{octets: tt.octets}).trim()
		if got := debug.SetGCPercent(100); (got < 30) != tt.large {
			t.Errorf("%s document: the heap grows by %d percent between collections", tt.name, got)
		}
	}
	t.Setenv("GOGC", "77")
	(&intent{octets: largeDocument}).trim()
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("the operator's GOGC was replaced by %d", got)
	}
	ballast[0]++
}
