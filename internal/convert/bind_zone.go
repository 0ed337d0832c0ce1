package convert

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"fairlead/config"
	"fairlead/config/zonedata"
	"fairlead/config/zonetext"
)

// Limits of records that stand in the document itself; a larger zone stays in its file.
const (
	maxInlineRecords = 1000
	maxInlineBytes   = 128 << 10
)

// ZoneFile is a zone file.
type ZoneFile struct {
	Zone string // its name; empty: it is found in the text, or in the file's name
	Name string // of the file, as the document refers to it and findings show it
	Text []byte
}

// BINDOptions say what is converted.
type BINDOptions struct {
	Zones     []ZoneFile
	NamedName string // of the file of Named, for findings
	Named     []byte // named.conf or a part of it; nil: none
	AsFile    bool   // zones refer to their files, however small they are
	// Read returns the text of a file that another one names: of a zone, or that a zone file includes. nil: none can be read.
	Read func(name string) ([]byte, error)
}

// BINDZones converts zone files to the zones section of a document. The error is for what cannot be read at all.
func BINDZones(o BINDOptions) (*Result, error) {
	b := &bindReading{options: o, files: map[string][]byte{}}
	name := o.NamedName
	if name == "" && len(o.Zones) > 0 {
		name = o.Zones[0].Name
	}
	b.found = &findings{file: name}
	if o.Named != nil {
		if err := b.named(); err != nil {
			return nil, fmt.Errorf("convert %q: %w", o.NamedName, err)
		}
	}
	for i := range o.Zones {
		m, err := b.zone(&o.Zones[i])
		if err != nil {
			return nil, fmt.Errorf("convert %q: %w", o.Zones[i].Name, err)
		}
		b.zones = append(b.zones, m)
	}
	if len(b.zones) == 0 {
		return nil, fmt.Errorf("convert %q: there is no zone in it", name)
	}
	return b.result(), nil
}

// bindReading is one conversion.
type bindReading struct {
	options BINDOptions
	found   *findings
	zones   []*mapping
	views   []*mapping
	files   map[string][]byte // that zones refer to
	acls    map[string]*statement
	origin  string // of the zone being read, canonical
}

func (b *bindReading) result() *Result {
	head := []string{"Zones for a GSLB document. Comments say what was not taken over as it is, and why."}
	sections := []entry{{"zones", b.zones}}
	r := &Result{Objects: map[string]int{"zones": len(b.zones)}, Passed: map[string]int{}}
	if len(b.views) > 0 {
		sections = append(sections, entry{"views", b.views})
		r.Objects["views"] = len(b.views)
	}
	r.Document = document(head, sections)
	// A document has sites: with one it can be read.
	whole := append(slices.Clone(r.Document), "sites: [{name: any, address: 192.0.2.1}]\n"...)
	checkDocument(b.found, whole, b.files)
	r.Findings, r.More = b.found.sorted(), b.found.more
	return r
}

// secures are the types of records of DNSSEC, which answers are not signed with, and those that would not be true any more.
var secures = map[uint16]bool{dns.TypeDNSKEY: true, dns.TypeRRSIG: true, dns.TypeNSEC: true, dns.TypeNSEC3: true, dns.TypeNSEC3PARAM: true, dns.TypeCDS: true,
	dns.TypeCDNSKEY: true, dns.TypeDS: true, dns.TypeZONEMD: true, 65534: true}

// zoneReading is what one zone file has.
type zoneReading struct {
	soa     *dns.SOA
	servers []string
	lines   []recordLine
	octets  int
	left    map[uint16]int // records of DNSSEC
}

