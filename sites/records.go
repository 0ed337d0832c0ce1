package sites

import (
	"math"
	"time"

	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors/metric"
)

// Records is what a site tells others: the belief in s about its own services, with ages as of now.
func Records(s *gslb.Snapshot, site string, now time.Time) []mep.ServiceRecord {
	count := 0
	for i := range s.Status.Services {
		if s.Plan.Service(gslb.ServiceIndex(i)).Site == site {
			count++
		}
	}
	out := make([]mep.ServiceRecord, 0, count)
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
		tellLoad(&r, status, now)
		out = append(out, r)
	}
	return out
}

// tellLoad puts in what was measured last. One age holds for all of it, so what is older than the newest is left out: the
// other site has it from when it was new.
func tellLoad(r *mep.ServiceRecord, status *gslb.ServiceStatus, now time.Time) {
	newest := status.Load.At
	if status.Measures != nil {
		for i := range metering {
			if at := metering[i].of(status.Measures).At; at.After(newest) {
				newest = at
			}
		}
	}
	if newest.IsZero() {
		return
	}
	r.Has |= mep.HasLoadAge
	r.LoadAge = max(now.Sub(newest), 0)
	if status.Load.At.Equal(newest) {
		r.Has |= mep.HasActiveConnections
		r.ActiveConnections = status.Load.Active
	}
	if status.Measures == nil {
		return
	}
	for i := range metering {
		if m := metering[i].of(status.Measures); m.At.Equal(newest) {
			toWire(r, metering[i].wire, m.Value)
		}
	}
}

// thousandth is the unit of custom load on the wire. What is below a threshold must stay below it there, and what is at it
// must stay at it although fractions are not exact.
const (
	thousandth = 1e3
	roundedUp  = 1e-6
)

// toWire puts a metric into a record, in its unit there.
func toWire(r *mep.ServiceRecord, f mep.Fields, v float64) {
	r.Has |= f
	whole := uint64(math.Round(min(v, metric.MaxActive)))
	switch f {
	case mep.HasRequestsPerSecond:
		r.RequestsPerSecond = whole
	case mep.HasResponseTime:
		r.ResponseTime = time.Duration(min(v, mep.MaxAge.Seconds()) * float64(time.Second))
	case mep.HasBitsPerSecond:
		r.BitsPerSecond = whole
	case mep.HasPacketsPerSecond:
		r.PacketsPerSecond = whole
	case mep.HasCustomLoad:
		r.CustomLoad = uint64(min(v*thousandth+roundedUp, metric.MaxActive))
	case mep.HasMembersBehind:
		r.MembersBehind = whole
	case mep.HasMemberWeight:
		r.MemberWeight = whole
	case mep.HasCapacity:
		r.Capacity = whole
	}
}

// fromWire returns a metric of a record in its unit here.
func fromWire(r *mep.ServiceRecord, f mep.Fields) float64 {
	var whole uint64
	switch f {
	case mep.HasRequestsPerSecond:
		whole = r.RequestsPerSecond
	case mep.HasResponseTime:
		return r.ResponseTime.Seconds()
	case mep.HasBitsPerSecond:
		whole = r.BitsPerSecond
	case mep.HasPacketsPerSecond:
		whole = r.PacketsPerSecond
	case mep.HasCustomLoad:
		return float64(min(r.CustomLoad, metric.MaxActive)) / thousandth
	case mep.HasMembersBehind:
		whole = r.MembersBehind
	case mep.HasMemberWeight:
		whole = r.MemberWeight
	case mep.HasCapacity:
		whole = r.Capacity
	}
	return float64(min(whole, metric.MaxActive))
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
