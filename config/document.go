package config

import (
	"net/netip"

	"fairlead/config/zonedata"
)

// Document is the GSLB document: what all sites share. It is intent only; what is believed about services lives in
// package sites, and what follows from both is decided in package gslb.
//
// A key without "omitempty" is required. The tag `default` holds the value that an absent key gets, so a decoded
// Document never needs another look at defaults; `range` and `step` limit numbers and durations; `doc` is the description
// shown by editors through the JSON Schema.
//
// A Document that came from Parse is valid as a whole and is never changed afterwards: it may be read from any number of
// goroutines.
type Document struct {
	Zones          []Zone          `json:"zones,omitempty" doc:"Zones this site is authoritative for."`
	Sites          []Site          `json:"sites" doc:"All sites, the local one included."`
	Monitors       []Monitor       `json:"monitors,omitempty" doc:"Probes that services can be bound to."`
	Services       []Service       `json:"services,omitempty" doc:"Applications as they exist at one site each."`
	ServiceGroups  []ServiceGroup  `json:"service_groups,omitempty" doc:"Services of one site that share everything but their addresses."`
	VirtualServers []VirtualServer `json:"virtual_servers,omitempty" doc:"Balanced names: domains, members and the method that picks among them."`
	Views          []View          `json:"views,omitempty" doc:"Kinds of clients that get other addresses or zones; the first that matches counts."`
	Locations      []Location      `json:"locations,omitempty" doc:"Custom prefixes with their place; the longest prefix wins."`
	Settings       Settings        `json:"settings,omitempty" doc:"Intervals and limits shared by all sites."`
}

// Zone is one zone of authority. Its static data is either Records (with SOA and NS made from the other keys), or a zone
// file that brings its own SOA and NS, or what one of Primaries sends.
type Zone struct {
	Name        string   `json:"name" doc:"Zone name, for example gslb.example.com."`
	Nameservers []string `json:"nameservers,omitempty" doc:"Host names for the NS records; the first is the SOA's MNAME. Not with file."`
	Contact     string   `json:"contact,omitempty" doc:"Mailbox of the SOA, as a domain name or an address. Default: hostmaster.<zone>. Not with file."`
	Serial      uint32   `json:"serial,omitempty" default:"1" doc:"Serial of the SOA; raise it when records change. Not with file."`
	TTL         Duration `json:"ttl,omitempty" default:"30s" range:"0s..24h" step:"1s" doc:"Default TTL of balanced answers (0s to 24h)."`
	NegativeTTL Duration `json:"negative_ttl,omitempty" default:"30s" range:"0s..3h" step:"1s" doc:"TTL of NXDOMAIN and NODATA answers (0s to 3h)."`
	Records     string   `json:"records,omitempty" doc:"Zone-file text for what is not balanced."`
	File        string   `json:"file,omitempty" doc:"A zone file with its own SOA and NS; relative to this document."`

	AllowQuery []netip.Prefix `json:"allow_query,omitempty" doc:"Clients that are answered from this zone; all others get REFUSED. Absent: everyone is."`

	Primaries []TransferPeer `json:"primaries,omitempty" doc:"Servers that the zone's records are transferred from: address, or {address: …, key: …}. Not with file, records, nameservers, contact or serial."`
	Transfer  ZoneTransfer   `json:"transfer,omitempty" doc:"Transfers of this zone to other servers."`
	Views     []string       `json:"views,omitempty" doc:"Views whose clients see this zone; a zone of the same name without views is for all others. Absent: all clients see it."`

	Labels  Labels `json:"labels,omitempty" doc:"Short texts to find it and to grant rights by: {team: web, env: prod}; at most 32."`
	Comment string `json:"comment,omitempty" doc:"Free text for people, at most 4096 bytes."`

	// Data is the zone's static records, made by Parse, which leaves nothing in Records then; nil for a secondary zone. Read
	// it with ZoneData.
	Data *zonedata.Zone `json:"-"`
}

