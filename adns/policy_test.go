package adns

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/adns/cookie"
	"fairlead/config"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// withPolicy changes a server's policy.
func withPolicy(change func(*PolicyOptions)) func(*Options) {
	return func(o *Options) { change(&o.Policy) }
}

// cookies turns cookies on with two secrets.
func cookies(o *PolicyOptions) {
	o.Cookies = true
	o.CookieSecrets = []cookie.Secret{{1}, {2}}
}

// askFrom asks over a transport with a name, type and OPT, and returns the response and its octets.
func askFrom(t testing.TB, s *Server, from netip.AddrPort, transport Transport, q []byte, additional ...[]byte) (*dns.Msg, []byte) {
	t.Helper()
	wire := s.Handle(plainQuery(q, additional...), from, transport, nil)
	if wire == nil {
		t.Fatal("got silence")
	}
	return unpack(t, wire), wire
}

// rawOption finds an option's data in a response whose last record is OPT, nil when it is not there.
func rawOption(t testing.TB, wire []byte, code uint16) []byte {
	t.Helper()
	m := unpack(t, wire)
	opt := m.IsEdns0()
	if opt == nil {
		return nil
	}
	data := wire[len(wire)-dns.Len(opt)+optOctets:]
	for len(data) > 0 {
		size := int(binary.BigEndian.Uint16(data[2:]))
		if binary.BigEndian.Uint16(data) == code {
			return data[4 : 4+size]
		}
		data = data[4+size:]
	}
	return nil
}

// slowType is a type that the fast path does not answer; both must judge alike.
const slowType = dns.TypeDS

