package agree

import (
	"fmt"
	"slices"
	"time"
)

// findingsOf turns what differs in a topic into findings. What changed within settle is left out: it may be on its way.
func findingsOf(t topic, peer string, list []difference, more bool, settle time.Duration) (out []Finding) {
	add := func(c Cause, o Object) {
		i := slices.IndexFunc(out, func(f Finding) bool { return f.Cause == c })
		if i < 0 {
			i, out = len(out), append(out, Finding{Cause: c, More: more})
		}
		if f := &out[i]; len(f.Objects) < MaxObjects {
			f.Objects = append(f.Objects, o)
		} else {
			f.More = true
		}
	}
	for _, d := range list {
		if d.settled(t, settle) {
			add(d.describe(t, peer))
		}
	}
	return out
}

// settled reports whether a difference is too old to be a change on its way.
func (d *difference) settled(t topic, settle time.Duration) bool {
	limit := seconds(settle) + 1
	if t == topicLoads && d.here != nil && d.there != nil {
		return max(d.here.age, d.there.age)-min(d.here.age, d.there.age) > limit
	}
	return (d.here == nil || d.here.age > limit) && (d.there == nil || d.there.age > limit)
}

// describe says what differs.
func (d *difference) describe(t topic, peer string) (Cause, Object) {
	here, there := d.here, d.there
	name, only, other := "", "here", "at "+peer
	if here != nil {
		name = here.name
	} else {
		name, only, other = there.name, other, only
	}
	both := here != nil && there != nil
	unlike := func(c Cause, what string) (Cause, Object) {
		return c, Object{name, fmt.Sprintf("%s is %s here and %s at %s", what, here.detail, there.detail, peer)}
	}
	alone := func(c Cause, what string) (Cause, Object) {
		one := here
		if one == nil {
			one = there
		}
		text := fmt.Sprintf("%s is known %s and not %s", what, only, other)
		if one.detail != "" {
			text += ": " + one.detail
		}
		return c, Object{name, text}
	}
	switch {
	case t == topicServices && !both:
		return alone(CauseServices, "service "+name)
	case t == topicServices:
		return unlike(CauseHealth, name)
	case t == topicOverrides && !both:
		return alone(CauseOverride, name)
	case t == topicOverrides:
		return CauseOverride, Object{name, fmt.Sprintf("%s is %s here; %s is %s at %s", name, here.detail, there.name, there.detail, peer)}
	case t == topicLocations && !both:
		return alone(CauseLocation, "location file "+name)
	case t == topicLocations:
		return unlike(CauseLocation, "location file "+name)
	case t == topicLoads && both:
		return unlike(CauseLoadAge, "load of "+name)
	case t == topicLoads:
		return alone(CauseServices, "service "+name)
	case both:
		return CauseAnswers, Object{name, fmt.Sprintf("%s: %s here, %s at %s", name, here.detail, there.detail, peer)}
	}
	return alone(CauseAnswers, name)
}

// other is the finding of a site with another document.
func (a *Agreement) other(p *peer) []Finding {
	return []Finding{{Cause: CauseDocument, Objects: []Object{{p.Site, fmt.Sprintf("%s serves document %.8s, this site %.8s", p.Site,
		printable(string(p.report.Document[:]), len(p.report.Document)), a.marks[len(a.marks)-1].Document)}}}}
}

// clock is the finding of a peer's clock; none when it is right.
func (a *Agreement) clock(site string) []Finding {
	ahead, word := a.skew(site), "ahead of"
	if ahead == 0 {
		return nil
	}
	if ahead < 0 {
		ahead, word = -ahead, "behind"
	}
	return []Finding{{Cause: CauseClock, Objects: []Object{{site, fmt.Sprintf("the clock of %s is %v %s this node's", site, ahead.Round(100*time.Millisecond), word)}}}}
}

// unexplained is findings without objects: the peer could not be asked.
func unexplained(peer string, list []topic, why error) (out []Finding) {
	causes := [topics]Cause{CauseAnswers, CauseHealth, CauseOverride, CauseLocation, CauseLoadAge}
	for _, t := range list {
		out = append(out, Finding{Cause: causes[t], More: true, Objects: []Object{{peer, fmt.Sprintf("what differs was not found out: %v", why)}}})
	}
	return out
}
