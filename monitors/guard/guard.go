package guard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"fairlead/config"
	"fairlead/monitors/direct"
)

// Options say what a Guard lets through. The zero value is safe: the defaults, and no Unix sockets.
type Options struct {
	// Allow is reached although it is denied by default; Deny is never reached.
	Allow, Deny []netip.Prefix
	// Own is where this node listens for its operators and for other sites, over TCP: never reached. An unspecified address
	// stands for every address of this machine.
	Own []netip.AddrPort
	// SocketDirectories hold the Unix sockets that may be connected to, also in directories below.
	SocketDirectories []string
	// Private is directories whose Unix sockets are never connected to, even if they are below those.
	Private []string
	// Resolver resolves names; nil: the system's.
	Resolver *net.Resolver
	// LocalAddresses returns the addresses of this machine; nil: those of its interfaces.
	LocalAddresses func() ([]netip.Addr, error)
}

// Guard judges destinations and opens connections to those that it lets through. Safe for concurrent use.
type Guard struct {
	opts    Options
	own     atomic.Pointer[[]netip.AddrPort]
	literal net.Dialer // for addresses that were judged already
	named   net.Dialer // judges each address that a name has led to
}

// New returns a Guard.
func New(o Options) *Guard {
	if o.LocalAddresses == nil {
		o.LocalAddresses = interfaceAddresses
	}
	o.Allow, o.Deny = slices.Clone(o.Allow), slices.Clone(o.Deny)
	const never = -1 // a probe is over before a keepalive would be sent
	g := &Guard{opts: o, literal: net.Dialer{KeepAlive: never}, named: net.Dialer{KeepAlive: never, Resolver: o.Resolver}}
	g.named.ControlContext = func(_ context.Context, network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return refuse(network+" "+address, "not an address with a port", "")
		}
		return g.Check(network, to)
	}
	g.SetOwn(o.Own)
	return g
}

// SetOwn replaces Options.Own, once it is known which ports were bound.
func (g *Guard) SetOwn(own []netip.AddrPort) {
	own = slices.Clone(own)
	g.own.Store(&own)
}

// Check judges a destination: nil, or a *Refused. network is as for net.Dial, or "ip" for what has no ports. It allocates
// nothing for what it lets through.
func (g *Guard) Check(network string, to netip.AddrPort) error {
	a := to.Addr().Unmap().WithZone("")
	if !a.IsValid() {
		return refuse(to.String(), "not an address", "")
	}
	if err := g.judge(a, a); err != nil {
		return err
	}
	inner := config.StandsFor(a)
	if inner.IsValid() {
		if err := g.judge(inner, a); err != nil {
			return err
		}
	}
	if strings.HasPrefix(network, "tcp") && g.isOwn(to.Port(), a, inner) {
		return refuse(to.String(), "a control socket of this node", "")
	}
	return nil
}

// judge judges an address by itself; shown is how it was written.
func (g *Guard) judge(a, shown netip.Addr) error {
	contains := func(p netip.Prefix) bool { return p.Contains(a) }
	if slices.ContainsFunc(g.opts.Deny, contains) {
		return refuse(shown.String(), "denied by the node file", "probes.deny")
	}
	what, _ := config.DeniedByDefault(a)
	if what == "" || slices.ContainsFunc(g.opts.Allow, contains) {
		return nil
	}
	return refuse(shown.String(), what, "probes.allow")
}

// isOwn reports whether a control socket of this node listens on the port at one of these addresses.
func (g *Guard) isOwn(port uint16, addresses ...netip.Addr) bool {
	for _, own := range *g.own.Load() {
		if own.Port() != port || port == 0 {
			continue
		}
		for _, a := range addresses {
			if !a.IsValid() {
				continue
			}
			// A connection to no host's address is one to this machine, at an address that the kernel picks.
			if a.IsUnspecified() || a == own.Addr().Unmap().WithZone("") || own.Addr().Unmap().IsUnspecified() && g.isLocal(a) {
				return true
			}
		}
	}
	return false
}

// isLocal reports whether an address is one of this machine's. When its interfaces cannot be listed every address might be.
func (g *Guard) isLocal(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	local, err := g.opts.LocalAddresses()
	return err != nil || slices.Contains(local, a)
}

func interfaceAddresses() ([]netip.Addr, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	out := make([]netip.Addr, 0, len(list))
	for _, one := range list {
		if n, ok := one.(*net.IPNet); ok {
			if a, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, a.Unmap())
			}
		}
	}
	return out, nil
}

// DialContext connects as net.Dialer does, if every address that this leads to is let through. The error is, or wraps, a *Refused
// if one was not. network is one of tcp, tcp4, tcp6, udp, udp4, udp6 and unix.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "unix":
		path, err := g.socket(address)
		if err != nil {
			return nil, err
		}
		return g.literal.DialContext(ctx, network, path)
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
	default:
		return nil, refuse(network+" "+address, "not a network that probes use", "")
	}
	if to, err := netip.ParseAddrPort(address); err == nil {
		if err := g.Check(network, to); err != nil {
			return nil, err
		}
		return g.literal.DialContext(ctx, network, address)
	}
	conn, err := g.named.DialContext(ctx, network, address)
	if refused, ok := errors.AsType[*Refused](err); ok {
		refused.Name, _, _ = net.SplitHostPort(address)
		return nil, refused
	}
	return conn, err
}

// Connect opens a connection over TCP on which everything ends at the deadline, if the address is let through. The error is a
// *Refused if it was not.
func (g *Guard) Connect(ctx context.Context, to netip.AddrPort, deadline time.Time) (net.Conn, error) {
	if err := g.Check("tcp", to); err != nil {
		return nil, err
	}
	return direct.Dialer{}.Connect(ctx, to, deadline)
}

// Around returns a dial function that judges literal addresses and leaves the rest to dial.
func (g *Guard) Around(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if to, err := netip.ParseAddrPort(address); err == nil {
			if err := g.Check(network, to); err != nil {
				return nil, err
			}
		}
		return dial(ctx, network, address)
	}
}
