package config

import (
	"reflect"
	"strings"
)

// wordNoun says what a word of type t is called in messages, and the code of an unknown one.
func wordNoun(t reflect.Type) (noun string, code Code) {
	switch t {
	case reflect.TypeFor[Method]():
		return "method", codeMethod
	case reflect.TypeFor[WhenAllDown]():
		return "answer", codeWhenAllDown
	case reflect.TypeFor[TriggerMonitors]():
		return "trigger", codeTriggerMonitors
	case reflect.TypeFor[DialMode]():
		return "dial mode", codeDialMode
	case reflect.TypeFor[MonitorType]():
		return "monitor type", codeMonitorType
	case reflect.TypeFor[ProxyProtocol](), reflect.TypeFor[ProbeSecurity](), reflect.TypeFor[HTTPVersion](), reflect.TypeFor[DNSTransport](),
		reflect.TypeFor[LDAPScope](), reflect.TypeFor[RADIUSMode](), reflect.TypeFor[RADIUSOutcome](), reflect.TypeFor[SNMPVersion](),
		reflect.TypeFor[SNMPAuth](), reflect.TypeFor[SNMPPrivacy](), reflect.TypeFor[SNMPPreset](), reflect.TypeFor[SQLRole](),
		reflect.TypeFor[RedisRole](), reflect.TypeFor[SIPTransport](), reflect.TypeFor[WarningOutcome]():
		return "word", codeProbeWord
	case reflect.TypeFor[ServiceState]():
		return "service state", codeServiceState
	case reflect.TypeFor[LoadKind]():
		return "load source", codeLoadKind
	case reflect.TypeFor[PersistenceType]():
		return "persistence type", codePersistenceType
	case reflect.TypeFor[SpilloverMethod]():
		return "spillover method", codeSpilloverMethod
	case reflect.TypeFor[ActiveOrder]():
		return "order", codeActiveOrder
	case reflect.TypeFor[DynamicWeight]():
		return "dynamic weight", codeDynamicWeight
	case reflect.TypeFor[WithoutBackup]():
		return "answer", codeWithoutBackup
	case reflect.TypeFor[WildcardMatch]():
		return "match of wildcards", codeWildcardMatch
	case reflect.TypeFor[TSIGAlgorithm]():
		return "TSIG algorithm", codeNodeTSIGAlgorithm
	case reflect.TypeFor[APIRole](), reflect.TypeFor[AnonymousRole]():
		return "role", codeAPIRole
	case reflect.TypeFor[LogLevel]():
		return "log level", codeLogLevel
	case reflect.TypeFor[TLSVersion]():
		return "version of TLS", codeNodeTLSVersion
	case reflect.TypeFor[LogFormat]():
		return "log format", codeLogFormat
	case reflect.TypeFor[DatagramIO]():
		return "way to wait for UDP", codeDatagramIO
	case reflect.TypeFor[GeoFormat]():
		return "format of location files", codeGeoFormat
	case reflect.TypeFor[DnstapMessage]():
		return "kind of dnstap message", codeNodeDnstapMessage
	}
	return "word", codeWrongKind
}

// lookUpWord finds a word of type t. Methods may also be spelt as NetScaler does: LEASTCONNECTION, STATICPROXIMITY.
func lookUpWord(t reflect.Type, text string) (string, bool) {
	for _, w := range words(t) {
		if w == text || t == reflect.TypeFor[Method]() && plainSpelling(w) == plainSpelling(text) {
			return w, true
		}
	}
	return "", false
}

// netScalerSpelling is how NetScaler writes a method.
func netScalerSpelling(method string) string {
	return strings.ToUpper(strings.ReplaceAll(method, "-", ""))
}

// oneOf lists words for a hint.
func oneOf(words []string) string { return "one of: " + strings.Join(words, ", ") }
