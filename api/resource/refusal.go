package resource

// Codes of faults about who asks. The first are also the reasons of fairlead_api_refused_total.
const (
	CodeNoCredentials      = "no-credentials"      // nothing was sent, and that is not enough
	CodeBadCredentials     = "bad-credentials"     // what was sent is not one Bearer token
	CodeMistypedToken      = "mistyped-token"      // the checksum of the token is wrong
	CodeUnknownToken       = "unknown-token"       // never there, or revoked
	CodeExpiredToken       = "expired-token"       // its time is over
	CodeUnknownCertificate = "unknown-certificate" // no subject of the node file fits it
	CodeRoleTooSmall       = "role-too-small"      // another role may do it
	CodeOutsideLabels      = "outside-labels"      // others may do it, who are not limited to labels or to these
	CodeTooManyFailures    = "too-many-failures"   // with wrong credentials, from this address
	CodeTooManyRequests    = "too-many-requests"   // of this token or certificate

	CodeNotAudited  = "not-audited"   // the audit log cannot be written
	CodeNoTokens    = "no-tokens"     // the node has no tokens file
	CodeNoSuchToken = "no-such-token" // there is none of this id or name
	CodeNameTaken   = "name-taken"    // another one has the name
)
