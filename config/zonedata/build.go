package zonedata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

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
