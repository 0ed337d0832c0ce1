package config

import (
	"slices"
	"strings"
)

// checkDatabaseProbe checks what monitors of databases say.
func (c *checker) checkDatabaseProbe(m *Monitor, path string) {
	switch m.Type {
	case MonitorMySQL:
		c.checkSQLProbe(m, m.MySQL, path, "mysql")
	case MonitorPostgres:
		c.checkSQLProbe(m, m.Postgres, path, "postgres")
	case MonitorRedis:
		if m.Login != nil {
			c.checkProbeWord(path+"/login/user", m.Login.User)
			c.needsPassword(m, path)
		}
	}
}

func (c *checker) checkSQLProbe(m *Monitor, s *SQLProbe, path, section string) {
	if m.Login != nil {
		c.checkProbeWord(path+"/login/user", m.Login.User)
		if m.Login.User == "" && !c.page.failed[path+"/login/user"] {
			c.problem(path+"/login", codeProbe, "add user:, or remove login", "a login needs a user")
		}
	}
	if s == nil {
		return
	}
	at := path + "/" + section
	if m.Login == nil && !c.page.failed[path+"/login"] && (s.Database != "" || s.Query != "" || s.Role != "" && s.Role != SQLAny) {
		c.problem(at, codeProbe, "add login:", "without a login nothing can be asked")
	}
	c.checkProbeWord(at+"/database", s.Database)
	c.checkProbeText(at+"/query", s.Query)
	c.checkProbeText(at+"/expect", s.Expect)
	if strings.ContainsRune(s.Query, 0) {
		c.problem(at+"/query", codeProbe, "", "the query has a zero octet")
	}
	if s.Expect != "" && s.Query == "" && !c.page.failed[at+"/query"] {
		c.problem(at+"/expect", codeProbe, "add query:", "expect needs a query that it is the result of")
	}
}

// needsPassword: a login of a kind that has no users without one.
func (c *checker) needsPassword(m *Monitor, path string) {
	if m.Login.Password == "" && !c.page.failed[path+"/login/password"] {
		c.problem(path+"/login", codeProbe, "add password:, or remove login", "a login needs a password")
	}
}

// maxSNMPChecks bounds what one request of a probe asks for.
const maxSNMPChecks = 16

// checkSNMPProbe checks what an snmp monitor reads.
func (c *checker) checkSNMPProbe(m *Monitor, path string) {
	if m.Type != MonitorSNMP {
		return
	}
	section := path + "/snmp"
	if m.SNMP == nil {
		if !c.page.failed[section] {
			c.problem(path, codeProbe, "add snmp: {community: file:PATH}, or a user of version 3", "an snmp monitor does not say how the agent is asked")
		}
		return
	}
	c.checkSNMP(m.SNMP, section)
	c.limit(section+"/checks", "checks", len(m.SNMP.Checks), maxSNMPChecks)
	for i := range m.SNMP.Checks {
		c.checkSNMPCheck(&m.SNMP.Checks[i], section+at("checks", i))
	}
}

func (c *checker) checkSNMPCheck(k *SNMPCheck, path string) {
	if k.OID != "" && !ValidOID(k.OID) {
		c.problem(path+"/oid", codeProbe, "write numbers, such as 1.3.6.1.2.1.1.3.0; snmptranslate -On NAME tells them", "%s is not an object identifier", quote(k.OID))
	}
	switch bounds := k.Min != nil || k.Max != nil; {
	case bounds && k.Equals != "":
		c.problem(path+"/equals", codeProbe, "remove one of them", "a check has either equals, or min and max")
	case k.Min != nil && k.Max != nil && *k.Min > *k.Max:
		c.problem(path+"/max", codeProbe, "", "max %v is below min %v: no value passes", *k.Max, *k.Min)
	}
	c.checkProbeText(path+"/equals", k.Equals)
}

// checkSNMP checks how an agent is asked, by probes and load sources.
func (c *checker) checkSNMP(s *SNMP, path string) {
	c.checkProbeWord(path+"/user", s.User)
	c.checkProbeWord(path+"/context", s.Context)
	for _, secret := range []struct {
		key   string
		value Secret
	}{{"community", s.Community}, {"auth_password", s.AuthPassword}, {"privacy_password", s.PrivacyPassword}} {
		c.checkSecret(path+"/"+secret.key, secret.value)
	}
	ofV3 := []string{"user", "auth_protocol", "auth_password", "privacy_protocol", "privacy_password", "context"}
	if s.Version == SNMPv3 {
		c.noEffectOfVersion(path, s.Version, []string{"community"})
	} else {
		c.noEffectOfVersion(path, s.Version, ofV3)
	}
	switch v3 := s.Version == SNMPv3; {
	case c.page.failed[path+"/version"]:
	case !v3 && s.Community == "" && !c.page.failed[path+"/community"]:
		c.problem(path, codeProbe, "add community: file:/etc/fairlead/secrets/NAME", "snmp of version 2c needs a community")
	case v3 && s.User == "" && !c.page.failed[path+"/user"]:
		c.problem(path, codeProbe, "add user:", "snmp of version 3 needs a user")
	case v3 && s.PrivacyPassword != "" && s.AuthPassword == "" && !c.page.failed[path+"/auth_password"]:
		c.problem(path+"/privacy_password", codeProbe, "add auth_password:", "encryption needs authentication (RFC 3414)")
	}
}

func (c *checker) noEffectOfVersion(path string, version SNMPVersion, keys []string) {
	for _, key := range slices.Sorted(slices.Values(keys)) {
		if c.page.present(path+"/"+key) && !c.page.failed[path+"/version"] {
			c.problem(path+"/"+key, codeWarnNoEffect, "remove it, or change version", "%s has no effect in snmp of version %s", key, version)
		}
	}
}