// TestCookies is row 70: what comes back for what was sent, on the fast path and on the slow one.
func TestCookies(t *testing.T) {
	s := newServer(t, withPolicy(cookies))
	now := uint32(epoch.Unix())
	keys, err := cookie.NewKeys(cookie.Secret{1})
	if err != nil {
		t.Fatal(err)
	}
	old, err := cookie.NewKeys(cookie.Secret{2})
	if err != nil {
		t.Fatal(err)
	}
	client := []byte("clientck")
	mine := keys.Make(nil, client, asker.Addr(), now-60)
	fresh := keys.Make(nil, client, asker.Addr(), now)
	tests := []struct {
		name    string
		options [][]byte
		rcode   int
		want    []byte // the cookie that comes back
	}{
		{"none", nil, 0, nil},
		{"the client's part", [][]byte{client}, 0, fresh},
		{"valid", [][]byte{mine}, 0, mine},
		{"40 minutes old", [][]byte{keys.Make(nil, client, asker.Addr(), now-2400)}, 0, fresh},
		{"two hours old", [][]byte{keys.Make(nil, client, asker.Addr(), now-7200)}, 0, fresh},
		{"of the other secret", [][]byte{old.Make(nil, client, asker.Addr(), now)}, 0, fresh},
		{"of another client", [][]byte{keys.Make(nil, client, asker.Addr().Next(), now)}, 0, fresh},
		{"longest", [][]byte{append(slices.Clone(client), make([]byte, 32)...)}, 0, fresh},
		{"empty", [][]byte{{}}, dns.RcodeFormatError, nil},
		{"1 octet", [][]byte{client[:1]}, dns.RcodeFormatError, nil},
		{"7 octets", [][]byte{client[:7]}, dns.RcodeFormatError, nil},
		{"9 octets", [][]byte{mine[:9]}, dns.RcodeFormatError, nil},
		{"15 octets", [][]byte{mine[:15]}, dns.RcodeFormatError, nil},
		{"41 octets", [][]byte{append(slices.Clone(client), make([]byte, 33)...)}, dns.RcodeFormatError, nil},
		{"two", [][]byte{mine, mine}, dns.RcodeFormatError, nil},
	}
	off := newServer(t)
	for _, tt := range tests {
		var sent [][]byte
		for _, o := range tt.options {
			sent = append(sent, option(dns.EDNS0COOKIE, o...))
		}
		for _, transport := range []Transport{UDP, TCP, TLS, HTTPS} {
			for _, qtype := range []uint16{dns.TypeA, slowType} {
				m, wire := askFrom(t, s, asker, transport, question("www.example.com.", qtype, dns.ClassINET), optRecord(1232, 0, sent...))
				if m.Rcode != tt.rcode {
					t.Errorf("%s, %s %s: got %s, want %s", tt.name, transport, dns.Type(qtype), rcodeName(m.Rcode), rcodeName(tt.rcode))
				}
				if got := rawOption(t, wire, dns.EDNS0COOKIE); !bytes.Equal(got, tt.want) {
					t.Errorf("%s, %s %s: cookie %x, want %x", tt.name, transport, dns.Type(qtype), got, tt.want)
				}
				m, wire = askFrom(t, off, asker, transport, question("www.example.com.", qtype, dns.ClassINET), optRecord(1232, 0, sent...))
				if m.Rcode != 0 || rawOption(t, wire, dns.EDNS0COOKIE) != nil {
					t.Errorf("%s, %s %s: without cookies: got %s with %x, want the option ignored", tt.name, transport,
						dns.Type(qtype), rcodeName(m.Rcode), rawOption(t, wire, dns.EDNS0COOKIE))
				}
			}
		}
	}
	const each = 8 // transports and types
	if got, want := s.Stats().Policy.Cookies, [numCookieKinds]uint64{1 * each, 3 * each, 3 * each}; got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// TestCookiesInErrors: a refusal brings a cookie, too, else its client never learns one.
func TestCookiesInErrors(t *testing.T) {
	s := newServer(t, withPolicy(cookies))
	for _, q := range [][]byte{
		question("www.other.test.", dns.TypeA, dns.ClassINET), question("www.other.test.", slowType, dns.ClassINET),
		question("nope.example.com.", dns.TypeA, dns.ClassINET), question("www.example.com.", dns.TypeAXFR, dns.ClassINET),
	} {
		_, wire := askFrom(t, s, asker, UDP, q, optRecord(1232, 0, option(dns.EDNS0COOKIE, []byte("clientck")...)))
		if got := rawOption(t, wire, dns.EDNS0COOKIE); len(got) != cookie.Octets {
			t.Errorf("%x: cookie %x", q, got)
		}
	}
}

// TestCookieWithoutQuestion is row 5.
func TestCookieWithoutQuestion(t *testing.T) {
	on, off := newServer(t, withPolicy(cookies)), newServer(t)
	empty := func(flags uint16, options ...[]byte) []byte {
		return request{flags: flags, counts: [4]uint16{0, 0, 0, 1}, body: optRecord(1232, 0, options...)}.bytes()
	}
	client := option(dns.EDNS0COOKIE, []byte("clientck")...)
	tests := []struct {
		name    string
		s       *Server
		request []byte
		rcode   int
		cookie  bool
	}{
		{"cookie", on, empty(0, client), 0, true},
		{"no cookie", on, empty(0), dns.RcodeFormatError, false},
		{"malformed cookie", on, empty(0, option(dns.EDNS0COOKIE, 1)), dns.RcodeFormatError, false},
		{"cookies are off", off, empty(0, client), dns.RcodeFormatError, false},
		{"another opcode", on, empty(2<<opcodeShift, client), dns.RcodeNotImplemented, true},
		{"octets left over", on, append(empty(0, client), 0), dns.RcodeFormatError, false},
	}
	for _, tt := range tests {
		wire := tt.s.Handle(tt.request, asker, UDP, nil)
		m := unpack(t, wire)
		if m.Rcode != tt.rcode || len(m.Question) != 0 || m.Authoritative {
			t.Errorf("%s: got %s, %d questions, AA %v; want %s alone", tt.name, rcodeName(m.Rcode), len(m.Question), m.Authoritative, rcodeName(tt.rcode))
		}
		if got := rawOption(t, wire, dns.EDNS0COOKIE); (len(got) == cookie.Octets) != tt.cookie {
			t.Errorf("%s: cookie %x", tt.name, got)
		}
	}
}

// TestSetCookieSecrets walks through a change of the shared secret: a client's cookie is valid all the time.
func TestSetCookieSecrets(t *testing.T) {
	s := newServer(t, withPolicy(func(o *PolicyOptions) { o.Cookies, o.CookieSecrets = true, []cookie.Secret{{1}} }))
	have := []byte("clientck")
	next := func() (valid uint64) {
		before := s.Stats().Policy.Cookies[CookieValid]
		_, wire := askFrom(t, s, asker, UDP, www(), optRecord(1232, 0, option(dns.EDNS0COOKIE, have...)))
		have = rawOption(t, wire, dns.EDNS0COOKIE)
		return s.Stats().Policy.Cookies[CookieValid] - before
	}
	next()
	for i, secrets := range [][]cookie.Secret{{{1}, {3}}, {{3}, {1}}, {{3}}} {
		if err := s.SetCookieSecrets(secrets...); err != nil {
			t.Fatal(err)
		}
		if next() != 1 {
			t.Errorf("step %d: the cookie was not valid", i)
		}
	}
	if err := s.SetCookieSecrets(cookie.Secret{4}); err != nil {
		t.Fatal(err)
	}
	if next() != 0 {
		t.Error("a cookie of a secret that is gone is valid")
	}
	if s.SetCookieSecrets() == nil || s.SetCookieSecrets(make([]cookie.Secret, 3)...) == nil {
		t.Error("no secret, or three: no error")
	}
	if newServer(t).SetCookieSecrets(cookie.Secret{1}) == nil {
		t.Error("cookies are off: no error")
	}
}

func TestNewRefusesPolicy(t *testing.T) {
	for name, change := range map[string]func(*PolicyOptions){
		"version":    func(o *PolicyOptions) { o.Version = strings.Repeat("x", maxChaosText+1) },
		"identity":   func(o *PolicyOptions) { o.Identity = strings.Repeat("x", maxChaosText+1) },
		"secrets":    func(o *PolicyOptions) { o.Cookies, o.CookieSecrets = true, make([]cookie.Secret, 3) },
		"rate limit": func(o *PolicyOptions) { o.RateLimit.PerSecond = -1 },
	} {
		o := Options{Snapshot: func() *Snapshot { return nil }}
		change(&o.Policy)
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestAllowQuery is row 74: who is in no list gets REFUSED with reason 18, on every transport and on both paths.
func TestAllowQuery(t *testing.T) {
	s := newServer(t, withPolicy(func(o *PolicyOptions) {
		o.AllowQuery = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/28"), netip.MustParsePrefix("2001:db8::/32")}
		o.Version = "Fairlead"
	}))
	questions := [][]byte{
		www(), question("www.example.com.", slowType, dns.ClassINET), question("nope.example.com.", dns.TypeA, dns.ClassINET),
		question("mail.example.com.", dns.TypeA, dns.ClassINET), question("version.bind.", dns.TypeTXT, dns.ClassCHAOS),
	}
	for client, allowed := range map[string]bool{"203.0.113.5": true, "203.0.113.16": false, "2001:db8:1::1": true,
		"::1": false, "127.0.0.1": false, "::ffff:203.0.113.5": true} {
		for _, transport := range []Transport{UDP, TCP, TLS, HTTPS} {
			for _, q := range questions {
				m, wire := askFrom(t, s, netip.AddrPortFrom(netip.MustParseAddr(client), 53), transport, q, optRecord(1232, 0))
				ede := rawOption(t, wire, dns.EDNS0EDE)
				refused := m.Rcode == dns.RcodeRefused && !m.Authoritative && len(m.Answer)+len(m.Ns) == 0 && bytes.Equal(ede, []byte{0, 18})
				if refused == allowed {
					t.Errorf("%s over %s, %x: got %s with reason %v, want allowed %v", client, transport, q, rcodeName(m.Rcode), ede, allowed)
				}
			}
		}
	}
	if got, want := s.Stats().Policy.Prohibited, uint64(3*4*len(questions)); got != want {
		t.Errorf("counted %d, want %d", got, want)
	}
	// What is malformed is FORMERR for everyone.
	wire := s.Handle(append(plainQuery(www()), 0), netip.MustParseAddrPort("127.0.0.1:53"), UDP, nil)
	if m := unpack(t, wire); m.Rcode != dns.RcodeFormatError {
		t.Errorf("malformed: got %s", rcodeName(m.Rcode))
	}
}

// TestZoneAllowQuery: a zone's list holds for its names alone, also behind an alias, and explain says so.
func TestZoneAllowQuery(t *testing.T) {
	snapshot := fixture(t)
	snapshot.Zones.admit([]config.Zone{{Name: "example.com"}, {Name: "Child.Example.Com",
		AllowQuery: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}})
	s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return snapshot } })
	in, out := netip.MustParseAddrPort("192.0.2.7:53"), netip.MustParseAddrPort("198.51.100.7:53")
	tests := []struct {
		name    string
		qtype   uint16
		in, out int // records in the answer; -1: refused
	}{
		{"host.child.example.com.", dns.TypeA, 1, -1},
		{"bal.child.example.com.", dns.TypeA, 1, -1},
		{"nope.child.example.com.", dns.TypeA, 0, -1},
		{"child.example.com.", slowType, 0, 0}, // the parent's to answer
		{"child.example.com.", dns.TypeSOA, 1, -1},
		{"www.example.com.", dns.TypeA, 1, 1},
		{"tochild.example.com.", dns.TypeA, 2, 1},
	}
	for _, tt := range tests {
		for client, want := range map[netip.AddrPort]int{in: tt.in, out: tt.out} {
			m, wire := askFrom(t, s, client, UDP, question(tt.name, tt.qtype, dns.ClassINET), optRecord(1232, 0))
			got := len(m.Answer)
			if m.Rcode == dns.RcodeRefused && bytes.Equal(rawOption(t, wire, dns.EDNS0EDE), []byte{0, 18}) {
				got = -1
			}
			if got != want {
				t.Errorf("%s %s of %s: got %d, want %d\n%s", tt.name, dns.Type(tt.qtype), client.Addr(), got, want, m)
			}
		}
	}
	var trace gslb.Trace
	snapshot.Resolve(Question{Name: "host.child.example.com.", Type: dns.TypeA, Class: dns.ClassINET, LDNS: out.Addr()}, epoch, &trace)
	if !slices.ContainsFunc(trace.Entries, func(e gslb.Entry) bool { return e.Reason == ReasonProhibited }) {
		t.Errorf("explain gives no reason: %v", trace.Entries)
	}
}

