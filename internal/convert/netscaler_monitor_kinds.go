package convert

import (
	"encoding/hex"
	"net/netip"
	"path"
	"strings"
	"unicode/utf8"

	"fairlead/config"
)

// monitorKinds write what is special to a type. They report false for a monitor that cannot be converted, which they have listed.
var monitorKinds = map[string]func(n *netscaler, o *object) bool{
	"PING": plainMonitor("ping"), "TCP": tcpMonitor, "HTTP": httpMonitor, "HTTP-ECV": httpECVMonitor, "HTTP2": http2Monitor,
	"TCP-ECV": tcpMonitor, "UDP-ECV": udpMonitor, "DNS": dnsMonitor, "DNS-TCP": dnsMonitor, "FTP": ftpMonitor, "FTP-EXTENDED": ftpMonitor,
	"LDAP": ldapMonitor, "RADIUS": radiusMonitor, "RADIUS_ACCOUNTING": radiusMonitor, "SMTP": smtpMonitor, "POP3": pop3Monitor, "SNMP": snmpMonitor,
	"MYSQL": mysqlMonitor, "MYSQL-ECV": mysqlMonitor, "SIP-UDP": sipMonitor, "SIP-TCP": sipMonitor, "USER": userMonitor,
}

func plainMonitor(kind string) func(*netscaler, *object) bool {
	return func(_ *netscaler, o *object) bool {
		o.out.set("type", kind)
		return true
	}
}

// tcpMonitor is TCP and TCP-ECV: a connection, and what is said over it.
func tcpMonitor(_ *netscaler, o *object) bool {
	o.out.set("type", "tcp")
	security(o)
	dialogue(o, "tcp")
	return true
}

// dialogue writes what is sent and expected.
func dialogue(o *object, section string) {
	for _, part := range []struct{ from, to string }{{"send", "send"}, {"recv", "expect"}} {
		text := unescape(o.value(part.from))
		switch {
		case text == "":
		case utf8.ValidString(text):
			o.out.section(section).set(part.to, text)
		default:
			o.out.section(section).set(part.to+"_hex", hex.EncodeToString([]byte(text)))
		}
	}
}

func udpMonitor(n *netscaler, o *object) bool {
	if o.value("send") == "" {
		n.left(o, o.line, o.text, "UDP answers nothing unless it is asked: give it something to send")
		return false
	}
	o.out.set("type", "udp")
	dialogue(o, "udp")
	if o.value("recv") == "" {
		o.out.section("udp").set("silent", true) // only an ICMP error fails
	}
	return true
}

func dnsMonitor(n *netscaler, o *object) bool {
	o.out.set("type", "dns")
	m := o.out.section("dns")
	kinds := map[string]string{"": "A", "ADDRESS": "A", "AAAA": "AAAA", "ZONE": "SOA"}
	query := o.param("query")
	if query == nil || query.value() == "" {
		n.changed(o, o.line, o.text, "it asks for no name: the name servers of the root were put in place")
		return true
	}
	m.set("name", strings.TrimSuffix(query.value(), "."))
	kind, ok := kinds[strings.ToUpper(o.value("queryType"))]
	if p := o.param("queryType"); p != nil && !ok {
		n.changed(o, p.line, p.text(), "A was put in its place")
		kind = "A"
	}
	m.set("type", kind)
	m.set("recurse", true)
	if monitorType(o) == "DNS-TCP" {
		m.set("transport", "tcp")
	}
	if p := o.param("IPAddress"); p != nil && kind != "SOA" {
		n.dnsExpect(o, m, p, kind)
	}
	return true
}