// Site is one data centre: a place, a MEP end point, and the owner of services.
type Site struct {
	Name            string          `json:"name" doc:"Name of the site; its MEP certificate carries it."`
	Address         string          `json:"address,omitempty" doc:"MEP end point as the other sites reach it: host or host:port (default port 3009). Every site but foreign ones has one."`
	Location        SiteLocation    `json:"location,omitempty" doc:"Where the site is, for static proximity."`
	TriggerMonitors TriggerMonitors `json:"trigger_monitors,omitempty" default:"always" doc:"When monitors bound to this site's services count at other sites."`

	Parent          string   `json:"parent,omitempty" doc:"Makes this a child: the site that it reports to, and that tells the others. Sites without parent exchange everything with each other."`
	BackupParents   []string `json:"backup_parents,omitempty" doc:"Sites that it reports to while its parent is lost, in order; at most 8."`
	AnswersDNS      *bool    `json:"answers_dns,omitempty" doc:"Whether its nodes answer DNS; else they only carry traffic. Default: true without parent, false with one."`
	Foreign         bool     `json:"foreign,omitempty" default:"false" doc:"No node of Fairlead is there: only monitors and load sources of other sites speak for its services."`
	AcceptAnnounced bool     `json:"accept_announced,omitempty" default:"false" doc:"Services that this site announces, and that the document does not name, join its service groups with announced."`
	Dial            DialMode `json:"dial,omitempty" default:"auto" doc:"Who opens connections with it. auto: a parent with its children, else the site with the lower address. always: this site with all others. never: the others with it. both: either end."`

	Labels  Labels `json:"labels,omitempty" doc:"Short texts to find it and to grant rights by: {team: web, env: prod}; at most 32."`
	Comment string `json:"comment,omitempty" doc:"Free text for people, at most 4096 bytes."`
}

// SiteLocation says where a site is. Latitude and Longitude are degrees (WGS 84) and come together or not at all.
type SiteLocation struct {
	Place     string   `json:"place,omitempty" doc:"Dotted qualifiers, widest first, at most six: EU.NL.NH.Amsterdam."`
	Latitude  *float64 `json:"latitude,omitempty" range:"-90..90" doc:"Degrees north, -90 to 90."`
	Longitude *float64 `json:"longitude,omitempty" range:"-180..180" doc:"Degrees east, -180 to 180."`
}

// Service is an application at one site: one object for both address families, or a name to answer with. A service that only
// SRV and MX answers name needs nothing but a host.
type Service struct {
	Name           string           `json:"name" doc:"Name that members refer to."`
	Site           string           `json:"site" doc:"Site that owns the service."`
	Addresses      []netip.Addr     `json:"addresses,omitempty" doc:"At most one IPv4 and one IPv6 address."`
	CNAME          string           `json:"cname,omitempty" doc:"Answer with this name instead of addresses."`
	Host           string           `json:"host,omitempty" doc:"DNS name of this service alone, which SRV and MX answers give; not an alias."`
	Port           int              `json:"port,omitempty" range:"1..65535" doc:"Port that monitors probe and SRV answers give (1 to 65535)."`
	Monitors       []MonitorBinding `json:"monitors,omitempty" doc:"Monitors: NAME, or {monitor: NAME, weight: N}."`
	MaxConnections uint64           `json:"max_connections,omitempty" default:"0" doc:"Leave the service out while it has this many active connections. 0: no limit."`
	State          ServiceState     `json:"state,omitempty" default:"enabled" doc:"What the operator wants."`
	Load           *LoadSource      `json:"load,omitempty" doc:"Where the service's load is read."`

	MonitorThreshold int           `json:"monitor_threshold,omitempty" default:"0" range:"0..65535" doc:"UP while the weights of the monitors that pass add up to this. 0: all must pass."`
	MaxBandwidth     uint64        `json:"max_bandwidth,omitempty" default:"0" doc:"Leave the service out while it carries this many bit/s. 0: no limit."`
	LoadThreshold    float64       `json:"load_threshold,omitempty" default:"0" range:"0..1e15" doc:"Leave the service out while its custom load is this or more. 0: no limit."`
	Capacity         uint64        `json:"capacity,omitempty" default:"0" doc:"Connections that it can carry, for what-if, headroom and score. 0: max_connections."`
	Cost             float64       `json:"cost,omitempty" default:"0" range:"0..1e9" doc:"What using it costs, in any unit, for method score."`
	HashID           uint32        `json:"hash_id,omitempty" default:"0" doc:"Identity for source-ip-hash, so that a renamed service keeps its clients. 0: made from its name."`
	SlowStart        Duration      `json:"slow_start,omitempty" default:"0s" range:"0s..1h" doc:"Time in which the share of a service that came UP grows to its full weight. 0s: at once."`
	PublicAddresses  []netip.Addr  `json:"public_addresses,omitempty" doc:"Addresses that answers carry in place of addresses of the same family (NAT)."`
	Views            []ServiceView `json:"views,omitempty" doc:"Other addresses for the clients of a view."`
	BackupServices   []string      `json:"backup_services,omitempty" doc:"Services that stand in behind this one's address: with effective_state it counts as UP while one of them is."`
	NAPTR            *NAPTRService `json:"naptr,omitempty" doc:"Its NAPTR record, for domains with naptr."`
	Quorum           Quorum        `json:"quorum,omitempty" doc:"How many sites must see it DOWN. Default: that of its first monitor that has one."`

	Labels  Labels `json:"labels,omitempty" doc:"Short texts to find it and to grant rights by: {team: web, env: prod}; at most 32."`
	Comment string `json:"comment,omitempty" doc:"Free text for people, at most 4096 bytes."`

	// Group is the service group that the service was made from; empty for one that the document names itself.
	Group string `json:"-"`
}