// TestClientSubnetFrom is rule (i) of ECS: of resolvers that are not believed the option comes back with scope 0, and the
// resolver's own address decides.
func TestClientSubnetFrom(t *testing.T) {
	s := newServer(t, withPolicy(func(o *PolicyOptions) {
		o.ClientSubnetFrom = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	}))
	hash := question("hash.example.com.", dns.TypeA, dns.ClassINET)
	address := func(from netip.AddrPort, subnet byte) (string, byte) {
		data := []byte{0, 1, 24, 0, 10, 0, subnet}
		m, wire := askFrom(t, s, from, UDP, hash, optRecord(1232, 0, option(dns.EDNS0SUBNET, data...)))
		return m.Answer[0].(*dns.A).A.String(), rawOption(t, wire, dns.EDNS0SUBNET)[3]
	}
	answers := map[bool]map[string]bool{true: {}, false: {}}
	for subnet := range byte(64) {
		a, scope := address(asker, subnet)
		if answers[true][a] = true; scope != 24 {
			t.Errorf("believed: scope %d, want 24", scope)
		}
		a, scope = address(netip.MustParseAddrPort("198.51.100.5:53"), subnet)
		if answers[false][a] = true; scope != 0 {
			t.Errorf("not believed: scope %d, want 0", scope)
		}
	}
	if len(answers[true]) != 2 || len(answers[false]) != 1 {
		t.Errorf("got %v, want answers that differ for the believed resolver alone", answers)
	}
}

