package adns

import "github.com/miekg/dns"

// ExtendedError is an extended DNS error (RFC 8914). The zero value stands for none.
type ExtendedError struct {
	Code uint16
	Text string // at most maxErrorText octets
}

// present reports whether there is something to send.
func (e ExtendedError) present() bool { return e != ExtendedError{} }

// Reasons that are given for an answer, as docs/dns.md lists them. Those that the code alone explains have no text. No text
// tells names or addresses of what is behind this server.
const (
	edeNotReady         = dns.ExtendedErrorCodeNotReady         // there is no configuration yet
	edeProhibited       = dns.ExtendedErrorCodeProhibited       // the client is in no list that may ask
	edeNotAuthoritative = dns.ExtendedErrorCodeNotAuthoritative // the name is in no zone
	edeNotSupported     = dns.ExtendedErrorCodeNotSupported     // the type is not answered
	edeInvalidData      = dns.ExtendedErrorCodeInvalidData      // the zone has no data: not yet, or it expired
	edeInvalidType      = dns.ExtendedErrorCodeInvalidQueryType // the type is no question
)

// errorAllDown explains a SERVFAIL that the operator chose for a name whose services are all down. There is no code for
// that: those about reachability are a resolver's.
const errorAllDown = "no service is up"

// allDown returns that explanation.
func allDown() ExtendedError {
	return ExtendedError{Code: dns.ExtendedErrorCodeOther, Text: errorAllDown}
}
