package adns

import (
	"fairlead/gslb"
)

// extraNames is the names that exist besides the records of zones: balanced names, the apexes of zones inside other zones,
// and the empty non-terminals above both. It has no pointers in it but for its slices, and is immutable once made.
type extraNames struct {
	mask  uint32
	slots []uint64 // upper half of the hash, then index into names plus 1; 0 is empty
	names []extraName
	wire  []byte
}

// extraName is one of them, as a name of one zone. It fills a cache line.
type extraName struct {
	hash     uint64
	zone     uint32 // index into Zones.zones
	domain   gslb.DomainIndex
	at       uint32 // of a name that is longer than short, in wire
	length   uint8
	balanced bool // domain is valid, and so is what follows
	// aliased says that the answer may be a CNAME, typed that it may be of other types than addresses.
	aliased, typed bool
	needsClient    bool // gslb.Plan.NeedsClient
	// wildcard says that "*" directly below is an extra name of the same zone.
	wildcard bool
	short    [34]byte // the name in wire form and lower case, if it fits
}

// is reports whether a name, in wire form and lower case, is n's.
func (x *extraNames) is(n *extraName, name []byte) bool {
	if int(n.length) != len(name) {
		return false
	}
	if len(name) <= len(n.short) {
		return string(n.short[:len(name)]) == string(name)
	}
	return string(x.wire[n.at:n.at+uint32(n.length)]) == string(name)
}

// balanced returns the balanced name, nil if the name is not one.
func (x *extraNames) balanced(hash uint64, name []byte) *extraName {
	if len(x.names) == 0 {
		return nil
	}
	for i := uint32(hash) & x.mask; ; i = (i + 1) & x.mask {
		slot := x.slots[i]
		if slot == 0 {
			return nil
		}
		if slot>>32 != hash>>32 {
			continue
		}
		if n := &x.names[uint32(slot)-1]; n.balanced && x.is(n, name) {
			return n
		}
	}
}

// find returns the name as one of a zone's, nil if it is not one.
func (x *extraNames) find(hash uint64, name []byte, zone uint32) *extraName {
	if len(x.names) == 0 {
		return nil
	}
	for i := uint32(hash) & x.mask; ; i = (i + 1) & x.mask {
		slot := x.slots[i]
		if slot == 0 {
			return nil
		}
		if slot>>32 != hash>>32 {
			continue
		}
		if n := &x.names[uint32(slot)-1]; n.zone == zone && x.is(n, name) {
			return n
		}
	}
}

// ensure returns the extra name and makes it if it is missing.
func (x *extraNames) ensure(hash uint64, name []byte, zone uint32) *extraName {
	if n := x.find(hash, name, zone); n != nil {
		return n
	}
	n := extraName{hash: hash, at: uint32(len(x.wire)), zone: zone, length: uint8(len(name))}
	if copy(n.short[:], name) < len(name) {
		x.wire = append(x.wire, name...)
	}
	x.names = append(x.names, n)
	if 2*len(x.names) > len(x.slots) {
		size := max(16, 2*len(x.slots))
		x.slots, x.mask = make([]uint64, size), uint32(size-1)
		for i := range x.names {
			x.place(uint32(i))
		}
	} else {
		x.place(uint32(len(x.names) - 1))
	}
	return &x.names[len(x.names)-1]
}

func (x *extraNames) place(index uint32) {
	hash := x.names[index].hash
	i := uint32(hash) & x.mask
	for x.slots[i] != 0 {
		i = (i + 1) & x.mask
	}
	x.slots[i] = hash>>32<<32 | uint64(index+1)
}

// addName makes a name an extra name of a zone that it is within, and so those above it that have no records there.
func (z *Zones) addName(l *labels, zone uint32) *extraName {
	data := z.zones[zone]
	origin := len(data.Origin())
	for i := 0; len(l.suffix(i)) > origin; i++ {
		if i == 0 || data.Find(l.hashOf(i), l.before(i, origin)) == 0 {
			z.extra.ensure(l.hashOf(i), l.suffix(i), zone)
		}
		if l.isAsterisk(i) {
			z.extra.ensure(l.hashOf(i+1), l.suffix(i+1), zone).wildcard = true
		}
	}
	return z.extra.ensure(l.hash, l.suffix(0), zone)
}
