package zonedata

import (
	"bytes"
	"encoding/binary"
)

// Flags say what is special about a name.
type Flags uint16

// Flags of a node.
const (
	Cut      Flags = 1 << iota // delegation: has NS and is not the apex
	Occluded                   // below a delegation or a DNAME: not answered from
	DNAME                      // has a DNAME
	CNAME                      // has a CNAME
	Asterisk                   // the first label is a lone asterisk (RFC 4592 section 2.1.1)
)

// Ref is a node of one Zone. 0 is none.
type Ref uint32

// A node lies in Zone.slab at 8 times its Ref:
//
//	0  FLAGS(16)  SETS(8)  NAME LENGTH(8)  WILDCARD(32)
//	8  NAME: labels in wire form and lower case, without the zone's own name
//	   SETS times: TYPE(16) COUNT(16) LENGTH(16) and LENGTH octets of records
//
// in little-endian order. Each record is as in a response whose question is for its owner: 0xC00C, then type, class, TTL,
// length and data without compression. A node without sets is an empty non-terminal.
const (
	nodeAlign        = 8
	nodeHeaderOctets = 8
	setHeaderOctets  = 6
	nodeUsualOctets  = 48 // with one address

	// ownerPointer is the compression pointer to the question's name.
	ownerPointer = 0xC00C
	// RecordHeaderOctets is what a record takes beside its data.
	RecordHeaderOctets = 12

	maxSlabOctets = nodeAlign << 32
)

// Zone is the static data of one zone. It is immutable. Safe for concurrent use.
type Zone struct {
	origin   []byte // wire form, lower case
	labels   int
	mask     uint32
	slots    []uint64 // upper half of the hash, then Ref; 0 is empty. At most half are used.
	slab     []byte
	apex     Ref
	nodes    int
	records  int
	serial   uint32
	negative Negative
}

// Negative is the SOA as negative answers carry it: its TTL is the lesser of its own and MINIMUM (RFC 2308 section 3), and
// the zone's own name is a compression pointer wherever it stands. Patch lists the offsets in Wire of the pointers, which
// still lack the offset of the zone's name in the message.
type Negative struct {
	Wire    []byte
	Patch   [3]uint8
	Patches int
}

// Origin returns the zone's name in wire form and lower case. It must not be written.
func (z *Zone) Origin() []byte { return z.origin }

// Labels returns the number of labels of the zone's name, without the root's.
func (z *Zone) Labels() int { return z.labels }

// Apex returns the node of the zone's own name.
func (z *Zone) Apex() Ref { return z.apex }

// Nodes returns the number of names, empty non-terminals included.
func (z *Zone) Nodes() int { return z.nodes }

// Records returns the number of records.
func (z *Zone) Records() int { return z.records }

// Octets returns about how much memory the zone takes.
func (z *Zone) Octets() int { return 8*len(z.slots) + len(z.slab) }

// Serial returns the serial of the SOA.
func (z *Zone) Serial() uint32 { return z.serial }

// Negative returns the SOA of negative answers.
func (z *Zone) Negative() *Negative { return &z.negative }

// Find returns the node of a name: its hash, and its labels before the zone's name in lower case.
func (z *Zone) Find(hash uint64, relative []byte) Ref {
	tag := hash >> 32
	for i := uint32(hash) & z.mask; ; i = (i + 1) & z.mask {
		slot := z.slots[i]
		if slot == 0 {
			return 0
		}
		if slot>>32 == tag && bytes.Equal(z.Name(Ref(slot)), relative) {
			return Ref(slot)
		}
	}
}

// Slot returns the slot where the search for a hash starts, so that it is in the cache when Find needs it.
func (z *Zone) Slot(hash uint64) uint64 { return z.slots[uint32(hash)&z.mask] }

// Touch reads of the node in a slot what most nodes are no longer than, so that it is in the cache when Find needs it. The
// result means nothing.
func (z *Zone) Touch(slot uint64) uint8 {
	if slot == 0 {
		return 0
	}
	at := uint64(uint32(slot)) * nodeAlign
	return z.slab[at] + z.slab[min(at+nodeUsualOctets, uint64(len(z.slab)))-1]
}

// Flags returns a node's flags.
func (z *Zone) Flags(r Ref) Flags {
	return Flags(binary.LittleEndian.Uint16(z.slab[uint64(r)*nodeAlign:]))
}

// Empty reports whether a node exists only because something below it does.
func (z *Zone) Empty(r Ref) bool { return z.slab[uint64(r)*nodeAlign+2] == 0 }

// Name returns a node's labels before the zone's name, in wire form and lower case. It must not be written.
func (z *Zone) Name(r Ref) []byte {
	at := uint64(r) * nodeAlign
	from := at + nodeHeaderOctets
	return z.slab[from : from+uint64(z.slab[at+3])]
}

// Wildcard returns the node "*" directly below a node, 0 if there is none.
func (z *Zone) Wildcard(r Ref) Ref {
	return Ref(binary.LittleEndian.Uint32(z.slab[uint64(r)*nodeAlign+4:]))
}

// Set returns a node's records of a type, as they go into a response, and how many they are; nil when there are none.
// They must not be written.
func (z *Zone) Set(r Ref, rrtype uint16) (wire []byte, count int) {
	at := uint64(r) * nodeAlign
	sets, rest := z.slab[at+2], z.slab[at+nodeHeaderOctets+uint64(z.slab[at+3]):]
	for ; sets > 0; sets-- {
		length := setHeaderOctets + int(binary.LittleEndian.Uint16(rest[4:]))
		if binary.LittleEndian.Uint16(rest) == rrtype {
			return rest[setHeaderOctets:length:length], int(binary.LittleEndian.Uint16(rest[2:]))
		}
		rest = rest[length:]
	}
	return nil, 0
}

// Sets yields a node's record sets: type, number of records, and their octets, which must not be written.
func (z *Zone) Sets(r Ref) func(yield func(rrtype uint16, count int, wire []byte) bool) {
	return func(yield func(uint16, int, []byte) bool) {
		at := uint64(r) * nodeAlign
		sets, rest := z.slab[at+2], z.slab[at+nodeHeaderOctets+uint64(z.slab[at+3]):]
		for ; sets > 0; sets-- {
			length := setHeaderOctets + int(binary.LittleEndian.Uint16(rest[4:]))
			if !yield(binary.LittleEndian.Uint16(rest), int(binary.LittleEndian.Uint16(rest[2:])), rest[setHeaderOctets:length:length]) {
				return
			}
			rest = rest[length:]
		}
	}
}

// All yields every node, the apex first, then in the order in which their names came.
func (z *Zone) All() func(yield func(Ref) bool) {
	return func(yield func(Ref) bool) {
		for at := uint64(nodeAlign); at < uint64(len(z.slab)); at = z.next(at) {
			if !yield(Ref(at / nodeAlign)) {
				return
			}
		}
	}
}

// next returns the offset of the node behind the one at an offset.
func (z *Zone) next(at uint64) uint64 {
	sets := z.slab[at+2]
	at += nodeHeaderOctets + uint64(z.slab[at+3])
	for ; sets > 0; sets-- {
		at += setHeaderOctets + uint64(binary.LittleEndian.Uint16(z.slab[at+4:]))
	}
	return (at + nodeAlign - 1) &^ (nodeAlign - 1)
}