// zone makes a zone of a zone file.
func (b *bindReading) zone(f *ZoneFile) (*mapping, error) {
	if len(f.Text) > MaxFileBytes {
		return nil, fmt.Errorf("it has %d bytes, the limit is %d", len(f.Text), MaxFileBytes)
	}
	name, err := zoneName(f)
	if err != nil {
		return nil, err
	}
	b.origin = name
	g := b.read(f)
	m := newMapping()
	m.set("name", strings.TrimSuffix(name, "."))
	if b.options.AsFile || len(g.lines) > maxInlineRecords || g.octets > maxInlineBytes {
		m.set("file", f.Name)
		b.files[f.Name] = f.Text
		for _, kind := range g.kinds() {
			b.say(m, f.Name, Changed, counted(g.left[kind], kind), "the file has them, and they are served as any other: answers are not signed; take them out")
		}
		return m, nil
	}
	for _, kind := range g.kinds() {
		b.say(m, f.Name, Left, counted(g.left[kind], kind), "answers are not signed, so that records of DNSSEC have no use")
	}
	b.apex(m, f, g)
	z := &zoneRecords{name: name, lines: g.lines}
	if text := zoneLines(z); text != "" {
		m.set("records", block(text))
	}
	return m, nil
}

func (g *zoneReading) kinds() []uint16 {
	out := make([]uint16, 0, len(g.left))
	for kind := range g.left {
		out = append(out, kind)
	}
	slices.Sort(out)
	return out
}

func counted(n int, kind uint16) string {
	if n == 1 {
		return "1 record of type " + dns.Type(kind).String()
	}
	return fmt.Sprintf("%d records of type %s", n, dns.Type(kind))
}

func (b *bindReading) say(m *mapping, file string, kind Kind, text, why string) {
	b.found.addIn(file, kind, 0, text, why)
	if kind != Note {
		m.remark(text + ": " + why)
	}
}

