package convert

import (
	"net/netip"
	"strings"
)

// convertSites makes the sites.
func (n *netscaler) convertSites() {
	all := n.store.table("gslb site").list
	parents := map[string]bool{}
	for _, o := range all {
		if p := o.param("parentSite"); p != nil {
			parents[strings.ToLower(p.value())] = true
		}
		n.nameFor(o, "sites")
	}
	taken := map[string]string{}
	for _, o := range all {
		n.site(o, parents, taken)
	}
}

func (n *netscaler) site(o *object, parents map[string]bool, taken map[string]string) {
	kind, private := o.value("siteType"), o.value("siteIPAddress")
	for _, arg := range o.args {
		if _, err := netip.ParseAddr(arg); err == nil {
			private = arg
		} else {
			kind = arg
		}
	}
	o.out = newMapping()
	o.out.set("name", o.as)
	text := private
	if p := o.param("publicIP"); p != nil && p.value() != "" {
		text = p.value()
	}
	switch at, ok := address(text); {
	case !ok:
		n.left(o, o.line, o.text, "%q is not the address of a site", text)
	case taken[at] != "":
		n.left(o, o.line, o.text, "site %s has the same address %s: give each its own, or another port", taken[at], at)
	default:
		taken[at] = o.as
		o.out.set("address", at)
	}
	n.siteLocation(o, text, private)
	n.siteExchange(o, kind, parents)
	n.siteParents(o)
	switch trigger := strings.ToUpper(o.value("triggerMonitor")); trigger {
	case "MEPDOWN":
		o.out.set("trigger_monitors", "mep-down")
	case "MEPDOWN_SVCDOWN":
		o.out.set("trigger_monitors", "mep-down-or-service-down")
	}
	if p := o.param("naptrReplacementSuffix"); p != nil {
		n.note(o, p.line, p.text(), "it became part of the services' replacement")
	}
	n.sections["sites"] = append(n.sections["sites"], o.out)
}

// siteLocation gives a site the place of its address, as NetScaler finds it.
func (n *netscaler) siteLocation(o *object, addresses ...string) {
	for _, text := range addresses {
		a, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		if l := n.locate(a); l != nil {
			o.out.set("location", l)
			return
		}
	}
}

// siteExchange says whether there is a node of Fairlead's at the site: one that exchanges nothing is foreign.
func (n *netscaler) siteExchange(o *object, kind string, parents map[string]bool) {
	p := o.param("metricExchange")
	if p == nil || !strings.EqualFold(p.value(), "DISABLED") {
		return
	}
	if strings.EqualFold(kind, "LOCAL") || parents[strings.ToLower(o.name)] || o.param("parentSite") != nil {
		n.left(o, p.line, p.text(), "sites always exchange what they see; only a site without a node of Fairlead's, and no parent or child, can be foreign: true")
		return
	}
	o.out.set("foreign", true)
	o.out.drop("address")
	n.note(o, p.line, p.text(), "the site became foreign: true; remove that if a node of Fairlead will run there")
}

func (n *netscaler) siteParents(o *object) {
	sites := n.store.table("gslb site")
	if p := o.param("parentSite"); p != nil && !strings.EqualFold(p.value(), "None") {
		if parent := sites.find(p.value()); parent != nil {
			o.out.set("parent", parent.as)
		} else {
			n.left(o, p.line, p.text(), "there is no such site")
		}
	}
	p := o.param("backupParentlist")
	if p == nil || strings.EqualFold(p.value(), "None") {
		return
	}
	var list []string
	for _, name := range p.values {
		parent := sites.find(name)
		switch {
		case parent == nil:
			n.left(o, p.line, p.text(), "there is no site %q", name)
		case o.out.get("parent") == nil:
			o.out.set("parent", parent.as) // the list alone: its first is the parent
		case parent.as != o.out.get("parent"):
			list = append(list, parent.as)
		}
	}
	const most = 8
	if len(list) > most {
		n.changed(o, p.line, p.text(), "a site has at most %d backup parents: the first were taken", most)
		list = list[:most]
	}
	if len(list) > 0 {
		o.out.set("backup_parents", list)
	}
}

// siteOf finds the site that an object names; "" when there is none, which is listed.
func (n *netscaler) siteOf(o *object) string {
	p := o.param("siteName")
	if p == nil {
		n.left(o, o.line, o.text, "it names no site")
		return ""
	}
	site := n.store.table("gslb site").find(p.value())
	if site == nil {
		n.left(o, p.line, o.text, "there is no site %q", p.value())
		return ""
	}
	return site.as
}