// MonitorBinding binds a monitor to a service. As plain text it is the monitor's name.
type MonitorBinding struct {
	Monitor string `json:"monitor" doc:"Name of the monitor."`
	Weight  int    `json:"weight,omitempty" default:"1" range:"1..100" doc:"What its passing adds to monitor_threshold (1 to 100)."`
}

// ServiceView is a service's addresses for the clients of one view.
type ServiceView struct {
	View      string       `json:"view" doc:"Name of the view."`
	Addresses []netip.Addr `json:"addresses" doc:"At most one of each family that the service has; the other family is as for everybody."`
}

// NAPTRService is the NAPTR record of a service (RFC 3403 section 4.1).
type NAPTRService struct {
	Order       int    `json:"order,omitempty" default:"1" range:"0..65535" doc:"Order."`
	Preference  int    `json:"preference,omitempty" default:"1" range:"0..65535" doc:"Preference."`
	Flags       string `json:"flags,omitempty" doc:"Flags, such as S, A, U or P."`
	Services    string `json:"services,omitempty" doc:"Service field, such as E2U+sip."`
	Regexp      string `json:"regexp,omitempty" doc:"Substitution expression; not with replacement."`
	Replacement string `json:"replacement,omitempty" doc:"Next name to ask for; not with regexp."`
}

// ServiceGroup is services of one site that share everything but their addresses. Each becomes a service of its own, named
// GROUP:MEMBER.
type ServiceGroup struct {
	Name      string        `json:"name" doc:"Name that members refer to."`
	Site      string        `json:"site" doc:"Site that owns the services."`
	Port      int           `json:"port,omitempty" range:"1..65535" doc:"Port of members without their own (1 to 65535)."`
	Members   []GroupMember `json:"members,omitempty" doc:"The services. Not with autoscale."`
	Autoscale *Autoscale    `json:"autoscale,omitempty" doc:"The services are the addresses of a DNS name, as they are now."`
	Announced *Announced    `json:"announced,omitempty" doc:"The services are those that the site announces with a label; the site has accept_announced. Neither with members nor with autoscale."`

	Monitors         []MonitorBinding `json:"monitors,omitempty" doc:"Monitors of each: NAME, or {monitor: NAME, weight: N}."`
	MonitorThreshold int              `json:"monitor_threshold,omitempty" default:"0" range:"0..65535" doc:"As of a service."`
	MaxConnections   uint64           `json:"max_connections,omitempty" default:"0" doc:"As of a service, for each."`
	MaxBandwidth     uint64           `json:"max_bandwidth,omitempty" default:"0" doc:"As of a service, for each."`
	LoadThreshold    float64          `json:"load_threshold,omitempty" default:"0" range:"0..1e15" doc:"As of a service."`
	Capacity         uint64           `json:"capacity,omitempty" default:"0" doc:"As of a service, for each."`
	Cost             float64          `json:"cost,omitempty" default:"0" range:"0..1e9" doc:"As of a service."`
	SlowStart        Duration         `json:"slow_start,omitempty" default:"0s" range:"0s..1h" doc:"As of a service."`
	State            ServiceState     `json:"state,omitempty" default:"enabled" doc:"What the operator wants of all of them."`
	Load             *LoadSource      `json:"load,omitempty" doc:"Where the load of each is read: {address}, {port} and {member} in url, backend, path, fields and the paths of custom are the member's."`

	Labels  Labels `json:"labels,omitempty" doc:"Short texts to find it and to grant rights by: {team: web, env: prod}; at most 32."`
	Comment string `json:"comment,omitempty" doc:"Free text for people, at most 4096 bytes."`
}

