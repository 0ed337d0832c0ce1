package node

import (
	"net/netip"

	"fairlead/config"
	"fairlead/mep"
	"fairlead/monitors"
)

// probeTargets lists what the document's monitors probe: every address of every service that binds them, at all sites.
// Services that the document disables are left out, unless enabled names them.
func probeTargets(doc *config.Document, enabled map[string]bool) []monitors.Target {
	byName := make(map[string]*config.Monitor, len(doc.Monitors))
	for i := range doc.Monitors {
		byName[doc.Monitors[i].Name] = &doc.Monitors[i]
	}
	var out []monitors.Target
	for i := range doc.Services {
		s := &doc.Services[i]
		if s.State == config.ServiceDisabled && !enabled[s.Name] {
			continue
		}
		for _, bound := range s.Monitors {
			name := bound.Monitor
			for _, a := range s.Addresses {
				out = append(out, monitors.Target{Service: s.Name, Monitor: *byName[name], Address: netip.AddrPortFrom(a, uint16(s.Port))})
			}
		}
	}
	return out
}

// loadTargets lists the load sources that this site reads: those of its own services.
func loadTargets(doc *config.Document, site string) []monitors.LoadTarget {
	var out []monitors.LoadTarget
	for i := range doc.Services {
		if s := &doc.Services[i]; s.Site == site && s.Load != nil {
			out = append(out, monitors.LoadTarget{Service: s.Name, Source: *s.Load})
		}
	}
	return out
}

// peersOf returns this site and the others as end points of the exchange.
func peersOf(doc *config.Document, site string) (self mep.Peer, peers []mep.Peer) {
	for i := range doc.Sites {
		s := &doc.Sites[i]
		p := mep.Peer{Site: s.Name, Address: s.Endpoint()}
		if s.Name == site {
			self = p
		} else {
			peers = append(peers, p)
		}
	}
	return self, peers
}
