package adns

import (
	"fairlead/config"
	"fairlead/gslb"
)

// Amended returns the zones for a document and its plan when that was made from another one, before, which z was compiled with (gslb.Plan.SinceRenumbered), and what differs
// is the addresses of services alone, and which there are: it costs little. nil: the zones have to be compiled. Zones of primaries may have other records by now, and are.
func (z *Zones) Amended(doc *config.Document, plan, before *gslb.Plan) *Zones {
	services, virtualServers, known := plan.SinceRenumbered(before)
	if !known || len(virtualServers) > 0 || z.faces != nil || plan.Views() > 0 {
		return nil
	}
	for i := range doc.Zones {
		if doc.Zones[i].Secondary() {
			return nil
		}
	}
	for _, i := range services {
		if was, there := plan.ServiceBefore(before, i); there && (plan.Service(i).CNAME == "") != (before.Service(was).CNAME == "") {
			return nil // whether a name may be answered with another one is known of each name
		}
	}
	out := *z
	out.services = compileServices(plan, 0)
	return &out
}
