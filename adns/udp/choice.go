package udp

import (
	"fmt"
	"runtime"
)

// IO is a way to wait for datagrams.
type IO uint8

// The ways.
const (
	// Auto takes Raw where it works and where the machine is large enough for the number of sockets, else Netpoll, else
	// Portable.
	Auto IO = iota
	// Raw blocks in recvmmsg(2) without telling the scheduler: least CPU and latency. A worker keeps a thread for itself,
	// and a processor of the scheduler until nothing has come for a second. Linux on amd64 and arm64.
	Raw
	// Netpoll waits like all Go programs do, and moves batches (recvmmsg, sendmmsg). Linux.
	Netpoll
	// Portable moves one datagram at a time through package net. Everywhere.
	Portable
)

// String returns the way's name in lower case.
func (io IO) String() string {
	switch io {
	case Raw:
		return "raw"
	case Netpoll:
		return "netpoll"
	case Portable:
		return "portable"
	}
	return "auto"
}

// Choice is a way and why it was taken.
type Choice struct {
	IO     IO
	Reason string // a clause for people
}

// String returns both, for a log line.
func (c Choice) String() string { return c.IO.String() + ": " + c.Reason }

// minRawSockets is how many sockets Auto serves raw on any machine.
const minRawSockets = 4

// RawSockets is the number of sockets of a process up to which Auto chooses Raw: twice the CPUs, at least four. Each
// costs a thread, and a processor of the scheduler. The garbage collector uses a quarter of those, so that many more than
// there are CPUs would let it take all of them.
func RawSockets() int { return max(minRawSockets, 2*runtime.NumCPU()) }

// choose settles what o.IO means here. The error says why a way that was asked for by name cannot be had.
func choose(o *Options) (Choice, error) {
	sockets := max(o.Sockets, o.Workers)
	switch {
	case o.ListenPacket != nil && (o.IO == Auto || o.IO == Portable):
		return Choice{Portable, "the socket is not of this package"}, nil
	case o.ListenPacket != nil:
		return Choice{}, fmt.Errorf("%s needs sockets of its own, and Options.ListenPacket gives others; leave one out", o.IO)
	case o.IO == Portable:
		return Choice{Portable, "as configured"}, nil
	case !haveBatches:
		if o.IO != Auto {
			return Choice{}, fmt.Errorf("%s is not available on %s; leave the choice to auto", o.IO, runtime.GOOS)
		}
		return Choice{Portable, runtime.GOOS + " has no calls for batches that are used here"}, nil
	case o.IO == Netpoll:
		return Choice{Netpoll, "as configured"}, nil
	case o.IO == Auto && sockets > RawSockets():
		return Choice{Netpoll, fmt.Sprintf("%d sockets would keep as many threads and processors of the scheduler; up to %d are raw on this machine",
			sockets, RawSockets())}, nil
	}
	err := testRaw()
	switch {
	case err == nil && o.IO == Raw:
		return Choice{Raw, "as configured; the self-test passed"}, nil
	case err == nil:
		return Choice{Raw, "the self-test passed"}, nil
	case o.IO == Raw:
		return Choice{}, fmt.Errorf("raw does not work on this system: %w; leave the choice to auto", err)
	}
	return Choice{Netpoll, "raw does not work on this system: " + err.Error()}, nil
}
