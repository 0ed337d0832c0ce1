package adns

import (
	"fmt"
	"net/netip"
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
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
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
