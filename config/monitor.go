package config

import (
	"net/netip"
	"reflect"
)

// Monitor is a probe: one run answers "is it up now?", rise and fall in a row make a verdict. What a kind of probe asks and
// expects stands in the section of its name; one that is absent has its defaults (SectionOf).
type Monitor struct {
	Name     string      `json:"name" doc:"Name that services refer to."`
	Type     MonitorType `json:"type" doc:"Kind of probe."`
	Interval Duration    `json:"interval,omitempty" default:"5s" range:"100ms..1h" doc:"Time between probes of one target (100ms to 1h)."`
	Timeout  Duration    `json:"timeout,omitempty" default:"2s" range:"1ms..1h" doc:"Longest a probe may take; not above interval."`
	Fall     int         `json:"fall,omitempty" default:"3" range:"1..100" doc:"Failures in a row before DOWN (1 to 100)."`
	Rise     int         `json:"rise,omitempty" default:"2" range:"1..100" doc:"Successes in a row before UP (1 to 100)."`
	Jitter   *int        `json:"jitter,omitempty" range:"0..50" doc:"Each interval varies by this many percent either way (0 to 50). Default: 5."`
	HTTP     HTTPProbe   `json:"http,omitempty" doc:"What http and https probes send and expect."`
	TLS      TLSProbe    `json:"tls,omitempty" doc:"TLS of https and tls probes, and of those with security: tls or starttls."`
	Quorum   Quorum      `json:"quorum,omitempty" doc:"How many sites must see a service that binds it DOWN, unless the service has its own."`

	DownInterval    Duration      `json:"down_interval,omitempty" default:"0s" range:"0s..24h" doc:"Time between probes while the target is DOWN. 0s: interval."`
	Reverse         bool          `json:"reverse,omitempty" default:"false" doc:"Turn the match round: an answer that is as expected fails, one that is not passes. No answer fails either way."`
	MaxResponseTime Duration      `json:"max_response_time,omitempty" default:"0s" range:"0s..1h" doc:"A probe that passes but takes longer than this to the first byte of the answer fails. 0s: no limit but timeout."`
	DrainOn         *DrainOn      `json:"drain_on,omitempty" doc:"Answers by which the service asks to be drained."`
	Target          *ProbeTarget  `json:"target,omitempty" doc:"Probe another address or port in place of the service's."`
	ProxyProtocol   ProxyProtocol `json:"proxy_protocol,omitempty" default:"none" doc:"Header of the PROXY protocol that starts each connection over TCP; it says LOCAL (v2) or UNKNOWN (v1)."`
	Security        ProbeSecurity `json:"security,omitempty" default:"none" doc:"Encryption of kinds that can do with and without: none, tls from the start, or starttls within the protocol."`
	Login           *ProbeLogin   `json:"login,omitempty" doc:"Who logs in."`

	Ping       *PingProbe       `json:"ping,omitempty" doc:"What ping probes send."`
	TCP        *Dialogue        `json:"tcp,omitempty" doc:"What tcp probes send and expect. Absent: they connect."`
	UDP        *Dialogue        `json:"udp,omitempty" doc:"What udp probes send and expect."`
	DNS        *DNSProbe        `json:"dns,omitempty" doc:"What dns probes ask and expect."`
	GRPC       *GRPCProbe       `json:"grpc,omitempty" doc:"What grpc probes ask (gRPC Health Checking Protocol)."`
	SMTP       *SMTPProbe       `json:"smtp,omitempty" doc:"What smtp probes say."`
	FTP        *FTPProbe        `json:"ftp,omitempty" doc:"What ftp probes look for."`
	NTP        *NTPProbe        `json:"ntp,omitempty" doc:"What ntp probes expect."`
	LDAP       *LDAPProbe       `json:"ldap,omitempty" doc:"What ldap probes search for. Absent: they bind."`
	RADIUS     *RADIUSProbe     `json:"radius,omitempty" doc:"What radius probes ask."`
	SNMP       *SNMP            `json:"snmp,omitempty" doc:"What snmp probes read, and how."`
	MySQL      *SQLProbe        `json:"mysql,omitempty" doc:"What mysql probes ask (MySQL and MariaDB)."`
	Postgres   *SQLProbe        `json:"postgres,omitempty" doc:"What postgres probes ask."`
	Redis      *RedisProbe      `json:"redis,omitempty" doc:"What redis probes expect (Redis and Valkey)."`
	SIP        *SIPProbe        `json:"sip,omitempty" doc:"Whom sip probes send OPTIONS to."`
	Script     *ScriptProbe     `json:"script,omitempty" doc:"What script probes run."`
	Calculated *CalculatedProbe `json:"calculated,omitempty" doc:"What calculated monitors are made of."`
	Passive    *PassiveProbe    `json:"passive,omitempty" doc:"What passive monitors make of a load source."`

	Labels  Labels `json:"labels,omitempty" doc:"Short texts to find it and to grant rights by: {team: web, env: prod}; at most 32."`
	Comment string `json:"comment,omitempty" doc:"Free text for people, at most 4096 bytes."`
}

