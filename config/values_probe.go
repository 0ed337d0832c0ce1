package config

// The closed sets of words in monitors and load sources.
type (
	// MonitorType is a kind of probe.
	MonitorType string
	// ProxyProtocol is a version of HAProxy's PROXY protocol.
	ProxyProtocol string
	// ProbeSecurity is how a probe's connection is encrypted.
	ProbeSecurity string
	// HTTPVersion is a version of HTTP.
	HTTPVersion string
	// DNSTransport is what a question to a DNS server travels on.
	DNSTransport string
	// LDAPScope is how far a search goes (RFC 4511 section 4.5.1.2).
	LDAPScope string
	// RADIUSMode is a kind of request.
	RADIUSMode string
	// RADIUSOutcome is an answer that passes.
	RADIUSOutcome string
	// SNMPVersion is a version of SNMP.
	SNMPVersion string
	// SNMPAuth is a protocol of authentication in SNMPv3.
	SNMPAuth string
	// SNMPPrivacy is a protocol of encryption in SNMPv3.
	SNMPPrivacy string
	// SNMPPreset is a kind of device whose OIDs are known.
	SNMPPreset string
	// SQLRole is what a database server does.
	SQLRole string
	// RedisRole is what a Redis server does.
	RedisRole string
	// SIPTransport is what a SIP request travels on.
	SIPTransport string
	// WarningOutcome is what the exit code 1 of a script means.
	WarningOutcome string
)

// Kinds of probes.
const (
	MonitorPing       MonitorType = "ping"
	MonitorTCP        MonitorType = "tcp"
	MonitorUDP        MonitorType = "udp"
	MonitorTLS        MonitorType = "tls"
	MonitorHTTP       MonitorType = "http"
	MonitorHTTPS      MonitorType = "https"
	MonitorDNS        MonitorType = "dns"
	MonitorGRPC       MonitorType = "grpc"
	MonitorSMTP       MonitorType = "smtp"
	MonitorPOP3       MonitorType = "pop3"
	MonitorIMAP       MonitorType = "imap"
	MonitorFTP        MonitorType = "ftp"
	MonitorNTP        MonitorType = "ntp"
	MonitorLDAP       MonitorType = "ldap"
	MonitorRADIUS     MonitorType = "radius"
	MonitorSNMP       MonitorType = "snmp"
	MonitorMySQL      MonitorType = "mysql"
	MonitorPostgres   MonitorType = "postgres"
	MonitorRedis      MonitorType = "redis"
	MonitorSIP        MonitorType = "sip"
	MonitorScript     MonitorType = "script"
	MonitorCalculated MonitorType = "calculated"
	MonitorPassive    MonitorType = "passive"
)

// Enum lists the probes.
func (MonitorType) Enum() []string {
	return []string{"http", "https", "tcp", "tls", "udp", "ping", "dns", "grpc", "smtp", "pop3", "imap", "ftp", "ntp", "ldap", "radius", "snmp",
		"mysql", "postgres", "redis", "sip", "script", "calculated", "passive"}
}

// Versions of the PROXY protocol.
const (
	ProxyNone ProxyProtocol = "none"
	ProxyV1   ProxyProtocol = "v1"
	ProxyV2   ProxyProtocol = "v2"
)

// Enum lists the versions.
func (ProxyProtocol) Enum() []string { return []string{"none", "v1", "v2"} }

// Encryption of a probe's connection.
const (
	SecurityNone     ProbeSecurity = "none"
	SecurityTLS      ProbeSecurity = "tls"
	SecuritySTARTTLS ProbeSecurity = "starttls"
)

// Enum lists the words.
func (ProbeSecurity) Enum() []string { return []string{"none", "tls", "starttls"} }

// Versions of HTTP.
const (
	HTTP11   HTTPVersion = "1.1"
	HTTP2    HTTPVersion = "2"
	HTTPAuto HTTPVersion = "auto"
)

// Enum lists the versions.
func (HTTPVersion) Enum() []string { return []string{"1.1", "2", "auto"} }

// Transports of DNS.
const (
	DNSOverUDP DNSTransport = "udp"
	DNSOverTCP DNSTransport = "tcp"
	DNSOverTLS DNSTransport = "tls"
)

