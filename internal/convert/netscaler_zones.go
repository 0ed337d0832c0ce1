package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"fairlead/config"
)

// zoneRecords is a zone on its way to the document.
type zoneRecords struct {
	name    string // canonical
	soa     *object
	object  *object // add dns zone
	servers []string
	lines   []recordLine
	made    bool // for balanced names that no zone was there for
	line    int
}

// recordLine is one record of a zone.
type recordLine struct{ owner, text string }

// collectZones finds the zones: what has a SOA record, and what is added as a zone.
func (n *netscaler) collectZones() {
	for _, o := range n.store.table("dns soarec").list {
		name, ok := n.ownerName(o)
		switch {
		case !ok:
		case n.zoneNames[name] != nil:
			n.found.add(Left, o.line, o.text, "the zone has a SOA already")
		default:
			n.addZone(&zoneRecords{name: name, soa: o, line: o.line})
		}
	}
	for _, o := range n.store.table("dns zone").list {
		name, err := config.CanonicalName(o.name)
		if err != nil {
			n.found.add(Left, o.line, o.text, "%v", err)
			continue
		}
		z, own := n.zoneNames[name], o.is("proxyMode", "NO")
		switch {
		case !own && z != nil:
			n.found.add(Left, o.line, o.text, "%s", reasons["proxymode"])
		case !own:
			n.found.add(Left, o.line, o.text, "%s", reasons["proxymode"])
			continue
		case z == nil:
			z = &zoneRecords{name: name, line: o.line}
			n.addZone(z)
		}
		z.object = o
	}
}

// ownerName is the name that a record is of. It is listed when it is none.
func (n *netscaler) ownerName(o *object) (string, bool) {
	if o.arg(0) == "." {
		return ".", true
	}
	name, err := config.CanonicalName(o.arg(0))
	if err != nil {
		n.found.add(Left, o.line, o.text, "%v", err)
	}
	return name, err == nil
}

func (n *netscaler) addZone(z *zoneRecords) {
	n.zones = append(n.zones, z)
	n.zoneNames[z.name] = z
}

