// Package garbage has the tests of a package collect less of it. Some make hundreds of thousands of small worlds that are garbage at once, on
// a heap of some megabytes: with Go's own 100 percent half of their time goes into collecting them.
package garbage

import (
	"os"
	"runtime/debug"
	"testing"
)

// percent is by how much the heap grows between collections.
const percent = 800

// Main runs a package's tests and returns the exit code, for its TestMain. GOGC of the environment counts, if it is set.
func Main(m *testing.M) int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
	return m.Run()
}
