package zonedata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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

// Build makes the zone. With problems, of which at most a hundred are reported, there is none. The Builder cannot be used
// any more.
func (b *Builder) Build() (*Zone, []Problem, error) {
	z, problems, err := b.Inspect()
	if len(problems) > 0 {
		z = nil
	}
	return z, problems, err
}

// Inspect is Build for who wants to look at the zone although it has problems. Such a zone must not be served: it may lack
// records, its SOA and Negative.
func (b *Builder) Inspect() (*Zone, []Problem, error) {
	z := &Zone{origin: b.origin, labels: countLabels(b.origin), nodes: len(b.nodes), records: 0}
	z.slab = make([]byte, nodeAlign, nodeAlign+b.slabOctets())
	refs := make([]Ref, len(b.nodes))
	for i := range b.nodes {
		if uint64(len(z.slab)) >= maxSlabOctets {
			return nil, nil, errors.New("make zone: its data is too large")
		}
		refs[i] = Ref(len(z.slab) / nodeAlign)
		z.records += b.write(z, int32(i))
	}
	b.checkApex(z, refs[0])
	b.link(z, refs)
	b.arena, b.names, b.nodes, b.slots = nil, nil, nil, nil
	if len(z.slab) < clipOctets {
		z.slab = slices.Clone(z.slab)
	}
	if len(b.problems) > 0 {
		return z, b.problems, nil
	}
	return z, nil, z.finish()
}

// slabOctets bounds the size of the slab.
func (b *Builder) slabOctets() int {
	n := len(b.names) + len(b.nodes)*(nodeHeaderOctets+nodeAlign)
	return n + len(b.arena) + b.records*(RecordHeaderOctets+setHeaderOctets-arenaHeaderOctets)
}

// write appends one node and its sets to the slab and returns how many records it wrote. Flags follow in link.
func (b *Builder) write(z *Zone, i int32) (records int) {
	n := &b.nodes[i]
	start := len(z.slab)
	z.slab = append(z.slab, 0, 0, 0, n.length, 0, 0, 0, 0)
	z.slab = append(z.slab, b.relative(n)...)
	var written []uint16
	for at := n.first; at != 0; {
		r := b.arenaAt(at)
		at = r.next
		if slices.Contains(written, r.rrtype) {
			continue
		}
		if len(written) == MaxTypesPerName {
			b.problem(Problem{Kind: TooManyTypes, Owner: b.owner(n), Type: r.rrtype, Line: r.line})
			break
		}
		written = append(written, r.rrtype)
		b.checkRecord(i, &r)
		records += b.writeSet(z, n, &r)
	}
	b.checkAliases(n, written)
	z.slab[start+2] = uint8(len(written))
	for len(z.slab)%nodeAlign != 0 {
		z.slab = append(z.slab, 0)
	}
	return records
}

// arenaRecord is a record in the arena.
type arenaRecord struct {
	next, line, ttl uint32
	rrtype          uint16
	data            []byte
}

func (b *Builder) arenaAt(at uint32) arenaRecord {
	p := b.arena[at-1:]
	length := int(binary.LittleEndian.Uint16(p[14:]))
	return arenaRecord{binary.LittleEndian.Uint32(p), binary.LittleEndian.Uint32(p[4:]), binary.LittleEndian.Uint32(p[8:]),
		binary.LittleEndian.Uint16(p[12:]), p[arenaHeaderOctets : arenaHeaderOctets+length]}
}

// writeSet appends first and all records of its type that follow: each once, and with the lowest TTL of them (RFC 2181
// section 5).
func (b *Builder) writeSet(z *Zone, n *buildNode, first *arenaRecord) (count int) {
	start := len(z.slab)
	z.slab = binary.LittleEndian.AppendUint16(z.slab, first.rrtype)
	z.slab = append(z.slab, 0, 0, 0, 0)
	ttl := first.ttl
	line := first.line
	for r := *first; ; r = b.arenaAt(r.next) {
		if r.rrtype == first.rrtype {
			ttl = min(ttl, r.ttl)
			if !containsData(z.slab[start+setHeaderOctets:], r.rrtype, r.data) {
				z.slab = appendRecord(z.slab, r.rrtype, r.data)
				count++
				line = r.line
			}
		}
		if r.next == 0 || len(z.slab)-start-setHeaderOctets > MaxSetOctets {
			break
		}
	}
	set := z.slab[start+setHeaderOctets:]
	switch {
	case len(set) > MaxSetOctets:
		b.problem(Problem{Kind: SetTooLarge, Owner: b.owner(n), Type: first.rrtype, Line: line})
		z.slab = z.slab[:start+setHeaderOctets]
		return 0
	case count > 1 && (first.rrtype == typeCNAME || first.rrtype == typeDNAME):
		b.problem(Problem{Kind: SeveralAliases, Owner: b.owner(n), Type: first.rrtype, Line: line})
	}
	for p := set; len(p) > 0; p = p[RecordHeaderOctets+int(binary.BigEndian.Uint16(p[10:])):] {
		binary.BigEndian.PutUint32(p[6:], ttl)
	}
	binary.LittleEndian.PutUint16(z.slab[start+2:], uint16(count))
	binary.LittleEndian.PutUint16(z.slab[start+4:], uint16(len(set)))
	return count
}

