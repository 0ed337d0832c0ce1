package zonedata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// Bounds of zone data. A record set within them fits into a message over TCP together with whatever a chain of aliases
// adds.
const (
	// MaxRecords is how many records one zone can have.
	MaxRecords = 4_000_000
	// MaxSetOctets is the most octets the records of one name and type can have, owner names compressed.
	MaxSetOctets = 16 * 1024
	// MaxTypesPerName is how many types of records one name can have.
	MaxTypesPerName = 100

	maxArenaOctets = math.MaxInt32
	minSlots       = 4
	// clipOctets is the size up to which a slab is copied to fit. What a larger one has to spare is never touched.
	clipOctets = 1 << 20
)

// Types that the structure of a zone depends on, or whose data is compared by names.
const (
	typeNS    = 2
	typeCNAME = 5
	typeSOA   = 6
	typePTR   = 12
	typeMX    = 15
	typeSRV   = 33
	typeRRSIG = 46
	typeNSEC  = 47
	typeDNAME = 39
)

// Record is one record as it comes to a Builder.
type Record struct {
	Owner []byte // wire form, lower case, root label included
	Type  uint16
	TTL   uint32
	Data  []byte // RDATA in wire form, without compression
	Line  uint32 // where it stands in its text, for problems; 0: nowhere
}

// ProblemKind is a kind of mistake that a Builder finds.
type ProblemKind uint8

// Kinds of problems.
const (
	OutOfZone      ProblemKind = iota // the owner is not within the zone
	MisplacedSOA                      // a SOA that is not at the apex
	ApexAlias                         // a CNAME at the apex
	WildcardCut                       // a wildcard with NS or DNAME (RFC 4592 section 4)
	CNAMEAndOther                     // a CNAME beside other records (RFC 1034 section 3.6.2)
	SeveralAliases                    // more than one CNAME or DNAME for a name
	SetTooLarge                       // more than MaxSetOctets
	TooManyTypes                      // more than MaxTypesPerName
	TooManyRecords                    // more than MaxRecords
	WrongSOACount                     // not exactly one SOA at the apex
	NoNameservers                     // no NS at the apex
)

// Problem is one mistake. Line 0 means the whole zone.
type Problem struct {
	Kind  ProblemKind
	Owner []byte // wire form, lower case; nil for the whole zone
	Type  uint16
	Line  uint32
	Count int // of SOA records
}

// maxProblems bounds what is reported of one zone.
const maxProblems = 100

// Builder collects the records of one zone. It is not safe for concurrent use.
type Builder struct {
	origin   []byte
	slots    []uint64 // upper half of the hash, then the index into nodes plus 1; at most half are used
	nodes    []buildNode
	names    []byte
	arena    []byte
	records  int
	latest   int32 // node of the record before
	full     bool
	problems []Problem
}

// buildNode is one name under construction. Its records are a list through the arena.
type buildNode struct {
	hash        uint64
	name        uint32 // offset in names
	first, last uint32 // offset in arena plus 1; 0: none
	parent      int32
	wildcard    int32 // node "*" directly below; -1: none
	length      uint8 // of the name
	flags       Flags
}

// A record in the arena: NEXT(32) LINE(32) TTL(32) TYPE(16) LENGTH(16) DATA.
const arenaHeaderOctets = 16

// NewBuilder returns a Builder for the zone of a name in wire form. Case does not matter.
func NewBuilder(origin []byte) (*Builder, error) {
	if len(origin) == 0 || len(origin) > MaxNameOctets {
		return nil, errors.New("make zone: its name is not 1 to 255 octets long")
	}
	b := &Builder{origin: lowerName(origin), slots: make([]uint64, minSlots)}
	b.nodes = append(b.nodes, buildNode{hash: HashName(b.origin), parent: -1, wildcard: -1})
	b.place(0)
	return b, nil
}

// Grow makes room for about so many names and octets of data, which saves copies when the text's size is known. It is a
// hint: too little or too much does no harm.
func (b *Builder) Grow(names, octets int) {
	names = min(max(names, 0), MaxRecords)
	b.nodes = slices.Grow(b.nodes, names)
	b.names = slices.Grow(b.names, min(max(octets, 0), maxArenaOctets/2)/2)
	b.arena = slices.Grow(b.arena, names*arenaHeaderOctets+min(max(octets, 0), maxArenaOctets/2)/2)
	size := len(b.slots)
	for size < 2*names {
		size *= 2
	}
	b.resize(size)
}

