package config

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/miekg/dns"

	"fairlead/config/zonedata"
	"fairlead/config/zonetext"
)

// maxRecordTTL is the largest TTL (RFC 2181 section 8), in seconds. More limits of zone data are in package zonedata.
const maxRecordTTL = 1<<31 - 1

// zoneTextError is what is wrong at one place of a zone's text.
type zoneTextError struct {
	file  string // as the document writes it; "": the zone's records key
	line  int    // from 1; 0: the whole text
	token string // what is wrong, as it stands in the line; may be empty
	finding
}

func (e *zoneTextError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.message) }

// zoneReading reads the records of one zone, checks each, and makes the zone's data of them.
type zoneReading struct {
	zone      *Zone
	name      string // canonical
	origin    []byte
	found     func(*zoneTextError)
	builder   *zonedata.Builder
	reader    *zonetext.Reader
	malformed bool  // something could not be read at all
	apexErr   error // why there is no SOA and NS, if they are made from keys
	whole     []zonedata.Problem
}

// newZoneReading starts the reading of a zone of a canonical name by a Reader. found is called for whatever is wrong.
func newZoneReading(z *Zone, name string, reader *zonetext.Reader, found func(*zoneTextError)) (*zoneReading, error) {
	g := &zoneReading{zone: z, name: name, origin: wireName(name), reader: reader, found: found}
	var err error
	if g.builder, err = zonedata.NewBuilder(g.origin); err != nil {
		return nil, err
	}
	if z.File == "" {
		g.apexErr = g.addApex()
	}
	return g, nil
}

// text reads the zone's text. With files, $INCLUDE finds its texts there.
func (g *zoneReading) text(text []byte, files *Source) {
	o := zonetext.Options{Text: text, Name: g.zone.File, Origin: g.origin}
	if g.zone.File == "" {
		ttl := uint32(g.zone.TTL.Std().Seconds())
		o.TTL = &ttl
	} else {
		o.Include = files.included
	}
	g.builder.Grow(bytes.Count(text, []byte{'\n'}), len(text))
	g.reader.Reset(o)
	problems := g.reader.Read(g.add)
	for i := range problems {
		p := &problems[i]
		g.malformed = true
		g.found(&zoneTextError{file: p.Name, line: p.Line, token: p.Token, finding: finding{textCode(p.Kind), p.Message, p.Hint}})
	}
}

func textCode(k zonetext.Kind) Code {
	switch k {
	case zonetext.Directive:
		return codeZoneDirective
	case zonetext.OutsidePath:
		return codeIncludePath
	case zonetext.Unreadable:
		return codeIncludeFile
	case zonetext.TooDeep, zonetext.TooMuch:
		return codeIncludeDepth
	}
	return codeZoneText
}

// add checks a record and adds it to the zone.
func (g *zoneReading) add(r *zonetext.Record) {
	if f, bad := g.check(r); bad {
		g.at(r.Line, r.Owner, f)
		return
	}
	g.builder.Add(&r.Record)
}

// at reports a finding at the line of a record.
func (g *zoneReading) at(line uint32, owner []byte, f finding) {
	file, at := g.reader.Place(line)
	g.found(&zoneTextError{file: file, line: at, token: ownerToken(nameText(owner), g.name), finding: f})
}

// check checks one record by itself.
func (g *zoneReading) check(r *zonetext.Record) (finding, bool) {
	apex := len(r.Owner) == len(g.origin)
	fromFile := g.zone.File != ""
	kind := func() string { return dns.Type(r.Type).String() }
	switch {
	case r.Class != dns.ClassINET:
		return finding{codeRecordKind, "only class IN can be served", ""}, true
	case !g.builder.Within(r.Owner):
		return finding{codeOutOfZone, fmt.Sprintf("%s is outside zone %s", show(nameText(r.Owner)), show(g.name)),
			"a name that ends with a dot is complete; without one the zone is appended"}, true
	case r.Type == 0 || r.Type == dns.TypeReserved || r.Type == dns.TypeOPT || r.Type >= 128 && r.Type <= 255:
		return finding{codeRecordKind, fmt.Sprintf("type %s cannot be in a zone", kind()), ""}, true
	case (r.Type == dns.TypeNS || r.Type == dns.TypeDNAME) && r.Owner[0] == 1 && r.Owner[1] == '*':
		return finding{codeRecordKind, fmt.Sprintf("a wildcard cannot have %s records (RFC 4592 section 4)", kind()), "write the names out"}, true
	case r.TTL > maxRecordTTL:
		return finding{codeRecordTTLTooLong, fmt.Sprintf("TTL %d is above %d", r.TTL, maxRecordTTL), ""}, true
	case r.Type == dns.TypeCNAME && apex:
		return finding{codeApexCNAME, "the top of a zone cannot be a CNAME", "balance the name, or give it addresses"}, true
	case !fromFile && r.Type == dns.TypeSOA:
		return finding{codeRecordKind, "the SOA is made from the zone's keys", "remove it, or use file: for a complete zone file"}, true
	case fromFile && r.Type == dns.TypeSOA && !apex:
		return finding{codeRecordKind, "a SOA can only be at the top of the zone", ""}, true
	case !fromFile && r.Type == dns.TypeNS && apex:
		return finding{codeRecordKind, "the zone's NS records are made from nameservers", "add the name there"}, true
	}
	return finding{}, false
}

