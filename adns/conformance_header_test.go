package adns

import (
	"bytes"
	"testing"

	"github.com/miekg/dns"
)

// wireCase is a request and what every transport answers to it.
type wireCase struct {
	name    string // begins with the row of docs/conformance.md
	request []byte
	silent  bool
	rcode   int
	echo    bool // the question comes back
	opt     bool // an OPT comes back
	aa      bool
	ede     uint16
	// check looks at the rest; nil: an error has no records.
	check func(t *testing.T, m *dns.Msg, wire []byte)
}

// queryFor is a plain query with a type in class IN.
func queryFor(name string, qtype uint16, additional ...[]byte) []byte {
	return plainQuery(question(name, qtype, dns.ClassINET), additional...)
}

// empty is a message with nothing but a header.
func empty(opcode uint16) []byte { return request{flags: opcode << opcodeShift}.bytes() }

func withOPT(opcode uint16, q []byte) []byte {
	return request{flags: opcode << opcodeShift, counts: [4]uint16{1, 0, 0, 1}, body: bytes.Join([][]byte{q, optRecord(1232, 0)}, nil)}.bytes()
}

// counts checks the numbers of records in answer and authority.
func counts(answer, authority int) func(*testing.T, *dns.Msg, []byte) {
	return func(t *testing.T, m *dns.Msg, _ []byte) {
		t.Helper()
		if len(m.Answer) != answer || len(m.Ns) != authority {
			t.Errorf("got %d and %d records, want %d and %d: %v", len(m.Answer), len(m.Ns), answer, authority, m)
		}
	}
}

// hasSOA checks a negative answer: the SOA alone, with the TTL of negative answers.
func hasSOA(t *testing.T, m *dns.Msg, _ []byte) {
	t.Helper()
	if len(m.Answer) != 0 || len(m.Ns) != 1 || m.Ns[0].Header().Rrtype != dns.TypeSOA || m.Ns[0].Header().Ttl != 60 {
		t.Errorf("got %v, want a SOA with TTL 60 alone", m)
	}
}

