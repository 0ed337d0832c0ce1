package sites

import (
	"time"

	"fairlead/gslb"
	"fairlead/mep"
)

// Records is what a site tells others: the belief in s about its own services, with ages as of now.
func Records(s *gslb.Snapshot, site string, now time.Time) []mep.ServiceRecord {
	var out []mep.ServiceRecord
	for i := range s.Status.Services {
		service := s.Plan.Service(gslb.ServiceIndex(i))
		if service.Site != site {
			continue
		}
		status := &s.Status.Services[i]
		r := mep.ServiceRecord{
			Name: service.Name, State: wireState(status.State), Reason: status.Reason,
			Without4: status.Without4, Without6: status.Without6,
		}
		if !status.Seen.IsZero() {
			r.Has |= mep.HasEvidenceAge
			r.EvidenceAge = max(now.Sub(status.Seen), 0)
		}
		if !status.Load.At.IsZero() {
			r.Has |= mep.HasActiveConnections | mep.HasLoadAge
			r.ActiveConnections, r.LoadAge = status.Load.Active, max(now.Sub(status.Load.At), 0)
		}
		out = append(out, r)
	}
	return out
}

func wireState(s gslb.State) mep.State {
	switch s {
	case gslb.Up:
		return mep.StateUp
	case gslb.Down:
		return mep.StateDown
	case gslb.Disabled:
		return mep.StateDisabled
	case gslb.Draining:
		return mep.StateDraining
	}
	return mep.StateUnknown
}
