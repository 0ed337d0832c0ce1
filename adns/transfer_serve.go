package adns

import (
	"context"
	"encoding/binary"
	"net/netip"

	"fairlead/adns/transfer"

	"github.com/miekg/dns"
)

// serveTransfers returns what answers requests for AXFR and IXFR on streams; nil when nothing does.
func serveTransfers(s *Server, transfers *transfer.Transfers) transferFunc {
	if transfers == nil {
		return nil
	}
	return func(ctx context.Context, request []byte, c *client, send func([]byte) error) (done bool, err error) {
		q := s.transferQuery(request, c)
		if q == nil {
			return false, nil
		}
		return true, transfers.Serve(ctx, request, q, transfer.Peer{Addr: c.addr, View: s.viewOf(c)}, send)
	}
}

// viewOf returns the name of the view that a client is in; empty when it is in none.
func (s *Server) viewOf(c *client) string {
	snapshot := s.snapshot()
	if snapshot == nil || snapshot.GSLB == nil {
		return ""
	}
	plan := snapshot.GSLB.Plan
	return plan.ViewName(plan.ViewOf(c.listener(), c.addr))
}

// transferQuery unpacks a request for a transfer that passes the judges of header and client; nil when it is to be answered
// like any other query.
func (s *Server) transferQuery(request []byte, c *client) *dns.Msg {
	q := new(dns.Msg)
	if !judgeHeader(request).accepted() || !s.policy.judgeClient(c).accepted() || q.Unpack(request) != nil {
		return nil
	}
	if opt := q.IsEdns0(); opt != nil && opt.Version() != 0 {
		return nil
	}
	return q
}

// transferred answers a request for a transfer that came without a stream: with at most one message.
func (r *responder) transferred(request []byte, c *client) (wire []byte) {
	s := r.server
	if s.transfers == nil || c.transport == TCP || c.transport == TLS || !asksForTransfer(request) {
		return nil
	}
	q := s.transferQuery(request, c)
	if q == nil {
		return nil
	}
	err := s.transfers.Serve(context.Background(), request, q, transfer.Peer{Addr: c.addr, View: s.viewOf(c), Datagram: true}, func(message []byte) error {
		wire = append([]byte(nil), message...)
		return nil
	})
	if err != nil {
		return headerOnly(request, dns.RcodeServerFailure)
	}
	return wire
}

// signature verifies the TSIG of a request, if it has one. What does not hold changes the verdict.
func (r *responder) signature(request []byte, v *verdict) (sig transfer.Signature) {
	if !v.accepted() || binary.BigEndian.Uint16(request[10:]) == 0 {
		return sig
	}
	if sig = r.server.keys.Verify(request, r.server.now()); sig.Rcode != dns.RcodeSuccess {
		*v = refuse(sig.Rcode, 0)
	}
	return sig
}

// sign answers the signature of a request.
func (s *Server) sign(request, wire []byte, sig *transfer.Signature) []byte {
	if !sig.Present() {
		return wire
	}
	signed, err := sig.Sign(wire)
	if err != nil {
		return headerOnly(request, dns.RcodeServerFailure)
	}
	return signed
}

// NotifySecondary returns a NotifyHandler that tells a secondary.
func NotifySecondary(secondary *transfer.Secondary) NotifyHandler {
	return func(request []byte, from netip.AddrPort, transport Transport) []byte {
		m := new(dns.Msg)
		if m.Unpack(request) != nil {
			return headerOnly(request, dns.RcodeFormatError)
		}
		return secondary.Notify(request, m, transfer.Peer{Addr: from.Addr(), Datagram: transport == UDP})
	}
}
