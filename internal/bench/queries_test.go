package bench

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func newRandom() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }

// TestQueriesAreWhatWasAskedFor decodes compiled queries with another implementation.
func TestQueriesAreWhatWasAskedFor(t *testing.T) {
	subnet := netip.MustParsePrefix("198.51.100.128/25")
	subnet6 := netip.MustParsePrefix("2001:db8:1::/48")
	for _, c := range []struct {
		name   string
		change func(*QueryOptions)
		want   string // of the message's text
		size   uint16
	}{
		{"plain", nil, "", 0},
		{"edns", func(o *QueryOptions) { o.EDNS = true }, "udp: 1232", payloadOctets},
		{"do", func(o *QueryOptions) { o.DO = true }, "flags: do", payloadOctets},
		{"subnet", func(o *QueryOptions) { o.Subnet = SubnetsOf([]netip.Prefix{subnet}) }, "SUBNET: 198.51.100.128/25/0", payloadOctets},
		{"subnet of IPv6", func(o *QueryOptions) { o.Subnet = SubnetsOf([]netip.Prefix{subnet6}) }, "SUBNET: [2001:db8:1::]/48/0", payloadOctets},
		{"cookie", func(o *QueryOptions) { o.Cookie = []byte("12345678") }, "COOKIE: 3132333435363738", payloadOctets},
		{"recurse", func(o *QueryOptions) { o.Recurse = true }, "flags: rd", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := someQueries(t, c.change)
			var m dns.Msg
			if err := m.Unpack(q.message(3)); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(m.String(), c.want) {
				t.Errorf("got %s, want %q in it", m.String(), c.want)
			}
			if opt := m.IsEdns0(); (opt != nil) != (c.size > 0) || opt != nil && opt.UDPSize() != c.size {
				t.Errorf("got OPT %v, want size %d", opt, c.size)
			}
			if packed, _ := m.Pack(); len(packed) != len(q.message(3)) {
				t.Errorf("%d octets, packed again %d", len(q.message(3)), len(packed))
			}
		})
	}
}

func TestEachQueryIsSentEquallyOften(t *testing.T) {
	q := someQueries(t, nil)
	if q.Len() < minQueries-200 || q.Len()%100 != 0 {
		t.Fatalf("got %d queries, want rounds of 100 up to about %d", q.Len(), minQueries)
	}
	seen := map[string]int{}
	for i := range q.Len() {
		seen[string(q.question(uint32(i)))]++
	}
	for question, n := range seen {
		if len(seen) != 100 || n != q.Len()/100 {
			t.Fatalf("%q: %d times, and %d different questions; want 100, each as often as the others", question, n, len(seen))
		}
	}
	again := someQueries(t, nil)
	other := someQueries(t, func(o *QueryOptions) { o.Seed++ })
	if !slices.Equal(q.wire, again.wire) || slices.Equal(q.wire, other.wire) {
		t.Error("the seed does not decide on the order")
	}
}

func TestQueryErrors(t *testing.T) {
	for _, o := range []QueryOptions{
		{},
		{Names: []string{"a"}},
		{Names: []string{""}, Types: []uint16{1}},
		{Names: []string{strings.Repeat("a", 64) + ".test"}, Types: []uint16{1}},
		{Names: []string{"a"}, Types: []uint16{1}, Cookie: make([]byte, 41)},
	} {
		if _, err := NewQueries(o); err == nil {
			t.Errorf("%v: no error", o)
		}
	}
}

func TestLongestQueryFits(t *testing.T) {
	name := strings.Repeat(strings.Repeat("a", 62)+".", 3) + strings.Repeat("b", 60) + "."
	q, err := NewQueries(QueryOptions{Names: []string{name}, Types: []uint16{1}, Cookie: make([]byte, maxCookie),
		Subnet: SubnetsOf([]netip.Prefix{netip.MustParsePrefix("2001:db8::1/128")})})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(q.message(0)); n > maxMessage {
		t.Errorf("got a query of %d octets, want at most %d", n, maxMessage)
	}
}

func TestParseTypes(t *testing.T) {
	got, err := ParseTypes("a, AAAA,TYPE65,https")
	if err != nil || !slices.Equal(got, []uint16{1, 28, 65, 65}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "A,", "TYPE", "TYPE65536", "TYPE1x", "B"} {
		if got, err := ParseTypes(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

func TestNames(t *testing.T) {
	names, err := ReadNames(strings.NewReader("# a comment\n\nwww.example.test A\n; another\n  b.example.test.\n"))
	if err != nil || !slices.Equal(names, []string{"www.example.test", "b.example.test."}) {
		t.Errorf("got %q, %v", names, err)
	}
	if _, err := ReadNames(strings.NewReader("a\n" + strings.Repeat("b", maxLine+1))); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a long line: got %v, want an error with its number", err)
	}
	if _, err := ReadPrefixes(strings.NewReader("192.0.2.0/24\n192.0.2.0\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("no prefix: got %v, want an error with its line", err)
	}
	for _, bad := range []string{"h", "h%s", "h%d%d"} {
		if names, err := PatternNames(bad, "test", 2); err == nil {
			t.Errorf("pattern %q: got %q, want an error", bad, names)
		}
	}
	if names, _ := PatternNames("h%02d", ".test.", 2); !slices.Equal(names, []string{"h00.test.", "h01.test."}) {
		t.Errorf("got %q", names)
	}
}

func TestNearby(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "10.1.2.3": true, "192.168.1.1": true, "fd00::1": true, "fe80::1": true, "::ffff:10.0.0.1": true,
		"192.0.2.1": false, "8.8.8.8": false, "2001:db8::1": false, "0.0.0.0": false,
	} {
		if got := Nearby(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}
