package convert

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestLimits(t *testing.T) {
	if _, err := NetScaler(NetScalerOptions{Name: "x", Text: make([]byte, MaxFileBytes+1)}); err == nil {
		t.Error("a file that is too large is converted")
	}
	if _, err := NetScaler(NetScalerOptions{Name: "x", Text: []byte("hello\nworld\n")}); err == nil {
		t.Error("text without a command is converted")
	}
	if _, err := BINDZones(BINDOptions{}); err == nil {
		t.Error("nothing is converted")
	}

	long := "add gslb site a 192.0.2.1\nadd gslb site b " + strings.Repeat("x", MaxLineBytes) + "\n"
	r, err := NetScaler(NetScalerOptions{Name: "x", Text: []byte(long)})
	if err != nil {
		t.Fatal(err)
	}
	if f := r.Findings[0]; f.Line != 2 || f.Kind != Left || !strings.Contains(f.Why, "bytes") {
		t.Errorf("a line that is too long: got %v", f)
	}

	var many strings.Builder
	many.WriteString("add gslb site a 192.0.2.1\n")
	for i := range MaxFindings + 7 {
		fmt.Fprintf(&many, "add gslb widget w%d\n", i)
	}
	r, err = NetScaler(NetScalerOptions{Name: "x", Text: []byte(many.String())})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != MaxFindings || r.More < 7 {
		t.Errorf("got %d findings and %d more, want %d and at least 7", len(r.Findings), r.More, MaxFindings)
	}
	if r.Complete() {
		t.Error("a result with findings beyond the limit is complete")
	}
}

// TestLargeZone: a zone with many records refers to its file.
func TestLargeZone(t *testing.T) {
	text := "$TTL 60\n@ SOA ns1 hostmaster 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.53\n"
	for _, test := range []struct {
		records int
		file    bool
	}{{maxInlineRecords - 1, false}, {maxInlineRecords, true}} {
		var b strings.Builder
		b.WriteString(text)
		for i := range test.records {
			fmt.Fprintf(&b, "h%d A 10.0.%d.%d\n", i, i/256, i%256)
		}
		r, err := BINDZones(BINDOptions{Zones: []ZoneFile{{Name: "db.example.com", Text: []byte(b.String())}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(r.Document), "file: db.example.com"); got != test.file || len(r.Findings) > 1 {
			t.Errorf("%d records: file %v, want %v; %v", test.records+1, got, test.file, r.Findings)
		}
	}
}

func TestRangePrefixes(t *testing.T) {
	for _, test := range []struct{ from, to, want string }{
		{"10.0.0.0", "10.255.255.255", "[10.0.0.0/8]"},
		{"0.0.0.0", "255.255.255.255", "[0.0.0.0/0]"},
		{"192.0.2.1", "192.0.2.4", "[192.0.2.1/32 192.0.2.2/31 192.0.2.4/32]"},
		{"255.255.255.255", "255.255.255.255", "[255.255.255.255/32]"},
		{"2001:db8::", "2001:db8:0:1:ffff:ffff:ffff:ffff", "[2001:db8::/63]"},
		{"0.0.0.1", "255.255.255.254", "62"},
		{"::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "too many"},
	} {
		got, ok := rangePrefixes(netip.MustParseAddr(test.from), netip.MustParseAddr(test.to))
		text := fmt.Sprint(got)
		switch {
		case !ok:
			text = "too many"
		case len(got) > 9:
			text = fmt.Sprint(len(got))
		}
		if text != test.want {
			t.Errorf("%s to %s: got %s, want %s", test.from, test.to, text, test.want)
		}
	}
}

func TestReadStatements(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nested", `a b { c "d e"; { f; }; }; g;`, "[a b {[c d e][{[f]}]}][g]"},
		{"comments", "a; // x\n# y;\n/* z; \n */ b;", "[a][b]"},
		{"not closed", "a { b;", "line 1: the text ends inside a statement"},
		{"closed twice", "a; }", "line 1: there is no block that } could end"},
		{"no end", "a", "line 1: the text ends inside a statement"},
		{"deep", strings.Repeat("{", 40), "line 1: blocks are more than 16 deep"},
		{"open comment", "a; /*", "[a]"},
		{"open quote", `a "b`, "line 1: the text ends inside a statement"},
	} {
		t.Run(test.name, func(t *testing.T) {
			all, err := readStatements([]byte(test.text))
			got := shape(all)
			if err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func shape(all []*statement) string {
	var b strings.Builder
	for _, s := range all {
		b.WriteString("[" + strings.Join(s.words, " "))
		if s.block != nil {
			if len(s.words) > 0 {
				b.WriteByte(' ')
			}
			b.WriteString("{" + shape(s.block) + "}")
		}
		b.WriteString("]")
	}
	return b.String()
}
