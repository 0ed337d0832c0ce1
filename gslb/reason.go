package gslb

// Reason is a stable word for why something was decided. The words are part of the interface: scripts match them.
type Reason string

// Reasons of step name.
const (
	ReasonBalanced   Reason = "balanced"       // a domain of a virtual server
	ReasonStatic     Reason = "static"         // answered from the zone's records
	ReasonNoZone     Reason = "no-zone"        // outside every zone: refused
	ReasonNoSuchName Reason = "no-such-name"   // inside a zone, but it does not exist
	ReasonNoSuchType Reason = "no-such-type"   // the name exists without the type
	ReasonDelegated  Reason = "delegated"      // below a zone cut: referral
	ReasonChased     Reason = "cname-followed" // an alias led on to another name
)

// Reasons of step client.
const (
	ReasonSubnet         Reason = "client-subnet"              // the query's EDNS Client Subnet is the client
	ReasonLDNS           Reason = "ldns"                       // the resolver's address is the client
	ReasonSubnetOff      Reason = "client-subnet-off"          // the virtual server does not use it
	ReasonSubnetEmpty    Reason = "client-subnet-empty"        // source prefix length 0: the resolver keeps the client to itself
	ReasonSubnetUnusable Reason = "client-subnet-not-routable" // unspecified, loopback, link-local or multicast
)

// Reasons of step virtual-server and of decisions.
const (
	ReasonUsable      Reason = "usable"         // at least one member may be picked
	ReasonToBackup    Reason = "down-to-backup" // no member may be picked: its backup is tried
	ReasonNoBackup    Reason = "down-no-backup" // no member may be picked and there is no backup left
	ReasonAllDown     Reason = "all-down-all"   // when_all_down: all
	ReasonAllEmpty    Reason = "all-down-empty" // when_all_down: empty, or nothing that an operator left in
	ReasonAllBackup   Reason = "all-down-backup-address"
	ReasonAllServFail Reason = "all-down-servfail"
)

// Reasons of steps order and candidates.
const (
	ReasonUp             Reason = "up"
	ReasonDown           Reason = "down"
	ReasonUnknown        Reason = "unknown"
	ReasonDisabled       Reason = "disabled"
	ReasonDraining       Reason = "draining"
	ReasonMaxConnections Reason = "max-connections"
	ReasonOrder          Reason = "lower-order-first" // usable, but a lower order has usable members
	ReasonNoAddress      Reason = "no-address"        // the service has none of the family asked for
	ReasonNoHost         Reason = "no-host"           // the service has no host to name in SRV or MX
	ReasonAddressDown    Reason = "address-down"      // its address of that family fails its monitors
	ReasonNobody         Reason = "nobody-in-family"  // members are usable, none in the family asked for
)

// Reasons of steps method and answer.
const (
	ReasonOnlyOne       Reason = "only-candidate"
	ReasonRotation      Reason = "round-robin"
	ReasonLeastLoad     Reason = "least-connection"
	ReasonHash          Reason = "source-ip-hash"
	ReasonProximity     Reason = "static-proximity"
	ReasonTie           Reason = "tie-rotated"
	ReasonNoLoad        Reason = "no-load-reported"   // falls back: no candidate ever reported a load
	ReasonNotLocated    Reason = "client-not-located" // falls back
	ReasonNoSiteLocated Reason = "no-site-located"    // falls back: the client's place is known, no candidate's is
	ReasonChosen        Reason = "chosen"
	ReasonAlsoUsable    Reason = "also-usable" // appended for max_answers
	ReasonNotChosen     Reason = "not-chosen"
	ReasonLoadMeasured  Reason = "measured"
	ReasonLoadAged      Reason = "aged"      // the last value, older than loads stay fresh
	ReasonLoadEstimated Reason = "estimated" // never reported: the mean of the others by weight
)
