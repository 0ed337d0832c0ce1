package adns

import (
	"errors"
	"fmt"
	"slices"

	"fairlead/config"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// rrset is the records of one name and type, without duplicates and with one TTL (RFC 2181 section 5). Its records are
// shared by answers and never written.
type rrset struct {
	rrtype  uint16
	records []dns.RR
}

// node is one name of a zone. A node without sets, domain and cut is an empty non-terminal.
type node struct {
	name     string // presentation form, lower case
	sets     []rrset
	domain   gslb.DomainIndex
	balanced bool  // domain is valid
	cut      bool  // delegation: what is below is another zone's
	child    bool  // apex of another zone that is served here too
	wildcard *node // the node "*" directly below, if there is one
}

// find returns the records of a type, nil when there are none.
func (n *node) find(rrtype uint16) []dns.RR {
	for i := range n.sets {
		if n.sets[i].rrtype == rrtype {
			return n.sets[i].records
		}
	}
	return nil
}

// empty reports whether the name exists only because something below it does.
func (n *node) empty() bool { return len(n.sets) == 0 && !n.balanced }

// zone is one zone of authority. It is immutable once compiled.
type zone struct {
	key    key
	name   string // presentation form, lower case
	labels int
	apex   *node
	nodes  map[key]*node
	// negative is the SOA as negative answers carry it, TTL = min(SOA TTL, MINIMUM) (RFC 2308 section 3).
	negative []dns.RR
}

// newZone builds a zone from its records. All problems are reported at once.
func newZone(name string, records []dns.RR) (*zone, error) {
	k, err := nameKey(name)
	if err != nil {
		return nil, fmt.Errorf("compile zone %q: %w", name, err)
	}
	z := &zone{key: k, name: k.String(), labels: k.labels(), nodes: make(map[key]*node, len(records))}
	z.apex = z.ensure(k)
	var problems []error
	for _, rr := range records {
		if err := z.add(rr); err != nil {
			problems = append(problems, err)
		}
	}
	problems = append(problems, z.finish()...)
	if len(problems) > 0 {
		return nil, fmt.Errorf("compile zone %q: %w", z.name, errors.Join(problems...))
	}
	return z, nil
}

// ensure returns the node of a name in the zone and creates it, and every name between it and the apex, if missing.
func (z *zone) ensure(k key) *node {
	if n := z.nodes[k]; n != nil {
		return n
	}
	n := &node{name: k.String()}
	z.nodes[k] = n
	if k != z.key {
		parent := z.ensure(k.parent())
		if k.isWildcard() {
			parent.wildcard = n
		}
	}
	return n
}

// add files a copy of one record.
func (z *zone) add(rr dns.RR) error {
	h := rr.Header()
	where := fmt.Sprintf("record %s %s", h.Name, dns.Type(h.Rrtype))
	k, err := nameKey(h.Name)
	switch {
	case err != nil:
		return err
	case !k.within(z.key):
		return fmt.Errorf("%s: outside the zone", where)
	case h.Class != dns.ClassINET:
		return fmt.Errorf("%s: class %s; only IN is served", where, dns.Class(h.Class))
	case !isDataType(h.Rrtype):
		return fmt.Errorf("%s: this type exists only in messages, not in zones", where)
	case h.Rrtype == dns.TypeSOA && k != z.key:
		return fmt.Errorf("%s: a SOA belongs to the apex of its zone", where)
	case k.isWildcard() && (h.Rrtype == dns.TypeNS || h.Rrtype == dns.TypeDNAME):
		return fmt.Errorf("%s: a wildcard cannot delegate or redirect (RFC 4592 section 4)", where)
	}
	n := z.ensure(k)
	rr = dns.Copy(rr)
	rr.Header().Name = n.name
	wire := make([]byte, dns.MaxMsgSize)
	if _, err := dns.PackRR(rr, wire, 0, nil, false); err != nil {
		return fmt.Errorf("%s: data cannot be put on the wire: %w", where, err)
	}
	return n.put(rr)
}

// put adds rr to its set: a duplicate is dropped, and the lowest TTL of the set counts for all of it.
func (n *node) put(rr dns.RR) error {
	h := rr.Header()
	i := slices.IndexFunc(n.sets, func(s rrset) bool { return s.rrtype == h.Rrtype })
	if i < 0 {
		if len(n.sets) == config.MaxTypesPerName {
			return fmt.Errorf("name %s: more than %d types", n.name, config.MaxTypesPerName)
		}
		n.sets = append(n.sets, rrset{rrtype: h.Rrtype, records: []dns.RR{rr}})
		return nil
	}
	set := &n.sets[i]
	if !slices.ContainsFunc(set.records, func(have dns.RR) bool { return dns.IsDuplicate(have, rr) }) {
		set.records = append(set.records, rr)
	}
	ttl := h.Ttl
	for _, have := range set.records {
		ttl = min(ttl, have.Header().Ttl)
	}
	for _, have := range set.records {
		have.Header().Ttl = ttl
	}
	return nil
}

// finish checks what only a whole zone can show, and marks delegations.
func (z *zone) finish() []error {
	var problems []error
	for _, n := range z.sorted() {
		n.cut = n != z.apex && n.find(dns.TypeNS) != nil
		problems = append(problems, n.check()...)
	}
	if z.apex.find(dns.TypeNS) == nil {
		problems = append(problems, errors.New("no NS record at the apex; name at least one name server"))
	}
	soa := z.apex.find(dns.TypeSOA)
	if len(soa) != 1 {
		return append(problems, fmt.Errorf("%d SOA records at the apex; there must be one", len(soa)))
	}
	negative := dns.Copy(soa[0]).(*dns.SOA)
	negative.Hdr.Ttl = min(negative.Hdr.Ttl, negative.Minttl)
	z.negative = []dns.RR{negative}
	return problems
}

// check verifies one name by itself.
func (n *node) check() []error {
	var problems []error
	for _, set := range n.sets {
		octets := 0
		for _, rr := range set.records {
			octets += config.RecordHeaderOctets + int(rr.Header().Rdlength)
		}
		if octets > config.MaxRRsetOctets {
			problems = append(problems, fmt.Errorf("record set %s %s: %d octets, more than %d", n.name,
				dns.Type(set.rrtype), octets, config.MaxRRsetOctets))
		}
		single := set.rrtype == dns.TypeCNAME || set.rrtype == dns.TypeDNAME
		if single && len(set.records) > 1 {
			problems = append(problems, fmt.Errorf("name %s: %d %s records; there can be one", n.name,
				len(set.records), dns.Type(set.rrtype)))
		}
	}
	if n.find(dns.TypeCNAME) != nil && slices.ContainsFunc(n.sets, func(s rrset) bool { return !besideCNAME(s.rrtype) }) {
		problems = append(problems, fmt.Errorf("name %s: a CNAME cannot stand beside other records", n.name))
	}
	return problems
}

// besideCNAME reports whether records of a type can stand at a name that has a CNAME: the CNAME itself, and what DNSSEC
// says of it (RFC 4035 section 2.5).
func besideCNAME(rrtype uint16) bool {
	return rrtype == dns.TypeCNAME || rrtype == dns.TypeRRSIG || rrtype == dns.TypeNSEC
}

// sorted returns the nodes by name, so that problems come in a stable order.
func (z *zone) sorted() []*node {
	nodes := make([]*node, 0, len(z.nodes))
	for _, n := range z.nodes {
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b *node) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return nodes
}

// isDataType reports whether records of a type can be in a zone: not the meta types and question types of RFC 6895
// section 3.1.
func isDataType(rrtype uint16) bool {
	switch {
	case rrtype == 0, rrtype == dns.TypeOPT, rrtype == typeNXNAME, rrtype == dns.TypeReserved:
		return false
	case rrtype >= firstQuestionType && rrtype <= lastQuestionType:
		return false
	}
	return true
}
