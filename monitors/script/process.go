//go:build unix

package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// How long is waited for a program that should end.
const (
	termGrace  = 200 * time.Millisecond // after SIGTERM, before SIGKILL
	killGrace  = time.Second            // after SIGKILL, before it is left to itself
	drainGrace = 100 * time.Millisecond // for output, after the program has ended
)

// process is a program that runs, in a process group of its own.
type process struct {
	cmd          *exec.Cmd
	output, errs *capture
	done         chan struct{} // closed when it has ended and its output was read

	mu     sync.Mutex
	reaped bool // its number may be another process's
}

// start starts a program. Somebody must call watch then.
func start(program string, argv, environment []string) (*process, error) {
	p := &process{done: make(chan struct{})}
	var writers [2]*os.File
	for i, c := range []**capture{&p.output, &p.errs} {
		r, w, err := os.Pipe()
		if err != nil {
			if i > 0 {
				p.output.from.Close()
				writers[0].Close()
			}
			return nil, err
		}
		*c, writers[i] = &capture{from: r}, w
	}
	p.cmd = &exec.Cmd{Path: program, Args: argv, Env: environment, Dir: "/", Stdout: writers[0], Stderr: writers[1], SysProcAttr: attributes()}
	err := p.cmd.Start()
	writers[0].Close()
	writers[1].Close()
	if err != nil {
		p.output.from.Close()
		p.errs.from.Close()
		return nil, err
	}
	limit(p.cmd.Process.Pid)
	return p, nil
}

// watch reads what the program writes until it has ended, and ends what is left of its process group. free is called then, before anybody
// learns that it is over.
func (p *process) watch(free func()) {
	defer close(p.done)
	defer free()
	var drained sync.WaitGroup
	drained.Go(p.output.drain)
	drained.Go(p.errs.drain)
	await(p.cmd)
	p.mu.Lock()
	// Until it is waited for the group's number is nobody else's.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Wait() // what it says is in ProcessState
	p.reaped = true
	p.mu.Unlock()
	// What has left the group may keep the pipes open for ever.
	late := time.Now().Add(drainGrace)
	_ = p.output.from.SetReadDeadline(late)
	_ = p.errs.from.SetReadDeadline(late)
	drained.Wait()
}

// signal sends a signal to the whole process group.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// wait returns when the program has ended, at the latest soon after ctx ends. One that cannot be killed is left to watch.
func (p *process) wait(ctx context.Context) (Outcome, error) {
	select {
	case <-p.done:
		return p.outcome()
	case <-ctx.Done():
	}
	for _, step := range []struct {
		signal syscall.Signal
		grace  time.Duration
	}{{syscall.SIGTERM, termGrace}, {syscall.SIGKILL, killGrace}} {
		p.signal(step.signal)
		timer := time.NewTimer(step.grace)
		select {
		case <-p.done:
			timer.Stop()
			return Outcome{}, ctx.Err()
		case <-timer.C:
		}
	}
	return Outcome{}, errors.New("the time is over, and the program cannot be killed")
}

// outcome is that of a program that ended by itself.
func (p *process) outcome() (Outcome, error) {
	status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case p.output.flooded || p.errs.flooded:
		return Outcome{}, fmt.Errorf("the program wrote more than %d MiB", maxOutput>>20)
	case status.Signaled():
		return Outcome{}, fmt.Errorf("the program was ended by a signal: %v", status.Signal())
	}
	out := Outcome{Code: status.ExitStatus()}
	line, data := split(p.output.text)
	out.Line, out.Values = line, parsePerformance(data)
	if out.Line == "" {
		out.Line, _ = split(p.errs.text)
	}
	return out, nil
}
