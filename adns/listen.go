package adns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"fairlead/adns/udp"
)

const (
	// portTries is how often port 0 is tried: the port that UDP got may be taken for TCP.
	portTries = 16
)

// endpoint is one address with both of its sockets.
type endpoint struct {
	addr   netip.AddrPort
	packet *udp.Server
	stream net.Listener
}

// Listen binds UDP and TCP on every address, or, when one fails, on none. Once it has succeeded, calling it again does
// nothing.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateNew {
		return nil
	}
	addrs, err := parseListen(s.listen)
	if err != nil {
		return err
	}
	var endpoints []endpoint
	for _, addr := range addrs {
		e, err := s.bind(ctx, addr, s.workers*len(addrs))
		if err != nil {
			return errors.Join(err, closeAll(endpoints))
		}
		endpoints = append(endpoints, e)
	}
	if err := s.listenSecure(ctx); err != nil {
		return errors.Join(err, closeAll(endpoints))
	}
	s.endpoints, s.state = endpoints, stateListening
	raw := 0
	for i := range endpoints {
		s.logListening(&endpoints[i])
		if endpoints[i].packet.IO().IO == udp.Raw {
			raw += s.workers
		}
	}
	udp.RaiseGOMAXPROCS(raw)
	return nil
}

// parseListen reads the configured addresses.
func parseListen(listen []string) ([]netip.AddrPort, error) {
	if len(listen) == 0 {
		return nil, errors.New("listen for DNS: no address is configured; give at least one, for example 0.0.0.0:53")
	}
	var addrs []netip.AddrPort
	for _, text := range listen {
		host, portText, err := net.SplitHostPort(text)
		if err != nil {
			return nil, fmt.Errorf("listen for DNS on %q: %w; write address:port, and [address]:port for IPv6", text, err)
		}
		port, err := strconv.ParseUint(portText, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("listen for DNS on %q: %q is not a port number (0 to 65535)", text, portText)
		}
		if host == "" {
			addrs = append(addrs, netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(port)),
				netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(port)))
			continue
		}
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return nil, fmt.Errorf("listen for DNS on %q: %q is not an IP address; names are not looked up here", text, host)
		}
		addrs = append(addrs, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	return addrs, nil
}

// bind opens the sockets of an address: one for TCP, and one for each worker. sockets is how many UDP has in all.
func (s *Server) bind(ctx context.Context, addr netip.AddrPort, sockets int) (endpoint, error) {
	for try := 1; ; try++ {
		e, err := s.bindOnce(ctx, addr, sockets)
		if err == nil || addr.Port() != 0 || try == portTries || !errors.Is(err, syscall.EADDRINUSE) {
			return e, err
		}
	}
}

// bindOnce opens UDP first and takes its port for TCP.
func (s *Server) bindOnce(ctx context.Context, addr netip.AddrPort, sockets int) (endpoint, error) {
	family := "4"
	if addr.Addr().Is6() {
		family = "6" // such a socket takes IPv6 only, so that 0.0.0.0 and [::] can both be listened on
	}
	packet, err := udp.Listen(ctx, udp.Options{Addr: addr, Workers: s.workers, IO: s.io, Sockets: sockets,
		NewHandler: s.newDatagrams, Logger: s.log, ListenPacket: s.listenPacket})
	if err != nil {
		return endpoint{}, bindError("UDP", "dns.listen", addr, err)
	}
	if addr.Port() == 0 {
		addr = netip.AddrPortFrom(addr.Addr(), packet.Addr().Port())
	}
	stream, err := s.listenStream(ctx, "tcp"+family, addr.String())
	if err != nil {
		return endpoint{}, errors.Join(bindError("TCP", "dns.listen", addr, err), packet.Close())
	}
	return endpoint{addr: addr, packet: packet, stream: stream}, nil
}

// bindError says which socket could not be had, why, and what to do about it at a key of the node file.
func bindError(protocol, key string, addr netip.AddrPort, err error) error {
	advice := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = fmt.Sprintf("; another program has this port (ss -lnp 'sport = :%d' shows which): stop it, or listen on "+
			"another address", addr.Port())
	case errors.Is(err, fs.ErrPermission):
		advice = "; ports below 1024 need a privilege: run as root, or give the binary CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "; this machine does not have the address: correct " + key + ", or add the address to an interface"
	case errors.Is(err, syscall.EINVAL) && addr.Addr().IsLinkLocalUnicast() && addr.Addr().Zone() == "":
		advice = fmt.Sprintf("; a link-local address needs its interface: write [%s%%eth0]:%d", addr.Addr(), addr.Port())
	case errors.Is(err, syscall.EAFNOSUPPORT):
		advice = "; this machine does not speak this address family: take the address out of " + key
	}
	return fmt.Errorf("listen for DNS on %s %s: %w%s", protocol, addr, err, advice)
}

// closeAll closes the sockets of all endpoints.
func closeAll(endpoints []endpoint) error {
	var errs []error
	for _, e := range endpoints {
		errs = append(errs, e.packet.Close(), e.stream.Close())
	}
	return errors.Join(errs...)
}

// systemListenStream opens a TCP listener.
func systemListenStream(ctx context.Context, network, address string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1} // connections idle for so short a time that probes of TCP are only work
	return lc.Listen(ctx, network, address)
}

// addrPort returns the address in a net.Addr, the zero AddrPort when there is none.
func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.UDPAddr:
		return a.AddrPort()
	case *net.TCPAddr:
		return a.AddrPort()
	case nil:
		return netip.AddrPort{}
	}
	parsed, _ := netip.ParseAddrPort(a.String())
	return parsed
}