// GroupMember is one service of a group.
type GroupMember struct {
	Name            string       `json:"name,omitempty" doc:"Second half of the service's name. Default: its first address, with - in place of each colon."`
	Addresses       []netip.Addr `json:"addresses" doc:"At most one IPv4 and one IPv6 address."`
	PublicAddresses []netip.Addr `json:"public_addresses,omitempty" doc:"As of a service."`
	Port            int          `json:"port,omitempty" range:"1..65535" doc:"Port. Default: the group's."`
	Weight          int          `json:"weight,omitempty" default:"1" range:"1..100" doc:"Share inside the group: multiplied with the weight of the group as a member (1 to 100)."`
	Order           int          `json:"order,omitempty" default:"0" range:"0..255" doc:"Order in place of the group's. 0: the group's."`
	HashID          uint32       `json:"hash_id,omitempty" default:"0" doc:"As of a service."`
	State           ServiceState `json:"state,omitempty" default:"enabled" doc:"What the operator wants of this one."`
	Load            *LoadSource  `json:"load,omitempty" doc:"Where its load is read, in place of the group's."`
}

// Announced makes a group's services from what its site announces over MEP. What was announced stays while the site is not
// heard; what it withdraws goes.
type Announced struct {
	Label string `json:"label" doc:"Label that announced services carry."`
	Max   int    `json:"max,omitempty" default:"64" range:"1..1024" doc:"Most services; further ones are left out, and that is reported."`
}

// Autoscale makes a group's services from the addresses of a DNS name. What was resolved last stays while the name cannot be
// resolved.
type Autoscale struct {
	Name     string   `json:"name" doc:"DNS name whose A and AAAA records are the services."`
	Resolver string   `json:"resolver,omitempty" doc:"Resolver that is asked, as host or host:port. Absent: the system's."`
	Interval Duration `json:"interval,omitempty" default:"30s" range:"1s..24h" doc:"Time between two questions; never below the answer's TTL."`
	Delay    Duration `json:"delay,omitempty" default:"0s" range:"0s..24h" doc:"How long an address that is gone from the answer is draining before it is removed."`
	Max      int      `json:"max,omitempty" default:"64" range:"1..1024" doc:"Most services; further addresses are left out, and that is reported."`
}

// View is a kind of clients. A client is in it that satisfies all of its conditions that are given.
type View struct {
	Name      string         `json:"name" doc:"Name that zones, services and policies refer to."`
	Listeners []netip.Addr   `json:"listeners,omitempty" doc:"Addresses of this server that were asked."`
	Clients   []netip.Prefix `json:"clients,omitempty" doc:"Prefixes that the query's source address is in; never the client subnet that it carries."`

	Labels  Labels `json:"labels,omitempty" doc:"Short texts to find it and to grant rights by: {team: web, env: prod}; at most 32."`
	Comment string `json:"comment,omitempty" doc:"Free text for people, at most 4096 bytes."`
}

