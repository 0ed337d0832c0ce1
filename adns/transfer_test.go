package adns

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/adns/transfer"
	"fairlead/config"
	"fairlead/gslb"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// transferDocument has a zone that may be transferred, with balanced names, and one that comes from a primary.
const transferDocument = `zones:
  - name: out.test
    nameservers: [ns1.example.net]
    serial: 7
    ttl: 20s
    transfer: {allow: [192.0.2.0/24]}
    records: |
      static 60 A   192.0.2.1
      static 60 TXT "text"
      sub    60 NS  ns.sub
      ns.sub 60 A   192.0.2.3
      www    60 A   192.0.2.99
      www    60 TXT "beside the balanced addresses"
      cdn    60 TXT "hidden by the alias"
  - {name: closed.test, nameservers: [ns1.example.net]}
  - {name: in.test, primaries: [192.0.2.1]}
sites: [{name: here, address: 192.0.2.1}]
services:
  - {name: a, site: here, addresses: [192.0.2.80, "2001:db8::80"]}
  - {name: b, site: here, addresses: [192.0.2.81]}
  - {name: off, site: here, addresses: [192.0.2.82], state: disabled}
  - {name: far, site: here, cname: cdn.example.net}
virtual_servers:
  - {name: www, domains: [{name: www.out.test}, {name: www.in.test}], method: round-robin, members: [{service: a}, {service: b}, {service: off}]}
  - {name: cdn, domains: [{name: cdn.out.test, ttl: 5s}], method: round-robin, members: [{service: far}]}
`

func parsed(t testing.TB, text string) (*config.Document, *gslb.Plan) {
	t.Helper()
	doc, report := config.Parse(config.Source{Text: []byte(text)})
	if doc == nil {
		t.Fatal(report.Err())
	}
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return doc, plan
}

// inZone is records of in.test as its primary sends them.
func inZone(t testing.TB, lines ...string) Transferred {
	t.Helper()
	var records []dns.RR
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, rr)
	}
	return func(zone *config.Zone) ([]dns.RR, bool) {
		if zone.Name != "in.test" {
			t.Errorf("asked for zone %q", zone.Name)
		}
		return records, len(records) > 0
	}
}

func TestTransferSource(t *testing.T) {
	doc, plan := parsed(t, transferDocument)
	zones, err := CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	source := TransferSource(zones, doc)
	variants := source.Variants(0)
	zone := variants[0].Zone
	if len(variants) != 1 || variants[0].Views != nil || zone.Name() != "out.test." || zone.Serial() != 7 || zone.SOA().Ns != "ns1.example.net." {
		t.Fatalf("variants %v", variants)
	}
	var got []string
	for rr := range zone.Records() {
		got = append(got, strings.Join(strings.Fields(rr.String()), " "))
	}
	slices.Sort(got)
	want := []string{
		"cdn.out.test. 5 IN CNAME cdn.example.net.",
		"ns.sub.out.test. 60 IN A 192.0.2.3",
		"out.test. 3600 IN NS ns1.example.net.",
		"static.out.test. 60 IN A 192.0.2.1",
		`static.out.test. 60 IN TXT "text"`,
		"sub.out.test. 60 IN NS ns.sub.out.test.",
		"www.out.test. 20 IN A 192.0.2.80",
		"www.out.test. 20 IN A 192.0.2.81",
		"www.out.test. 20 IN AAAA 2001:db8::80",
		`www.out.test. 60 IN TXT "beside the balanced addresses"`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
	for range zone.Records() {
		break // a consumer may stop
	}
	if in := source.Variants(2); len(in) != 1 || in[0].Zone != nil {
		t.Errorf("a zone without data is transferred as %v", in)
	}
}

// TestZoneWithoutData: it is served like any other once it came, and with SERVFAIL before that and after it expired, balanced
// names included.
func TestZoneWithoutData(t *testing.T) {
	doc, plan := parsed(t, transferDocument)
	zones, err := CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	status := &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services())}
	for i := range status.Services {
		status.Services[i].State = gslb.Up
	}
	snapshot := &Snapshot{Zones: zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}
	s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return snapshot } })
	want := func(when string, codes ...string) {
		t.Helper()
		var got []string
		for _, name := range []string{"www.in.test.", "static.in.test.", "nobody.in.test.", "static.out.test."} {
			request := plainQuery(question(name, dns.TypeA, dns.ClassINET), optRecord(1232, 0))
			m := new(dns.Msg)
			if err := m.Unpack(s.Handle(request, netip.MustParseAddrPort("203.0.113.7:53"), UDP, nil)); err != nil {
				t.Fatal(err)
			}
			code := rcodeName(m.Rcode)
			for _, o := range m.IsEdns0().Option {
				if e, ok := o.(*dns.EDNS0_EDE); ok {
					code += fmt.Sprint(" ", e.InfoCode)
				}
			}
			got = append(got, code)
		}
		if !slices.Equal(got, codes) {
			t.Errorf("%s: got %q, want %q", when, got, codes)
		}
	}
	want("never transferred", "SERVFAIL 24", "SERVFAIL 24", "SERVFAIL 24", "NOERROR")
	came := inZone(t, "in.test. 60 IN SOA ns.in.test. host.in.test. 3 1 1 1 60", "in.test. 60 IN NS ns.in.test.", "ns.in.test. 60 IN A 192.0.2.53", "static.in.test. 60 IN A 192.0.2.5")
	next := func(from Transferred) {
		t.Helper()
		zones, err := snapshot.Zones.Replace(doc, plan, []string{"in.test."}, from)
		if err != nil {
			t.Fatal(err)
		}
		snapshot = &Snapshot{Zones: zones, GSLB: snapshot.GSLB, Learned: snapshot.Learned}
	}
	next(came)
	want("transferred", "NOERROR", "NOERROR", "NXDOMAIN", "NOERROR")
	next(inZone(t))
	want("expired", "SERVFAIL 24", "SERVFAIL 24", "SERVFAIL 24", "NOERROR")
	next(came)
	bad := inZone(t, "in.test. 60 IN SOA ns.in.test. host.in.test. 4 1 1 1 60", "in.test. 60 IN NS ns.in.test.", "www.in.test. 60 IN CNAME a.test.", "www.in.test. 60 IN A 192.0.2.5")
	if _, err := snapshot.Zones.Replace(doc, plan, []string{"in.test."}, bad); err == nil || !strings.Contains(err.Error(), "www.in.test. has a CNAME beside") {
		t.Errorf("a zone that contradicts itself: %v", err)
	}
	want("after a version that was refused", "NOERROR", "NOERROR", "NXDOMAIN", "NOERROR")
}

