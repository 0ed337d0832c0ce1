package doctor

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"fairlead/config"
)

// world is DNS servers by address, on loopback sockets that dial leads to.
type world struct {
	t       *testing.T
	mu      sync.Mutex
	servers map[string]string // network and address -> real address
	asked   int
}

func newWorld(t *testing.T) *world { return &world{t: t, servers: map[string]string{}} }

// serve runs a server at an address, over the networks that are named.
func (w *world) serve(address string, answer func(q dns.Question, m *dns.Msg), networks ...string) {
	w.t.Helper()
	handler := dns.HandlerFunc(func(rw dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(r)
		if r.IsEdns0() != nil {
			m.SetEdns0(1232, false)
		}
		answer(r.Question[0], m)
		_ = rw.WriteMsg(m)
	})
	for _, network := range networks {
		s := &dns.Server{Net: network, Handler: handler}
		var real string
		if network == "udp" {
			c, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				w.t.Fatal(err)
			}
			s.PacketConn, real = c, c.LocalAddr().String()
		} else {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				w.t.Fatal(err)
			}
			s.Listener, real = l, l.Addr().String()
		}
		ready, ended := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		go func() { defer close(ended); _ = s.ActivateAndServe() }()
		<-ready
		w.t.Cleanup(func() { _ = s.Shutdown(); <-ended })
		w.servers[network+" "+address+":53"] = real
	}
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.asked++
	w.mu.Unlock()
	real := w.servers[network+" "+address]
	if real == "" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError("nobody is there")}
	}
	return new(net.Dialer).DialContext(ctx, network, real)
}

// records answers with those of a text that fit: in the answer, or else as a referral with glue.
func records(t *testing.T, text string) func(q dns.Question, m *dns.Msg) {
	t.Helper()
	var all []dns.RR
	zp := dns.NewZoneParser(strings.NewReader(text), ".", "")
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		all = append(all, rr)
	}
	if err := zp.Err(); err != nil {
		t.Fatal(err)
	}
	return func(q dns.Question, m *dns.Msg) {
		m.Authoritative = true
		for _, rr := range all {
			if strings.EqualFold(rr.Header().Name, q.Name) && rr.Header().Rrtype == q.Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
	}
}

// refer delegates a zone.
func refer(t *testing.T, zone, text string) func(q dns.Question, m *dns.Msg) {
	known := records(t, text)
	return func(q dns.Question, m *dns.Msg) {
		if q.Qtype == dns.TypeDS {
			known(q, m)
			return
		}
		ns := new(dns.Msg)
		known(dns.Question{Name: zone, Qtype: dns.TypeNS}, ns)
		m.Ns = ns.Answer
		for _, rr := range ns.Answer {
			for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
				glue := new(dns.Msg)
				known(dns.Question{Name: rr.(*dns.NS).Ns, Qtype: kind}, glue)
				m.Extra = append(m.Extra, glue.Answer...)
			}
		}
	}
}

const (
	resolverKnows = "shop.org. 60 NS ns.shop.org.\nns.shop.org. 60 A 198.51.100.53\n"
	delegates     = "g.shop.org. 60 NS ns1.g.shop.org.\ng.shop.org. 60 NS ns2.g.shop.org.\nns1.g.shop.org. 60 A 192.0.2.1\nns2.g.shop.org. 60 A 192.0.2.2\n"
	zoneText      = "g.shop.org. 60 SOA ns1.g.shop.org. h.shop.org. 7 1 1 1 1\n" + delegates
)

func look(t *testing.T, w *world, names ...string) []Check {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	p := &patient{o: Options{Resolvers: []string{"203.0.113.53:53"}, Dial: w.dial, Now: time.Now},
		doc: &config.Document{Zones: []config.Zone{{Name: "g.shop.org", Nameservers: names}}}}
	f := &findings{check: "delegation"}
	p.delegation(ctx, f)
	return f.all()
}