// Enum lists the transports.
func (DNSTransport) Enum() []string { return []string{"udp", "tcp", "tls"} }

// Scopes of a search.
const (
	LDAPBase LDAPScope = "base"
	LDAPOne  LDAPScope = "one"
	LDAPSub  LDAPScope = "sub"
)

// Enum lists the scopes.
func (LDAPScope) Enum() []string { return []string{"base", "one", "sub"} }

// Kinds of RADIUS requests.
const (
	RADIUSAccess     RADIUSMode = "access"
	RADIUSStatus     RADIUSMode = "status"
	RADIUSAccounting RADIUSMode = "accounting"
)

// Enum lists the requests.
func (RADIUSMode) Enum() []string { return []string{"access", "status", "accounting"} }

// Answers to an Access-Request.
const (
	RADIUSAccept RADIUSOutcome = "accept"
	RADIUSReject RADIUSOutcome = "reject"
	RADIUSAny    RADIUSOutcome = "any"
)

// Enum lists the answers.
func (RADIUSOutcome) Enum() []string { return []string{"accept", "reject", "any"} }

// Versions of SNMP.
const (
	SNMPv2c SNMPVersion = "2c"
	SNMPv3  SNMPVersion = "3"
)

// Enum lists the versions.
func (SNMPVersion) Enum() []string { return []string{"2c", "3"} }

// Enum lists the protocols.
func (SNMPAuth) Enum() []string {
	return []string{"md5", "sha", "sha224", "sha256", "sha384", "sha512"}
}

// Enum lists the protocols.
func (SNMPPrivacy) Enum() []string {
	return []string{"des", "aes", "aes192", "aes256", "aes192c", "aes256c"}
}

// Devices whose OIDs are known.
const (
	PresetNetScaler SNMPPreset = "netscaler"
	PresetF5        SNMPPreset = "f5"
)

// Enum lists the devices.
func (SNMPPreset) Enum() []string { return []string{"netscaler", "f5"} }

// Roles of database servers.
const (
	SQLAny     SQLRole = "any"
	SQLPrimary SQLRole = "primary"
	SQLReplica SQLRole = "replica"
)

// Enum lists the roles.
func (SQLRole) Enum() []string { return []string{"any", "primary", "replica"} }

// Roles of Redis servers.
const (
	RedisAny     RedisRole = "any"
	RedisMaster  RedisRole = "master"
	RedisReplica RedisRole = "replica"
)

// Enum lists the roles.
func (RedisRole) Enum() []string { return []string{"any", "master", "replica"} }

// Transports of SIP.
const (
	SIPOverUDP SIPTransport = "udp"
	SIPOverTCP SIPTransport = "tcp"
	SIPOverTLS SIPTransport = "tls"
)

// Enum lists the transports.
func (SIPTransport) Enum() []string { return []string{"udp", "tcp", "tls"} }

// What a script's exit code 1 means.
const (
	WarningUp    WarningOutcome = "up"
	WarningDown  WarningOutcome = "down"
	WarningDrain WarningOutcome = "drain"
)

// Enum lists the outcomes.
func (WarningOutcome) Enum() []string { return []string{"up", "down", "drain"} }

// Kinds of load sources.
const (
	LoadHAProxy     LoadKind = "haproxy"
	LoadNGINX       LoadKind = "nginx"
	LoadNGINXVTS    LoadKind = "nginx-vts"
	LoadNGINXPlus   LoadKind = "nginx-plus"
	LoadEnvoy       LoadKind = "envoy"
	LoadTraefik     LoadKind = "traefik"
	LoadIPVS        LoadKind = "ipvs"
	LoadPrometheus  LoadKind = "prometheus"
	LoadOpenMetrics LoadKind = "openmetrics"
	LoadJSON        LoadKind = "json"
	LoadSNMP        LoadKind = "snmp"
	LoadHost        LoadKind = "host"
	LoadPush        LoadKind = "push"
)

// Enum lists the sources.
func (LoadKind) Enum() []string {
	return []string{"haproxy", "nginx", "nginx-vts", "nginx-plus", "envoy", "traefik", "ipvs", "prometheus", "openmetrics", "json", "snmp", "host", "push"}
}
