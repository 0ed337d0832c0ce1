package node

import (
	"os"
	"runtime"
	"runtime/debug"
)

const (
	// largeDocument is the size of a document, zone files included, from which reading it leaves memory worth returning.
	largeDocument = 4 << 20
	// heapGrowth is about how much the heap may grow between two collections when a large document is served. By default
	// it would double, and zones are most of it; collecting costs little because nothing in them is a pointer.
	heapGrowth = 32 << 20
	// leastGCPercent bounds how often collections follow each other.
	leastGCPercent = 20
	defaultPercent = 100
)

// trim returns to the system what reading a large document took. The first answers do not wait for it.
func (in *intent) trim() {
	if in.octets < largeDocument {
		return
	}
	debug.FreeOSMemory()
	if os.Getenv("GOGC") != "" {
		return // the operator's word
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetGCPercent(int(min(defaultPercent, max(leastGCPercent, defaultPercent*heapGrowth/max(m.HeapAlloc, 1)))))
}
