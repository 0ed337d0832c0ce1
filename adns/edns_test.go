package adns

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"fairlead/config/zonedata"

	"github.com/miekg/dns"
)

// options returns a response's options by code.
func options(t testing.TB, m *dns.Msg) map[uint16][]byte {
	t.Helper()
	got := map[uint16][]byte{}
	for _, o := range m.IsEdns0().Option {
		switch o := o.(type) {
		case *dns.EDNS0_LOCAL:
			got[o.Code] = o.Data
		case *dns.EDNS0_NSID:
			got[dns.EDNS0NSID] = []byte(o.Nsid)
		case *dns.EDNS0_EDE:
			got[dns.EDNS0EDE] = fmt.Appendf(nil, "%d %s", o.InfoCode, o.ExtraText)
		case *dns.EDNS0_SUBNET:
			got[dns.EDNS0SUBNET] = nil // read from the wire by rawSubnet
		default:
			t.Errorf("unexpected option %T", o)
		}
	}
	return got
}

// rawSubnet finds the subnet option's data in a response whose last record is OPT.
func rawSubnet(t testing.TB, wire []byte, request int) []byte {
	t.Helper()
	header := []byte{0, 8, 0, byte(request)}
	i := bytes.LastIndex(wire, header)
	if i < 0 {
		t.Fatalf("no subnet of %d octets in %x", request, wire)
	}
	return wire[i+4 : i+4+request]
}

func TestClientSubnet(t *testing.T) {
	tests := []struct {
		name   string
		data   []byte
		formed bool
		scope  byte // for hash.example.com
	}{
		{"b IPv4 /24", []byte{0, 1, 24, 0, 203, 0, 113}, true, 24},
		{"b IPv4 /32", []byte{0, 1, 32, 0, 203, 0, 113, 7}, true, 24},
		{"b IPv4 /20", []byte{0, 1, 20, 0, 203, 0, 112}, true, 24},
		{"b IPv6 /56", []byte{0, 2, 56, 0, 0x20, 1, 0x0d, 0xb8, 0, 1, 0}, true, 56},
		{"c source 0", []byte{0, 1, 0, 0}, true, 0},
		{"c source 0, IPv6", []byte{0, 2, 0, 0}, true, 0},
		{"e empty", nil, false, 0},
		{"e three octets", []byte{0, 1, 24}, false, 0},
		{"e family 0", []byte{0, 0, 0, 0}, false, 0},
		{"e family 3", []byte{0, 3, 8, 0, 1}, false, 0},
		{"e IPv4 /33", []byte{0, 1, 33, 0, 203, 0, 113, 7, 0}, false, 0},
		{"e IPv6 /129", append([]byte{0, 2, 129, 0}, make([]byte, 17)...), false, 0},
		{"e too few octets", []byte{0, 1, 24, 0, 203, 0}, false, 0},
		{"e too many octets", []byte{0, 1, 24, 0, 203, 0, 113, 0}, false, 0},
		{"e source 0 with an octet", []byte{0, 1, 0, 0, 0}, false, 0},
		{"e bits past source", []byte{0, 1, 20, 0, 203, 0, 113}, false, 0},
		{"e scope in a query", []byte{0, 1, 24, 24, 203, 0, 113}, false, 0},
	}
	s := newServer(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ask := func(name string, qtype uint16) ([]byte, *dns.Msg) {
				wire := s.Handle(plainQuery(question(name, qtype, dns.ClassINET), optRecord(1232, 0, option(dns.EDNS0SUBNET, tt.data...))), asker, UDP, nil)
				return wire, unpack(t, wire)
			}
			wire, m := ask("hash.example.com.", dns.TypeA)
			if !tt.formed {
				if m.Rcode != dns.RcodeFormatError || len(m.IsEdns0().Option) != 0 || len(m.Answer) != 0 {
					t.Errorf("got %v, want FORMERR without options", m)
				}
				return
			}
			want := append([]byte(nil), tt.data...)
			want[3] = tt.scope
			if got := rawSubnet(t, wire, len(tt.data)); !bytes.Equal(got, want) || m.Rcode != dns.RcodeSuccess {
				t.Errorf("%s: got %x, want %x", rcodeName(m.Rcode), got, want)
			}
			want[3] = 0
			// b, g: what does not depend on the asker, negative answers, referrals and refusals.
			for _, name := range []string{"mail.example.com.", "nope.example.com.", "x.sub.example.com.", "www.other.test."} {
				if wire, _ = ask(name, dns.TypeA); !bytes.Equal(rawSubnet(t, wire, len(tt.data)), want) {
					t.Errorf("%s: got %x, want %x", name, rawSubnet(t, wire, len(tt.data)), want)
				}
			}
		})
	}
	t.Run("a none asked, none told", func(t *testing.T) {
		m := unpack(t, s.Handle(plainQuery(question("hash.example.com.", dns.TypeA, dns.ClassINET), optRecord(1232, 0)), asker, UDP, nil))
		if got := options(t, m); len(got) != 0 {
			t.Errorf("options: got %v", got)
		}
	})
	t.Run("two subnets", func(t *testing.T) {
		o := option(dns.EDNS0SUBNET, 0, 1, 8, 0, 10)
		m := unpack(t, s.Handle(plainQuery(www(), optRecord(1232, 0, o, o)), asker, UDP, nil))
		if m.Rcode != dns.RcodeFormatError {
			t.Errorf("got %s", rcodeName(m.Rcode))
		}
	})
}

