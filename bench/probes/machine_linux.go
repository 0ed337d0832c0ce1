package main

import (
	"fmt"
	"net"
	"syscall"
	"time"
)

// usage is what this process used since it began.
type usage struct {
	user, kernel time.Duration
	peakMiB      float64 // resident, at the most
}

func readUsage() usage {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // it has no other reason to fail than a wrong argument
	}
	return usage{time.Duration(r.Utime.Nano()), time.Duration(r.Stime.Nano()), float64(r.Maxrss) / 1024}
}

// echo answers every datagram by itself, from the address that it was sent to.
func echo(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1)
	}); err != nil || failed != nil {
		return fmt.Errorf("ask for the addresses of datagrams: %v, %v", err, failed)
	}
	buf, control := make([]byte, 2048), make([]byte, 128)
	for {
		n, k, _, from, err := c.ReadMsgUDPAddrPort(buf, control)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		_, _, _ = c.WriteMsgUDPAddrPort(buf[:n], control[:k], from) // one that is lost is a failed probe
	}
}

// servePlain accepts connections and answers whatever is sent over them with an HTTP response. It never waits for a socket.
func servePlain() error {
	listener, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	if err := syscall.Bind(listener, &syscall.SockaddrInet4{}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := syscall.Listen(listener, 4096); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	own, err := syscall.Getsockname(listener)
	if err != nil {
		return fmt.Errorf("read the port: %w", err)
	}
	fmt.Println(own.(*syscall.SockaddrInet4).Port)
	var open []int
	for buf := make([]byte, 4096); ; time.Sleep(lookEvery) {
		for {
			c, _, err := syscall.Accept4(listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
			if err != nil {
				break
			}
			open = append(open, c)
		}
		kept := open[:0]
		for _, c := range open {
			n, err := syscall.Read(c, buf)
			if err == syscall.EAGAIN {
				kept = append(kept, c)
				continue
			}
			if n > 0 {
				_, _ = syscall.Write(c, []byte(response)) // one that is lost is a failed probe
			}
			_ = syscall.Close(c)
		}
		open = kept
	}
}
