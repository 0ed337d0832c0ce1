package sites

import (
	"fmt"
	"net/netip"

	"fairlead/gslb"
	"fairlead/monitors"
)

// byMonitors combines this node's verdicts. An address is good while all monitors pass at it; the service is UP while
// one of its addresses is good, without the family of the one that is not.
func (e *evidence) byMonitors() belief {
	var out belief
	var good [2]bool // IPv4, IPv6
	for _, a := range e.service.Addresses {
		b := e.addressBelief(netip.AddrPortFrom(a, uint16(e.service.Port)))
		if b.state == gslb.Up {
			good[family(a)] = true
		}
		if better(b, out) {
			out = b
		}
	}
	if out.state == gslb.Up {
		for _, a := range e.service.Addresses {
			out.without4 = out.without4 || a.Is4() && !good[0]
			out.without6 = out.without6 || !a.Is4() && !good[1]
		}
	}
	return out
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

// addressBelief combines the monitors at one address: the first that does not pass speaks.
func (e *evidence) addressBelief(a netip.AddrPort) belief {
	out := belief{state: gslb.Up}
	for _, bound := range e.service.Monitors {
		m := bound.Monitor
		key := verdictKey{m, a}
		v, ok := e.verdicts[key]
		b := belief{state: gslb.Up, source: "monitor " + m, seen: v.At, reason: fmt.Sprintf("monitor %s at %s: %s", m, a, v.Reason)}
		switch {
		case !ok || v.State == monitors.Unknown:
			b.reason = fmt.Sprintf("monitor %s at %s has no result yet", m, a)
			if b.state = gslb.Unknown; e.passing[key] {
				b.state = gslb.Up
				b.reason += "; the service was UP when the document changed"
			}
		case v.State == monitors.Down:
			b.state = gslb.Down
		}
		if out.source == "" || out.state == gslb.Up && b.state != gslb.Up || b.state == gslb.Down && out.state == gslb.Unknown {
			out = b
		}
	}
	return out
}
