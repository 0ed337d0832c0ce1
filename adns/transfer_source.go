package adns

import (
	"iter"
	"slices"
	"strings"

	"fairlead/adns/transfer"
	"fairlead/config"
	"fairlead/config/zonedata"

	"github.com/miekg/dns"
)

// TransferSource is the zones as they are transferred to other servers: their static records, and each balanced name with
// all members that are enabled, whatever their state. zones was compiled from doc.
func TransferSource(zones *Zones, doc *config.Document) transfer.Source {
	s := &transferSource{zones: zones, balanced: map[string][]dns.RR{}, names: map[string]*config.Domain{}}
	zoneByName := make(map[string]*config.Zone, len(doc.Zones))
	wanted := false
	for i := range doc.Zones {
		zoneByName[dns.CanonicalName(doc.Zones[i].Name)] = &doc.Zones[i]
		wanted = wanted || len(doc.Zones[i].Transfer.Allow)+len(doc.Zones[i].Transfer.Notify) > 0
	}
	if !wanted {
		return s
	}
	services := make(map[string]*config.Service, len(doc.Services))
	for i := range doc.Services {
		services[doc.Services[i].Name] = &doc.Services[i]
	}
	for i := range doc.VirtualServers {
		v := &doc.VirtualServers[i]
		for j := range v.Domains {
			s.add(zoneByName, v, &v.Domains[j], services)
		}
	}
	return s
}

// transferSource implements transfer.Source.
type transferSource struct {
	zones    *Zones
	balanced map[string][]dns.RR       // by zone's name
	names    map[string]*config.Domain // balanced, canonical
}

// add files the records of one balanced name.
func (s *transferSource) add(zones map[string]*config.Zone, v *config.VirtualServer, d *config.Domain, services map[string]*config.Service) {
	name, err := config.CanonicalName(d.Name)
	if err != nil {
		return
	}
	zone := zones[name]
	for rest := name; zone == nil && rest != ""; zone = zones[rest] {
		_, rest, _ = strings.Cut(rest, ".")
	}
	if zone == nil || len(zone.Transfer.Allow)+len(zone.Transfer.Notify) == 0 {
		return
	}
	s.names[name] = d
	header := dns.RR_Header{Name: name, Class: dns.ClassINET, Ttl: uint32(d.AnswerTTL(zone).Seconds())}
	home := dns.CanonicalName(zone.Name)
	s.balanced[home] = append(s.balanced[home], balancedRecords(header, v, d, services)...)
}

// Zone implements transfer.Source.
func (s *transferSource) Zone(name string) (transfer.Zone, bool) {
	k, err := nameKey(name)
	if err != nil {
		return nil, false
	}
	var l labels
	l.parse([]byte(k))
	i, ok := s.zones.named(&l, 0)
	if !ok || s.zones.absent(i) {
		return nil, false
	}
	z := &transferZone{data: s.zones.zones[i], name: k.String(), source: s}
	soa, ok := s.zones.records(i, z.data.Apex(), dns.TypeSOA, z.name)[0].(*dns.SOA)
	z.soa = soa
	return z, ok
}

// transferZone implements transfer.Zone.
type transferZone struct {
	data   *zonedata.Zone
	name   string
	soa    *dns.SOA
	source *transferSource
}

func (z *transferZone) Name() string   { return z.name }
func (z *transferZone) Serial() uint32 { return z.soa.Serial }
func (z *transferZone) SOA() *dns.SOA  { return z.soa }

// Records yields the static records, then those of balanced names. What is balanced of a balanced name is hidden, as it
// is in answers, and everything else of one that is an alias.
func (z *transferZone) Records() iter.Seq[dns.RR] {
	return func(yield func(dns.RR) bool) {
		balanced := z.source.balanced[z.name]
		aliases := map[string]bool{}
		for _, rr := range balanced {
			aliases[rr.Header().Name] = rr.Header().Rrtype == dns.TypeCNAME
		}
		more := true
		for node := range z.data.All() {
			owner := key(slices.Concat(z.data.Name(node), z.data.Origin())).String()
			hidden := z.source.names[owner]
			z.data.Sets(node)(func(rrtype uint16, count int, set []byte) bool {
				if rrtype == dns.TypeSOA || hidden != nil && (hidden.Balances(rrtype) || aliases[owner]) {
					return true
				}
				more = yieldSet(owner, set, count, yield)
				return more
			})
			if !more {
				return
			}
		}
		for _, rr := range balanced {
			if !yield(rr) {
				return
			}
		}
	}
}

// yieldSet yields the records of a set.
func yieldSet(owner string, set []byte, count int, yield func(dns.RR) bool) bool {
	records, err := unpackSet(owner, set, count)
	if err != nil {
		panic(err) // what a zone holds was on the wire before
	}
	for _, rr := range records {
		if !yield(rr) {
			return false
		}
	}
	return true
}