// SectionOf returns a section of a monitor, or one with the default of every key where the document has none.
func SectionOf[T any](section *T) *T {
	if section == nil {
		section = new(T)
		(&decoder{shapes: shapes{}}).defaults(reflect.ValueOf(section).Elem())
	}
	return section
}

// Quorum is how many sites must see a service DOWN before it is. The sites that answer DNS and can be heard are asked, each by
// its own monitors. All 0: each site believes what it sees itself.
type Quorum struct {
	Agree   int `json:"agree,omitempty" default:"0" range:"0..1024" doc:"Sites that must see it DOWN, this one included. 0: no quorum."`
	Of      int `json:"of,omitempty" default:"0" range:"0..1024" doc:"How many sites are asked: those first by a hash of service and site, the owner among them. 0: all."`
	Regions int `json:"regions,omitempty" default:"0" range:"0..64" doc:"Regions that these sites must be from: the first two qualifiers of their places. 0: any."`
}

// DrainOn are answers that mean: I work, send me nobody new. The target stays UP, its service is DRAINING. The first one counts at
// once, and so does the first that is none.
type DrainOn struct {
	Status []string `json:"status,omitempty" doc:"Status codes or ranges: of http, https and sip answers, replies of smtp and ftp."`
	Text   string   `json:"text,omitempty" doc:"Text in the answer, within what the probe reads of it."`
}

// ProbeTarget is where a monitor probes in place of the service's own address or port.
type ProbeTarget struct {
	Address netip.Addr `json:"address,omitempty" doc:"Address in place of each of the service's."`
	Port    int        `json:"port,omitempty" default:"0" range:"0..65535" doc:"Port. 0: the service's; for kinds that have a port of their own and a service without one, that."`
}

// ProbeLogin is who a probe logs in as.
type ProbeLogin struct {
	User     string `json:"user,omitempty" doc:"User; the bind DN of ldap."`
	Password Secret `json:"password,omitempty" doc:"Where the password is: file:PATH, env:NAME or credential:NAME."`
	InClear  bool   `json:"in_clear,omitempty" default:"false" doc:"smtp, pop3, imap, ftp and ldap: send the password without encryption, too. To this machine's loopback addresses it always is."`
}

// HTTPProbe is what http and https probes send and expect. Redirects are not followed: a 302 is a 302.
type HTTPProbe struct {
	Path             string        `json:"path,omitempty" default:"/" doc:"Request path, with query if any."`
	Method           string        `json:"method,omitempty" default:"GET" doc:"Request method."`
	Host             string        `json:"host,omitempty" doc:"Host header, and server name for TLS. Default: the address."`
	ExpectStatus     []string      `json:"expect_status,omitempty" doc:"Status codes or ranges that pass. Default: 200-299."`
	ExpectBody       string        `json:"expect_body,omitempty" doc:"Text that the first 64 KiB of the body must contain. Empty: the body is not read."`
	ExpectBodyRegexp string        `json:"expect_body_regexp,omitempty" doc:"Regular expression (RE2) that must match in the first 64 KiB of the body."`
	Headers          []ProbeHeader `json:"headers,omitempty" doc:"Further headers, at most 32."`
	Body             string        `json:"body,omitempty" doc:"Body to send."`
	Version          HTTPVersion   `json:"version,omitempty" default:"1.1" doc:"1.1, 2, or auto: 2 where the server offers it. Without TLS, 2 is h2c with prior knowledge."`
}

// ProbeHeader is one header of a request.
type ProbeHeader struct {
	Name   string `json:"name" doc:"Name."`
	Value  string `json:"value,omitempty" doc:"Value."`
	Secret Secret `json:"secret,omitempty" doc:"Where the value is, when others must not see it: file:PATH, env:NAME or credential:NAME."`
}

// TLSProbe is how a probe checks the certificate, and what it shows of its own.
type TLSProbe struct {
	Verify     bool   `json:"verify,omitempty" default:"true" doc:"Check the chain and the name."`
	ServerName string `json:"server_name,omitempty" doc:"Name to ask for and to check. Default: http.host, else the address."`
	CAFile     string `json:"ca_file,omitempty" doc:"PEM file with the authorities to trust instead of the system's; same path at every site."`
	DaysLeft   int    `json:"days_left,omitempty" default:"0" range:"0..3650" doc:"Fail when a certificate of the chain expires within this many days. 0: only once it has."`
	CertFile   string `json:"cert_file,omitempty" doc:"PEM file with the client certificate to show; same path at every site."`
	KeyFile    Secret `json:"key_file,omitempty" doc:"Where its private key is: file:PATH, env:NAME or credential:NAME, in PEM."`
}

