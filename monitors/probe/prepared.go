package probe

import (
	"fmt"
	"regexp"

	"fairlead/config"
)

// Prepared is what a monitor asks and expects, read once for all its probes: sections with their defaults, sets of status codes,
// regular expressions, the request. Secrets and files are read anew for each probe. It is not changed; safe for concurrent use.
type Prepared struct {
	of      *config.Monitor
	monitor config.Monitor // of, with the defaults of the section of its kind
	err     error          // why nothing can be asked: the reason of each probe
	bare    bool           // it needs a connection over TCP and nothing else, so that the connection's deadline is enough

	draining statusSet // drain_on.status
	passing  statusSet // of http, https and sip
	http     httpQuestion
	dialogue *dialogue // of tcp and udp
	dns      dnsAsked
}

// Prepare reads a monitor, which must not be changed afterwards. What is wrong with it becomes the reason of its probes.
func Prepare(m *config.Monitor) *Prepared {
	p := &Prepared{of: m, monitor: *m}
	p.fill()
	if d := m.DrainOn; d != nil && len(d.Status) > 0 {
		p.draining, _ = parseSIPStatusSet("drain_on.status", d.Status) // what is none drains nothing
	}
	switch m.Type {
	case config.MonitorHTTP, config.MonitorHTTPS:
		p.bare = m.Type == config.MonitorHTTP
		p.err = p.prepareHTTP()
	case config.MonitorTCP:
		p.bare = m.Security != config.SecurityTLS
		p.dialogue, p.err = readDialogue(m.Type, m.TCP)
	case config.MonitorUDP:
		p.dialogue, p.err = readDialogue(m.Type, m.UDP)
	case config.MonitorDNS:
		p.dns.question, p.dns.want, p.err = dnsQuestion(p.monitor.DNS)
	case config.MonitorSIP:
		p.passing, p.err = parseSIPStatusSet("sip.expect_status", p.monitor.SIP.ExpectStatus)
	}
	return p
}

// fill puts the defaults in the place of a section that the monitor does not have. Finding them takes longer than some probes.
func (p *Prepared) fill() {
	switch m := &p.monitor; m.Type {
	case config.MonitorPing:
		m.Ping = config.SectionOf(m.Ping)
	case config.MonitorDNS:
		m.DNS = config.SectionOf(m.DNS)
	case config.MonitorGRPC:
		m.GRPC = config.SectionOf(m.GRPC)
	case config.MonitorSMTP:
		m.SMTP = config.SectionOf(m.SMTP)
	case config.MonitorFTP:
		m.FTP = config.SectionOf(m.FTP)
	case config.MonitorNTP:
		m.NTP = config.SectionOf(m.NTP)
	case config.MonitorLDAP:
		m.LDAP = config.SectionOf(m.LDAP)
	case config.MonitorRADIUS:
		m.RADIUS = config.SectionOf(m.RADIUS)
	case config.MonitorSNMP:
		m.SNMP = config.SectionOf(m.SNMP)
	case config.MonitorMySQL:
		m.MySQL = config.SectionOf(m.MySQL)
	case config.MonitorPostgres:
		m.Postgres = config.SectionOf(m.Postgres)
	case config.MonitorRedis:
		m.Redis = config.SectionOf(m.Redis)
	case config.MonitorSIP:
		m.SIP = config.SectionOf(m.SIP)
	}
}

// compile returns the regular expression of a key; nil: there is none.
func compile(key, expression string) (*regexp.Regexp, error) {
	if expression == "" {
		return nil, nil
	}
	pattern, err := regexp.Compile(expression)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return pattern, nil
}
