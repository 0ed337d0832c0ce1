//go:build unix && !linux

package script

import (
	"os/exec"
	"syscall"
)

// attributes puts a program into a process group of its own.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// limit does nothing here.
func limit(int) {}

// await returns when a program has ended. It has been waited for then, for want of another way: its process group is killed a moment
// after its number was given back.
func await(cmd *exec.Cmd) { _ = cmd.Wait() }
