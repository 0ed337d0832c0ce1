package adns

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"

	"github.com/miekg/dns"
)

const (
	minUDPPayload = 512  // RFC 1035 section 4.2.1, and what a smaller advertisement counts as (RFC 6891 section 6.2.3)
	maxUDPPayload = 1232 // passes any path without fragments (RFC 9715)

	optionHeaderOctets = 4
	optOctets          = 11 // an OPT record without options (RFC 6891 section 6.1.2)
	// optionZoneVersion is ZONEVERSION (RFC 9660).
	optionZoneVersion = 19

	// maxNSID keeps question and OPT together below minUDPPayload, so that a truncated response always fits.
	maxNSID = 128
	// maxErrorText bounds the text of an extended error.
	maxErrorText = 40
)

// opt is what a query's OPT record says (RFC 6891).
type opt struct {
	present   bool
	malformed bool // its options; never set for another version, whose options are not ours to read
	size      uint16
	version   uint8
	do        bool
	nsid      bool // asked for
	subnet    subnet
	// cookie is the data of a COOKIE option, for policy.judgeCookie; nil without one.
	cookie      []byte
	cookieTwice bool
	keepalive   bool // asks how long a connection may be idle (RFC 7828)
	padding     bool // wants a padded response (RFC 7830)
	zoneVersion bool // asks for the zone's version (RFC 9660)
}

// subnet is an EDNS Client Subnet option as it came (RFC 7871 section 6).
type subnet struct {
	present bool
	prefix  netip.Prefix
	data    []byte // option data, to be echoed bit for bit but for SCOPE
}

// parse reads the parts of an OPT record: class, TTL and data. The data must be complete.
func (o *opt) parse(class uint16, ttl uint32, data []byte) {
	o.present = true
	o.size = class
	o.version = uint8(ttl >> 16)
	o.do = ttl&0x8000 != 0
	if o.version != 0 {
		return
	}
	for len(data) > 0 {
		if len(data) < optionHeaderOctets {
			o.malformed = true
			return
		}
		code, length := binary.BigEndian.Uint16(data), int(binary.BigEndian.Uint16(data[2:]))
		if data = data[optionHeaderOctets:]; length > len(data) {
			o.malformed = true
			return
		}
		switch code {
		case dns.EDNS0NSID:
			o.nsid = true // what the query carries in it does not matter (RFC 5001 section 2.1)
		case dns.EDNS0SUBNET:
			// Two subnets contradict each other.
			if o.subnet.present || !o.subnet.parse(data[:length]) {
				o.malformed = true
			}
		case dns.EDNS0COOKIE:
			o.cookieTwice = o.cookie != nil
			o.cookie = data[:length:length]
		case dns.EDNS0TCPKEEPALIVE:
			o.keepalive = o.keepalive || length == 0 // a client has no time-out to tell (RFC 7828 section 3.2.1)
		case dns.EDNS0PADDING:
			o.padding = true
		case optionZoneVersion:
			o.zoneVersion = o.zoneVersion || length == 0 // RFC 9660 section 3.1
		}
		data = data[length:]
	}
}

// parse reads option data and reports whether it is well formed:
//
//	FAMILY(16) SOURCE PREFIX-LENGTH(8) SCOPE PREFIX-LENGTH(8) ADDRESS...
//
// ADDRESS has exactly as many octets as SOURCE needs, bits past SOURCE are 0, and SCOPE is 0 in queries. A FAMILY of 0 is
// malformed also when SOURCE is 0: RFC 7871 wants the family of the transport then, dig sends it so, and Knot DNS judges
// alike (BIND echoes family 0, NSD does not speak the option).
func (s *subnet) parse(data []byte) bool {
	if !validSubnet(data) {
		return false
	}
	source, address := int(data[2]), data[subnetHeaderOctets:]
	s.present, s.data = true, data
	if data[1] == familyIPv4 {
		var a [4]byte
		copy(a[:], address)
		s.prefix = netip.PrefixFrom(netip.AddrFrom4(a), source)
		return true
	}
	var a [16]byte
	copy(a[:], address)
	s.prefix = netip.PrefixFrom(netip.AddrFrom16(a), source)
	return true
}