// zoneName is the name of a zone: as it is given, that of its SOA record where the text says it, or what the file is named for.
func zoneName(f *ZoneFile) (string, error) {
	if f.Zone != "" {
		return config.CanonicalName(f.Zone)
	}
	found := ""
	zonetext.New(zonetext.Options{Text: f.Text, Name: f.Name, Origin: []byte{0}, TTL: new(uint32)}).Read(func(r *zonetext.Record) {
		if r.Type == dns.TypeSOA && found == "" && len(r.Owner) > 1 {
			found, _, _ = dns.UnpackDomainName(r.Owner, 0)
		}
	})
	if found == "" {
		found = strings.TrimPrefix(path.Base(strings.ReplaceAll(f.Name, `\`, "/")), "db.")
		for _, end := range []string{".zone", ".db", ".hosts", ".txt", ".signed"} {
			found = strings.TrimSuffix(found, end)
		}
		if !strings.Contains(found, ".") {
			return "", errors.New("neither its text nor its name says which zone it is: add --zone NAME")
		}
	}
	return config.CanonicalName(found)
}

// read reads the records of a zone file.
func (b *bindReading) read(f *ZoneFile) *zoneReading {
	g := &zoneReading{left: map[uint16]int{}}
	origin := make([]byte, zonedata.MaxNameOctets+1)
	n, err := dns.PackDomainName(b.origin, origin, 0, nil, false)
	if err != nil {
		b.found.addIn(f.Name, Left, 0, "", err.Error())
		return g
	}
	o := zonetext.Options{Text: f.Text, Name: f.Name, Origin: origin[:n]}
	if b.options.Read != nil {
		o.Include = func(from, name string) (string, []byte, error) {
			name = path.Join(path.Dir(from), name)
			text, err := b.options.Read(name)
			b.files[name] = text
			return name, text, err
		}
	}
	reader := zonetext.New(o)
	problems := reader.Read(func(r *zonetext.Record) {
		file, line := reader.Place(r.Line)
		if why := b.record(g, r); why != "" {
			b.found.addIn(file, Left, line, "a record of type "+dns.Type(r.Type).String(), why)
		}
	})
	for _, p := range problems {
		why := p.Message
		if p.Hint != "" {
			why += ": " + p.Hint
		}
		b.found.addIn(p.Name, Left, p.Line, p.Token, why)
	}
	return g
}

// record adds a record. It returns why it is left out, or "".
func (b *bindReading) record(g *zoneReading, r *zonetext.Record) string {
	owner, _, err := dns.UnpackDomainName(r.Owner, 0)
	if err != nil {
		return err.Error()
	}
	h := dns.RR_Header{Name: owner, Rrtype: r.Type, Class: r.Class, Ttl: r.TTL, Rdlength: uint16(len(r.Data))}
	rr, _, err := dns.UnpackRRWithHeader(h, r.Data, 0)
	apex := strings.EqualFold(owner, b.origin)
	switch soa, isSOA := rr.(*dns.SOA); {
	case err != nil:
		return err.Error()
	case r.Class != dns.ClassINET:
		return "only class IN is served"
	case !dns.IsSubDomain(b.origin, owner):
		return owner + " is outside of the zone"
	case secures[r.Type]:
		g.left[r.Type]++
		return ""
	case isSOA:
		if !apex || g.soa != nil {
			return "a zone has one SOA, at its top"
		}
		g.soa = soa
		return ""
	case r.Type == dns.TypeNS && apex:
		g.servers = append(g.servers, strings.TrimSuffix(rr.(*dns.NS).Ns, "."))
		return ""
	}
	data := strings.TrimSpace(strings.TrimPrefix(rr.String(), rr.Header().String()))
	switch r.Type {
	case dns.TypeCNAME, dns.TypeNS, dns.TypePTR, dns.TypeMX, dns.TypeSRV, dns.TypeDNAME:
		i := strings.LastIndexByte(data, ' ') + 1
		data = data[:i] + relative(data[i:], b.origin)
	}
	line := recordLine{owner, fmt.Sprintf("%d %s %s", r.TTL, dns.Type(r.Type), data)}
	g.lines, g.octets = append(g.lines, line), g.octets+len(owner)+len(line.text)
	return ""
}

// apex writes the keys that SOA and NS records are made from.
func (b *bindReading) apex(m *mapping, f *ZoneFile, g *zoneReading) {
	if g.soa == nil {
		b.say(m, f.Name, Changed, "zone "+m.text("name"), "it has no SOA: one is made")
	} else {
		primary := strings.TrimSuffix(g.soa.Ns, ".")
		i := slices.IndexFunc(g.servers, func(s string) bool { return strings.EqualFold(s, primary) })
		switch {
		case i > 0:
			g.servers = append([]string{g.servers[i]}, slices.Delete(slices.Clone(g.servers), i, i+1)...)
		case i < 0 && len(g.servers) > 0:
			b.say(m, f.Name, Changed, "SOA "+g.soa.Ns, "it is none of the zone's servers: "+g.servers[0]+" is named as the primary")
		case i < 0:
			g.servers = []string{primary}
		}
	}
	if len(g.servers) > 0 {
		m.set("nameservers", g.servers)
	}
	if g.soa == nil {
		return
	}
	m.set("contact", mailbox(g.soa.Mbox))
	m.set("serial", number(fmt.Sprint(g.soa.Serial)))
	const most = 3 * time.Hour
	negative := time.Duration(min(g.soa.Minttl, g.soa.Hdr.Ttl)) * time.Second
	if negative > most {
		b.say(m, f.Name, Changed, "SOA with "+duration(negative)+" for negative answers", "it is at most 3h here: 3h was put in its place")
		negative = most
	}
	m.set("negative_ttl", duration(negative))
	if g.soa.Refresh != 3600 || g.soa.Retry != 600 || g.soa.Expire != 604800 {
		b.say(m, f.Name, Note, "SOA "+f.Name, "refresh is 1h, retry 10m and expire 7d here: secondaries learn of changes by NOTIFY; file: keeps the zone's own")
	}
}

// mailbox writes the mailbox of a SOA: as an address where its first label has a dot.
func mailbox(name string) string {
	name = strings.TrimSuffix(name, ".")
	if i := strings.LastIndex(name, `\.`); i >= 0 {
		if end := strings.IndexByte(name[i+2:], '.'); end >= 0 {
			return strings.ReplaceAll(name[:i+2+end], `\.`, ".") + "@" + name[i+3+end:]
		}
	}
	return name
}
