package config

import (
	"slices"
	"strings"
)

// Limits of what probes of services' own protocols say.
const (
	maxProbeWord = 512 // bytes of a name, a URI or a DN
	maxNASName   = 253 // bytes of an attribute (RFC 2865 section 5)
)

// checkServiceProbe checks what monitors say that speak a service's own protocol.
func (c *checker) checkServiceProbe(m *Monitor, path string) {
	switch m.Type {
	case MonitorSMTP:
		c.checkLineLogin(m, path)
		if s := m.SMTP; s != nil && !validSMTPName(s.Hello) {
			c.problem(path+"/smtp/hello", codeProbe, "write a host name, or an address in brackets", "%s is not a name to say hello with", quote(s.Hello))
		}
	case MonitorPOP3, MonitorIMAP:
		c.checkLineLogin(m, path)
	case MonitorFTP:
		c.checkLineLogin(m, path)
		if s := m.FTP; s != nil {
			c.checkProbeWord(path+"/ftp/file", s.File)
		}
	case MonitorLDAP:
		c.checkLDAPProbe(m, path)
	case MonitorRADIUS:
		c.checkRADIUSProbe(m, path)
	case MonitorSIP:
		c.checkSIPProbe(m, path)
	}
	if m.Login != nil && m.Login.InClear && !slices.Contains(tellsInClear, m.Type) {
		c.noUse(path+"/login/in_clear", "in_clear has no effect on "+string(m.Type)+" monitors")
	}
}

// tellsInClear are the kinds whose passwords are only sent encrypted unless the document says otherwise.
var tellsInClear = []MonitorType{MonitorSMTP, MonitorPOP3, MonitorIMAP, MonitorFTP, MonitorLDAP}

// checkLineLogin checks a login that is sent in lines of text.
func (c *checker) checkLineLogin(m *Monitor, path string) {
	if m.Login == nil {
		return
	}
	c.checkProbeWord(path+"/login/user", m.Login.User)
	if m.Login.User == "" && !c.page.failed[path+"/login/user"] {
		c.problem(path+"/login", codeProbe, "add user:, or remove login", "a login needs a user")
	}
}

// checkProbeWord checks text that is sent within a line.
func (c *checker) checkProbeWord(path, text string) {
	switch {
	case len(text) > maxProbeWord:
		c.problem(path, codeProbe, "", "the text has %d bytes; the limit is %d", len(text), maxProbeWord)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7F }):
		c.problem(path, codeProbe, "write it on one line", "%s has control characters", quote(text))
	}
}

// validSMTPName accepts a domain, or an address literal such as [192.0.2.1] (RFC 5321 section 4.1.3).
func validSMTPName(name string) bool {
	return name != "" && len(name) <= 255 && !strings.ContainsFunc(name, notVisible)
}

func (c *checker) checkLDAPProbe(m *Monitor, path string) {
	if l := m.Login; l != nil && (l.User == "") != (l.Password == "") && !c.page.failed[path+"/login/password"] {
		// RFC 4513 section 5.1.2: the server answers success to a DN without a password, and nobody has logged in.
		c.problem(path+"/login", codeProbe, "add both user (a DN) and password, or remove login to bind as nobody", "a bind needs both a DN and a password")
	}
	s := m.LDAP
	if s == nil {
		return
	}
	c.checkProbeWord(path+"/ldap/base", s.Base)
	if f := s.Filter; f != "" && (len(f) > maxProbeWord || !strings.HasPrefix(f, "(") || !strings.HasSuffix(f, ")") || strings.Count(f, "(") != strings.Count(f, ")")) {
		c.problem(path+"/ldap/filter", codeProbe, `write it with its brackets, such as (uid=fairlead); brackets in a value are \28 and \29`, "%s is not a filter", quote(f))
	}
}

func (c *checker) checkRADIUSProbe(m *Monitor, path string) {
	s := SectionOf(m.RADIUS)
	section := path + "/radius"
	if s.Secret == "" && !c.page.failed[section] && !c.page.failed[section+"/secret"] {
		c.problem(path, codeProbe, "add radius: {secret: file:/etc/fairlead/secrets/NAME}", "a RADIUS server answers only those with whom it shares a secret")
	}
	c.checkSecret(section+"/secret", s.Secret)
	if s.NASIdentifier == "" || len(s.NASIdentifier) > maxNASName {
		c.problem(section+"/nas_identifier", codeProbe, "", "nas_identifier has %d bytes; it has 1 to %d", len(s.NASIdentifier), maxNASName)
	}
	login := m.Login != nil && m.Login.User != "" && m.Login.Password != ""
	switch {
	case s.Mode == RADIUSAccess && !login && !c.page.failed[path+"/login/password"]:
		c.problem(path, codeProbe, "add login: {user: NAME, password: file:PATH}, or radius: {mode: status}", "an Access-Request needs a user and a password")
	case s.Mode == RADIUSStatus:
		c.noUse(path+"/login", "login has no effect with mode: status")
	}
	if s.Mode != RADIUSAccess {
		c.noUse(section+"/expect", "expect has no effect with mode: "+string(s.Mode))
	}
	if m.Login != nil && len(m.Login.User) > maxNASName {
		c.problem(path+"/login/user", codeProbe, "", "user has %d bytes; it has at most %d", len(m.Login.User), maxNASName)
	}
}

// noUse warns of a key that is there and changes nothing.
func (c *checker) noUse(path, why string) {
	if c.page.present(path) {
		c.problem(path, codeWarnNoEffect, "remove it", "%s", why)
	}
}

func (c *checker) checkSIPProbe(m *Monitor, path string) {
	if s := SectionOf(m.SIP); s.Transport != SIPOverTLS {
		c.noUse(path+"/tls", "tls has no effect without sip: {transport: tls}")
	}
	if s := SectionOf(m.SIP); s.Transport == SIPOverUDP && m.ProxyProtocol != ProxyNone && m.ProxyProtocol != "" {
		c.problem(path+"/proxy_protocol", codeWarnNoEffect, "use sip: {transport: tcp}", "proxy_protocol has no effect over UDP")
	}
	s := m.SIP
	if s == nil {
		return
	}
	scheme, rest, _ := strings.Cut(s.URI, ":")
	known := strings.EqualFold(scheme, "sip") || strings.EqualFold(scheme, "sips")
	if s.URI != "" && (!known || rest == "" || len(s.URI) > maxProbeWord || strings.ContainsFunc(s.URI, notVisible) || strings.ContainsAny(s.URI, "<>\"")) {
		c.problem(path+"/sip/uri", codeProbe, "write sip:HOST or sip:USER@HOST", "%s is not a SIP URI", quote(s.URI))
	}
	if c.page.present(path+"/sip/expect_status") && len(s.ExpectStatus) == 0 && !c.page.failed[path+"/sip/expect_status"] {
		c.problem(path+"/sip/expect_status", codeEmptyList, "leave it out for 200-299", "no status would pass")
	}
	for i, word := range s.ExpectStatus {
		if _, err := ParseSIPStatusRange(word); err != nil {
			c.problem(path+"/sip"+at("expect_status", i), codeExpectStatus, "", "%v", err)
		}
	}
}