// VirtualServer binds domains to members and says how one is picked.
type VirtualServer struct {
	Name         string       `json:"name" doc:"Name, shown in explanations and metrics."`
	Domains      []Domain     `json:"domains,omitempty" doc:"Names answered by this virtual server. None: it is only a backup."`
	Method       Method       `json:"method,omitempty" default:"least-connection" doc:"How a member is picked."`
	BackupMethod Method       `json:"backup_method,omitempty" default:"round-robin" doc:"Used when the method lacks the data it needs."`
	Members      []Member     `json:"members" doc:"Services to pick from."`
	Persistence  Persistence  `json:"persistence,omitempty" doc:"Whether a client keeps its service."`
	SourceIPHash SourceIPHash `json:"source_ip_hash,omitempty" doc:"How much of the client's address source-ip-hash uses."`
	ClientSubnet bool         `json:"client_subnet,omitempty" default:"true" doc:"Use EDNS Client Subnet when the query carries one."`
	MaxAnswers   int          `json:"max_answers,omitempty" default:"1" range:"1..16" doc:"Services in one answer: the chosen one first, then other usable ones (1 to 16)."`
	WhenAllDown  WhenAllDown  `json:"when_all_down,omitempty" default:"all" doc:"Answer when neither this virtual server nor its backups have a usable member."`
	Backup       string       `json:"backup,omitempty" doc:"Another virtual server that answers while this one is DOWN; chains up to 10."`
	BackupHold   bool         `json:"backup_hold,omitempty" default:"false" doc:"Stay on the backup until an operator returns it."`
	Spillover    Spillover    `json:"spillover,omitempty" doc:"When to send new clients to the backup although members are UP."`

	OrderThreshold int           `json:"order_threshold,omitempty" default:"0" range:"0..100" doc:"Percentage of an order's members that must be usable for it to be used (0 to 100). 0: one of them. If no order has so many, the first with any is used."`
	ActiveOrder    ActiveOrder   `json:"active_order,omitempty" default:"ascending" doc:"ascending: lower orders first. descending turns active and passive round."`
	DynamicWeight  DynamicWeight `json:"dynamic_weight,omitempty" default:"none" doc:"What multiplies weights: members is the number of usable servers behind each service, member-weight the sum of their weights, as its load source tells."`
	Tolerance      Duration      `json:"tolerance,omitempty" default:"0s" range:"0s..100ms" doc:"rtt: sites this close to the least take turns (0 to 100ms)."`
	Score          Score         `json:"score,omitempty" doc:"What method score weighs. All 0: load alone."`
	EffectiveState bool          `json:"effective_state,omitempty" default:"false" doc:"When no member is UP, members with an UP service among their backup_services are used."`
	Policies       []Policy      `json:"policies,omitempty" doc:"Preferred locations or orders for some clients; the first that matches counts."`

	Labels  Labels `json:"labels,omitempty" doc:"Short texts to find it and to grant rights by: {team: web, env: prod}; at most 32."`
	Comment string `json:"comment,omitempty" doc:"Free text for people, at most 4096 bytes."`
}

// Score is how much each input of method score counts. Every input is taken in proportion to the worst of the candidates (0 to
// 1), load to the capacity where all have one; what is missing counts as the mean of the others. The candidate with the least
// sum, divided by its weight, wins. All 0: load 1.
type Score struct {
	Load     float64 `json:"load,omitempty" default:"0" range:"0..1000" doc:"Connections, expected ones included."`
	RTT      float64 `json:"rtt,omitempty" default:"0" range:"0..1000" doc:"Round-trip time from the site to the resolver."`
	Distance float64 `json:"distance,omitempty" default:"0" range:"0..1000" doc:"Great-circle distance from the site to the client."`
	Cost     float64 `json:"cost,omitempty" default:"0" range:"0..1000" doc:"The service's cost."`
}

// Policy prefers locations or orders for the clients that it matches. Conditions that are given must all hold. Preferences
// are tried one after the other; the first with a usable member is used. None has: the policy counts as not matching.
type Policy struct {
	Name      string         `json:"name" doc:"Name, shown in explanations."`
	Clients   []netip.Prefix `json:"clients,omitempty" doc:"Prefixes that the client is in."`
	Places    []string       `json:"places,omitempty" doc:"Places that the client is at: EU.NL.*; a pattern matches a place that goes on."`
	Listeners []netip.Addr   `json:"listeners,omitempty" doc:"Addresses of this server that were asked."`
	Names     []string       `json:"names,omitempty" doc:"Domains of this virtual server that were asked for, as they are written there."`
	Prefer    []string       `json:"prefer,omitempty" doc:"Places of sites, best first, at most 8: members there are used. Not with orders."`
	Orders    []int          `json:"orders,omitempty" doc:"Orders, best first, in place of active_order. Not with prefer."`
}

