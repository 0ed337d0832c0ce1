package config

import (
	"slices"
	"strings"
)

// Code is a problem's stable name: FL and four digits. Codes are part of the interface: they are never reused.
// docs/errors.md lists them.
type Code string

// Severity is error or warning; a file with errors is refused.
type Severity string

// Severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Severity follows from the code: FL9xxx are warnings.
func (c Code) Severity() Severity {
	if strings.HasPrefix(string(c), "FL9") {
		return SeverityWarning
	}
	return SeverityError
}

// FL10xx: the text. FL11xx: its shape.
const (
	codeTooLarge      Code = "FL1001"
	codeNotUTF8       Code = "FL1002"
	codeSyntax        Code = "FL1003"
	codeEmpty         Code = "FL1004"
	codeManyDocuments Code = "FL1005"
	codeTooDeep       Code = "FL1006"
	codeAlias         Code = "FL1007"
	codeTag           Code = "FL1008"
	codeKey           Code = "FL1009"
	codeMerge         Code = "FL1010"
	codeUnknownKey    Code = "FL1101"
	codeDuplicateKey  Code = "FL1102"
	codeMissingKey    Code = "FL1103"
	codeWrongKind     Code = "FL1104"
	codeEmptyList     Code = "FL1105"
	codeOtherFile     Code = "FL1106"
)

// FL12xx: words from a closed set. FL1290 was that of features that a release did not have.
const (
	codeMonitorType     Code = "FL1201"
	codeServiceState    Code = "FL1202"
	codeMethod          Code = "FL1203"
	codeWhenAllDown     Code = "FL1204"
	codeTriggerMonitors Code = "FL1205"
	codeLoadKind        Code = "FL1206"
	codePersistenceType Code = "FL1207"
	codeSpilloverMethod Code = "FL1208"
	codeLogLevel        Code = "FL1209"
	codeLogFormat       Code = "FL1210"
	codeProbeKind       Code = "FL1211"
	codeActiveOrder     Code = "FL1212"
	codeDynamicWeight   Code = "FL1213"
	codeWithoutBackup   Code = "FL1214"
	codeWildcardMatch   Code = "FL1215"
	codeDialMode        Code = "FL1216"
	codeDatagramIO      Code = "FL1219"
	codeGeoFormat       Code = "FL1220"
	codeProbeWord       Code = "FL1221"
	codeAPIRole         Code = "FL1222"
)

// FL13xx: references between objects and uniqueness.
const (
	codeUnknownService       Code = "FL1301"
	codeUnknownSite          Code = "FL1302"
	codeUnknownMonitor       Code = "FL1303"
	codeUnknownVirtualServer Code = "FL1304"
	codeBackupCycle          Code = "FL1305"
	codeBackupDepth          Code = "FL1306"
	codeOwnBackup            Code = "FL1307"
	codeDuplicateName        Code = "FL1308"
	codeDuplicateDomain      Code = "FL1309"
	codeDuplicateMember      Code = "FL1310"
	codeDuplicateMonitor     Code = "FL1311"
	codeDuplicateSiteAddress Code = "FL1312"
	codeDuplicateLocation    Code = "FL1313"
	codeUnknownView          Code = "FL1314"
	codeUnknownGroup         Code = "FL1315"
	codeDuplicateView        Code = "FL1316"
	codeDuplicateHashID      Code = "FL1317"
	codeBackupServices       Code = "FL1318"
	codeTooMany              Code = "FL1390"
)

