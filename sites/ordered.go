package sites

import (
	"time"

	"fairlead/config"
	"fairlead/gslb"
)

// Ordered is Status.Ordered for a document and its plan: what operators want of virtual servers at now. An Enable only ends what was ordered
// before, as documents do not disable virtual servers. Nil: nothing is wanted.
func (s *Overrides) Ordered(doc *config.Document, plan *gslb.Plan, now time.Time) []gslb.Ordered {
	wanted := s.ofVirtualServers(now)
	if len(wanted) == 0 {
		return nil
	}
	var out []gslb.Ordered
	for i := range doc.VirtualServers {
		o, ok := wanted[doc.VirtualServers[i].Name]
		if !ok {
			continue
		}
		if out == nil {
			out = make([]gslb.Ordered, plan.VirtualServers())
		}
		out[i] = gslb.Ordered{State: gslb.Draining, Reason: "override " + o.explain(now)}
		if o.Action == Disable {
			out[i].State = gslb.Disabled
		}
	}
	return out
}

// ofVirtualServers returns by name what is ordered of virtual servers and takes them out of use.
func (s *Overrides) ofVirtualServers(now time.Time) map[string]Override {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out map[string]Override
	for key, o := range s.entries {
		if key.kind != OfVirtualServerUse || o.Action == Enable || !o.standing(now) {
			continue
		}
		if out == nil {
			out = make(map[string]Override)
		}
		out[key.name] = o
	}
	return out
}
