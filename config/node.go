package config

import "net/netip"

// Node is the node file: who this machine is. It is local, never replicated, and names every secret's path. Relative
// paths are relative to the node file's directory; LoadNode has already joined them.
type Node struct {
	Site    string     `json:"site" doc:"Which site of the GSLB document this node is."`
	DataDir string     `json:"data_dir" doc:"Directory for revisions and learned state; created with mode 0700."`
	Config  NodeConfig `json:"config" doc:"Where the GSLB document comes from."`
	DNS     NodeDNS    `json:"dns" doc:"The authoritative DNS server."`
	MEP     NodeMEP    `json:"mep,omitempty" doc:"The exchange with other sites."`
	API     NodeAPI    `json:"api,omitempty" doc:"REST, health and metrics."`
	GeoIP   NodeGeoIP  `json:"geoip,omitempty" doc:"Location databases."`
	Probes  NodeProbes `json:"probes,omitempty" doc:"What monitors and load sources of the document may reach, read and run here."`
	Log     NodeLog    `json:"log,omitempty" doc:"Log output, on stderr."`
}

// NodeConfig names the document's source: exactly one of Seed and Follow, or Store with or without a Seed.
type NodeConfig struct {
	Seed   string `json:"seed,omitempty" doc:"GSLB document read once, when data_dir holds no revision yet."`
	Follow string `json:"follow,omitempty" doc:"GSLB document that is the truth: read at start, when it changes, and on SIGHUP. It is not written through the API then."`

	History  NodeHistory `json:"history,omitempty" doc:"How much of the past is kept in data_dir."`
	Force    bool        `json:"force,omitempty" default:"false" doc:"Serve a followed document although names that have an answer would have none. Else it is refused."`
	ReadOnly bool        `json:"read_only,omitempty" default:"false" doc:"Documents come from the parent site, or from etcd, and are not written here. A seed is what to begin with."`

	Store NodeStore `json:"store,omitempty" doc:"Where the document is kept, when not in data_dir alone."`
}

// NodeHistory bounds the revisions that are kept. The document itself is kept however large it is.
type NodeHistory struct {
	Revisions int `json:"revisions,omitempty" default:"1000" range:"1000..100000" doc:"Revisions (1,000 to 100,000)."`
	Megabytes int `json:"megabytes,omitempty" default:"256" range:"16..65536" doc:"Size of history and objects together, in MiB; the oldest revisions go when it is reached."`
}

// NodeDNS is the authoritative server's part.
type NodeDNS struct {
	Listen    []string      `json:"listen" doc:"Addresses to serve UDP and TCP on, as host:port."`
	TLS       *NodeDNSTLS   `json:"tls,omitempty" doc:"DNS over TLS (RFC 7858)."`
	HTTPS     *NodeDNSHTTPS `json:"https,omitempty" doc:"DNS over HTTPS (RFC 8484)."`
	TCP       NodeDNSTCP    `json:"tcp,omitempty" doc:"Limits of connections, over TCP, TLS and HTTPS together."`
	Workers   int           `json:"workers,omitempty" default:"0" range:"0..256" doc:"Readers per UDP address. 0: one per CPU."`
	IO        DatagramIO    `json:"io,omitempty" default:"auto" doc:"How they wait: raw is the fastest and keeps a thread each, netpoll and portable are for other systems. auto takes the fastest that works and says so at start."`
	NSID      string        `json:"nsid,omitempty" doc:"Name server identifier (RFC 5001), sent when asked for."`
	TSIGKeys  []NodeTSIGKey `json:"tsig_keys,omitempty" doc:"Secrets shared with other DNS servers (RFC 8945)."`
	Cookies   bool          `json:"cookies,omitempty" default:"true" doc:"DNS cookies (RFC 7873)."`
	RateLimit NodeRateLimit `json:"rate_limit,omitempty" doc:"Response rate limiting."`

	Dnstap   *NodeDnstap  `json:"dnstap,omitempty" doc:"Messages are shown to a dnstap collector."`
	QueryLog NodeQueryLog `json:"query_log,omitempty" doc:"Log of a sample of the queries."`

	CookieSecretFile string         `json:"cookie_secret_file,omitempty" doc:"Secrets that cookies are made with, 32 hexadecimal digits a line: the first makes, both verify. The same on all nodes that share a service address. Absent: a random one of this process."`
	AllowQuery       []netip.Prefix `json:"allow_query,omitempty" doc:"Clients that are answered; all others get REFUSED. Absent: everyone is."`
	ClientSubnetFrom []netip.Prefix `json:"client_subnet_from,omitempty" doc:"Resolvers whose EDNS Client Subnet is believed. Absent: all are."`
	Version          string         `json:"version,omitempty" doc:"Answer to version.bind and version.server (class CH). Absent: they are refused."`
	Identity         string         `json:"identity,omitempty" doc:"Answer to id.server and hostname.bind (class CH). Absent: they are refused."`
}