// FL14xx: values.
const (
	codeName             Code = "FL1401"
	codeDuration         Code = "FL1402"
	codeRange            Code = "FL1403"
	codeStep             Code = "FL1404"
	codeAddress          Code = "FL1405"
	codePrefix           Code = "FL1406"
	codeHostBits         Code = "FL1407"
	codeAddressOrCNAME   Code = "FL1408"
	codeTwoOfFamily      Code = "FL1409"
	codeUnusableAddress  Code = "FL1410"
	codePortMissing      Code = "FL1411"
	codeMonitorOnCNAME   Code = "FL1412"
	codeTimeout          Code = "FL1413"
	codeCoordinates      Code = "FL1414"
	codePlace            Code = "FL1415"
	codeBackupAddresses  Code = "FL1416"
	codeLoadSource       Code = "FL1417"
	codeURL              Code = "FL1418"
	codeExpectStatus     Code = "FL1419"
	codeSiteAddress      Code = "FL1420"
	codeHTTPProbe        Code = "FL1421"
	codeKeepaliveTimeout Code = "FL1422"
	codeProbeTLS         Code = "FL1423"
	codeMember           Code = "FL1424"
	codeGroupMembers     Code = "FL1425"
	codeFamily           Code = "FL1426"
	codeMonitorThreshold Code = "FL1427"
	codeResolver         Code = "FL1428"
	codeDamping          Code = "FL1429"
	codePolicy           Code = "FL1430"
	codePolicyName       Code = "FL1431"
	codeSpillover        Code = "FL1432"
	codeTopology         Code = "FL1433"
	codeQuorum           Code = "FL1434"
	codeProbe            Code = "FL1435"
	codeSecret           Code = "FL1436"
	codeCalculated       Code = "FL1437"
	codeLabel            Code = "FL1438"
	codeComment          Code = "FL1439"
	codeMetadataAddress  Code = "FL1440"
)

// FL15xx: DNS names and zones.
const (
	codeDomainName        Code = "FL1501"
	codeOutsideZones      Code = "FL1502"
	codeDuplicateZone     Code = "FL1503"
	codeApexCNAME         Code = "FL1504"
	codeBalancedCNAME     Code = "FL1505"
	codeBelowDelegation   Code = "FL1506"
	codeNameservers       Code = "FL1507"
	codeZoneKeys          Code = "FL1508"
	codeZoneText          Code = "FL1509"
	codeZoneDirective     Code = "FL1510"
	codeOutOfZone         Code = "FL1511"
	codeZoneFile          Code = "FL1512"
	codeZoneApex          Code = "FL1513"
	codeRecordKind        Code = "FL1514"
	codeCNAMEAndOther     Code = "FL1515"
	codeContact           Code = "FL1516"
	codeTooManyRecords    Code = "FL1517"
	codeRecordTTLTooLong  Code = "FL1518"
	codeRecordSetTooLarge Code = "FL1519"
	codeSecondaryKeys     Code = "FL1520"
	codeTransferClient    Code = "FL1521"
	codeTransferPeer      Code = "FL1522"
	codeTransferKey       Code = "FL1523"
	codeIncludePath       Code = "FL1530"
	codeIncludeFile       Code = "FL1531"
	codeIncludeDepth      Code = "FL1532"
	codeServiceHost       Code = "FL1540"
	codeMemberHost        Code = "FL1541"
	codeMemberPort        Code = "FL1542"
	codeHTTPSAnswer       Code = "FL1543"
	codeSRVName           Code = "FL1544"
	codeNAPTR             Code = "FL1545"
	codeMemberNAPTR       Code = "FL1546"
)

// FL2xxx: the node file. FL2090 was that of features that a release did not have.
const (
	codeNodeSource       Code = "FL2001"
	codeNodeListen       Code = "FL2002"
	codeNodeMEPIdentity  Code = "FL2003"
	codeNodeSite         Code = "FL2004"
	codeNodeFile         Code = "FL2005"
	codeNodeDataDir      Code = "FL2006"
	codeNodeNSID         Code = "FL2007"
	codeNodeExempt       Code = "FL2008"
	codeNodeCertificate  Code = "FL2100"
	codeNodeTLSVersion   Code = "FL2101"
	codeNodeHTTPSPath    Code = "FL2102"
	codeNodeCookieSecret Code = "FL2110"
	codeNodeChaosText    Code = "FL2111"

	codeNodeDnstapOutput   Code = "FL2120"
	codeNodeDnstapMessage  Code = "FL2121"
	codeNodeDnstapAddress  Code = "FL2122"
	codeNodeDnstapIdentity Code = "FL2123"
	codeNodeSameFile       Code = "FL2124"

	codeNodeTSIGKey        Code = "FL2130"
	codeNodeTSIGAlgorithm  Code = "FL2131"
	codeNodeTSIGSecret     Code = "FL2132"
	codeNodeUnknownTSIGKey Code = "FL2133"

	codeNodeGeoFile Code = "FL2140"

	codeNodeProbeDirectory Code = "FL2150"
	codeNodeVariable       Code = "FL2151"

	codeNodeAPIOpen    Code = "FL2160"
	codeNodeAPITLS     Code = "FL2161"
	codeNodeAPISubject Code = "FL2162"
	codeNodeAPIHost    Code = "FL2163"

	codeNodeEtcd Code = "FL2170"
)

