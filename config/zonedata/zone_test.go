package zonedata

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// wire returns a name in wire form.
func wire(name string) []byte {
	var b []byte
	for _, label := range strings.FieldsFunc(name, func(r rune) bool { return r == '.' }) {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0)
}

// soa is SOA data whose names are in example.com.
func soa(serial, minimum uint32) []byte {
	b := append(wire("ns1.example.com"), wire("hostmaster.example.com")...)
	for _, n := range []uint32{serial, 3600, 600, 86400, minimum} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func builder(t *testing.T, records ...Record) *Builder {
	t.Helper()
	b, err := NewBuilder(wire("Example.com"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range append([]Record{
		{Owner: wire("example.com"), Type: typeSOA, TTL: 300, Data: soa(7, 60)},
		{Owner: wire("example.com"), Type: typeNS, TTL: 3600, Data: wire("ns1.example.com")},
	}, records...) {
		b.Add(&r)
	}
	return b
}

func build(t *testing.T, records ...Record) *Zone {
	t.Helper()
	z, problems, err := builder(t, records...).Build()
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	return z
}

func find(z *Zone, name string) Ref {
	w := wire(name)
	return z.Find(HashName(w), w[:len(w)-len(z.Origin())])
}

func a(name string, last byte) Record {
	return Record{Owner: wire(name), Type: 1, TTL: 60, Data: []byte{192, 0, 2, last}}
}

func TestZone(t *testing.T) {
	z := build(t, a("www.example.com", 1), Record{Owner: wire("www.example.com"), Type: 1, TTL: 30, Data: []byte{192, 0, 2, 2}},
		a("www.example.com", 1), a("a.b.c.example.com", 9), a("*.w.example.com", 3),
		Record{Owner: wire("sub.example.com"), Type: typeNS, TTL: 5, Data: wire("ns.sub.example.com")}, a("ns.sub.example.com", 4),
		Record{Owner: wire("alias.example.com"), Type: typeCNAME, TTL: 5, Data: wire("www.example.com")},
		Record{Owner: wire("d.example.com"), Type: typeDNAME, TTL: 5, Data: wire("e.example.com")}, a("x.y.d.example.com", 5))
	for _, tt := range []struct {
		name  string
		flags Flags
		empty bool
		found bool
	}{
		{"example.com", 0, false, true},
		{"www.example.com", 0, false, true},
		{"b.c.example.com", 0, true, true},
		{"c.example.com", 0, true, true},
		{"d.c.example.com", 0, false, false},
		{"w.example.com", 0, true, true},
		{"*.w.example.com", Asterisk, false, true},
		{"sub.example.com", Cut, false, true},
		{"ns.sub.example.com", Occluded, false, true},
		{"alias.example.com", CNAME, false, true},
		{"d.example.com", DNAME, false, true},
		{"y.d.example.com", Occluded, true, true},
		{"x.y.d.example.com", Occluded, false, true},
	} {
		r := find(z, tt.name)
		if (r != 0) != tt.found {
			t.Errorf("%s: found %v, want %v", tt.name, r != 0, tt.found)
			continue
		}
		if r != 0 && (z.Flags(r) != tt.flags || z.Empty(r) != tt.empty) {
			t.Errorf("%s: flags %b, empty %v; want %b, %v", tt.name, z.Flags(r), z.Empty(r), tt.flags, tt.empty)
		}
	}
	set, count := z.Set(find(z, "www.example.com"), 1)
	want := []byte{0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 2}
	if count != 2 || !bytes.Equal(set, want) {
		t.Errorf("www A: %d records %x, want 2 %x", count, set, want)
	}
	if w := z.Wildcard(find(z, "w.example.com")); w == 0 || w != find(z, "*.w.example.com") {
		t.Errorf("wildcard below w: %d", w)
	}
	if z.Serial() != 7 || z.Records() != 11 {
		t.Errorf("serial %d with %d records, want 7 with 11", z.Serial(), z.Records())
	}
	n := 0
	for r := range z.All() {
		if z.Find(HashName(append(bytes.Clone(z.Name(r)), z.Origin()...)), z.Name(r)) != r {
			t.Errorf("node %q is not found by its name", z.Name(r))
		}
		n++
	}
	if n != z.Nodes() {
		t.Errorf("%d nodes walked of %d", n, z.Nodes())
	}
}

// The pointers of the negative answer stand where the zone's name stood.
func TestNegative(t *testing.T) {
	n := build(t).Negative()
	got := bytes.Clone(n.Wire)
	for _, at := range n.Patch[:n.Patches] {
		binary.BigEndian.PutUint16(got[at:], 0xC000|16)
	}
	want := append([]byte{0xC0, 16, 0, 6, 0, 1, 0, 0, 0, 60, 0, 6 + 13 + 20, 3, 'n', 's', '1', 0xC0, 16, 10}, "hostmaster\xC0\x10"...)
	want = append(want, soa(7, 60)[len(wire("ns1.example.com"))+len(wire("hostmaster.example.com")):]...)
	if !bytes.Equal(got, want) {
		t.Errorf("negative %x\nwant %x", got, want)
	}
}

// A pointer that stands too far behind for its offset is not made.
func TestNegativeOfLongNames(t *testing.T) {
	label := strings.Repeat("a", 60)
	for _, mname := range []string{"ns.example.com", label + "." + label + "." + label + "." + strings.Repeat("b", 50) + ".example.com", label + "." + label + "." + label + "." + strings.Repeat("b", 20) + ".example.com"} {
		b, _ := NewBuilder(wire("example.com"))
		b.Add(&Record{Owner: wire("example.com"), Type: typeSOA, Data: append(append(wire(mname), wire(label+"."+label+".example.com")...), make([]byte, 20)...)})
		b.Add(&Record{Owner: wire("example.com"), Type: typeNS, Data: wire("a.b")})
		z, problems, err := b.Build()
		if err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
		n := z.Negative()
		for _, at := range n.Patch[:n.Patches] {
			if n.Wire[at] != 0xC0 || n.Wire[at+1] != 0 {
				t.Errorf("%s: %x at %d is no pointer", mname, n.Wire[at:at+2], at)
			}
		}
		if got, want := len(n.Wire), RecordHeaderOctets+len(wire(mname))+len(wire(label+"."+label+".example.com"))+20-11*(int(n.Patches)-1); got != want {
			t.Errorf("%s: %d octets, want %d", mname, got, want)
		}
	}
}

// Names are octets: what is a letter in some encoding is compared as it stands, and is as long in lower case.
func TestNegativeOfAnyOctets(t *testing.T) {
	const kelvin = "\xe2\x84\xaa" // a letter whose lower case is a shorter one in UTF-8
	for _, label := range []string{strings.Repeat(kelvin, 20), "\xff\xfe\xc3", "\xc3\x89"} {
		origin := wire("Z" + label + ".X")
		b, err := NewBuilder(origin)
		if err != nil {
			t.Fatal(err)
		}
		mname := wire("NS." + label + ".z" + label + ".x")
		b.Add(&Record{Owner: lowerName(origin), Type: typeSOA, Data: append(append(mname, wire(label+".test")...), make([]byte, 20)...)})
		b.Add(&Record{Owner: lowerName(origin), Type: typeNS, Data: wire("a.b")})
		z, problems, err := b.Build()
		if err != nil || len(problems) > 0 {
			t.Fatalf("%q: %v, %v", label, problems, err)
		}
		if want := wire("z" + label + ".x"); !bytes.Equal(z.Origin(), want) {
			t.Errorf("origin %q, want %q", z.Origin(), want)
		}
		if n := z.Negative(); n.Patches != 2 || int(n.Patch[1]) != RecordHeaderOctets+len(mname)-len(origin) {
			t.Errorf("%q: pointers at %v in %q, want two", label, n.Patch[:n.Patches], n.Wire)
		}
	}
}

// Names in data differ by more than case; what is no name differs by any bit.
func TestSameRecord(t *testing.T) {
	data := func(prefix, name string) []byte { return append([]byte(prefix), wire(name)...) }
	for _, tt := range []struct {
		name   string
		rrtype uint16
		a, b   []byte
		want   int
	}{
		{"NS", typeNS, wire("ns.far"), wire("NS.Far"), 1},
		{"CNAME", typeCNAME, wire("a.far"), wire("A.far"), 1},
		{"MX", typeMX, data("\x00\x41", "m.far"), data("\x00\x41", "M.far"), 1},
		{"MX of other preference", typeMX, data("\x00\x41", "m.far"), data("\x00\x61", "m.far"), 2},
		{"SRV of other port", typeSRV, data("\x00\x01\x00\x01\x00\x41", "s.far"), data("\x00\x01\x00\x01\x00\x61", "s.far"), 2},
		{"SRV", typeSRV, data("\x00\x01\x00\x01\x00\x41", "s.far"), data("\x00\x01\x00\x01\x00\x41", "S.far"), 1},
		{"text", 16, []byte("\x01a"), []byte("\x01A"), 2},
		{"address", 1, []byte("AAAA"), []byte("AAAa"), 2},
		{"other names", typeNS, wire("ns[.far"), wire("ns{.far"), 2},
	} {
		b := builder(t, Record{Owner: wire("w.example.com"), Type: tt.rrtype, Data: tt.a}, Record{Owner: wire("w.example.com"), Type: tt.rrtype, Data: tt.b})
		z, problems, err := b.Build()
		if err != nil || len(problems) > 0 {
			t.Fatalf("%s: %v, %v", tt.name, problems, err)
		}
		if set, count := z.Set(find(z, "w.example.com"), tt.rrtype); count != tt.want || !bytes.Equal(set[RecordHeaderOctets:RecordHeaderOctets+len(tt.a)], tt.a) {
			t.Errorf("%s: %d records %q, want %d, the first as it was", tt.name, count, set, tt.want)
		}
	}
}

func TestProblems(t *testing.T) {
	long := make([]Record, 1200)
	for i := range long {
		long[i] = Record{Owner: wire("big.example.com"), Type: 1, Data: []byte{10, 0, byte(i >> 8), byte(i)}, Line: uint32(i)}
	}
	for _, tt := range []struct {
		name    string
		records []Record
		want    ProblemKind
	}{
		{"outside", []Record{a("www.example.org", 1)}, OutOfZone},
		{"outside, same end", []Record{a("wwwexample.com", 1)}, OutOfZone},
		{"misplaced SOA", []Record{{Owner: wire("a.example.com"), Type: typeSOA, Data: soa(1, 1)}}, MisplacedSOA},
		{"second SOA", []Record{{Owner: wire("example.com"), Type: typeSOA, Data: soa(8, 1)}}, WrongSOACount},
		{"wildcard cut", []Record{{Owner: wire("*.example.com"), Type: typeNS, Data: wire("a.b")}}, WildcardCut},
		{"CNAME and other", []Record{a("w.example.com", 1), {Owner: wire("w.example.com"), Type: typeCNAME, Data: wire("a.b")}}, CNAMEAndOther},
		{"two CNAMEs", []Record{{Owner: wire("w.example.com"), Type: typeCNAME, Data: wire("a.c")}, {Owner: wire("w.example.com"), Type: typeCNAME, Data: wire("a.b")}}, SeveralAliases},
		{"large set", long, SetTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z, problems, err := builder(t, tt.records...).Build()
			if z != nil || err != nil || len(problems) != 1 || problems[0].Kind != tt.want {
				t.Errorf("got %v, %+v, %v; want one problem of kind %d", z, problems, err, tt.want)
			}
		})
	}
	_, problems, _ := builder(t, Record{Owner: wire("example.com"), Type: typeCNAME, Data: wire("a.b")}).Build()
	if len(problems) != 2 || problems[0].Kind != ApexAlias || problems[1].Kind != CNAMEAndOther {
		t.Errorf("a CNAME at the apex: %+v", problems)
	}
	if _, problems, err := builder(t, Record{Owner: wire("example.com"), Type: typeDNAME, Data: wire("a.b")}).Build(); err != nil || len(problems) > 0 {
		t.Errorf("a DNAME at the apex: %+v, %v", problems, err)
	}
	b, _ := NewBuilder(wire("example.com"))
	if _, problems, _ := b.Build(); len(problems) != 2 {
		t.Errorf("an empty zone has problems %+v, want its SOA and NS missing", problems)
	}
}

func TestLower8(t *testing.T) {
	for c := range 256 {
		got := byte(Lower8(uint64(c)<<24) >> 24)
		if want := bytes.ToLower([]byte{byte(c)}); c < 128 && got != want[0] || c >= 128 && got != byte(c) {
			t.Errorf("Lower8 of %#x is %#x", c, got)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	builder, _ := NewBuilder(wire("example.com"))
	names := make([][]byte, 1000)
	for i := range names {
		names[i] = wire(fmt.Sprintf("h%06d.example.com", i))
		builder.Add(&Record{Owner: names[i], Type: 1, Data: []byte{1, 2, 3, 4}})
	}
	builder.Add(&Record{Owner: wire("example.com"), Type: typeSOA, Data: soa(1, 1)})
	builder.Add(&Record{Owner: wire("example.com"), Type: typeNS, Data: wire("a.b")})
	z, _, _ := builder.Build()
	i := 0
	for b.Loop() {
		n := names[i%1000]
		if z.Find(HashName(n), n[:len(n)-13]) == 0 {
			b.Fatal("not found")
		}
		i++
	}
}

// What a zone with problems has can be looked up, for checks; it is no zone to serve.
func TestInspect(t *testing.T) {
	records := []Record{a("www.example.com", 1), {Owner: wire("www.example.com"), Type: typeCNAME, Data: wire("a.b")}, a("*.w.example.com", 2)}
	z, problems, err := builder(t, records...).Inspect()
	if err != nil || len(problems) != 1 || problems[0].Kind != CNAMEAndOther {
		t.Fatalf("problems %+v, %v", problems, err)
	}
	if set, count := z.Set(find(z, "www.example.com"), 1); count != 1 || set == nil {
		t.Errorf("www has %d addresses, want 1", count)
	}
	if z.Wildcard(find(z, "w.example.com")) == 0 {
		t.Error("the wildcard is missing")
	}
	if z, _, _ := builder(t, records...).Build(); z != nil {
		t.Error("Build returns a zone with problems")
	}
}

// A hint of the size, right or wrong, changes nothing but the time.
func TestGrow(t *testing.T) {
	for _, names := range []int{-1, 0, 3, 1000, 100_000} {
		b := builder(t)
		b.Grow(names, 10*names)
		for i := range 500 {
			b.Add(&Record{Owner: wire(fmt.Sprintf("h%d.example.com", i)), Type: 1, Data: []byte{192, 0, byte(i >> 8), byte(i)}})
		}
		z, problems, err := b.Build()
		if err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
		for i := range 500 {
			set, _ := z.Set(find(z, fmt.Sprintf("h%d.example.com", i)), 1)
			if len(set) != 16 || set[14] != byte(i>>8) || set[15] != byte(i) {
				t.Fatalf("hint %d: h%d has %x", names, i, set)
			}
		}
		if r := find(z, "h500.example.com"); r != 0 {
			t.Errorf("hint %d: h500 is found", names)
		}
		if len(z.slots) != 1024 {
			t.Errorf("hint %d: %d slots for %d names", names, len(z.slots), z.Nodes())
		}
	}
}

// Too many records are one problem, and not silently left out.
func TestTooManyRecords(t *testing.T) {
	b := builder(t)
	b.records = MaxRecords - 1
	for i := range 5 {
		b.Add(&Record{Owner: wire("a.example.com"), Type: 1, Data: []byte{192, 0, 2, byte(i)}, Line: uint32(i)})
	}
	if _, problems, _ := b.Build(); len(problems) != 1 || problems[0].Kind != TooManyRecords || problems[0].Line != 1 {
		t.Errorf("problems %+v, want too many records from line 1", problems)
	}
}

// A plain name with one address takes less than 64 octets.
func TestOctetsOfAName(t *testing.T) {
	b := builder(t)
	const names = 100_000
	for i := range names {
		b.Add(&Record{Owner: wire(fmt.Sprintf("h%06d.example.com", i)), Type: 1, Data: []byte{10, byte(i >> 16), byte(i >> 8), byte(i)}})
	}
	z, _, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if per := z.Octets() / names; per >= 64 {
		t.Errorf("%d octets for each of %d names, want less than 64", per, names)
	}
}