// Domain is one balanced name. A and AAAA are always balanced; HTTPS, SRV and MX make more types so.
type Domain struct {
	Name            string       `json:"name" doc:"Full name inside one of the zones; a first label * makes it a wildcard (RFC 4592)."`
	TTL             *Duration    `json:"ttl,omitempty" range:"0s..24h" step:"1s" doc:"TTL of its answers (0s to 24h). Default: the zone's."`
	BackupAddresses []netip.Addr `json:"backup_addresses,omitempty" doc:"The answer for when_all_down: backup-address."`
	HTTPS           *HTTPSAnswer `json:"https,omitempty" doc:"Answer type HTTPS (RFC 9460) too, with the addresses as hints."`
	SRV             *SRVAnswer   `json:"srv,omitempty" doc:"Answer type SRV (RFC 2782) too, with the services' hosts and ports. The name begins with _service._protocol."`
	MX              *MXAnswer    `json:"mx,omitempty" doc:"Answer type MX too, with the services' hosts."`
	NAPTR           *NAPTRAnswer `json:"naptr,omitempty" doc:"Answer type NAPTR too, with the services' records."`
}

// HTTPSAnswer is the HTTPS record of a balanced name (RFC 9460): in ServiceMode, for the name itself, with the addresses of
// the decision as hints.
type HTTPSAnswer struct {
	ALPN          []string `json:"alpn,omitempty" doc:"Protocols besides http/1.1, for example [h2, h3]; at most 16."`
	NoDefaultALPN bool     `json:"no_default_alpn,omitempty" default:"false" doc:"The services do not speak http/1.1. Needs alpn."`
	Port          int      `json:"port,omitempty" default:"0" range:"0..65535" doc:"Port that clients connect to (0 to 65535). 0: 443."`
}

// SRVAnswer is the SRV records of a balanced name (RFC 2782): one for each service of the decision.
type SRVAnswer struct {
	Priority int `json:"priority,omitempty" default:"10" range:"0..65000" doc:"A record's priority is this plus the member's order (0 to 65000)."`
	Weight   int `json:"weight,omitempty" default:"0" range:"0..65535" doc:"Weight of each record (0 to 65535). 0: the member's."`
	Port     int `json:"port,omitempty" default:"0" range:"0..65535" doc:"Port of each record (0 to 65535). 0: the service's."`
}

// MXAnswer is the MX records of a balanced name: one for each service of the decision.
type MXAnswer struct {
	Preference int `json:"preference,omitempty" default:"10" range:"0..65000" doc:"Preference of the chosen service; each further one of the answer has one more (0 to 65000)."`
}

// NAPTRAnswer is the NAPTR records of a balanced name (RFC 3403): those of all usable services.
type NAPTRAnswer struct {
	All bool `json:"all,omitempty" default:"true" doc:"All usable services, not only those of the decision."`
}

// Member is a service, or each service of a group, in a virtual server.
type Member struct {
	Service string `json:"service,omitempty" doc:"Name of the service. Either service or group."`
	Group   string `json:"group,omitempty" doc:"Name of the service group."`
	Weight  int    `json:"weight,omitempty" default:"1" range:"1..100" doc:"Share relative to the other members (1 to 100)."`
	Order   int    `json:"order,omitempty" default:"1" range:"1..255" doc:"Lower orders are used first (1 to 255)."`
}

// Persistence keeps a client on its service.
type Persistence struct {
	Type    PersistenceType `json:"type,omitempty" default:"none" doc:"none or source-ip."`
	Timeout Duration        `json:"timeout,omitempty" default:"2m" range:"1s..24h" doc:"How long a session lasts after its last query."`
	Prefix4 int             `json:"prefix4,omitempty" default:"32" range:"1..32" doc:"Bits of an IPv4 client that identify it (1 to 32)."`
	Prefix6 int             `json:"prefix6,omitempty" default:"56" range:"1..128" doc:"Bits of an IPv6 client that identify it (1 to 128)."`

	ID           int  `json:"id,omitempty" default:"0" range:"0..65535" doc:"Virtual servers with the same id share sessions (1 to 65535). 0: made from the virtual server's name."`
	YieldToOrder bool `json:"yield_to_order,omitempty" default:"false" doc:"A session ends when an order comes back that is better than its service's."`
}

// SourceIPHash masks the client before it is hashed. The masks are also the scope of the answer, so they are not longer
// than what resolvers send as client subnet.
type SourceIPHash struct {
	Prefix4 int `json:"prefix4,omitempty" default:"24" range:"1..32" doc:"Bits of an IPv4 client that are hashed (1 to 32)."`
	Prefix6 int `json:"prefix6,omitempty" default:"56" range:"1..128" doc:"Bits of an IPv6 client that are hashed (1 to 128)."`
}

