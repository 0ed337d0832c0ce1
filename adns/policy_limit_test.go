package adns

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead/adns/rrl"

	"github.com/miekg/dns"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// outcomes of limited queries.
type outcomes struct{ full, truncated, badCookie, silent int }

// flood asks n times and sums what comes back.
func flood(t *testing.T, s *Server, n int, from netip.AddrPort, transport Transport, q func(i int) []byte, additional ...[]byte) (got outcomes) {
	t.Helper()
	for i := range n {
		wire := s.Handle(plainQuery(q(i), additional...), from, transport, nil)
		if wire == nil {
			got.silent++
			continue
		}
		m := unpack(t, wire)
		switch {
		case m.Rcode == dns.RcodeBadCookie:
			got.badCookie++
		case m.Truncated:
			if got.truncated++; len(m.Answer)+len(m.Ns) != 0 || len(m.Question) != 1 {
				t.Errorf("a truncated response with records: %s", m)
			}
		default:
			got.full++
		}
	}
	return got
}

// TestRateLimit is section 1.8: equal responses over UDP are limited, errors included; the fast and the slow path count
// under the same account.
func TestRateLimit(t *testing.T) {
	same := func(name string, qtype uint16) func(int) []byte {
		return func(int) []byte { return question(name, qtype, dns.ClassINET) }
	}
	numbered := func(format string) func(int) []byte {
		return func(i int) []byte { return question(fmt.Sprintf(format, i), dns.TypeA, dns.ClassINET) }
	}
	limited := outcomes{full: 5, truncated: 8, silent: 7}
	all := outcomes{full: 20}
	slow := optRecord(1232, 0, option(optionZoneVersion))
	client := optRecord(1232, 0, option(dns.EDNS0COOKIE, []byte("clientck")...))
	tests := []struct {
		name       string
		from       string
		transport  Transport
		q          func(int) []byte
		additional [][]byte
		want       outcomes
	}{
		{"one answer", "192.0.2.1", UDP, same("www.example.com.", dns.TypeA), nil, limited},
		{"one answer, slow path", "192.0.2.1", UDP, same("www.example.com.", dns.TypeA), [][]byte{slow}, limited},
		{"names of a zone", "192.0.2.1", UDP, func(i int) []byte { return www() }, nil, limited},
		{"names of a wildcard", "192.0.2.1", UDP, numbered("x%d.wild.example.com."), nil, limited},
		{"names of a balanced wildcard", "192.0.2.1", UDP, numbered("x%d.app.example.com."), nil, limited},
		{"names that do not exist", "192.0.2.1", UDP, numbered("nope%d.example.com."), nil, limited},
		{"no data", "192.0.2.1", UDP, same("mail.example.com.", dns.TypeTXT), nil, limited},
		{"foreign names", "192.0.2.1", UDP, numbered("x%d.other.test."), nil, limited},
		{"referrals", "192.0.2.1", UDP, numbered("x%d.sub.example.com."), nil, limited},
		{"malformed", "192.0.2.1", UDP, func(int) []byte { return append(www(), 0) }, nil, limited},
		{"loopback", "127.0.0.1", UDP, same("www.example.com.", dns.TypeA), nil, limited},
		{"many answers", "192.0.2.1", UDP, func(i int) []byte {
			return question([]string{"www", "mail", "both", "twins"}[i%4]+".example.com.", dns.TypeA, dns.ClassINET)
		}, nil, all},
		{"exempt", "198.51.100.1", UDP, same("www.example.com.", dns.TypeA), nil, all},
		{"tcp", "192.0.2.1", TCP, same("www.example.com.", dns.TypeA), nil, all},
		{"https", "192.0.2.1", HTTPS, numbered("x%d.other.test."), nil, all},
		{"client's part of a cookie", "192.0.2.1", UDP, same("www.example.com.", dns.TypeA), [][]byte{client}, outcomes{full: 5, badCookie: 8, silent: 7}},
		{"client's part of a cookie, slow path", "192.0.2.1", UDP, same("www.example.com.", dns.TypeDS), [][]byte{client}, outcomes{full: 5, badCookie: 8, silent: 7}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, withPolicy(cookies), withPolicy(func(o *PolicyOptions) {
				o.RateLimit = rrl.Options{PerSecond: 5, Slip: 2, Exempt: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}
			}))
			from := netip.AddrPortFrom(netip.MustParseAddr(tt.from), 4242)
			if got := flood(t, s, 20, from, tt.transport, tt.q, tt.additional...); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			st := s.Stats().Policy
			if got, want := [2]uint64{st.Slipped, st.Limited}, [2]uint64{uint64(tt.want.truncated + tt.want.badCookie), uint64(tt.want.silent)}; got != want {
				t.Errorf("counted %d truncated and dropped, want %d", got, want)
			}
		})
	}
}

