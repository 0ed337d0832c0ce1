package adns

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// way is one way of a request to the answering core and back.
type way struct {
	name      string
	transport Transport
	// ask sends a request and returns the response. Nil is what the transport does instead of responding: silence, a
	// closed connection, status 400.
	ask func(t testing.TB, request []byte) []byte
}

// waysTo returns all ways to a server that startSecure made: real sockets of all transports, and the path of what is rare
// for what is common, over a datagram and over a stream.
func waysTo(t testing.TB, s *Server, roots *x509.CertPool) []way {
	return []way{
		{"udp", UDP, askUDP(t, s)},
		{"tcp", TCP, func(t testing.TB, request []byte) []byte { return askStream(t, dialPlain(t, s), request) }},
		{"tls", TLS, askTLS(s, roots)},
		{"https", HTTPS, askHTTPS(t, s, roots)},
		{"slow path udp", UDP, askSlow(s, UDP)},
		{"slow path tcp", TCP, askSlow(s, TCP)},
	}
}

// sentinelID is of the query that follows each datagram: what arrives before its answer is what the datagram got. So silence
// is known without waiting, and the server is known to answer after whatever it was sent.
const sentinelID = 0x5E17

func askUDP(t testing.TB, s *Server) func(testing.TB, []byte) []byte {
	conn, err := net.DialTimeout("udp", s.Addrs()[0].String(), deadline)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return func(t testing.TB, request []byte) []byte {
		t.Helper()
		sentinel := plainQuery(www())
		binary.BigEndian.PutUint16(sentinel, sentinelID)
		_ = conn.SetDeadline(time.Now().Add(deadline))
		for _, datagram := range [][]byte{request, sentinel} {
			if _, err := conn.Write(datagram); err != nil {
				t.Fatal(err)
			}
		}
		var response []byte
		for {
			b := make([]byte, maxWireOctets)
			n, err := conn.Read(b)
			if err != nil {
				t.Fatalf("after %x the server does not answer: %v", head(request), err)
			}
			if binary.BigEndian.Uint16(b) == sentinelID {
				checkSentinel(t, b[:n])
				return response
			}
			if response != nil {
				t.Fatalf("two responses to %x: %x and %x", head(request), response, b[:n])
			}
			response = b[:n]
		}
	}
}

// checkSentinel holds what www is answered with at all times.
func checkSentinel(t testing.TB, wire []byte) {
	t.Helper()
	m := unpack(t, wire)
	if m.Rcode != dns.RcodeSuccess || len(m.Answer) != 1 || m.Answer[0].(*dns.A).A.String() != "192.0.2.80" {
		t.Fatalf("www is answered with %v", m)
	}
}

// head is what a message begins with, for printing.
func head(message []byte) []byte { return message[:min(len(message), 128)] }

func dialPlain(t testing.TB, s *Server) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.Addrs()[0].String(), deadline)
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

func askTLS(s *Server, roots *x509.CertPool) func(testing.TB, []byte) []byte {
	config := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", NextProtos: []string{"dot"}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	return func(t testing.TB, request []byte) []byte {
		t.Helper()
		dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: deadline}, Config: config}
		conn, err := dialer.Dial("tcp", s.SecureAddrs(TLS)[0].String())
		if err != nil {
			t.Fatal(err)
		}
		return askStream(t, conn.(*tls.Conn), request)
	}
}

// askStream sends one message, closes its half of the connection, and reads to the end.
func askStream(t testing.TB, conn interface {
	net.Conn
	CloseWrite() error
}, request []byte) []byte {
	t.Helper()
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(deadline))
	if _, err := conn.Write(appendFramed(nil, request)); err != nil && !hungUp(err) {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil && !hungUp(err) {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil && !hungUp(err) {
		t.Fatal(err)
	}
	if len(all) == 0 {
		return nil
	}
	if len(all) < lengthOctets || len(all) != lengthOctets+int(binary.BigEndian.Uint16(all)) {
		t.Fatalf("to %x came %x: not one message", head(request), head(all))
	}
	return all[lengthOctets:]
}

// hungUp reports whether the other end closed a connection with data in flight.
func hungUp(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ENOTCONN)
}

func askHTTPS(t testing.TB, s *Server, roots *x509.CertPool) func(testing.TB, []byte) []byte {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	web := &http.Client{Transport: transport, Timeout: deadline}
	return func(t testing.TB, request []byte) []byte {
		t.Helper()
		r, err := web.Post("https://"+s.SecureAddrs(HTTPS)[0].String()+"/dns-query", dnsMessage, bytes.NewReader(request))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
			t.Fatal(err)
		case r.StatusCode == http.StatusBadRequest:
			return nil
		case r.StatusCode != http.StatusOK:
			t.Fatalf("status %s to %x", r.Status, head(request))
		}
		return body
	}
}