// Spillover sends new clients to the backup when members are busy.
type Spillover struct {
	Method    SpilloverMethod `json:"method,omitempty" default:"none" doc:"What is measured."`
	Threshold uint64          `json:"threshold,omitempty" default:"0" doc:"Value from which new clients go to the backup: connections, bit/s, or with health the percentage of weights UP below which they do."`

	Persistence   bool          `json:"persistence,omitempty" default:"false" doc:"A client that was sent to the backup stays there for timeout."`
	Timeout       Duration      `json:"timeout,omitempty" default:"2m" range:"1s..24h" doc:"How long such a session lasts after its last query."`
	WithoutBackup WithoutBackup `json:"without_backup,omitempty" default:"accept" doc:"What happens to new clients when no backup is usable: accept answers as if there were no spillover, empty gives no address."`
}

// Location gives the clients of a prefix a place.
type Location struct {
	Prefix    netip.Prefix `json:"prefix" doc:"Client prefix, for example 203.0.113.0/24."`
	Place     string       `json:"place,omitempty" doc:"Dotted qualifiers, widest first, at most six."`
	Latitude  *float64     `json:"latitude,omitempty" range:"-90..90" doc:"Degrees north, -90 to 90."`
	Longitude *float64     `json:"longitude,omitempty" range:"-180..180" doc:"Degrees east, -180 to 180."`

	Labels  Labels `json:"labels,omitempty" doc:"Short texts to find it and to grant rights by: {team: web, env: prod}; at most 32."`
	Comment string `json:"comment,omitempty" doc:"Free text for people, at most 4096 bytes."`
}

// Settings are the intervals and limits that all sites share.
type Settings struct {
	MEP       MEPSettings       `json:"mep,omitempty" doc:"Metric exchange between sites."`
	LDNS      LDNSSettings      `json:"ldns,omitempty" doc:"Resolvers measured for the rtt method."`
	Damping   DampingSettings   `json:"damping,omitempty" doc:"What keeps a flapping service out."`
	Suspicion SuspicionSettings `json:"suspicion,omitempty" doc:"When a node that loses sight of many targets at once suspects itself."`
	Answers   AnswerSettings    `json:"answers,omitempty" doc:"What holds for all answers."`
	Locations LocationSettings  `json:"locations,omitempty" doc:"How places are matched."`
	Sessions  SessionSettings   `json:"sessions,omitempty" doc:"Bounds of persistence."`
}

// DampingSettings bound how often belief about a service changes. Each change from UP adds 1000 to its penalty, which halves
// every HalfLife; from Suppress on the service is kept DOWN until the penalty has fallen to Reuse.
type DampingSettings struct {
	MinHold     Duration `json:"min_hold,omitempty" default:"2s" range:"0s..10m" doc:"A service that went DOWN stays DOWN at least so long."`
	HalfLife    Duration `json:"half_life,omitempty" default:"1m" range:"1s..1h" doc:"Time in which the penalty halves."`
	Suppress    int      `json:"suppress,omitempty" default:"3000" range:"0..100000" doc:"Penalty from which the service is kept DOWN. 0: never."`
	Reuse       int      `json:"reuse,omitempty" default:"1000" range:"1..100000" doc:"Penalty at which it may be UP again; below suppress."`
	MaxSuppress Duration `json:"max_suppress,omitempty" default:"5m" range:"1s..24h" doc:"Longest time that it is kept DOWN at a stretch."`
}

// SuspicionSettings say when a node suspects itself: more than Share percent of at least Targets targets that were UP, and of
// those of at least two sites, fail within Window. The last good state is frozen then, until less fail, at most for Longest.
type SuspicionSettings struct {
	Share   int      `json:"share,omitempty" default:"50" range:"0..100" doc:"Percentage of the targets (1 to 100). 0: never."`
	Targets int      `json:"targets,omitempty" default:"3" range:"2..1000000" doc:"Fewest targets for which it makes sense."`
	Window  Duration `json:"window,omitempty" default:"30s" range:"1s..1h" doc:"Losses within this time count as at once."`
	Longest Duration `json:"longest,omitempty" default:"10m" range:"1s..24h" doc:"After this time what is seen is believed."`
}

