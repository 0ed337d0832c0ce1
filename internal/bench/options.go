package bench

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Limits of a run.
const (
	MaxSockets     = 1024
	MaxOutstanding = 1024 // per socket
	MaxBatch       = 64
	MaxThreads     = 64
	MaxRate        = 10_000_000 // queries per second
	MaxDuration    = time.Hour  // also of the warm-up
	MaxTimeout     = 10 * time.Second
	minTimeout     = 10 * time.Millisecond
	maxCPU         = 1024
)

// Transport is how queries travel.
type Transport string

// The transports.
const (
	UDP Transport = "udp"
	TCP Transport = "tcp" // pipelined (RFC 7766, 6.2.1.1)
	TLS Transport = "tls" // RFC 7858; the certificate is not checked unless Options.TLS says so
)

// Options say what to measure and how hard. There are no defaults: see Validate for what is allowed.
type Options struct {
	Target    netip.AddrPort
	Transport Transport
	Queries   *Queries

	Rate        float64       // queries per second; 0: as many as the outstanding queries allow
	Sockets     int           // sockets or connections, spread over the threads
	Outstanding int           // queries without an answer per socket
	Batch       int           // queries that a socket sends in a row, in one system call
	Threads     int           // sending threads; the portable engine has a goroutine per socket instead
	Warmup      time.Duration // sent, but not counted
	Duration    time.Duration // of the measurement
	Timeout     time.Duration // after which a query counts as lost

	Expect   Expectation
	CPUs     []int // CPUs that the process is bound to; empty: any. Linux
	Portable bool  // use the portable engine where there is a faster one
	TLS      *tls.Config
}

// Validate returns an error that names the first option out of its range.
func (o *Options) Validate() error {
	ranges := []struct {
		name     string
		got      int
		min, max int
	}{
		{"sockets", o.Sockets, 1, MaxSockets},
		{"outstanding", o.Outstanding, 1, MaxOutstanding},
		{"batch", o.Batch, 1, MaxBatch},
		{"threads", o.Threads, 1, MaxThreads},
	}
	for _, r := range ranges {
		if r.got < r.min || r.got > r.max {
			return fmt.Errorf("%s %d is not within %d and %d", r.name, r.got, r.min, r.max)
		}
	}
	times := []struct {
		name     string
		got      time.Duration
		min, max time.Duration
	}{
		{"duration", o.Duration, time.Millisecond, MaxDuration},
		{"warmup", o.Warmup, 0, MaxDuration},
		{"timeout", o.Timeout, minTimeout, MaxTimeout},
	}
	for _, r := range times {
		if r.got < r.min || r.got > r.max {
			return fmt.Errorf("%s %v is not within %v and %v", r.name, r.got, r.min, r.max)
		}
	}
	switch {
	case !o.Target.IsValid() || o.Target.Port() == 0:
		return fmt.Errorf("target %v is not an address and port", o.Target)
	case o.Transport != UDP && o.Transport != TCP && o.Transport != TLS:
		return fmt.Errorf("transport %q is not one of udp, tcp, tls", o.Transport)
	case o.Rate != o.Rate || o.Rate < 0 || o.Rate > MaxRate:
		return fmt.Errorf("rate %v is not within 0 and %d", o.Rate, MaxRate)
	case o.Threads > o.Sockets:
		return fmt.Errorf("threads %d are more than sockets %d: every thread needs one", o.Threads, o.Sockets)
	case slices.ContainsFunc(o.CPUs, func(cpu int) bool { return cpu < 0 || cpu >= maxCPU }):
		return fmt.Errorf("CPUs %v are not within 0 and %d", o.CPUs, maxCPU-1)
	case o.Queries == nil || o.Queries.Len() == 0:
		return fmt.Errorf("no queries to send")
	}
	return nil
}

// Nearby reports whether an address is on this machine or in a private network (RFC 1918, 4193, 3927, 4291). A load
// generator aimed anywhere else is likely to hit somebody by mistake.
func Nearby(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}