// askSlow answers by the path of what is rare, whatever the request.
func askSlow(s *Server, transport Transport) func(testing.TB, []byte) []byte {
	r := s.newResponder()
	c := client{addr: netip.MustParseAddr("127.0.0.1"), port: 4242, transport: transport}
	return func(_ testing.TB, request []byte) []byte {
		v := judgeHeader(request)
		if v.silent {
			return nil
		}
		r.tick()
		return r.answerSlow(nil, bytes.Clone(request), v, &c)
	}
}

// Types whose data may hold compressed names (RFC 3597 section 4), and types whose names must stand in full.
var (
	compressedTypes = map[uint16]func(data []byte) int{ // octets before the first name; -1: SOA's two names
		dns.TypeNS: func([]byte) int { return 0 }, dns.TypeCNAME: func([]byte) int { return 0 }, dns.TypePTR: func([]byte) int { return 0 },
		dns.TypeMX: func([]byte) int { return 2 }, dns.TypeSOA: func([]byte) int { return -1 },
	}
	fullTypes = map[uint16]int{dns.TypeDNAME: 0, dns.TypeSRV: 6, dns.TypeSVCB: 2, dns.TypeHTTPS: 2}
)

// strictly reads a response as the RFCs want it written, and tells the first thing that is not so: names that end in a
// pointer point back, to a name; data is as long as it says, nothing is left over; sets are whole, with one TTL and no
// record twice; names are compressed where they may be; there is one OPT at most, the last record.
func strictly(wire []byte) error {
	if len(wire) < headerOctets {
		return fmt.Errorf("%d octets", len(wire))
	}
	names := map[int]bool{} // where labels begin that may be pointed at
	at := headerOctets
	for range binary.BigEndian.Uint16(wire[4:]) {
		_, end, err := strictName(wire, at, names)
		if err != nil {
			return fmt.Errorf("question: %w", err)
		}
		at = end + 4
	}
	seen, ttls := map[string]bool{}, map[string]uint32{}
	opts := 0
	for section := 1; section <= 3; section++ {
		for range binary.BigEndian.Uint16(wire[4+2*section:]) {
			owner, fixed, err := strictName(wire, at, names)
			if err != nil {
				return fmt.Errorf("owner at %d: %w", at, err)
			}
			if fixed+10 > len(wire) || fixed+10+int(binary.BigEndian.Uint16(wire[fixed+8:])) > len(wire) {
				return fmt.Errorf("the record at %d overruns", at)
			}
			rrtype, ttl := binary.BigEndian.Uint16(wire[fixed:]), binary.BigEndian.Uint32(wire[fixed+4:])
			data := fixed + 10
			at = data + int(binary.BigEndian.Uint16(wire[fixed+8:]))
			if opts > 0 && rrtype != dns.TypeTSIG {
				return errors.New("a record behind OPT")
			}
			if rrtype == dns.TypeOPT {
				if opts++; owner != "\x00" || section != 3 || ttl&0x00FF7FFF != 0 {
					return fmt.Errorf("OPT of %q in section %d with flags %08x", owner, section, ttl)
				}
				continue
			}
			text, err := strictData(wire, rrtype, data, at, names)
			if err != nil {
				return fmt.Errorf("data of %s at %d: %w", dns.Type(rrtype), data, err)
			}
			set := fmt.Sprint(section, strings.ToLower(owner), rrtype)
			if before, ok := ttls[set]; ok && before != ttl {
				return fmt.Errorf("%q %s has TTLs %d and %d", owner, dns.Type(rrtype), before, ttl)
			}
			if ttls[set] = ttl; seen[set+text] {
				return fmt.Errorf("%q %s is there twice", owner, dns.Type(rrtype))
			}
			seen[set+text] = true
		}
	}
	if at != len(wire) {
		return fmt.Errorf("%d octets are left over", len(wire)-at)
	}
	return nil
}

// strictData reads the data of a record and returns it with all names in full.
func strictData(wire []byte, rrtype uint16, at, end int, names map[int]bool) (string, error) {
	if before, ok := fullTypes[rrtype]; ok {
		own := map[int]bool{} // there is nothing to point at, but others may point here
		_, stop, err := strictName(wire[:end], at+before, own)
		maps.Copy(names, own)
		if err == nil && (rrtype == dns.TypeDNAME || rrtype == dns.TypeSRV) && stop != end {
			err = fmt.Errorf("%d octets behind the name", end-stop)
		}
		return string(wire[at:end]), err
	}
	where, ok := compressedTypes[rrtype]
	if !ok {
		return string(wire[at:end]), nil
	}
	before, count, behind := where(wire[at:end]), 1, 0
	if before < 0 {
		before, count, behind = 0, 2, 20
	}
	text, stop := string(wire[at:at+before]), at+before
	for range count {
		name, next, err := strictName(wire[:end], stop, names)
		if err != nil {
			return "", err
		}
		text, stop = text+strings.ToLower(name), next
	}
	if stop+behind != end {
		return "", fmt.Errorf("%d octets behind the names, want %d", end-stop, behind)
	}
	return text + string(wire[stop:end]), nil
}