// TestChaos is row 12.
func TestChaos(t *testing.T) {
	s := newServer(t, withPolicy(func(o *PolicyOptions) { o.Version, o.Identity = `Fair\lead`, "ams-1" }))
	tests := []struct {
		name          string
		qtype, qclass uint16
		want          string // "" is REFUSED
	}{
		{"version.bind.", dns.TypeTXT, dns.ClassCHAOS, `Fair\lead`},
		{"VERSION.server.", dns.TypeTXT, dns.ClassCHAOS, `Fair\lead`},
		{"id.server.", dns.TypeTXT, dns.ClassCHAOS, "ams-1"},
		{"hostname.bind.", dns.TypeTXT, dns.ClassCHAOS, "ams-1"},
		{"authors.bind.", dns.TypeTXT, dns.ClassCHAOS, ""},
		{"version.bind.", dns.TypeA, dns.ClassCHAOS, ""},
		{"version.bind.", dns.TypeTXT, dns.ClassINET, ""},
		{"version.bind.", dns.TypeTXT, dns.ClassHESIOD, ""},
		{"version.bind.", dns.TypeTXT, dns.ClassANY, ""},
		{"www.example.com.", dns.TypeTXT, dns.ClassCHAOS, ""},
	}
	for _, tt := range tests {
		m, wire := askFrom(t, s, asker, UDP, question(tt.name, tt.qtype, tt.qclass))
		switch {
		case tt.want == "" && (m.Rcode != dns.RcodeRefused || len(m.Answer) != 0):
			t.Errorf("%s %s %s: got %s, want REFUSED", tt.name, dns.Class(tt.qclass), dns.Type(tt.qtype), rcodeName(m.Rcode))
		case tt.want != "" && (len(m.Answer) != 1 || !bytes.HasSuffix(wire, append([]byte{byte(len(tt.want))}, tt.want...))):
			t.Errorf("%s: got %s, want %q", tt.name, m, tt.want)
		}
	}
}