// headerRows are about the header, opcodes and the question.
func headerRows() []wireCase {
	long, opt := question(name255(), dns.TypeA, dns.ClassINET), optRecord(1232, 0)
	record := append(www(), 0, 0, 0, 0, 0, 4, 192, 0, 2, 1)
	const formErr, refused, notImp = dns.RcodeFormatError, dns.RcodeRefused, dns.RcodeNotImplemented
	class := func(name string, qtype, qclass uint16) []byte { return plainQuery(question(name, qtype, qclass), opt) }
	return []wireCase{
		{name: "row 1 plain", request: plainQuery(www()), echo: true, aa: true, check: counts(1, 0)},
		{name: "row 1 all flags", request: request{flags: 0x07F0, counts: [4]uint16{1}, body: www()}.bytes(), echo: true, aa: true, check: counts(1, 0)},
		{name: "row 1 rcode in a query", request: request{flags: 0x000F, counts: [4]uint16{1}, body: www()}.bytes(), echo: true, aa: true, check: counts(1, 0)},
		{name: "row 2 response", request: request{flags: 0x8000, counts: [4]uint16{1}, body: www()}.bytes(), silent: true},
		{name: "row 2 response with another opcode", request: request{flags: 0xA800, counts: [4]uint16{1}, body: www()}.bytes(), silent: true},
		{name: "row 2 response with an error", request: request{flags: 0x8001}.bytes(), silent: true},
		{name: "row 3 nothing", request: nil, silent: true},
		{name: "row 3 one octet", request: []byte{0}, silent: true},
		{name: "row 3 eleven octets", request: plainQuery(www())[:11], silent: true},
		{name: "row 4 two questions", request: request{counts: [4]uint16{2}, body: append(www(), www()...)}.bytes(), rcode: formErr},
		{name: "row 4 two questions with opt", request: request{counts: [4]uint16{2, 0, 0, 1}, body: bytes.Join([][]byte{www(), www(), opt}, nil)}.bytes(), rcode: formErr, opt: true},
		{name: "row 5 no question", request: request{}.bytes(), rcode: formErr},
		{name: "row 5 no question with opt", request: request{counts: [4]uint16{0, 0, 0, 1}, body: opt}.bytes(), rcode: formErr, opt: true},
		{name: "row 5 no question with cookie", request: request{counts: [4]uint16{0, 0, 0, 1}, body: optRecord(1232, 0, option(dns.EDNS0COOKIE, 1, 2, 3, 4, 5, 6, 7, 8))}.bytes(), opt: true},
		{name: "row 6 question is missing", request: request{counts: [4]uint16{1}}.bytes(), rcode: formErr},
		{name: "row 6 question is cut", request: plainQuery(www()[:10]), rcode: formErr},
		{name: "row 6 class is cut", request: plainQuery(www()[:len(www())-1]), rcode: formErr},
		{name: "row 6 record is missing", request: request{counts: [4]uint16{1, 0, 0, 1}, body: www()}.bytes(), rcode: formErr, echo: true},
		{name: "row 6 answer in a query", request: request{counts: [4]uint16{1, 1}, body: append(www(), opt...)}.bytes(), rcode: formErr, echo: true, opt: true},
		{name: "row 6 two records in authority", request: request{counts: [4]uint16{1, 0, 2, 0}, body: bytes.Join([][]byte{www(), record, record}, nil)}.bytes(), rcode: formErr, echo: true},
		{name: "row 6 three additional records", request: request{counts: [4]uint16{1, 0, 0, 3}, body: bytes.Join([][]byte{www(), record, record, record}, nil)}.bytes(), rcode: formErr, echo: true},
		{name: "row 6 one record in authority", request: request{counts: [4]uint16{1, 0, 1, 0}, body: bytes.Join([][]byte{www(), record}, nil)}.bytes(), echo: true, aa: true, check: counts(1, 0)},
		{name: "row 7 trailing octet", request: append(plainQuery(www()), 0), rcode: formErr, echo: true},
		{name: "row 7 trailing octet behind opt", request: append(plainQuery(www(), opt), 0), rcode: formErr, echo: true, opt: true},
		{name: "row 7 another message behind", request: append(plainQuery(www()), plainQuery(www())...), rcode: formErr, echo: true},
		{name: "row 8 iquery", request: request{flags: 1 << 11, counts: [4]uint16{1}, body: www()}.bytes(), rcode: notImp, echo: true},
		{name: "row 8 status with opt", request: withOPT(2, www()), rcode: notImp, echo: true, opt: true},
		{name: "row 8 opcode 3", request: withOPT(3, www()), rcode: notImp, echo: true, opt: true},
		{name: "row 8 opcode 7", request: withOPT(7, www()), rcode: notImp, echo: true, opt: true},
		{name: "row 8 opcode 8", request: empty(8), rcode: notImp},
		{name: "row 8 opcode 15, empty", request: empty(15), rcode: notImp},
		{name: "row 9 dso", request: empty(dns.OpcodeStateful), rcode: notImp},
		{name: "row 10 update", request: request{flags: 5 << 11, counts: [4]uint16{1, 0, 1, 0}, body: append(question("example.com.", dns.TypeSOA, dns.ClassINET), update()...)}.bytes(), rcode: refused, echo: true},
		{name: "row 11 notify", request: request{flags: 4 << 11, counts: [4]uint16{1}, body: question("example.com.", dns.TypeSOA, dns.ClassINET)}.bytes(), rcode: dns.RcodeNotAuth, echo: true},
		{name: "row 12 class CH", request: class("www.example.com.", dns.TypeA, dns.ClassCHAOS), rcode: refused, echo: true, opt: true},
		{name: "row 12 class HS", request: class("www.example.com.", dns.TypeA, dns.ClassHESIOD), rcode: refused, echo: true, opt: true},
		{name: "row 12 class NONE", request: class("www.example.com.", dns.TypeA, dns.ClassNONE), rcode: refused, echo: true, opt: true},
		{name: "row 12 class 0", request: class("www.example.com.", dns.TypeA, 0), rcode: refused, echo: true, opt: true},
		{name: "row 12 version.bind", request: plainQuery(question("version.bind.", dns.TypeTXT, dns.ClassCHAOS)), rcode: refused, echo: true},
		{name: "row 12 id.server", request: plainQuery(question("id.server.", dns.TypeTXT, dns.ClassCHAOS)), rcode: refused, echo: true},
		{name: "row 13 class any", request: class("www.example.com.", dns.TypeA, dns.ClassANY), rcode: refused, echo: true, opt: true},
		{name: "row 14 foreign name", request: queryFor("www.other.test.", dns.TypeA), rcode: refused, echo: true},
		{name: "row 14 foreign name with opt", request: queryFor("www.other.test.", dns.TypeA, opt), rcode: refused, echo: true, opt: true, ede: 20},
		{name: "row 14 foreign name, type DS", request: queryFor("www.other.test.", dns.TypeDS, opt), rcode: refused, echo: true, opt: true, ede: 20},
		{name: "row 14 parent of the zone", request: queryFor("com.", dns.TypeSOA, opt), rcode: refused, echo: true, opt: true, ede: 20},
		{name: "row 16 pointer", request: plainQuery([]byte{0xC0, 12, 0, 1, 0, 1}), rcode: formErr},
		{name: "row 16 label type 0x40", request: plainQuery([]byte{0x41, 'a', 0, 0, 1, 0, 1}), rcode: formErr},
		{name: "row 16 label type 0x80", request: plainQuery([]byte{0x81, 'a', 0, 0, 1, 0, 1}), rcode: formErr},
		{name: "row 16 256 octets", request: plainQuery(append([]byte{1, 'x'}, long...)), rcode: formErr},
		{name: "row 16 255 octets", request: plainQuery(long), rcode: dns.RcodeNameError, echo: true, aa: true, check: hasSOA},
		{name: "row 17 root", request: queryFor(".", dns.TypeNS), rcode: refused, echo: true},
		{name: "row 17 single label", request: queryFor("com.", dns.TypeA), rcode: refused, echo: true},
		{name: "row 17 single label of 63 octets", request: queryFor(string(bytes.Repeat([]byte{'x'}, 63))+".", dns.TypeA), rcode: refused, echo: true},
		{name: "row 18 tkey", request: queryFor("www.example.com.", dns.TypeTKEY, opt), rcode: refused, echo: true, opt: true, ede: 21},
		{name: "row 18 tsig", request: queryFor("www.example.com.", dns.TypeTSIG), rcode: formErr, echo: true},
		{name: "row 18 opt", request: queryFor("www.example.com.", dns.TypeOPT), rcode: formErr, echo: true},
		{name: "row 18 type 0", request: queryFor("www.example.com.", 0), rcode: formErr, echo: true},
		{name: "row 18 maila", request: queryFor("www.example.com.", dns.TypeMAILA), rcode: refused, echo: true},
		{name: "row 18 type 65535", request: queryFor("www.example.com.", 65535), rcode: refused, echo: true},
		{name: "row 19 nxname", request: queryFor("www.example.com.", typeNXNAME, opt), rcode: formErr, echo: true, opt: true, ede: 30},
		{name: "row 20 unknown type", request: queryFor("www.example.com.", 65280), echo: true, aa: true, check: hasSOA},
		{name: "row 21 any", request: queryFor("example.com.", dns.TypeANY), echo: true, aa: true, check: counts(1, 0)},
		{name: "row 21 any of a balanced name", request: queryFor("www.example.com.", dns.TypeANY), echo: true, aa: true, check: counts(1, 0)},
		{name: "row 22 rrsig", request: queryFor("mail.example.com.", dns.TypeRRSIG), echo: true, aa: true, check: hasSOA},
		{name: "row 23 case", request: queryFor("wWw.ExAmPlE.cOm.", dns.TypeA), echo: true, aa: true, check: sameCase},
		{name: "row 23 case of a static name", request: queryFor("MaIl.eXaMpLe.CoM.", dns.TypeAAAA), echo: true, aa: true, check: sameCase},
		{name: "row 24 escaped dot", request: queryFor(`esc\.dot.example.com.`, dns.TypeA), echo: true, aa: true, check: counts(1, 0)},
		{name: "row 24 dot that is a boundary", request: queryFor(`esc.dot.example.com.`, dns.TypeA), rcode: dns.RcodeNameError, echo: true, aa: true, check: hasSOA},
		{name: "row 24 8-bit label", request: queryFor(`\195\169.example.com.`, dns.TypeA), echo: true, aa: true, check: counts(1, 0)},
		{name: "row 24 8-bit label has no other case", request: queryFor(`\195\137.example.com.`, dns.TypeA), rcode: dns.RcodeNameError, echo: true, aa: true, check: hasSOA},
		{name: "row 26 recursion desired, foreign name", request: request{flags: flagRecursionDesired, counts: [4]uint16{1}, body: question("www.other.test.", dns.TypeA, dns.ClassINET)}.bytes(), rcode: refused, echo: true},
		{name: "row 27 CD and AD", request: request{flags: 0x0030, counts: [4]uint16{1}, body: www()}.bytes(), echo: true, aa: true, check: counts(1, 0)},
		{name: "row 30 several records, one TTL", request: queryFor("mixed.example.com.", dns.TypeA), echo: true, aa: true, check: counts(2, 0)},
		{name: "row 31 no data", request: queryFor("mail.example.com.", dns.TypeMX), echo: true, aa: true, check: hasSOA},
		{name: "row 32 no such name", request: queryFor("nope.example.com.", dns.TypeA), rcode: dns.RcodeNameError, echo: true, aa: true, check: hasSOA},
		{name: "row 32 below no such name", request: queryFor("a.b.nope.example.com.", dns.TypeTXT), rcode: dns.RcodeNameError, echo: true, aa: true, check: hasSOA},
		{name: "row 39 referral", request: queryFor("x.sub.example.com.", dns.TypeA), echo: true, check: counts(0, 3)},
		{name: "row 41 DS at the cut", request: queryFor("plain.example.com.", dns.TypeDS), echo: true, aa: true, check: hasSOA},
	}
}

