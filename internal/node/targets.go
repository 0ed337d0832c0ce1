package node

import (
	"net/netip"

	"fairlead/config"
	"fairlead/monitors/probe"
	"fairlead/monitors/source"
	"fairlead/sites"
)

// probeTargets lists what this site's monitors probe: every address of each service that they have to (sites.Probed). Services that
// the document disables are left out, unless enabled names them.
func probeTargets(doc *config.Document, site string, enabled map[string]bool) []probe.Target {
	probed := sites.Probed(doc, site)
	byName := make(map[string]*config.Monitor, len(doc.Monitors))
	for i := range doc.Monitors {
		byName[doc.Monitors[i].Name] = &doc.Monitors[i]
	}
	var out []probe.Target
	for i := range doc.Services {
		s := &doc.Services[i]
		if s.State == config.ServiceDisabled && !enabled[s.Name] || !probed[i] {
			continue
		}
		for _, bound := range s.Monitors {
			name := bound.Monitor
			for _, a := range s.Addresses {
				out = append(out, probe.Target{Service: s.Name, Monitor: byName[name], Address: netip.AddrPortFrom(a, uint16(s.Port))})
			}
		}
	}
	return out
}

// loadTargets lists the load sources that this site reads: those of its own services and, when it answers DNS, of foreign sites'.
func loadTargets(doc *config.Document, site string) []source.Target {
	reads := map[string]bool{site: true}
	if own := doc.Site(site); own != nil && own.Answers() {
		for i := range doc.Sites {
			if doc.Sites[i].Foreign {
				reads[doc.Sites[i].Name] = true
			}
		}
	}
	var out []source.Target
	for i := range doc.Services {
		if s := &doc.Services[i]; s.Load != nil && reads[s.Site] {
			out = append(out, source.Target{Service: s.Name, Source: *s.Load, Addresses: s.Addresses, Port: uint16(s.Port)})
		}
	}
	return out
}