// TestNotify is row 11: who takes a NOTIFY answers it; else the answer is NOTAUTH.
func TestNotify(t *testing.T) {
	var got []netip.AddrPort
	s := newServer(t, func(o *Options) {
		o.Notify = func(request []byte, from netip.AddrPort, transport Transport) []byte {
			if transport != TCP {
				return nil
			}
			got = append(got, from)
			return headerOnly(request, dns.RcodeSuccess)
		}
	})
	notify := request{flags: 4 << opcodeShift, counts: [4]uint16{1}, body: question("example.com.", dns.TypeSOA, dns.ClassINET)}
	for transport, want := range map[Transport]int{UDP: dns.RcodeNotAuth, TCP: dns.RcodeSuccess} {
		if m := unpack(t, s.Handle(notify.bytes(), asker, transport, nil)); m.Rcode != want || m.Opcode != dns.OpcodeNotify {
			t.Errorf("%s: got %s, want %s", transport, rcodeName(m.Rcode), rcodeName(want))
		}
	}
	notify.counts[0] = 2
	s.Handle(notify.bytes(), asker, TCP, nil)
	if len(got) != 1 || got[0] != asker {
		t.Errorf("the handler got %v, want one from %v", got, asker)
	}
}

// TestPadding is row 73: on encrypted transports, when the query is padded; never elsewhere.
func TestPadding(t *testing.T) {
	s := newServer(t, withPolicy(cookies))
	padding := option(dns.EDNS0PADDING, make([]byte, 30)...)
	for _, transport := range []Transport{UDP, TCP, TLS, HTTPS} {
		for _, q := range [][]byte{www(), question("nope.example.com.", dns.TypeA, dns.ClassINET), question("www.other.test.", slowType, dns.ClassINET)} {
			for _, padded := range []bool{true, false} {
				options := [][]byte{option(dns.EDNS0NSID), option(dns.EDNS0COOKIE, []byte("clientck")...)}
				if padded {
					options = append(options, padding)
				}
				_, wire := askFrom(t, s, asker, transport, q, optRecord(1232, 0, options...))
				data := rawOption(t, wire, dns.EDNS0PADDING)
				if want := padded && transport.encrypted(); want != (len(wire)%paddingBlock == 0 && data != nil) {
					t.Errorf("%s, padded %v: %d octets, want padding %v", transport, padded, len(wire), want)
				}
				if bytes.ContainsFunc(data, func(r rune) bool { return r != 0 }) {
					t.Errorf("padding holds %x", data)
				}
			}
		}
	}
}

// TestPad is the arithmetic at its edges.
func TestPad(t *testing.T) {
	o := (&opt{}).reply(optReply{pad: true})
	tail := make([]byte, dns.Len(o))
	if _, err := dns.PackRR(o, tail, 0, nil, false); err != nil {
		t.Fatal(err)
	}
	for before := range 3 * paddingBlock {
		wire := pad(append(make([]byte, before), tail...), o)
		if len(wire)%paddingBlock != 0 || len(wire)-before-len(tail) >= paddingBlock {
			t.Fatalf("%d octets before OPT: %d in all", before, len(wire))
		}
		rr, end, err := dns.UnpackRR(wire, before)
		if err != nil || end != len(wire) || len(rr.(*dns.OPT).Option) != 1 {
			t.Fatalf("%d octets before OPT: %v, ends at %d of %d: %v", before, rr, end, len(wire), err)
		}
	}
	if got := len(pad(append(make([]byte, maxWireOctets-5-len(tail)), tail...), o)); got != maxWireOctets {
		t.Errorf("near the end: %d octets, want %d", got, maxWireOctets)
	}
}

