package udp

import "runtime"

// spareProcs is how many processors of the scheduler everything but the workers gets at least: one that computes and one
// that finds what is to be done next.
const spareProcs = 2

// RaiseGOMAXPROCS makes room for raw workers, of all servers of the process together. A raw worker keeps one of the
// scheduler's processors also while it waits; without this all of the rest (TCP, monitors, the garbage collector) would
// share what is left, which may be nothing. It sets GOMAXPROCS to workers+2 unless it is that high already, and returns
// the value in force.
//
// Setting it stops the world for a moment, and from then on the runtime does not follow changes of the cgroup's CPU
// limit. So call it once, at start, and only when Raw was chosen.
func RaiseGOMAXPROCS(workers int) int {
	current, need := runtime.GOMAXPROCS(0), workers+spareProcs
	if workers <= 0 || current >= need {
		return current
	}
	runtime.GOMAXPROCS(need)
	return need
}
