package gslb

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"fairlead/config"
)

// MaxBackupDepth is how many backups are tried after a domain's own virtual server.
const MaxBackupDepth = 10

// none is the index of nothing.
const none = -1

// Plan is compiled intent: the document's virtual servers, members and locations with every name resolved to a dense
// index. It is immutable. A Status and a Learned belong to the Plan they were made for.
type Plan struct {
	services       []Service
	serviceIndex   map[string]ServiceIndex
	serviceHashes  []serviceHash // ascending
	siteHashes     []siteHash    // a hash table (siteByHash)
	domains        []Domain
	domainIndex    map[string]DomainIndex
	virtualServers []virtualServer
	sites          []site
	locations      *locations
	views          *views // nil when there are none
	// others numbers the virtual servers that are asked for the other families, by virtual server; none for all else. Nil
	// when there are none at all.
	others     []int32
	otherCount int
	policies   int // of all virtual servers
	answers    answerRules
	members    memberships
	lively     []VirtualServerIndex // ascending
	// document is what it was compiled from, and mark is its own: a later plan says by it which one it was made from.
	document *config.Document
	mark     *planMark
	amended  amendment
	// needsListener says that some policy asks which address of this server was asked.
	needsListener bool
}

// answerRules are the document's rules for all answers.
type answerRules struct {
	adaptive bool   // the TTL is lowered while a state is uncertain
	leastTTL uint32 // to this, in seconds
	coherent bool   // families of one name and client get the same service
}

// siteHash is a site by the hash of its name; next 0: the place in the table is free.
type siteHash struct {
	hash uint64
	next uint32 // the site's number and 1
}

// serviceHash finds a service by its stable identity.
type serviceHash struct {
	hash    uint64
	service ServiceIndex
}

// Service is a service as decisions and encoders need it.
type Service struct {
	Name  string
	Site  string
	Addr4 netip.Addr           // invalid when there is none
	Addr6 netip.Addr           // invalid when there is none
	CNAME string               // lower case, fully qualified; empty when the service has addresses
	Host  string               // lower case, fully qualified; what SRV and MX name it by; may be empty
	Port  uint16               // 0 when it has none
	NAPTR *config.NAPTRService // nil when it has none
	// Hash is the stable identity of the service over plans and sites: XXH64 of its name.
	Hash uint64

	// Capacity is how many connections it can carry; 0: not known. A load source may know better.
	Capacity uint64

	site           uint32
	drawer         drawer  // for the rendezvous hash
	maxConnections uint64  // 0: no limit
	maxBandwidth   uint64  // bit/s; 0: no limit
	loadThreshold  float64 // of custom load; 0: no limit
	cost           float64
	standIns       []ServiceIndex // its backup_services
	loadFresh      time.Duration
	loaded         bool // it has a load source
	counted        bool // answers that name it first are counted: somebody compares loads
}

// LoadFresh is how old a reported load may be to be compared as it is; an older one is compared as the last value known.
func (s *Service) LoadFresh() time.Duration { return s.loadFresh }

// answers reports whether the service has something to say to a query of the family.
func (s *Service) answers(f Family) bool {
	switch {
	case s.CNAME != "":
		return true
	case f == IPv4:
		return s.Addr4.IsValid()
	case f == IPv6:
		return s.Addr6.IsValid()
	case f == AnyFamily:
		return s.Addr4.IsValid() || s.Addr6.IsValid()
	case f == ByHost:
		return s.Host != ""
	case f == ByNAPTR:
		return s.NAPTR != nil
	}
	return false
}

// Domain is a balanced name.
type Domain struct {
	Name    string // lower case, fully qualified
	TTL     uint32 // seconds
	Backup4 []netip.Addr
	Backup6 []netip.Addr
	// HasCNAME says that some member, also of a backup, answers with a name: queries of any type are then decided.
	HasCNAME bool
	// NeedsClient says that some method, also of a backup, asks who the client is. Where none does, a Query's LDNS and
	// Subnet change nothing.
	NeedsClient bool
	// Types says which types besides A and AAAA are decided, and how their records are made; nil: none.
	Types *Types

	virtualServer VirtualServerIndex
	ownTTL        bool // TTL is the domain's, not that of its zone
}

// VirtualServer returns the virtual server that answers the name.
func (d *Domain) VirtualServer() VirtualServerIndex { return d.virtualServer }

