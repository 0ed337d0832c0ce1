package script

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes puts a program into a process group of its own, and has it killed when this process dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// limit keeps a program that has just been started from leaving a core.
func limit(pid int) {
	_ = unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil) // one that has ended leaves none
}

// await returns when a program has ended, and leaves it to be waited for: until then its number stays its own.
func await(cmd *exec.Cmd) {
	for unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}
