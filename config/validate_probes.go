package config

import (
	"encoding/hex"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// Limits of what a probe sends and looks for.
const (
	maxProbeText    = 64 << 10
	maxProbeHeaders = 32
	maxProbeRegexp  = 1024
	maxProbeSteps   = 2048 // of a compiled regular expression: each byte that is looked at may cost so many
)

// probeUse says what a type of monitor can make use of besides the section of its own name. port: it probes a port, and its protocol
// has none of its own.
type probeUse struct {
	http, tls, login, proxy, port bool
	security                      []ProbeSecurity // besides none
}

// probeUses: tls stands for types that always have TLS; with security others have, too.
func probeUses(t MonitorType) probeUse {
	tlsOnly, both := []ProbeSecurity{SecurityTLS}, []ProbeSecurity{SecurityTLS, SecuritySTARTTLS}
	switch t {
	case MonitorTCP, MonitorGRPC:
		return probeUse{proxy: true, port: true, security: tlsOnly}
	case MonitorUDP:
		return probeUse{port: true}
	case MonitorTLS:
		return probeUse{tls: true, proxy: true, port: true}
	case MonitorHTTP:
		return probeUse{http: true, login: true, proxy: true}
	case MonitorHTTPS:
		return probeUse{http: true, tls: true, login: true, proxy: true}
	case MonitorSMTP, MonitorPOP3, MonitorIMAP, MonitorFTP, MonitorLDAP:
		return probeUse{login: true, proxy: true, security: both}
	case MonitorMySQL, MonitorPostgres, MonitorRedis:
		return probeUse{login: true, proxy: true, security: tlsOnly}
	case MonitorRADIUS:
		return probeUse{login: true}
	case MonitorDNS, MonitorSIP:
		return probeUse{tls: true, proxy: true}
	}
	return probeUse{}
}

// probeSections are the keys of sections that one type of monitor has for itself: each is its type's name.
var probeSections = []string{"ping", "tcp", "udp", "dns", "grpc", "smtp", "ftp", "ntp", "ldap", "radius", "snmp", "mysql", "postgres", "redis",
	"sip", "script", "calculated", "passive"}

// checkProbeKeys warns of keys that a monitor of this type makes no use of.
func (c *checker) checkProbeKeys(m *Monitor, path string) {
	use := probeUses(m.Type)
	for _, key := range probeSections {
		c.noEffect(m, path, key, key == string(m.Type))
	}
	c.noEffect(m, path, "http", use.http)
	c.noEffect(m, path, "tls", use.tls || m.Security != SecurityNone && len(use.security) > 0)
	c.noEffect(m, path, "login", use.login)
	c.noEffect(m, path, "proxy_protocol", use.proxy || m.ProxyProtocol == ProxyNone)
	asked := m.Type != MonitorCalculated && m.Type != MonitorPassive
	for _, key := range []string{"drain_on", "reverse", "max_response_time", "target"} {
		c.noEffect(m, path, key, asked)
	}
	if m.Security != "" && m.Security != SecurityNone && !slices.Contains(use.security, m.Security) && !c.page.failed[path+"/security"] {
		c.problem(path+"/security", codeProbe, "use one of the words that docs/monitors.md lists for this type, or remove it", "monitors of type %s know no security: %s", m.Type, m.Security)
	}
}

func (c *checker) noEffect(m *Monitor, path, key string, used bool) {
	if m.Type != "" && !used && c.page.present(path+"/"+key) {
		c.problem(path+"/"+key, codeWarnNoEffect, "remove it, or use another type", "%s has no effect on %s monitors", key, m.Type)
	}
}

// checkProbeCommon checks the keys that every type of monitor has.
func (c *checker) checkProbeCommon(m *Monitor, path string) {
	if m.DownInterval != 0 && m.DownInterval.Std() < m.Timeout.Std() {
		c.problem(path+"/down_interval", codeProbe, "raise it, or lower timeout", "down_interval %v is below timeout %v", m.DownInterval, m.Timeout)
	}
	if m.MaxResponseTime != 0 && m.MaxResponseTime.Std() >= m.Timeout.Std() {
		c.problem(path+"/max_response_time", codeWarnNoEffect, "lower it, or raise timeout", "no answer takes longer than max_response_time %v: the timeout is %v", m.MaxResponseTime, m.Timeout)
	}
	if d := m.DrainOn; d != nil {
		c.checkDrainOn(m.Type, d, path+"/drain_on")
	}
	if t := m.Target; t != nil && t.Address.IsValid() && (t.Address.Zone() != "" || t.Address.IsUnspecified() || t.Address.IsMulticast()) {
		c.problem(path+"/target/address", codeProbe, "write the address of a host", "%s cannot be probed", t.Address)
	} else if t != nil {
		c.checkReached(path+"/target/address", t.Address)
	}
	if l := m.Login; l != nil {
		c.checkSecret(path+"/login/password", l.Password)
	}
}

func (c *checker) checkDrainOn(t MonitorType, d *DrainOn, path string) {
	parse := ParseStatusRange
	if t == MonitorSIP {
		parse = ParseSIPStatusRange
	}
	if len(d.Status) == 0 && d.Text == "" && !c.page.failed[path+"/status"] {
		c.problem(path, codeProbe, "add status: or text:", "drain_on says no answer")
	}
	for i, s := range d.Status {
		if _, err := parse(s); err != nil {
			c.problem(path+at("status", i), codeExpectStatus, "", "%v", err)
		}
	}
	c.checkProbeText(path+"/text", d.Text)
}

// checkSecret checks that a secret says where it is.
func (c *checker) checkSecret(path string, s Secret) {
	if s == "" || c.page.failed[path] {
		return
	}
	kind, name := s.Source()
	switch {
	case kind == "":
		// The value is not shown: it may be the secret itself.
		c.problem(path, codeSecret, secretHint, "a secret does not stand in the document: this says where each node finds it")
	case kind == SecretFile && !strings.HasPrefix(name, "/"):
		c.problem(path, codeSecret, "the document is shared: every site reads the same path", "%s is not an absolute path", quote(name))
	case kind != SecretFile && !secretName.MatchString(name):
		c.problem(path, codeSecret, "letters, digits, _, - and .", "%s is not a name", quote(name))
	}
}

const secretHint = "write file:/etc/fairlead/secrets/NAME, env:NAME or credential:NAME"

var secretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,127}$`)

func (c *checker) checkProbeText(path, text string) {
	if len(text) > maxProbeText {
		c.problem(path, codeProbe, "", "the text has %d bytes; the limit is %d", len(text), maxProbeText)
	}
}

// checkRegexp checks a regular expression that a probe matches. RE2 takes time linear in what it looks at, whatever it is.
func (c *checker) checkRegexp(path, expression string) {
	if len(expression) > maxProbeRegexp {
		c.problem(path, codeProbe, "", "the regular expression has %d bytes; the limit is %d", len(expression), maxProbeRegexp)
		return
	}
	if _, err := regexp.Compile(expression); err != nil {
		c.problem(path, codeProbe, "the syntax is that of RE2", "%v", err)
	} else if n := regexpSteps(expression); n > maxProbeSteps {
		c.problem(path, codeProbe, "repeat less: {1000} counts a thousand times", "the regular expression has %d steps; the limit is %d", n, maxProbeSteps)
	}
}

// regexpSteps is how large a regular expression is once its repetitions are written out.
func regexpSteps(expression string) int {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return 0
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

// checkHex checks octets written in hexadecimal.
func (c *checker) checkHex(path, text string) {
	if len(text) > 3*maxProbeText {
		c.problem(path, codeProbe, "", "the octets are %d characters; the limit is %d", len(text), 3*maxProbeText)
	} else if _, err := ParseHex(text); err != nil {
		c.problem(path, codeProbe, "write pairs of 0-9 and a-f, such as 0d0a", "%s is not hexadecimal", quote(text))
	}
}

// ParseHex reads octets in hexadecimal, with spaces between them or without.
func ParseHex(text string) ([]byte, error) {
	return hex.DecodeString(strings.Join(strings.Fields(text), ""))
}

func (c *checker) checkProbeHeaders(path string, headers []ProbeHeader) {
	c.limit(path, "headers", len(headers), maxProbeHeaders)
	for i := range headers {
		h, at := &headers[i], path+at(i)
		if h.Name == "" || strings.Trim(h.Name, headerNameCharacters) != "" {
			c.problem(at+"/name", codeHTTPProbe, "letters, digits and -", "%s is not the name of a header", quote(h.Name))
		}
		if strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) {
			c.problem(at+"/value", codeHTTPProbe, "write it on one line", "the value of a header has control characters")
		}
		if h.Value != "" && h.Secret != "" {
			c.problem(at+"/secret", codeHTTPProbe, "remove one of them", "header %s has a value and a secret", quote(h.Name))
		}
		c.checkSecret(at+"/secret", h.Secret)
	}
}

// headerNameCharacters are those of a token (RFC 9110 section 5.6.2).
const headerNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
