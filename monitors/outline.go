package monitors

import (
	"fmt"
	"net/netip"

	"fairlead/config"
	"fairlead/monitors/probe"
)

// Outline splits what services are bound to into what is probed (or is told of, by passive monitors) and what is calculated, for
// SetTargets. The parts of calculated monitors come from the document, which is only read: a part of another service is looked
// at at all addresses of that service, whether its monitors are run here for its own sake or not.
func Outline(doc *config.Document, bound []probe.Target) (probed []probe.Target, calculated []Calculated) {
	o := outline{places: map[targetKey]int{}}
	for i := range bound {
		t := &bound[i]
		if t.Monitor.Type != config.MonitorCalculated {
			probed = append(probed, *t)
			continue
		}
		if o.monitors == nil {
			o.index(doc)
		}
		o.add(t, false, 0)
	}
	return probed, o.out
}

type outline struct {
	monitors map[string]*config.Monitor // nil: nothing is calculated
	services map[string]*config.Service
	places   map[targetKey]int // in out
	out      []Calculated
}

func (o *outline) index(doc *config.Document) {
	o.monitors = make(map[string]*config.Monitor, len(doc.Monitors))
	for i := range doc.Monitors {
		o.monitors[doc.Monitors[i].Name] = &doc.Monitors[i]
	}
	o.services = make(map[string]*config.Service, len(doc.Services))
	for i := range doc.Services {
		o.services[doc.Services[i].Name] = &doc.Services[i]
	}
}

// add adds a calculated target, and what it is made of that is calculated itself.
func (o *outline) add(t *probe.Target, unbound bool, depth int) {
	key := keyOf(t)
	if i, ok := o.places[key]; ok {
		o.out[i].Unbound = o.out[i].Unbound && unbound
		return
	}
	place := len(o.out)
	o.places[key], o.out = place, append(o.out, Calculated{Target: *t, Unbound: unbound})
	var parts []Part
	for _, of := range config.SectionOf(t.Monitor.Calculated).Monitors {
		part := o.part(t, &of)
		for i := range part.Targets {
			if one := &part.Targets[i]; one.Monitor.Type == config.MonitorCalculated {
				if depth+1 >= config.MaxCalculatedDepth { // the document was validated: it is not
					part = Part{Name: part.Name, Absent: "it is made of others more than is allowed"}
					break
				}
				o.add(one, true, depth+1)
			}
		}
		parts = append(parts, part)
	}
	o.out[place].Parts = parts
}

// part finds what one part is about.
func (o *outline) part(t *probe.Target, of *config.CalculatedPart) Part {
	m := o.monitors[of.Monitor]
	switch {
	case m == nil:
		return Part{Name: of.Monitor, Absent: "there is no such monitor"}
	case of.Service == "":
		return Part{Name: of.Monitor, Targets: []probe.Target{{Service: t.Service, Monitor: m, Address: t.Address}}}
	}
	out := Part{Name: fmt.Sprintf("%s of %s", of.Monitor, of.Service)}
	s := o.services[of.Service]
	if s == nil || len(s.Addresses) == 0 {
		out.Absent = fmt.Sprintf("service %s has no address now", of.Service)
		return out
	}
	for _, a := range s.Addresses {
		out.Targets = append(out.Targets, probe.Target{Service: s.Name, Monitor: m, Address: netip.AddrPortFrom(a, uint16(s.Port))})
	}
	return out
}
