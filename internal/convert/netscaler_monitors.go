package convert

import (
	"net/netip"
	"strings"
	"time"

	"fairlead/config"
)

// builtinMonitors are the monitors that a NetScaler has without a command that adds them, with their types.
var builtinMonitors = map[string]string{"ping": "PING", "ping-default": "PING", "tcp": "TCP", "tcp-default": "TCP", "tcps": "TCP", "http": "HTTP", "https": "HTTP",
	"http-ecv": "HTTP-ECV", "https-ecv": "HTTP-ECV", "tcp-ecv": "TCP-ECV", "udp-ecv": "UDP-ECV", "dns": "DNS", "dns-tcp": "DNS-TCP", "ftp": "FTP", "arp": "ARP", "nd6": "ND6",
	"ldns-ping": "LDNS-PING", "ldns-tcp": "LDNS-TCP", "ldns-dns": "LDNS-DNS"}

// builtinSecure are those of them that use TLS.
var builtinSecure = map[string]bool{"tcps": true, "https": true, "https-ecv": true}

// monitorType is a monitor's type, in capitals.
func monitorType(o *object) string { return strings.ToUpper(o.arg(0)) }

// convertMonitors makes the monitors that services of GSLB are bound to. The others are the load balancers' own.
func (n *netscaler) convertMonitors() {
	for _, kind := range []string{"gslb service", "gslb servicegroup"} {
		for _, o := range n.store.table(kind).list {
			for _, b := range o.bindings {
				if p := b.param("monitorName"); p != nil {
					n.markMonitor(b.line, p.value())
				}
			}
		}
	}
	for _, o := range n.store.table("lb monitor").list {
		if !o.bound {
			n.passed["lb monitor that no GSLB service is bound to"]++
			continue
		}
		n.nameFor(o, "monitors")
		n.monitor(o)
	}
}

func (n *netscaler) markMonitor(line int, name string) {
	t := n.store.table("lb monitor")
	o := t.find(name)
	if kind := builtinMonitors[strings.ToLower(name)]; o == nil && kind != "" {
		o = &object{kind: "lb monitor", name: name, line: line, text: "monitor " + name, args: []string{kind}}
		if builtinSecure[strings.ToLower(name)] {
			o.put(line, "secure", "YES")
		}
		t.put(o)
	}
	if o != nil {
		o.bound = true
	}
}

// monitor makes one monitor.
func (n *netscaler) monitor(o *object) {
	kind := monitorType(o)
	if kind == "LOAD" {
		return // it becomes the load source of each service
	}
	if o.is("state", "DISABLED") {
		n.left(o, o.line, o.text, "the monitor is disabled")
		return
	}
	o.out = newMapping()
	o.out.set("name", o.as)
	write := monitorKinds[kind]
	if write == nil {
		write = replacedMonitor
	}
	if !write(n, o) {
		o.out = nil
		return
	}
	n.monitorTimes(o)
	n.monitorCommon(o)
	n.sections["monitors"] = append(n.sections["monitors"], o.out)
}

// Times of a NetScaler's monitors, and the bounds of Fairlead's.
const (
	nsInterval, nsTimeout, nsDownTime = 5 * time.Second, 2 * time.Second, 30 * time.Second
	nsRetries, nsSuccessRetries       = 3, 1
	mostInterval, leastInterval       = time.Hour, 100 * time.Millisecond
)

// monitorTimes writes the schedule. A NetScaler's defaults are written where they are not Fairlead's.
func (n *netscaler) monitorTimes(o *object) {
	interval, given := n.span(o, "interval", time.Second, nsInterval, leastInterval, mostInterval)
	if given && interval != nsInterval {
		o.out.set("interval", duration(interval))
	}
	timeout, _ := n.span(o, "resptimeout", time.Second, nsTimeout, time.Millisecond, mostInterval)
	if timeout > interval {
		if p := o.param("resptimeout"); p != nil {
			n.changed(o, p.line, p.text(), "it is at most the interval here: %s was put in its place", duration(interval))
		}
		timeout = interval
	}
	if timeout != nsTimeout {
		o.out.set("timeout", duration(timeout))
	}
	const mostTimes = 100
	fall, ok := n.count(o, o, "retries", 1, mostTimes)
	if !ok {
		fall = nsRetries
	}
	if p := o.param("failureRetries"); p != nil && p.value() != "0" {
		if v, ok := n.count(o, o, "failureRetries", 1, mostTimes); ok {
			n.changed(o, p.line, p.text(), "failures count in a row here: fall is %d, not so many out of %d", v, fall)
			fall = v
		}
	}
	if fall != nsRetries {
		o.out.set("fall", int(fall))
	}
	const defaultRise = 2
	rise, ok := n.count(o, o, "successRetries", 1, mostTimes)
	if !ok {
		rise = nsSuccessRetries
	}
	if rise != defaultRise {
		o.out.set("rise", int(rise))
	}
	const mostDown = 24 * time.Hour
	down, given := n.span(o, "downTime", time.Second, nsDownTime, 0, mostDown)
	if given && down < timeout {
		p := o.param("downTime")
		n.changed(o, p.line, p.text(), "it is not below the timeout here: %s was put in its place", duration(timeout))
	}
	o.out.set("down_interval", duration(max(down, timeout)))
}