// FL9xxx: warnings. FL9008 was that of settings without effect in a release.
const (
	codeWarnShortTTL         Code = "FL9001"
	codeWarnUnusedServer     Code = "FL9002"
	codeWarnUnusedService    Code = "FL9003"
	codeWarnShadowedRecords  Code = "FL9004"
	codeWarnNameserver       Code = "FL9005"
	codeWarnNestedZone       Code = "FL9006"
	codeWarnNoEffect         Code = "FL9007"
	codeWarnWeight           Code = "FL9009"
	codeWarnSharedSessions   Code = "FL9010"
	codeWarnNoLoad           Code = "FL9011"
	codeWarnForeignBlind     Code = "FL9012"
	codeWarnChildAnswers     Code = "FL9013"
	codeWarnNotReached       Code = "FL9014"
	codeWarnAliasOfItself    Code = "FL9015"
	codeWarnInsecure         Code = "FL9101"
	codeWarnKeyMode          Code = "FL9102"
	codeWarnCertificateDates Code = "FL9103"
	codeWarnGeoFile          Code = "FL9104"
	codeWarnMetadata         Code = "FL9105"

	codeInertKey       Code = "FL9201"
	codeInertReference Code = "FL9202"
	codeInertPart      Code = "FL9203"
	codeInertObject    Code = "FL9204"
	codeInertMembers   Code = "FL9205"
	codeInertView      Code = "FL9206"
)

// CodeText is a code with its one-line meaning.
type CodeText struct {
	Code Code
	Text string
}

// Codes lists every code in order.
func Codes() []CodeText {
	return slices.Concat(shapeCodes(), valueCodes(), zoneCodes(), answerCodes(), nodeCodes())
}

// shapeCodes are those of texts, keys and names, and of what refers to what.
func shapeCodes() []CodeText {
	return []CodeText{
		{codeTooLarge, "The file is larger than the limit of 64 MiB."},
		{codeNotUTF8, "The text is not UTF-8."},
		{codeSyntax, "The text is not valid YAML."},
		{codeEmpty, "The file holds nothing."},
		{codeManyDocuments, "The file holds more than one YAML document."},
		{codeTooDeep, "Values nest deeper than 64 levels."},
		{codeAlias, "An alias is unknown, contains itself, or expands to too much."},
		{codeTag, "A YAML tag is not supported."},
		{codeKey, "A key is not a single word."},
		{codeMerge, "A merge key (<<) does not hold mappings."},
		{codeUnknownKey, "The key does not exist here."},
		{codeDuplicateKey, "The key stands twice in one mapping."},
		{codeMissingKey, "A required key is missing."},
		{codeWrongKind, "The value has the wrong type."},
		{codeEmptyList, "The list needs at least one entry."},
		{codeOtherFile, "The file is a node file where a GSLB document is wanted, or the other way round."},
		{codeMonitorType, "Unknown monitor type."},
		{codeServiceState, "Unknown service state."},
		{codeMethod, "Unknown method."},
		{codeWhenAllDown, "Unknown answer in when_all_down."},
		{codeTriggerMonitors, "Unknown word in trigger_monitors."},
		{codeLoadKind, "Unknown load source."},
		{codePersistenceType, "Unknown persistence type."},
		{codeSpilloverMethod, "Unknown spillover method."},
		{codeLogLevel, "Unknown log level."},
		{codeLogFormat, "Unknown log format."},
		{codeProbeKind, "Unknown kind of resolver probe."},
		{codeActiveOrder, "Unknown word for which orders are used first."},
		{codeDynamicWeight, "Unknown kind of dynamic weight."},
		{codeWithoutBackup, "Unknown word for spillover without a backup."},
		{codeWildcardMatch, "Unknown word for how wildcards of places match."},
		{codeDialMode, "Unknown word in dial."},
		{codeDatagramIO, "Unknown way to wait for UDP."},
		{codeGeoFormat, "Unknown format of location files."},
		{codeProbeWord, "Unknown word in a monitor or a load source."},
		{codeAPIRole, "Unknown role of the API."},
		{codeUnknownService, "A member or a service names a service that does not exist."},
		{codeUnknownSite, "A service names a site that does not exist."},
		{codeUnknownMonitor, "A service names a monitor that does not exist."},
		{codeUnknownVirtualServer, "A backup names a virtual server that does not exist."},
		{codeBackupCycle, "Backups lead back to where they started."},
		{codeBackupDepth, "A chain of backups is longer than 10."},
		{codeOwnBackup, "A virtual server is its own backup."},
		{codeDuplicateName, "Two objects of one kind have the same name."},
		{codeDuplicateDomain, "A domain is balanced twice."},
		{codeDuplicateMember, "A virtual server names a service or a service group twice."},
		{codeDuplicateMonitor, "A service names a monitor twice."},
		{codeDuplicateSiteAddress, "Two sites have the same address."},
		{codeDuplicateLocation, "Two locations have the same prefix."},
		{codeUnknownView, "A zone or service names a view that does not exist."},
		{codeUnknownGroup, "A member names a service group that does not exist."},
		{codeDuplicateView, "A zone or service names a view twice."},
		{codeDuplicateHashID, "Two members of a virtual server have the same hash_id."},
		{codeBackupServices, "Backup services lead back to where they started, or one stands twice."},
		{codeTooMany, "There are more objects of one kind than the limit."},
	}
}

