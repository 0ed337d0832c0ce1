package config

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"fairlead/config/zonedata"
)

// zoneFacts is what the checks of balanced names need to know about a zone.
type zoneFacts struct {
	index int
	name  string         // canonical
	data  *zonedata.Zone // to look names up; nil: nothing is known
	twin  *zoneFacts     // the next zone of the same name, for the clients of other views
}

// find returns the node of a canonical name within the zone, 0 when it has none.
func (z *zoneFacts) find(owner string) zonedata.Ref {
	if z.data == nil {
		return 0
	}
	wire := wireName(owner)
	return z.data.Find(zonedata.HashName(wire), wire[:len(wire)-len(z.data.Origin())])
}

func (z *zoneFacts) has(owner string, rrtype uint16) bool {
	node := z.find(owner)
	if node == 0 {
		return false
	}
	set, _ := z.data.Set(node, rrtype)
	return set != nil
}

// types returns the types of the records of a canonical name.
func (z *zoneFacts) types(owner string) []uint16 {
	node := z.find(owner)
	if node == 0 {
		return nil
	}
	var out []uint16
	z.data.Sets(node)(func(rrtype uint16, _ int, _ []byte) bool {
		out = append(out, rrtype)
		return true
	})
	return out
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
		c.checkZoneViews(z, path+"/views")
		facts := &zoneFacts{index: i, name: name}
		if !c.addZone(z, facts, path+"/name") {
			continue
		}
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

// addZone makes a zone known by its name. It reports a zone that is seen by clients who see another one of the same name.
func (c *checker) addZone(z *Zone, facts *zoneFacts, path string) bool {
	last := c.zones[facts.name]
	if last == nil {
		c.zones[facts.name] = facts
		return true
	}
	for other := last; other != nil; last, other = other, other.twin {
		view, both := sameClients(z, &c.doc.Zones[other.index])
		hint := c.firstAt(at("zones", other.index, "name"))
		switch {
		case both && view == "":
			c.problem(path, codeDuplicateZone, hint, "zone %s is listed twice", quote(z.Name))
			return false
		case both:
			c.problem(path, codeDuplicateZone, hint, "zone %s is listed twice for view %s", quote(z.Name), quote(view))
			return false
		}
	}
	last.twin = facts
	return true
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
			why = unreadReason(err)
		}
		c.problem(path+"/file", codeZoneFile, "the path is relative to this document", "zone file %s cannot be read: %s", quote(z.File), why)
	}
}

// unreadReason is why a file could not be read, without its path.
func unreadReason(err error) string {
	var inPath *fs.PathError
	if errors.As(err, &inPath) {
		return inPath.Err.Error()
	}
	return err.Error()
}

// checkZoneData reads the zone's text and checks its records.
func (c *checker) checkZoneData(z *Zone, path string, facts *zoneFacts) {
	key, text := path+"/records", []byte(z.Records)
	if z.File != "" {
		read := false
		if text, read = c.src.Files[z.File]; !read {
			return
		}
		key = path + "/file"
	}
	if c.readBefore(z, facts) {
		if z.File == "" {
			c.checkNameserverAddresses(z, path, facts)
		}
		return
	}
	before := c.page.report.errors + c.page.report.warnings
	c.src.opened = map[string]bool{}
	reading, err := newZoneReading(z, facts.name, &c.reader, func(e *zoneTextError) { c.zoneProblem(key, e) })
	if err != nil {
		c.problem(path+"/name", codeDomainName, "", "%v", err)
		return
	}
	reading.text(text, &c.src)
	facts.data = reading.finish()
	if z.Data != nil {
		z.Records = "" // it would be kept as long as the document
		if before == c.page.report.errors+c.page.report.warnings && !reading.malformed && len(reading.whole) == 0 {
			c.keepReading(z, facts)
		}
	}
	switch {
	case reading.malformed: // what seems to be missing may stand in what could not be read
	case z.File == "":
		c.checkNameserverAddresses(z, path, facts)
	default:
		c.checkFileApex(z, path, reading.whole, facts)
	}
}

// checkFileApex reports a zone file that does not bring exactly one SOA and at least one NS.
func (c *checker) checkFileApex(z *Zone, path string, problems []zonedata.Problem, facts *zoneFacts) {
	for _, p := range problems {
		if p.Kind == zonedata.WrongSOACount {
			c.problem(path+"/file", codeZoneApex, "a zone file has exactly one", "zone file %s has %d SOA records", quote(z.File), p.Count)
			continue
		}
		c.problem(path+"/file", codeZoneApex, "add one for each of the zone's nameservers", "zone file %s has no NS record for %s", quote(z.File), show(facts.name))
	}
}

// zoneProblem reports what is wrong with a zone's text. key names the text.
func (c *checker) zoneProblem(key string, e *zoneTextError) {
	if c.page.report.full(e.code) {
		c.page.report.count(e.code)
		return
	}
	if e.file == "" {
		c.page.problemInText(key, e.line, e.token, e.finding)
		return
	}
	name := c.zoneFilePath(e.file)
	c.page.report.keepText(name, c.src.Files[e.file])
	p := Problem{File: name, Line: e.line, Path: key, Code: e.code, Message: e.message, Hint: e.hint}
	if e.line > 0 {
		p.Column, p.Width = tokenSpan(c.fileLine(e.file, e.line), e.token)
	}
	c.page.report.add(p)
}

// fileLine returns a line of a zone file, counted from 1.
func (c *checker) fileLine(file string, line int) string {
	text := c.src.Files[file]
	for ; line > 1; line-- {
		n := bytes.IndexByte(text, '\n')
		if n < 0 {
			return ""
		}
		text = text[n+1:]
	}
	text, _, _ = bytes.Cut(text, []byte{'\n'})
	return string(bytes.TrimSuffix(text, []byte{'\r'}))
}

// zoneFilePath is the name of a zone file in problems: as the document's own name, so that editors can open it.
func (c *checker) zoneFilePath(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(filepath.Dir(c.page.file), file)
}
