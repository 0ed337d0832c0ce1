package adns

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// answered checks an ordinary answer with these options, in any order.
func answered(codes ...uint16) func(*testing.T, *dns.Msg, []byte) {
	return func(t *testing.T, m *dns.Msg, wire []byte) {
		t.Helper()
		if len(m.Answer) != 1 || len(m.Ns) != 0 {
			t.Errorf("got %v, want one record", m)
		}
		hasOptions(codes...)(t, m, wire)
	}
}

// hasOptions checks which options came back.
func hasOptions(codes ...uint16) func(*testing.T, *dns.Msg, []byte) {
	return func(t *testing.T, m *dns.Msg, _ []byte) {
		t.Helper()
		var got []uint16
		for _, o := range m.IsEdns0().Option {
			got = append(got, o.Option())
		}
		slices.Sort(got)
		if !slices.Equal(got, codes) {
			t.Errorf("options: got %v, want %v", got, codes)
		}
	}
}

// flagged checks the flags of the OPT.
func flagged(flags uint32) func(*testing.T, *dns.Msg, []byte) {
	return func(t *testing.T, m *dns.Msg, _ []byte) {
		t.Helper()
		if got := m.IsEdns0().Hdr.Ttl; got != flags || len(m.Answer) != 1 {
			t.Errorf("OPT's TTL field: got %08x, want %08x; %v", got, flags, m)
		}
	}
}

// ednsRows are about OPT and its options.
func ednsRows() []wireCase {
	const formErr = dns.RcodeFormatError
	opt := func(options ...[]byte) []byte { return optRecord(1232, 0, options...) }
	with := func(additional ...[]byte) []byte { return plainQuery(www(), additional...) }
	rows := []wireCase{
		{name: "row 60 opt", request: with(opt()), echo: true, opt: true, aa: true, check: answered()},
		{name: "row 60 opt in a negative answer", request: queryFor("nope.example.com.", dns.TypeA, opt()), rcode: dns.RcodeNameError, echo: true, opt: true, aa: true, check: hasSOA},
		{name: "row 60 opt in a referral", request: queryFor("x.sub.example.com.", dns.TypeA, opt()), echo: true, opt: true, check: counts(0, 3)},
		{name: "row 60 another record beside opt", request: with(address(), opt()), echo: true, opt: true, aa: true, check: answered()},
		{name: "row 60 additional that is no opt", request: with(address()), echo: true, aa: true, check: counts(1, 0)},
		{name: "row 61 DO", request: with(optRecord(1232, 0x8000)), echo: true, opt: true, aa: true, check: flagged(0x8000)},
		{name: "row 61 CO", request: with(optRecord(1232, 0x4000)), echo: true, opt: true, aa: true, check: flagged(0)},
		{name: "row 61 all flags", request: with(optRecord(1232, 0xFFFF)), echo: true, opt: true, aa: true, check: flagged(0x8000)},
		{name: "row 61 extended rcode in a query", request: with(optRecord(1232, 0xFF000000)), echo: true, opt: true, aa: true, check: flagged(0)},
		{name: "row 62 version 1", request: with(optRecord(1232, 1<<16)), rcode: dns.RcodeBadVers, echo: true, opt: true},
		{name: "row 62 version 255", request: with(optRecord(1232, 255<<16)), rcode: dns.RcodeBadVers, echo: true, opt: true},
		{name: "row 62 version 1 with options", request: with(optRecord(1232, 1<<16, option(dns.EDNS0NSID), option(dns.EDNS0SUBNET, 0, 1, 0, 0))), rcode: dns.RcodeBadVers, echo: true, opt: true, check: hasOptions()},
		{name: "row 62 version 1 with garbage", request: with(optRecord(1232, 1<<16, []byte{1})), rcode: dns.RcodeBadVers, echo: true, opt: true},
		{name: "row 62 version 1, foreign name", request: queryFor("www.other.test.", dns.TypeA, optRecord(1232, 1<<16)), rcode: dns.RcodeBadVers, echo: true, opt: true},
		{name: "row 63 unknown option", request: with(opt(option(65001, 1, 2, 3), option(100))), echo: true, opt: true, aa: true, check: answered()},
		{name: "row 63 sixty options", request: with(opt(bytes.Repeat(option(65001, make([]byte, 16)...), 60))), echo: true, opt: true, aa: true, check: answered()},
		{name: "row 63 1,100 octets", request: with(opt(option(65001, make([]byte, 1100)...))), echo: true, opt: true, aa: true, check: answered()},
		{name: "row 64 two opts", request: with(opt(), opt()), rcode: formErr, echo: true, opt: true},
		{name: "row 64 option overruns", request: with(opt([]byte{0, 3, 0, 9, 1})), rcode: formErr, echo: true, opt: true},
		{name: "row 64 option is cut", request: with(opt([]byte{0, 3, 0})), rcode: formErr, echo: true, opt: true},
		{name: "row 64 record overruns", request: with(opt(option(3))[:13]), rcode: formErr, echo: true},
		{name: "row 65 opt below the root", request: with(append([]byte{1, 'x'}, opt()...)), rcode: formErr, echo: true, opt: true},
		{name: "row 65 opt's owner is a pointer", request: with(append([]byte{0xC0, 28}, opt()[1:]...)), rcode: formErr, echo: true, opt: true},
		{name: "row 65 opt in the answer section", request: request{counts: [4]uint16{1, 1}, body: append(www(), opt()...)}.bytes(), rcode: formErr, echo: true, opt: true},
		{name: "row 65 opt in the authority section", request: request{counts: [4]uint16{1, 0, 1, 0}, body: append(www(), opt()...)}.bytes(), rcode: formErr, echo: true, opt: true},
		{name: "row 66 size 0", request: with(optRecord(0, 0)), echo: true, opt: true, aa: true, check: answered()},
		{name: "row 66 size 511", request: with(optRecord(511, 0)), echo: true, opt: true, aa: true, check: answered()},
		{name: "row 69 nsid", request: with(opt(option(dns.EDNS0NSID))), echo: true, opt: true, aa: true, check: answered(dns.EDNS0NSID)},
		{name: "row 69 nsid with a payload", request: with(opt(option(dns.EDNS0NSID, 'x', 'y'))), echo: true, opt: true, aa: true, check: answered(dns.EDNS0NSID)},
		{name: "row 70 client's cookie", request: with(opt(option(dns.EDNS0COOKIE, 1, 2, 3, 4, 5, 6, 7, 8))), echo: true, opt: true, aa: true, check: answered(dns.EDNS0COOKIE)},
		{name: "row 70 cookie in an error", request: queryFor("www.other.test.", dns.TypeA, opt(option(dns.EDNS0COOKIE, 1, 2, 3, 4, 5, 6, 7, 8))), rcode: dns.RcodeRefused, echo: true, opt: true, ede: 20, check: hasOptions(dns.EDNS0COOKIE, dns.EDNS0EDE)},
		{name: "row 71 subnet", request: with(opt(option(dns.EDNS0SUBNET, 0, 1, 24, 0, 10, 1, 2))), echo: true, opt: true, aa: true, check: answered(dns.EDNS0SUBNET)},
		{name: "row 72 keepalive with a time-out", request: with(opt(option(dns.EDNS0TCPKEEPALIVE, 0, 100))), echo: true, opt: true, aa: true, check: answered()},
		{name: "row 76 expire", request: with(opt(option(dns.EDNS0EXPIRE))), echo: true, opt: true, aa: true, check: answered()},
		{name: "row 76 chain", request: with(opt(option(13, 0))), echo: true, opt: true, aa: true, check: answered()},
		{name: "row 77 report channel in a query", request: with(opt(option(18, 1, 'a', 0))), echo: true, opt: true, aa: true, check: answered()},
		{name: "row 89 counts of 65535", request: request{counts: [4]uint16{1, 65535, 65535, 65535}, body: www()}.bytes(), rcode: formErr, echo: true},
	}
	for _, n := range []int{0, 1, 7, 9, 15, 41} {
		rows = append(rows, wireCase{name: fmt.Sprintf("row 70 cookie of %d octets", n), request: with(opt(option(dns.EDNS0COOKIE, make([]byte, n)...))), rcode: formErr, echo: true, opt: true, check: hasOptions()})
	}
	return rows
}

