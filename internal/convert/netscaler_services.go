package convert

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// serviceTypes are the protocols of services. They say nothing here: a service is an address.
var serviceTypes = map[string]bool{"HTTP": true, "FTP": true, "TCP": true, "UDP": true, "SSL": true, "SSL_BRIDGE": true, "SSL_TCP": true, "NNTP": true,
	"ANY": true, "SIP_UDP": true, "SIP_TCP": true, "SIP_SSL": true, "RADIUS": true, "RDP": true, "RTSP": true, "MYSQL": true, "MSSQL": true, "ORACLE": true,
	"DNS": true, "DNS_TCP": true, "DIAMETER": true, "SSL_DIAMETER": true, "TFTP": true, "MONGO": true, "HTTPS": true}

// convertServices makes the services.
func (n *netscaler) convertServices() {
	for _, o := range n.store.table("gslb service").list {
		n.nameFor(o, "services")
		n.service(o)
	}
}

func (n *netscaler) service(o *object) {
	site := n.siteOf(o)
	if site == "" {
		return
	}
	out := newMapping()
	out.set("name", o.as)
	out.set("site", site)
	own, port, alias := n.serviceEnd(o)
	if own == "" && alias == "" && o.param("naptrServices") == nil {
		return
	}
	o.out = out
	if alias != "" {
		out.set("cname", alias)
	} else if own != "" {
		out.set("addresses", []string{own})
	}
	if port > 0 {
		out.set("port", port)
	}
	n.publicAddress(o, o, out, own, port)
	n.naptr(o)
	if alias != "" {
		n.withoutMonitors(o, "answers with names cannot be monitored here: monitor a service with addresses, or take the name's addresses into the document")
	} else {
		n.bindMonitors(o, own, port)
	}
	n.serviceLimits(o)
	n.serviceViews(o, own)
	n.sections["services"] = append(n.sections["services"], out)
}

// serviceEnd is a service's address and port, or the name that it answers with. Where it has neither, that is listed.
func (n *netscaler) serviceEnd(o *object) (own string, port int, alias string) {
	args := o.args
	if p := o.param("cnameEntry"); p != nil {
		return "", 0, strings.TrimSuffix(p.value(), ".")
	}
	end := o.value("IP") // the argument by its name
	if end == "" && len(args) > 0 {
		end, args = args[0], args[1:]
	}
	if set := o.value("IPAddress"); set != "" {
		end = set
	}
	for _, arg := range append(args, o.value("serviceType"), o.value("port")) {
		if serviceTypes[strings.ToUpper(arg)] || arg == "" {
			continue
		}
		port = n.port(o, arg)
	}
	own, name := n.resolve(end)
	switch {
	case own != "":
	case name != "":
		n.left(o, o.line, o.text, "server %s is the name %s: give its address, or make a service group with autoscale", end, name)
	case o.param("naptrServices") == nil:
		n.left(o, o.line, o.text, "%q is neither an address nor a server", end)
	}
	return own, port, ""
}

// port reads a port; * is every port.
func (n *netscaler) port(o *object, text string) int {
	v, err := strconv.ParseUint(text, 10, 16)
	if err != nil && text != "*" {
		n.left(o, o.line, o.text, "%q is not a port", text)
	}
	if err != nil || v == math.MaxUint16 {
		return 0
	}
	return int(v)
}

// resolve is the address of an address or server, or the DNS name of a server.
func (n *netscaler) resolve(text string) (own, name string) {
	if own, ok := address(text); ok {
		return own, ""
	}
	server := n.store.table("server").find(text)
	if server == nil || len(server.args) == 0 {
		return "", ""
	}
	if own, ok := address(server.args[0]); ok {
		return own, ""
	}
	if _, err := netip.ParseAddr(server.args[0]); err == nil {
		return "", ""
	}
	return "", strings.TrimSuffix(server.args[0], ".")
}

// publicAddress is what answers carry in place of the address.
func (n *netscaler) publicAddress(o, at *object, out *mapping, own string, port int) {
	p := at.param("publicIP")
	if p != nil && p.value() != "" && p.value() != own {
		if public, ok := address(p.value()); !ok || strings.Contains(public, ":") != strings.Contains(own, ":") {
			n.left(o, p.line, p.text(), "it cannot stand for %s", own)
		} else {
			out.set("public_addresses", []string{public})
		}
	}
	if p := at.param("publicPort"); p != nil && n.port(o, p.value()) != port {
		n.left(o, p.line, p.text(), "DNS answers with addresses carry no port; SRV answers give the service's")
	}
}

// naptr is the NAPTR record of a service.
func (n *netscaler) naptr(o *object) {
	services := o.param("naptrServices")
	if services == nil {
		return
	}
	m := inline()
	for _, part := range []struct{ from, to string }{{"naptrOrder", "order"}, {"naptrPreference", "preference"}} {
		if v, ok := n.count(o, o, part.from, 0, math.MaxUint16); ok {
			m.set(part.to, int(v))
		}
	}
	m.set("flags", "A")
	m.set("services", services.value())
	replacement := o.value("naptrReplacement")
	if site := n.store.table("gslb site").find(o.value("siteName")); replacement != "" && site != nil && !strings.HasSuffix(replacement, ".") {
		if suffix := site.value("naptrReplacementSuffix"); suffix != "" {
			replacement += "." + strings.TrimPrefix(suffix, ".")
		}
	}
	if replacement == "" {
		n.left(o, services.line, services.text(), "without naptrReplacement the record leads nowhere")
		return
	}
	m.set("replacement", strings.TrimSuffix(replacement, "."))
	o.out.set("naptr", m)
	n.changed(o, services.line, services.text(), "NetScaler chooses the flags; A was put in place: the replacement has addresses")
}

