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
	VirtualServers []VirtualServer `json:"virtual_servers,omitempty" doc:"Balanced names: domains, members and the method that picks among them."`
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

	// Data is the zone's static records, made by Parse, which leaves nothing in Records then; nil for a secondary zone. Read
	// it with ZoneData.
	Data *zonedata.Zone `json:"-"`
}

// Site is one data centre: a place, a MEP end point, and the owner of services.
type Site struct {
	Name            string          `json:"name" doc:"Name of the site; its MEP certificate carries it."`
	Address         string          `json:"address" doc:"MEP end point as the other sites reach it: host or host:port (default port 3009)."`
	Location        SiteLocation    `json:"location,omitempty" doc:"Where the site is, for static proximity."`
	TriggerMonitors TriggerMonitors `json:"trigger_monitors,omitempty" default:"always" doc:"When monitors bound to this site's services count at other sites."`
}

// SiteLocation says where a site is. Latitude and Longitude are degrees (WGS 84) and come together or not at all.
type SiteLocation struct {
	Place     string   `json:"place,omitempty" doc:"Dotted qualifiers, widest first, at most six: EU.NL.NH.Amsterdam."`
	Latitude  *float64 `json:"latitude,omitempty" range:"-90..90" doc:"Degrees north, -90 to 90."`
	Longitude *float64 `json:"longitude,omitempty" range:"-180..180" doc:"Degrees east, -180 to 180."`
}

// Monitor is a probe: one run answers "is it up now?", rise and fall in a row make a verdict.
type Monitor struct {
	Name     string      `json:"name" doc:"Name that services refer to."`
	Type     MonitorType `json:"type" doc:"Kind of probe."`
	Interval Duration    `json:"interval,omitempty" default:"5s" range:"100ms..1h" doc:"Time between probes of one target (100ms to 1h)."`
	Timeout  Duration    `json:"timeout,omitempty" default:"2s" range:"1ms..1h" doc:"Longest a probe may take; not above interval."`
	Fall     int         `json:"fall,omitempty" default:"3" range:"1..100" doc:"Failures in a row before DOWN (1 to 100)."`
	Rise     int         `json:"rise,omitempty" default:"2" range:"1..100" doc:"Successes in a row before UP (1 to 100)."`
	Jitter   *int        `json:"jitter,omitempty" range:"0..50" doc:"Each interval varies by this many percent either way (0 to 50). Default: 5."`
	HTTP     HTTPProbe   `json:"http,omitempty" doc:"Settings of http and https probes."`
	TLS      TLSProbe    `json:"tls,omitempty" doc:"TLS settings of https probes."`
}

// HTTPProbe is what http and https probes send and expect. Redirects are not followed: a 302 is a 302.
type HTTPProbe struct {
	Path         string   `json:"path,omitempty" default:"/" doc:"Request path, with query if any."`
	Method       string   `json:"method,omitempty" default:"GET" doc:"Request method."`
	Host         string   `json:"host,omitempty" doc:"Host header, and server name for TLS. Default: the address."`
	ExpectStatus []string `json:"expect_status,omitempty" doc:"Status codes or ranges that pass. Default: 200-299."`
	ExpectBody   string   `json:"expect_body,omitempty" doc:"Text that the first 64 KiB of the body must contain. Empty: the body is not read."`
}

// TLSProbe is how https probes check the certificate.
type TLSProbe struct {
	Verify     bool   `json:"verify,omitempty" default:"true" doc:"Check the chain and the name."`
	ServerName string `json:"server_name,omitempty" doc:"Name to ask for and to check. Default: http.host, else the address."`
	CAFile     string `json:"ca_file,omitempty" doc:"PEM file with the authorities to trust instead of the system's; same path at every site."`
}

// Service is an application at one site: one object for both address families, or a name to answer with. A service that only
// SRV and MX answers name needs nothing but a host.
type Service struct {
	Name           string       `json:"name" doc:"Name that members refer to."`
	Site           string       `json:"site" doc:"Site that owns the service."`
	Addresses      []netip.Addr `json:"addresses,omitempty" doc:"At most one IPv4 and one IPv6 address."`
	CNAME          string       `json:"cname,omitempty" doc:"Answer with this name instead of addresses."`
	Host           string       `json:"host,omitempty" doc:"DNS name of this service alone, which SRV and MX answers give; not an alias."`
	Port           int          `json:"port,omitempty" range:"1..65535" doc:"Port that monitors probe and SRV answers give (1 to 65535)."`
	Monitors       []string     `json:"monitors,omitempty" doc:"Monitors; all must pass."`
	MaxConnections uint64       `json:"max_connections,omitempty" default:"0" doc:"Leave the service out while it has this many active connections. 0: no limit."`
	State          ServiceState `json:"state,omitempty" default:"enabled" doc:"What the operator wants."`
	Load           *LoadSource  `json:"load,omitempty" doc:"Where the service's load is read."`
}