// Types is the types of a balanced name that are decided besides A and AAAA. What is nil is not.
type Types struct {
	HTTPS *config.HTTPSAnswer
	SRV   *config.SRVAnswer
	MX    *config.MXAnswer
	NAPTR *config.NAPTRAnswer
}

// virtualServer is a virtual server with its members by the order they are used in.
type virtualServer struct {
	name         string
	method       config.Method
	backupMethod config.Method
	// picking and backupPicking are the two methods for the serving path.
	picking, backupPicking picking
	members                []member // by order, best first, then as written
	byService              []uint16 // indexes of members, ascending by service
	backup                 int      // VirtualServerIndex, or none
	maxAnswers             int
	whenAllDown            config.WhenAllDown
	clientSubnet           bool
	// looksAtClient says that the method or the backup method, of it or of one of its backups, asks who the client is.
	looksAtClient bool
	// lively says that who may be picked, or how, may change while the states of all members stay: by loads, limits or stand-ins.
	lively       bool
	hash4, hash6 int // bits of the client that source-ip-hash uses

	orderThreshold int // percent
	dynamicWeight  config.DynamicWeight
	effective      bool // members whose stand-ins are UP are used when no member is
	tolerance      time.Duration
	score          score
	hold           bool // backup_hold
	persistence    persistence
	spillover      spillover
	policies       []policy
}

// score is how much each input of method score counts.
type score struct {
	load, rtt, distance, cost float64
}

// persistence keeps a client on its service.
type persistence struct {
	on               bool
	id               uint32
	prefix4, prefix6 int
	timeout          int64 // seconds
	yields           bool  // to a better order
	use              int   // among all uses of the plan, for Learned
}

// spillover sends new clients to the backup.
type spillover struct {
	method    config.SpilloverMethod // empty: none
	threshold uint64
	stay      persistence // where those that were sent stay
	empty     bool        // without a usable backup there is no address
}

type member struct {
	service ServiceIndex
	weight  uint32
	order   int
}

type site struct {
	name string
	hash uint64
	spot spot
}

// Services returns the number of services.
func (p *Plan) Services() int { return len(p.services) }

// Service returns one service.
func (p *Plan) Service(i ServiceIndex) *Service { return &p.services[i] }

// ServiceByName finds a service by its name in the document.
func (p *Plan) ServiceByName(name string) (ServiceIndex, bool) {
	i, ok := p.serviceIndex[name]
	return i, ok
}

// ServiceByHash finds a service by Service.Hash.
func (p *Plan) ServiceByHash(hash uint64) (ServiceIndex, bool) {
	i, ok := slices.BinarySearchFunc(p.serviceHashes, hash, func(s serviceHash, h uint64) int { return cmp.Compare(s.hash, h) })
	if !ok {
		return 0, false
	}
	return p.serviceHashes[i].service, true
}

// Domains returns the number of balanced names.
func (p *Plan) Domains() int { return len(p.domains) }

// Domain returns one balanced name.
func (p *Plan) Domain(i DomainIndex) *Domain { return &p.domains[i] }

// DomainByName finds a balanced name, in lower case and fully qualified.
func (p *Plan) DomainByName(name string) (DomainIndex, bool) {
	i, ok := p.domainIndex[name]
	return i, ok
}

// VirtualServers returns the number of virtual servers.
func (p *Plan) VirtualServers() int { return len(p.virtualServers) }

// Member returns a service's weight and order as a member of a virtual server; zeros when it is none.
func (p *Plan) Member(v VirtualServerIndex, s ServiceIndex) (weight uint32, order int) {
	if m := p.virtualServers[v].memberOf(s); m != nil {
		return m.weight, m.order
	}
	return 0, 0
}

// memberOf finds a service among the members; nil when it is none.
func (v *virtualServer) memberOf(s ServiceIndex) *member {
	at, ok := slices.BinarySearchFunc(v.byService, s, func(i uint16, s ServiceIndex) int {
		return cmp.Compare(v.members[i].service, s)
	})
	if !ok {
		return nil
	}
	return &v.members[v.byService[at]]
}

// VirtualServerName returns the name of a virtual server.
func (p *Plan) VirtualServerName(i VirtualServerIndex) string { return p.virtualServers[i].name }