// TestDelegation looks at delegations that are right, and wrong in each way.
func TestDelegation(t *testing.T) {
	both := []string{"udp", "tcp"}
	names := []string{"ns1.g.shop.org", "ns2.g.shop.org"}
	for _, tt := range []struct {
		name           string
		parent         string // what the parent says; empty: delegates
		first, second  string // what the servers say; empty: zoneText
		secondNetworks []string
		edit           func(q dns.Question, m *dns.Msg) // of the second server's answers
		names          []string
		want           []string // "level words"
	}{
		{name: "right", want: []string{"ok shop.org. delegates it to 2 name servers; each of 2 addresses answers"}},
		{name: "no delegation", parent: "x. 60 NS y.\n", want: []string{"failed shop.org. does not delegate it (NOERROR)"}},
		{name: "no glue", parent: "g.shop.org. 60 NS ns1.g.shop.org.\ng.shop.org. 60 NS ns2.g.shop.org.\nns1.g.shop.org. 60 A 192.0.2.1\n", want: []string{"failed the delegation has no address (glue)"}},
		{name: "silent over TCP", secondNetworks: []string{"udp"}, want: []string{"failed nobody is there"}},
		{name: "silent", secondNetworks: []string{}, want: []string{"failed nobody is there"}},
		{name: "lame", edit: func(_ dns.Question, m *dns.Msg) { m.Rcode, m.Authoritative, m.Answer = dns.RcodeRefused, false, nil }, want: []string{"failed it answers REFUSED, and is not authoritative"}},
		{name: "a resolver", edit: func(_ dns.Question, m *dns.Msg) { m.Authoritative = false }, want: []string{"failed it answers NOERROR, and is not authoritative"}},
		{name: "no EDNS", edit: func(_ dns.Question, m *dns.Msg) { m.Extra = nil }, want: []string{"warning it does not answer with EDNS"}},
		{name: "old version", second: strings.Replace(zoneText, " 7 ", " 6 ", 1), want: []string{"warning the servers have different versions (SOA serial): 6 at 192.0.2.2; 7 at 192.0.2.1"}},
		{name: "another glue", parent: strings.Replace(delegates, "192.0.2.1", "192.0.2.2", 1), want: []string{"warning the parent says that it has 192.0.2.2, the zone 192.0.2.1"}},
		{name: "one name less", names: append(names, "ns3.g.shop.org"), want: []string{"warning shop.org. does not name ns3.g.shop.org."}},
		{name: "one name more", names: names[:1], want: []string{"warning shop.org. names ns2.g.shop.org., which the document does not"}},
		{name: "loopback", parent: strings.Replace(delegates, "192.0.2.2", "127.0.0.1", 1), want: []string{"failed the delegation leads to an address that others cannot reach"}},
		{name: "signed by the parent alone", parent: delegates + "g.shop.org. 60 DS 1 13 2 " + strings.Repeat("AB", 32) + "\n", want: []string{"failed the parent has DS records, and the zone is not signed"}},
		{name: "another key", parent: delegates + "g.shop.org. 60 DS 1 13 2 " + strings.Repeat("AB", 32) + "\n",
			first: zoneText + "g.shop.org. 60 DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==\n", want: []string{"failed none of the parent's DS records is of a key"}},
		{name: "the right key", parent: delegates + rightDS(t), first: zoneText + dnskey, want: []string{"ok a DS record of the parent is of a key", "ok shop.org. delegates"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			or := func(a, b string) string {
				if a == "" {
					return b
				}
				return a
			}
			w.serve("203.0.113.53", records(t, resolverKnows), both...)
			w.serve("198.51.100.53", refer(t, "g.shop.org.", or(tt.parent, delegates)), both...)
			w.serve("192.0.2.1", records(t, or(tt.first, zoneText)), both...)
			second := records(t, or(tt.second, zoneText))
			networks := tt.secondNetworks
			if networks == nil {
				networks = both
			}
			w.serve("192.0.2.2", func(q dns.Question, m *dns.Msg) {
				second(q, m)
				if tt.edit != nil {
					tt.edit(q, m)
				}
			}, networks...)
			if tt.names == nil {
				tt.names = names
			}
			got := look(t, w, tt.names...)
			for _, want := range tt.want {
				if !has(got, want) {
					t.Errorf("there is no %q in\n%v", want, got)
				}
			}
			for _, c := range got {
				if (c.Level == Failed || c.Level == Warning) && (c.Why == "" || c.Do == "" || !strings.HasPrefix(tt.want[0], string(c.Level))) {
					t.Errorf("not expected, or without advice: %+v", c)
				}
			}
		})
	}
}