// sameCase checks that the answer's owner is a pointer to the question's name.
func sameCase(t *testing.T, m *dns.Msg, wire []byte) {
	t.Helper()
	if len(m.Answer) != 1 || m.Answer[0].Header().Name != m.Question[0].Name || !bytes.Contains(wire[headerOctets:], []byte{0xC0, headerOctets, 0}) {
		t.Errorf("got %v in %x, want an owner that points to the question", m, wire)
	}
}

// TestConformance sends every request of the checklist's tables over UDP, TCP, TLS and HTTPS, and over the path of what is
// rare: one gate, one answer. Each datagram is followed by a query that must be answered rightly.
func TestConformance(t *testing.T) {
	s, roots := startSecure(t, withPolicy(cookies))
	ways := waysTo(t, s, roots)
	seen := map[string]bool{}
	for _, table := range [][]wireCase{headerRows(), ednsRows(), hostileRows()} {
		for _, tt := range table {
			if seen[tt.name] {
				t.Fatalf("%q is there twice", tt.name)
			}
			seen[tt.name] = true
			t.Run(tt.name, func(t *testing.T) {
				for _, w := range ways {
					t.Run(w.name, func(t *testing.T) { tt.run(t, &w) })
				}
			})
		}
	}
}

func (tt *wireCase) run(t *testing.T, w *way) {
	sent := bytes.Clone(tt.request)
	wire := w.ask(t, tt.request)
	switch {
	case !bytes.Equal(sent, tt.request):
		t.Fatal("the request was written to")
	case tt.silent && wire != nil:
		t.Fatalf("got %x, want silence", wire)
	case tt.silent:
		return
	case wire == nil:
		t.Fatal("got silence")
	}
	checkReply(t, tt.request, wire, w.transport)
	m := unpack(t, wire)
	if m.Rcode != tt.rcode {
		t.Errorf("rcode: got %s, want %s", rcodeName(m.Rcode), rcodeName(tt.rcode))
	}
	if m.Authoritative != tt.aa {
		t.Errorf("AA: got %v, want %v", m.Authoritative, tt.aa)
	}
	if got := m.IsEdns0() != nil; got != tt.opt {
		t.Errorf("OPT: got %v, want %v", got, tt.opt)
	}
	checkEcho(t, tt.request, wire, tt.echo)
	ede := rawOption(t, wire, dns.EDNS0EDE)
	if want := []byte{byte(tt.ede >> 8), byte(tt.ede)}; tt.ede == 0 && ede != nil || tt.ede != 0 && !bytes.Equal(ede, want) {
		t.Errorf("reason: got %x, want %x", ede, want)
	}
	check := tt.check
	if check == nil {
		check = counts(0, 0)
	}
	check(t, m, wire)
}

