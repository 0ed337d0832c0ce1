package access

// Reason is why somebody is refused, in one word for metrics and problem documents. Reasons are part of the interface.
type Reason string

// Reasons.
const (
	NoCredentials      Reason = "no-credentials"      // nothing was sent, and that is not enough
	BadCredentials     Reason = "bad-credentials"     // not a Bearer token, or several
	MistypedToken      Reason = "mistyped-token"      // the checksum of the token is wrong
	UnknownToken       Reason = "unknown-token"       // never there, or revoked
	ExpiredToken       Reason = "expired-token"       // its time is over
	UnknownCertificate Reason = "unknown-certificate" // no subject of the node file fits it
	RoleTooSmall       Reason = "role-too-small"
	OutsideLabels      Reason = "outside-labels"
	TooManyFailures    Reason = "too-many-failures" // of the same client address
	TooManyRequests    Reason = "too-many-requests" // of the same identity
)

// Refusal is an error that says why somebody may not do something. It never holds what they sent.
type Refusal struct {
	Reason Reason
	Why    string // for people
}

// Error returns why.
func (r *Refusal) Error() string { return r.Why }

// Unknown reports whether it is not known who asks, so that other credentials may help.
func (r *Refusal) Unknown() bool {
	switch r.Reason {
	case NoCredentials, BadCredentials, MistypedToken, UnknownToken, ExpiredToken, UnknownCertificate:
		return true
	}
	return false
}

// Reasons lists all reasons.
func Reasons() []Reason {
	return []Reason{NoCredentials, BadCredentials, MistypedToken, UnknownToken, ExpiredToken, UnknownCertificate, RoleTooSmall, OutsideLabels,
		TooManyFailures, TooManyRequests}
}
