package node

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/mep"
)

// hear takes in what the exchange tells, and hands it on to belief with the names that announced services have in their groups.
// Safe for concurrent use.
func (a *announced) hear(e mep.Event) {
	a.mu.Lock()
	idle := len(a.heard) == 0
	a.mu.Unlock()
	if idle {
		a.pass(e)
		return
	}
	a.order.Lock()
	defer a.order.Unlock()
	a.pass(a.take(e))
}

// take notes an event, and returns it as belief is to be told of it.
func (a *announced) take(e mep.Event) mep.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch e := e.(type) {
	case *mep.ServicesReport:
		if h := a.heard[reportedSite(e)]; h != nil {
			return a.report(h, e)
		}
	case *mep.PeerLeaving:
		if h := a.heard[e.Peer]; h != nil {
			*h = announcer{}
			a.withdraw(e.Peer, e.At)
		}
	case *mep.SessionDown:
		for _, h := range a.heard {
			if h.report != nil && h.report.Peer == e.Peer {
				*h = announcer{}
			}
		}
	case *mep.SiteReach:
		h := a.heard[e.Site]
		if h == nil || e.Reach == mep.ReachHeard || h.report == nil || h.report.Peer != e.Peer {
			break
		}
		if *h = (announcer{}); e.Reach == mep.ReachLeft {
			a.withdraw(e.Site, e.At)
		}
	}
	return e
}

// reportedSite is the site whose services a report is about.
func reportedSite(r *mep.ServicesReport) string {
	if r.Site == "" {
		return r.Peer
	}
	return r.Site
}

// report takes in a report of a site that announces. Nothing but the ages is new in one with the same records as before.
func (a *announced) report(h *announcer, r *mep.ServicesReport) *mep.ServicesReport {
	site, before := reportedSite(r), h.report
	same := before != nil && len(before.Records) == len(r.Records) && len(r.Records) > 0 && &before.Records[0] == &r.Records[0]
	if !same {
		a.takeIn(site, r.Records, time.Now())
		h.report, h.told = r, a.translated(site, r)
		return h.told
	}
	told := *r
	told.Records = h.told.Records
	h.report, h.told = r, &told
	for _, s := range a.group {
		if s.site == site {
			s.at = r.ReceivedAt
		}
	}
	return h.told
}

// translated is a report with the names that announced services have in their groups. What no group takes in is left out.
func (a *announced) translated(site string, r *mep.ServicesReport) *mep.ServicesReport {
	out := *r
	out.Records = make([]mep.ServiceRecord, 0, len(r.Records))
	for i := range r.Records {
		record := r.Records[i]
		if record.Announced == nil || a.named[record.Name] {
			out.Records = append(out.Records, record)
			continue
		}
		name := record.Name
		for _, s := range a.group {
			if s.site == site && s.settings.Label == record.Announced.Label && s.has(name) {
				record.Name = s.name + ":" + name
				out.Records = append(out.Records, record)
			}
		}
	}
	return &out
}

// has reports whether a service is one of the group's.
func (s *announcedGroup) has(name string) bool {
	_, ok := slices.BinarySearchFunc(s.live, name, func(m announcedMember, name string) int { return strings.Compare(m.Name, name) })
	return ok
}

// takeIn makes what a site announces the members of its groups.
func (a *announced) takeIn(site string, records []mep.ServiceRecord, now time.Time) {
	for _, s := range a.group {
		if s.site != site {
			continue
		}
		usable := make(map[string]announcedMember)
		s.at, s.refused = now, 0
		why := ""
		for i := range records {
			r := &records[i]
			if r.Announced == nil || r.Announced.Label != s.settings.Label || a.named[r.Name] {
				continue
			}
			m, err := s.member(r, a.local[site])
			if err == nil {
				usable[m.Name] = m // of a name that comes twice the last record counts
				continue
			}
			if s.refused++; s.refused == 1 {
				why = err.Error()
			}
		}
		if why != "" && why != s.refusal {
			a.log.Warn("group.refused", zap.String("group", s.name), zap.String("site", site), zap.Int("services", s.refused), zap.String("why", why))
		}
		s.refusal = why
		a.settle(s, usable, now)
	}
}

// member checks what is announced.
func (s *announcedGroup) member(r *mep.ServiceRecord, local bool) (announcedMember, error) {
	n := r.Announced
	m := announcedMember{Name: r.Name, IPv4: n.IPv4, IPv6: n.IPv6, Port: int(n.Port), Weight: int(n.Weight)}
	return m, s.check(&m, local)
}

func (s *announcedGroup) check(m *announcedMember, local bool) error {
	switch name := s.name + ":" + m.Name; {
	case strings.Contains(m.Name, ":"):
		return fmt.Errorf("service %q: its name has a colon", m.Name)
	case !mep.ValidServiceName(name):
		return fmt.Errorf("service %q: %q has more than %d characters", m.Name, name, mep.MaxName)
	case !m.IPv4.IsValid() && !m.IPv6.IsValid():
		return fmt.Errorf("service %q: it has no address", m.Name)
	case m.Weight < 1 || m.Weight > config.MaxWeight:
		return fmt.Errorf("service %q: its weight is %d, not 1 to %d", m.Name, m.Weight, config.MaxWeight)
	case m.Port == 0 && s.needsPort:
		return fmt.Errorf("service %q: neither it nor the group has a port, which the monitors need", m.Name)
	}
	for _, address := range []netip.Addr{m.IPv4, m.IPv6} {
		switch {
		case !address.IsValid():
		case !config.Answerable(address) || address.IsLinkLocalUnicast(), address.IsLoopback() && !local:
			return fmt.Errorf("service %q: clients cannot use address %s", m.Name, address)
		}
	}
	return nil
}

// settle makes usable services the group's: those that it has first, then by name, as many as there is room for.
func (a *announced) settle(s *announcedGroup, usable map[string]announcedMember, now time.Time) {
	names := slices.Sorted(maps.Keys(usable))
	slices.SortStableFunc(names, func(x, y string) int {
		switch had, has := s.has(x), s.has(y); {
		case had && !has:
			return -1
		case has && !had:
			return 1
		}
		return 0
	})
	leftOut := max(0, len(names)-s.settings.Max)
	names = names[:len(names)-leftOut]
	slices.Sort(names)
	live := make([]announcedMember, len(names))
	for i, name := range names {
		live[i] = usable[name]
	}
	if leftOut > 0 && leftOut != s.leftOut {
		a.log.Warn("group.left_out", zap.String("group", s.name), zap.Int("services", leftOut), zap.Int("max", s.settings.Max))
	}
	s.leftOut = leftOut
	if slices.Equal(live, s.live) {
		return
	}
	a.log.Info("group.announced", zap.String("group", s.name), zap.String("site", s.site), zap.Strings("services", names), zap.Int("before", len(s.live)))
	before := s.live
	s.live = live
	for _, m := range before {
		if !s.has(m.Name) && len(s.withdrawn) < s.settings.Max {
			s.withdrawn[m.Name] = leavingNamed{m, now.Add(withdrawnFor)}
		}
	}
	for _, name := range names {
		delete(s.withdrawn, name)
	}
	a.rouse()
}

// withdraw notes that a site stopped as planned.
func (a *announced) withdraw(site string, now time.Time) {
	for _, s := range a.group {
		if s.site == site {
			a.settle(s, nil, now)
		}
	}
}
