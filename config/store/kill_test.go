package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"fairlead/config"
)

const (
	// childEnv names the data directory of a process that is going to be killed.
	childEnv = "FAIRLEAD_TEST_STORE"
	// everyEnv asks for a kill at every system call; else some are taken.
	everyEnv    = "FAIRLEAD_TEST_EVERY"
	childWrites = 4
	never       = 50_000 // no call happens that often
)

// changing returns the system calls that change files, or those of them that matter most.
func changing() []string {
	if os.Getenv(everyEnv) == "" {
		return []string{"pwrite64", "fdatasync", "fsync", "renameat", "unlinkat"}
	}
	return []string{"write", "pwrite64", "writev", "fsync", "fdatasync", "ftruncate", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdirat",
		"linkat", "openat", "close", "flock", "fchmod"}
}

// TestKilledChild is the process that is killed: it writes, and tells each write that was acknowledged.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("it is run by TestKilledBetweenAnyTwoSystemCalls")
	}
	runtime.LockOSThread() // strace counts the calls of each thread by themselves
	s := open(t, dir, Options{})
	fmt.Println("opened")
	w := newSite(t, s)
	for i := range childWrites {
		view := w.write([]*config.Object{service(t, "a", fmt.Sprint("192.0.2.", i+1)), service(t, fmt.Sprint("b-", i), "192.0.2.9")})
		fmt.Println("acknowledged", i+1, view)
		if i == 1 {
			s.copyNow()
		}
	}
}

// TestKilledBetweenAnyTwoSystemCalls kills a process that creates a store and writes to it, at each system call that changes a file. The next process
// finds all that was acknowledged, and no part of what was not.
func TestKilledBetweenAnyTwoSystemCalls(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(call string, when int) (dir, out string, err error) {
		dir = filepath.Join(t.TempDir(), "data")
		inject := fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, when)
		cmd := exec.CommandContext(t.Context(), strace, "-f", "-q", "-o", "/dev/null", "-e", "trace="+call, "-e", inject, self, "-test.run=^TestKilledChild$")
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		var b bytes.Buffer
		cmd.Stdout, cmd.Stderr = &b, &b
		err = cmd.Run()
		return dir, b.String(), err
	}
	_, out, err := run("pwrite64", never)
	if err != nil || strings.Count(out, "acknowledged") != childWrites {
		t.Skipf("strace cannot run a process here: %v\n%s", err, out)
	}
	killed := map[string]int{}
	for _, call := range changing() {
		for when := 1; ; {
			dir, out, err := run(call, when)
			if err == nil {
				break
			}
			if strings.Contains(out, "invalid system call") {
				break // not one of this machine's
			}
			killed[call]++
			afterKill(t, fmt.Sprintf("%s %d", call, when), dir, out)
			if os.Getenv(everyEnv) == "" {
				when += 1 + when // some of many
			} else {
				when++
			}
		}
	}
	t.Logf("processes that were killed, at each call: %v", killed)
	if killed["pwrite64"] < 3 || killed["fdatasync"] < 3 {
		t.Errorf("too few processes were killed")
	}
}

// afterKill compares what a killed process acknowledged with what the next one finds.
func afterKill(t *testing.T, when, dir, out string) {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Errorf("killed at %s: %v\n%s", when, err, out)
		return
	}
	defer func() { _ = s.Close() }()
	acknowledged := strings.Count(out, "acknowledged")
	l, err := s.Load()
	if err != nil || l.Damaged != "" {
		t.Errorf("killed at %s: %v, damaged %q", when, err, l.Damaged)
		return
	}
	history, err := s.History("", 100)
	if n := len(history); err != nil || n != acknowledged && n != acknowledged+1 {
		t.Errorf("killed at %s: %d writes are there, %d were acknowledged, %v", when, n, acknowledged, err)
	}
	want := 0
	if n := len(history); n > 0 {
		want = n + 1
	}
	if l.Objects.Len() != want {
		t.Errorf("killed at %s: %d objects after %d writes: a write is there in part", when, l.Objects.Len(), len(history))
	}
	for _, line := range strings.Split(out, "\n") {
		var n int
		var view string
		if _, err := fmt.Sscanf(line, "acknowledged %d %s", &n, &view); err == nil {
			if _, err := s.Find(view); err != nil {
				t.Errorf("killed at %s: write %d: %v", when, n, err)
			}
		}
	}
	w := newSite(t, s)
	w.write([]*config.Object{service(t, "after", "192.0.2.200")})
	w.same(s)
	if err := errors.Join(checkFile(s.path), s.compareCopy()); err != nil {
		t.Errorf("killed at %s: after the next write: %v", when, err)
	}
}

func checkFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return checkPages(f, info.Size())
}
