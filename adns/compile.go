package adns

import (
	"errors"
	"fmt"

	"fairlead/config"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// Zones is all zones of authority with the balanced names in them. It is immutable and belongs to the Plan that it was
// compiled with. Safe for concurrent use.
type Zones struct {
	byKey     map[key]*zone
	maxLabels int // of any zone's name
}

// Len returns the number of zones.
func (z *Zones) Len() int { return len(z.byKey) }

// zoneData is the static part of a zone.
type zoneData struct {
	name    string
	records []dns.RR
}

// domains is what compiling needs of a gslb.Plan.
type domains interface {
	Domains() int
	Domain(gslb.DomainIndex) *gslb.Domain
}

// CompileZones builds the zones of a valid document and places the balanced names of its plan in them. All problems are
// reported at once. Everything is checked here so that no query meets data that cannot be answered.
func CompileZones(doc *config.Document, plan *gslb.Plan) (*Zones, error) {
	var problems []error
	data := make([]zoneData, 0, len(doc.Zones))
	for i := range doc.Zones {
		records, err := config.ZoneRecords(&doc.Zones[i])
		if err != nil {
			problems = append(problems, err)
			continue
		}
		data = append(data, zoneData{doc.Zones[i].Name, records})
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return compile(data, plan)
}

// compile is CompileZones after the records were read.
func compile(data []zoneData, plan domains) (*Zones, error) {
	zones := &Zones{byKey: make(map[key]*zone, len(data))}
	var problems []error
	for _, d := range data {
		z, err := newZone(d.name, d.records)
		switch {
		case err != nil:
			problems = append(problems, err)
		case zones.byKey[z.key] != nil:
			problems = append(problems, fmt.Errorf("compile zone %q: there is another zone of this name", z.name))
		default:
			zones.byKey[z.key] = z
			zones.maxLabels = max(zones.maxLabels, z.labels)
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...) // names could not be placed in zones that are missing
	}
	zones.nest()
	for i := range plan.Domains() {
		domain := gslb.DomainIndex(i)
		if err := zones.place(domain, plan.Domain(domain)); err != nil {
			problems = append(problems, err)
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return zones, nil
}

// nest makes the apex of each zone a name of the zone above it, if that is served here too: DS is asked there, and the
// names between the two exist.
func (z *Zones) nest() {
	for k := range z.byKey {
		if k.isRoot() {
			continue
		}
		if above := z.longest(k.parent()); above != nil {
			above.ensure(k).child = true
		}
	}
}

// place makes a balanced name a node of its zone.
func (z *Zones) place(index gslb.DomainIndex, d *gslb.Domain) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("place domain %q: %s", d.Name, fmt.Sprintf(format, args...))
	}
	k, err := nameKey(d.Name)
	if err != nil {
		return fail("%v", err)
	}
	home := z.longest(k)
	if home == nil {
		return fail("it is in none of the zones; add its zone, or correct the name")
	}
	if m := home.lookup(k, dns.TypeA); m.kind == kindReferral || m.kind == kindRedirect {
		return fail("it is at or below %q, which zone %q delegates or redirects", m.node.name, home.name)
	}
	n := home.ensure(k)
	switch {
	case n.balanced:
		return fail("it is bound twice")
	case n.find(dns.TypeCNAME) != nil:
		return fail("zone %q has a CNAME record for it; remove one of the two", home.name)
	case d.HasCNAME && n == home.apex:
		return fail("a member answers with a CNAME, which the apex of zone %q cannot have", home.name)
	}
	// What else the zone has for a name that may be answered with a CNAME is hidden: config warns of it, and decides
	// leaves no type to the zone.
	n.balanced, n.domain = true, index
	return nil
}
