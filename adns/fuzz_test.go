package adns

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/miekg/dns"
)

// FuzzHandle checks that whatever comes in, what goes out is a response to it: it parses, it mirrors ID, opcode and
// question, it keeps to the client's size, and it is the same on every transport.
func FuzzHandle(f *testing.F) {
	subnet := option(dns.EDNS0SUBNET, 0, 1, 24, 0, 203, 0, 113)
	for _, seed := range [][]byte{
		plainQuery(www()),
		plainQuery(www(), optRecord(1232, 0x8000, subnet, option(dns.EDNS0NSID))),
		plainQuery(www(), optRecord(512, 1<<16)),
		plainQuery(www(), optRecord(1232, 0), optRecord(1232, 0)),
		plainQuery(question(name255(), dns.TypeTXT, dns.ClassINET)),
		plainQuery(question("HOST.dn.example.com.", dns.TypeA, dns.ClassINET)),
		plainQuery(question(`esc\.dot.example.com.`, dns.TypeA, dns.ClassINET)),
		plainQuery(question("x.sub.example.com.", dns.TypeA, dns.ClassINET), address()),
		plainQuery(question("c1.example.com.", dns.TypeANY, dns.ClassINET)),
		plainQuery(question("inner.example.com.", 65, dns.ClassINET)),
		plainQuery(question("_types._tcp.example.com.", dns.TypeHTTPS, dns.ClassINET), optRecord(1232, 0, subnet)),
		plainQuery(question("_types._tcp.example.com.", dns.TypeSRV, dns.ClassINET)),
		plainQuery(question("_types._tcp.example.com.", dns.TypeMX, dns.ClassINET)),
		request{flags: 4 << 11, counts: [4]uint16{1}, body: www()}.bytes(),
		request{counts: [4]uint16{2, 0, 0, 1}, body: append(append(www(), www()...), optRecord(1232, 0)...)}.bytes(),
		request{counts: [4]uint16{1, 65535, 65535, 65535}, body: www()}.bytes(),
	} {
		f.Add(seed)
	}
	s := newServer(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > maxWireOctets {
			return
		}
		sent := append([]byte(nil), in...)
		udp := append([]byte(nil), s.Handle(in, asker, UDP, make([]byte, scratchOctets))...)
		tcp := s.Handle(in, asker, TCP, nil)
		if !bytes.Equal(in, sent) {
			t.Fatal("the request was written to")
		}
		if s.Stats().Panics != 0 {
			t.Fatalf("panic on %x", in)
		}
		silent := len(in) < headerOctets || in[2]&0x80 != 0
		if silent != (len(udp) == 0) || silent != (tcp == nil) {
			t.Fatalf("silence: want %v, got %x and %x", silent, udp, tcp)
		}
		if silent {
			return
		}
		if len(udp) > maxUDPPayload {
			t.Fatalf("%d octets over UDP", len(udp))
		}
		checkResponse(t, in, udp)
		checkResponse(t, in, tcp)
		if udp[3]&0xF != tcp[3]&0xF {
			t.Fatalf("rcodes differ: UDP %x, TCP %x", udp, tcp)
		}
	})
}

// checkResponse checks one response by miekg/dns's idea of it and of the request.
func checkResponse(t *testing.T, in, wire []byte) {
	t.Helper()
	m := unpack(t, wire)
	checkHeader(t, in, wire)
	opts := 0
	for _, rr := range m.Extra {
		if rr.Header().Rrtype == dns.TypeOPT {
			opts++
		}
	}
	if opts > 1 {
		t.Fatalf("%d OPTs in %x", opts, wire)
	}
	if m.Truncated && len(m.Answer)+len(m.Ns) > 0 {
		t.Fatalf("a truncated response has records: %x", wire)
	}
	asked := new(dns.Msg)
	if err := asked.Unpack(in); err != nil {
		return
	}
	if binary.BigEndian.Uint16(wire[4:]) == 1 {
		if len(asked.Question) == 0 || m.Question[0] != asked.Question[0] {
			t.Fatalf("question: got %v, want %v", m.Question, asked.Question)
		}
	}
	if opts == 1 && asked.IsEdns0() == nil && !hasOPT(asked) {
		t.Fatalf("OPT to a query without one: %x", in)
	}
	for _, rr := range m.Answer {
		if rr.Header().Class != dns.ClassINET {
			t.Fatalf("data of class %d", rr.Header().Class)
		}
	}
}

// hasOPT looks for an OPT in any section.
func hasOPT(m *dns.Msg) bool {
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if rr.Header().Rrtype == dns.TypeOPT {
				return true
			}
		}
	}
	return false
}

// FuzzSubnet checks the decoder of client subnets against its own encoder.
func FuzzSubnet(f *testing.F) {
	f.Add([]byte{0, 1, 24, 0, 203, 0, 113})
	f.Add([]byte{0, 2, 0, 0})
	f.Add([]byte{0, 1, 33, 0, 1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, data []byte) {
		var s subnet
		if !s.parse(data) {
			if s.present {
				t.Fatal("a malformed option counts as present")
			}
			return
		}
		family := byte(2)
		if s.prefix.Addr().Is4() {
			family = 1
		}
		want := append([]byte{0, family, byte(s.prefix.Bits()), 0}, s.prefix.Addr().AsSlice()[:(s.prefix.Bits()+7)/8]...)
		if !bytes.Equal(want, data) {
			t.Fatalf("got %x from %x", want, data)
		}
	})
}

func BenchmarkHandle(b *testing.B) {
	s := newServer(b)
	subnet := option(dns.EDNS0SUBNET, 0, 1, 24, 0, 203, 0, 113)
	for _, bb := range []struct {
		name    string
		request []byte
	}{
		{"balanced", plainQuery(www(), optRecord(1232, 0))},
		{"hash-subnet", plainQuery(question("hash.example.com.", dns.TypeA, dns.ClassINET), optRecord(1232, 0, subnet))},
		{"static", plainQuery(question("mail.example.com.", dns.TypeA, dns.ClassINET), optRecord(1232, 0))},
		{"nxdomain", plainQuery(question("nope.example.com.", dns.TypeA, dns.ClassINET), optRecord(1232, 0))},
		{"refused", plainQuery(question("www.other.test.", dns.TypeA, dns.ClassINET))},
	} {
		b.Run(bb.name, func(b *testing.B) {
			out := make([]byte, scratchOctets)
			b.ReportAllocs()
			for b.Loop() {
				s.Handle(bb.request, asker, UDP, out)
			}
		})
	}
}
