package adns

import (
	"errors"
	"slices"

	"fairlead/adns/transfer"
	"fairlead/config"
	"fairlead/config/zonedata"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// Transferred returns the records of a zone that comes from primaries; false while it has none, because it was never
// transferred or has expired.
type Transferred func(zone *config.Zone) (records []dns.RR, ok bool)

// CompileZonesFrom is CompileZones for a document with zones that come from primaries. A zone without data is answered
// with SERVFAIL.
func CompileZonesFrom(doc *config.Document, plan *gslb.Plan, transferred Transferred) (*Zones, error) {
	var problems []error
	data := make([]*zonedata.Zone, 0, len(doc.Zones))
	missing := make([]bool, len(doc.Zones))
	for i := range doc.Zones {
		zone, absent, err := staticData(&doc.Zones[i], transferred)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		data, missing[i] = append(data, zone), absent
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return compileAll(doc, plan, data, missing)
}

// Replace compiles the zones anew with other records of some that come from primaries, by their transfer.ZoneID. doc and plan
// are those that z was compiled from.
func (z *Zones) Replace(doc *config.Document, plan *gslb.Plan, ids []string, transferred Transferred) (*Zones, error) {
	data := slices.Clone(z.zones)
	missing := make([]bool, len(data))
	copy(missing, z.missing)
	replaced := make(map[string]bool, len(ids))
	for _, id := range ids {
		replaced[id] = true
	}
	for i := range doc.Zones {
		if !doc.Zones[i].Secondary() || !replaced[transfer.ZoneID(&doc.Zones[i])] {
			continue
		}
		var err error
		if data[i], missing[i], err = staticData(&doc.Zones[i], transferred); err != nil {
			return nil, err
		}
	}
	return compileAll(doc, plan, data, missing)
}

// staticData returns what a zone has apart from balanced names, and whether that is missing at the moment.
func staticData(z *config.Zone, transferred Transferred) (data *zonedata.Zone, missing bool, err error) {
	if !z.Secondary() {
		data, err = config.ZoneData(z)
		return data, false, err
	}
	var records []dns.RR
	ok := false
	if transferred != nil {
		records, ok = transferred(z)
	}
	data, err = config.TransferredZoneData(z, records)
	return data, !ok, err
}

// compileAll is the rest of CompileZonesFrom: data and missing are by index of the document's zones.
func compileAll(doc *config.Document, plan *gslb.Plan, data []*zonedata.Zone, missing []bool) (*Zones, error) {
	views, err := zoneViews(doc)
	if err != nil {
		return nil, err
	}
	zones, err := compileFaces(data, views, plan)
	if err != nil {
		return nil, err
	}
	zones.admit(doc.Zones)
	defer zones.share()
	if !slices.Contains(missing, true) {
		return zones, nil
	}
	// The list of clients keeps such zones off the fast path: nobody is in it.
	zones.missing = missing
	if zones.clients == nil {
		zones.clients = make([]*clients, len(zones.zones))
	}
	for i, absent := range missing {
		if absent {
			zones.clients[i] = new(clients)
		}
	}
	return zones, nil
}

// absent reports whether a zone has no data at the moment.
func (z *Zones) absent(zone uint32) bool { return z.missing != nil && z.missing[zone] }

// withoutData ends the chain in a zone that has no data.
func (r *resolution) withoutData(links int) {
	r.note(ReasonNoData, "")
	if links > 0 {
		return // the alias is told; its target is not
	}
	r.ans.Rcode = dns.RcodeServerFailure
	r.ans.EDE = ExtendedError{Code: edeInvalidData}
}