// monitorCommon writes what all types have.
func (n *netscaler) monitorCommon(o *object) {
	if o.is("reverse", "YES") {
		o.out.set("reverse", true)
	}
	o.value("reverse")
	if p := o.param("destIP"); p != nil && p.value() != "" {
		if a, err := netip.ParseAddr(p.value()); err != nil || a.IsMulticast() {
			n.left(o, p.line, p.text(), "it is not the address of a host")
		} else if !a.IsUnspecified() {
			o.out.section("target").set("address", a.Unmap().String())
		}
	}
	if p := o.param("destPort"); p != nil {
		if port := n.port(o, p.value()); port > 0 {
			o.out.section("target").set("port", port)
		}
	}
	if p := o.param("trofsCode"); p != nil && p.value() != "0" && p.value() != "" {
		if _, err := config.ParseStatusRange(p.value()); err != nil {
			n.left(o, p.line, p.text(), "it is not a status")
		} else {
			o.out.section("drain_on").set("status", []string{p.value()})
		}
	}
	if text := o.value("trofsString"); text != "" {
		o.out.section("drain_on").set("text", unescape(text))
	}
	if p := o.param("secure"); p != nil && strings.EqualFold(p.value(), "YES") && !secured(o.out) {
		n.left(o, p.line, p.text(), "monitors of type %s are not encrypted here", o.out.text("type"))
	}
}

func secured(m *mapping) bool {
	if m.text("type") == "https" || m.get("security") != nil {
		return true
	}
	sip, ok := m.get("sip").(*mapping)
	return ok && sip.text("transport") == "tls"
}

// security turns TLS on. A NetScaler checks no certificates.
func security(o *object) {
	if o.is("secure", "YES") {
		o.out.set("security", "tls")
		o.out.set("tls", inline("verify", false))
	}
}

// replacedMonitor stands for types that have no counterpart: a monitor that looks at less is better than none.
func replacedMonitor(n *netscaler, o *object) bool {
	kind := monitorType(o)
	instead, sees := "tcp", "only that connections are accepted"
	switch {
	case strings.HasPrefix(kind, "LDNS-"):
		n.left(o, o.line, o.text, "how resolvers are measured is in settings.ldns")
		return false
	case kind == "HTTP-INLINE":
		n.left(o, o.line, o.text, "Fairlead sees no requests of clients: bind an http monitor, or a passive one to a service with a load source")
		return false
	case kind == "ARP" || kind == "ND6" || kind == "DTLS" || kind == "QUIC":
		instead, sees = "ping", "only that the host answers"
	case kind == "":
		n.left(o, o.line, o.text, "the monitor has no type")
		return false
	}
	o.out.set("type", instead)
	for _, p := range o.params {
		p.used = true // what it asked for is listed with it
	}
	n.changed(o, o.line, o.text, "there are no monitors of type %s: one of type %s was put in place, which sees %s", kind, instead, sees)
	return true
}

// login writes who logs in. The password is looked for in a file.
func (n *netscaler) login(o *object, user, password string, clear bool) {
	p := o.param(user)
	if p == nil || p.value() == "" {
		return
	}
	m := inline("user", p.value())
	if secret := o.param(password); secret != nil {
		m.set("password", n.secret(o, secret, "password"))
	} else {
		m.set("password", "file:/etc/fairlead/secrets/"+o.as+"-password")
		n.left(o, p.line, p.text(), "its password does not stand here: put it into /etc/fairlead/secrets/%s-password on every node", o.as)
	}
	if clear && o.out.get("security") == nil {
		m.set("in_clear", true)
		n.note(o, p.line, p.text(), "as before, the password travels in clear: better write security: tls or starttls")
	}
	o.out.set("login", m)
}
