//go:build unix

package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// long is more than any of these programs should need, on a machine that has much else to do.
const long = 10 * time.Second

// program writes a program and returns its path.
func program(t *testing.T, directory, name, text string) string {
	t.Helper()
	path := filepath.Join(directory, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, r *Runner, within time.Duration, argv ...string) (Outcome, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	return r.Run(ctx, Command{Argv: argv})
}

func TestOutcomes(t *testing.T) {
	tests := []struct {
		name, text string
		code       int
		line       string
		values     []Value
	}{
		{"ok", "echo 'OK - all is well'", OK, "OK - all is well", nil},
		{"warning", "echo slow; exit 1", Warning, "slow", nil},
		{"critical", "echo broken; exit 2", Critical, "broken", nil},
		{"unknown", "echo what; exit 3", Unknown, "what", nil},
		{"another code", "exit 77", 77, "", nil},
		{"numbers", "echo 'OK | time=0.012s;1;2;0 size=3KB'", OK, "OK", []Value{{"time", 0.012, "s"}, {"size", 3, "KB"}}},
		{"numbers of later lines", "printf 'OK | a=1\\nmore\\nand more | b=2 c=3s\\nd=4'", OK, "OK", []Value{{"a", 1, ""}, {"b", 2, ""}, {"c", 3, "s"}, {"d", 4, ""}}},
		{"numbers of later lines alone", "echo OK; echo 'more | b=2'", OK, "OK", []Value{{"b", 2, ""}}},
		{"errors when there is no output", "echo 'perl: not found' >&2; exit 3", Unknown, "perl: not found", nil},
		{"output before errors", "echo noise >&2; echo OK", OK, "OK", nil},
		{"not text", `printf 'OK \377\376 \033[31m\n'`, OK, "OK ? \x1b[31m", nil},
		{"a long line", "printf '%05000d' 7", OK, strings.Repeat("0", MaxLine), nil},
		{"a number that is cut off", "printf 'OK | a=1 b=%05000d' 7", OK, "OK", []Value{{"a", 1, ""}}},
		{"a number that is cut off alone", "printf 'OK |b=%05000d' 7", OK, "OK", nil},
		{"nothing to read", "read x || echo \"nothing, in $(pwd)\"", OK, "nothing, in /", nil},
	}
	directory := t.TempDir()
	for _, test := range tests { // all are written before the first runs: no program runs while it is being written
		program(t, directory, strings.ReplaceAll(test.name, " ", "-"), test.text)
	}
	r := New(Options{Directories: []string{directory}})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := run(t, r, long, filepath.Join(directory, strings.ReplaceAll(test.name, " ", "-")))
			if err != nil || got.Code != test.code || got.Line != test.line || !slices.Equal(got.Values, test.values) {
				t.Errorf("got %+v, %v, want %d %q %v", got, err, test.code, test.line, test.values)
			}
		})
	}
}