// TestAllTypes is row 18 and 20: every type there is, at a balanced name, a static one, one that does not exist and one of no
// zone, gets an answer that fits what the type is, on both paths.
func TestAllTypes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	slow := askSlow(s, UDP)
	for _, name := range []string{"www.example.com.", "mail.example.com.", "nope.example.com.", "www.other.test."} {
		q := queryFor(name, 0, optRecord(1232, 0))
		at := len(q) - optOctets - 4
		for qtype := range 1 << 16 {
			q[at], q[at+1] = byte(qtype>>8), byte(qtype)
			wire := s.Handle(q, asker, UDP, nil)
			if wire == nil {
				t.Fatalf("%s TYPE%d: silence", name, qtype)
			}
			if err := strictly(wire); err != nil {
				t.Fatalf("%s TYPE%d: %v", name, qtype, err)
			}
			if got, want := int(wire[3]&0xF), rcodeOfType(name, uint16(qtype)); got != want {
				t.Errorf("%s TYPE%d: got %s, want %s", name, qtype, rcodeName(got), rcodeName(want))
			}
			if qtype%7 == 0 { // the path of what is rare says the same
				if got := slow(t, q); got[3] != wire[3] || got[7] != wire[7] || got[9] != wire[9] {
					t.Errorf("%s TYPE%d: the paths differ: %x and %x", name, qtype, wire, got)
				}
			}
		}
	}
}