// d: whoever shares the scope's bits gets the same answer, whatever resolver asks.
func TestClientSubnetScopeIsTruthful(t *testing.T) {
	s := newServer(t)
	answer := func(third, fourth byte) string {
		o := option(dns.EDNS0SUBNET, 0, 1, 32, 0, 203, 0, third, fourth)
		m := unpack(t, s.Handle(plainQuery(question("hash.example.com.", dns.TypeA, dns.ClassINET), optRecord(1232, 0, o)), asker, UDP, nil))
		return m.Answer[0].String()
	}
	seen := map[string]bool{}
	for third := range 64 {
		first := answer(byte(third), 0)
		seen[first] = true
		for fourth := 1; fourth < 256; fourth += 25 {
			if got := answer(byte(third), byte(fourth)); got != first {
				t.Fatalf("203.0.%d.%d: got %s, the prefix's first address got %s", third, fourth, got, first)
			}
		}
	}
	if len(seen) != 2 {
		t.Errorf("64 prefixes got %d different answers, want 2", len(seen))
	}
}

func TestEDNSFlagsAndSize(t *testing.T) {
	s := newServer(t)
	for _, tt := range []struct {
		name string
		ttl  uint32
		do   bool
	}{{"no flags", 0, false}, {"DO", 0x8000, true}, {"all flags", 0xFFFF, true}, {"CO alone", 0x4000, false}} {
		t.Run(tt.name, func(t *testing.T) {
			o := unpack(t, s.Handle(plainQuery(www(), optRecord(4096, tt.ttl)), asker, UDP, nil)).IsEdns0()
			want := uint32(0)
			if tt.do {
				want = 0x8000
			}
			if o.Hdr.Ttl != want || o.UDPSize() != maxUDPPayload {
				t.Errorf("got flags %08x size %d, want %08x %d", o.Hdr.Ttl, o.UDPSize(), want, maxUDPPayload)
			}
		})
	}
}

func TestNSID(t *testing.T) {
	tests := []struct {
		name, nsid string
		asked      bool
		want       string // hexadecimal
	}{
		{"asked", "ams-1", true, "616d732d31"},
		{"not asked", "ams-1", false, ""},
		{"not configured", "", true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, func(o *Options) { o.NSID = tt.nsid })
			var opts [][]byte
			if tt.asked {
				opts = append(opts, option(dns.EDNS0NSID, 'x'))
			}
			m := unpack(t, s.Handle(plainQuery(www(), optRecord(1232, 0, opts...)), asker, UDP, nil))
			if got := string(options(t, m)[dns.EDNS0NSID]); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestExtendedErrors(t *testing.T) {
	s := newServer(t)
	for _, tt := range []struct {
		name  string
		qtype uint16
		want  string
	}{
		{"www.other.test.", dns.TypeA, "20 "},
		{"www.example.com.", typeNXNAME, "30 "},
		{"www.example.com.", dns.TypeAXFR, "21 "},
		{"www.example.com.", dns.TypeA, ""},
	} {
		m := unpack(t, s.Handle(plainQuery(question(tt.name, tt.qtype, dns.ClassINET), optRecord(1232, 0)), asker, UDP, nil))
		if got := string(options(t, m)[dns.EDNS0EDE]); got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.name, dns.Type(tt.qtype), got, tt.want)
		}
	}
}

