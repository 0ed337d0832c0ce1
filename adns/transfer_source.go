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
// all members that are enabled, whatever their state. zones was compiled from doc, whose service groups are services.
func TransferSource(zones *Zones, doc *config.Document) transfer.Source {
	s := &transferSource{zones: zones, doc: doc, services: map[string]*config.Service{}, named: map[string]*config.Zone{}}
	wanted := slices.ContainsFunc(doc.Zones, func(z config.Zone) bool { return transferable(&z) })
	if !wanted {
		return s
	}
	for i := range doc.Services {
		s.services[doc.Services[i].Name] = &doc.Services[i]
	}
	for i := range doc.Zones {
		z := &doc.Zones[i]
		name := dns.CanonicalName(z.Name)
		if other := s.named[name]; other == nil || len(other.Views) > 0 && len(z.Views) == 0 {
			s.named[name] = z
		}
	}
	s.faces = append(s.faces, s.face(zones, 0))
	for i := range doc.Views {
		if zones.faces == nil {
			break
		}
		seen := zones.faces[i+1]
		at := slices.IndexFunc(s.faces, func(f *transferFace) bool { return f.zones == seen })
		if at < 0 {
			at = len(s.faces)
			s.faces = append(s.faces, s.face(seen, i+1))
		}
		s.faces[at].views = append(s.faces[at].views, doc.Views[i].Name)
	}
	return s
}

func transferable(z *config.Zone) bool { return len(z.Transfer.Allow)+len(z.Transfer.Notify) > 0 }

// transferSource implements transfer.Source.
type transferSource struct {
	zones    *Zones
	doc      *config.Document
	services map[string]*config.Service
	named    map[string]*config.Zone // by canonical name: the one without views, else the first; its TTL is its names'
	faces    []*transferFace         // the first one is of clients in no view
}

// transferFace is what the clients of some views see.
type transferFace struct {
	zones    *Zones
	views    []string
	balanced map[uint32][]dns.RR       // by zone
	names    map[string]*config.Domain // balanced, canonical
}

// face makes the records of the balanced names of one face. view is the first one that has it, by index from 1; 0: none.
func (s *transferSource) face(zones *Zones, view int) *transferFace {
	f := &transferFace{zones: zones, balanced: map[uint32][]dns.RR{}, names: map[string]*config.Domain{}}
	name := ""
	if view > 0 {
		name = s.doc.Views[view-1].Name
	}
	for i := range s.doc.VirtualServers {
		v := &s.doc.VirtualServers[i]
		for j := range v.Domains {
			s.add(f, name, v, &v.Domains[j])
		}
	}
	return f
}

// add files the records of one balanced name.
func (s *transferSource) add(f *transferFace, view string, v *config.VirtualServer, d *config.Domain) {
	name, err := config.CanonicalName(d.Name)
	if err != nil {
		return
	}
	k, err := nameKey(name)
	if err != nil {
		return
	}
	var l labels
	l.parse([]byte(k))
	home, ok := f.zones.longest(&l, 0)
	if !ok || !transferable(&s.doc.Zones[home]) {
		return
	}
	f.names[name] = d
	named := s.named[name]
	for rest := name; named == nil && rest != ""; named = s.named[rest] {
		_, rest, _ = strings.Cut(rest, ".")
	}
	header := dns.RR_Header{Name: name, Class: dns.ClassINET, Ttl: uint32(d.AnswerTTL(named).Seconds())}
	f.balanced[home] = append(f.balanced[home], balancedRecords(header, v, d, s.services, view)...)
}

// Variants implements transfer.Source.
func (s *transferSource) Variants(index int) (out []transfer.Variant) {
	data := s.zones.zones[index]
	var l labels
	l.parse(data.Origin())
	var faces []*transferFace // of the variants
	for _, f := range s.faces {
		if i, ok := f.zones.named(&l, 0); !ok || int(i) != index {
			continue
		}
		at := slices.IndexFunc(faces, func(g *transferFace) bool {
			return slices.EqualFunc(f.balanced[uint32(index)], g.balanced[uint32(index)], sameRecord)
		})
		if at < 0 {
			at = len(faces)
			faces = append(faces, f)
			out = append(out, transfer.Variant{Zone: s.zone(uint32(index), f)})
		}
		out[at].Views = append(out[at].Views, f.views...)
	}
	if len(out) > 0 && len(s.doc.Zones[index].Views) == 0 {
		out[0].Views = nil // that of clients in no view
	}
	return out
}

// sameRecord reports whether two records are the same in all.
func sameRecord(a, b dns.RR) bool { return a.Header().Ttl == b.Header().Ttl && dns.IsDuplicate(a, b) }

// zone makes a variant of a zone; nil while it has no data.
func (s *transferSource) zone(index uint32, f *transferFace) transfer.Zone {
	if s.zones.absent(index) {
		return nil
	}
	z := &transferZone{data: s.zones.zones[index], index: index, face: f}
	z.name = key(z.data.Origin()).String()
	soa, ok := s.zones.records(index, z.data.Apex(), dns.TypeSOA, z.name)[0].(*dns.SOA)
	if !ok {
		return nil
	}
	z.soa = soa
	return z
}

// transferZone implements transfer.Zone.
type transferZone struct {
	data  *zonedata.Zone
	index uint32
	name  string
	soa   *dns.SOA
	face  *transferFace
}

func (z *transferZone) Name() string   { return z.name }
func (z *transferZone) Serial() uint32 { return z.soa.Serial }
func (z *transferZone) SOA() *dns.SOA  { return z.soa }

// Records yields the static records, then those of balanced names. What is balanced of a balanced name is hidden, as it
// is in answers, and everything else of one that is an alias.
func (z *transferZone) Records() iter.Seq[dns.RR] {
	return func(yield func(dns.RR) bool) {
		balanced := z.face.balanced[z.index]
		aliases := map[string]bool{}
		for _, rr := range balanced {
			aliases[rr.Header().Name] = rr.Header().Rrtype == dns.TypeCNAME
		}
		more := true
		for node := range z.data.All() {
			owner := key(slices.Concat(z.data.Name(node), z.data.Origin())).String()
			hidden := z.face.names[owner]
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