// Within reports whether a name in wire form and lower case is the zone's or below it, on a label boundary.
func (b *Builder) Within(name []byte) bool {
	for len(name) > len(b.origin) {
		name = name[1+int(name[0]):]
	}
	return bytes.Equal(name, b.origin)
}

// Add takes a copy of one record. What is wrong with it is reported by Build.
func (b *Builder) Add(r *Record) {
	switch {
	case !b.Within(r.Owner):
		b.problem(Problem{Kind: OutOfZone, Owner: bytes.Clone(r.Owner), Type: r.Type, Line: r.Line})
		return
	case b.records >= MaxRecords || len(b.arena) > maxArenaOctets-math.MaxUint16-arenaHeaderOctets || len(r.Data) > math.MaxUint16:
		if !b.full {
			b.problem(Problem{Kind: TooManyRecords, Line: r.Line})
		}
		b.full = true
		return
	}
	b.records++
	i := b.latest
	if relative := r.Owner[:len(r.Owner)-len(b.origin)]; !bytes.Equal(b.relative(&b.nodes[i]), relative) {
		i = b.ensure(relative)
		b.latest = i
	}
	at := uint32(len(b.arena))
	b.arena = binary.LittleEndian.AppendUint32(b.arena, 0)
	b.arena = binary.LittleEndian.AppendUint32(b.arena, r.Line)
	b.arena = binary.LittleEndian.AppendUint32(b.arena, r.TTL)
	b.arena = binary.LittleEndian.AppendUint16(b.arena, r.Type)
	b.arena = binary.LittleEndian.AppendUint16(b.arena, uint16(len(r.Data)))
	b.arena = append(b.arena, r.Data...)
	n := &b.nodes[i]
	if n.last == 0 {
		n.first = at + 1
	} else {
		binary.LittleEndian.PutUint32(b.arena[n.last-1:], at+1)
	}
	n.last = at + 1
}

func (b *Builder) problem(p Problem) {
	if len(b.problems) < maxProblems {
		b.problems = append(b.problems, p)
	}
}

// ensure returns the node of a name, given without the zone's own, and makes it and those above it if they are missing.
func (b *Builder) ensure(relative []byte) int32 {
	var padded [MaxNameOctets + 1 + NamePadding]byte
	full := padded[:copy(padded[:], relative)+copy(padded[len(relative):], b.origin)]
	hash := Hash(full)
	if i := b.find(hash, relative); i >= 0 {
		return i
	}
	if len(relative) == 0 {
		return 0
	}
	parent := b.ensure(relative[1+int(relative[0]):])
	i := b.create(hash, relative, parent)
	if relative[0] == 1 && relative[1] == '*' {
		b.nodes[i].flags |= Asterisk
		b.nodes[parent].wildcard = i
	}
	return i
}

func (b *Builder) find(hash uint64, name []byte) int32 {
	mask := uint32(len(b.slots) - 1)
	for i := uint32(hash) & mask; ; i = (i + 1) & mask {
		slot := b.slots[i]
		if slot == 0 {
			return -1
		}
		if slot>>32 != hash>>32 {
			continue
		}
		n := &b.nodes[uint32(slot)-1]
		if n.hash == hash && bytes.Equal(b.relative(n), name) {
			return int32(uint32(slot) - 1)
		}
	}
}

func (b *Builder) create(hash uint64, name []byte, parent int32) int32 {
	if 2*(len(b.nodes)+1) > len(b.slots) {
		b.resize(2 * len(b.slots))
	}
	i := int32(len(b.nodes))
	b.nodes = append(b.nodes, buildNode{hash: hash, name: uint32(len(b.names)), length: uint8(len(name)), parent: parent, wildcard: -1})
	b.names = append(b.names, name...)
	b.place(i)
	return i
}

// resize makes new slots, of which there are a power of two.
func (b *Builder) resize(size int) {
	b.slots = make([]uint64, size)
	for i := range b.nodes {
		b.place(int32(i))
	}
}

func (b *Builder) place(node int32) {
	mask := uint32(len(b.slots) - 1)
	i := uint32(b.nodes[node].hash) & mask
	for b.slots[i] != 0 {
		i = (i + 1) & mask
	}
	b.slots[i] = b.nodes[node].hash>>32<<32 | uint64(node+1)
}

// relative returns the labels of a node before the zone's name.
func (b *Builder) relative(n *buildNode) []byte { return b.names[n.name : n.name+uint32(n.length)] }

// owner returns the full name of a node.
func (b *Builder) owner(n *buildNode) []byte { return append(bytes.Clone(b.relative(n)), b.origin...) }
