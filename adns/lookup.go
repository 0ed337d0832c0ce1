package adns

import (
	"fairlead/config/zonedata"

	"github.com/miekg/dns"
)

// kind is what a zone has for a name.
type kind uint8

const (
	kindNode     kind = iota // the name, or the wildcard that stands for it, is match.node or match.extra
	kindNone                 // the name does not exist
	kindReferral             // match.node is a delegation at or above the name
	kindRedirect             // match.node has a DNAME and is above the name
)

// match is the result of a look-up in one zone.
type match struct {
	kind     kind
	wildcard bool         // the node is a wildcard that stands for the name
	node     zonedata.Ref // the zone's records; 0 when it has none
	extra    *extraName   // nil when the name is none
	suffix   int          // how many labels the name has before the node's; of a wildcard, before its parent's
}

// lookup finds a name in a zone by RFC 1034 section 4.3.2 and RFC 4592: it walks down from the apex, so that a delegation
// or a DNAME hides all that is below it. The name must be within the zone. A delegation does not hide itself from questions
// for DS, which are the parent's to answer (RFC 4035 section 3.1.4.1).
func (z *Zones) lookup(zone uint32, l *labels, qtype uint16) match {
	data := z.zones[zone]
	origin := len(data.Origin())
	i := l.count - data.Labels()
	m := match{node: data.Apex(), extra: z.extra.find(l.hashOf(i), l.suffix(i), zone), suffix: i}
	for ; ; i-- {
		m.suffix = i
		var flags zonedata.Flags
		if m.node != 0 {
			flags = data.Flags(m.node)
		}
		switch {
		case flags&zonedata.Cut != 0 && (i > 0 || qtype != dns.TypeDS):
			m.kind = kindReferral
			return m
		case i == 0:
			return m
		case flags&zonedata.DNAME != 0:
			m.kind = kindRedirect
			return m
		}
		next := match{
			node:  data.Find(l.hashOf(i-1), l.before(i-1, origin)),
			extra: z.extra.find(l.hashOf(i-1), l.suffix(i-1), zone),
		}
		if next.node == 0 && next.extra == nil {
			return z.expand(zone, l, m)
		}
		m = next
	}
}

// expand returns the wildcard of the closest encloser at, the only one that may stand in for the name.
func (z *Zones) expand(zone uint32, l *labels, at match) match {
	m := match{wildcard: true, suffix: at.suffix}
	if at.node != 0 {
		m.node = z.zones[zone].Wildcard(at.node)
	}
	if at.extra != nil && at.extra.wildcard {
		var buf [maxNameOctets + 2 + zonedata.NamePadding]byte
		hash, name := l.asteriskBelow(at.suffix, buf[:])
		m.extra = z.extra.find(hash, name, zone)
	}
	if m.node == 0 && m.extra == nil {
		return match{kind: kindNone, suffix: at.suffix}
	}
	return m
}

// find returns the zone that answers for a name: the longest match on a label boundary. The question for DS at a zone's
// apex belongs to the zone above, if that is served here too.
func (z *Zones) find(l *labels, qtype uint16) (zone uint32, ok bool) {
	zone, ok = z.longest(l, 0)
	if ok && qtype == dns.TypeDS && l.count > 0 && z.zones[zone].Labels() == l.count {
		if above, ok := z.longest(l, 1); ok {
			return above, true
		}
	}
	return zone, ok
}

// longest returns the zone with the most labels that the name without its first skip labels is within.
func (z *Zones) longest(l *labels, skip int) (zone uint32, ok bool) {
	for depth := min(l.count-skip, z.maxLabels); depth >= 0; depth-- {
		if z.depths[depth>>6]&(1<<(depth&63)) == 0 {
			continue
		}
		if zone, ok := z.named(l, l.count-depth); ok {
			return zone, true
		}
	}
	return 0, false
}

// named returns the zone whose name is suffix i.
func (z *Zones) named(l *labels, i int) (zone uint32, ok bool) {
	hash := l.hashOf(i)
	for s := uint32(hash) & z.mask; ; s = (s + 1) & z.mask {
		slot := z.slots[s]
		if slot == 0 {
			return 0, false
		}
		if zone := uint32(slot) - 1; slot>>32 == hash>>32 && string(z.zones[zone].Origin()) == string(l.suffix(i)) {
			return zone, true
		}
	}
}
