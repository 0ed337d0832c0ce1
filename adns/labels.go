package adns

import (
	"encoding/binary"

	"fairlead/config/zonedata"
)

// labels is a name as it is looked up: in lower case, with the start of every label and the hash of every suffix. It is
// large and used again; only what name's length reaches is valid.
type labels struct {
	// name is the uncompressed wire form in lower case. What is behind it may be read but means nothing.
	name   [maxNameOctets + 1 + 2*zonedata.NamePadding]byte
	size   int // octets, root label included
	count  int // labels, without the root's
	starts [maxLabels + 1]uint8
	hashes [maxLabels + 1]uint64 // hashes[i] is of the name without its first i labels
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
	if len(spare) < at+1+zonedata.NamePadding {
		spare = append(make([]byte, 0, maxNameOctets+1+zonedata.NamePadding), wire[:at+1]...)
		spare = spare[:cap(spare)]
	}
	for i := 0; i < at+1; i += 8 {
		*(*[8]byte)(l.name[i:]) = lower8(*(*[8]byte)(spare[i:]))
	}
	// Hashes are of what was read, not of what was just written: that is not where it can be read from yet.
	hash := zonedata.RootHash()
	l.hashes[count&maxLabels] = hash
	for i := count - 1; i >= 0; i-- {
		at := int(l.starts[i&maxLabels])
		if n := uint(spare[at]); n <= 8 {
			hash = zonedata.HashShort(hash, binary.LittleEndian.Uint64(spare[at+1:]), n)
		} else {
			hash = zonedata.HashLabel(hash, spare[at+1:at+1+int(n)])
		}
		l.hashes[i&maxLabels] = hash
	}
	return true
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
// maxNameOctets and two more.
func (l *labels) asteriskBelow(i int, buf []byte) (hash uint64, name []byte) {
	name = append(append(buf[:0], 1, '*'), l.suffix(i)...)
	return zonedata.HashLabel(l.hashes[i], buf[1:2]), name
}