// containsData reports whether a set holds a record with this data. Case does not tell names apart, in data either (RFC 4343).
func containsData(set []byte, rrtype uint16, data []byte) bool {
	fixed := min(octetsBeforeName(rrtype), len(data))
	for len(set) > 0 {
		end := RecordHeaderOctets + int(binary.BigEndian.Uint16(set[10:]))
		if have := set[RecordHeaderOctets:end]; len(have) == len(data) && bytes.Equal(have[:fixed], data[:fixed]) && sameName(have[fixed:], data[fixed:]) {
			return true
		}
		set = set[end:]
	}
	return false
}

// octetsBeforeName returns how many octets of a type's data stand before the name that ends it. Of types whose data does not
// end so it returns more than any data has.
func octetsBeforeName(rrtype uint16) int {
	switch rrtype {
	case typeNS, typeCNAME, typePTR, typeDNAME:
		return 0
	case typeMX:
		return 2
	case typeSRV:
		return 6
	}
	return math.MaxInt
}

// sameName reports whether two names in wire form, as long as each other, are one.
func sameName(a, b []byte) bool {
	for i := range a {
		if a[i] != b[i] && Lower8(uint64(a[i])) != Lower8(uint64(b[i])) {
			return false
		}
	}
	return true
}

// appendRecord appends a record of class IN that is owned by the question's name; its TTL is 0.
func appendRecord(slab []byte, rrtype uint16, data []byte) []byte {
	slab = binary.BigEndian.AppendUint16(slab, ownerPointer)
	slab = binary.BigEndian.AppendUint16(slab, rrtype)
	slab = append(slab, 0, 1, 0, 0, 0, 0)
	slab = binary.BigEndian.AppendUint16(slab, uint16(len(data)))
	return append(slab, data...)
}

// checkRecord checks where the first record of a type is, and notes what the type means for its name.
func (b *Builder) checkRecord(i int32, r *arenaRecord) {
	n := &b.nodes[i]
	found := func(kind ProblemKind) {
		b.problem(Problem{Kind: kind, Owner: b.owner(n), Type: r.rrtype, Line: r.line})
	}
	apex := i == 0
	switch r.rrtype {
	case typeNS:
		if !apex {
			n.flags |= Cut
		}
	case typeDNAME:
		n.flags |= DNAME
	case typeCNAME:
		n.flags |= CNAME
	}
	switch {
	case r.rrtype == typeSOA && !apex:
		found(MisplacedSOA)
	case apex && r.rrtype == typeCNAME: // a DNAME can be there (RFC 6672 section 2.3)
		found(ApexAlias)
	case n.flags&Asterisk != 0 && (r.rrtype == typeNS || r.rrtype == typeDNAME):
		found(WildcardCut)
	}
}

// checkAliases finds a CNAME beside other types. Signatures are no data of their own (RFC 4035 section 2.5).
func (b *Builder) checkAliases(n *buildNode, types []uint16) {
	if n.flags&CNAME == 0 || !slices.ContainsFunc(types, func(t uint16) bool {
		return t != typeCNAME && t != typeRRSIG && t != typeNSEC
	}) {
		return
	}
	for at := n.first; at != 0; {
		r := b.arenaAt(at)
		if at = r.next; r.rrtype == typeCNAME {
			b.problem(Problem{Kind: CNAMEAndOther, Owner: b.owner(n), Type: typeCNAME, Line: r.line})
		}
	}
}

