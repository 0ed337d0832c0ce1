package resource

import (
	"net/netip"
	"time"

	"fairlead/gslb"
)

// Explanation is what a client would be answered at this moment, and why.
type Explanation struct {
	Question      Question `json:"question"`
	Rcode         string   `json:"rcode" doc:"Mnemonic of the response code."`
	Authoritative bool     `json:"authoritative" doc:"The AA bit."`
	// Answer, Authority and Additional are records in presentation form (RFC 1035 section 5), one a string, without the
	// OPT record.
	Answer     []string `json:"answer" nullable:"false" doc:"Records of the answer, in presentation form."`
	Authority  []string `json:"authority" nullable:"false"`
	Additional []string `json:"additional" nullable:"false"`
	// TTL is the least TTL of Answer in seconds; nil when that is empty.
	TTL *uint32 `json:"ttl,omitempty" doc:"Least TTL of the answer, in seconds. Absent: the answer is empty."`
	// Scope is the SCOPE PREFIX-LENGTH of RFC 7871.
	Scope uint8          `json:"scope" doc:"How many bits of the subnet the answer depends on (RFC 7871)."`
	EDE   *ExtendedError `json:"ede,omitempty" doc:"Extended DNS error (RFC 8914)."`
	// Site is the one whose node decided.
	Site     string    `json:"site" doc:"Site whose node decided."`
	Snapshot uint64    `json:"snapshot" doc:"Generation of the snapshot that decided."`
	Document string    `json:"document" doc:"Identity of the document in use."`
	At       time.Time `json:"at" doc:"When it was decided; ages are as of then."`
	// StatusAgeSeconds is how long ago the belief was gathered that decided.
	StatusAgeSeconds float64 `json:"status_age_seconds" doc:"Age of the belief that decided."`
	Alarm            string  `json:"alarm,omitempty" doc:"Why this node doubts itself; absent: it does not."`
	// Counterfactuals say what would have to be different for other services to be answered first, and who takes turns. In a
	// chain of aliases they are those of the last balanced name.
	Counterfactuals []gslb.Counterfactual `json:"counterfactuals" nullable:"false" doc:"What would change the answer: confirmed by deciding again. First those that take turns."`
	Trace           gslb.Trace            `json:"trace" doc:"What each step of the decision did."`
}

// Step and Candidate are one entry of a trace and one service in it.
type (
	Step      = gslb.Entry
	Candidate = gslb.Candidate
)

// Steps and reasons that readers of explanations tell apart.
const (
	StepName          = gslb.StepName
	StepVirtualServer = gslb.StepVirtualServer
	StepPersistence   = gslb.StepPersistence
	StepPolicy        = gslb.StepPolicy
	StepCandidates    = gslb.StepCandidates
	StepMethod        = gslb.StepMethod
	StepAnswer        = gslb.StepAnswer
	StepLearn         = gslb.StepLearn

	ReasonBalanced   = gslb.ReasonBalanced
	ReasonSessionNew = gslb.ReasonSessionNew
	ReasonNoPolicy   = gslb.ReasonNoPolicy
)

// Question is what is asked, and for whom.
type Question struct {
	Name   string     `json:"name" doc:"Fully qualified, as it was written."`
	Type   string     `json:"type" doc:"Mnemonic of the type, or TYPEnnn."`
	Client netip.Addr `json:"client" doc:"Address that the query comes from: the resolver's."`
	// Subnet is the EDNS Client Subnet (RFC 7871); the zero Prefix when there is none.
	Subnet netip.Prefix `json:"subnet,omitzero" doc:"EDNS Client Subnet (RFC 7871)."`
	// Listener is the address of the server that is asked; the zero Addr when it does not matter.
	Listener netip.Addr `json:"listener,omitzero" doc:"Address of the server that is asked."`
}

// ExtendedError is an extended DNS error (RFC 8914).
type ExtendedError struct {
	Code uint16 `json:"code"`
	Name string `json:"name,omitempty" doc:"Purpose of the code in the IANA list."`
	Text string `json:"text,omitempty"`
}
