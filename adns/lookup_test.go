package adns

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"fairlead/config/zonedata"

	"github.com/miekg/dns"
)

// oracleLookup is RFC 1034 section 4.3.2 with RFC 4592, said slowly over a list of owner names. cuts are those with NS.
func oracleLookup(owners, cuts map[string]bool, qname string) string {
	exists := func(name string) bool {
		for owner := range owners {
			if owner == name || strings.HasSuffix(owner, "."+name) {
				return true
			}
		}
		return false
	}
	labels := dns.SplitDomainName(strings.TrimSuffix(qname, "x.test."))
	for i := len(labels) - 1; i >= 0; i-- {
		if name := strings.Join(append(labels[i:len(labels):len(labels)], "x.test."), "."); cuts[name] {
			return "referral " + name
		}
	}
	if exists(qname) {
		return "node " + qname
	}
	encloser := qname
	for !exists(encloser) {
		_, encloser, _ = strings.Cut(encloser, ".")
	}
	if exists("*." + encloser) {
		return "wildcard *." + encloser
	}
	return "none"
}

func TestLookupAgainstOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	label := []string{"a", "b", "*"}
	name := func() string {
		s := "x.test."
		for range 1 + rng.IntN(4) {
			s = label[rng.IntN(len(label))] + "." + s
		}
		return s
	}
	for round := range 2000 {
		owners, cuts := map[string]bool{"x.test.": true}, map[string]bool{}
		text := apex
		for range 1 + rng.IntN(6) {
			owner := name()
			owners[owner] = true
			if rng.IntN(4) == 0 && !strings.HasPrefix(owner, "*.") {
				cuts[owner] = true
				text += owner + " NS ns.far.test.\n"
				continue
			}
			text += owner + " A 192.0.2.1\n"
		}
		owners["ns1.x.test."] = true
		z, err := compile([]*zonedata.Zone{zoneOf(t, "x.test", text+"ns1 A 192.0.2.2\n")}, noDomains{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for range 20 {
			qname := name()
			k, err := nameKey(qname)
			if err != nil {
				t.Fatal(err)
			}
			var l labels
			l.parse([]byte(k))
			if got, want := describe(z, &l, z.lookup(0, &l, dns.TypeA)), oracleLookup(owners, cuts, qname); got != want {
				t.Fatalf("round %d: %s: got %s, want %s in\n%s", round, qname, got, want, text)
			}
		}
	}
}

// describe prints a match the way the oracle does.
func describe(z *Zones, l *labels, m match) string {
	at := key(l.suffix(m.suffix)).String()
	switch {
	case m.kind == kindNone:
		return "none"
	case (string(z.zones[0].Name(m.node)) + string(z.zones[0].Origin())) != string(map[bool]string{true: "\x01*"}[m.wildcard]+string(l.suffix(m.suffix))):
		return "another node than " + at
	case m.kind == kindReferral:
		return "referral " + at
	case m.wildcard:
		return "wildcard *." + at
	case m.kind == kindNode:
		return "node " + at
	}
	return fmt.Sprintf("kind %d", m.kind)
}

func TestNameKey(t *testing.T) {
	tests := []struct{ name, want string }{
		{"WWW.Example.com.", "\x03www\x07example\x03com\x00"},
		{"www.example.com", "\x03www\x07example\x03com\x00"},
		{".", "\x00"},
		{`a\.b.`, "\x03a.b\x00"},
		{`a\046b.`, "\x03a.b\x00"},
		{`\195\137.`, "\x02\xc3\x89\x00"},
		{`\065.`, "\x01a\x00"},
	}
	for _, tt := range tests {
		got, err := nameKey(tt.name)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
		if again, err := nameKey(got.String()); err != nil || again != got {
			t.Errorf("%s: %q does not come back from %s", tt.name, got, got)
		}
	}
	for _, bad := range []string{"a..b.", strings.Repeat("a", 64) + ".", strings.Repeat("a.", 128)} {
		if got, err := nameKey(bad); err == nil {
			t.Errorf("%q: got %q, want an error", bad, got)
		}
	}
	k, _ := nameKey("a.example.com.")
	for zone, want := range map[string]bool{"example.com.": true, "a.example.com.": true, ".": true, "b.example.com.": false,
		"x.a.example.com.": false, "ample.com.": false} {
		z, _ := nameKey(zone)
		if got := k.within(z); got != want {
			t.Errorf("a.example.com. within %s: got %v", zone, got)
		}
	}
}