// validSubnet reports whether option data is well formed.
func validSubnet(data []byte) bool {
	if len(data) < subnetHeaderOctets {
		return false
	}
	source, scope, address := int(data[2]), data[3], data[subnetHeaderOctets:]
	most := 32
	switch binary.BigEndian.Uint16(data) {
	case familyIPv4:
	case familyIPv6:
		most = 128
	default:
		return false
	}
	if scope != 0 || source > most || len(address) != (source+7)/8 {
		return false
	}
	return source%8 == 0 || address[len(address)-1]<<(source%8) == 0
}

// Address families of a client subnet, and the octets before its address.
const (
	familyIPv4         = 1
	familyIPv6         = 2
	subnetHeaderOctets = 4
)

// limit is the most octets a response over UDP may have.
func (o *opt) limit() int {
	if !o.present {
		return minUDPPayload
	}
	return int(max(minUDPPayload, min(o.size, maxUDPPayload)))
}

// optReply is what a response's OPT says besides what it copies from the query.
type optReply struct {
	bare  bool // no options: the query's could not be read
	scope uint8
	nsid  string // hexadecimal; "" sends none
	ede   ExtendedError
	// cookie is the data of the COOKIE option, nil without one.
	cookie []byte
	// idle is how long the connection may be idle, in units of 100 ms, if the query asked; 0 says nothing.
	idle uint16
	// zoneVersion is the data of the ZONEVERSION option, nil without one.
	zoneVersion []byte
	// pad says that the response is padded once its size is known.
	pad bool
	// room is how many octets options may have in all; 0 stands for any number. What does not fit is left out, the least
	// useful first.
	room int
}

// reply makes the OPT of a response. The only flag that comes back is DO (RFC 3225); unknown options are ignored.
func (o *opt) reply(with optReply) *dns.OPT {
	r := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: maxUDPPayload}}
	if o.do {
		r.SetDo()
	}
	if with.bare {
		return r
	}
	left := with.room
	if left == 0 {
		left = maxWireOctets
	}
	add := func(octets int, option dns.EDNS0) {
		if octets += optionHeaderOctets; octets <= left {
			left -= octets
			r.Option = append(r.Option, option)
		}
	}
	text := with.ede.Text[:min(len(with.ede.Text), maxErrorText)]
	if o.subnet.present {
		data := append([]byte(nil), o.subnet.data...)
		if data[3] = with.scope; o.subnet.prefix.Bits() == 0 {
			data[3] = 0 // RFC 7871 section 7.2.1
		}
		add(len(data), &dns.EDNS0_LOCAL{Code: dns.EDNS0SUBNET, Data: data})
	}
	// The name of this server is worth the least: it goes only where the others fit, too.
	if more := 2*optionHeaderOctets + len(with.cookie) + 2 + len(text); o.nsid && with.nsid != "" {
		left -= more
		add(len(with.nsid)/2, &dns.EDNS0_NSID{Code: dns.EDNS0NSID, Nsid: with.nsid})
		left += more
	}
	if with.cookie != nil {
		add(len(with.cookie), &dns.EDNS0_LOCAL{Code: dns.EDNS0COOKIE, Data: with.cookie})
	}
	if with.ede.present() {
		add(2+len(text), &dns.EDNS0_EDE{InfoCode: with.ede.Code, ExtraText: text})
	}
	if with.idle != 0 {
		add(2, &dns.EDNS0_LOCAL{Code: dns.EDNS0TCPKEEPALIVE, Data: binary.BigEndian.AppendUint16(nil, with.idle)})
	}
	if with.zoneVersion != nil {
		add(len(with.zoneVersion), &dns.EDNS0_LOCAL{Code: optionZoneVersion, Data: with.zoneVersion})
	}
	if with.pad { // last: pad makes it longer
		add(0, &dns.EDNS0_LOCAL{Code: dns.EDNS0PADDING})
	}
	return r
}

// hexNSID returns the form that miekg/dns wants an identifier in.
func hexNSID(id string) string { return hex.EncodeToString([]byte(id)) }
