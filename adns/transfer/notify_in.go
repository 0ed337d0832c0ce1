package transfer

import (
	"github.com/miekg/dns"
	"go.uber.org/zap"
)

// Notify answers a NOTIFY (RFC 1996), which m is when unpacked; nil when it cannot be answered. One that comes from a
// primary, by its address or its key, makes the zone be asked for soon: once, however many come. A zone that is not
// transferred here is answered with NOTAUTH, another sender with REFUSED.
func (s *Secondary) Notify(request []byte, m *dns.Msg, peer Peer) []byte {
	sig := s.fetcher.keys.Verify(request, s.now())
	rcode := sig.Rcode
	if rcode == dns.RcodeSuccess {
		rcode = s.notified(m, &sig, peer)
	}
	if rcode != dns.RcodeSuccess && s.said.AllowN(s.now(), 1) {
		zone := ""
		if len(m.Question) > 0 {
			zone = m.Question[0].Name
		}
		s.log.Warn("dns.notify.refused", zap.String("zone", zone), zap.Stringer("from", peer.Addr), zap.String("with", rcodeName(rcode)))
	}
	packed, err := reply(m, &sig, rcode, rcode == dns.RcodeSuccess, 0)
	if err != nil {
		return nil
	}
	return packed
}

func (s *Secondary) notified(m *dns.Msg, sig *Signature, peer Peer) (rcode int) {
	if m.Opcode != dns.OpcodeNotify || len(m.Question) != 1 || m.Question[0].Qtype != dns.TypeSOA || m.Question[0].Qclass != dns.ClassINET {
		return dns.RcodeFormatError
	}
	s.mu.Lock()
	zones := s.names[zoneName(m.Question[0].Name)]
	s.mu.Unlock()
	if len(zones) == 0 {
		return dns.RcodeNotAuth
	}
	rcode = dns.RcodeRefused
	for _, h := range zones { // the sender does not say which view's zone it means
		if h.notified(m, sig, peer) {
			rcode = dns.RcodeSuccess
		}
	}
	return rcode
}

// notified makes the zone be asked for soon, unless it is known to be as new. It reports whether the sender is one of its
// primaries.
func (h *held) notified(m *dns.Msg, sig *Signature, peer Peer) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := false
	for _, p := range h.primaries {
		known = known || p.key == "" && p.is(peer.Addr) || p.key != "" && p.key == sig.Key()
	}
	if !known {
		return false
	}
	for _, rr := range m.Answer { // a hint only: it saves the question
		if soa, ok := rr.(*dns.SOA); ok && h.image != nil && !h.expired && !newer(soa.Serial, h.image.soa.Serial) {
			return true
		}
	}
	h.notifier = peer.Addr
	poke(h.wake)
	return true
}
