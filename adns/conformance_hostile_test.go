package adns

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"fairlead/adns/rrl"
	"fairlead/adns/udp"

	"github.com/miekg/dns"
)

// pointed is a query whose name ends in a pointer.
func pointed(to byte) []byte { return plainQuery([]byte{1, 'a', 0xC0, to, 0, 1, 0, 1}) }

// bomb is a message of n records whose owners all point at a name of 255 octets.
func bomb(n int) []byte {
	q := question(name255(), dns.TypeA, dns.ClassINET)
	record := []byte{0xC0, headerOctets, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0}
	return request{counts: [4]uint16{1, 0, 0, uint16(n)}, body: append(q, bytes.Repeat(record, n)...)}.bytes()
}

// hostileRows are messages that nobody sends in good faith, beside those of the other tables.
func hostileRows() []wireCase {
	const formErr = dns.RcodeFormatError
	with := func(options ...[]byte) []byte { return plainQuery(www(), optRecord(1232, 0, options...)) }
	subnet := func(data ...byte) []byte { return with(option(dns.EDNS0SUBNET, data...)) }
	cookie := option(dns.EDNS0COOKIE, 1, 2, 3, 4, 5, 6, 7, 8)
	rows := []wireCase{
		{name: "hostile 5 QDCOUNT of 65535", request: request{counts: [4]uint16{65535}, body: www()}.bytes(), rcode: formErr},
		{name: "hostile 6 all counts of 65535", request: request{counts: [4]uint16{65535, 65535, 65535, 65535}}.bytes(), rcode: formErr},
		{name: "hostile 6 all counts of 65535, with a question", request: request{counts: [4]uint16{65535, 65535, 65535, 65535}, body: www()}.bytes(), rcode: formErr},
		{name: "hostile 8 pointer to itself", request: pointed(14), rcode: formErr},
		{name: "hostile 8 pointer to its label", request: pointed(12), rcode: formErr},
		{name: "hostile 9 forward pointer", request: pointed(16), rcode: formErr},
		{name: "hostile 10 pointer into the header", request: pointed(4), rcode: formErr},
		{name: "hostile 12 name without end", request: plainQuery(bytes.Repeat([]byte{63}, 512)), rcode: formErr},
		{name: "hostile 13 127 labels", request: queryFor(strings.Repeat("a.", 127), dns.TypeA), rcode: dns.RcodeRefused, echo: true},
		{name: "hostile 13 123 labels in a zone", request: queryFor(strings.Repeat("a.", 121)+"example.com.", dns.TypeA), rcode: dns.RcodeNameError, echo: true, aa: true, check: hasSOA},
		{name: "hostile 17 RDLENGTH beyond the packet", request: plainQuery(www(), []byte{0, 0, 41, 4, 208, 0, 0, 0, 0, 255, 255}), rcode: formErr, echo: true},
		{name: "hostile 21 two cookies", request: with(cookie, cookie), rcode: formErr, echo: true, opt: true, check: hasOptions()},
		{name: "hostile 22 subnet of family 3", request: subnet(0, 3, 8, 0, 10), rcode: formErr, echo: true, opt: true, check: hasOptions()},
		{name: "hostile 22 subnet of family 0", request: subnet(0, 0, 0, 0), rcode: formErr, echo: true, opt: true, check: hasOptions()},
		{name: "hostile 23 subnet of 33 bits", request: subnet(0, 1, 33, 0, 10, 1, 2, 3, 0), rcode: formErr, echo: true, opt: true, check: hasOptions()},
		{name: "hostile 23 subnet of 129 bits", request: subnet(append([]byte{0, 2, 129, 0}, make([]byte, 17)...)...), rcode: formErr, echo: true, opt: true, check: hasOptions()},
		{name: "hostile 24 bits past the subnet", request: subnet(0, 1, 20, 0, 10, 1, 1), rcode: formErr, echo: true, opt: true, check: hasOptions()},
		{name: "hostile 24 octets past the subnet", request: subnet(0, 1, 8, 0, 10, 0), rcode: formErr, echo: true, opt: true, check: hasOptions()},
		{name: "hostile 24 too few octets", request: subnet(0, 1, 24, 0, 10, 1), rcode: formErr, echo: true, opt: true, check: hasOptions()},
		{name: "hostile 25 subnet with a scope", request: subnet(0, 1, 24, 24, 10, 1, 2), rcode: formErr, echo: true, opt: true, check: hasOptions()},
		{name: "hostile 26 two subnets", request: with(option(dns.EDNS0SUBNET, 0, 1, 8, 0, 10), option(dns.EDNS0SUBNET, 0, 1, 8, 0, 11)), rcode: formErr, echo: true, opt: true, check: hasOptions()},
		{name: "hostile 30 TSIG of an unknown key", request: signed("nobody.", epoch.Unix()), rcode: dns.RcodeNotAuth, echo: true, check: hasTSIG(dns.RcodeBadKey)},
		{name: "hostile 31 TSIG that is not last", request: behindTSIG(optRecord(1232, 0)), rcode: formErr, echo: true, opt: true},
		{name: "hostile 42 compression bomb", request: bomb(300), rcode: formErr, echo: true},
	}
	for cut := 1; cut <= 9; cut++ {
		rows = append(rows, wireCase{name: fmt.Sprintf("hostile 7 question cut by %d", cut), request: plainQuery(www()[:len(www())-cut]), rcode: formErr})
	}
	for n := range 4 {
		rows = append(rows, wireCase{name: fmt.Sprintf("hostile 27 subnet of %d octets", n), request: subnet([]byte{0, 1, 24}[:n]...), rcode: formErr, echo: true, opt: true, check: hasOptions()})
	}
	for _, label := range []string{`\000`, `\.`, `\255`, `\032`, `\@`, `\\`, `\"`, `\009\010\013`, `-`, `_`, `\192\012`} {
		rows = append(rows, wireCase{name: fmt.Sprintf("hostile 43 label %q", label), request: queryFor(label+".example.com.", dns.TypeA), rcode: dns.RcodeNameError, echo: true, aa: true, check: hasSOA})
	}
	return rows
}

