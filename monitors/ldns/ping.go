package ldns

import (
	"errors"
	"net/netip"

	"go.uber.org/zap"

	"fairlead/monitors/icmp"
)

// openPing opens a family's socket.
func (s *sockets) openPing(f int) {
	socket, err := icmp.Open(f == 1)
	if err != nil {
		raw := err
		var datagram error
		if e, ok := errors.AsType[*icmp.UnavailableError](err); ok {
			datagram, raw = e.Datagram, e.Raw
		}
		s.log.Warn("ldns.ping_unavailable", zap.String("family", [families]string{"IPv4", "IPv6"}[f]), zap.NamedError("datagram", datagram),
			zap.NamedError("raw", raw), zap.String("then", "resolvers are measured by the other kinds of probe_order; allow the group in "+
				"net.ipv4.ping_group_range, or give the binary CAP_NET_RAW"))
		return
	}
	s.ping[f] = socket
	s.group.Go(func() { s.readPings(socket) })
}

func (s *sockets) sendPing(to netip.Addr, token uint64) error {
	s.pings++
	return s.ping[familyOf(to.Is6())].Send(to, s.pings, token, icmp.MinSize)
}

// readPings reads replies. Errors of ICMP are none: a resolver that cannot be reached is silent.
func (s *sockets) readPings(socket *icmp.Socket) {
	for {
		e, err := socket.Read()
		switch {
		case err == nil && e.Failure == nil:
			s.prober.answered(Ping, e.From, e.Echo.Token, ^uint64(0), e.At, 0)
		case err != nil && !s.rest(err):
			return
		}
	}
}