func TestASignalIsNoExitCode(t *testing.T) {
	path := program(t, t.TempDir(), "crash", "kill -SEGV $$")
	got, err := run(t, New(Options{Directories: []string{filepath.Dir(path)}}), long, path)
	if err == nil || !strings.Contains(err.Error(), "ended by a signal: segmentation fault") {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestArgumentsMeetNoShell(t *testing.T) {
	path := program(t, t.TempDir(), "show", `for a; do printf '[%s]' "$a"; done; echo`)
	got, err := run(t, New(Options{Directories: []string{filepath.Dir(path)}}), long, path, "$(id)", "; id", "a b", "*", "", "`id`")
	if want := "[$(id)][; id][a b][*][][`id`]"; err != nil || got.Line != want {
		t.Errorf("got %q, %v, want %q", got.Line, err, want)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("FAIRLEAD_TEST_SECRET", "hidden")
	t.Setenv("FAIRLEAD_TEST_ALLOWED", "shown")
	t.Setenv("FAIRLEAD_TEST_NOT_ASKED", "hidden")
	path := program(t, t.TempDir(), "environment", "env | grep -v -e '^PWD=' -e '^_=' -e '^SHLVL=' -e '^OLDPWD=' | sort | tr '\\n' ' '")
	r := New(Options{Directories: []string{filepath.Dir(path)}, Environment: []string{"FAIRLEAD_TEST_ALLOWED", "FAIRLEAD_TEST_NOT_ASKED", "FAIRLEAD_TEST_NOT_SET"}})
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	got, err := r.Run(ctx, Command{Argv: []string{path}, Environment: []string{"FAIRLEAD_TEST_ALLOWED", "FAIRLEAD_TEST_SECRET", "FAIRLEAD_TEST_NOT_SET", "HOME"}, Variables: []string{"FAIRLEAD_ADDRESS=192.0.2.1"}})
	if want := "FAIRLEAD_ADDRESS=192.0.2.1 FAIRLEAD_TEST_ALLOWED=shown LANG=C PATH=/usr/bin:/bin"; err != nil || got.Line != want {
		t.Errorf("got %q, %v, want %q", got.Line, err, want)
	}
}

func TestNoOpenFilesAndNoCore(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks at /proc, and cores are limited on Linux alone")
	}
	directory := t.TempDir()
	open, err := os.Create(filepath.Join(directory, "file-of-this-process"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	path := program(t, directory, "files", "sleep 0.2; echo $(ls -l /proc/$$/fd | grep -c file-of-this-process) core $(ulimit -c)")
	got, err := run(t, New(Options{Directories: []string{directory}}), long, path)
	if want := "0 core 0"; err != nil || got.Line != want {
		t.Errorf("got %q, %v, want %q", got.Line, err, want)
	}
}

func TestWhatMayBeRun(t *testing.T) {
	directory, other := t.TempDir(), t.TempDir()
	open := filepath.Join(directory, "open")
	if err := errors.Join(os.Mkdir(filepath.Join(directory, "below"), 0o700), os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	program(t, directory, "good", "echo $0")
	program(t, filepath.Join(directory, "below"), "good", "echo OK")
	program(t, open, "replaceable", "echo OK")
	program(t, other, "outside", "echo OK")
	single := program(t, other, "single", "echo OK")
	if err := errors.Join(
		os.Chmod(program(t, directory, "data", "echo OK"), 0o600),
		os.Chmod(program(t, directory, "everyones", "echo OK"), 0o777),
		os.WriteFile(filepath.Join(directory, "garbage"), []byte("\x00\x01"), 0o700),
		os.WriteFile(filepath.Join(directory, "dangling"), []byte("#!/no/such/interpreter\n"), 0o700),
		os.Symlink(filepath.Join(other, "outside"), filepath.Join(directory, "escape")),
		os.Symlink("good", filepath.Join(directory, "check_other")),
		os.Symlink(other, filepath.Join(directory, "elsewhere")),
	); err != nil {
		t.Fatal(err)
	}
	const outside = "outside of the directories whose programs may be run (node file: probes.scripts.directories)"
	r := New(Options{Directories: []string{"/no/such/directory", directory, single, "/no/such/program"}})
	for path, want := range map[string]string{
		directory + "/good":              "",
		directory + "/below/good":        "",
		directory + "/check_other":       "",
		single:                           "",
		directory + "/escape":            outside,
		directory + "/elsewhere/outside": outside,
		other + "/outside":               outside,
		"/bin/sh":                        outside,
		directory + "/../" + filepath.Base(other) + "/outside": outside,
		directory:                       "not a regular file",
		"good":                          "not an absolute path",
		directory + "/missing":          "no such file",
		"/nowhere-at-all/missing":       outside, // not: no such file
		"/no/such/program":              "no such file",
		directory + "/below":            "not a regular file",
		directory + "/data":             "not executable",
		directory + "/everyones":        "everyone on this machine can write it",
		directory + "/open/replaceable": "everyone on this machine can replace it",
		directory + "/garbage":          "exec format error",
		directory + "/dangling":         "no such file",
	} {
		got, err := run(t, r, long, path)
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %+v, %v, want %q", path, got, err, want)
		case err != nil && !strings.HasPrefix(err.Error(), "run "+path+": "):
			t.Errorf("%s: the error does not begin with what was run: %v", path, err)
		}
	}
	if got, err := run(t, New(Options{}), long, directory+"/good"); err == nil {
		t.Errorf("without directories: got %+v", got)
	}
	if _, err := New(Options{}).Run(t.Context(), Command{}); err == nil {
		t.Error("without a program: no error")
	}
}

// gone waits until a process has ended; one that nobody has waited for counts as ended.
func gone(t *testing.T, pidFile string) {
	t.Helper()
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(long); time.Now().Before(until); <-tick.C {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil && syscall.Kill(pid, 0) == syscall.ESRCH || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %d of %s still runs", pid, pidFile)
}

func TestTheTimeIsOver(t *testing.T) {
	directory := t.TempDir()
	child, stubborn := filepath.Join(directory, "child.pid"), filepath.Join(directory, "stubborn.pid")
	waits := program(t, directory, "waits", "sleep 1000 & echo $! >"+child+"; wait")
	ignores := program(t, directory, "ignores", "trap '' TERM; (trap '' TERM; sleep 1000) & echo $! >"+stubborn+"; wait; wait; sleep 1000")
	r := New(Options{Directories: []string{directory}})
	for _, test := range []struct {
		name, path, pid string
		least           time.Duration
	}{{"SIGTERM is enough", waits, child, 0}, {"SIGTERM is ignored", ignores, stubborn, termGrace}} {
		t.Run(test.name, func(t *testing.T) {
			const timeout = time.Second
			started := time.Now()
			got, err := run(t, r, timeout, test.path)
			took := time.Since(started)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %+v, %v, want the end of the time", got, err)
			}
			if took < timeout+test.least || took > timeout+test.least+long/2 {
				t.Errorf("took %v with a time-out of %v", took, timeout)
			}
			gone(t, test.pid)
		})
	}
	if len(r.slots) != 0 {
		t.Errorf("%d places are still taken", len(r.slots))
	}
}

func TestCancelled(t *testing.T) {
	directory := t.TempDir()
	pid := filepath.Join(directory, "pid")
	path := program(t, directory, "waits", "sleep 1000 & echo $! >"+pid+".new; mv "+pid+".new "+pid+"; wait")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := os.Stat(pid); err == nil || t.Context().Err() != nil {
				cancel()
				return
			}
		}
	}()
	if _, err := New(Options{Directories: []string{directory}}).Run(ctx, Command{Argv: []string{path}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	gone(t, pid)
}

// What a program leaves behind does not hold up its result, and does not stay.
func TestWhatIsLeftBehind(t *testing.T) {
	directory := t.TempDir()
	left := filepath.Join(directory, "left.pid")
	path := program(t, directory, "leaves", "sleep 1000 & echo $! >"+left+"; echo OK")
	r := New(Options{Directories: []string{directory}})
	if got, err := run(t, r, long, path); err != nil || got.Line != "OK" {
		t.Errorf("got %+v, %v", got, err)
	}
	gone(t, left)

	// One that has left the process group keeps the pipe open: nobody waits for it.
	away := filepath.Join(directory, "away.pid")
	path = program(t, directory, "daemon", "setsid sh -c 'echo $$ >"+away+"; exec sleep 1000' & while ! [ -s "+away+" ]; do sleep 0.01; done; echo OK")
	if _, err := os.Stat("/usr/bin/setsid"); err != nil {
		t.Skip("there is no setsid here")
	}
	started := time.Now()
	got, err := run(t, r, long, path)
	text, _ := os.ReadFile(away)
	if pid, _ := strconv.Atoi(strings.TrimSpace(string(text))); pid > 1 {
		defer syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil || got.Line != "OK" || time.Since(started) > long/2 {
		t.Errorf("got %+v, %v after %v", got, err, time.Since(started))
	}
}

func TestRelativeDirectories(t *testing.T) {
	directory := t.TempDir()
	path := program(t, directory, "good", "echo OK")
	t.Chdir(filepath.Dir(directory))
	for _, entry := range []string{filepath.Base(directory), filepath.Base(directory) + "/good"} {
		if got, err := run(t, New(Options{Directories: []string{entry}}), long, path); err != nil || got.Line != "OK" {
			t.Errorf("%s: got %+v, %v", entry, got, err)
		}
	}
}

func TestEndlessOutput(t *testing.T) {
	directory := t.TempDir()
	r := New(Options{Directories: []string{directory}})
	for name, text := range map[string]string{"lines": "exec yes", "one line": "exec cat /dev/zero", "errors": "exec yes >&2", "ignores it": "trap '' PIPE; while :; do yes 2>/dev/null; done"} {
		path := program(t, directory, strings.ReplaceAll(name, " ", "-"), text)
		t.Run(name, func(t *testing.T) {
			const timeout = 2 * time.Second
			started := time.Now()
			got, err := run(t, r, timeout, path)
			flooded := err != nil && strings.Contains(err.Error(), "the program wrote more than 1 MiB")
			if !flooded && !errors.Is(err, context.DeadlineExceeded) || time.Since(started) > timeout+long/2 {
				t.Errorf("got %+v, %v after %v", got, err, time.Since(started))
			}
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	directory, running := t.TempDir(), t.TempDir()
	path := program(t, directory, "count", "mkdir "+running+"/$$; set -- "+running+"/*; sleep 0.05; echo $#; rmdir "+running+"/$$")
	const most = 3
	r := New(Options{Directories: []string{directory}, Concurrency: most})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 2*long)
			defer cancel()
			got, err := r.Run(ctx, Command{Argv: []string{path}})
			if n, bad := strconv.Atoi(got.Line); err != nil || bad != nil || n > most {
				t.Errorf("got %+v, %v, want at most %d at once", got, err, most)
			}
		})
	}
	all.Wait()

	slow := program(t, directory, "slow", "sleep 1000")
	held, release := context.WithCancel(t.Context())
	for range most {
		all.Go(func() { _, _ = r.Run(held, Command{Argv: []string{slow}}) })
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(r.slots) < most {
		<-tick.C
	}
	_, err := run(t, r, 50*time.Millisecond, path)
	if err == nil || !strings.Contains(err.Error(), "3 other programs were running all the time (node file: probes.scripts.concurrency)") {
		t.Errorf("no place: got %v", err)
	}
	release()
	all.Wait()
}