// strictName reads a name, returns it in full, and notes its labels as what may be pointed at.
func strictName(wire []byte, at int, names map[int]bool) (name string, end int, err error) {
	var labels []int
	limit := at // pointers lead before it
	for {
		if at >= len(wire) {
			return "", 0, errors.New("it is cut")
		}
		n := int(wire[at])
		switch {
		case n >= 0xC0:
			if at+2 > len(wire) {
				return "", 0, errors.New("its pointer is cut")
			}
			to := int(binary.BigEndian.Uint16(wire[at:]) & 0x3FFF)
			if to >= limit || !names[to] {
				return "", 0, fmt.Errorf("it points to %d, where no name begins before it", to)
			}
			if end == 0 {
				end = at + 2
			}
			at, limit = to, to
			continue
		case n > maxLabelBytes:
			return "", 0, fmt.Errorf("label type %02x", n)
		case at+1+n > len(wire):
			return "", 0, errors.New("a label is cut")
		}
		if end == 0 && n > 0 {
			labels = append(labels, at)
		}
		name += string(wire[at : at+1+n])
		at += 1 + n
		if len(name) > maxNameOctets {
			return "", 0, errors.New("it is too long")
		}
		if n == 0 {
			break
		}
	}
	if end == 0 {
		end = at
	}
	for _, l := range labels {
		names[l] = true
	}
	return name, end, nil
}

// checkReply holds what is true of every response to a request of at least a header, on every way.
func checkReply(t testing.TB, request, wire []byte, transport Transport) {
	t.Helper()
	if err := strictly(wire); err != nil {
		t.Errorf("%x: %v", head(wire), err)
		return
	}
	checkHeader(t, request, wire)
	m := unpack(t, wire)
	if o := m.IsEdns0(); o != nil && o.UDPSize() != maxUDPPayload {
		t.Errorf("OPT advertises %d octets, want %d", o.UDPSize(), maxUDPPayload)
	}
	if transport != UDP {
		if wire[2]&(flagTruncated>>8) != 0 {
			t.Errorf("TC over %s", transport)
		}
		return
	}
	if len(wire) > maxUDPPayload {
		t.Errorf("%d octets over UDP", len(wire))
	}
	if m.IsEdns0() == nil && len(wire) > minUDPPayload {
		t.Errorf("%d octets over UDP without EDNS", len(wire))
	}
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError && m.Rcode != dns.RcodeYXDomain &&
		len(wire) > max(len(request), headerOctets)+maxErrorGrowth {
		t.Errorf("an error of %d octets to a query of %d", len(wire), len(request))
	}
}

// TestStrictly: the reader sees what is wrong.
func TestStrictly(t *testing.T) {
	const question = "\x01a\x00\x00\x01\x00\x01"
	tests := []struct {
		name   string
		counts [4]uint16
		body   string
		want   string // part of the error; "": none
	}{
		{"nothing", [4]uint16{}, "", ""},
		{"compressed", [4]uint16{1, 1}, question + "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x01\x00\x04\x01b\xc0\x0c", ""},
		{"left over", [4]uint16{1}, question + "x", "left over"},
		{"pointer to itself", [4]uint16{1}, "\xc0\x0c\x00\x01\x00\x01", "points to 12"},
		{"pointer forward", [4]uint16{1, 1}, question + "\xc0\x20", "points to 32"},
		{"pointer amid a label", [4]uint16{1, 1}, question + "\xc0\x0d", "points to 13"},
		{"pointer to the header", [4]uint16{1, 1}, question + "\xc0\x02", "points to 2"},
		{"label type", [4]uint16{1}, "\x41a\x00\x00\x01\x00\x01", "label type 41"},
		{"cut", [4]uint16{1, 1}, question, "cut"},
		{"two TTLs", [4]uint16{1, 2}, question + "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x01x" + "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x02\x00\x01y", "TTLs 1 and 2"},
		{"twice", [4]uint16{1, 2}, question + strings.Repeat("\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x01x", 2), "twice"},
		{"compressed SRV", [4]uint16{1, 1}, question + "\xc0\x0c\x00\x21\x00\x01\x00\x00\x00\x01\x00\x08\x00\x00\x00\x00\x00\x00\xc0\x0c", "points to"},
		{"octets behind a name", [4]uint16{1, 1}, question + "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x01\x00\x03\xc0\x0cx", "behind the names"},
		{"two OPT", [4]uint16{0, 0, 0, 2}, strings.Repeat(string(optRecord(1232, 0)), 2), "behind OPT"},
		{"flags", [4]uint16{0, 0, 0, 1}, string(optRecord(1232, 0x4000)), "flags"},
		{"OPT in the answer", [4]uint16{0, 1}, string(optRecord(1232, 0)), "section 1"},
	}
	for _, tt := range tests {
		err := strictly(request{counts: tt.counts, body: []byte(tt.body)}.bytes())
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}
