package mesh_test

import (
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"fairlead/mep"
)

// measured and confirmed are how often a service's load is measured, and its state confirmed by a probe.
const (
	measured  = time.Second
	confirmed = 5 * time.Second
)

// source is the services of a site. Their numbers change as those of real ones: connections by a random walk, rates by up to 2
// percent from where they are usually.
type source struct {
	rng     *mathrand.Rand
	records []mep.ServiceRecord
	load    time.Time   // when load was measured
	checked []time.Time // when states were confirmed
}

func serviceName(site string, i int) string { return fmt.Sprintf("%s-%d", site, i) }

func newSource(rng *mathrand.Rand, site string, services int) *source {
	s := &source{rng: rng, load: time.Now()}
	for i := range services {
		s.records = append(s.records, mep.ServiceRecord{Name: serviceName(site, i), State: mep.StateUp, Reason: "monitor web-ok: passed",
			Has:               mep.HasActiveConnections | mep.HasRequestsPerSecond | mep.HasResponseTime | mep.HasBitsPerSecond | mep.HasPacketsPerSecond | mep.HasLoadAge | mep.HasEvidenceAge,
			ActiveConnections: 1000 + rng.Uint64N(5000), RequestsPerSecond: 400, ResponseTime: 23 * time.Millisecond, BitsPerSecond: 123_456_789, PacketsPerSecond: 12_000})
		s.checked = append(s.checked, time.Now().Add(-time.Duration(rng.Int64N(int64(confirmed)))))
	}
	return s
}

// services moves the source on to now. The result is written to by the next call.
func (s *source) services() []mep.ServiceRecord {
	now := time.Now()
	walks := now.Sub(s.load) >= measured
	if walks {
		s.load = now.Add(-time.Duration(s.rng.Int64N(int64(50 * time.Millisecond))))
	}
	vary := func(v uint64) uint64 { return v*98/100 + s.rng.Uint64N(v*4/100+1) }
	for i := range s.records {
		r := &s.records[i]
		if walks {
			r.ActiveConnections += s.rng.Uint64N(41) - 20
			r.RequestsPerSecond, r.BitsPerSecond, r.PacketsPerSecond = vary(400), vary(123_456_789), vary(12_000)
			r.ResponseTime = time.Duration(vary(23_000)) * time.Microsecond
		}
		if now.Sub(s.checked[i]) >= confirmed {
			s.checked[i] = now
		}
		r.LoadAge, r.EvidenceAge = now.Sub(s.load), now.Sub(s.checked[i])
	}
	return s.records
}

// rest has the numbers and states of all services stay as they are: no load is measured, and what is confirmed is not said.
func (s *source) rest() {
	for i := range s.records {
		s.records[i].Has &^= mep.HasLoadAge | mep.HasEvidenceAge
	}
	s.load = time.Now().Add(1000 * time.Hour)
}
