package gslb

import "net/netip"

// MaxAnswers is the most services in one decision: the bound of max_answers and of a last-resort answer.
const MaxAnswers = 16

// Dense indexes, valid for one Plan only.
type (
	// ServiceIndex numbers the services of a Plan.
	ServiceIndex uint32
	// VirtualServerIndex numbers the virtual servers of a Plan.
	VirtualServerIndex uint32
	// DomainIndex numbers the balanced names of a Plan.
	DomainIndex uint32
)

// Family is the address family that a query asks for.
type Family uint8

// Families.
const (
	FamilyNone Family = iota // neither A nor AAAA: only a member with a CNAME can answer
	IPv4
	IPv6
	// AnyFamily is for answers that carry the addresses of both families at once (HTTPS): a member with a usable address of
	// either can answer. It is decided for domains whose Types have HTTPS.
	AnyFamily
	// ByHost is for answers that carry names of hosts (SRV, MX): a member with a host can answer. It is decided for domains
	// whose Types have SRV or MX.
	ByHost
	// ByNAPTR is for answers that carry the NAPTR records of services: a member with one can answer. It is decided for
	// domains whose Types have NAPTR.
	ByNAPTR
)

const (
	families      = 3 // FamilyNone, IPv4, IPv6: what every virtual server is asked for
	otherFamilies = 3 // AnyFamily, ByHost, ByNAPTR: only virtual servers of domains with more types, and their backups
	allFamilies   = families + otherFamilies
)

// Query is what a decision depends on besides the snapshot and what was learned.
type Query struct {
	Domain DomainIndex
	Family Family
	// LDNS is the address the query came from.
	LDNS netip.Addr
	// Subnet is the EDNS Client Subnet option (RFC 7871), masked to its source prefix length; the zero Prefix when the
	// query carried none. A source prefix length of 0 is a valid Prefix: the resolver asks for an answer that is not
	// tailored.
	Subnet netip.Prefix
	// At is when the query came, in Unix seconds: sessions, measured times and coherence of families count by it.
	At int64
	// Listener is the address of this server that was asked; the zero Addr when it is not known. Only plans that need it
	// look at it (Plan.NeedsListener).
	Listener netip.Addr
}

// Outcome is the kind of answer.
type Outcome uint8

// Outcomes.
const (
	OutcomeServices        Outcome = iota // Services[:Count], in answer order
	OutcomeEmpty                          // no data
	OutcomeBackupAddresses                // the domain's backup addresses
	OutcomeServFail                       // the operator asked for SERVFAIL when all is down
)

// Decision is what a client gets. It names services, not records: the caller knows each one's addresses from the Plan.
type Decision struct {
	Outcome  Outcome
	Count    uint8
	Services [MaxAnswers]ServiceIndex
	// VirtualServer is the one that answered: the domain's own or one of its backups.
	VirtualServer VirtualServerIndex
	Reason        Reason
	TTL           uint32 // seconds
	// Scope is the prefix length of the client's address that the decision depended on: the SCOPE PREFIX-LENGTH of RFC
	// 7871. 0 when any client would have been treated alike. Only meaningful when the query's Subnet was used.
	Scope uint8
	// SubnetUsed says that the decision looked at the client, and that this was the query's Subnet, not its LDNS. It is set,
	// too, when the Subnet is of a block that no client is in, which made the LDNS the client.
	SubnetUsed bool
}
