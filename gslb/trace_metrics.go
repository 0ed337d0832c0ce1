package gslb

import (
	"fmt"
	"strings"
	"time"

	"fairlead/config"
)

// methodMetric fills in the number by which a method compares a contender.
func (d *Decider) methodMetric(c *Candidate, v *virtualServer, f *field, i int, m config.Method) {
	by := &f.contenders[i]
	switch {
	case comparesLoads(m) && m != config.Scored:
		d.loadMetric(c, v, f, i, m)
	case m == config.SourceIPHashing:
		d.hashMetric(c, v, by)
	case m == config.StaticProximity:
		d.proximityMetric(c, by)
	case m == config.RTT:
		d.rttMetric(c, v, by)
	case m == config.Measured:
		d.pushedMetric(c, by)
	case m == config.Scored:
		d.scoreMetric(c, v, f, i)
	default:
		c.Metric, c.Value, c.Unit = "weight", float64(by.weight), "shares"
	}
}

// loadMetric shows a contender's level in the fill of a method that compares loads.
func (d *Decider) loadMetric(c *Candidate, v *virtualServer, f *field, i int, m config.Method) {
	which := 0
	if m != v.method {
		which = 1
	}
	w := f.fills[which]
	if w == nil {
		return
	}
	by, p := &f.contenders[i], &w.loads[i]
	c.Metric, c.Unit, c.Value = "load", loadUnit(m)+"/weight", p.value/float64(by.weight)
	source, at := d.measured(by.service, m)
	c.Source, c.AgeSeconds = source, age(d.now, at)
	c.Detail = fmt.Sprintf("%s: %.4g %s, one answer adds %.3g, weight %d", basisReason(p.basis), p.value, loadUnit(m), p.growth, by.weight)
	if p.basis == basisNone {
		c.Source, c.AgeSeconds = "", -1
	}
}

// measured returns who reported what a method compares, and when.
func (d *Decider) measured(i ServiceIndex, m config.Method) (source string, at time.Time) {
	st := &d.s.Status.Services[i]
	if m == config.LeastConnection || st.Measures == nil {
		return st.Load.Source, st.Load.At
	}
	var by *Measure
	switch m {
	case config.LeastResponseTime:
		by = &st.Measures.ResponseTime
	case config.LeastBandwidth:
		by = &st.Measures.Bandwidth
	case config.LeastPackets:
		by = &st.Measures.Packets
	default:
		by = &st.Measures.Custom
	}
	return by.Source, by.At
}

func loadUnit(m config.Method) string {
	switch m {
	case config.LeastResponseTime:
		return "connections x seconds"
	case config.LeastBandwidth:
		return "bit/s"
	case config.LeastPackets:
		return "packet/s"
	case config.CustomLoad:
		return "custom load"
	}
	return "connections"
}

func basisReason(b basis) Reason {
	switch b {
	case basisAged:
		return ReasonLoadAged
	case basisNone:
		return ReasonLoadEstimated
	}
	return ReasonLoadMeasured
}

func (d *Decider) rttMetric(c *Candidate, v *virtualServer, by *contender) {
	if d.learned.Resolvers == nil {
		return
	}
	rtts := d.learned.Resolvers.RTTs(d.Query.LDNS, d.Query.At, nil)
	t, ok := timeTo(d.knownTimes(), by.site)
	if !ok {
		c.Detail = "its site has not measured the resolver"
		return
	}
	c.Metric, c.Value, c.Unit, c.Source = "round-trip time", float64(t)/float64(time.Millisecond), "ms", "site "+c.Site
	c.Detail = fmt.Sprintf("to resolver %s; tolerance %s", d.Query.LDNS, v.tolerance)
	for i := range rtts {
		if rtts[i].Site == d.s.Plan.sites[by.site].hash {
			c.AgeSeconds = float64(d.Query.At - rtts[i].At)
		}
	}
}

func (d *Decider) pushedMetric(c *Candidate, by *contender) {
	values, bits := d.learned.Pushed.Lookup(d.client)
	x, ok := pushedFor(values, d.s.Plan.services[by.service].Hash, d.Query.At)
	if !ok {
		c.Detail = "nothing was pushed for it"
		return
	}
	c.Metric, c.Value, c.Source = "pushed measurement", x, "api"
	c.Detail = fmt.Sprintf("for %d bits of the client", bits)
}

func (d *Decider) scoreMetric(c *Candidate, v *virtualServer, f *field, i int) {
	if f.scoring == nil {
		return // there was nothing to compare
	}
	here := d.scoredSpot(v, f)
	var times []siteTime
	if v.score.rtt > 0 {
		times = d.knownTimes()
	}
	load, rtt, cost := d.loadScale(f), d.rttScale(f, times), f.scoring.cost[i]
	c.Metric, c.Value, c.Unit = "score", here.base[i], "(least wins)"
	c.Detail = fmt.Sprintf("cost %.3g", cost)
	if f.scoring.weighs {
		x := d.loadOf(f, i)
		part := v.score.load * orMean(x, load.mean) / load.most
		if c.Value += part; x >= 0 {
			c.Detail += fmt.Sprintf(" + load %.3g", part)
		}
	}
	if rtt.most > 0 {
		t, ok := timeTo(times, f.contenders[i].site)
		if !ok {
			c.Value += v.score.rtt * rtt.mean / rtt.most
		} else {
			c.Value += v.score.rtt * float64(t) / rtt.most
			c.Detail += fmt.Sprintf(" + rtt %.3g", v.score.rtt*float64(t)/rtt.most)
		}
	}
	if here.near {
		c.Detail += fmt.Sprintf(" + distance %.3g", here.base[i]-cost)
	}
	c.Value /= float64(f.contenders[i].weight)
	c.Detail += fmt.Sprintf(", over weight %d", f.contenders[i].weight)
}

func (d *Decider) hashMetric(c *Candidate, v *virtualServer, by *contender) {
	mask := v.hash6
	if d.client.Is4() {
		mask = v.hash4
	}
	masked, err := d.client.Prefix(mask)
	if err != nil {
		return
	}
	cost := negLog2(d.s.Plan.services[by.service].drawer.draw(clientHash(masked.Addr())))
	c.Metric, c.Unit = "draw per weight (least wins)", ""
	c.Value = float64(cost) / (1 << 32) / float64(by.weight)
	c.Detail = fmt.Sprintf("client %s, weight %d", masked, by.weight)
}

func (d *Decider) proximityMetric(c *Candidate, by *contender) {
	here, bits := d.s.Plan.locations.find(d.client)
	if here == nil || len(here.closeness) == 0 {
		return
	}
	at := d.s.Plan.locations.locate(d.client)
	near := &at.Sites[by.site]
	c.Metric, c.Value, c.Unit = "distance", near.Km, "km"
	if near.Km < 0 {
		c.Metric, c.Value, c.Unit = "place match", float64(near.Depth), "qualifiers"
	}
	c.Source = strings.Join(at.Sources, ", ")
	c.Detail = fmt.Sprintf("%d qualifiers of the place match; region is %d bits of the client", near.Depth, bits)
}