// bigZone has TXT sets of growing size: "t<n>" has n records of 100 octets.
func bigZone(t testing.TB) *Snapshot {
	t.Helper()
	var b strings.Builder
	b.WriteString("@ 60 SOA ns1 h 1 1 1 1 60\n@ 60 NS ns1\n")
	for _, n := range []int{1, 4, 5, 10, 11, 12, 100} {
		for i := range n {
			fmt.Fprintf(&b, "t%d 60 TXT %q\n", n, fmt.Sprintf("%03d%s", i, strings.Repeat("x", 84)))
		}
	}
	s := fixture(t)
	zones, err := compile([]*zonedata.Zone{zoneOf(t, "big.test", b.String())}, noDomains{})
	if err != nil {
		t.Fatal(err)
	}
	return &Snapshot{Zones: zones, GSLB: s.GSLB, Learned: s.Learned}
}

func TestTruncation(t *testing.T) {
	big := bigZone(t)
	s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return big } })
	tests := []struct {
		name      string
		records   int
		size      int // advertised; -1 without EDNS
		transport Transport
		truncated bool
	}{
		{"small", 1, -1, UDP, false},
		{"below 512", 4, -1, UDP, false},
		{"above 512", 5, -1, UDP, true},
		{"above 512, size below 512", 5, 100, UDP, true},
		{"above 512, size 1232", 5, 1232, UDP, false},
		{"below 1232", 11, 1232, UDP, false},
		{"above 1232", 12, 1232, UDP, true},
		{"above 1232, size 4096", 12, 4096, UDP, true},
		{"above 1232, TCP", 12, 1232, TCP, false},
		{"10,000 octets, TCP", 100, -1, TCP, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var extra [][]byte
			limit := minUDPPayload
			if tt.size >= 0 {
				extra = append(extra, optRecord(uint16(tt.size), 0))
				limit = max(minUDPPayload, min(tt.size, maxUDPPayload))
			}
			q := plainQuery(question(fmt.Sprintf("t%d.big.test.", tt.records), dns.TypeTXT, dns.ClassINET), extra...)
			wire := s.Handle(q, asker, tt.transport, nil)
			m := unpack(t, wire)
			if m.Truncated != tt.truncated {
				t.Errorf("TC: got %v, want %v", m.Truncated, tt.truncated)
			}
			want := tt.records
			if tt.truncated {
				want = 0
			}
			if len(m.Answer) != want || (m.IsEdns0() != nil) != (tt.size >= 0) {
				t.Errorf("got %d records, OPT %v; want %d", len(m.Answer), m.IsEdns0(), want)
			}
			if tt.transport == UDP && len(wire) > limit {
				t.Errorf("%d octets, more than %d", len(wire), limit)
			}
		})
	}
	if got := s.Stats().Truncated; got != 4 {
		t.Errorf("truncated: got %d, want 4", got)
	}
}

// A truncated response with everything that can be in it fits into the least payload.
func TestTruncatedResponseAlwaysFits(t *testing.T) {
	s := newServer(t, func(o *Options) { o.NSID = strings.Repeat("n", maxNSID) })
	q := plainQuery(question(name255(), dns.TypeAXFR, dns.ClassINET), optRecord(0, 0, option(dns.EDNS0NSID),
		option(dns.EDNS0SUBNET, append([]byte{0, 2, 128, 0}, make([]byte, 16)...)...)))
	if wire := s.Handle(q, asker, UDP, nil); len(wire)+maxErrorText > minUDPPayload {
		t.Errorf("%d octets", len(wire))
	}
}

// What fits into no message at all is an error, not a part of the answer.
func TestUnencodable(t *testing.T) {
	var b strings.Builder
	b.WriteString(apex)
	for ns := range 5 {
		fmt.Fprintf(&b, "sub NS n%d.sub\n", ns)
		for i := range 1000 {
			fmt.Fprintf(&b, "n%d.sub A 10.%d.%d.%d\n", ns, ns, i/256, i%256)
		}
	}
	zones, err := compile([]*zonedata.Zone{zoneOf(t, "big.test", b.String())}, noDomains{})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return &Snapshot{Zones: zones} } })
	q := plainQuery(question("x.sub.big.test.", dns.TypeA, dns.ClassINET), optRecord(1232, 0))
	if m := unpack(t, s.Handle(q, asker, UDP, nil)); !m.Truncated || len(m.Ns)+len(m.Answer) != 0 || len(m.Extra) != 1 {
		t.Errorf("UDP: got %v, want TC alone", m)
	}
	m := unpack(t, s.Handle(q, asker, TCP, nil))
	if m.Rcode != dns.RcodeServerFailure || m.Truncated || len(m.Ns)+len(m.Answer) != 0 || m.IsEdns0() == nil {
		t.Errorf("TCP: got %v, want SERVFAIL with OPT", m)
	}
	if got := s.Stats(); got.Unencodable != 1 || got.Truncated != 1 {
		t.Errorf("stats: got %+v", got)
	}
}
