package sites

import (
	"cmp"
	"fmt"
	"net/netip"

	"fairlead/gslb"
	"fairlead/monitors"
)

// byMonitors is what monitors say: those of the sites that are asked, when the service has a quorum, else this node's.
func (e *evidence) byMonitors() belief {
	if e.quorum != nil {
		return e.quorum.belief
	}
	return e.byOwnMonitors().drained()
}

// drained is the belief about a service that works, and asks to be sent nobody new.
func (b belief) drained() belief {
	if b.draining && b.state == gslb.Up {
		b.state = gslb.Draining
	}
	return b
}

// byOwnMonitors combines this node's verdicts. An address is good while its monitors pass (all of them, or enough for the
// service's threshold); the service is UP while one of its addresses is good, without the family of the one that is not. It is UP and
// draining while a good address asks for that: sessions over the other family are its own as well.
func (e *evidence) byOwnMonitors() belief {
	var out belief
	var good [2]bool // IPv4, IPv6
	doubt, drains := gslb.Reason(""), belief{}
	for _, a := range e.service.Addresses {
		b := e.sights[family(a)].belief
		if b.draining && drains.source == "" {
			drains = b
		}
		if b.state == gslb.Up {
			good[family(a)] = true
		}
		if doubt == "" {
			doubt = b.doubt
		}
		if better(b, out) {
			out = b
		}
	}
	if drains.source != "" {
		out = drains
	}
	if out.state == gslb.Up {
		for _, a := range e.service.Addresses {
			out.without4 = out.without4 || a.Is4() && !good[0]
			out.without6 = out.without6 || !a.Is4() && !good[1]
		}
		if out.doubt == "" {
			out.doubt = doubt
		}
	}
	out.direct = true
	return out
}

// look weighs the monitors at each address of a service that is probed.
func (e *evidence) look() {
	for _, a := range e.service.Addresses {
		e.sights[family(a)].belief = e.addressBelief(netip.AddrPortFrom(a, uint16(e.service.Port)))
	}
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// better says which of two addresses speaks for the service: a good one, else one that is not known yet.
func better(b, than belief) bool {
	rank := func(b belief) int {
		switch {
		case b.source == "":
			return 0 // none yet
		case b.state == gslb.Up:
			return 3
		case b.state == gslb.Unknown:
			return 2
		}
		return 1
	}
	return rank(b) > rank(than)
}

// addressBelief combines the monitors at one address. Without a threshold all must pass, and the first that does not
// speaks. With one the weights of those that pass must reach it; while results that are missing could make the
// difference, nothing is known. A good address drains while one of its monitors, whatever its weight, says that it asks for that.
func (e *evidence) addressBelief(a netip.AddrPort) belief {
	out := e.weighMonitors(a)
	if out.state != gslb.Up {
		return out
	}
	for _, bound := range e.service.Monitors {
		if b := e.monitorBelief(bound.Monitor, a); b.draining {
			b.doubt = out.doubt
			return b
		}
	}
	return out
}

// weighMonitors is addressBelief without draining.
func (e *evidence) weighMonitors(a netip.AddrPort) belief {
	out, mute := belief{state: gslb.Up}, belief{state: gslb.Up}
	passing, missing, doubt := 0, 0, gslb.Reason("") // doubt is the first of a monitor that passes
	for _, bound := range e.service.Monitors {
		b := e.monitorBelief(bound.Monitor, a)
		if b.mute {
			mute, passing = b, passing+bound.Weight
			continue
		}
		switch b.state {
		case gslb.Up:
			passing, doubt = passing+bound.Weight, cmp.Or(doubt, b.doubt)
		case gslb.Unknown:
			missing += bound.Weight
		}
		if out.source == "" || out.state == gslb.Up && b.state != gslb.Up || b.state == gslb.Down && out.state == gslb.Unknown {
			out = b
		}
	}
	if out.source == "" {
		out = mute // nothing else is bound
	}
	if out.state == gslb.Up {
		out.doubt = cmp.Or(out.doubt, doubt)
	}
	threshold := e.service.MonitorThreshold
	if threshold == 0 || out.state == gslb.Up {
		return out
	}
	why := fmt.Sprintf("; monitors that pass weigh %d, %d are enough", passing, threshold)
	switch {
	case passing >= threshold && out.state == gslb.Down:
		out.state, out.doubt = gslb.Up, gslb.DoubtFailing
	case passing >= threshold:
		out.state = gslb.Up
	case passing+missing >= threshold:
		out.state = gslb.Unknown
	default:
		out.state = gslb.Down
	}
	out.reason += why
	return out
}

// monitorBelief is what one monitor says of one address.
func (e *evidence) monitorBelief(m string, a netip.AddrPort) belief {
	key := verdictKey{m, a}
	v, ok := e.verdicts[key]
	b := belief{state: gslb.Up, source: "monitor " + m, seen: v.At, reason: fmt.Sprintf("monitor %s at %s: %s", m, a, v.Reason)}
	switch {
	case (!ok || v.State == monitors.Unknown) && e.kinds.passive[m]:
		b.reason = fmt.Sprintf("monitor %s at %s: no load report yet: it does not count", m, a)
		b.doubt, b.mute = gslb.DoubtLearning, true
	case !ok || v.State == monitors.Unknown:
		if b.reason = fmt.Sprintf("monitor %s at %s has no result yet", m, a); v.Reason != "" {
			b.reason += ": " + v.Reason
		}
		if b.state, b.doubt = gslb.Unknown, gslb.DoubtLearning; e.passing[key] {
			b.state = gslb.Up
			b.reason += "; the service was UP when the document changed"
		}
	case v.State == monitors.Down:
		if b.state = gslb.Down; v.Successes > 0 {
			b.doubt = gslb.DoubtRecovering
		}
	case v.Failures > 0:
		b.doubt = gslb.DoubtFailing
	}
	b.draining = v.Draining && b.state == gslb.Up
	return b
}
