package gslb

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"fairlead/config"
)

// maxOthers is how many services a counterfactual takes out.
const maxOthers = 16

// seeker looks for the changes with which one service would be answered.
type seeker struct {
	*trial
	target ServiceIndex
	vs     int // the first virtual server of the chain that has it
	member *member
	pre    []edit // made already
	reason Reason // of the decision after pre
}

// search returns the smallest changes with which a service would be answered first at some turn, and how often. nil: none
// was found.
func (t *trial) search(target ServiceIndex) ([]Change, float64) {
	k := &seeker{trial: t, target: target}
	for _, vs := range t.chain {
		if m := t.base.Plan.virtualServers[vs].memberOf(target); m != nil {
			k.vs, k.member = vs, m
			break
		}
	}
	own := k.out()
	changes := k.single(own)
	if changes == nil && own != nil {
		k.pre = own.edits
		if rest := k.single(nil); rest != nil {
			changes = append([]Change{*own}, rest...)
		}
	}
	if changes == nil {
		return nil, 0
	}
	var all []edit
	for i := range changes {
		all = append(all, changes[i].edits...)
	}
	t.left = max(t.left, 1)
	t.enter(all...)
	if !t.has(target) { // cannot be: each was tried
		return nil, 0
	}
	t.enter(all...)
	return changes, t.shares()[target]
}

// single finds one change. own is what puts the service right that is out for a reason of its own; nil: it is not.
func (k *seeker) single(own *Change) []Change {
	if own != nil {
		if k.wins(k.target, own.edits...) {
			return []Change{*own}
		}
		return nil // whatever else changes, it stays out
	}
	if k.left > 0 {
		k.enter(k.pre...)
		k.reason = k.decide().Reason
	}
	for _, try := range []func() *Change{k.limitToo, k.session, k.pair, k.chainChange, k.metric, k.place, k.weight, k.policy, k.order, k.others} {
		if c := try(); c != nil {
			return []Change{*c}
		}
	}
	return nil
}

// with reports whether the service would be answered with a change, and returns the change then.
func (k *seeker) with(c Change) *Change {
	if !k.wins(k.target, append(slices.Clone(k.pre), c.edits...)...) {
		return nil
	}
	return &c
}

func (k *seeker) name(i ServiceIndex) string { return k.base.Plan.services[i].Name }

// out is what would end that the service is out by itself; nil: it is not.
func (k *seeker) out() *Change {
	st := &k.base.Status.Services[k.target]
	switch reason := k.base.memberReason(k.member, false); reason {
	case ReasonUp:
	case ReasonMaxConnections, ReasonMaxBandwidth, ReasonLoadThreshold:
		return k.limited()
	default:
		return &Change{Kind: ChangeState, Text: stateText(st), edits: []edit{asUp(k.target)}}
	}
	if k.base.familyReason(k.member, k.asked.Family) == ReasonAddressDown {
		return &Change{Kind: ChangeState, Text: "if its address of that family passed its monitors", edits: []edit{asUp(k.target)}}
	}
	return nil
}

// limited is what would end that the service is at a limit; nil: it is not at one.
func (k *seeker) limited() *Change {
	st, svc := &k.base.Status.Services[k.target], &k.base.Plan.services[k.target]
	switch k.base.limitReason(k.member) {
	case ReasonMaxConnections:
		return k.limit("active", "connections", float64(st.Load.Active), float64(svc.maxConnections), func(x float64) edit { return withConnections(k.target, x) })
	case ReasonMaxBandwidth:
		of := func(m *Measures) *Measure { return &m.Bandwidth }
		return k.limit("bandwidth", "bit/s", st.Measures.Bandwidth.Value, float64(svc.maxBandwidth), func(x float64) edit { return withMeasure(k.target, of, x) })
	case ReasonLoadThreshold:
		of := func(m *Measures) *Measure { return &m.Custom }
		return k.limit("custom load", "", st.Measures.Custom.Value, svc.loadThreshold, func(x float64) edit { return withMeasure(k.target, of, x) })
	}
	return nil
}

// limitToo ends that a service is at a limit that would be out for another reason, too.
func (k *seeker) limitToo() *Change {
	if len(k.pre) == 0 || k.base.memberReason(k.member, false) == k.base.limitReason(k.member) {
		return nil
	}
	if c := k.limited(); c != nil {
		return k.with(*c)
	}
	return nil
}

func stateText(st *ServiceStatus) string {
	why := ""
	if st.Reason != "" {
		why = ": " + st.Reason
	}
	switch st.State {
	case Disabled:
		return "if it were enabled (an operator disabled it" + why + ")"
	case Draining:
		return "if it were not draining (an operator drains it" + why + ")"
	}
	return fmt.Sprintf("if it were UP (it is %s%s)", st.State, why)
}

