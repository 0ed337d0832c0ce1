package adns

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

// asker is who asks in tests without a socket.
var asker = netip.MustParseAddrPort("203.0.113.5:4242")

// request builds a message bit by bit. The zero request but for flags and counts is a header.
type request struct {
	flags  uint16
	counts [4]uint16
	body   []byte
}

const testID = 0xBEEF

func (r request) bytes() []byte {
	b := binary.BigEndian.AppendUint16(nil, testID)
	b = binary.BigEndian.AppendUint16(b, r.flags)
	for _, c := range r.counts {
		b = binary.BigEndian.AppendUint16(b, c)
	}
	return append(b, r.body...)
}

// question returns a question section entry.
func question(name string, qtype, qclass uint16) []byte {
	var wire [maxNameOctets + 1]byte
	end, err := dns.PackDomainName(name, wire[:], 0, nil, false)
	if err != nil {
		panic(err)
	}
	b := append([]byte(nil), wire[:end]...)
	b = binary.BigEndian.AppendUint16(b, qtype)
	return binary.BigEndian.AppendUint16(b, qclass)
}

// optRecord returns an OPT record owned by the root.
func optRecord(size uint16, ttl uint32, options ...[]byte) []byte {
	data := bytes.Join(options, nil)
	b := []byte{0, 0, byte(dns.TypeOPT)}
	b = binary.BigEndian.AppendUint16(b, size)
	b = binary.BigEndian.AppendUint32(b, ttl)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

// option returns one EDNS option.
func option(code uint16, data ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, code)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

// query returns a plain query with extra records behind the question.
func plainQuery(q []byte, additional ...[]byte) []byte {
	return request{counts: [4]uint16{1, 0, 0, uint16(len(additional))}, body: append(append([]byte(nil), q...), bytes.Join(additional, nil)...)}.bytes()
}

// www is the question most cases ask.
func www() []byte { return question("www.example.com.", dns.TypeA, dns.ClassINET) }

// unpack reads a response and fails on anything malformed.
func unpack(t testing.TB, wire []byte) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(wire); err != nil {
		t.Fatalf("response %x does not parse: %v", wire, err)
	}
	return m
}

