package config

// NeedsPort returns the first of the monitors that probes a port which the service, or the monitor's target, must name: its protocol has
// none of its own. It is empty when there is none.
func (d *Document) NeedsPort(bound []MonitorBinding) string {
	if len(bound) == 0 {
		return ""
	}
	byName := make(map[string]*Monitor, len(d.Monitors))
	for i := range d.Monitors {
		byName[d.Monitors[i].Name] = &d.Monitors[i]
	}
	return needsPort(bound, func(name string) *Monitor { return byName[name] })
}

func (c *checker) needsPort(bound []MonitorBinding) string {
	return needsPort(bound, func(name string) *Monitor {
		if i, ok := c.monitors[name]; ok {
			return &c.doc.Monitors[i]
		}
		return nil
	})
}

func needsPort(bound []MonitorBinding, find func(name string) *Monitor) string {
	seen := make(map[string]bool)
	for i := range bound {
		if name := bound[i].Monitor; monitorNeedsPort(find, name, seen) {
			return name
		}
	}
	return ""
}

// monitorNeedsPort looks at a calculated monitor's parts, too, which are run against the same service. seen are those that were looked
// at before, without a finding: a document may have them in a circle.
func monitorNeedsPort(find func(name string) *Monitor, name string, seen map[string]bool) bool {
	m := find(name)
	if m == nil || seen[name] {
		return false
	}
	seen[name] = true
	if m.Type != MonitorCalculated {
		return probeUses(m.Type).port && (m.Target == nil || m.Target.Port == 0)
	}
	parts := SectionOf(m.Calculated).Monitors
	for j := range parts[:min(len(parts), maxCalculatedParts)] {
		if parts[j].Service == "" && monitorNeedsPort(find, parts[j].Monitor, seen) {
			return true
		}
	}
	return false
}
