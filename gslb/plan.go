package gslb

import (
	"net/netip"

	"fairlead/config"
)

// Plan is compiled intent: the document's virtual servers, members and locations with every name resolved to a dense
// index. It is immutable. A Status and a Learned belong to the Plan they were made for.
type Plan struct {
	services []Service
	domains  []Domain
}

// Service is a service as decisions and encoders need it.
type Service struct {
	Name  string
	Site  string
	Addr4 netip.Addr // invalid when there is none
	Addr6 netip.Addr // invalid when there is none
	CNAME string     // lower case, fully qualified; empty when the service has addresses
}

// Domain is a balanced name.
type Domain struct {
	Name    string // lower case, fully qualified
	TTL     uint32 // seconds
	Backup4 []netip.Addr
	Backup6 []netip.Addr
	// HasCNAME says that some member, also of a backup, answers with a name: queries of any type are then decided.
	HasCNAME bool
}

// Compile makes a Plan of a valid document.
func Compile(doc *config.Document) (*Plan, error) { panic("being written") }

// Services returns the number of services.
func (p *Plan) Services() int { return len(p.services) }

// Service returns one service.
func (p *Plan) Service(i ServiceIndex) *Service { return &p.services[i] }

// Domains returns the number of balanced names.
func (p *Plan) Domains() int { return len(p.domains) }

// Domain returns one balanced name.
func (p *Plan) Domain(i DomainIndex) *Domain { return &p.domains[i] }