// serviceLimits are what leaves a service or the services of a group out, and what the operator wants of it.
func (n *netscaler) serviceLimits(o *object) {
	if v, ok := n.count(o, o, "maxClient", 0, math.MaxUint32); ok && v > 0 {
		o.out.set("max_connections", int(v))
	}
	const bitsOfKilobit = 1000
	if v, ok := n.count(o, o, "maxBandwidth", 0, math.MaxUint32); ok && v > 0 {
		o.out.set("max_bandwidth", int(v*bitsOfKilobit))
	}
	if o.kind == "gslb service" {
		if v, ok := n.count(o, o, "hashId", 0, math.MaxUint32); ok && v > 0 {
			o.out.set("hash_id", int(v))
		}
	}
	if o.is("state", "DISABLED") {
		o.out.set("state", "disabled")
	}
	if p := o.param("autoScale"); p != nil && !strings.EqualFold(p.value(), "DISABLED") && o.out.get("autoscale") == nil {
		n.left(o, p.line, p.text(), "no member of the group is a server with a DNS name")
	}
}

// serviceViews are other addresses for the clients of views.
func (n *netscaler) serviceViews(o *object, own string) {
	var list []*mapping
	for _, b := range o.bindings {
		p := b.param("viewName")
		if p == nil {
			continue
		}
		b.out = o.out
		at, ok := address(b.arg(0))
		view := n.store.table("dns view").find(p.value())
		switch {
		case !ok || strings.Contains(at, ":") != strings.Contains(own, ":") || own == "":
			n.left(o, b.line, b.text, "%q cannot stand for the service's address", b.arg(0))
		case view == nil || view.out == nil:
			n.left(o, b.line, b.text, "no policy that could be converted selects view %s", p.value())
		default:
			list = append(list, inline("view", view.as, "addresses", []string{at}))
		}
	}
	if len(list) > 0 {
		o.out.set("views", list)
	}
}

// withoutMonitors lists the monitors of an object that cannot have any.
func (n *netscaler) withoutMonitors(o *object, why string) {
	for _, b := range o.bindings {
		if b.param("monitorName") != nil {
			b.out = o.out
			n.left(o, b.line, b.text, "%s", why)
			b.param("weight")
			b.param("monState")
		}
	}
}

// bindMonitors gives a service or a group its monitors.
func (n *netscaler) bindMonitors(o *object, own string, port int) {
	if p := o.param("healthMonitor"); p != nil && strings.EqualFold(p.value(), "NO") {
		n.note(o, p.line, p.text(), "it has no monitors: it is UP while its site is heard")
		n.withoutMonitors(o, "healthMonitor is NO")
		return
	}
	threshold, _ := n.count(o, o, "monThreshold", 0, math.MaxUint16)
	var plain []string
	var list []*mapping
	sum := uint64(0)
	for _, b := range o.bindings {
		if b.param("monitorName") == nil {
			continue
		}
		b.out = o.out
		m := n.boundMonitor(o, b, own, port)
		weight, weighted := n.count(o, b, "weight", 1, 100)
		if m == nil {
			continue
		}
		if !weighted {
			weight = 1
		}
		sum += weight
		plain = append(plain, m.as)
		if weight == 1 || threshold == 0 { // without a threshold all must pass, whatever they weigh
			list = append(list, inline("monitor", m.as))
			continue
		}
		list = append(list, inline("monitor", m.as, "weight", int(weight)))
	}
	switch {
	case len(list) == 0:
		return
	case threshold == 0:
		o.out.set("monitors", plain)
		return
	}
	if threshold > sum {
		p := o.param("monThreshold")
		n.changed(o, p.line, p.text(), "the weights of the monitors add up to %d: this was put in its place", sum)
		threshold = sum
	}
	o.out.set("monitors", list)
	o.out.set("monitor_threshold", int(threshold))
}

// boundMonitor is the monitor that a binding names. nil: there is none in the document that the service could have.
func (n *netscaler) boundMonitor(o, b *object, own string, port int) *object {
	name := b.value("monitorName")
	m := n.store.table("lb monitor").find(name)
	switch {
	case b.is("monState", "DISABLED"):
		n.left(o, b.line, b.text, "the binding is disabled")
		return nil
	case m == nil:
		n.left(o, b.line, b.text, "there is no monitor %q", name)
		return nil
	case monitorType(m) == "LOAD":
		n.loadSource(o, b, m, own)
		return nil
	case m.out == nil:
		n.left(o, b.line, b.text, "monitor %s was not converted", name)
		return nil
	case port == 0 && needsPort[m.out.text("type")] && !targetsPort(m.out):
		n.left(o, b.line, b.text, "the service has no port that monitor %s could probe", m.as)
		return nil
	}
	for _, other := range o.bindings { // twice: the first counts
		if other == b {
			return m
		}
		if strings.EqualFold(other.value("monitorName"), name) && other.param("monitorName") != nil {
			n.note(o, b.line, b.text, "it is bound already")
			return nil
		}
	}
	return m
}

// needsPort are the types of monitors without a port of their own.
var needsPort = map[string]bool{"tcp": true, "udp": true, "tls": true, "grpc": true}

func targetsPort(m *mapping) bool {
	t, ok := m.get("target").(*mapping)
	return ok && t.get("port") != nil
}

// hostPort writes an address and port.
func hostPort(own string, port int) string {
	if strings.Contains(own, ":") {
		return fmt.Sprintf("[%s]:%d", own, port)
	}
	return fmt.Sprintf("%s:%d", own, port)
}
