package config

import (
	"fmt"
	"time"
)

// Duration is a Go duration in its text form ("30s", "2m").
type Duration time.Duration

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns the Go form.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes the Go form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the Go form. Negative durations are refused: nothing in a configuration runs backwards.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration such as 30s, 5m or 1h30m", b)
	}
	*d = Duration(v)
	return nil
}

// The closed sets of words in both files. Each type lists its words in Enum, in the order documentation shows them.
type (
	// Method is a way to pick a member.
	Method string
	// WhenAllDown says what a virtual server without usable members answers.
	WhenAllDown string
	// TriggerMonitors says when monitors bound to another site's services count.
	TriggerMonitors string
	// DialMode says who opens MEP connections with a site.
	DialMode string
	// ServiceState is what the operator wants of a service.
	ServiceState string
	// LoadKind is a kind of load source.
	LoadKind string
	// LoadMetric is a metric of a load source, in the unit that its name says.
	LoadMetric string
	// PersistenceType is a kind of persistence.
	PersistenceType string
	// SpilloverMethod is what spillover measures.
	SpilloverMethod string
	// ActiveOrder says which orders are used first.
	ActiveOrder string
	// DynamicWeight says what multiplies weights.
	DynamicWeight string
	// WithoutBackup says what spillover does without a usable backup.
	WithoutBackup string
	// WildcardMatch says what a qualifier * of a place matches.
	WildcardMatch string
	// GeoFormat is a form of location files.
	GeoFormat string
	// LogLevel is a log level.
	LogLevel string
	// LogFormat is a log format.
	LogFormat string
	// DatagramIO is a way to wait for UDP.
	DatagramIO string
	// TLSVersion is a version of TLS.
	TLSVersion string
	// TSIGAlgorithm is an algorithm of transaction signatures (RFC 8945 section 6). Those with MD5 and SHA-1 are left out.
	TSIGAlgorithm string
)

