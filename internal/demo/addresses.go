package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// Ports that are tried first. A busy one moves on to the next, so the numbers that people see are these or close to them.
const (
	firstDNSPort = 5301
	firstMEPPort = 5311
	firstAPIPort = 8301
	firstWebPort = 18080

	// portTries is how many ports in a row are tried.
	portTries = 100
)

// loopback is where everything but the web servers listens.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// ports hands out ports on loopback that nobody has.
type ports struct {
	any bool // any free ports instead of the usual ones
}

// next returns a port that is free for UDP and TCP, from first on. Another program may still take it before it is used:
// the caller then asks again.
func (p ports) next(ctx context.Context, first uint16) (uint16, error) {
	if p.any {
		first = 0
	}
	for try := range uint16(portTries) {
		port := first
		if first != 0 {
			port += try
		}
		got, err := probePort(ctx, port)
		if err == nil {
			return got, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return 0, fmt.Errorf("find a free port on %s from %d: %w", loopback, first, err)
		}
	}
	return 0, fmt.Errorf("find a free port on %s: %d to %d are all in use", loopback, first, first+portTries-1)
}

// probePort binds a port for UDP and TCP and lets it go. Port 0 is any.
func probePort(ctx context.Context, port uint16) (uint16, error) {
	var config net.ListenConfig
	address := func(port uint16) string { return netip.AddrPortFrom(loopback, port).String() }
	packet, err := config.ListenPacket(ctx, "udp4", address(port))
	if err != nil {
		return 0, err
	}
	defer packet.Close()
	got := packet.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	stream, err := config.Listen(ctx, "tcp4", address(got))
	if err != nil {
		return 0, err
	}
	return got, stream.Close()
}

// webListeners binds all web servers at one port of their own addresses. On Linux every address in 127.0.0.0/8 works as
// it is. Where they do not, the servers share 127.0.0.1 with a port each, and shared is true: names are still answered with
// the servers' own addresses, but only the demo's probes reach them there.
func webListeners(ctx context.Context, addrs []netip.Addr, p ports) (listeners []net.Listener, port uint16, shared bool, err error) {
	for try := range uint16(portTries) {
		first := uint16(firstWebPort) + try
		if p.any {
			first = 0
		}
		listeners, port, err = listenAll(ctx, addrs, first)
		switch {
		case err == nil:
			return listeners, port, false, nil
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			listeners, err = listenShared(ctx, len(addrs), p)
			return listeners, firstWebPort, true, err
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, 0, false, err
		}
	}
	return nil, 0, false, fmt.Errorf("start web servers: %w", err)
}

// listenAll binds one port at all addresses, or at none. Port 0 is any.
func listenAll(ctx context.Context, addrs []netip.Addr, port uint16) ([]net.Listener, uint16, error) {
	var out []net.Listener
	for _, a := range addrs {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp4", netip.AddrPortFrom(a, port).String())
		if err != nil {
			return nil, 0, errors.Join(fmt.Errorf("listen on %s port %d: %w", a, port, err), closeListeners(out))
		}
		out = append(out, l)
		port = l.Addr().(*net.TCPAddr).AddrPort().Port()
	}
	return out, port, nil
}

// listenShared binds n ports at 127.0.0.1.
func listenShared(ctx context.Context, n int, p ports) ([]net.Listener, error) {
	var out []net.Listener
	next := uint16(firstWebPort)
	for range n {
		port, err := p.next(ctx, next)
		if err != nil {
			return nil, errors.Join(err, closeListeners(out))
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort(loopback.String(), strconv.Itoa(int(port))))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s port %d: %w", loopback, port, err), closeListeners(out))
		}
		out = append(out, l)
		next = port + 1
	}
	return out, nil
}

func closeListeners(ls []net.Listener) error {
	var errs []error
	for _, l := range ls {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
