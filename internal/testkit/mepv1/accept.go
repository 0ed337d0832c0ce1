package mepv1

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// accept takes connections until ctx ends. Errors that pass (too many open files, a connection that was aborted) are
// waited out; it fails only when the listener was closed by somebody else.
func (x *Exchange) accept(ctx context.Context, l net.Listener) error {
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept sites on %q: %w", l.Addr(), err)
		case err != nil:
			x.noteRefused(fmt.Errorf("accept sites on %q: %w", l.Addr(), err), "", "")
			sleep(ctx, acceptPause)
			continue
		}
		source := sourceOf(conn)
		if err := x.admit(source); err != nil {
			_ = conn.Close()
			x.noteRefused(err, "", source.String())
			continue
		}
		x.children.Go(func() { x.welcome(ctx, conn, source) })
	}
}

// welcome makes a session of an accepted connection and runs it.
func (x *Exchange) welcome(ctx context.Context, conn net.Conn, source netip.Addr) {
	s, err := x.handshake(ctx, conn, "")
	x.release(source)
	if err != nil {
		_ = conn.Close()
		if ctx.Err() == nil && !errors.Is(err, errSuperseded) && !errors.Is(err, errLeaving) {
			x.noteRefused(err, "", source.String())
		}
		return
	}
	x.start(ctx, s)
}

// admit counts a connection that has not proved a site yet, within the limits in all and for its source: one that opens
// connections and says nothing must not keep the others out. The address of a site, as configured or as last proved, has
// places of its own: many who say nothing must not keep that site out either.
func (x *Exchange) admit(source netip.Addr) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := 0
	for _, n := range x.pending {
		all += n
	}
	if x.pending[source] >= maxHandshakesPerSource || all >= maxHandshakes && !x.known(source) {
		return refusef(RejectBusy, "admit connection from %s: %d connections from it and %d in all have not proved a site yet",
			source, x.pending[source], all)
	}
	x.pending[source]++
	return nil
}

// known reports whether a site is configured at an address, or was last proved to come from it. x.mu is held.
func (x *Exchange) known(source netip.Addr) bool {
	for _, p := range x.peers {
		if source.IsValid() && (p.addr.ip == source || p.source == source) {
			return true
		}
	}
	return false
}

// release takes back an admit.
func (x *Exchange) release(source netip.Addr) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pending[source]--; x.pending[source] <= 0 {
		delete(x.pending, source)
	}
}

// sourceOf returns the IP address at the other end of a connection, or an invalid one.
func sourceOf(conn net.Conn) netip.Addr {
	if conn.RemoteAddr() == nil {
		return netip.Addr{}
	}
	ap, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
