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
	ReasonUsable      Reason = "usable"                   // at least one member may be picked
	ReasonToBackup    Reason = "down-to-backup"           // no member may be picked: its backup is tried
	ReasonNoBackup    Reason = "down-no-backup"           // no member may be picked and there is no backup left
	ReasonSpilled     Reason = "spilled-over"             // spillover sends new clients to the backup
	ReasonSpillStay   Reason = "spillover-session"        // the client was sent to the backup before and stays there
	ReasonNotSpilled  Reason = "spillover-without-backup" // spillover would, but no backup is usable: accept
	ReasonSpillEmpty  Reason = "spillover-empty"          // the same: empty
	ReasonHeld        Reason = "held-on-backup"           // backup_hold: an operator has not returned it yet
	ReasonNotHeld     Reason = "held-without-backup"      // backup_hold would, but no backup is usable
	ReasonOutOfUse    Reason = "virtual-server-disabled"  // an operator disables it for a time: its backup is tried
	ReasonDrained     Reason = "virtual-server-draining"  // an operator drains it for a time: new clients go to its backup
	ReasonNotDrained  Reason = "draining-without-backup"  // they would, but no backup is usable
	ReasonAllDown     Reason = "all-down-all"             // when_all_down: all
	ReasonAllEmpty    Reason = "all-down-empty"           // when_all_down: empty, or nothing that an operator left in
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
	ReasonMaxBandwidth   Reason = "max-bandwidth"
	ReasonLoadThreshold  Reason = "load-threshold"
	ReasonEffective      Reason = "effective-state"   // not UP, but a service that stands in for it is
	ReasonOrder          Reason = "lower-order-first" // usable, but a better order is in use
	ReasonOrderThreshold Reason = "order-threshold"   // usable, but too few of its order are
	ReasonNotPreferred   Reason = "not-preferred"     // usable, but elsewhere than the policy prefers
	ReasonNoAddress      Reason = "no-address"        // the service has none of the family asked for
	ReasonNoHost         Reason = "no-host"           // the service has no host to name in SRV or MX
	ReasonAddressDown    Reason = "address-down"      // its address of that family fails its monitors
	ReasonNobody         Reason = "nobody-in-family"  // members are usable, none in the family asked for
)

// Reasons for which a service's state is uncertain.
const (
	DoubtFailing    Reason = "failing"    // some of its last probes failed, not enough of them for DOWN
	DoubtRecovering Reason = "recovering" // some of its last probes passed, not enough of them for UP
	DoubtFlapping   Reason = "flapping"   // its state changed often
	DoubtSuspicion  Reason = "suspicion"  // this node suspects itself
	DoubtPeerLost   Reason = "peer-lost"  // its site is not heard
	DoubtLearning   Reason = "learning"   // this node or its site has just started
	DoubtAged       Reason = "stale"      // its evidence is old
)

