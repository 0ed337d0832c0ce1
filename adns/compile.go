package adns

import (
	"errors"
	"fmt"
	"net/netip"

	"fairlead/config"
	"fairlead/config/zonedata"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// Zones is all zones of authority with the balanced names in them. It is immutable and belongs to the Plan that it was
// compiled with. Safe for concurrent use.
//
// Where clients of some views see other zones or addresses, there is one Zones for each face that it has: the directory, the
// balanced names and the addresses are the face's, and all else is shared.
type Zones struct {
	zones     []*zonedata.Zone // of all views, in the document's order
	mask      uint32
	slots     []uint64  // upper half of the hash, then index into zones plus 1; 0 is empty
	depths    [2]uint64 // bit n: some zone's name has n labels
	maxLabels int       // of any zone's name
	listeners bool      // decisions ask which address was asked
	extra     extraNames
	services  []serviceWire // by gslb.ServiceIndex
	octets    int           // of all zones
	clients   []*clients    // that are answered, by zone; nil: everyone is, from all
	missing   []bool        // by zone: it has no data at the moment; nil: all have
	faces     []*Zones      // by gslb.ViewIndex, in what CompileZones returns; nil: all clients see the same
}

// Len returns the number of zones.
func (z *Zones) Len() int { return len(z.zones) }

// domains is what compiling needs of a gslb.Plan.
type domains interface {
	Domains() int
	Domain(gslb.DomainIndex) *gslb.Domain
	Services() int
	Service(gslb.ServiceIndex) *gslb.Service
	Views() int
	NeedsListener() bool
	Seen(gslb.ViewIndex, gslb.ServiceIndex) (addr4, addr6 netip.Addr)
}

// CompileZones builds the zones of a valid document and places the balanced names of its plan in them. All problems are
// reported at once. Everything is checked here so that no query meets data that cannot be answered.
func CompileZones(doc *config.Document, plan *gslb.Plan) (*Zones, error) {
	return CompileZonesFrom(doc, plan, nil)
}

// compile is CompileZones after the records were read, for zones without views.
func compile(data []*zonedata.Zone, plan domains) (*Zones, error) {
	return compileFaces(data, make([][]gslb.ViewIndex, len(data)), plan)
}

// file makes the directory of those zones that are seen.
func (z *Zones) file(seen []int) error {
	size := 2
	for size < 2*len(seen) {
		size *= 2
	}
	z.slots, z.mask = make([]uint64, size), uint32(size-1)
	var problems []error
	var l labels
	for _, n := range seen {
		zone := z.zones[n]
		if !l.parse(zone.Origin()) {
			problems = append(problems, fmt.Errorf("compile zone: its name %x is malformed", zone.Origin()))
			continue
		}
		if _, taken := z.named(&l, 0); taken {
			problems = append(problems, fmt.Errorf("compile zone %q: there is another zone of this name", key(zone.Origin())))
			continue
		}
		z.depths[l.count>>6] |= 1 << (l.count & 63)
		z.maxLabels = max(z.maxLabels, l.count)
		i := uint32(l.hash) & z.mask
		for z.slots[i] != 0 {
			i = (i + 1) & z.mask
		}
		z.slots[i] = l.hash>>32<<32 | uint64(n+1)
	}
	return errors.Join(problems...)
}

// nest makes the apex of each zone a name of the zone above it, if that is served here too: DS is asked there, and the
// names between the two exist.
func (z *Zones) nest(seen []int) {
	var l labels
	for _, n := range seen {
		if l.parse(z.zones[n].Origin()); l.count == 0 {
			continue
		}
		above, ok := z.longest(&l, 1)
		if !ok {
			continue
		}
		if m := z.lookup(above, &l, dns.TypeDS); m.kind == kindReferral || m.kind == kindRedirect {
			continue // nothing below a delegation or a DNAME is a name of the zone that has it
		}
		z.addName(&l, above)
	}
}

// place makes a balanced name a name of its zone. An error that wraps errNoZone says that it has none.
func (z *Zones) place(l *labels, index gslb.DomainIndex, d *gslb.Domain) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("place domain %q: %s", d.Name, fmt.Sprintf(format, args...))
	}
	k, err := nameKey(d.Name)
	if err != nil {
		return fail("%v", err)
	}
	l.parse([]byte(k))
	home, ok := z.longest(l, 0)
	if !ok {
		return fmt.Errorf("place domain %q: %w; add its zone, or correct the name", d.Name, errNoZone)
	}
	data := z.zones[home]
	m := z.lookup(home, l, dns.TypeA)
	exact := m.kind == kindNode && !m.wildcard
	switch {
	case m.kind == kindReferral || m.kind == kindRedirect:
		return fail("it is at or below %q, which zone %q delegates or redirects", key(l.suffix(m.suffix)), key(data.Origin()))
	case exact && m.extra != nil && m.extra.balanced:
		return fail("it is bound twice")
	case exact && m.node != 0 && data.Flags(m.node)&zonedata.CNAME != 0:
		return fail("zone %q has a CNAME record for it; remove one of the two", key(data.Origin()))
	case d.HasCNAME && l.count == data.Labels():
		return fail("a member answers with a CNAME, which the apex of zone %q cannot have", key(data.Origin()))
	}
	// What else the zone has for a name that may be answered with a CNAME is hidden: config warns of it, and decides
	// leaves no type to the zone.
	n := z.addName(l, home)
	n.balanced, n.domain = true, index
	n.aliased, n.typed, n.needsClient = d.HasCNAME, d.Types != nil, d.NeedsClient
	return nil
}

// errNoZone says that a name is in none of the zones.
var errNoZone = errors.New("it is in none of the zones")

// serviceWire is a service's addresses as answers carry them.
type serviceWire struct {
	v4       [4]byte
	v6       [16]byte
	has4     bool
	has6     bool
	hasCNAME bool
}

// compileServices returns the addresses of a plan's services as the clients of a view see them.
func compileServices(plan domains, view gslb.ViewIndex) []serviceWire {
	services := make([]serviceWire, plan.Services())
	for i := range services {
		addr4, addr6 := plan.Seen(view, gslb.ServiceIndex(i))
		w := &services[i]
		if w.has4 = addr4.IsValid(); w.has4 {
			w.v4 = addr4.As4()
		}
		if w.has6 = addr6.IsValid(); w.has6 {
			w.v6 = addr6.As16()
		}
		w.hasCNAME = plan.Service(gslb.ServiceIndex(i)).CNAME != ""
	}
	return services
}
