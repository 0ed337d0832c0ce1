package mep

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Limits of a Network frame.
const (
	// MaxNetwork is the most records in one frame.
	MaxNetwork = 4096
	// MaxNetworkSections is the most sites that one frame tells of.
	MaxNetworkSections = 1024
	// MaxNetworkRTT is the longest round-trip time that is told from longer ones.
	MaxNetworkRTT = (1<<24 - 1) * time.Microsecond
	// minNetworkRecord and maxNetworkRecord are a record's octets with its length.
	minNetworkRecord = 1 + 1 + 1 + 4 + 1 + 1 + 1
	maxNetworkRecord = 1 + 1 + 1 + 16 + 4 + 1 + binary.MaxVarintLen64
)

// Flags of a record.
const (
	networkWanted uint8 = 1 << 0
	networkIPv6   uint8 = 1 << 1
	networkProven uint8 = 1 << 2
)

// NetworkRecord is a resolver (LDNS) as one site measured it, or wants it to be measured.
//
// Layout after the length (one octet), big-endian:
//
//	0  1  flags: 1 wanted, 2 the address is of IPv6, 4 proven
//	1  1  source: how it was measured
//	2  4  address, 16 octets for IPv6
//	      variable-length integer: round-trip time in microseconds, at most MaxNetworkRTT; 0 when wanted
//	   1  hops on the way, 0: not known
//	      variable-length integer: milliseconds since it was measured or asked, at most MaxAge
//	      later versions may append fields, which are ignored
type NetworkRecord struct {
	LDNS netip.Addr // address of the resolver, or first one of its prefix
	// Wanted says that queries come from it and that it was not measured lately: other sites may measure it, too. There is
	// then no RTT.
	Wanted bool
	Proven bool // of one that is wanted: it is known to receive what is sent to its address
	// Source is how it was measured: 1 ping, 2 DNS, 3 TCP, 4 by its own connection, 5 told by somebody; 0: not known.
	Source uint8
	RTT    time.Duration // whole microseconds
	Hops   uint8         // 0: not known
	Age    time.Duration // since it was measured, or asked; whole milliseconds, at most MaxAge
}

// NetworkSection is what one site measured, and wants.
type NetworkSection struct {
	Site    string
	Hops    uint8 // how many more sites may pass it on
	Records []NetworkRecord
}

func (r *NetworkRecord) append(b []byte) []byte {
	start := len(b)
	flags := uint8(0)
	if r.Wanted {
		flags |= networkWanted
	}
	if r.Proven {
		flags |= networkProven
	}
	a := r.LDNS.Unmap()
	if a.Is6() {
		flags |= networkIPv6
	}
	b = append(b, 0, flags, r.Source)
	if a.Is6() {
		raw := a.As16()
		b = append(b, raw[:]...)
	} else {
		raw := a.As4()
		b = append(b, raw[:]...)
	}
	b = binary.AppendUvarint(b, uint64(min(max(r.RTT, 0), MaxNetworkRTT)/time.Microsecond))
	b = append(b, r.Hops)
	b = binary.AppendUvarint(b, wireMilliseconds(r.Age))
	b[start] = uint8(len(b) - start - 1)
	return b
}

func (r *NetworkRecord) decode(c *cursor) {
	flags := c.u8()
	r.Source = c.u8()
	r.Wanted, r.Proven = flags&networkWanted != 0, flags&networkProven != 0
	if flags&networkIPv6 != 0 {
		if b := c.take(16); b != nil {
			r.LDNS = netip.AddrFrom16([16]byte(b)).Unmap()
		}
	} else if b := c.take(4); b != nil {
		r.LDNS = netip.AddrFrom4([4]byte(b))
	}
	r.RTT = time.Duration(min(c.uvarint(), uint64(MaxNetworkRTT/time.Microsecond))) * time.Microsecond
	r.Hops = c.u8()
	r.Age = readMilliseconds(c)
}