// valueCodes are those of single values, and of keys that do not go together.
func valueCodes() []CodeText {
	return []CodeText{
		{codeName, "The name has characters that names cannot have, or is empty or too long."},
		{codeDuration, "The value is not a duration."},
		{codeRange, "The value is outside its range."},
		{codeStep, "The duration is finer than its unit."},
		{codeAddress, "The value is not an IP address."},
		{codePrefix, "The value is not an IP prefix."},
		{codeHostBits, "The prefix has bits set after its length."},
		{codeAddressOrCNAME, "A service needs either addresses or a cname, or at least a host or a naptr."},
		{codeTwoOfFamily, "A service has two addresses of one family."},
		{codeUnusableAddress, "The address cannot be answered with."},
		{codePortMissing, "A service has no port, which one of its monitors needs."},
		{codeMonitorOnCNAME, "A service without addresses cannot be monitored."},
		{codeTimeout, "The timeout is above the interval."},
		{codeCoordinates, "Latitude and longitude do not come together."},
		{codePlace, "The place is malformed, or a location has neither place nor coordinates."},
		{codeBackupAddresses, "A domain lacks the backup addresses that when_all_down asks for."},
		{codeLoadSource, "A load source lacks a key that its kind needs, or has one it cannot use."},
		{codeURL, "The value is not a URL, or none of the kinds that can be used there."},
		{codeExpectStatus, "The value is not a status code or a range of them."},
		{codeSiteAddress, "The site's address is not a host or host:port."},
		{codeHTTPProbe, "The HTTP request that a monitor would send is malformed."},
		{codeKeepaliveTimeout, "The keepalive timeout is shorter than three metrics intervals."},
		{codeProbeTLS, "The TLS settings of a monitor contradict each other or cannot work."},
		{codeMember, "A member needs either a service or a service group."},
		{codeGroupMembers, "A service group needs one of members, autoscale and announced."},
		{codeFamily, "A public address or a view's address is of a family that the service does not have."},
		{codeMonitorThreshold, "The weights of the monitors never add up to monitor_threshold."},
		{codeResolver, "The value is not the address of a resolver."},
		{codeDamping, "The settings of damping contradict each other."},
		{codePolicy, "A policy prefers nothing, too many kinds of things, or one of them twice."},
		{codePolicyName, "A policy names a domain that its virtual server does not have."},
		{codeSpillover, "The threshold of spillover is missing or does not fit the method."},
		{codeTopology, "Who reports to whom and who answers: parents that cannot be, levels beyond the limit, nobody who answers, two sites of which neither connects."},
		{codeQuorum, "A quorum that cannot be reached, or without agree."},
		{codeProbe, "A monitor lacks what its type needs, or has what it cannot use."},
		{codeSecret, "A secret does not say where it is, or stands in the document itself."},
		{codeCalculated, "A calculated monitor is made of what does not exist, or of itself."},
		{codeLabel, "The key or the value of a label is malformed."},
		{codeComment, "A comment is too long, or has control characters."},
		{codeMetadataAddress, "The address is the metadata service of a cloud."},
	}
}