// Reasons of steps method and answer.
const (
	ReasonOnlyOne       Reason = "only-candidate"
	ReasonRotation      Reason = "round-robin"
	ReasonLeastLoad     Reason = "least-connection"
	ReasonHash          Reason = "source-ip-hash"
	ReasonProximity     Reason = "static-proximity"
	ReasonResponseTime  Reason = "least-response-time"
	ReasonBandwidth     Reason = "least-bandwidth"
	ReasonPackets       Reason = "least-packets"
	ReasonCustomLoad    Reason = "custom-load"
	ReasonRTT           Reason = "rtt"
	ReasonMeasured      Reason = "api"
	ReasonScore         Reason = "score"
	ReasonPaired        Reason = "same-as-other-family" // the client was given this service for another family just now
	ReasonSession       Reason = "persistence"          // the client has a session with the service
	ReasonSessionLost   Reason = "session-unusable"     // the client's session is with a service that may not be used
	ReasonSessionYields Reason = "session-yields"       // a better order than that of the session's service is in use
	ReasonSessionNew    Reason = "no-session"           // the client has none
	ReasonPolicy        Reason = "policy"               // a policy matches, and a preference of it is usable
	ReasonPolicyUnused  Reason = "policy-unusable"      // a policy matches, but nothing that it prefers is usable
	ReasonNoPolicy      Reason = "no-policy"            // none matches
	ReasonTie           Reason = "tie-rotated"
	ReasonNoLoad        Reason = "no-load-reported"   // falls back: no candidate ever reported a load
	ReasonNoTime        Reason = "no-response-time"   // falls back: no candidate ever reported one
	ReasonNoBandwidth   Reason = "no-bandwidth"       // falls back
	ReasonNoPackets     Reason = "no-packets"         // falls back
	ReasonNoCustom      Reason = "no-custom-load"     // falls back
	ReasonNotMeasured   Reason = "ldns-not-measured"  // falls back: no candidate's site has measured the resolver
	ReasonNothingPushed Reason = "nothing-pushed"     // falls back: no measurement for this client
	ReasonNoInputs      Reason = "no-score-inputs"    // falls back: nothing that the score weighs is known
	ReasonNotLocated    Reason = "client-not-located" // falls back
	ReasonNoSiteLocated Reason = "no-site-located"    // falls back: the client's place is known, no candidate's is
	ReasonChosen        Reason = "chosen"
	ReasonAlsoUsable    Reason = "also-usable" // appended for max_answers
	ReasonNotChosen     Reason = "not-chosen"
	ReasonLoadMeasured  Reason = "measured"
	ReasonLoadAged      Reason = "aged"      // the last value, older than loads stay fresh
	ReasonLoadEstimated Reason = "estimated" // never reported: the mean of the others by weight
)

// Reasons of step learn.
const (
	ReasonLearned        Reason = "learned"         // what the query leaves behind where it is served
	ReasonNothingLearned Reason = "nothing-learned" // nothing
)

// Reasons lists all reasons of this package; package adns has some more.
func Reasons() []Reason {
	return []Reason{
		ReasonBalanced, ReasonStatic, ReasonNoZone, ReasonNoSuchName, ReasonNoSuchType, ReasonDelegated, ReasonChased, ReasonSubnet,
		ReasonLDNS, ReasonSubnetOff, ReasonSubnetEmpty, ReasonSubnetUnusable, ReasonUsable, ReasonToBackup, ReasonNoBackup, ReasonSpilled,
		ReasonSpillStay, ReasonNotSpilled, ReasonSpillEmpty, ReasonHeld, ReasonNotHeld, ReasonOutOfUse, ReasonDrained, ReasonNotDrained, ReasonAllDown, ReasonAllEmpty, ReasonAllBackup,
		ReasonAllServFail, ReasonUp, ReasonDown, ReasonUnknown, ReasonDisabled, ReasonDraining, ReasonMaxConnections, ReasonMaxBandwidth,
		ReasonLoadThreshold, ReasonEffective, ReasonOrder, ReasonOrderThreshold, ReasonNotPreferred, ReasonNoAddress, ReasonNoHost,
		ReasonAddressDown, ReasonNobody, DoubtFailing, DoubtRecovering, DoubtFlapping, DoubtSuspicion, DoubtPeerLost, DoubtLearning,
		DoubtAged, ReasonOnlyOne, ReasonRotation, ReasonLeastLoad, ReasonHash, ReasonProximity, ReasonResponseTime, ReasonBandwidth,
		ReasonPackets, ReasonCustomLoad, ReasonRTT, ReasonMeasured, ReasonScore, ReasonPaired, ReasonSession, ReasonSessionLost,
		ReasonSessionYields, ReasonSessionNew, ReasonPolicy, ReasonPolicyUnused, ReasonNoPolicy, ReasonTie, ReasonNoLoad, ReasonNoTime,
		ReasonNoBandwidth, ReasonNoPackets, ReasonNoCustom, ReasonNotMeasured, ReasonNothingPushed, ReasonNoInputs, ReasonNotLocated,
		ReasonNoSiteLocated, ReasonChosen, ReasonAlsoUsable, ReasonNotChosen, ReasonLoadMeasured, ReasonLoadAged, ReasonLoadEstimated,
		ReasonLearned, ReasonNothingLearned,
	}
}
