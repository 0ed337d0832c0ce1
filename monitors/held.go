package monitors

import (
	"cmp"
	"slices"
)

// Verdicts returns what is held of a service's targets now, by the name of the monitor and by address: of those that are probed here,
// and of passive and calculated ones. State is Unknown before the first result. Safe for concurrent use.
func (s *Scheduler) Verdicts(service string) []Verdict {
	s.mu.Lock()
	probes, passive, calculated := s.byService[service], s.passive[service], s.calculatedOf[service]
	s.mu.Unlock()
	var out []Verdict
	for _, list := range [][]*probed{probes, passive} {
		for _, p := range list {
			if p.unbound || p.target.Service != service {
				continue // only a part of what is calculated
			}
			out = append(out, heldBy(p))
		}
	}
	for _, d := range calculated {
		if !d.of.Unbound {
			out = append(out, heldBy(d))
		}
	}
	slices.SortFunc(out, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(a.Monitor, b.Monitor), a.Address.Compare(b.Address))
	})
	return out
}

func heldBy(of voice) Verdict {
	v, known := of.holds()
	if !known {
		key := of.key()
		v.Service, v.Monitor, v.Address = key.service, key.monitor, key.address
	}
	return v
}

// Services returns the names of all services of which something is held.
func (s *Scheduler) Services() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make(map[string]bool, len(s.byService))
	for name := range s.byService {
		names[name] = true
	}
	for name := range s.passive {
		names[name] = true
	}
	for name := range s.calculatedOf {
		names[name] = true
	}
	out := make([]string, 0, len(names))
	for name := range names {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