// NodeTSIGKey is a secret shared with another DNS server.
type NodeTSIGKey struct {
	Name       string        `json:"name" doc:"Name of the key, the same at both servers."`
	Algorithm  TSIGAlgorithm `json:"algorithm,omitempty" default:"hmac-sha256" doc:"Algorithm of the signatures."`
	SecretFile string        `json:"secret_file" doc:"File with the secret in base64."`
}

// NodeDNSTLS is DNS over TLS.
type NodeDNSTLS struct {
	Listen     []string   `json:"listen" doc:"Addresses, as host:port."`
	Cert       string     `json:"cert" doc:"PEM certificate chain. It is read again on SIGHUP, and within a minute after it changed."`
	Key        string     `json:"key" doc:"PEM private key."`
	MinVersion TLSVersion `json:"min_version,omitempty" default:"1.3" doc:"Lowest version of TLS, in quotes."`
}

// NodeDNSHTTPS is DNS over HTTPS.
type NodeDNSHTTPS struct {
	Listen []string `json:"listen" doc:"Addresses, as host:port."`
	Cert   string   `json:"cert" doc:"PEM certificate chain; read again like that of tls."`
	Key    string   `json:"key" doc:"PEM private key."`
	Path   string   `json:"path,omitempty" default:"/dns-query" doc:"Path of the URL that is asked."`
}

// NodeDNSTCP is the limits of connections. Where one is reached, the connection that has been idle for longest is closed
// for the new one.
type NodeDNSTCP struct {
	MaxConnections int      `json:"max_connections,omitempty" default:"20000" range:"1..1000000" doc:"Connections in all."`
	MaxPerClient   int      `json:"max_per_client,omitempty" default:"100" range:"1..100000" doc:"Connections of one IPv4 address or IPv6 /64; loopback is not limited."`
	IdleTimeout    Duration `json:"idle_timeout,omitempty" default:"10s" range:"1s..5m" doc:"How long a connection may be idle; less while many are open."`
}

// NodeRateLimit is response rate limiting.
type NodeRateLimit struct {
	ResponsesPerSecond int      `json:"responses_per_second,omitempty" default:"200" range:"0..1000000" doc:"Equal responses per second over UDP to one client network (/24, /56), with a burst of as many. 0: no limit."`
	Slip               int      `json:"slip,omitempty" default:"2" range:"0..100" doc:"Every nth limited response is sent truncated, so that real clients come back over TCP; the others are dropped. 1: all, 0: none."`
	Exempt             []string `json:"exempt,omitempty" doc:"Client prefixes without a limit; loopback has one, too."`
	MaxEntries         int      `json:"max_entries,omitempty" default:"1048576" range:"1024..16777216" doc:"Size of the table of clients at their limit, 8 octets each; rounded up to a power of two."`
}

// NodeMEP is this node's end of the exchange. Without Listen the node keeps to itself.
type NodeMEP struct {
	Listen   string  `json:"listen,omitempty" doc:"Address to accept other sites on, as host:port."`
	TLS      NodeTLS `json:"tls,omitempty" doc:"Certificate with the site's name, its key, and the authority of all sites."`
	Insecure bool    `json:"insecure,omitempty" default:"false" doc:"Plain TCP, for a lab only."`
}

// NodeTLS is a mutual TLS identity.
type NodeTLS struct {
	Cert string `json:"cert,omitempty" doc:"PEM certificate."`
	Key  string `json:"key,omitempty" doc:"PEM private key."`
	CA   string `json:"ca,omitempty" doc:"PEM certificates of the authorities that issue site certificates."`
}

// NodeGeoIP names location databases.
type NodeGeoIP struct {
	Databases []string     `json:"databases,omitempty" doc:"MaxMind DB files: City, Country, Enterprise, ASN or ISP."`
	CSV       []NodeGeoCSV `json:"csv,omitempty" doc:"Text files. Where files differ the first counts, and these come before databases."`
	Check     Duration     `json:"check,omitempty" default:"1m" range:"1s..24h" doc:"Time between two looks at whether a file has changed. It is read again then, and on SIGHUP."`
}

// NodeGeoCSV is a location file as text.
type NodeGeoCSV struct {
	File      string    `json:"file" doc:"The file."`
	Format    GeoFormat `json:"format" doc:"What its columns mean."`
	Locations string    `json:"locations,omitempty" doc:"maxmind: the file that says which places the numbers mean (…-Locations-en.csv); not for ASN and ISP."`
}

// NodeLog is how the node logs.
type NodeLog struct {
	Level  LogLevel  `json:"level,omitempty" default:"info" doc:"Least level that is written."`
	Format LogFormat `json:"format,omitempty" default:"json" doc:"json, or console for people."`
}
