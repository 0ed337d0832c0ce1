package zonetext

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// wire returns a name in wire form.
func wire(t testing.TB, name string) []byte {
	b := make([]byte, 256)
	n, err := dns.PackDomainName(name, b, 0, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// files is a set of texts to include.
type files map[string]string

func (f files) include(from, name string) (string, []byte, error) {
	text, ok := f[name]
	if !ok {
		return "", nil, errors.New("no such file")
	}
	return name, []byte(text), nil
}

// read returns the records of a text, one a line, and its problems.
func read(t testing.TB, text string, ttl *uint32, others files) ([]string, []Problem) {
	o := Options{Text: []byte(text), Name: "db", Origin: wire(t, "example.com."), TTL: ttl}
	if others != nil {
		o.Include = others.include
	}
	r := New(o)
	var out []string
	problems := r.Read(func(rec *Record) {
		owner, _, err := dns.UnpackDomainName(rec.Owner, 0)
		if err != nil {
			t.Fatal(err)
		}
		file, line := r.Place(rec.Line)
		out = append(out, fmt.Sprintf("%s:%d %s %d %s %s %s", file, line, owner, rec.TTL, dns.Class(rec.Class), dns.Type(rec.Type), show(rec)))
	})
	return out, problems
}

// show returns the data of a record as text, if it is of an address or one name.
func show(rec *Record) string {
	switch rec.Type {
	case typeNS, typeCNAME, typePTR:
		name, _, err := dns.UnpackDomainName(rec.Data, 0)
		if err == nil {
			return name
		}
	case typeTXT:
		return fmt.Sprintf("%q", rec.Data)
	}
	return hex.EncodeToString(rec.Data)
}

func TestRead(t *testing.T) {
	five := uint32(5)
	tests := []struct {
		name, text string
		ttl        *uint32
		want       []string
	}{
		{"owner, TTL and class in either order", "a 60 IN A 192.0.2.1\nb IN 60 A 192.0.2.1\nc 60 A 192.0.2.1\nd A 192.0.2.1\n", nil, []string{
			"db:1 a.example.com. 60 IN A c0000201", "db:2 b.example.com. 60 IN A c0000201", "db:3 c.example.com. 60 IN A c0000201", "db:4 d.example.com. 60 IN A c0000201"}},
		{"blank owner, comments, empty lines", "; start\n\nWWW\t60 A 192.0.2.1 ; first\n  A 192.0.2.2;second\n\t\n\tTXT two \"of them\"", nil, []string{
			"db:3 www.example.com. 60 IN A c0000201", "db:4 www.example.com. 60 IN A c0000202", `db:6 www.example.com. 60 IN TXT "\x03two\aof them"`}},
		{"@ and $ORIGIN keep the case of data", "$ORIGIN Sub.Example.COM.\n@ 1 NS Ns1\n$ORIGIN deep\nx NS @\n$ORIGIN .\ny NS z\n", nil, []string{
			"db:2 sub.example.com. 1 IN NS Ns1.Sub.Example.COM.", "db:4 x.deep.sub.example.com. 1 IN NS deep.Sub.Example.COM.", "db:6 y. 1 IN NS z."}},
		{"$TTL wins over the last stated one", "$TTL 1h30m\na 7 A 192.0.2.1\nb A 192.0.2.1\n$TTL 0\nc A 192.0.2.1\n", nil, []string{
			"db:2 a.example.com. 7 IN A c0000201", "db:3 b.example.com. 5400 IN A c0000201", "db:5 c.example.com. 0 IN A c0000201"}},
		{"a stated TTL stays without $TTL", "a A 192.0.2.1\nb 1w2d A 192.0.2.1\nc A 192.0.2.1\n", &five, []string{
			"db:1 a.example.com. 5 IN A c0000201", "db:2 b.example.com. 777600 IN A c0000201", "db:3 c.example.com. 777600 IN A c0000201"}},
		{"brackets, escapes and generic data", "a 1 TXT ( one ; comment )\n  two )\nb\\.c 1 CNAME d\n  TYPE65534 \\# 2 abcd\ne 1 CH A 192.0.2.1\n", nil, []string{
			`db:1 a.example.com. 1 IN TXT "\x03one\x03two"`, `db:3 b\.c.example.com. 1 IN CNAME d.example.com.`, `db:4 b\.c.example.com. 1 IN TYPE65534 abcd`, "db:5 e.example.com. 1 CH A c0000201"}},
		{"windows line ends", "a 1 A 192.0.2.1\r\n\r\nb 1 A 192.0.2.2 \r\n", nil, []string{
			"db:1 a.example.com. 1 IN A c0000201", "db:3 b.example.com. 1 IN A c0000202"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problems := read(t, tt.text, tt.ttl, nil)
			if len(problems) > 0 {
				t.Fatalf("problems: %+v", problems)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("records (-want +got):\n%s", d)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	include := files{"self": "$INCLUDE self\n", "bad": "ok 1 A 192.0.2.1\n\nbad 1 A x\n"}
	tests := []struct {
		name, text string
		include    files
		want       []string // kind, place, message
	}{
		{"several", "ns 1 A 192.0.2.533\nok 1 A 192.0.2.1\nb 1 MX x\nc AAAA 1.2.3.4\n", nil,
			[]string{`0 db:1 malformed data of type A: "192.0.2.533"`, `0 db:3 malformed data of type MX: "x"`, `0 db:4 malformed data of type AAAA: "1.2.3.4"`}},
		{"no TTL", "a A 192.0.2.1\nb IN A 192.0.2.1\nc CLASS1 TYPE1 \\# 4 01020304\n", nil,
			[]string{"0 db:1 the record has no TTL", "0 db:2 the record has no TTL", "0 db:3 the record has no TTL"}},
		{"no owner", " 1 A 192.0.2.1\n", nil, []string{"0 db:1 the record has no owner"}},
		{"no data", "a 1 A\nb 1 TXT\nc 1 TXT", nil, []string{"0 db:1 the record has no data", "0 db:2 the record has no data", "0 db:3 the record has no data"}},
		{"empty generic data", "a 1 A \\# 0\n", nil, []string{"0 db:1 the A record has no data"}},
		{"generic data of another length than its type's", "a 1 A \\# 5 0102030405\na 1 DS \\# 3 010203\na 1 NS \\# 5 0161000000\na 1 SOA \\# 0\n", nil, []string{
			"0 db:1 these octets are not the data of a record of type A", "0 db:2 these octets are not the data of a record of type DS",
			"0 db:3 these octets are not the data of a record of type NS", "0 db:4 these octets are not the data of a record of type SOA"}},
		{"generic data without its name, or that cannot be read again", "a 1 MX \\# 2 000a\na 1 HTTPS \\# 2 0001\na 1 NSEC3 \\# 5 0000f00029\nb 1 MX \\# 3 000a00\n", nil, []string{
			"0 db:1 these octets are not the data of a record of type MX", "0 db:2 these octets are not the data of a record of type HTTPS",
			"0 db:3 these octets are not the data of a record of type NSEC3"}},
		{"reasons that the parser loses", "a 1 HTTPS 1 . port=70000\na 1 HTTPS 1 . ipv4hint=\n", nil, []string{`0 db:1 malformed data: "port=70000"`, "0 db:2 malformed data"}},
		{"open bracket", "a 1 TXT ( x\nb 1 A y\n", nil, []string{"0 db:1 a bracket is opened here and not closed"}},
		{"extra bracket", "a 1 HTTPS 0 . )\nb 1 A x\n", nil, []string{"0 db:1 a bracket is closed that was not opened"}},
		{"open quote", "\na 1 TXT \"x\nb 1 A y\n", nil, []string{"0 db:2 a quote is opened here and not closed"}},
		{"broken $TTL", "$TTL x\na A y\n", nil, []string{`0 db:1 $TTL needs seconds, or a duration such as 1h30m, not "x"`}},
		{"broken $ORIGIN", "$ORIGIN a..b\na A y\n", nil, []string{`0 db:1 $ORIGIN needs a domain name, not "a..b"`}},
		{"directive in brackets", "($TTL 5)\na A y\n", nil, []string{`0 db:1 $TTL must be on one line, without brackets`}},
		{"directive in parts", "$GENE\rRATE 1-9 a$ A 192.0.2.1\n", nil, []string{`0 db:1 $GENERATE must be on one line, without brackets`}},
		{"$GENERATE", "\n$generate 1-9 a$ A 192.0.2.1\na 1 A x\n", nil, []string{"1 db:2 $GENERATE is not allowed", `0 db:3 malformed data of type A: "x"`}},
		{"$INCLUDE where it is not allowed", "$INCLUDE x\n", nil, []string{"1 db:1 $INCLUDE is not allowed"}},
		{"unknown file", "$INCLUDE x\n", include, []string{`3 db:1 file "x" cannot be read: no such file`}},
		{"path upwards", "$INCLUDE a/../../x\n$INCLUDE /etc/passwd\n", include,
			[]string{`2 db:1 $INCLUDE cannot lead upwards: "a/../../x"`, `2 db:2 $INCLUDE needs a relative path with slashes, not "/etc/passwd"`}},
		{"in an included file", "$INCLUDE bad\nworse 1 A y\n", include, []string{`0 bad:3 malformed data of type A: "x"`, `0 db:2 malformed data of type A: "y"`}},
		{"circle", "$INCLUDE self\n", include, []string{`4 self:1 file "self" includes itself`}},
		{"not without end", strings.Repeat("a 1 A x\n", 100), nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := read(t, tt.text, nil, tt.include)
			var got []string
			for _, p := range problems {
				got = append(got, fmt.Sprintf("%d %s:%d %s", p.Kind, p.Name, p.Line, p.Message))
			}
			if tt.want == nil {
				if len(got) != MaxProblems {
					t.Errorf("%d problems, want %d", len(got), MaxProblems)
				}
				return
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
}

// Owner, origin and TTL of the including file are what they were; the included one starts with them.
func TestInclude(t *testing.T) {
	others := files{
		"hosts":   "  A 192.0.2.2\nb A 192.0.2.3\n$ORIGIN elsewhere.example.com.\n$TTL 9\nc A 192.0.2.4\n$INCLUDE deep/er\n",
		"deep/er": "d A 192.0.2.5",
	}
	got, problems := read(t, "$TTL 1\na A 192.0.2.1\n$include hosts sub ; their names\n  A 192.0.2.6\n$INCLUDE \"hosts\"\ne A 192.0.2.7\n", nil, others)
	want := []string{
		"db:2 a.example.com. 1 IN A c0000201",
		"hosts:1 a.example.com. 1 IN A c0000202", "hosts:2 b.sub.example.com. 1 IN A c0000203", "hosts:5 c.elsewhere.example.com. 9 IN A c0000204",
		"deep/er:1 d.elsewhere.example.com. 9 IN A c0000205",
		"db:4 a.example.com. 1 IN A c0000206",
		"hosts:1 a.example.com. 1 IN A c0000202", "hosts:2 b.example.com. 1 IN A c0000203", "hosts:5 c.elsewhere.example.com. 9 IN A c0000204",
		"deep/er:1 d.elsewhere.example.com. 9 IN A c0000205",
		"db:6 e.example.com. 1 IN A c0000207",
	}
	if len(problems) > 0 {
		t.Fatalf("problems: %+v", problems)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
	chain := files{}
	for i := range 2 * MaxDepth {
		chain[fmt.Sprint(i)] = fmt.Sprintf("$INCLUDE %d\n", i+1)
	}
	_, problems = read(t, "$INCLUDE 0\n", nil, chain)
	if len(problems) != 1 || problems[0].Kind != TooDeep || problems[0].Name != fmt.Sprint(MaxDepth-2) {
		t.Errorf("a long chain: %+v", problems)
	}
}

// Files that include others many times are read until the sum is too much, not until the end of time.
func TestTooMuchText(t *testing.T) {
	comment := ";" + strings.Repeat("x", 1<<20) + "\n"
	others := files{"a": comment + strings.Repeat("$INCLUDE b\n", 50), "b": comment + strings.Repeat("$INCLUDE c\n", 50), "c": comment}
	_, problems := read(t, strings.Repeat("$INCLUDE a\n", 50), nil, others)
	if len(problems) != 1 || problems[0].Kind != TooMuch {
		t.Errorf("problems: %+v", problems)
	}
}

func TestIncludePath(t *testing.T) {
	for name, want := range map[string]string{"a": "a", "./a//b": "a/b", "a/./b.zone": "a/b.zone", "..a": "..a", "": "", "/a": "", "../a": "", "a/../b": "", "..": "",
		`a\b`: "", "c:a": "", "a\x00": ""} {
		if got, err := IncludePath(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", name, got, err, want)
		}
	}
	got := Includes([]byte("$INCLUDE a\n; $INCLUDE no\n $INCLUDE no\n$include\t\"b c\" x\r\n$INCLUDE ../no\n$INCLUDED no\n$INCLUDE a ; again\n$INCLUDE"))
	if want := []string{"a", "b c"}; !slices.Equal(got, want) {
		t.Errorf("includes %q, want %q", got, want)
	}
}

// A name has at most 255 octets, the origin's counted.
func TestLongestName(t *testing.T) {
	const room = 255 - 13 // beside example.com
	for _, tt := range []struct {
		octets int
		fits   bool
	}{{room - 1, true}, {room, true}, {room + 1, false}} {
		var labels []string
		for left := tt.octets; left > 0; {
			n := min(left-1, 60)
			if left-1-n == 1 {
				n--
			}
			labels = append(labels, strings.Repeat("a", n))
			left -= n + 1
		}
		name := strings.Join(labels, ".")
		for _, text := range []string{name + " 1 A 192.0.2.1\n", "a 1 NS " + name + "\n", name + ".example.com. 1 A 192.0.2.1\n"} {
			got, problems := read(t, text, nil, nil)
			if (len(got) == 1) != tt.fits || (len(problems) == 0) != tt.fits {
				t.Errorf("%d octets and the origin: %d records of %.10q, problems %v", tt.octets, len(got), text, problems)
			}
		}
	}
}

// The common lines are read without an allocation.
func TestReadAllocates(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "h%06d 60 IN A 10.0.%d.%d\n  TXT \"some text\"\n  MX 10 mail\n", i, i>>8, i&255)
	}
	text, origin := []byte(b.String()), wire(t, "example.com.")
	records := 0
	allocs := testing.AllocsPerRun(5, func() {
		records = 0
		New(Options{Text: text, Origin: origin}).Read(func(*Record) { records++ })
	})
	if records != 3000 || allocs > 20 {
		t.Errorf("%d records with %.0f allocations, want 3000 with at most 20 for all of them", records, allocs)
	}
}

func BenchmarkReadZone(b *testing.B) {
	var text strings.Builder
	const names = 100_000
	for i := range names {
		fmt.Fprintf(&text, "h%06d A 10.%d.%d.%d\n", i, i>>16, i>>8&255, i&255)
	}
	ttl, origin, octets := uint32(60), wire(b, "example.com."), []byte(text.String())
	b.SetBytes(int64(len(octets)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		New(Options{Text: octets, Origin: origin, TTL: &ttl}).Read(func(*Record) { n++ })
		if n != names {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.N)*names/b.Elapsed().Seconds(), "records/s")
}
