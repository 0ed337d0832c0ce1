package gslb

import (
	"net/netip"
	"slices"
	"time"

	"fairlead/config/geodata"
)

// This file is the differences that worlds of a trial can have.

// service returns the status of a service, to be changed.
func (t *trial) service(i ServiceIndex) *ServiceStatus {
	t.changed[i] = true
	return &t.status.Services[i]
}

// virtualServer returns a virtual server, to be changed.
func (t *trial) virtualServer(vs int) *virtualServer {
	t.altered[vs] = true
	return &t.plan.virtualServers[vs]
}

func withoutSessions(t *trial) { t.tables.Sessions = nil }

func withoutPairs(t *trial) {
	if t.alone == nil {
		t.alone = new(pairs)
	}
	t.tables.pairs = t.alone
}

// asUp makes a service UP, with both families.
func asUp(i ServiceIndex) edit {
	return func(t *trial) {
		st := t.service(i)
		st.State, st.Without4, st.Without6 = Up, false, false
	}
}

// asDown makes services DOWN.
func asDown(services ...ServiceIndex) edit {
	return func(t *trial) {
		for _, i := range services {
			t.service(i).State = Down
		}
	}
}

// withConnections makes a service's active connections a number that was reported just now.
func withConnections(i ServiceIndex, n float64) edit {
	return func(t *trial) {
		l := &t.service(i).Load
		if l.At.IsZero() {
			l.PerAnswer = 1
		}
		l.Active, l.Expected, l.At, l.Handed = uint64(n), 0, t.status.At, t.learned.Handed(i)
	}
}

// withMeasure makes one of a service's measures a number that was reported just now.
func withMeasure(i ServiceIndex, of func(*Measures) *Measure, x float64) edit {
	return func(t *trial) {
		var all Measures
		if m := t.status.Services[i].Measures; m != nil {
			all = *m
		}
		m := of(&all)
		m.Value, m.Expected, m.At = x, 0, t.status.At
		t.service(i).Measures = &all
	}
}

// withRTT makes the round-trip time from a site to the resolver a number.
func withRTT(site uint64, rtt time.Duration) edit {
	return func(t *trial) {
		table := NewResolvers(ResolverOptions{Max: 1, Timeout: time.Hour})
		ldns, at := t.asked.LDNS, max(t.asked.At, 1)
		table.Measured(ldns, site, rtt, at)
		if t.learned.Resolvers != nil {
			for _, r := range t.learned.Resolvers.RTTs(ldns, t.asked.At, nil) {
				if r.Site != site {
					table.Measured(ldns, r.Site, r.RTT, at)
				}
			}
		}
		t.tables.Resolvers = table
	}
}

// withPushed makes what was pushed for a client and service a number.
func withPushed(client netip.Addr, service uint64, x float64) edit {
	return func(t *trial) {
		known, _ := t.learned.Pushed.Lookup(client)
		values := slices.DeleteFunc(slices.Clone(known), func(v PushedValue) bool { return v.Service == service || v.Until <= t.asked.At })
		values = append(values[:min(len(values), MaxPushedServices-1)], PushedValue{Service: service, Value: x, Until: t.asked.At + 1})
		table := NewPushed()
		if table.Set(netip.PrefixFrom(client, client.BitLen()), values, t.asked.At) == nil {
			t.tables.Pushed = table
		}
	}
}

// withWeight makes the weight of a member a number.
func withWeight(vs int, service ServiceIndex, weight uint32) edit {
	return func(t *trial) {
		v := t.virtualServer(vs)
		v.members = slices.Clone(v.members)
		v.memberOf(service).weight = weight
	}
}

// withoutPolicy takes out one policy.
func withoutPolicy(vs, policy int) edit {
	return func(t *trial) {
		v := t.virtualServer(vs)
		v.policies = slices.Delete(slices.Clone(v.policies), policy, policy+1)
	}
}

// withoutSpillover sends no more clients to the backup of a virtual server. Who was sent there before stays, if that is so.
func withoutSpillover(vs int) edit {
	return func(t *trial) { t.virtualServer(vs).spillover.method = "" }
}

// released returns a virtual server that is held on its backup.
func released(vs int) edit {
	return func(t *trial) {
		t.virtualServer(vs)
		t.status.Held[vs] = false
	}
}

// unordered ends what an operator wants of a virtual server.
func unordered(vs int) edit {
	return func(t *trial) {
		t.virtualServer(vs)
		t.status.Ordered[vs] = Ordered{}
	}
}

// locatedAt puts all clients where a site is.
func locatedAt(site uint32) edit {
	return func(t *trial) { t.plan.locations = t.base.Plan.locations.allAt(site) }
}

// allAt returns locations that know all clients to be where a site is. What they match stays.
func (l *locations) allAt(site uint32) *locations {
	at := &l.sites[site]
	here := &region{number: 1, closeness: make([]uint32, len(l.sites))}
	if l.regions[0] != nil {
		here.matches = l.regions[0].matches
	}
	for i := range l.sites {
		here.closeness[i] = closeness(l.words.depth(&at.wordPlace, &l.sites[i].wordPlace), at.at, l.sites[i].at)
	}
	rank(here.closeness, nil)
	span := func(prefix string) []geodata.Span {
		first, last := geodata.PrefixRange(netip.MustParsePrefix(prefix))
		return []geodata.Span{{First: first, Last: last, Value: 1}}
	}
	all := geodata.NewRanges(span("0.0.0.0/0"), span("::/0"))
	out := *l
	out.ranges, out.regions = all, []*region{nil, here}
	out.own, out.ownSpots = all, []spot{{}, at.at}
	return &out
}