// dnsExpect writes the addresses that must be in the answer.
func (n *netscaler) dnsExpect(o *object, m *mapping, p *param, kind string) {
	var expect []string
	for _, v := range p.values {
		if a, err := netip.ParseAddr(v); err != nil || a.Is4() != (kind == "A") {
			n.left(o, p.line, p.text(), "%q is not the data of a record of type %s", v, kind)
			continue
		}
		expect = append(expect, v)
	}
	if len(expect) > 1 {
		n.changed(o, p.line, p.text(), "all of these must be in the answer here, not one of them")
	}
	if len(expect) > 0 {
		m.set("expect", expect)
	}
}

func ftpMonitor(n *netscaler, o *object) bool {
	o.out.set("type", "ftp")
	n.login(o, "userName", "password", true)
	if file := o.value("fileName"); file != "" {
		o.out.section("ftp").set("file", file)
	}
	return true
}

func ldapMonitor(n *netscaler, o *object) bool {
	o.out.set("type", "ldap")
	security(o)
	n.login(o, "bindDN", "password", true)
	if base := o.value("baseDN"); base != "" {
		o.out.section("ldap").set("base", base)
	}
	if filter := o.value("filter"); filter != "" {
		if !strings.HasPrefix(filter, "(") {
			filter = "(" + filter + ")"
		}
		o.out.section("ldap").set("filter", filter)
		o.out.section("ldap").set("scope", "sub")
	}
	return true
}

func radiusMonitor(n *netscaler, o *object) bool {
	key := o.param("radKey")
	if key == nil {
		n.left(o, o.line, o.text, "it has no radKey, without which a server does not answer")
		return false
	}
	o.out.set("type", "radius")
	m := o.out.section("radius")
	m.set("secret", n.secret(o, key, "radius-key"))
	if id := o.value("radNASid"); id != "" {
		m.set("nas_identifier", id)
	}
	if monitorType(o) == "RADIUS_ACCOUNTING" {
		m.set("mode", "accounting")
		return true
	}
	n.login(o, "userName", "password", false)
	if o.out.get("login") == nil {
		m.set("mode", "status")
		n.changed(o, o.line, o.text, "without userName nobody can log in: it asks for the server's status")
		return true
	}
	if p := o.param("respCode"); p != nil {
		accept, reject := false, false
		for _, v := range p.values {
			accept = accept || v == "2" || strings.HasPrefix(v, "2-")
			reject = reject || v == "3" || strings.HasSuffix(v, "-3")
		}
		switch {
		case accept && reject:
			m.set("expect", "any")
		case reject:
			m.set("expect", "reject")
		case !accept:
			n.left(o, p.line, p.text(), "2 is accept and 3 is reject; accept was put in place")
		}
	}
	return true
}

func smtpMonitor(n *netscaler, o *object) bool {
	o.out.set("type", "smtp")
	n.login(o, "userName", "password", true)
	return true
}

func pop3Monitor(n *netscaler, o *object) bool {
	o.out.set("type", "pop3")
	n.login(o, "userName", "password", true)
	return true
}

func mysqlMonitor(n *netscaler, o *object) bool {
	o.out.set("type", "mysql")
	n.login(o, "userName", "password", false)
	if o.out.get("login") == nil {
		return true
	}
	if database := o.value("database"); database != "" {
		o.out.section("mysql").set("database", database)
	}
	if query := o.value("sqlQuery"); query != "" {
		o.out.section("mysql").set("query", query)
	}
	if p := o.param("evalRule"); p != nil && p.value() != "none" {
		n.left(o, p.line, p.text(), "rules about results have no counterpart: mysql.expect looks at the first column of the first row")
	}
	return true
}