func TestConformance(t *testing.T) {
	long := question(name255(), dns.TypeA, dns.ClassINET)
	tests := []struct {
		name    string
		request []byte
		silent  bool
		rcode   int
		echo    bool // the question comes back
		opt     bool // an OPT comes back
		aa      bool
	}{
		{name: "row 1 plain", request: plainQuery(www()), echo: true, aa: true},
		{name: "row 2 response", request: request{flags: 0x8000, counts: [4]uint16{1}, body: www()}.bytes(), silent: true},
		{name: "row 3 nothing", request: nil, silent: true},
		{name: "row 3 eleven octets", request: plainQuery(www())[:11], silent: true},
		{name: "row 4 two questions", request: request{counts: [4]uint16{2}, body: append(www(), www()...)}.bytes(), rcode: dns.RcodeFormatError},
		{name: "row 4 two questions with opt", request: request{counts: [4]uint16{2, 0, 0, 1}, body: bytes.Join([][]byte{www(), www(), optRecord(1232, 0)}, nil)}.bytes(), rcode: dns.RcodeFormatError, opt: true},
		{name: "row 5 no question", request: request{}.bytes(), rcode: dns.RcodeFormatError},
		{name: "row 5 no question with opt", request: request{counts: [4]uint16{0, 0, 0, 1}, body: optRecord(1232, 0)}.bytes(), rcode: dns.RcodeFormatError, opt: true},
		{name: "row 6 question is missing", request: request{counts: [4]uint16{1}}.bytes(), rcode: dns.RcodeFormatError},
		{name: "row 6 question is cut", request: plainQuery(www()[:10]), rcode: dns.RcodeFormatError},
		{name: "row 6 record is missing", request: request{counts: [4]uint16{1, 0, 0, 1}, body: www()}.bytes(), rcode: dns.RcodeFormatError, echo: true},
		{name: "row 6 answer in a query", request: request{counts: [4]uint16{1, 1}, body: append(www(), optRecord(0, 0)...)}.bytes(), rcode: dns.RcodeFormatError, echo: true, opt: true},
		{name: "row 7 trailing octet", request: append(plainQuery(www()), 0), rcode: dns.RcodeFormatError, echo: true},
		{name: "row 7 trailing octet behind opt", request: append(plainQuery(www(), optRecord(1232, 0)), 0), rcode: dns.RcodeFormatError, echo: true, opt: true},
		{name: "row 8 iquery", request: request{flags: 1 << 11, counts: [4]uint16{1}, body: www()}.bytes(), rcode: dns.RcodeNotImplemented, echo: true},
		{name: "row 8 status with opt", request: request{flags: 2 << 11, counts: [4]uint16{1, 0, 0, 1}, body: append(www(), optRecord(1232, 0)...)}.bytes(), rcode: dns.RcodeNotImplemented, echo: true, opt: true},
		{name: "row 8 opcode 15, empty", request: request{flags: 15 << 11}.bytes(), rcode: dns.RcodeNotImplemented},
		{name: "row 9 dso", request: request{flags: 6 << 11}.bytes(), rcode: dns.RcodeNotImplemented},
		{name: "row 10 update", request: request{flags: 5 << 11, counts: [4]uint16{1, 0, 1, 0}, body: append(question("example.com.", dns.TypeSOA, dns.ClassINET), update()...)}.bytes(), rcode: dns.RcodeRefused, echo: true},
		{name: "row 11 notify", request: request{flags: 4 << 11, counts: [4]uint16{1}, body: question("example.com.", dns.TypeSOA, dns.ClassINET)}.bytes(), rcode: dns.RcodeNotAuth, echo: true},
		{name: "row 12 version.bind", request: plainQuery(question("version.bind.", dns.TypeTXT, dns.ClassCHAOS)), rcode: dns.RcodeRefused, echo: true},
		{name: "row 12 id.server", request: plainQuery(question("id.server.", dns.TypeTXT, dns.ClassCHAOS)), rcode: dns.RcodeRefused, echo: true},
		{name: "row 13 class any", request: plainQuery(question("www.example.com.", dns.TypeA, dns.ClassANY)), rcode: dns.RcodeRefused, echo: true},
		{name: "row 14 foreign name", request: plainQuery(question("www.other.test.", dns.TypeA, dns.ClassINET)), rcode: dns.RcodeRefused, echo: true},
		{name: "row 16 pointer", request: plainQuery([]byte{0xC0, 12, 0, 1, 0, 1}), rcode: dns.RcodeFormatError},
		{name: "row 16 label type 0x40", request: plainQuery([]byte{0x41, 'a', 0, 0, 1, 0, 1}), rcode: dns.RcodeFormatError},
		{name: "row 16 label type 0x80", request: plainQuery([]byte{0x81, 'a', 0, 0, 1, 0, 1}), rcode: dns.RcodeFormatError},
		{name: "row 16 256 octets", request: plainQuery(append([]byte{1, 'x'}, long...)), rcode: dns.RcodeFormatError},
		{name: "row 16 255 octets", request: plainQuery(long), rcode: dns.RcodeNameError, echo: true, aa: true},
		{name: "row 17 root", request: plainQuery(question(".", dns.TypeNS, dns.ClassINET)), rcode: dns.RcodeRefused, echo: true},
		{name: "row 17 single label", request: plainQuery(question("com.", dns.TypeA, dns.ClassINET)), rcode: dns.RcodeRefused, echo: true},
		{name: "row 18 tkey", request: plainQuery(question("www.example.com.", dns.TypeTKEY, dns.ClassINET)), rcode: dns.RcodeRefused, echo: true},
		{name: "row 19 nxname", request: plainQuery(question("www.example.com.", 128, dns.ClassINET)), rcode: dns.RcodeFormatError, echo: true},
		{name: "row 20 unknown type", request: plainQuery(question("www.example.com.", 65280, dns.ClassINET)), echo: true, aa: true},
		{name: "row 21 any", request: plainQuery(question("example.com.", dns.TypeANY, dns.ClassINET)), echo: true, aa: true},
		{name: "row 23 case", request: plainQuery(question("wWw.ExAmPlE.cOm.", dns.TypeA, dns.ClassINET)), echo: true, aa: true},
		{name: "row 32 no such name", request: plainQuery(question("nope.example.com.", dns.TypeA, dns.ClassINET)), rcode: dns.RcodeNameError, echo: true, aa: true},
		{name: "row 39 referral", request: plainQuery(question("x.sub.example.com.", dns.TypeA, dns.ClassINET)), echo: true},
		{name: "row 60 opt", request: plainQuery(www(), optRecord(1232, 0)), echo: true, opt: true, aa: true},
		{name: "row 62 version 1", request: plainQuery(www(), optRecord(1232, 1<<16)), rcode: dns.RcodeBadVers, echo: true, opt: true},
		{name: "row 62 version 1 with garbage", request: plainQuery(www(), optRecord(1232, 1<<16, []byte{1})), rcode: dns.RcodeBadVers, echo: true, opt: true},
		{name: "row 63 sixty options", request: plainQuery(www(), optRecord(1232, 0, bytes.Repeat(option(65001, make([]byte, 16)...), 60))), echo: true, opt: true, aa: true},
		{name: "row 64 two opts", request: plainQuery(www(), optRecord(1232, 0), optRecord(1232, 0)), rcode: dns.RcodeFormatError, echo: true, opt: true},
		{name: "row 64 option overruns", request: plainQuery(www(), optRecord(1232, 0, []byte{0, 3, 0, 9, 1})), rcode: dns.RcodeFormatError, echo: true, opt: true},
		{name: "row 64 option is cut", request: plainQuery(www(), optRecord(1232, 0, []byte{0, 3, 0})), rcode: dns.RcodeFormatError, echo: true, opt: true},
		{name: "row 64 record overruns", request: plainQuery(www(), optRecord(1232, 0, option(3))[:13]), rcode: dns.RcodeFormatError, echo: true},
		{name: "row 65 opt below the root", request: plainQuery(www(), append([]byte{1, 'x'}, optRecord(1232, 0)...)), rcode: dns.RcodeFormatError, echo: true, opt: true},
		{name: "row 65 opt in the authority section", request: request{counts: [4]uint16{1, 0, 1, 0}, body: append(www(), optRecord(1232, 0)...)}.bytes(), rcode: dns.RcodeFormatError, echo: true, opt: true},
		{name: "row 66 size 0", request: plainQuery(www(), optRecord(0, 0)), echo: true, opt: true, aa: true},
		{name: "row 89 counts of 65535", request: request{counts: [4]uint16{1, 65535, 65535, 65535}, body: www()}.bytes(), rcode: dns.RcodeFormatError, echo: true},
		{name: "additional that is no opt", request: plainQuery(www(), address()), echo: true, aa: true},
	}
	s := newServer(t)
	for _, transport := range []Transport{UDP, TCP} {
		for _, tt := range tests {
			t.Run(transport.String()+" "+tt.name, func(t *testing.T) {
				sent := append([]byte(nil), tt.request...)
				wire := s.Handle(tt.request, asker, transport, nil)
				if !bytes.Equal(sent, tt.request) {
					t.Error("the request was written to")
				}
				if tt.silent {
					if wire != nil {
						t.Fatalf("got %x, want silence", wire)
					}
					return
				}
				if wire == nil {
					t.Fatal("got silence")
				}
				m := unpack(t, wire)
				checkHeader(t, tt.request, wire)
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
				if tt.rcode != dns.RcodeSuccess && tt.rcode != dns.RcodeNameError && len(wire) > max(len(tt.request), headerOctets)+40 {
					t.Errorf("an error of %d octets to a query of %d", len(wire), len(tt.request))
				}
			})
		}
	}
}

