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