const transferSecret = "0123456789abcdef0123456789abcdef"

func transferKeys(t testing.TB) *transfer.Keys {
	t.Helper()
	keys, err := transfer.NewKeys([]transfer.Secret{{Name: "fetch", Algorithm: config.HMACSHA256, Secret: []byte(transferSecret)}})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestSignedQueries: the answer of a signed query is signed on every transport, and a signature that does not hold is answered
// with NOTAUTH on every transport.
func TestSignedQueries(t *testing.T) {
	s := newServer(t, func(o *Options) { o.Keys, o.Now = transferKeys(t), time.Now })
	encoded := base64.StdEncoding.EncodeToString([]byte(transferSecret))
	for _, transport := range []Transport{UDP, TCP, TLS, HTTPS} {
		for name, c := range map[string]struct {
			key   string
			skew  int64
			rcode int
			err   uint16
		}{
			"good": {"fetch.", 0, dns.RcodeSuccess, 0}, "unknown": {"other.", 0, dns.RcodeNotAuth, dns.RcodeBadKey},
			"late": {"fetch.", -1000, dns.RcodeNotAuth, dns.RcodeBadTime},
		} {
			q := new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA).SetEdns0(1232, false)
			q.SetTsig(c.key, dns.HmacSHA256, 300, time.Now().Unix()+c.skew)
			request, mac, err := dns.TsigGenerate(q, encoded, "", false)
			if err != nil {
				t.Fatal(err)
			}
			wire := s.Handle(request, netip.MustParseAddrPort("203.0.113.7:53"), transport, nil)
			m := new(dns.Msg)
			if err := m.Unpack(wire); err != nil {
				t.Fatal(err)
			}
			ts := m.IsTsig()
			if m.Rcode != c.rcode || ts == nil || ts.Error != c.err {
				t.Errorf("%s over %s: got %v, want rcode %d and a TSIG with error %d", name, transport, m, c.rcode, c.err)
				continue
			}
			if c.rcode != dns.RcodeSuccess {
				if len(m.Answer) > 0 {
					t.Errorf("%s over %s: there is an answer", name, transport)
				}
				continue
			}
			if err := dns.TsigVerify(slices.Clone(wire), encoded, mac, false); err != nil {
				t.Errorf("%s over %s: %v", name, transport, err)
			}
		}
	}
}

