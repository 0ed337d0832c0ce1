package adns

import (
	"encoding/binary"

	"fairlead/config/zonedata"
)

// labels is a name as it is looked up: in lower case, with the start of every label and its hash. It is large and used
// again; only what name's length reaches is valid.
type labels struct {
	// name is the uncompressed wire form in lower case. What is behind it may be read but means nothing.
	name   [maxNameOctets + 1 + zonedata.NamePadding]byte
	size   int    // octets, root label included
	count  int    // labels, without the root's
	hash   uint64 // of the whole name
	starts [maxLabels + 1]uint8
}

// parse reads the uncompressed name at the start of wire, of at most maxNameOctets, and reports whether there is one.
// Octets behind it in wire's capacity are read too, if there are any, eight at a time.
func (l *labels) parse(wire []byte) bool {
	at, count := 0, 0
	for {
		if at >= len(wire) || at >= maxNameOctets {
			return false
		}
		n := int(wire[at])
		l.starts[count&maxLabels] = uint8(at)
		if n == 0 {
			break
		}
		if n > maxLabelBytes {
			return false
		}
		at += 1 + n
		count++
	}
	l.size, l.count = at+1, count
	spare := wire[:cap(wire)]
	if len(spare) < at+8 {
		spare = append(make([]byte, 0, maxNameOctets+8), wire[:at+1]...)
		spare = spare[:cap(spare)]
	}
	for i := 0; i < at+1; i += 8 {
		*(*[8]byte)(l.name[i:]) = lower8(*(*[8]byte)(spare[i:]))
	}
	l.hash = zonedata.Hash(l.name[:at+1])
	return true
}

// hashOf returns the hash of the name without its first i labels.
func (l *labels) hashOf(i int) uint64 {
	if i == 0 {
		return l.hash
	}
	return zonedata.Hash(l.suffix(i))
}

func lower8(octets [8]byte) (lower [8]byte) {
	binary.LittleEndian.PutUint64(lower[:], zonedata.Lower8(binary.LittleEndian.Uint64(octets[:])))
	return lower
}

// suffix returns the name without its first i labels.
func (l *labels) suffix(i int) []byte { return l.name[l.starts[i]:l.size] }

// before returns the labels of suffix i that stand before a zone's name of this many octets.
func (l *labels) before(i, zoneOctets int) []byte { return l.name[l.starts[i] : l.size-zoneOctets] }

// isAsterisk reports whether the first label of suffix i is a lone asterisk (RFC 4592 section 2.1.1).
func (l *labels) isAsterisk(i int) bool {
	at := l.starts[i]
	return l.name[at] == 1 && l.name[int(at)+1] == '*'
}

// asteriskBelow writes the name "*" directly below suffix i into buf and returns its hash too. buf has room for
// maxNameOctets, two more, and zonedata.NamePadding.
func (l *labels) asteriskBelow(i int, buf []byte) (hash uint64, name []byte) {
	name = append(append(buf[:0], 1, '*'), l.suffix(i)...)
	return zonedata.Hash(name), name
}
