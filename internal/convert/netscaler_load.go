package convert

import (
	"strconv"
	"strings"

	"fairlead/config"
)

// loadSource makes the load source of a service that a monitor of type LOAD is bound to: the OIDs of its metrics, with weights and
// thresholds.
func (n *netscaler) loadSource(o, b, m *object, own string) {
	if o.out.get("load") != nil {
		n.left(o, b.line, b.text, "the service has a load source already")
		return
	}
	m.out = m.outOrNew()
	tableName := m.value("metricTable")
	metrics := n.store.table("lb metrictable").find(tableName)
	var custom []*mapping
	for _, binding := range m.bindings {
		binding.out = m.out
		name := binding.value("metric")
		oid := ""
		if metrics != nil {
			for _, row := range metrics.bindings {
				if len(row.args) > 1 && strings.EqualFold(row.arg(0), name) || strings.EqualFold(row.value("metric"), name) && name != "" {
					oid = strings.TrimPrefix(row.arg(len(row.args)-1), ".")
				}
			}
		}
		if !config.ValidOID(oid) {
			n.left(o, binding.line, binding.text, "metric %s of table %s has no object identifier in numbers here", name, tableName)
			binding.params = nil
			continue
		}
		entry := inline("name", name, "path", oid)
		if v, ok := n.count(m, binding, "metricWeight", 1, 100); ok && v > 1 {
			entry.set("weight", int(v))
		}
		if v, ok := n.count(m, binding, "metricThreshold", 1, 1<<53); ok {
			entry.set("threshold", number(strconv.FormatUint(v, 10)))
		}
		custom = append(custom, entry)
	}
	if custom == nil || own == "" {
		n.left(o, b.line, b.text, "load monitor %s has no metric that could be read", m.name)
		return
	}
	port := 161
	if p := m.param("destPort"); p != nil {
		if given := n.port(m, p.value()); given > 0 {
			port = given
		}
	}
	if at, ok := address(m.value("destIP")); ok {
		own = at
	}
	load := newMapping()
	load.set("source", "snmp")
	load.set("url", "snmp://"+hostPort(own, port))
	snmp := inline()
	if community := m.param("snmpCommunity"); community != nil {
		snmp.set("community", n.secret(m, community, "community"))
	} else {
		snmp.set("community", "file:/etc/fairlead/secrets/"+m.as+"-community")
	}
	load.set("snmp", snmp)
	load.set("custom", custom)
	for _, scheduled := range []string{"interval", "resptimeout", "retries", "downTime", "successRetries"} {
		m.param(scheduled) // loads are read each second, and say nothing of UP or DOWN
	}
	o.out.set("load", load)
}

// outOrNew is where remarks about an object go that is part of others.
func (o *object) outOrNew() *mapping {
	if o.out == nil {
		o.out = newMapping()
	}
	return o.out
}
