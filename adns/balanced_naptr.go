package adns

import (
	"slices"
	"strings"

	"fairlead/config"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// maxNAPTR is the most NAPTR records in one answer, so that any fit into a message. There are two names and three strings in
// each, which is a kilobyte at most.
const maxNAPTR = 48

// ReasonAllUsable is the reason of step answer for records of all usable services.
const ReasonAllUsable gslb.Reason = "all-usable"

// answerNAPTR answers NAPTR with the records of a decision's services and, if the document says so, of all others that may be
// picked: clients choose by order and preference (RFC 3403 section 4.1). When all is down there are none of those.
func (r *resolution) answerNAPTR(a *config.NAPTRAnswer, d *gslb.Decision) {
	snapshot := r.snapshot.GSLB
	services := slices.Clone(d.Services[:d.Count])
	if a.All && d.Reason != gslb.ReasonAllDown {
		services = snapshot.AppendUsable(services, d.VirtualServer, gslb.ByNAPTR)
	}
	var records []dns.RR
	var named []gslb.Candidate
	for _, i := range services {
		s := snapshot.Plan.Service(i)
		if s.NAPTR == nil || len(records) == maxNAPTR {
			continue
		}
		records = addNAPTR(records, r.header(dns.TypeNAPTR, d.TTL), s.NAPTR)
		if r.trace != nil && !slices.ContainsFunc(named, func(c gslb.Candidate) bool { return c.Service == s.Name }) {
			named = append(named, gslb.Candidate{Service: s.Name, Site: s.Site, Kept: true, Reason: gslb.ReasonAlsoUsable, AgeSeconds: -1})
		}
	}
	r.ans.Answer = append(r.ans.Answer, records...)
	if len(named) > int(d.Count) {
		r.trace.Add(gslb.Entry{Step: gslb.StepAnswer, VirtualServer: snapshot.Plan.VirtualServerName(d.VirtualServer), Reason: ReasonAllUsable,
			Detail: "the NAPTR records of all usable services", After: len(named), Candidates: named})
	}
}

// addNAPTR adds a record unless it is there already.
func addNAPTR(records []dns.RR, header dns.RR_Header, n *config.NAPTRService) []dns.RR {
	rr := &dns.NAPTR{Hdr: header, Order: uint16(n.Order), Preference: uint16(n.Preference), Flags: n.Flags, Service: escaped(n.Services),
		Regexp: escaped(n.Regexp), Replacement: "."}
	if name, err := config.CanonicalName(n.Replacement); err == nil {
		rr.Replacement = name
	}
	if slices.ContainsFunc(records, func(other dns.RR) bool { return dns.IsDuplicate(other, rr) }) {
		return records
	}
	return append(records, rr)
}

// escaped writes a character string in the presentation form that records hold it in.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}