// name255 is a name of exactly 255 octets in the fixture's zone.
func name255() string {
	const rest = "example.com."
	var b bytes.Buffer
	for left := maxNameOctets - 1 - len(rest); left > 0; {
		n := min(left-1, maxLabelBytes)
		b.Write(bytes.Repeat([]byte{'a'}, n))
		b.WriteByte('.')
		left -= n + 1
	}
	return b.String() + rest
}

// update is the update section of RFC 2136: add an address.
func update() []byte { return address() }

// address is an A record of www.example.com with a compressed name.
func address() []byte { return []byte{0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 66} }

// checkHeader compares what must always come back: ID, opcode and RD, with RA, Z, AD and CD clear.
func checkHeader(t testing.TB, request, wire []byte) {
	t.Helper()
	if !bytes.Equal(wire[:2], request[:2]) {
		t.Errorf("ID: got %x, want %x", wire[:2], request[:2])
	}
	in, out := binary.BigEndian.Uint16(request[2:]), binary.BigEndian.Uint16(wire[2:])
	const same = opcodeMask<<opcodeShift | flagRecursionDesired
	if in&same != out&same {
		t.Errorf("opcode or RD: got flags %04x for %04x", out, in)
	}
	if out&flagResponse == 0 || out&0x00F0 != 0 {
		t.Errorf("QR, RA, Z, AD, CD: got flags %04x", out)
	}
}