// limit is the change to the greatest value below a limit, or far enough below that the service is answered.
func (k *seeker) limit(metric, unit string, is, limit float64, at func(float64) edit) *Change {
	below := limit - 1
	if unit == "" {
		below = limit * 0.999
	}
	if !k.wins(k.target, append(slices.Clone(k.pre), at(below))...) {
		if n, ok := k.greatest(below, true, finest(unit), at); ok {
			below = n.least
		}
	}
	return &Change{Kind: ChangeLimit, Metric: metric, Unit: unit, Is: &is, Needed: &below, edits: []edit{at(below)},
		Text: fmt.Sprintf("if its %s were below its limit of %s, at most %s (now %s)", metricText(metric, unit), number(limit, unit), number(below, unit), number(is, unit))}
}

func metricText(metric, unit string) string {
	if metric == "active" {
		return unit
	}
	return metric
}

func (k *seeker) session() *Change {
	stays := k.reason == ReasonSession
	for _, vs := range k.chain {
		stays = stays || k.base.Plan.virtualServers[vs].spillover.stay.on
	}
	if !stays || k.learned.Sessions == nil {
		return nil
	}
	return k.with(Change{Kind: ChangeSession, Text: "if the client had no session", edits: []edit{withoutSessions}})
}

func (k *seeker) pair() *Change {
	if k.reason != ReasonPaired {
		return nil
	}
	return k.with(Change{Kind: ChangePair, Text: "if the client had not been given another service for another family just now", edits: []edit{withoutPairs}})
}

// chainChange ends what sends clients on to a backup although there are usable members.
func (k *seeker) chainChange() *Change {
	for _, vs := range k.chain {
		v, st := &k.base.Plan.virtualServers[vs], &k.base.standings[vs]
		if st.ordered != Unknown {
			if c := k.with(Change{Kind: ChangeOverride, Text: fmt.Sprintf("if %s were used as the document says (now: %s)", v.name, k.base.Status.order(vs).Reason), edits: []edit{unordered(vs)}}); c != nil {
				return c
			}
		}
		if st.held {
			if c := k.with(Change{Kind: ChangeHold, Text: fmt.Sprintf("if %s were released from its backup", v.name), edits: []edit{released(vs)}}); c != nil {
				return c
			}
		}
		if !st.spilled {
			continue
		}
		is, threshold, _ := k.base.spillNumbers(v)
		side := "below"
		if v.spillover.method == config.SpilloverHealth {
			side = "at or above"
		}
		if c := k.with(Change{Kind: ChangeSpillover, Metric: string(v.spillover.method), Is: &is, Needed: &threshold, edits: []edit{withoutSpillover(vs)},
			Text: fmt.Sprintf("if spillover of %s (%s) were %s its threshold of %.6g (now %.6g)", v.name, v.spillover.method, side, threshold, is)}); c != nil {
			return c
		}
	}
	return nil
}

// metric finds the number that a method would have to see.
func (k *seeker) metric() *Change {
	v := &k.base.Plan.virtualServers[k.vs]
	for _, m := range []config.Method{v.method, v.backupMethod} {
		var c *Change
		switch m {
		case config.LeastConnection, config.LeastBandwidth, config.LeastPackets, config.CustomLoad:
			c = k.load(m)
		case config.LeastResponseTime:
			if c = k.load(m); c == nil {
				c = k.load(config.LeastConnection)
			}
		case config.RTT:
			c = k.rtt()
		case config.Measured:
			c = k.pushed()
		case config.Scored:
			if v.score.load > 0 {
				c = k.load(config.LeastConnection)
			}
			if c == nil && v.score.rtt > 0 {
				c = k.rtt()
			}
		}
		if c != nil {
			return c
		}
	}
	return nil
}

// load finds the load with which the service would have a turn.
func (k *seeker) load(m config.Method) *Change {
	metric, unit, at := k.setLoad(m)
	is, age := k.reported(m, k.target)
	most := is
	if age != reportedInTime {
		for _, i := range k.services {
			x, _ := k.reported(m, i)
			most = max(most, x)
		}
	}
	needed, ok := k.greatest(most, age == reportedInTime, finest(unit), at)
	if !ok {
		return nil
	}
	c := &Change{Kind: ChangeLoad, Metric: metric, Unit: unit}
	now := "nothing was reported"
	switch age {
	case reportedInTime:
		c.Is, now = &is, "now "+number(is, unit)
	case reportedLongAgo:
		now = "what was reported is too old"
	}
	return needed.into(c, "its "+metricText(metric, unit), now, at)
}

