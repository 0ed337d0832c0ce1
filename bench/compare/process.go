package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Limits of starting and ending a server.
const (
	startLimit   = 2 * time.Minute
	endLimit     = 5 * time.Second
	pollInterval = 2 * time.Millisecond
	pollTimeout  = 50 * time.Millisecond
	logTail      = 2000 // octets of a server's log that an error shows
)

// process is a running contender.
type process struct {
	contender
	site  *site
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
	ready time.Duration // from the start to the first right answer
}

// startProcess writes a contender's configuration, starts it on a CPU and waits for its first right answer.
func startProcess(ctx context.Context, c contender, s *site, cpu int) (*process, error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	start, err := c.write(s)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{contender: c, site: s, cmd: exec.Command(s.binary, start.args...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = s.dir, log, log
	p.cmd.Env = append(os.Environ(), start.environment...)
	began := time.Now()
	if err := startOn(cpu, p.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.binary, err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it ended is in its log
	}()
	if err := p.await(ctx, began); err != nil {
		p.stop()
		return nil, fmt.Errorf("%w; the end of its log:\n%s", err, tail(log.Name()))
	}
	return p, nil
}

// await asks for the last name of the zone until it is answered.
func (p *process) await(ctx context.Context, began time.Time) error {
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	for {
		if answers(p.site.port, fmt.Sprintf(namePattern, p.site.names-1)) {
			p.ready = time.Since(began)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return errors.New("it ended")
		case <-limit.C:
			return fmt.Errorf("no right answer within %v", startLimit)
		case <-time.After(pollInterval):
		}
	}
}

// answers reports whether a server answers for a label of the zone with at least one record.
func answers(port int, label string) bool {
	c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	defer c.Close()
	query := []byte{0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for part := range strings.SplitSeq(label+"."+zoneName, ".") {
		query = append(append(query, byte(len(part))), part...)
	}
	query = append(query, 0, 0, 1, 0, 1)
	if _, err := c.Write(query); err != nil {
		return false
	}
	_ = c.SetReadDeadline(time.Now().Add(pollTimeout))
	var answer [1500]byte
	n, err := c.Read(answer[:])
	return err == nil && n > 12 && answer[0] == 0x12 && answer[1] == 0x34 && answer[3]&0xf == 0 && binary.BigEndian.Uint16(answer[6:]) > 0
}

// stop ends the process and what it started, and waits until it has ended.
func (p *process) stop() {
	pid := p.cmd.Process.Pid
	endAll(pid, false)
	select {
	case <-p.ended:
	case <-time.After(endLimit):
	}
	endAll(pid, true)
	<-p.ended
}

func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTail):])
}

// freePort returns a port of 127.0.0.1 that is free for UDP and TCP.
func freePort() (int, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			return port, nil
		}
	}
	return 0, errors.New("no port is free for UDP and TCP")
}

// listenMembers opens the port that monitors probe, at the address of each member, and takes what connects.
func listenMembers() (port int, stop func(), err error) {
	var listeners []net.Listener
	stop = func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}
	for i := range members {
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", memberAddress(i), port))
		if err != nil {
			stop()
			return 0, nil, err
		}
		port = l.Addr().(*net.TCPAddr).Port
		listeners = append(listeners, l)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.Close()
			}
		}()
	}
	return port, stop, nil
}