// PingProbe is what ping probes send.
type PingProbe struct {
	Size int `json:"size,omitempty" default:"56" range:"16..1400" doc:"Octets after the ICMP header (16 to 1400)."`
}

// Dialogue is what a probe sends and what must come back. The answer may come in parts; 64 KiB of it are looked at.
type Dialogue struct {
	Send         string `json:"send,omitempty" doc:"Text to send. YAML's double quotes know \\r\\n and \\x00."`
	SendHex      string `json:"send_hex,omitempty" doc:"Octets to send, in hexadecimal; spaces do not count."`
	Expect       string `json:"expect,omitempty" doc:"Text that the answer must contain."`
	ExpectHex    string `json:"expect_hex,omitempty" doc:"Octets that the answer must contain, in hexadecimal."`
	ExpectRegexp string `json:"expect_regexp,omitempty" doc:"Regular expression (RE2) that must match in the answer."`
	Silent       bool   `json:"silent,omitempty" default:"false" doc:"udp: no answer within the timeout passes, too; only an ICMP error and a wrong answer fail."`
}

// DNSProbe is a question to a DNS server, and the answer that passes.
type DNSProbe struct {
	Name      string       `json:"name,omitempty" default:"." doc:"Name to ask for."`
	Type      string       `json:"type,omitempty" default:"NS" doc:"Type to ask for."`
	Expect    []string     `json:"expect,omitempty" doc:"Data that the answers of this type must have among them, as in a zone file. Absent: at least one, or as rcode says."`
	Rcode     string       `json:"rcode,omitempty" default:"NOERROR" doc:"Response code that passes. With another than NOERROR no answer is needed."`
	Transport DNSTransport `json:"transport,omitempty" default:"udp" doc:"udp, falling back to tcp when truncated; tcp; tls."`
	Recurse   bool         `json:"recurse,omitempty" default:"false" doc:"Ask for recursion."`
}

// GRPCProbe is a call of grpc.health.v1.Health/Check.
type GRPCProbe struct {
	Service   string `json:"service,omitempty" doc:"Service to ask for. Empty: the server as a whole."`
	Authority string `json:"authority,omitempty" doc:"Authority of the call. Default: the address."`
}

// SMTPProbe is what an smtp probe says after the greeting.
type SMTPProbe struct {
	Hello string `json:"hello,omitempty" default:"localhost" doc:"Name to say hello with (EHLO)."`
	LMTP  bool   `json:"lmtp,omitempty" default:"false" doc:"Speak LMTP (LHLO)."`
}

// FTPProbe is what an ftp probe does after the login.
type FTPProbe struct {
	File string `json:"file,omitempty" doc:"File that must be there (SIZE). Empty: the login is enough."`
}

// NTPProbe is what an ntp server must say (RFC 5905).
type NTPProbe struct {
	MaxStratum int      `json:"max_stratum,omitempty" default:"15" range:"1..15" doc:"Greatest stratum that passes."`
	MaxOffset  Duration `json:"max_offset,omitempty" default:"0s" range:"0s..1h" doc:"Greatest difference to this node's clock. 0s: any."`
}

// LDAPProbe is a search that must find something. Without a login the bind is anonymous.
type LDAPProbe struct {
	Base   string    `json:"base,omitempty" doc:"DN to search from. Empty, without a filter: no search."`
	Filter string    `json:"filter,omitempty" doc:"Filter (RFC 4515). Default: (objectClass=*)."`
	Scope  LDAPScope `json:"scope,omitempty" default:"base" doc:"base, one or sub."`
}

// RADIUSProbe is a request that must be answered. Requests other than accounting, and answers to Access-Request and Status-Server from
// the authentication port, have a valid Message-Authenticator (RFC 3579 3.2).
type RADIUSProbe struct {
	Secret        Secret        `json:"secret,omitempty" doc:"Where the secret shared with the server is: file:PATH, env:NAME or credential:NAME."`
	Mode          RADIUSMode    `json:"mode,omitempty" default:"access" doc:"access: Access-Request with login. status: Status-Server (RFC 5997). accounting: Accounting-Request, a start."`
	Expect        RADIUSOutcome `json:"expect,omitempty" default:"accept" doc:"access: accept, reject (the server works, whoever the user is), or any."`
	NASIdentifier string        `json:"nas_identifier,omitempty" default:"fairlead" doc:"NAS-Identifier."`
}