// checkEcho checks that the question comes back bit for bit, or not at all.
func checkEcho(t testing.TB, request, wire []byte, want bool) {
	t.Helper()
	count := binary.BigEndian.Uint16(wire[4:])
	if !want {
		if count != 0 {
			t.Errorf("QDCOUNT: got %d, want 0", count)
		}
		return
	}
	end, ok := skipQuestionName(request, headerOctets)
	if !ok {
		t.Fatal("the request has no question to echo")
	}
	if want := request[headerOctets : end+4]; count != 1 || !bytes.HasPrefix(wire[headerOctets:], want) {
		t.Errorf("question: got %d in %x, want %x", count, wire, want)
	}
}

// Flags of the query other than RD do not come back, and an answer's owner compresses to the question.
func TestHandleFlagsAndCompression(t *testing.T) {
	s := newServer(t)
	q := request{flags: 0x07F0, counts: [4]uint16{1}, body: question("wWw.eXample.com.", dns.TypeA, dns.ClassINET)}.bytes()
	wire := s.Handle(q, asker, UDP, nil)
	if got := binary.BigEndian.Uint16(wire[2:]); got != 0x8500 {
		t.Errorf("flags: got %04x, want 8500", got)
	}
	if got, want := len(wire), len(q)+16; got != want {
		t.Errorf("length: got %d, want %d", got, want)
	}
	if got := unpack(t, wire).Answer[0].Header().Name; got != "wWw.eXample.com." {
		t.Errorf("owner: got %s", got)
	}
}

func TestHandleUsesTheBufferGiven(t *testing.T) {
	s := newServer(t)
	out := make([]byte, 4096)
	wire := s.Handle(plainQuery(www()), asker, UDP, out)
	if &wire[0] != &out[0] {
		t.Error("the response was allocated although there was room")
	}
	if got := unpack(t, s.Handle(plainQuery(www()), asker, UDP, make([]byte, 0, 5))); len(got.Answer) != 1 {
		t.Errorf("a small buffer: got %v", got)
	}
}

func TestHandleWithoutSnapshot(t *testing.T) {
	s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return nil } })
	m := unpack(t, s.Handle(plainQuery(www(), optRecord(1232, 0)), asker, UDP, nil))
	if m.Rcode != dns.RcodeServerFailure || m.Authoritative {
		t.Errorf("got %v", m)
	}
	ede, ok := m.IsEdns0().Option[0].(*dns.EDNS0_EDE)
	if !ok || ede.InfoCode != dns.ExtendedErrorCodeNotReady {
		t.Errorf("options: got %v, want EDE 14", m.IsEdns0().Option)
	}
}

func TestHandleSurvivesPanic(t *testing.T) {
	s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { panic("boom") } })
	request := plainQuery(www(), optRecord(1232, 0))
	for range 3 {
		wire := s.Handle(request, asker, UDP, nil)
		checkHeader(t, request, wire)
		if m := unpack(t, wire); m.Rcode != dns.RcodeServerFailure {
			t.Errorf("got %v", m)
		}
	}
	if st := s.Stats(); st.Panics != 3 || st.Rcodes[dns.RcodeServerFailure] != 3 {
		t.Errorf("stats: got %+v", st)
	}
}

func TestHandleCounts(t *testing.T) {
	s := newServer(t)
	s.Handle(plainQuery(www()), asker, UDP, nil)
	s.Handle(plainQuery(www()), asker, TCP, nil)
	s.Handle(plainQuery(question("nope.example.com.", dns.TypeA, dns.ClassINET)), asker, TCP, nil)
	s.Handle([]byte{1, 2, 3}, asker, UDP, nil)
	s.Handle(plainQuery(www(), optRecord(512, 1<<16)), asker, UDP, nil)
	got := s.Stats()
	if got.Queries != [numTransports]uint64{UDP: 3, TCP: 2} || got.Dropped != 1 || got.Rcodes[dns.RcodeSuccess] != 2 ||
		got.Rcodes[dns.RcodeNameError] != 1 || got.Rcodes[dns.RcodeBadVers] != 1 {
		t.Errorf("got %+v", got)
	}
}