// TestParentsOfBothFamilies: servers of the parent are asked over IPv6 where there is a way to it, and not taken for silent where there is none.
func TestParentsOfBothFamilies(t *testing.T) {
	both := []string{"udp", "tcp"}
	for _, tt := range []struct {
		name, parents string
		there         []string // addresses that this machine has a way to
		want          string
	}{
		{"IPv6 alone", "ns.shop.org. 60 AAAA 2001:db8::53\n", []string{"2001:db8::53"}, "ok shop.org. delegates it"},
		{"no way to IPv6", "ns.shop.org. 60 AAAA 2001:db8::53\nns.shop.org. 60 A 198.51.100.53\n", []string{"198.51.100.53"}, "ok shop.org. delegates it"},
		{"four of IPv4 and one of IPv6, which differs", "ns.shop.org. 60 AAAA 2001:db8::53\nns.shop.org. 60 A 198.51.100.53\nns.shop.org. 60 A 198.51.100.54\n" +
			"ns.shop.org. 60 A 198.51.100.55\nns.shop.org. 60 A 198.51.100.56\n", []string{"198.51.100.53", "198.51.100.54", "198.51.100.55", "[other]2001:db8::53"}, "failed shop.org. does not delegate it"},
		{"IPv6 alone, and no way to it", "ns.shop.org. 60 AAAA 2001:db8::53\n", nil, "warning find the parent zone: no address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.serve("203.0.113.53", records(t, "shop.org. 60 NS ns.shop.org.\n"+tt.parents), both...)
			for _, at := range tt.there {
				at, other := strings.CutPrefix(at, "[other]")
				answer := refer(t, "g.shop.org.", delegates)
				if other {
					answer = refer(t, "g.shop.org.", "x. 60 NS y.\n")
				}
				if netip.MustParseAddr(at).Is6() {
					at = "[" + at + "]"
				}
				w.serve(at, answer, both...)
			}
			w.serve("192.0.2.1", records(t, zoneText), both...)
			w.serve("192.0.2.2", records(t, zoneText), both...)
			if got := look(t, w, "ns1.g.shop.org", "ns2.g.shop.org"); !has(got, tt.want) {
				t.Errorf("there is no %q in\n%v", tt.want, got)
			}
		})
	}
}

const dnskey = "g.shop.org. 60 DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==\n"

func rightDS(t *testing.T) string {
	rr, err := dns.NewRR(dnskey)
	if err != nil {
		t.Fatal(err)
	}
	return rr.(*dns.DNSKEY).ToDS(dns.SHA256).String() + "\n"
}

// has reports whether a check has the level and the words of "level words".
func has(list []Check, want string) bool {
	level, words, _ := strings.Cut(want, " ")
	for _, c := range list {
		if string(c.Level) == level && strings.Contains(c.Seen, words) {
			return true
		}
	}
	return false
}

// TestHostileParents lets every server say as much nonsense as fits: what is asked and listed stays bounded, and nothing panics.
func TestHostileParents(t *testing.T) {
	w := newWorld(t)
	flood := func(q dns.Question, m *dns.Msg) {
		for n := range 400 {
			host := "n" + strings.Repeat("x", n%40) + string(rune('a'+n%26)) + "." + q.Name
			if q.Name == "." {
				host = strings.TrimSuffix(host, ".")
			}
			address := netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}).AsSlice()
			m.Answer = append(m.Answer, &dns.NS{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeNS, Class: 1}, Ns: host})
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: 1}, A: address})
			m.Extra = append(m.Extra, &dns.A{Hdr: dns.RR_Header{Name: host, Rrtype: dns.TypeA, Class: 1}, A: address})
			m.Answer = append(m.Answer, &dns.DS{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeDS, Class: 1}, KeyTag: uint16(n), Digest: "00"})
			m.Answer = append(m.Answer, &dns.DNSKEY{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeDNSKEY, Class: 1}, PublicKey: "AA=="})
		}
		m.Truncate(60000)
	}
	w.serve("203.0.113.53", flood, "udp", "tcp")
	for n := range 256 {
		address := netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}).String() + ":53"
		w.servers["udp "+address], w.servers["tcp "+address] = w.servers["udp 203.0.113.53:53"], w.servers["tcp 203.0.113.53:53"]
	}
	got := look(t, w, "ns1.g.shop.org")
	if len(got) == 0 || len(got) > maxFindings+1 {
		t.Errorf("%d checks", len(got))
	}
	const most = 1000
	if w.asked > most {
		t.Errorf("%d connections, want at most %d", w.asked, most)
	}
	for _, c := range got {
		if len(c.Seen) > maxText+10 {
			t.Errorf("a text of %d bytes", len(c.Seen))
		}
	}
}

func TestReservedZones(t *testing.T) {
	p := &patient{o: Options{Resolvers: []string{"203.0.113.53:53"}, Dial: newWorld(t).dial}, doc: &config.Document{Zones: []config.Zone{{Name: "demo.test"}, {Name: "Demo.TEST."}}}}
	f := &findings{check: "delegation"}
	p.delegation(t.Context(), f)
	if len(f.list) != 1 || f.list[0].Level != Skipped {
		t.Errorf("got %v", f.list)
	}
}
