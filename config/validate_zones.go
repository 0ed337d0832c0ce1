package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/miekg/dns"
)

// zoneFacts is what the checks of balanced names need to know about a zone.
type zoneFacts struct {
	index   int
	name    string                    // canonical
	types   map[string]map[uint16]int // owner -> type -> line of the first such record
	records []zoneRecord
}

func (z *zoneFacts) has(owner string, rrtype uint16) bool {
	_, ok := z.types[owner][rrtype]
	return ok
}

func (c *checker) checkZones() {
	c.zones = make(map[string]*zoneFacts, len(c.doc.Zones))
	c.limit(at("zones"), "zones", len(c.doc.Zones), MaxZones)
	for i := range c.doc.Zones {
		z := &c.doc.Zones[i]
		path := at("zones", i)
		name, err := canonicalHost(z.Name)
		if err != nil {
			c.problem(path+"/name", codeDomainName, "", "%v", err)
			continue
		}
		if first, taken := c.zones[name]; taken {
			c.problem(path+"/name", codeDuplicateZone, c.firstAt(at("zones", first.index, "name")), "zone %s is listed twice", quote(z.Name))
			continue
		}
		facts := &zoneFacts{index: i, name: name, types: map[string]map[uint16]int{}}
		c.zones[name] = facts
		c.shortTTL(path+"/ttl", z.TTL)
		checkClientPrefixes(c.page, path+"/allow_query", z.AllowQuery)
		c.checkTransfer(z, path)
		switch {
		case z.Secondary():
			c.checkSecondaryKeys(z, path)
			continue
		case z.File != "":
			c.checkZoneFileKeys(z, path)
		default:
			c.checkZoneKeys(z, path)
		}
		c.checkZoneData(z, path, facts)
	}
	c.checkNesting()
}

// checkZoneKeys checks what the SOA and NS records are made from.
func (c *checker) checkZoneKeys(z *Zone, path string) {
	if len(z.Nameservers) == 0 {
		c.problem(path+"/nameservers", codeNameservers, "add nameservers: [ns1."+strings.TrimSuffix(z.Name, ".")+"], or file:",
			"zone %s has no nameservers", quote(z.Name))
	}
	c.limit(path+"/nameservers", "nameservers", len(z.Nameservers), MaxNameservers)
	for i, ns := range z.Nameservers[:min(len(z.Nameservers), MaxNameservers)] {
		if _, err := canonicalHost(ns); err != nil {
			c.problem(path+at("nameservers", i), codeDomainName, "", "%v", err)
		}
	}
	if _, err := z.Mailbox(); err != nil {
		c.problem(path+"/contact", codeContact, "write hostmaster@example.com or hostmaster.example.com", "%v", err)
	}
}

// checkZoneFileKeys refuses keys beside file that the file brings itself.
func (c *checker) checkZoneFileKeys(z *Zone, path string) {
	for _, key := range []string{"nameservers", "contact", "serial", "records"} {
		if c.page.present(path + "/" + key) {
			c.problem(path+"/"+key, codeZoneKeys, "put it into "+quote(z.File)+" or remove file:", "zone %s has a file, which brings its own %s", quote(z.Name), key)
		}
	}
	if _, read := c.src.Files[z.File]; !read {
		why := "it is not among the files given"
		if err := c.src.unread[z.File]; err != nil {
			why = err.Error()
			var inPath *fs.PathError
			if errors.As(err, &inPath) {
				why = inPath.Err.Error()
			}
		}
		c.problem(path+"/file", codeZoneFile, "the path is relative to this document", "zone file %s cannot be read: %s", quote(z.File), why)
	}
}

// checkZoneData parses the zone's text and checks each record.
func (c *checker) checkZoneData(z *Zone, path string, facts *zoneFacts) {
	key, text := path+"/records", z.Records
	ttl := uint32(z.TTL.Std().Seconds())
	defaultTTL := &ttl
	file := ""
	if z.File != "" {
		if _, read := c.src.Files[z.File]; !read {
			return
		}
		key, text, defaultTTL, file = path+"/file", z.FileText, nil, z.File
	}
	if file != "" {
		c.page.report.keepText(c.zoneFilePath(file), []byte(text))
	}
	records, problem := parseZoneText(text, facts.name, defaultTTL)
	if problem != nil {
		for _, p := range zoneProblems(text, facts.name, defaultTTL, problem) {
			c.textProblem(key, file, p, codeZoneText)
		}
	}
	facts.records = records
	for _, r := range records {
		if f, bad := checkRecord(r.rr, facts.name, file != ""); bad {
			c.textProblem(key, file, &zoneTextError{line: r.line, token: ownerToken(r.rr, facts.name), finding: f}, codeZoneText)
			continue
		}
		facts.add(r)
	}
	c.checkOwners(key, file, facts)
	c.checkRecordSets(key, file, facts)
	switch {
	case problem != nil: // what seems to be missing may stand in what could not be read
	case file == "":
		c.checkNameserverAddresses(z, path, facts)
	default:
		c.checkFileApex(z, path, facts)
	}
}

func (z *zoneFacts) add(r zoneRecord) {
	h := r.rr.Header()
	byType := z.types[h.Name]
	if byType == nil {
		byType = map[uint16]int{}
		z.types[h.Name] = byType
	}
	if _, known := byType[h.Rrtype]; !known {
		byType[h.Rrtype] = r.line
	}
}