// rcodeOfType is what a type without EDNS errors gets.
func rcodeOfType(name string, qtype uint16) int {
	switch {
	case qtype == 0 || qtype == dns.TypeOPT || qtype == dns.TypeTSIG || qtype == typeNXNAME:
		return dns.RcodeFormatError
	case qtype >= firstQuestionType && qtype < dns.TypeANY || qtype == 65535 || name == "www.other.test.":
		return dns.RcodeRefused
	case name == "nope.example.com.":
		return dns.RcodeNameError
	}
	return dns.RcodeSuccess
}

// TestAllClasses is row 12 and 13: nothing but class IN has data.
func TestAllClasses(t *testing.T) {
	s := newServer(t)
	for _, qtype := range []uint16{dns.TypeA, dns.TypeTXT, dns.TypeANY, dns.TypeAXFR} {
		q := plainQuery(question("www.example.com.", qtype, 0))
		for qclass := range 1 << 16 {
			q[len(q)-2], q[len(q)-1] = byte(qclass>>8), byte(qclass)
			wire := s.Handle(q, asker, UDP, nil)
			if qclass == dns.ClassINET {
				continue
			}
			if len(wire) != len(q) || wire[3] != dns.RcodeRefused || wire[2] != 0x80 || !bytes.Equal(wire[headerOctets:], q[headerOctets:]) {
				t.Errorf("class %d %s: got %x, want REFUSED alone", qclass, dns.Type(qtype), wire)
			}
		}
	}
}