// zoneCodes are those of zones, their records and their transfers.
func zoneCodes() []CodeText {
	return []CodeText{
		{codeDomainName, "The value is not a domain name."},
		{codeOutsideZones, "A balanced name is in none of the zones."},
		{codeDuplicateZone, "A zone is listed twice for the same clients."},
		{codeApexCNAME, "A CNAME at the top of a zone."},
		{codeBalancedCNAME, "A balanced name also has a CNAME or DNAME record."},
		{codeBelowDelegation, "A balanced name belongs to a delegated zone."},
		{codeNameservers, "A zone without a file needs nameservers."},
		{codeZoneKeys, "A zone with a file has keys that the file brings itself."},
		{codeZoneText, "Zone-file text is malformed."},
		{codeZoneDirective, "Zone-file text uses $GENERATE, or $INCLUDE where there is no file."},
		{codeOutOfZone, "A record's owner is outside its zone."},
		{codeZoneFile, "A zone file could not be read."},
		{codeZoneApex, "A zone file lacks its SOA or NS records, or has several SOA."},
		{codeRecordKind, "A record of a class or type that a zone cannot hold, or that is made from other keys."},
		{codeCNAMEAndOther, "A name has a CNAME and other records."},
		{codeContact, "The contact is not a mailbox."},
		{codeTooManyRecords, "A zone has more records than the limit."},
		{codeRecordTTLTooLong, "A record's TTL is above the limit of RFC 2181."},
		{codeRecordSetTooLarge, "The records of one name and type are too large together, or a name has too many types."},
		{codeSecondaryKeys, "A zone with primaries has keys that the primaries bring themselves."},
		{codeTransferClient, "The value does not say who may transfer a zone."},
		{codeTransferPeer, "The value is not the address of another DNS server."},
		{codeTransferKey, "The value is not the name of a TSIG key."},
		{codeIncludePath, "The path of an $INCLUDE leads out of the directory of its zone file."},
		{codeIncludeFile, "A file named by an $INCLUDE could not be read."},
		{codeIncludeDepth, "Zone files include each other in a circle or more than 8 deep, or are too large together."},
	}
}

// answerCodes are those of what services answer besides addresses.
func answerCodes() []CodeText {
	return []CodeText{
		{codeServiceHost, "The host of a service is not the name of a host, or is an alias."},
		{codeMemberHost, "A service that SRV or MX answers would name has no host."},
		{codeMemberPort, "A service that SRV answers would name has no port."},
		{codeHTTPSAnswer, "The protocols of an HTTPS answer are malformed, or are missing."},
		{codeSRVName, "A domain with srv does not begin with _service._protocol."},
		{codeNAPTR, "The NAPTR record of a service is malformed or leads nowhere."},
		{codeMemberNAPTR, "A service that NAPTR answers would name has no naptr."},
	}
}

