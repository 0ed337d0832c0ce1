package adns

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"fairlead/config"
	"fairlead/gslb"
)

// TestAmendedZones: zones that are taken over when addresses change are those that compiling gives, and whatever else changes has them compiled.
func TestAmendedZones(t *testing.T) {
	const text = `{zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}], sites: [{name: here, address: 127.0.0.1}],
  services: [{name: a, site: here, addresses: [192.0.2.1]}, {name: b, site: here, cname: b.example.net}],
  virtual_servers: [{name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: a}, {service: b}]}]}`
	doc, report := config.Parse(config.Source{Name: "test", Text: []byte(text)})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	before, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	zones, err := CompileZones(doc, before)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*config.Document)
		taken  bool
	}{
		"an address":    {func(d *config.Document) { d.Services[0].Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.99")} }, true},
		"another CNAME": {func(d *config.Document) { d.Services[1].CNAME = "c.example.net" }, true},
		"another service": {func(d *config.Document) {
			d.Services = slices.Insert(d.Services, 0, config.Service{Name: "0", Site: "here", CNAME: "d.example.net"})
		}, true},
		"another member": {func(d *config.Document) {
			d.Services = slices.Insert(d.Services, 1, config.Service{Name: "aa", Site: "here", CNAME: "d.example.net"})
			d.VirtualServers[0].Members = append(slices.Clone(d.VirtualServers[0].Members), config.Member{Service: "aa", Weight: 1})
		}, false},
		"nothing":           {func(*config.Document) {}, true},
		"no CNAME any more": {func(d *config.Document) { d.Services[1].CNAME, d.Services[1].Addresses = "", d.Services[0].Addresses }, false},
		"a TTL": {func(d *config.Document) {
			d.VirtualServers[0].Domains = []config.Domain{{Name: "www.example.test", TTL: new(config.Duration)}}
		}, false},
		"a zone":    {func(d *config.Document) { d.Zones[0].TTL++ }, false},
		"a primary": {func(d *config.Document) { d.Zones[0].Primaries = []config.TransferPeer{{Address: "192.0.2.2"}} }, false},
	} {
		next := *doc
		next.Zones, next.Services, next.VirtualServers = slices.Clone(doc.Zones), slices.Clone(doc.Services), slices.Clone(doc.VirtualServers)
		tt.change(&next)
		plan, err := gslb.Compile(&next, gslb.CompileOptions{Before: before})
		if err != nil {
			t.Fatal(err)
		}
		got := zones.Amended(&next, plan, before)
		if (got != nil) != tt.taken {
			t.Errorf("%s changed: taken over is %v, want %v", name, got != nil, tt.taken)
		}
		if got == nil {
			continue
		}
		want, err := CompileZones(&next, plan)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s changed: the zones are\n%+v, want\n%+v", name, got, want)
		}
	}
}
