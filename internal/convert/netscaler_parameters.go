package convert

import (
	"slices"
	"strings"
	"time"
)

// convertParameters makes the settings of what is set for GSLB as a whole, and the locations.
func (n *netscaler) convertParameters() {
	for _, o := range n.store.table("gslb parameter").list {
		o.out = newMapping()
		n.ldnsParameters(o)
		n.exchangeParameters(o)
		o.param("overridePersistencyForOrder") // of each virtual server
	}
	if len(n.locations) > 0 {
		n.sections["locations"] = n.locations
	}
	wildcards := "literal" // a NetScaler's default
	for _, o := range n.store.table("locationparameter").list {
		o.out = newMapping()
		if p := o.param("matchWildcardtoany"); p != nil && !strings.EqualFold(p.value(), "NO") {
			wildcards = "any"
			if !strings.EqualFold(p.value(), "YES") {
				n.changed(o, p.line, p.text(), "any was put in its place: policies match a * with any qualifier in any case")
			}
		}
	}
	starred := slices.ContainsFunc(n.locations, func(m *mapping) bool { return strings.Contains(m.text("place"), "*") })
	if starred || len(n.store.table("locationfile").list)+len(n.store.table("locationfile6").list) > 0 {
		n.settings.section("locations").set("wildcards", wildcards)
	}
}

// ldnsParameters are about resolvers that are measured.
func (n *netscaler) ldnsParameters(o *object) {
	set := func(key string, value any) { n.settings.section("ldns").set(key, value) }
	const usual = 3 * time.Minute
	if d, ok := n.span(o, "ldnsEntryTimeout", time.Second, usual, time.Second, 24*time.Hour); ok && d != usual {
		set("entry_timeout", duration(d))
	}
	const usualTolerance = 5 * time.Millisecond
	if d, ok := n.span(o, "RTTTolerance", time.Millisecond, usualTolerance, 0, 100*time.Millisecond); ok && d != usualTolerance {
		set("tolerance", d.String())
	}
	if length, ok := n.mask(o, "ldnsMask"); ok && length != 32 {
		set("prefix4", length)
	}
	if length, ok := n.count(o, o, "v6ldnsmasklen", 1, 128); ok && length != 128 {
		set("prefix6", int(length))
	}
	p := o.param("ldnsProbeOrder")
	if p == nil {
		return
	}
	var order []string
	for _, v := range p.values {
		switch v = strings.ToLower(v); v {
		case "ping", "dns", "tcp":
			order = append(order, v)
		default:
			n.left(o, p.line, p.text(), "%q is no kind of probe", v)
		}
	}
	if len(order) > 0 && !slices.Equal(order, []string{"ping", "dns", "tcp"}) {
		set("probe_order", order)
	}
}

// exchangeParameters are about what sites tell each other.
func (n *netscaler) exchangeParameters(o *object) {
	set := func(key string, value any) { n.settings.section("mep").set(key, value) }
	if d, ok := n.span(o, "GSLBSvcStateDelayTime", time.Second, 0, 0, 24*time.Hour); ok && d > 0 {
		set("hold", duration(d))
	}
	const usual, least = 10 * time.Second, 3 * time.Second // three reports
	if d, ok := n.span(o, "MEPKeepAliveTimeout", time.Second, usual, least, 10*time.Minute); ok && d != usual {
		set("keepalive_timeout", duration(d))
	}
}