// TestKeepalive is row 72: over TCP and TLS, when asked for; what a client says in it is ignored.
func TestKeepalive(t *testing.T) {
	s := newServer(t)
	for _, tt := range []struct {
		name      string
		transport Transport
		options   [][]byte
		want      bool
	}{
		{"tcp", TCP, [][]byte{option(dns.EDNS0TCPKEEPALIVE)}, true},
		{"tls", TLS, [][]byte{option(dns.EDNS0TCPKEEPALIVE)}, true},
		{"https", HTTPS, [][]byte{option(dns.EDNS0TCPKEEPALIVE)}, false},
		{"udp", UDP, [][]byte{option(dns.EDNS0TCPKEEPALIVE)}, false},
		{"not asked", TCP, nil, false},
		{"with a time-out", TCP, [][]byte{option(dns.EDNS0TCPKEEPALIVE, 0, 100)}, false},
	} {
		m, wire := askFrom(t, s, asker, tt.transport, www(), optRecord(1232, 0, tt.options...))
		got := rawOption(t, wire, dns.EDNS0TCPKEEPALIVE)
		if m.Rcode != 0 || len(m.Answer) != 1 || (got != nil) != tt.want {
			t.Errorf("%s: got %s with %x, want the option %v", tt.name, rcodeName(m.Rcode), got, tt.want)
		}
		if want := s.admitted.idleTimeout() / (100 * time.Millisecond); tt.want && time.Duration(binary.BigEndian.Uint16(got)) != want {
			t.Errorf("%s: got %x, want %d", tt.name, got, want)
		}
	}
}

// TestZoneVersion is row 75.
func TestZoneVersion(t *testing.T) {
	s := newServer(t)
	for _, tt := range []struct {
		name  string
		qtype uint16
		data  []byte
		want  []byte
	}{
		{"www.example.com.", dns.TypeA, nil, []byte{2, 0, 0, 0, 0, 7}},
		{"nope.child.example.com.", dns.TypeA, nil, []byte{3, 0, 0, 0, 0, 7}},
		{"child.example.com.", dns.TypeDS, nil, []byte{2, 0, 0, 0, 0, 7}},
		{"www.example.com.", dns.TypeA, []byte{0, 0}, nil},
		{"www.other.test.", dns.TypeA, nil, nil},
	} {
		_, wire := askFrom(t, s, asker, UDP, question(tt.name, tt.qtype, dns.ClassINET), optRecord(1232, 0, option(optionZoneVersion, tt.data...)))
		if got := rawOption(t, wire, optionZoneVersion); !bytes.Equal(got, tt.want) {
			t.Errorf("%s %s, sent %x: got %x, want %x", tt.name, dns.Type(tt.qtype), tt.data, got, tt.want)
		}
	}
}

// TestErrorsDoNotGrow is H01 (1.8): an error over UDP is at most 40 octets longer than its query, whatever was asked for.
func TestErrorsDoNotGrow(t *testing.T) {
	s := newServer(t, withPolicy(cookies), func(o *Options) { o.NSID = strings.Repeat("n", maxNSID) })
	client := option(dns.EDNS0COOKIE, []byte("clientck")...)
	subnet := option(dns.EDNS0SUBNET, 0, 1, 24, 0, 203, 0, 113)
	for _, q := range [][]byte{
		question("www.other.test.", dns.TypeA, dns.ClassINET), question("www.other.test.", slowType, dns.ClassINET),
		question("fail.example.com.", dns.TypeA, dns.ClassINET), question("www.example.com.", typeNXNAME, dns.ClassINET),
		question("www.example.com.", dns.TypeA, dns.ClassCHAOS), question("www.example.com.", dns.TypeMAILB, dns.ClassINET),
	} {
		for _, options := range [][][]byte{{}, {option(dns.EDNS0NSID)}, {client}, {option(dns.EDNS0NSID), client, subnet}} {
			sent := plainQuery(q, optRecord(1232, 0, options...))
			wire := s.Handle(sent, asker, UDP, nil)
			if m := unpack(t, wire); m.Rcode == 0 {
				t.Fatalf("%x: not an error", q)
			}
			if len(wire) > len(sent)+maxErrorGrowth {
				t.Errorf("%d octets to a query of %d: %s", len(wire), len(sent), unpack(t, wire))
			}
			if len(options) > 0 && bytes.Equal(options[len(options)-1], subnet) && rawOption(t, wire, dns.EDNS0COOKIE) == nil {
				t.Error("the cookie was left out")
			}
		}
	}
}

