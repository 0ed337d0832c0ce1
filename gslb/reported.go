package gslb

import "time"

// ComparesLoad reports whether some virtual server chooses by the service's load.
func (s *Service) ComparesLoad() bool { return s.counted }

// Reported returns when a number of the service was last reported; zero: never.
func (s *ServiceStatus) Reported() time.Time {
	last := s.Load.At
	m := s.Measures
	if m == nil {
		return last
	}
	for _, one := range [...]*Measure{&m.ResponseTime, &m.Bandwidth, &m.Packets, &m.Custom, &m.Requests, &m.Members, &m.MemberWeight, &m.Capacity} {
		if one.At.After(last) {
			last = one.At
		}
	}
	return last
}

// Changed returns when the state of a service that a canonical decision may depend on last changed; zero: never.
func (c *Canonical) Changed(question int) (last time.Time) {
	s := c.snapshot
	vs := int(s.Plan.domains[c.sample.questions[question].Query.Domain].virtualServer)
	for depth := 0; vs != none && depth <= MaxBackupDepth; depth++ {
		v := &s.Plan.virtualServers[vs]
		for i := range v.members {
			if since := s.Status.Services[v.members[i].service].Since; since.After(last) {
				last = since
			}
		}
		vs = v.backup
	}
	return last
}