// finish makes the zone's data and reports what only all records together show. Without problems the zone has its Data. The
// result is for looking names up, also when there are problems.
func (g *zoneReading) finish() *zonedata.Zone {
	data, problems, err := g.builder.Inspect()
	if err != nil {
		g.found(&zoneTextError{file: g.zone.File, finding: finding{codeZoneText, err.Error(), ""}})
		return data
	}
	for i := range problems {
		p := &problems[i]
		if p.Kind == zonedata.WrongSOACount || p.Kind == zonedata.NoNameservers {
			g.whole = append(g.whole, *p)
			continue
		}
		g.at(p.Line, p.Owner, setFinding(p))
	}
	if len(problems) == 0 {
		g.zone.Data = data
	}
	return data
}

// setFinding says what is wrong with the records of a name.
func setFinding(p *zonedata.Problem) finding {
	name, kind := show(nameText(p.Owner)), dns.Type(p.Type).String()
	switch p.Kind {
	case zonedata.CNAMEAndOther:
		return finding{codeCNAMEAndOther, name + " has a CNAME and other records", "a CNAME stands alone (RFC 1034 section 3.6.2)"}
	case zonedata.SeveralAliases:
		code := codeRecordKind
		if p.Type == dns.TypeCNAME {
			code = codeCNAMEAndOther
		}
		return finding{code, fmt.Sprintf("%s already has a %s, and there can be one", name, kind), "remove one of them"}
	case zonedata.SetTooLarge:
		return finding{codeRecordSetTooLarge, fmt.Sprintf("the %s records of %s have more than %d octets together", kind, name, zonedata.MaxSetOctets),
			"spread them over several names"}
	case zonedata.TooManyTypes:
		return finding{codeRecordSetTooLarge, fmt.Sprintf("%s has records of more than %d types", name, zonedata.MaxTypesPerName), ""}
	case zonedata.TooManyRecords:
		return finding{codeTooManyRecords, fmt.Sprintf("the zone has more than %d records", zonedata.MaxRecords), ""}
	}
	return finding{codeRecordKind, fmt.Sprintf("the %s records of %s cannot be in this zone", kind, name), ""}
}

// included returns the text of a file that another one of the source names in an $INCLUDE.
func (s *Source) included(from, path string) (name string, text []byte, err error) {
	name = includeName(from, path)
	text, known := s.Files[name]
	if s.opened != nil {
		s.opened[name] = true
	}
	if known {
		return name, text, nil
	}
	if err := s.unread[name]; err != nil {
		return name, nil, errors.New(unreadReason(err))
	}
	return name, nil, errors.New("it is not among the files given")
}

// includeName is the name in Source.Files of what a file of a source includes.
func includeName(from, path string) string {
	return filepath.Join(filepath.Dir(from), filepath.FromSlash(path))
}

// ownerToken is how an owner probably stands in the text, to mark it.
func ownerToken(name, zone string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, zone), ".")
}

// nameText returns a name in wire form as text, with the final dot.
func nameText(wire []byte) string {
	s, _, err := dns.UnpackDomainName(wire, 0)
	if err != nil {
		return "."
	}
	return s
}

// wireName returns a canonical name in wire form.
func wireName(name string) []byte {
	b := make([]byte, 0, len(name)+1)
	for name != "" {
		label, rest, _ := strings.Cut(name, ".")
		b = append(append(b, byte(len(label))), label...)
		name = rest
	}
	return append(b, 0)
}
