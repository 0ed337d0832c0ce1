package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// pinned is the variable of the environment that says that this process runs on one processor, and on which ones the targets may.
const pinned = "FAIRLEAD_BENCH_OTHERS"

// pin has this process begin anew on one processor, the first of those that it may use, and leaves the others to the targets. It returns
// when that is done already, without it where there is one processor alone, or with an error.
func pin() (done bool, err error) {
	if os.Getenv(pinned) != "" {
		return true, nil
	}
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return false, fmt.Errorf("read the processors: %w", err)
	}
	if all.Count() < 2 {
		fmt.Fprintln(os.Stderr, "there is one processor alone, which the targets use, too")
		return false, nil
	}
	first := 0
	for !all.IsSet(first) {
		first++
	}
	var own unix.CPUSet
	own.Set(first)
	runtime.LockOSThread() // the program that this thread becomes inherits what it may use
	if err := unix.SchedSetaffinity(0, &own); err != nil {
		return false, fmt.Errorf("stay on processor %d: %w", first, err)
	}
	program, err := os.Executable()
	if err != nil {
		return false, err
	}
	return false, fmt.Errorf("begin anew: %w", syscall.Exec(program, os.Args, append(os.Environ(), fmt.Sprintf("%s=%d", pinned, first))))
}

// besides calls start, which starts a process, so that this may use all processors but that of a pinned one.
func besides(start func() error) error {
	var own, others unix.CPUSet
	var first int
	if _, err := fmt.Sscan(os.Getenv(pinned), &first); err != nil {
		return start() // not pinned
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		return fmt.Errorf("read the processors: %w", err)
	}
	others.Fill()
	others.Clear(first)
	if err := unix.SchedSetaffinity(0, &others); err != nil {
		return fmt.Errorf("leave processor %d to the prober: %w", first, err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &own) }() // it was possible before
	return start()
}