// AnswerSettings hold for all answers.
type AnswerSettings struct {
	AdaptiveTTL bool     `json:"adaptive_ttl,omitempty" default:"true" doc:"Lower the TTL while a member's state is uncertain."`
	LeastTTL    Duration `json:"least_ttl,omitempty" default:"5s" range:"1s..1h" step:"1s" doc:"TTL while a state is uncertain; never above the domain's."`
	Coherent    bool     `json:"coherent,omitempty" default:"true" doc:"A, AAAA and HTTPS of one name and client name the same service while it has the families."`
}

// LocationSettings say how places are matched.
type LocationSettings struct {
	Wildcards WildcardMatch `json:"wildcards,omitempty" default:"any" doc:"any: a qualifier * matches every qualifier. literal: only another *."`
}

// SessionSettings bound persistence.
type SessionSettings struct {
	MaxEntries int `json:"max_entries,omitempty" default:"1000000" range:"1024..16000000" doc:"Sessions remembered; the ones nearest their end give way."`
}

// MEPSettings are the exchange's intervals.
type MEPSettings struct {
	MetricsInterval  Duration `json:"metrics_interval,omitempty" default:"1s" range:"100ms..1m" doc:"Time between Services frames (100ms to 1m)."`
	NetworkInterval  Duration `json:"network_interval,omitempty" default:"5s" range:"100ms..1m" doc:"Time between Network frames."`
	SessionInterval  Duration `json:"session_interval,omitempty" default:"5s" range:"100ms..1m" doc:"Time between Sessions frames."`
	KeepaliveTimeout Duration `json:"keepalive_timeout,omitempty" default:"10s" range:"300ms..10m" doc:"Silence after which a session is down (at least 3 metrics intervals)."`
	Hold             Duration `json:"hold,omitempty" default:"0s" range:"0s..24h" doc:"How long a service without monitors stays UNKNOWN, not DOWN, after its site's session is lost."`
	ParentTimeout    Duration `json:"parent_timeout,omitempty" default:"10s" range:"1s..1h" doc:"How long a child's parent is lost before it reports to the next of its backup_parents; so long others keep what they believe of its services."`
	ParentReturn     Duration `json:"parent_return,omitempty" default:"1m" range:"0s..24h" doc:"How long a better parent is back before a child returns to it. 0s: it returns at once."`
}

// LDNSSettings bound the table of measured resolvers.
type LDNSSettings struct {
	Prefix4      int      `json:"prefix4,omitempty" default:"32" range:"1..32" doc:"Bits that identify an IPv4 resolver (1 to 32)."`
	Prefix6      int      `json:"prefix6,omitempty" default:"128" range:"1..128" doc:"Bits that identify an IPv6 resolver (1 to 128)."`
	EntryTimeout Duration `json:"entry_timeout,omitempty" default:"3m" range:"1s..24h" doc:"How long a measurement counts."`
	ProbeOrder   []string `json:"probe_order,omitempty" doc:"Probe kinds in order; each is tried when the one before got no answer. Default: ping, dns, tcp."`
	// Packets, not resolvers: one takes at most three.
	ProbeRate       int            `json:"probe_rate,omitempty" default:"100" range:"0..10000" doc:"Most packets a second that a site sends to measure resolvers. 0: none; what others report still counts."`
	ProbePrefixRate int            `json:"probe_prefix_rate,omitempty" default:"1" range:"1..1000" doc:"Most resolvers a second that a site measures in one /24 or /56."`
	ProbeAllow      []netip.Prefix `json:"probe_allow,omitempty" doc:"Prefixes that are measured although they are private, reserved or this machine's, for example 10.0.0.0/8."`
	ProbeDeny       []netip.Prefix `json:"probe_deny,omitempty" doc:"Prefixes that are never measured; it counts before probe_allow."`
	Tolerance       Duration       `json:"tolerance,omitempty" default:"5ms" range:"0s..100ms" doc:"A round-trip time that differs less from the one before is neither kept nor told to other sites, until that is due to be renewed."`
	MaxEntries      int            `json:"max_entries,omitempty" default:"1000000" range:"1..10000000" doc:"Resolvers remembered."`
}