func snmpMonitor(n *netscaler, o *object) bool {
	community := o.param("snmpCommunity")
	o.out.set("type", "snmp")
	m := newMapping()
	if community != nil {
		m.set("community", n.secret(o, community, "community"))
	} else {
		m.set("community", "file:/etc/fairlead/secrets/"+o.as+"-community")
		n.left(o, o.line, o.text, "it names no community: put it into /etc/fairlead/secrets/%s-community on every node", o.as)
	}
	if p := o.param("snmpVersion"); p != nil && strings.EqualFold(p.value(), "V1") {
		n.changed(o, p.line, p.text(), "version 2c is spoken")
	}
	o.out.set("snmp", m)
	p := o.param("Snmpoid")
	if p == nil {
		return true
	}
	oid := strings.TrimPrefix(p.value(), ".")
	if !config.ValidOID(oid) {
		n.left(o, p.line, p.text(), "write it in numbers")
		return true
	}
	check := inline("oid", oid)
	if v, ok := n.count(o, o, "snmpThreshold", 0, 1<<53); ok {
		check.set("max", int(v))
	}
	m.set("checks", []*mapping{check})
	return true
}

func sipMonitor(n *netscaler, o *object) bool {
	o.out.set("type", "sip")
	m := o.out.section("sip")
	if uri := o.value("sipURI"); uri != "" {
		m.set("uri", uri)
	}
	switch {
	case o.is("secure", "YES"):
		m.set("transport", "tls")
		o.out.set("tls", inline("verify", false))
	case monitorType(o) == "SIP-TCP":
		m.set("transport", "tcp")
	}
	if p := o.param("sipMethod"); p != nil && !strings.EqualFold(p.value(), "OPTIONS") {
		n.changed(o, p.line, p.text(), "OPTIONS was put in its place")
	}
	if statuses := n.statuses(o, "respCode"); statuses != nil {
		m.set("expect_status", statuses)
	}
	if len(m.entries) == 0 {
		o.out.drop("sip")
	}
	return true
}

// knownScripts are scripts that come with a NetScaler and whose work a type of monitor does.
var knownScripts = map[string]func(n *netscaler, o *object) bool{"nsldap.pl": ldapMonitor, "nssmtp.pl": smtpMonitor, "nspop3.pl": pop3Monitor,
	"nsftp.pl": ftpMonitor, "nsmysql.pl": mysqlMonitor, "nsradius.pl": radiusMonitor, "nssnmp.pl": snmpMonitor}

// scriptArguments are the arguments of those scripts and the parameters that they stand for.
var scriptArguments = map[string]string{"base": "baseDN", "bdn": "bindDN", "filter": "filter", "attr": "attribute", "password": "password", "user": "userName",
	"database": "database", "query": "sqlQuery", "file": "fileName", "key": "radKey"}

// userMonitor is a script. Those that come with a NetScaler become monitors of their own type.
func userMonitor(n *netscaler, o *object) bool {
	script := o.param("scriptName")
	if script == nil || script.value() == "" {
		n.left(o, o.line, o.text, "it names no script")
		return false
	}
	arguments := o.param("scriptArgs")
	name := path.Base(strings.ReplaceAll(script.value(), `\`, "/"))
	if known := knownScripts[strings.ToLower(name)]; known != nil {
		if arguments != nil {
			n.scriptArguments(o, arguments)
		}
		return known(n, o)
	}
	o.out.set("type", "script")
	o.out.set("script", inline("command", []string{"/etc/fairlead/scripts/" + name, "{address}", "{port}"}))
	n.left(o, script.line, script.text(), "it has to be written anew, with the interface of Nagios plugins, and put in place on every node")
	if arguments != nil {
		n.left(o, arguments.line, arguments.text(), "arguments may have secrets in them: add those without to script.command")
	}
	return true
}

// scriptArguments reads name=value;name=value.
func (n *netscaler) scriptArguments(o *object, p *param) {
	for pair := range strings.SplitSeq(p.value(), ";") {
		name, value, ok := strings.Cut(pair, "=")
		to := scriptArguments[strings.ToLower(strings.TrimSpace(name))]
		if strings.TrimSpace(pair) == "" {
			continue
		}
		if !ok || to == "" {
			n.left(o, p.line, p.text(), "one of its arguments has no counterpart")
			continue
		}
		o.put(p.line, to, strings.TrimSpace(value))
	}
}