// TestPathsShareAccounts: what the fast path sent counts for the slow one.
func TestPathsShareAccounts(t *testing.T) {
	for _, name := range []string{"www.example.com.", "mail.example.com.", "x.wild.example.com.", "nope.example.com.", "www.other.test.", "x.app.example.com.", "only4.example.com."} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT} {
			if qtype == dns.TypeTXT && name == "x.app.example.com." {
				continue // always slow
			}
			s := newServer(t, withPolicy(func(o *PolicyOptions) { o.RateLimit.PerSecond = 5 }))
			q := func(int) []byte { return question(name, qtype, dns.ClassINET) }
			fast := flood(t, s, 4, asker, UDP, q)
			slow := flood(t, s, 4, asker, UDP, q, optRecord(1232, 0, option(optionZoneVersion)))
			if st := s.Stats(); st.Paths[Fast] != 4 || st.Paths[Slow] != 1 {
				t.Errorf("%s %s: paths %v, want 4 fast and 1 slow", name, dns.Type(qtype), st.Paths)
			}
			if fast.full != 4 || slow.full != 1 {
				t.Errorf("%s %s: %d and %d, want 4 and 1 of a limit of 5", name, dns.Type(qtype), fast.full, slow.full)
			}
		}
	}
}

// TestOneAccountForAllTypes: an alias or a delegation answers every type, so the type asked for makes no account of its own.
func TestOneAccountForAllTypes(t *testing.T) {
	for _, name := range []string{"c1.example.com.", "x.alias.example.com.", "x.dn.example.com.", "x.sub.example.com.",
		"cdn.example.com.", "inner.example.com."} {
		s := newServer(t, withPolicy(func(o *PolicyOptions) { o.RateLimit = rrl.Options{PerSecond: 5, Slip: 2} }))
		got := flood(t, s, 20, asker, UDP, func(i int) []byte { return question(name, uint16(1000+i), dns.ClassINET) })
		if want := (outcomes{full: 5, truncated: 8, silent: 7}); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

// TestSlippedIsShort: what is sent of a limited response is little more than the question, whatever was asked for.
func TestSlippedIsShort(t *testing.T) {
	s := newServer(t, withPolicy(cookies), withPolicy(func(o *PolicyOptions) { o.RateLimit = rrl.Options{PerSecond: 1, Slip: 1} }),
		func(o *Options) { o.NSID = strings.Repeat("n", maxNSID) })
	client, nsid, version := option(dns.EDNS0COOKIE, []byte("clientck")...), option(dns.EDNS0NSID), option(optionZoneVersion)
	s.Handle(plainQuery(www()), asker, UDP, nil) // all there is
	for _, options := range [][][]byte{{nsid}, {nsid, client}, {nsid, version}, {nsid, version, client}} {
		sent := plainQuery(www(), optRecord(1232, 0, options...))
		wire := s.Handle(sent, asker, UDP, nil)
		if m := unpack(t, wire); !m.Truncated && m.Rcode != dns.RcodeBadCookie {
			t.Fatalf("not limited: %s", m)
		}
		if len(wire) > len(sent)+maxErrorGrowth {
			t.Errorf("%d octets to a query of %d: %s", len(wire), len(sent), unpack(t, wire))
		}
	}
}

// TestNotifyIsLimited: refusals of whoever handles NOTIFY are errors like all others, and what it accepts has no limit.
func TestNotifyIsLimited(t *testing.T) {
	rcode := 0
	s := newServer(t, withPolicy(func(o *PolicyOptions) { o.RateLimit = rrl.Options{PerSecond: 5, Slip: 2} }), func(o *Options) {
		o.Notify = func(request []byte, _ netip.AddrPort, _ Transport) []byte { return headerOnly(request, rcode) }
	})
	notify := request{flags: 4 << opcodeShift, counts: [4]uint16{1}, body: question("example.com.", dns.TypeSOA, dns.ClassINET)}.bytes()
	for _, tt := range []struct {
		rcode, full, truncated int
		transport              Transport
	}{{dns.RcodeSuccess, 20, 0, UDP}, {dns.RcodeRefused, 5, 8, UDP}, {dns.RcodeRefused, 20, 0, TCP}} {
		rcode = tt.rcode
		full, truncated := 0, 0
		before := s.Stats().Rcodes[rcode]
		for range 20 {
			wire := s.Handle(notify, asker, tt.transport, nil)
			switch {
			case wire == nil:
			case wire[2]&(flagTruncated>>8) != 0:
				truncated++
			default:
				full++
			}
		}
		if full != tt.full || truncated != tt.truncated {
			t.Errorf("%s over %s: %d whole and %d truncated, want %d and %d", rcodeName(rcode), tt.transport, full, truncated, tt.full, tt.truncated)
		}
		if got, want := s.Stats().Rcodes[rcode]-before, uint64(full+truncated); got != want {
			t.Errorf("%s over %s: counted %d, want %d", rcodeName(rcode), tt.transport, got, want)
		}
	}
}

// TestHandleShortOut: an out that the request fits into, but not the response, is not used.
func TestHandleShortOut(t *testing.T) {
	s := newServer(t, withPolicy(cookies))
	client := option(dns.EDNS0COOKIE, []byte("clientck")...)
	for _, name := range []string{"x.", "nope.example.com.", "www.example.com."} {
		q := queryFor(name, dns.TypeA, optRecord(1232, 0, client))
		want := s.Handle(q, asker, UDP, make([]byte, 0, 512))
		for n := range 100 {
			if got := s.Handle(q, asker, UDP, make([]byte, 0, n)); name != "www.example.com." && !bytes.Equal(got, want) {
				t.Fatalf("%s, %d octets: got %x, want %x", name, n, got, want)
			}
		}
	}
	if n := s.Stats().Panics; n != 0 {
		t.Errorf("%d panics", n)
	}
}

// TestValidCookieHasNoLimit: a client that BADCOOKIE taught a cookie is answered while its network is limited.
func TestValidCookieHasNoLimit(t *testing.T) {
	s := newServer(t, withPolicy(cookies), withPolicy(func(o *PolicyOptions) { o.RateLimit = rrl.Options{PerSecond: 1, Slip: 1} }))
	send := func(data []byte) (*dns.Msg, []byte) {
		return askFrom(t, s, asker, UDP, www(), optRecord(1232, 0, option(dns.EDNS0COOKIE, data...)))
	}
	send([]byte("clientck"))
	m, wire := send([]byte("clientck"))
	if m.Rcode != dns.RcodeBadCookie || m.Authoritative || m.Truncated || len(m.Answer) != 0 {
		t.Fatalf("got %s, want BADCOOKIE", m)
	}
	learned := rawOption(t, wire, dns.EDNS0COOKIE)
	for range 10 {
		if m, _ := send(learned); m.Rcode != 0 || len(m.Answer) != 1 {
			t.Fatalf("with a valid cookie: got %s", m)
		}
	}
	for i := range learned[8:] { // any change makes it worthless
		forged := append([]byte(nil), learned...)
		forged[8+i] ^= 1
		if m, _ := send(forged); m.Rcode != dns.RcodeBadCookie {
			t.Errorf("octet %d forged: got %s", 8+i, rcodeName(m.Rcode))
		}
	}
}

// TestLimitingIsLogged: once when it begins, once when it was quiet for a while.
func TestLimitingIsLogged(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	log := zap.New(core)
	var l limiting
	now := int64(time.Hour)
	step := func(d time.Duration) {
		now += int64(d)
		l.log(log, now)
	}
	step(0)
	for range 30 { // a flood of five minutes
		for range 3 {
			l.note(netip.MustParseAddr("192.0.2.77"), rrl.Error, rrl.Drop, now)
		}
		l.note(netip.MustParseAddr("198.51.100.1"), rrl.Answer, rrl.Slip, now)
		step(limitCheck)
	}
	for range 12 {
		step(limitCheck)
	}
	l.note(netip.MustParseAddr("2001:db8::1"), rrl.Answer, rrl.Slip, now)
	step(limitCheck)
	var got []map[string]any
	for _, e := range logs.All() {
		if e.Message != "dns.rrl.limiting" {
			t.Errorf("event %q", e.Message)
		}
		got = append(got, e.ContextMap())
	}
	want := []map[string]any{
		{"limiting": true, "network": "192.0.2.0/24", "class": "error"},
		{"limiting": false, "truncated": uint64(30), "dropped": uint64(90)},
		{"limiting": true, "network": "2001:db8::/56", "class": "answer"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