// TestTruncationAtEachSize is row 67: whatever size the client takes, a set comes whole or not at all, and TC says which. It
// comes whole as soon as it fits.
func TestTruncationAtEachSize(t *testing.T) {
	big := bigZone(t)
	s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return big } })
	slow := askSlow(s, UDP)
	for _, tt := range []struct{ name string }{{"t1.big.test."}, {"t4.big.test."}, {"t5.big.test."}, {"t10.big.test."}, {"t11.big.test."}, {"t12.big.test."}} {
		whole := len(s.Handle(queryFor(tt.name, dns.TypeTXT, optRecord(0, 0)), asker, TCP, nil))
		records := 0
		if _, err := fmt.Sscanf(tt.name, "t%d.", &records); err != nil {
			t.Fatal(err)
		}
		for size := range 1500 {
			limit := max(minUDPPayload, min(size, maxUDPPayload))
			q := queryFor(tt.name, dns.TypeTXT, optRecord(uint16(size), 0))
			for path, wire := range map[string][]byte{"": s.Handle(q, asker, UDP, nil), "slow path: ": slow(t, q)} {
				m := unpack(t, wire)
				fits := whole <= limit
				want := records
				if !fits {
					want = 0
				}
				if m.Truncated == fits || len(m.Answer) != want || len(wire) > limit || m.IsEdns0() == nil || len(m.Question) != 1 || !m.Authoritative {
					t.Fatalf("%s%s size %d: %d octets, TC %v, %d records; the answer has %d octets", path, tt.name, size, len(wire), m.Truncated, len(m.Answer), whole)
				}
			}
		}
	}
}