func (k *seeker) setLoad(m config.Method) (metric, unit string, at func(float64) edit) {
	of := func(all *Measures) *Measure { return &all.Custom }
	switch m {
	case config.LeastResponseTime:
		metric, unit, of = "response time", "ms", func(all *Measures) *Measure { return &all.ResponseTime }
		return metric, unit, func(x float64) edit { return withMeasure(k.target, of, x/1e3) }
	case config.LeastBandwidth:
		metric, unit, of = "bandwidth", "bit/s", func(all *Measures) *Measure { return &all.Bandwidth }
	case config.LeastPackets:
		metric, unit, of = "packets", "packet/s", func(all *Measures) *Measure { return &all.Packets }
	case config.CustomLoad:
		metric = "custom load"
	default:
		return "active", "connections", func(x float64) edit { return withConnections(k.target, x) }
	}
	return metric, unit, func(x float64) edit { return withMeasure(k.target, of, x) }
}

// reportAge says whether what a service reported counts.
type reportAge uint8

const (
	reportedNever reportAge = iota
	reportedLongAgo
	reportedInTime
)

// reported returns what a service reported last, with what is expected since, and whether it counts.
func (k *seeker) reported(m config.Method, i ServiceIndex) (float64, reportAge) {
	st := &k.base.Status.Services[i]
	by := &Measure{Value: float64(st.Load.Active), Expected: st.Load.Expected, At: st.Load.At}
	switch all := cmp.Or(st.Measures, new(Measures)); m {
	case config.LeastConnection:
	case config.LeastResponseTime:
		by = &Measure{Value: all.ResponseTime.Value * 1e3, At: all.ResponseTime.At}
	case config.LeastBandwidth:
		by = &all.Bandwidth
	case config.LeastPackets:
		by = &all.Packets
	default:
		by = &all.Custom
	}
	switch {
	case by.At.IsZero():
		return 0, reportedNever
	case !by.Fresh(k.base.Status.At, forgotten*k.base.Plan.services[i].loadFresh):
		return 0, reportedLongAgo
	}
	return by.Value + by.Expected, reportedInTime
}

// rtt finds the round-trip time with which the service would have a turn.
func (k *seeker) rtt() *Change {
	if !k.asked.LDNS.IsValid() {
		return nil
	}
	const unmeasured = 1000 // ms: where the search begins when nobody measured the resolver
	var known []SiteRTT
	if k.learned.Resolvers != nil {
		known = k.learned.Resolvers.RTTs(k.asked.LDNS, k.asked.At, nil)
	}
	site := k.base.Plan.sites[k.base.Plan.services[k.target].site].hash
	var is *float64
	most := 0.0
	for _, r := range known {
		ms := float64(r.RTT) / float64(time.Millisecond)
		if most = max(most, ms); r.Site == site {
			is = &ms
		}
	}
	now := "its site has not measured the resolver"
	switch {
	case is != nil:
		most, now = *is, "now "+number(*is, "ms")
	case len(known) == 0:
		most = unmeasured
	default:
		most += float64(k.base.Plan.virtualServers[k.vs].tolerance)/float64(time.Millisecond) + 1
	}
	at := func(ms float64) edit {
		return withRTT(site, time.Duration(math.Round(ms*1e3))*time.Microsecond)
	}
	needed, ok := k.greatest(most, is != nil, microseconds, at)
	if !ok {
		return nil
	}
	return needed.into(&Change{Kind: ChangeRTT, Metric: "round-trip time", Unit: "ms", Is: is}, "its RTT", now, at)
}

// pushed finds the measurement with which the service would have a turn.
func (k *seeker) pushed() *Change {
	client := k.decider.client
	if !client.IsValid() {
		return nil
	}
	values, _ := k.learned.Pushed.Lookup(client)
	most, hash := 1.0, k.base.Plan.services[k.target].Hash
	for i := range values {
		most = max(most, values[i].Value)
	}
	c, now := &Change{Kind: ChangePushed, Metric: "pushed measurement"}, "nothing was pushed for it"
	x, known := pushedFor(values, hash, k.asked.At)
	if known {
		most, c.Is, now = x, &x, "now "+number(x, "")
	}
	at := func(x float64) edit { return withPushed(client, hash, x) }
	needed, ok := k.greatest(most, known, anyDigit, at)
	if !ok {
		return nil
	}
	return needed.into(c, "the measurement pushed for it", now, at)
}
