package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminalLimit is how long a command on a terminal may take.
const terminalLimit = 20 * time.Second

// openTerminal opens both ends of a pseudo-terminal: what people have, and what the command has.
func openTerminal(t *testing.T) (person, command *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	control, err := person.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	failed := control.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if failed != nil || err != nil {
		t.Skipf("pseudo-terminals do not work here: %v, %v", failed, err)
	}
	command, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("pseudo-terminals do not work here: %v", err)
	}
	return person, command
}

// onTerminal runs the command as a process of its own on a terminal. When it asks, the answer is typed; the rest is what the terminal showed, and the exit code.
func onTerminal(t *testing.T, asked string, answer func() string, args ...string) (shown string, code int) {
	t.Helper()
	person, terminal := openTerminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), terminalLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Args[0] = "fairlead" // by which TestMain knows what to run
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // its terminal, so that Ctrl-C is a signal to it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = terminal.Close()
	if err := person.SetDeadline(time.Now().Add(terminalLimit)); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	part := make([]byte, 4096)
	for typed := false; ; {
		n, err := person.Read(part)
		all.Write(part[:n])
		if !typed && strings.Contains(all.String(), asked) {
			typed = true
			if _, err := person.WriteString(answer()); err != nil {
				t.Error(err)
			}
		}
		if err != nil {
			break // EIO: the command has ended, and nobody else has the terminal
		}
	}
	_ = cmd.Wait()
	return strings.ReplaceAll(all.String(), "\r\n", "\n"), cmd.ProcessState.ExitCode()
}

// TestApplyAsks: what a write does is shown on a terminal, and it is made when somebody says yes, and only then.
func TestApplyAsks(t *testing.T) {
	dir, fairlead := writable(t)
	file := filepath.Join(dir, "new.yaml")
	const question = "Do this? [y/N] "
	for n, tt := range []struct {
		name, answer string
		code         int
		written      bool
		want         []string
	}{
		{"no", "n\n", exitFailed, false, []string{"nothing was written"}},
		{"nothing but the return key", "\n", exitFailed, false, []string{"nothing was written"}},
		{"something else", "yep\n", exitFailed, false, []string{"nothing was written"}},
		{"the end of the input", "\x04", exitFailed, false, []string{"nothing was written"}},
		{"Ctrl-C", "\x03", exitFailed, false, []string{"^C", "nothing was written"}},
		{"yes", "yes\n", exitDone, true, nil},
		{"y", "Y\n", exitDone, true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, _ := fairlead(exitDone, "get", "config")
			address := fmt.Sprintf("192.0.2.%d", 100+n)
			write(t, file, strings.Replace(writableDocument, "192.0.2.2", address, 1))
			shown, code := onTerminal(t, question, func() string { return tt.answer }, "apply", "-f", file)
			says(t, shown, append(tt.want, "service/shop", question)...)
			after, _ := fairlead(exitDone, "get", "config")
			if code != tt.code || strings.Contains(after, address) != tt.written || !tt.written && after != before {
				t.Errorf("exit code %d, want %d; written: %v, want %v; the terminal showed\n%s", code, tt.code, strings.Contains(after, address), tt.written, shown)
			}
		})
	}
	t.Run("not asked with --yes", func(t *testing.T) {
		write(t, file, strings.Replace(writableDocument, "192.0.2.2", "192.0.2.150", 1))
		shown, code := onTerminal(t, question, func() string { return "n\n" }, "apply", "--yes", "-f", file)
		if code != exitDone || strings.Contains(shown, question) {
			t.Errorf("exit code %d; the terminal showed\n%s", code, shown)
		}
	})
	t.Run("somebody else was faster", func(t *testing.T) {
		write(t, file, strings.Replace(writableDocument, "192.0.2.2", "192.0.2.160", 1))
		shown, code := onTerminal(t, question, func() string {
			fairlead(exitDone, "patch", "service/web", "-p", `{"addresses": ["192.0.2.170"]}`)
			return "y\n"
		}, "apply", "-f", file)
		after, _ := fairlead(exitDone, "get", "config")
		if code != exitConflict || strings.Contains(after, "192.0.2.160") || !strings.Contains(after, "192.0.2.170") {
			t.Errorf("exit code %d, want %d; the terminal showed\n%s", code, exitConflict, shown)
		}
	})
}