// appendNetwork puts sections into the payloads of as few frames as will do. Sections and records that cannot be sent are left.
//
// Layout of a frame, sections up to its end:
//
//	1+n  name of the site that measured, or wants
//	1    hops: how many more sites may pass it on
//	2    records
//	     records, each as 1 length of what follows, and that
func appendNetwork(sections []NetworkSection) (payloads [][]byte) {
	var b []byte
	count, number := 0, 0 // sections and records in b
	flush := func() {
		if number > 0 {
			payloads = append(payloads, b)
		}
		b, count, number = nil, 0, 0
	}
	for i := range sections {
		s := &sections[i]
		if !ValidName(s.Site) {
			continue
		}
		for rest := s.Records; len(rest) > 0; {
			head := 1 + len(s.Site) + 1 + 2
			if count == MaxNetworkSections || number == MaxNetwork || len(b)+head+maxNetworkRecord > MaxPost {
				flush()
			}
			b = append(appendText(b, s.Site), s.Hops, 0, 0)
			at, n := len(b)-2, 0
			for len(rest) > 0 && number < MaxNetwork && len(b)+maxNetworkRecord <= MaxPost {
				if r := &rest[0]; r.LDNS.IsValid() {
					b = r.append(b)
					n++
					number++
				}
				rest = rest[1:]
			}
			binary.BigEndian.PutUint16(b[at:], uint16(n))
			count++
		}
	}
	flush()
	return payloads
}

// decodeNetwork reads a frame.
func decodeNetwork(payload []byte) (sections []NetworkSection, err error) {
	c := cursor{what: FrameNetwork.String(), b: payload}
	total := 0
	for c.err == nil && c.at < len(payload) {
		s := NetworkSection{Site: c.name(), Hops: c.u8()}
		count := int(c.u16())
		total += count
		switch {
		case c.err != nil:
			return nil, c.err
		case len(sections) == MaxNetworkSections:
			return nil, refusef(RejectOversize, "take %s: it tells of more than %d sites", c.what, MaxNetworkSections)
		case total > MaxNetwork:
			return nil, refusef(RejectOversize, "take %s: it has more than %d records", c.what, MaxNetwork)
		case count*minNetworkRecord > len(payload)-c.at:
			c.failf("%d records do not fit into %d bytes", count, len(payload)-c.at)
			return nil, c.err
		}
		s.Records = make([]NetworkRecord, count)
		for i := range s.Records {
			b := c.take(int(c.u8()))
			in := cursor{what: c.what, b: b, base: c.base + c.at - len(b), err: c.err}
			s.Records[i].decode(&in)
			if c.err = in.err; c.err != nil {
				return nil, c.err
			}
		}
		sections = append(sections, s)
	}
	return sections, c.err
}

// TellNetwork tells peers what was measured of resolvers, and which ones are wanted. to chooses the peers by their sites; nil:
// all with a session. It returns how many frames were handed to sessions, and how many were left because too many waited. It
// does not block.
func (x *Exchange) TellNetwork(sections []NetworkSection, to func(site string) bool) (taken, left int) {
	for _, payload := range appendNetwork(sections) {
		t, l := x.post(posted{kind: FrameNetwork, payload: payload}, func(p *peer) bool { return to == nil || to(p.site) })
		taken, left = taken+t, left+l
	}
	return taken, left
}

func (s *session) handleNetwork(payload []byte) error {
	sections, err := decodeNetwork(payload)
	if err != nil {
		return err
	}
	for i := range sections {
		if n := &sections[i]; !s.speaksFor(n.Site) {
			return refusef(RejectWrongSite, "take %s from site %q: it tells of resolvers as site %q", FrameNetwork, s.peer.site, n.Site)
		}
	}
	now := time.Now()
	for i := range sections {
		n := &sections[i]
		s.x.report(s, &NetworkReport{Peer: s.peer.site, Site: n.Site, Hops: n.Hops, Records: n.Records, ReceivedAt: now})
	}
	return nil
}

// speaksFor reports whether the peer may tell what a site measured.
func (s *session) speaksFor(site string) bool { return s.x.maySpeak(s.peer.site, site) }