// nodeCodes are those of the node file, and warnings.
func nodeCodes() []CodeText {
	return []CodeText{
		{codeNodeSource, "A node file needs exactly one of config.seed and config.follow; with config.store.etcd a seed or none."},
		{codeNodeListen, "The value is not an address to listen on."},
		{codeNodeMEPIdentity, "MEP needs a certificate, its key and a CA, or insecure: true."},
		{codeNodeSite, "The node's site is not in its GSLB document."},
		{codeNodeFile, "A file named by the node file cannot be used."},
		{codeNodeDataDir, "The data directory is empty or is not a directory."},
		{codeNodeNSID, "The NSID is too long."},
		{codeNodeExempt, "The value is not a client prefix."},
		{codeNodeCertificate, "DNS over TLS or HTTPS lacks its certificate or key, or they cannot be used."},
		{codeNodeTLSVersion, "Unknown or outdated version of TLS."},
		{codeNodeHTTPSPath, "The path of DNS over HTTPS is not the path of a URL."},
		{codeNodeCookieSecret, "The file of cookie secrets holds something else, or is not used."},
		{codeNodeChaosText, "The text for version.bind or id.server is too long."},
		{codeNodeDnstapOutput, "dnstap needs exactly one of socket, tcp and file."},
		{codeNodeDnstapMessage, "Unknown kind of dnstap message, or one that stands twice."},
		{codeNodeDnstapAddress, "The value is not the address of a dnstap collector."},
		{codeNodeDnstapIdentity, "The dnstap identity is too long."},
		{codeNodeSameFile, "Two logs name the same file."},
		{codeNodeTSIGKey, "The name of a TSIG key is malformed or stands twice."},
		{codeNodeTSIGAlgorithm, "Unknown TSIG algorithm, or one that is too weak."},
		{codeNodeTSIGSecret, "The file of a TSIG secret does not hold one."},
		{codeNodeUnknownTSIGKey, "The document names a TSIG key that the node does not have."},
		{codeNodeGeoFile, "A location file has no name, stands twice, or has locations that its format does not use."},
		{codeNodeProbeDirectory, "A directory that the document may use has no name, or is the root directory."},
		{codeNodeVariable, "The value is not the name of an environment variable."},
		{codeNodeAPIOpen, "The API listens outside loopback without TLS, or without knowing who asks."},
		{codeNodeAPITLS, "TLS for the API lacks its certificate or its key."},
		{codeNodeAPISubject, "A subject of client certificates is malformed, stands twice, or is not asked for."},
		{codeNodeAPIHost, "A name of the API is not the name of a host."},
		{codeNodeEtcd, "What is said of the etcd that keeps the document is malformed, or lacks a part."},
		{codeWarnShortTTL, "A TTL below 5 seconds."},
		{codeWarnUnusedServer, "A virtual server has no domains and is nobody's backup."},
		{codeWarnUnusedService, "A service or a service group is a member of no virtual server."},
		{codeWarnShadowedRecords, "Zone records that a balanced name hides."},
		{codeWarnNameserver, "A nameserver inside the zone has no address there."},
		{codeWarnNestedZone, "A zone lies inside another that does not delegate it."},
		{codeWarnNoEffect, "A setting without effect where it stands."},
		{codeWarnWeight, "Weights of a group and its member that are above 100 when multiplied."},
		{codeWarnSharedSessions, "Virtual servers share sessions, but not their members."},
		{codeWarnNoLoad, "A method, a weight or a limit goes by a load that no load source of a service tells."},
		{codeWarnForeignBlind, "A service of a foreign site without monitors: it is assumed UP for ever."},
		{codeWarnChildAnswers, "A site with a parent answers DNS, and is told nothing of services without monitors."},
		{codeWarnNotReached, "An address that monitors and load sources do not reach unless node files allow it."},
		{codeWarnAliasOfItself, "A service answers a domain with its own name."},
		{codeWarnInsecure, "MEP without TLS."},
		{codeWarnKeyMode, "A private key that others on the machine can read."},
		{codeWarnCertificateDates, "A certificate that expires within two weeks, has expired, or is not valid yet."},
		{codeWarnGeoFile, "A location file cannot be read; the node serves without it."},
		{codeWarnMetadata, "The node file lets monitors and load sources reach the metadata service of a cloud."},
		{codeInertKey, "Documents of other sites: a key that this release does not know has no effect."},
		{codeInertReference, "Documents of other sites: a reference to what is not there is left out."},
		{codeInertPart, "Documents of other sites: a part of an object that is wrong is left out."},
		{codeInertObject, "Documents of other sites: an object that is wrong is left out."},
		{codeInertMembers, "Documents of other sites: a virtual server is left without members."},
		{codeInertView, "The order of views names one that does not exist."},
	}
}