// FuzzPolicyPaths sends the same options on the fast path and, by way of an option that means nothing, on the slow one: the
// responses must be equal, octet by octet, and errors may not grow.
func FuzzPolicyPaths(f *testing.F) {
	s := newServer(f, withPolicy(cookies), withPolicy(func(o *PolicyOptions) {
		o.AllowQuery = []netip.Prefix{netip.MustParsePrefix("203.0.0.0/16")}
		o.ClientSubnetFrom = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	}), func(o *Options) { o.NSID = "" })
	names := []string{"hash.example.com.", "mail.example.com.", "nope.example.com.", "www.other.test.", "only4.example.com.", "x.wild.example.com."}
	keys, err := cookie.NewKeys(cookie.Secret{1})
	if err != nil {
		f.Fatal(err)
	}
	mine := keys.Make(nil, []byte("clientck"), asker.Addr(), uint32(epoch.Unix()))
	for i, options := range [][]byte{
		nil, option(dns.EDNS0COOKIE, mine...), option(dns.EDNS0COOKIE, mine[:8]...), option(dns.EDNS0COOKIE, mine[:9]...),
		append(option(dns.EDNS0COOKIE, mine...), option(dns.EDNS0COOKIE, mine...)...),
		append(option(dns.EDNS0SUBNET, 0, 1, 24, 0, 203, 0, 113), option(dns.EDNS0COOKIE, mine[:16]...)...),
		option(dns.EDNS0TCPKEEPALIVE), option(dns.EDNS0PADDING, 0, 0), option(dns.EDNS0NSID), option(65001, 1, 2, 3),
	} {
		f.Add(options, byte(i), byte(i%4), uint16(1232), true)
	}
	f.Fuzz(func(t *testing.T, options []byte, pick, transport byte, size uint16, v6 bool) {
		if len(options) > 4096 {
			return
		}
		from := asker
		if pick&0x40 != 0 {
			from = netip.MustParseAddrPort("203.0.112.9:53")
		}
		if pick&0x80 != 0 {
			from = netip.MustParseAddrPort("[2001:db8::1]:53")
		}
		qtype := dns.TypeA
		if v6 {
			qtype = dns.TypeAAAA
		}
		q := question(names[int(pick&0x3F)%len(names)], qtype, dns.ClassINET)
		over := Transport(transport % byte(numTransports))
		request := plainQuery(q, optRecord(size, 0, options))
		fast := s.Handle(request, from, over, nil)
		// A payload makes ZONEVERSION one to ignore.
		slow := s.Handle(plainQuery(q, optRecord(size, 0, option(optionZoneVersion, 0), options)), from, over, nil)
		if !bytes.Equal(fast, slow) {
			t.Errorf("%s of %s: options %x\n%x\n%x", over, from, options, fast, slow)
		}
		if m := unpack(t, fast); over == UDP && m.Rcode != 0 && m.Rcode != dns.RcodeNameError && len(fast) > len(request)+maxErrorGrowth {
			t.Errorf("an error of %d octets to a query of %d", len(fast), len(request))
		}
	})
}

// TestSignaturesAlone is row 22: the question for RRSIG is as large as ANY would be, so one type's are the answer.
func TestSignaturesAlone(t *testing.T) {
	var set []dns.RR
	for _, covered := range []string{"MX", "MX", "A", "NSEC"} {
		rr, err := dns.NewRR("x.example.com. 60 RRSIG " + covered + " 13 3 60 20300101000000 20200101000000 1 example.com. AAAA")
		if err != nil {
			t.Fatal(err)
		}
		set = append(set, rr)
	}
	got := firstSigned(set)
	if len(got) != 2 || got[0].(*dns.RRSIG).TypeCovered != dns.TypeMX || got[1].(*dns.RRSIG).TypeCovered != dns.TypeMX {
		t.Errorf("got %v, want the two of MX", got)
	}
	s := newServer(t)
	if m, _ := askFrom(t, s, asker, UDP, question("mail.example.com.", dns.TypeRRSIG, dns.ClassINET)); m.Rcode != 0 || len(m.Answer) != 0 || len(m.Ns) != 1 {
		t.Errorf("without signatures: got %s, want no data", m)
	}
}