// checkApex checks that there is one SOA and at least one NS.
func (b *Builder) checkApex(z *Zone, apex Ref) {
	if _, count := z.Set(apex, typeSOA); count != 1 {
		b.problem(Problem{Kind: WrongSOACount, Count: count})
	}
	if set, _ := z.Set(apex, typeNS); set == nil {
		b.problem(Problem{Kind: NoNameservers})
	}
}

// link fills in flags and wildcards, and turns the slots into the zone's.
func (b *Builder) link(z *Zone, refs []Ref) {
	size := minSlots
	for size < 2*len(b.nodes) {
		size *= 2
	}
	if size != len(b.slots) {
		b.resize(size)
	}
	for i, slot := range b.slots {
		if slot != 0 {
			b.slots[i] = slot>>32<<32 | uint64(refs[uint32(slot)-1])
		}
	}
	z.slots, z.mask, z.apex = b.slots, uint32(size-1), refs[0]
	for i := range b.nodes {
		n := &b.nodes[i]
		if n.parent >= 0 { // comes before its children
			if above := b.nodes[n.parent].flags; above&(Cut|DNAME|Occluded) != 0 {
				n.flags |= Occluded
			}
		}
		at := uint64(refs[i]) * nodeAlign
		binary.LittleEndian.PutUint16(z.slab[at:], uint16(n.flags))
		if n.wildcard >= 0 {
			binary.LittleEndian.PutUint32(z.slab[at+4:], uint32(refs[n.wildcard]))
		}
	}
}

// relative returns the labels of a node before the zone's name.
func (b *Builder) relative(n *buildNode) []byte { return b.names[n.name : n.name+uint32(n.length)] }

// owner returns the full name of a node.
func (b *Builder) owner(n *buildNode) []byte { return append(bytes.Clone(b.relative(n)), b.origin...) }

// finish reads the SOA.
func (z *Zone) finish() error {
	soa, _ := z.Set(z.apex, typeSOA)
	data := soa[RecordHeaderOctets:]
	mname := nameOctets(data)
	if mname < 0 || nameOctets(data[mname:]) < 0 || len(data) != mname+nameOctets(data[mname:])+20 {
		return fmt.Errorf("make zone: its SOA has malformed data %x", data)
	}
	rname := nameOctets(data[mname:])
	fixed := data[mname+rname:]
	z.serial = binary.BigEndian.Uint32(fixed)
	ttl := min(binary.BigEndian.Uint32(soa[6:]), binary.BigEndian.Uint32(fixed[16:]))
	n := &z.negative
	n.Wire = binary.BigEndian.AppendUint16(nil, 0xC000)
	n.Patch[0], n.Patches = 0, 1
	n.Wire = append(n.Wire, 0, typeSOA, 0, 1)
	n.Wire = binary.BigEndian.AppendUint32(n.Wire, ttl)
	n.Wire = append(n.Wire, 0, 0)
	z.appendCompressed(data[:mname])
	z.appendCompressed(data[mname : mname+rname])
	n.Wire = append(n.Wire, fixed...)
	binary.BigEndian.PutUint16(n.Wire[10:], uint16(len(n.Wire)-RecordHeaderOctets))
	return nil
}

// appendCompressed appends a name of the SOA's data, with a pointer for the zone's own name at its end.
func (z *Zone) appendCompressed(name []byte) {
	n := &z.negative
	lower := lowerName(name)
	rest := name
	for at := 0; len(rest) > len(z.origin); {
		at += 1 + int(name[at])
		rest = name[at:]
	}
	at := len(name) - len(rest)
	if len(z.origin) <= 2 || !bytes.Equal(lower[at:], z.origin) || len(n.Wire)+at > math.MaxUint8 {
		n.Wire = append(n.Wire, name...)
		return
	}
	n.Wire = append(n.Wire, name[:at]...)
	n.Patch[n.Patches] = uint8(len(n.Wire))
	n.Patches++
	n.Wire = append(n.Wire, 0xC0, 0)
}

// nameOctets returns the length of the uncompressed name at the start of b, or -1.
func nameOctets(b []byte) int {
	for i := 0; i < len(b) && i < MaxNameOctets; i += 1 + int(b[i]) {
		switch {
		case b[i] == 0:
			return i + 1
		case b[i] > 63:
			return -1
		}
	}
	return -1
}

func countLabels(name []byte) (n int) {
	for i := 0; i < len(name) && name[i] != 0; i += 1 + int(name[i]) {
		n++
	}
	return n
}
