package adns

import (
	"encoding/binary"
	"math"
	"net/netip"

	"github.com/miekg/dns"

	"fairlead/adns/sketch"
	"fairlead/gslb"
)

// neverDue is a countdown that does not end.
const neverDue = math.MaxInt64

// sampled is called for the query that was due, after it was answered. What it needs of the question stands in the answer,
// so the paths to answers know nothing of it.
func (r *responder) sampled(response []byte, c *client) {
	if r.sketch == nil {
		r.due = neverDue
		return
	}
	weight := r.sketch.Take(r.nanos)
	r.due, r.late = r.sketch.Gap(), r.sketch.Late()
	snapshot := r.server.snapshot()
	if snapshot == nil || len(response) < headerOctets {
		return
	}
	sample := sketch.Sample{LDNS: c.addr, Listener: c.listener(), Weight: weight}
	if !snapshot.sample(response, &sample) {
		return
	}
	if !r.server.policy.believes(c.addr) {
		sample.Subnet = netip.Prefix{}
	}
	r.sketch.Record(&sample)
}

// sample finds the balanced name that a response is about, which may be the end of a chain of aliases. It reports false
// when there is none.
func (s *Snapshot) sample(response []byte, out *sketch.Sample) bool {
	var l labels
	end, ok := skipQuestionName(response, headerOctets)
	if !ok || binary.BigEndian.Uint16(response[4:]) != 1 || end+4 > len(response) || !l.parse(response[headerOctets:end:end]) {
		return false
	}
	qtype, class := binary.BigEndian.Uint16(response[end:]), binary.BigEndian.Uint16(response[end+2:])
	if class != dns.ClassINET {
		return false
	}
	zones, _ := s.seenBy(out.Listener, out.LDNS)
	domain, family, ok := s.balanced(zones, &l, qtype)
	if !ok {
		target, chained := lastTarget(response, end+4)
		if !chained || !l.parse(target) {
			return false
		}
		if domain, family, ok = s.balanced(zones, &l, qtype); !ok {
			return false
		}
	}
	out.Name, out.Family = s.GSLB.Plan.Domain(domain).Name, family
	if _, options, ok := findOPT(response, end+4); ok {
		out.Subnet = subnetOf(options)
	}
	return true
}

// Balanced returns the balanced name that a question is about, and what it asks of its services. listener and source choose
// the view, as in a Question. ok is false when the
// answer does not come from a decision; it may still be an alias of a name that is balanced.
func (s *Snapshot) Balanced(name string, qtype uint16, listener, source netip.Addr) (domain gslb.DomainIndex, family gslb.Family, ok bool) {
	k, err := nameKey(name)
	var l labels
	if err != nil || !l.parse([]byte(k)) {
		return 0, 0, false
	}
	zones, _ := s.seenBy(listener, source)
	return s.balanced(zones, &l, qtype)
}

func (s *Snapshot) balanced(zones *Zones, l *labels, qtype uint16) (gslb.DomainIndex, gslb.Family, bool) {
	zone, ok := zones.find(l, qtype)
	if !ok {
		return 0, 0, false
	}
	m := zones.lookup(zone, l, qtype)
	if m.kind != kindNode || m.extra == nil || !m.extra.balanced {
		return 0, 0, false
	}
	d := s.GSLB.Plan.Domain(m.extra.domain)
	family := asked(d, qtype)
	return m.extra.domain, family, d.HasCNAME || family != gslb.FamilyNone
}

// lastTarget returns the target of the last CNAME among the answers of a response, uncompressed. off is behind the question.
func lastTarget(response []byte, off int) (wire []byte, ok bool) {
	target := ""
	for range min(binary.BigEndian.Uint16(response[6:]), maxChainLinks+1) {
		fixed, ok := skipRecordName(response, off)
		if !ok || fixed+10 > len(response) {
			break
		}
		end := fixed + 10 + int(binary.BigEndian.Uint16(response[fixed+8:]))
		if end > len(response) {
			break
		}
		if binary.BigEndian.Uint16(response[fixed:]) == dns.TypeCNAME {
			name, _, err := dns.UnpackDomainName(response, fixed+10)
			if err != nil {
				break
			}
			target = name
		}
		off = end
	}
	if target == "" {
		return nil, false
	}
	buf := make([]byte, maxNameOctets+1)
	n, err := dns.PackDomainName(target, buf, 0, nil, false)
	return buf[:max(n, 0)], err == nil
}

// subnetOf returns the EDNS Client Subnet among options (RFC 7871 section 6); the zero Prefix when there is none.
func subnetOf(options []byte) netip.Prefix {
	const header, inet, inet6 = 4, 1, 2
	for len(options) >= header {
		code, length := binary.BigEndian.Uint16(options), int(binary.BigEndian.Uint16(options[2:]))
		data := options[header:]
		if length > len(data) {
			break
		}
		if code == dns.EDNS0SUBNET && length >= subnetHeaderOctets {
			bits, octets := int(data[2]), data[subnetHeaderOctets:length]
			switch family := binary.BigEndian.Uint16(data); {
			case family == inet && len(octets) <= 4 && bits <= 32:
				var a [4]byte
				copy(a[:], octets)
				return netip.PrefixFrom(netip.AddrFrom4(a), bits).Masked()
			case family == inet6 && len(octets) <= 16 && bits <= 128:
				var a [16]byte
				copy(a[:], octets)
				return netip.PrefixFrom(netip.AddrFrom16(a), bits).Masked()
			}
			break
		}
		options = data[length:]
	}
	return netip.Prefix{}
}

// Asked returns what a message asks: a name in presentation form and lower case, a type in class IN, and the EDNS Client
// Subnet if there is one. It reads queries and responses alike, whatever is in them; ok is false when there is not exactly
// one such question.
func Asked(message []byte) (name string, qtype uint16, subnet netip.Prefix, ok bool) {
	if len(message) < headerOctets || binary.BigEndian.Uint16(message[4:]) != 1 {
		return "", 0, subnet, false
	}
	var l labels
	end, ok := skipQuestionName(message, headerOctets)
	if !ok || end+4 > len(message) || !l.parse(message[headerOctets:end:end]) || binary.BigEndian.Uint16(message[end+2:]) != dns.ClassINET {
		return "", 0, subnet, false
	}
	if _, options, ok := findOPT(message, end+4); ok {
		subnet = subnetOf(options)
	}
	return key(l.suffix(0)).String(), binary.BigEndian.Uint16(message[end:]), subnet, true
}
