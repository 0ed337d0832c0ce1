package adns

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"fairlead/adns/sketch"
	"fairlead/adns/transfer"
	"fairlead/config"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// What goes beside an answer is as private as the zone that it comes from.
func TestViewsAdditional(t *testing.T) {
	const document = `views: [{name: inside, clients: [10.0.0.0/8]}]
zones:
  - {name: v.test, nameservers: [ns.example.net]}
  - {name: p.test, nameservers: [ns.example.net], records: "host 60 A 192.0.2.1"}
  - {name: p.test, nameservers: [ns.example.net], serial: 2, views: [inside], records: "host 60 A 10.0.0.1"}
  - {name: q.test, nameservers: [ns.example.net], views: [inside], records: "host 60 A 10.0.0.2"}
sites: [{name: here, address: 192.0.2.1}]
services:
  - {name: a, site: here, addresses: [192.0.2.1], host: host.p.test}
  - {name: b, site: here, addresses: [192.0.2.2], host: host.q.test}
virtual_servers:
  - {name: all, method: round-robin, max_answers: 2, members: [{service: a}, {service: b}], domains: [{name: v.test, mx: {}}]}
`
	s := believing(t, document, nil)
	server := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return s } })
	for from, want := range map[string][]string{
		"203.0.113.5": {"ad host.p.test. 60 A 192.0.2.1"},
		"10.1.2.3":    {"ad host.p.test. 60 A 10.0.0.1", "ad host.q.test. 60 A 10.0.0.2"},
	} {
		wire := server.Handle(wireQuery(Question{Name: "v.test.", Type: dns.TypeMX, Class: dns.ClassINET}), netip.AddrPortFrom(netip.MustParseAddr(from), 53), UDP, nil)
		var got []string
		for line := range strings.Lines(render(answerOf(t, wire))) {
			if strings.HasPrefix(line, "ad ") {
				got = append(got, strings.TrimSpace(line))
			}
		}
		slices.Sort(got) // the services take turns
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", from, d)
		}
	}
}

// A transfer that is asked for in a datagram is of the client's view, too.
func TestDatagramTransferOfViews(t *testing.T) {
	doc := viewsDocument()
	for i := range doc.Zones {
		doc.Zones[i].Transfer.Allow = []config.TransferClient{{Prefix: "0.0.0.0/0"}}
	}
	s := snapshotOf(t, doc)
	transfers := transfer.New(transfer.Options{})
	transfers.Published(doc, TransferSource(s.Zones, doc))
	server := newServer(t, func(o *Options) {
		o.Snapshot = func() *Snapshot { return s }
		o.Transfers = transfers
	})
	request, err := new(dns.Msg).SetIxfr("v.test.", 0, "ns.far.test.", "hostmaster.v.test.").Pack()
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]uint32{"203.0.113.5": 1, "10.1.2.3": 2} {
		m := unpack(t, server.Handle(bytes.Clone(request), netip.AddrPortFrom(netip.MustParseAddr(from), 53), UDP, nil))
		if soa, ok := m.Answer[0].(*dns.SOA); !ok || soa.Serial != want {
			t.Errorf("%s: got %v, want serial %d", from, m.Answer, want)
		}
	}
}

// The sketch sees the names that a client's view has.
func TestSketchOfViews(t *testing.T) {
	s := snapshotOf(t, viewsDocument())
	for _, c := range []struct {
		from, listener string
		want           bool
	}{{"10.1.2.3", "", true}, {"203.0.113.5", "192.0.2.54", true}, {"203.0.113.5", "", false}} {
		sample := sketch.Sample{LDNS: netip.MustParseAddr(c.from)}
		if c.listener != "" {
			sample.Listener = netip.MustParseAddr(c.listener)
		}
		if got := s.sample(wireQuery(Question{Name: "q.app.p.test.", Type: dns.TypeA, Class: dns.ClassINET}), &sample); got != c.want {
			t.Errorf("%s at %q: sampled %v, want %v", c.from, c.listener, got, c.want)
		}
	}
}