// ownerToken is how the owner probably stands in the text, to mark it.
func ownerToken(rr dns.RR, zone string) string {
	return strings.TrimSuffix(strings.TrimSuffix(rr.Header().Name, zone), ".")
}

// checkRecord checks one record by itself.
func checkRecord(rr dns.RR, zone string, fromFile bool) (finding, bool) {
	h := rr.Header()
	kind := dns.Type(h.Rrtype).String()
	switch {
	case h.Class != dns.ClassINET:
		return finding{codeRecordKind, "only class IN can be served", ""}, true
	case !inZone(h.Name, zone):
		return finding{codeOutOfZone, fmt.Sprintf("%s is outside zone %s", show(h.Name), show(zone)),
			"a name that ends with a dot is complete; without one the zone is appended"}, true
	case h.Rrtype == 0 || h.Rrtype == dns.TypeReserved || h.Rrtype == dns.TypeOPT || h.Rrtype >= 128 && h.Rrtype <= 255:
		return finding{codeRecordKind, fmt.Sprintf("type %s cannot be in a zone", kind), ""}, true
	case (h.Rrtype == dns.TypeNS || h.Rrtype == dns.TypeDNAME) && strings.HasPrefix(h.Name, "*."):
		return finding{codeRecordKind, fmt.Sprintf("a wildcard cannot have %s records (RFC 4592 section 4)", kind), "write the names out"}, true
	case h.Ttl > maxRecordTTL:
		return finding{codeRecordTTLTooLong, fmt.Sprintf("TTL %d is above %d", h.Ttl, maxRecordTTL), ""}, true
	case (h.Rrtype == dns.TypeCNAME || h.Rrtype == dns.TypeDNAME) && h.Name == zone:
		return finding{codeApexCNAME, fmt.Sprintf("the top of a zone cannot be a %s", kind), "balance the name, or give it addresses"}, true
	case !fromFile && h.Rrtype == dns.TypeSOA:
		return finding{codeRecordKind, "the SOA is made from the zone's keys", "remove it, or use file: for a complete zone file"}, true
	case fromFile && h.Rrtype == dns.TypeSOA && h.Name != zone:
		return finding{codeRecordKind, "a SOA can only be at the top of the zone", ""}, true
	case !fromFile && h.Rrtype == dns.TypeNS && h.Name == zone:
		return finding{codeRecordKind, "the zone's NS records are made from nameservers", "add the name there"}, true
	}
	if err := measure(rr); err != nil {
		return finding{codeZoneText, fmt.Sprintf("the data of this %s record cannot be put on the wire: %v", kind, err), ""}, true
	}
	return finding{}, false
}

// checkOwners finds names with a CNAME and something else.
func (c *checker) checkOwners(key, file string, facts *zoneFacts) {
	cnames := map[string]bool{}
	for _, r := range facts.records {
		h := r.rr.Header()
		if h.Rrtype != dns.TypeCNAME || !inZone(h.Name, facts.name) {
			continue
		}
		if !cnames[h.Name] && !facts.hasBesideCNAME(h.Name) {
			cnames[h.Name] = true
			continue
		}
		c.textProblem(key, file, &zoneTextError{line: r.line, token: ownerToken(r.rr, facts.name), finding: finding{codeCNAMEAndOther,
			fmt.Sprintf("%s has a CNAME and other records", show(h.Name)), "a CNAME stands alone (RFC 1034 section 3.6.2)"}}, codeZoneText)
	}
}

func (z *zoneFacts) hasBesideCNAME(owner string) bool {
	for t := range z.types[owner] {
		switch t {
		case dns.TypeCNAME, dns.TypeRRSIG, dns.TypeNSEC:
		default:
			return true
		}
	}
	return false
}

// checkFileApex checks that a zone file brings exactly one SOA and at least one NS.
func (c *checker) checkFileApex(z *Zone, path string, facts *zoneFacts) {
	count := 0
	for _, r := range facts.records {
		if h := r.rr.Header(); h.Rrtype == dns.TypeSOA && h.Name == facts.name {
			count++
		}
	}
	if count != 1 {
		c.problem(path+"/file", codeZoneApex, "a zone file has exactly one", "zone file %s has %d SOA records", quote(z.File), count)
	}
	if !facts.has(facts.name, dns.TypeNS) {
		c.problem(path+"/file", codeZoneApex, "add one for each of the zone's nameservers", "zone file %s has no NS record for %s", quote(z.File), show(facts.name))
	}
}

// zoneFilePath is the name of a zone file in problems: as the document's own name, so that editors can open it.
func (c *checker) zoneFilePath(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(filepath.Dir(c.page.file), file)
}

func (c *checker) inZoneFile(file, path string, e *zoneTextError) {
	name := c.zoneFilePath(file)
	lines := splitLines(c.page.report.texts[name])
	p := Problem{File: name, Line: e.line, Path: path, Code: e.code, Message: e.message, Hint: e.hint}
	if e.line <= len(lines) {
		p.Column, p.Width = tokenSpan(lines[e.line-1], e.token)
	}
	c.page.report.add(p)
}