// signed is a query for www with the TSIG of a key that may be known, at a time.
func signed(key string, at int64) []byte {
	q := new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA)
	q.Id = testID
	q.SetTsig(key, dns.HmacSHA256, 300, at)
	wire, _, err := dns.TsigGenerate(q, base64.StdEncoding.EncodeToString([]byte(transferSecret)), "", false)
	if err != nil {
		panic(err)
	}
	return wire
}

// behindTSIG is a signed query with one more record.
func behindTSIG(record []byte) []byte {
	wire := append(signed("fetch.", epoch.Unix()), record...)
	wire[11]++
	return wire
}

// hasTSIG checks the error in the TSIG of a response.
func hasTSIG(code uint16) func(*testing.T, *dns.Msg, []byte) {
	return func(t *testing.T, m *dns.Msg, _ []byte) {
		t.Helper()
		if ts := m.IsTsig(); ts == nil || ts.Error != code || len(m.Answer) != 0 {
			t.Errorf("got %v, want a TSIG with error %d", m, code)
		}
	}
}

// TestHostileSignatures is hostile 32: a clock that is off by any amount is told so, on every transport.
func TestHostileSignatures(t *testing.T) {
	s, roots := startSecure(t, func(o *Options) { o.Keys = transferKeys(t) })
	for _, w := range waysTo(t, s, roots) {
		for _, at := range []int64{0, 1, epoch.Unix() - 302, epoch.Unix() + 302, 1<<48 - 1} {
			tt := wireCase{request: signed("fetch.", at), rcode: dns.RcodeNotAuth, echo: true, check: hasTSIG(dns.RcodeBadTime)}
			t.Run(fmt.Sprintf("%s/second %d", w.name, at), func(t *testing.T) { tt.run(t, &w) })
		}
		tt := wireCase{request: signed("fetch.", epoch.Unix()), aa: true, echo: true, check: func(t *testing.T, m *dns.Msg, _ []byte) {
			if ts := m.IsTsig(); ts == nil || ts.Error != 0 || len(m.Answer) != 1 {
				t.Errorf("got %v, want a signed answer", m)
			}
		}}
		t.Run(w.name+"/on time", func(t *testing.T) { tt.run(t, &w) })
	}
}

// TestHostileSizes is hostile 29 and 42 at full length: a query with 60 KB of padding is answered over streams; over UDP it is
// more than a query can be, and its header gets FORMERR. 5,000 records get that on every transport.
func TestHostileSizes(t *testing.T) {
	s, roots := startSecure(t)
	padded := plainQuery(www(), optRecord(1232, 0, option(dns.EDNS0PADDING, make([]byte, 60_000)...)))
	for _, w := range waysTo(t, s, roots) {
		t.Run("padding/"+w.name, func(t *testing.T) {
			m := unpack(t, w.ask(t, padded))
			if want := w.name == "udp"; want != (m.Rcode == dns.RcodeFormatError) || !want && len(m.Answer) != 1 {
				t.Errorf("got %v, want FORMERR %v", m, want)
			}
		})
		t.Run("records/"+w.name, func(t *testing.T) {
			if m := unpack(t, w.ask(t, bomb(5000))); m.Rcode != dns.RcodeFormatError || len(m.Answer)+len(m.Ns)+len(m.Extra) != 0 {
				t.Errorf("got %v, want FORMERR alone", m)
			}
		})
	}
}