// zoneOf is the longest zone that a name is in; nil when there is none.
func (n *netscaler) zoneOf(name string) *zoneRecords {
	for name != "" {
		if z := n.zoneNames[name]; z != nil {
			return z
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return nil
}

// convertZones makes the zones, with those for balanced names that are in none.
func (n *netscaler) convertZones() {
	n.makeZones()
	for _, kind := range []string{"dns nsrec", "dns addrec", "dns aaaarec", "dns cnamerec", "dns mxrec", "dns txtrec", "dns srvrec", "dns ptrrec", "dns caarec", "dns naptrrec"} {
		for _, o := range n.store.table(kind).list {
			n.record(o, kind)
		}
	}
	for _, z := range n.zones {
		n.zoneMapping(z)
	}
	seen := map[string]bool{}
	for _, o := range n.store.table("adns").list {
		if seen[o.arg(0)] {
			continue // over TCP, too
		}
		seen[o.arg(0)] = true
		n.found.add(Note, o.line, o.text, "where the node answers DNS is in its node file: dns: {listen: [%q]}", hostPort(o.arg(0), 53))
	}
}

// makeZones adds zones for balanced names that are in none: that of the name without its first label.
func (n *netscaler) makeZones() {
	type missing struct {
		name string
		line int
	}
	var names []missing
	for _, o := range n.store.table("gslb vserver").list {
		for _, b := range o.bindings {
			p := b.param("domainName")
			if p == nil || o.out == nil {
				continue
			}
			name, err := config.CanonicalName(p.value())
			if err != nil || n.zoneOf(name) != nil {
				continue
			}
			if _, parent, _ := strings.Cut(name, "."); strings.Count(parent, ".") > 1 {
				name = parent
			}
			names = append(names, missing{strings.TrimPrefix(name, "*."), b.line})
		}
	}
	slices.SortStableFunc(names, func(a, b missing) int { return cmp.Compare(len(a.name), len(b.name)) })
	for _, m := range names {
		if n.zoneOf(m.name) != nil {
			continue
		}
		z := &zoneRecords{name: m.name, made: true, line: m.line}
		for _, s := range n.sections["sites"] {
			const most = 8 // their names and addresses fit into a small answer
			if at := s.text("address"); at != "" && s.get("parent") == nil && len(z.servers) < most {
				label := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(s.text("name")))
				z.servers = append(z.servers, "ns-"+label[:min(len(label), 60)]+"."+strings.TrimSuffix(m.name, "."))
				kind := "A"
				if strings.Contains(at, ":") {
					kind = "AAAA"
				}
				z.lines = append(z.lines, recordLine{z.servers[len(z.servers)-1] + ".", "3600 " + kind + " " + at})
			}
		}
		n.addZone(z)
	}
}

// rootHint reports names that a NetScaler knows the servers of the root by; they are in every configuration.
func rootHint(name string) bool {
	return name == "." || strings.HasSuffix(name, ".root-servers.net.")
}

// record adds a record to its zone.
func (n *netscaler) record(o *object, kind string) {
	name, ok := n.ownerName(o)
	if !ok {
		return
	}
	if rootHint(name) {
		n.passed["add "+kind+" of the root"]++
		return
	}
	z := n.zoneOf(name)
	if z == nil {
		n.found.add(Left, o.line, o.text, "no zone with a SOA has this name")
		return
	}
	if o.is("type", "PROXY") {
		n.found.add(Left, o.line, o.text, "it is an answer of another server")
		return
	}
	data, err := recordData(o, kind)
	if err != nil {
		n.found.add(Left, o.line, o.text, "%v", err)
		return
	}
	ttl, err := strconv.ParseUint(cmp.Or(o.value("TTL"), "3600"), 10, 31)
	if err != nil {
		n.found.add(Changed, o.line, o.text, "its TTL is no number: 3600 was put in its place")
		ttl = 3600
	}
	if kind == "dns nsrec" && name == z.name {
		z.servers = append(z.servers, strings.TrimSuffix(data[0], "."))
	} else {
		for _, d := range data {
			z.lines = append(z.lines, recordLine{name, fmt.Sprintf("%d %s %s", ttl, recordTypes[kind], d)})
		}
	}
	for _, p := range o.params {
		if !p.used && !isDefault(o.kind, p) {
			n.found.add(Left, p.line, o.text, "%s: %s", p.text(), withoutCounterpart(p))
		}
	}
}

var recordTypes = map[string]string{"dns nsrec": "NS", "dns addrec": "A", "dns aaaarec": "AAAA", "dns cnamerec": "CNAME", "dns mxrec": "MX", "dns txtrec": "TXT",
	"dns srvrec": "SRV", "dns ptrrec": "PTR", "dns caarec": "CAA", "dns naptrrec": "NAPTR"}

// recordData is the data of the records of a line, as in a zone file. It was read as such.
func recordData(o *object, kind string) (out []string, err error) {
	rest := o.args[1:]
	switch kind {
	case "dns nsrec", "dns cnamerec":
		out = append(out, absolute(argument(rest, 0)))
	case "dns ptrrec":
		for _, name := range rest {
			out = append(out, absolute(name))
		}
	case "dns addrec", "dns aaaarec":
		out = rest
	case "dns mxrec":
		out = append(out, cmp.Or(o.value("pref"), "10")+" "+absolute(o.value("mx")))
	case "dns srvrec":
		out = append(out, cmp.Or(o.value("priority"), "0")+" "+cmp.Or(o.value("weight"), "0")+" "+o.value("port")+" "+absolute(argument(rest, 0)))
	case "dns txtrec":
		out = append(out, strings.Join(characterStrings(rest), " "))
	case "dns caarec":
		flag := "0"
		if o.is("flag", "CRITICAL") {
			flag = "128"
		}
		out = append(out, flag+" "+cmp.Or(o.value("tag"), "issue")+" "+quoteString(argument(rest, 0)))
	case "dns naptrrec":
		out = append(out, argument(rest, 0)+" "+argument(rest, 1)+" "+quoteString(o.value("flags"))+" "+quoteString(o.value("services"))+" "+
			quoteString(o.value("regexp"))+" "+absolute(cmp.Or(o.value("replacement"), ".")))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("it has no data")
	}
	for _, data := range out {
		if rr, err := dns.NewRR(". 0 IN " + recordTypes[kind] + " " + data); err != nil || rr == nil || strings.ContainsFunc(data, notPrinted) {
			return nil, fmt.Errorf("%q is not the data of a record of type %s", data, recordTypes[kind])
		}
	}
	return out, nil
}

// notPrinted reports what no zone file has as it is.
func notPrinted(r rune) bool { return r < ' ' || r > '~' }

func absolute(name string) string { return strings.TrimSuffix(name, ".") + "." }

// characterStrings are texts in quotes, in parts of at most 255 octets.
func characterStrings(texts []string) (out []string) {
	const most = 255
	for _, text := range texts {
		for len(text) > most {
			out = append(out, quoteString(text[:most]))
			text = text[most:]
		}
		out = append(out, quoteString(text))
	}
	return out
}

// quoteString writes a character string as zone files have it (RFC 1035 section 5.1).
func quoteString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%03d", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// zoneMapping writes a zone.
func (n *netscaler) zoneMapping(z *zoneRecords) {
	m := newMapping()
	plain := strings.TrimSuffix(z.name, ".")
	m.set("name", plain)
	o := &object{kind: "zone", name: plain, line: z.line, out: m}
	if z.soa != nil {
		n.startOfAuthority(z, m)
		z.soa.out = m
	}
	if len(z.servers) == 0 {
		z.servers = []string{"ns1." + plain}
		n.changed(o, z.line, "zone "+plain, "no NS record names its servers: ns1.%s was put in place, which needs an address", plain)
	}
	if z.made {
		n.changed(o, z.line, "zone "+plain, "no SOA record was there: it was made for the balanced names in it, served by the sites; check it against the delegation")
	}
	m.set("nameservers", z.servers)
	if z.soa != nil {
		if contact := strings.TrimSuffix(z.soa.value("contact"), "."); contact != "" {
			m.set("contact", contact)
		}
		if serial, ok := n.count(z.soa, z.soa, "serial", 0, 1<<32-1); ok && serial > 0 {
			m.set("serial", number(strconv.FormatUint(serial, 10)))
		} else {
			m.set("serial", 100)
		}
		negative, _ := n.span(z.soa, "minimum", time.Second, 5*time.Second, 0, 3*time.Hour)
		m.set("negative_ttl", duration(negative))
	}
	if text := zoneLines(z); text != "" {
		m.set("records", block(text))
	}
	if z.object != nil {
		z.object.out = m
	}
	n.sections["zones"] = append(n.sections["zones"], m)
}

// startOfAuthority reads a SOA record. Its primary server stands first among the name servers.
func (n *netscaler) startOfAuthority(z *zoneRecords, m *mapping) {
	o := z.soa
	o.name = strings.TrimSuffix(z.name, ".")
	o.out = m
	origin := strings.ToLower(strings.TrimSuffix(o.value("originServer"), "."))
	i := slices.IndexFunc(z.servers, func(s string) bool { return strings.EqualFold(s, origin) })
	switch {
	case i >= 0:
		z.servers = append([]string{z.servers[i]}, slices.Delete(slices.Clone(z.servers), i, i+1)...)
	case len(z.servers) == 0 && origin != "":
		z.servers = []string{origin}
	case origin != "":
		p := o.param("originServer")
		n.changed(o, p.line, p.text(), "it is none of the zone's servers: %s is named as the primary", z.servers[0])
	}
	for _, fixed := range []struct{ name, value string }{{"refresh", "3600"}, {"retry", "600"}, {"expire", "604800"}} {
		if p := o.param(fixed.name); p != nil && p.value() != fixed.value {
			n.note(o, p.line, p.text(), "%s is %s here: secondaries learn of changes by NOTIFY", fixed.name, fixed.value)
		}
	}
	o.param("TTL")
}

// zoneLines writes the records of a zone, with owners relative to it.
func zoneLines(z *zoneRecords) string {
	slices.SortStableFunc(z.lines, func(a, b recordLine) int {
		if (a.owner == z.name) != (b.owner == z.name) {
			if a.owner == z.name {
				return -1
			}
			return 1
		}
		return 0
	})
	var b strings.Builder
	for _, r := range z.lines {
		b.WriteString(relative(r.owner, z.name) + " " + r.text + "\n")
	}
	return b.String()
}

// relative writes a name without the zone that it is in.
func relative(name, zone string) string {
	if strings.EqualFold(name, zone) {
		return "@"
	}
	if i := len(name) - len(zone) - 1; i > 0 && strings.EqualFold(name[i:], "."+zone) && !strings.HasSuffix(name[:i], `\`) {
		return name[:i]
	}
	return name
}