// TestSignedAnswerIsTruncatedInTime: the signature fits, too.
func TestSignedAnswerIsTruncatedInTime(t *testing.T) {
	big := bigZone(t)
	s := newServer(t, func(o *Options) {
		o.Keys, o.Now = transferKeys(t), time.Now
		o.Snapshot = func() *Snapshot { return big }
	})
	encoded := base64.StdEncoding.EncodeToString([]byte(transferSecret))
	whole, truncated := 0, 0
	for size := uint16(512); size <= 1232; size += 16 {
		q := new(dns.Msg).SetQuestion("t10.big.test.", dns.TypeTXT).SetEdns0(size, false)
		q.SetTsig("fetch.", dns.HmacSHA256, 300, time.Now().Unix())
		request, mac, err := dns.TsigGenerate(q, encoded, "", false)
		if err != nil {
			t.Fatal(err)
		}
		wire := s.Handle(request, netip.MustParseAddrPort("203.0.113.7:53"), UDP, nil)
		if wire[2]&2 != 0 {
			truncated++
		} else {
			whole++
		}
		if len(wire) > int(size) {
			t.Errorf("size %d: %d octets", size, len(wire))
		}
		if err := dns.TsigVerify(slices.Clone(wire), encoded, mac, false); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
	}
	if whole == 0 || truncated == 0 {
		t.Errorf("%d whole answers and %d truncated ones; want some of both", whole, truncated)
	}
}

// TestTransferOverTransports: AXFR over a stream, and what there is instead over a datagram.
func TestTransferOverTransports(t *testing.T) {
	doc, plan := parsed(t, transferDocument)
	zones, err := CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	transfers := transfer.New(transfer.Options{})
	transfers.Published(doc, TransferSource(zones, doc))
	s := newServer(t, func(o *Options) {
		o.Transfers = transfers
		o.Policy.AllowQuery = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28"), netip.MustParsePrefix("203.0.113.0/28")}
		o.Snapshot = func() *Snapshot { return &Snapshot{Zones: zones} }
	})
	pack := func(m *dns.Msg) []byte {
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	axfr, ixfr := pack(new(dns.Msg).SetAxfr("out.test.")), pack(new(dns.Msg).SetIxfr("out.test.", 3, ".", "."))
	for name, c := range map[string]struct {
		request   []byte
		from      string
		transport Transport
		want      string
	}{
		"AXFR over UDP":     {axfr, "192.0.2.7:53", UDP, "NOTIMP 0"},
		"AXFR over HTTPS":   {axfr, "192.0.2.7:53", HTTPS, "NOTIMP 0"},
		"IXFR over UDP":     {ixfr, "192.0.2.7:53", UDP, "NOERROR 1"},
		"of a stranger":     {ixfr, "203.0.113.7:53", UDP, "REFUSED 0"},
		"of no client":      {ixfr, "192.0.2.77:53", UDP, "REFUSED 0"},
		"of a closed zone":  {pack(new(dns.Msg).SetAxfr("closed.test.")), "192.0.2.7:53", UDP, "REFUSED 0"},
		"cut":               {ixfr[:len(ixfr)-1], "192.0.2.7:53", UDP, "FORMERR 0"},
		"unknown EDNS":      {pack(&dns.Msg{Question: []dns.Question{{Name: "out.test.", Qtype: dns.TypeAXFR, Qclass: dns.ClassINET}}, Extra: []dns.RR{&dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: 1232, Ttl: 1 << 16}}}}), "192.0.2.7:53", UDP, rcodeName(dns.RcodeBadVers) + " 0"},
		"an ordinary query": {pack(new(dns.Msg).SetQuestion("static.out.test.", dns.TypeA)), "192.0.2.7:53", UDP, "NOERROR 1"},
	} {
		m := new(dns.Msg)
		if err := m.Unpack(s.Handle(c.request, netip.MustParseAddrPort(c.from), c.transport, nil)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := fmt.Sprintf("%s %d", rcodeName(m.Rcode), len(m.Answer)); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	count := 0
	done, err := s.transfer(t.Context(), axfr, &client{addr: netip.MustParseAddr("192.0.2.7"), transport: TCP}, func(b []byte) error {
		m := new(dns.Msg)
		if err := m.Unpack(b); err != nil {
			return err
		}
		count += len(m.Answer)
		return nil
	})
	if !done || err != nil || count != 12 {
		t.Errorf("AXFR over TCP: %v, %v, %d records; want 12", done, err, count)
	}
}