// Versions of TLS.
const (
	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

// TSIG algorithms.
const (
	HMACSHA256 TSIGAlgorithm = "hmac-sha256"
	HMACSHA384 TSIGAlgorithm = "hmac-sha384"
	HMACSHA512 TSIGAlgorithm = "hmac-sha512"
	HMACSHA224 TSIGAlgorithm = "hmac-sha224"
)

// Methods.
const (
	RoundRobin        Method = "round-robin"
	LeastConnection   Method = "least-connection"
	LeastResponseTime Method = "least-response-time"
	LeastBandwidth    Method = "least-bandwidth"
	LeastPackets      Method = "least-packets"
	SourceIPHashing   Method = "source-ip-hash"
	StaticProximity   Method = "static-proximity"
	RTT               Method = "rtt"
	CustomLoad        Method = "custom-load"
	Measured          Method = "api" // measurements that were pushed
	Scored            Method = "score"
)

// Which orders are used first.
const (
	OrderAscending  ActiveOrder = "ascending"
	OrderDescending ActiveOrder = "descending"
)

// What multiplies weights.
const (
	DynamicNone         DynamicWeight = "none"
	DynamicMembers      DynamicWeight = "members"
	DynamicMemberWeight DynamicWeight = "member-weight"
)

// What spillover does without a usable backup.
const (
	SpillAccept WithoutBackup = "accept"
	SpillEmpty  WithoutBackup = "empty"
)

// MaxMindCSV is the format of MaxMind's text files; all others are NetScaler's.
const MaxMindCSV GeoFormat = "maxmind"

// What a qualifier * matches.
const (
	WildcardAny     WildcardMatch = "any"
	WildcardLiteral WildcardMatch = "literal"
)

// Answers of a virtual server that has no usable member left.
const (
	AnswerAll           WhenAllDown = "all"
	AnswerEmpty         WhenAllDown = "empty"
	AnswerBackupAddress WhenAllDown = "backup-address"
	AnswerServFail      WhenAllDown = "servfail"
)

// When monitors count.
const (
	TriggerAlways               TriggerMonitors = "always"
	TriggerMEPDown              TriggerMonitors = "mep-down"
	TriggerMEPDownOrServiceDown TriggerMonitors = "mep-down-or-service-down"
)

// Who opens MEP connections with a site.
const (
	DialAuto   DialMode = "auto"
	DialAlways DialMode = "always"
	DialNever  DialMode = "never"
	DialBoth   DialMode = "both"
)

// What operators want of a service.
const (
	ServiceEnabled  ServiceState = "enabled"
	ServiceDisabled ServiceState = "disabled"
	ServiceDraining ServiceState = "draining"
)

// Metrics of a load source, as LoadFields names them.
const (
	MetricActive       LoadMetric = "active"
	MetricRequests     LoadMetric = "requests_per_second"
	MetricResponseTime LoadMetric = "response_time_ms"
	MetricBandwidth    LoadMetric = "bits_per_second"
	MetricPackets      LoadMetric = "packets_per_second"
)

// Kinds of persistence.
const (
	PersistenceNone     PersistenceType = "none"
	PersistenceSourceIP PersistenceType = "source-ip"
)

// Spillover methods.
const (
	SpilloverNone               SpilloverMethod = "none"
	SpilloverConnections        SpilloverMethod = "connections"
	SpilloverDynamicConnections SpilloverMethod = "dynamic-connections"
	SpilloverBandwidth          SpilloverMethod = "bandwidth"
	SpilloverHealth             SpilloverMethod = "health"
)

// Enum lists the methods.
func (Method) Enum() []string {
	return []string{"round-robin", "least-connection", "least-response-time", "least-bandwidth", "least-packets",
		"source-ip-hash", "static-proximity", "rtt", "custom-load", "api", "score"}
}

// Enum lists the words.
func (DialMode) Enum() []string { return []string{"auto", "always", "never", "both"} }

// Enum lists the words.
func (ActiveOrder) Enum() []string { return []string{"ascending", "descending"} }

// Enum lists the words.
func (DynamicWeight) Enum() []string { return []string{"none", "members", "member-weight"} }

// Enum lists the words.
func (WithoutBackup) Enum() []string { return []string{"accept", "empty"} }

// Enum lists the words.
func (WildcardMatch) Enum() []string { return []string{"any", "literal"} }

// Enum lists the formats.
func (GeoFormat) Enum() []string {
	return []string{"maxmind", "netscaler", "netscaler6", "ip-country", "ip-country-isp", "ip-country-region-city", "ip-country-region-city-isp",
		"geoip-country", "geoip-country6", "geoip-region", "geoip-city", "geoip-country-org", "geoip-country-isp", "geoip-city-isp-org"}
}

// Enum lists the answers.
func (WhenAllDown) Enum() []string { return []string{"all", "empty", "backup-address", "servfail"} }

// Enum lists the triggers.
func (TriggerMonitors) Enum() []string {
	return []string{"always", "mep-down", "mep-down-or-service-down"}
}

// Enum lists the states.
func (ServiceState) Enum() []string { return []string{"enabled", "disabled", "draining"} }

// Enum lists the metrics.
func (LoadMetric) Enum() []string {
	return []string{string(MetricActive), string(MetricRequests), string(MetricResponseTime), string(MetricBandwidth), string(MetricPackets)}
}

// Enum lists the kinds.
func (PersistenceType) Enum() []string { return []string{"none", "source-ip"} }

// Enum lists the methods.
func (SpilloverMethod) Enum() []string {
	return []string{"none", "connections", "dynamic-connections", "bandwidth", "health"}
}

// Enum lists the versions.
func (TLSVersion) Enum() []string { return []string{string(TLS12), string(TLS13)} }

// Enum lists the levels.
func (LogLevel) Enum() []string { return []string{"debug", "info", "warn", "error"} }

// Enum lists the formats.
func (LogFormat) Enum() []string { return []string{"json", "console"} }

// Enum implements the schema's closed set.
func (DatagramIO) Enum() []string { return []string{"auto", "raw", "netpoll", "portable"} }

// Enum lists the words.
func (TSIGAlgorithm) Enum() []string {
	return []string{string(HMACSHA256), string(HMACSHA384), string(HMACSHA512), string(HMACSHA224)}
}
