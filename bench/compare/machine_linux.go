package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const receiveBufferFile = "/proc/sys/net/core/rmem_default"

func supported() error {
	if runtime.NumCPU() < 2 {
		return errors.New("this machine has one CPU for this program: the servers and the generator need one each")
	}
	return nil
}

// receiveBufferDefault is what a UDP socket gets when its server does not ask for more, in octets.
func receiveBufferDefault() int {
	text, err := os.ReadFile(receiveBufferFile)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// setReceiveBuffer changes that for all servers, until restore is called.
func setReceiveBuffer(octets int) (restore func(), err error) {
	if octets == 0 {
		return func() {}, nil
	}
	before, err := os.ReadFile(receiveBufferFile)
	if err == nil {
		err = os.WriteFile(receiveBufferFile, []byte(strconv.Itoa(octets)), 0)
	}
	if err != nil {
		return nil, fmt.Errorf("set net.core.rmem_default (as root): %w", err)
	}
	return func() { _ = os.WriteFile(receiveBufferFile, before, 0) }, nil
}

// startOn starts a command on one CPU, in a process group of its own, so that Ctrl-C reaches this program alone. A child
// inherits the CPUs of the thread that starts it.
func startOn(cpu int, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("bind to CPU %d: %w", cpu, err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err := cmd.Start()
	return errors.Join(err, unix.SchedSetaffinity(0, &before))
}

// endAll asks a process group to end, or ends it.
func endAll(pid int, force bool) {
	signal := unix.SIGTERM
	if force {
		signal = unix.SIGKILL
	}
	_ = unix.Kill(-pid, signal)
}