// TestHostileStreams is hostile 39 to 41: what is no DNS ends a connection, before its time when that is clear at once.
func TestHostileStreams(t *testing.T) {
	s := start(t)
	for name, sent := range map[string][]byte{
		"length 0":         {0, 0},
		"length 11":        append([]byte{0, 11}, make([]byte, 11)...),
		"http":             []byte("GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n"),
		"a long response":  append([]byte{0xFF, 0xFF}, request{flags: 0x8000, counts: [4]uint16{1}}.bytes()...),
		"a long nothing":   append([]byte{0xFF, 0xFF}, make([]byte, headerOctets)...),
		"tls client hello": append([]byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03}, make([]byte, 64)...),
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, s)
			begin := time.Now()
			if _, err := conn.Write(sent); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(conn)
			if err != nil && !hungUp(err) {
				t.Fatalf("the connection stays: %v", err)
			}
			if len(rest) > 0 && (len(rest) != lengthOctets+headerOctets || rest[5]&0xF == dns.RcodeSuccess) {
				t.Errorf("got %x, want nothing or an error of one header", rest)
			}
			if waited := time.Since(begin); waited > deadline/2 {
				t.Errorf("it took %v", waited)
			}
			checkSentinel(t, askUDPOnce(t, s))
		})
	}
}

// askUDPOnce asks for www.
func askUDPOnce(t *testing.T, s *Server) []byte {
	t.Helper()
	conn, err := net.DialTimeout("udp", s.Addrs()[0].String(), deadline)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(deadline))
	b := make([]byte, minUDPPayload)
	if _, err := conn.Write(plainQuery(www())); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// TestHostileNotifies is hostile 34: NOTIFY is limited like any error, and asks nobody anything.
func TestHostileNotifies(t *testing.T) {
	s := newServer(t, withPolicy(func(o *PolicyOptions) { o.RateLimit = rrl.Options{PerSecond: 20, Slip: 2} }))
	notify := request{flags: 4 << opcodeShift, counts: [4]uint16{1}, body: question("example.com.", dns.TypeSOA, dns.ClassINET)}.bytes()
	whole := 0
	for range 10_000 {
		if wire := s.Handle(notify, asker, UDP, nil); wire != nil && int(wire[3]&0xF) == dns.RcodeNotAuth && wire[2]&2 == 0 {
			whole++
		}
	}
	if whole != 20 {
		t.Errorf("%d of 10,000 in one moment were answered whole, want 20", whole)
	}
}

// TestHostileNames is hostile 44: names that nobody asked for before leave nothing behind.
func TestHostileNames(t *testing.T) {
	s := newServer(t, withPolicy(cookies), withPolicy(func(o *PolicyOptions) { o.RateLimit = rrl.Options{PerSecond: 200, Slip: 2} }))
	q := queryFor("aaaaaaaaaaaaaaaa.example.com.", dns.TypeA, optRecord(1232, 0))
	out := make([]byte, 4096)
	ask := func(n int) {
		for i := range n {
			copy(q[headerOctets+1:], fmt.Sprintf("%016x", i))
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 53)
			s.Handle(q, from, UDP, out)
		}
	}
	ask(10_000)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	ask(200_000)
	if after := heap(); after > before+1<<20 {
		t.Errorf("the heap grew from %d to %d octets", before, after)
	}
}

// TestHostileReplay is hostile 45: the same query again, from the same port with the same ID, is the same to the server.
func TestHostileReplay(t *testing.T) {
	s := newServer(t, withPolicy(cookies))
	for _, q := range [][]byte{queryFor("mail.example.com.", dns.TypeA), queryFor("hash.example.com.", dns.TypeA, optRecord(1232, 0, option(dns.EDNS0SUBNET, 0, 1, 24, 0, 10, 1, 2))), queryFor("nope.example.com.", slowType)} {
		first := s.Handle(q, asker, UDP, nil)
		for range 100 {
			if again := s.Handle(q, asker, UDP, nil); !bytes.Equal(first, again) {
				t.Fatalf("%x, then %x", first, again)
			}
		}
	}
}

// hostilePort asks from a port and returns the response's length.
func hostilePort(d *datagrams, port uint16) int {
	b := make([]byte, 4096)
	batch := []udp.Packet{{Buf: b, N: copy(b, plainQuery(www())), From: netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), port)}}
	d.Serve(batch)
	return batch[0].N
}

// TestHostilePorts is hostile 46: port 0 can receive nothing, so nothing is sent there. The ports of services that answer
// anything are clients like others, under the rate limit.
func TestHostilePorts(t *testing.T) {
	d := newServer(t).newDatagrams(0).(*datagrams)
	for port, want := range map[uint16]bool{0: false, 7: true, 19: true, 53: true, 65535: true} {
		if got := hostilePort(d, port) > 0; got != want {
			t.Errorf("port %d: answered %v, want %v", port, got, want)
		}
	}
}
