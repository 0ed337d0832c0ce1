package config

// needsPort returns the first of the monitors that probes a port which the service, or the monitor's target, must name: its protocol has
// none of its own. It is empty when there is none.
func (c *checker) needsPort(bound []MonitorBinding) string {
	for i := range bound {
		if name := bound[i].Monitor; c.monitorNeedsPort(name, MaxCalculatedDepth) {
			return name
		}
	}
	return ""
}

// monitorNeedsPort looks at a calculated monitor's parts, too, which are run against the same service.
func (c *checker) monitorNeedsPort(name string, depth int) bool {
	i, ok := c.monitors[name]
	if !ok || depth < 0 {
		return false
	}
	m := &c.doc.Monitors[i]
	if m.Type != MonitorCalculated {
		return probeUses(m.Type).port && (m.Target == nil || m.Target.Port == 0)
	}
	parts := SectionOf(m.Calculated).Monitors
	for j := range parts[:min(len(parts), maxCalculatedParts)] {
		if parts[j].Service == "" && c.monitorNeedsPort(parts[j].Monitor, depth-1) {
			return true
		}
	}
	return false
}
