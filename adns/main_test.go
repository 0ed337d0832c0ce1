package adns

import (
	"os"
	"runtime/debug"
	"testing"
)

// garbage is by how many percent the heap grows between collections. The tests here make hundreds of thousands of small worlds that are
// garbage at once, on a heap of some megabytes: with Go's own 100 percent half of their time goes into collecting them.
const garbage = 800

func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	os.Exit(m.Run())
}
