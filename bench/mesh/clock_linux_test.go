package mesh_test

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the CPU time of all threads of this process, or of this thread alone. In a bubble package time tells neither.
func cpuTime(thread bool) time.Duration {
	clock := int32(unix.CLOCK_PROCESS_CPUTIME_ID)
	if thread {
		clock = unix.CLOCK_THREAD_CPUTIME_ID
	}
	var t unix.Timespec
	if unix.ClockGettime(clock, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// openFiles returns how many file descriptors this process has open; below 0: not known.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}