// SNMP is how an agent is asked, and what an snmp probe looks at. Load sources name their OIDs in fields.
type SNMP struct {
	Version         SNMPVersion `json:"version,omitempty" default:"2c" doc:"2c or 3, in quotes where YAML would read a number."`
	Community       Secret      `json:"community,omitempty" doc:"2c: where the community is."`
	User            string      `json:"user,omitempty" doc:"3: user (USM, RFC 3414)."`
	AuthProtocol    SNMPAuth    `json:"auth_protocol,omitempty" default:"sha256" doc:"3: authentication, when there is an auth_password."`
	AuthPassword    Secret      `json:"auth_password,omitempty" doc:"3: where the password of authentication is."`
	PrivacyProtocol SNMPPrivacy `json:"privacy_protocol,omitempty" default:"aes" doc:"3: encryption, when there is a privacy_password."`
	PrivacyPassword Secret      `json:"privacy_password,omitempty" doc:"3: where the password of encryption is."`
	Context         string      `json:"context,omitempty" doc:"3: context name."`
	Checks          []SNMPCheck `json:"checks,omitempty" doc:"Probes: what must hold, at most 16. Absent: sysUpTime can be read."`
}

// SNMPCheck is a value and its bounds.
type SNMPCheck struct {
	OID    string   `json:"oid" doc:"Object identifier in numbers, such as 1.3.6.1.2.1.2.2.1.8.1."`
	Min    *float64 `json:"min,omitempty" doc:"Least value that passes."`
	Max    *float64 `json:"max,omitempty" doc:"Greatest value that passes."`
	Equals string   `json:"equals,omitempty" doc:"Value that passes, as text."`
}

// SQLProbe is what a database is asked after the login.
type SQLProbe struct {
	Database string  `json:"database,omitempty" doc:"Database. Default: the server's for this user."`
	Query    string  `json:"query,omitempty" doc:"Query that must succeed. Empty: the login is enough."`
	Expect   string  `json:"expect,omitempty" doc:"First column of its first row, as text. Empty: any, also none."`
	Role     SQLRole `json:"role,omitempty" default:"any" doc:"any; primary: it takes writes; replica: it does not."`
}

// RedisProbe is what a Redis or Valkey server must be.
type RedisProbe struct {
	Role RedisRole `json:"role,omitempty" default:"any" doc:"any, master, or replica (with its link to the master up)."`
}

// SIPProbe is an OPTIONS request (RFC 3261 section 11). It passes with the statuses of expect_status.
type SIPProbe struct {
	URI          string       `json:"uri,omitempty" doc:"Request URI. Default: sip: and the address."`
	Transport    SIPTransport `json:"transport,omitempty" default:"udp" doc:"udp, tcp or tls."`
	ExpectStatus []string     `json:"expect_status,omitempty" doc:"Status codes or ranges that pass. Default: 200-299."`
}

// ScriptProbe is a program with the interface of Nagios plugins: exit codes 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, a line of output,
// and performance data after a |. It is run without a shell, from a directory that the node file allows.
type ScriptProbe struct {
	Command     []string       `json:"command,omitempty" doc:"Program, by its absolute path, and arguments, in which {address}, {port}, {family}, {service} and {monitor} stand for the target's."`
	Environment []string       `json:"environment,omitempty" doc:"Names of environment variables that it gets, as far as the node file allows them."`
	Warning     WarningOutcome `json:"warning,omitempty" default:"up" doc:"What exit code 1 means: up, down or drain."`
}

// CalculatedProbe makes one monitor of others: UP while enough of them are.
type CalculatedProbe struct {
	Monitors []CalculatedPart `json:"monitors,omitempty" doc:"Monitors: NAME, run against the same address whether bound to the service or not; or {monitor: NAME, service: NAME}, bound to that service."`
	Need     int              `json:"need,omitempty" default:"0" range:"0..64" doc:"How many must be UP. 0: all."`
}

// CalculatedPart is one of the monitors that a calculated one is made of. As plain text it is the monitor's name.
type CalculatedPart struct {
	Monitor string `json:"monitor" doc:"Name of the monitor."`
	Service string `json:"service,omitempty" doc:"Service that this one depends on: the monitor's verdict about it counts, at any of its addresses. Empty: the service that is probed."`
}

func (p *CalculatedPart) setBrief(text string) { p.Monitor = text }

// PassiveProbe judges a service by what its load source tells, without asking the service anything. A source that tells nothing
// decides nothing: the last verdict stays.
type PassiveProbe struct {
	MinMembers int `json:"min_members,omitempty" default:"1" range:"0..1000000" doc:"Usable servers behind the service that are enough."`
}