// LoadSource says where the owner site reads how busy a service is. A source that fails ages; it never marks the
// service down.
type LoadSource struct {
	Source   LoadKind `json:"source" doc:"Kind of source."`
	URL      string   `json:"url,omitempty" doc:"Where to read (haproxy: the CSV statistics page; json: any JSON document)."`
	Path     string   `json:"path,omitempty" doc:"json: dotted path of a number in the answer; empty: the answer itself is the number."`
	Backend  string   `json:"backend,omitempty" doc:"haproxy: name of the proxy whose BACKEND row counts."`
	Interval Duration `json:"interval,omitempty" default:"1s" range:"100ms..1h" doc:"Time between reads (100ms to 1h)."`
	Timeout  Duration `json:"timeout,omitempty" default:"1s" range:"1ms..1h" doc:"Longest one read may take."`
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
}

// Domain is one balanced name. A and AAAA are always balanced; HTTPS, SRV and MX make more types so.
type Domain struct {
	Name            string       `json:"name" doc:"Full name inside one of the zones; a first label * makes it a wildcard (RFC 4592)."`
	TTL             *Duration    `json:"ttl,omitempty" range:"0s..24h" step:"1s" doc:"TTL of its answers (0s to 24h). Default: the zone's."`
	BackupAddresses []netip.Addr `json:"backup_addresses,omitempty" doc:"The answer for when_all_down: backup-address."`
	HTTPS           *HTTPSAnswer `json:"https,omitempty" doc:"Answer type HTTPS (RFC 9460) too, with the addresses as hints."`
	SRV             *SRVAnswer   `json:"srv,omitempty" doc:"Answer type SRV (RFC 2782) too, with the services' hosts and ports. The name begins with _service._protocol."`
	MX              *MXAnswer    `json:"mx,omitempty" doc:"Answer type MX too, with the services' hosts."`
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

// Member is a service in a virtual server.
type Member struct {
	Service string `json:"service" doc:"Name of the service."`
	Weight  int    `json:"weight,omitempty" default:"1" range:"1..100" doc:"Share relative to the other members (1 to 100)."`
	Order   int    `json:"order,omitempty" default:"1" range:"1..255" doc:"Lower orders are used first (1 to 255)."`
}

// Persistence keeps a client on its service.
type Persistence struct {
	Type    PersistenceType `json:"type,omitempty" default:"none" doc:"none or source-ip."`
	Timeout Duration        `json:"timeout,omitempty" default:"2m" range:"1s..24h" doc:"How long a session lasts after its last query."`
	Prefix4 int             `json:"prefix4,omitempty" default:"32" range:"1..32" doc:"Bits of an IPv4 client that identify it (1 to 32)."`
	Prefix6 int             `json:"prefix6,omitempty" default:"56" range:"1..128" doc:"Bits of an IPv6 client that identify it (1 to 128)."`
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
	Threshold uint64          `json:"threshold,omitempty" default:"0" doc:"Value from which new clients go to the backup."`
}

// Location gives the clients of a prefix a place.
type Location struct {
	Prefix    netip.Prefix `json:"prefix" doc:"Client prefix, for example 203.0.113.0/24."`
	Place     string       `json:"place,omitempty" doc:"Dotted qualifiers, widest first, at most six."`
	Latitude  *float64     `json:"latitude,omitempty" range:"-90..90" doc:"Degrees north, -90 to 90."`
	Longitude *float64     `json:"longitude,omitempty" range:"-180..180" doc:"Degrees east, -180 to 180."`
}

// Settings are the intervals and limits that all sites share.
type Settings struct {
	MEP  MEPSettings  `json:"mep,omitempty" doc:"Metric exchange between sites."`
	LDNS LDNSSettings `json:"ldns,omitempty" doc:"Resolvers measured for the rtt method."`
}

// MEPSettings are the exchange's intervals.
type MEPSettings struct {
	MetricsInterval  Duration `json:"metrics_interval,omitempty" default:"1s" range:"100ms..1m" doc:"Time between Services frames (100ms to 1m)."`
	NetworkInterval  Duration `json:"network_interval,omitempty" default:"5s" range:"100ms..1m" doc:"Time between Network frames."`
	SessionInterval  Duration `json:"session_interval,omitempty" default:"5s" range:"100ms..1m" doc:"Time between Sessions frames."`
	KeepaliveTimeout Duration `json:"keepalive_timeout,omitempty" default:"10s" range:"300ms..10m" doc:"Silence after which a session is down (at least 3 metrics intervals)."`
	Hold             Duration `json:"hold,omitempty" default:"0s" range:"0s..24h" doc:"How long a service without monitors stays UNKNOWN, not DOWN, after its site's session is lost."`
}

// LDNSSettings bound the table of measured resolvers.
type LDNSSettings struct {
	Prefix4      int      `json:"prefix4,omitempty" default:"32" range:"1..32" doc:"Bits that identify an IPv4 resolver (1 to 32)."`
	Prefix6      int      `json:"prefix6,omitempty" default:"128" range:"1..128" doc:"Bits that identify an IPv6 resolver (1 to 128)."`
	EntryTimeout Duration `json:"entry_timeout,omitempty" default:"3m" range:"1s..24h" doc:"How long a measurement counts."`
	ProbeOrder   []string `json:"probe_order,omitempty" doc:"Probe kinds in order. Default: ping, dns, tcp."`
	MaxEntries   int      `json:"max_entries,omitempty" default:"1000000" range:"1..10000000" doc:"Resolvers remembered."`
}
