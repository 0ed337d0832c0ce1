package convert

import (
	"slices"
	"strconv"
	"strings"
)

// command is one command line: set gslb site NAME ARGUMENT -parameter value.
type command struct {
	line   int
	verb   string // in lower case
	noun   string // in lower case, with its group: gslb vserver
	args   []string
	params []*param
	text   string // the whole, without secrets
}

// param is a parameter with its values.
type param struct {
	name   string // as the table has it; as it was written when it is unknown
	values []string
	line   int
	used   bool
}

func (p *param) key() string { return strings.ToLower(p.name) }

// value is the first value, "" when there is none.
func (p *param) value() string {
	if len(p.values) == 0 {
		return ""
	}
	return p.values[0]
}

// text is the parameter as it stands in the line, without secrets.
func (p *param) text() string {
	out := "-" + p.name
	for _, v := range p.values {
		if secretParams[p.key()] {
			v = "***"
		}
		out += " " + requote(v)
	}
	return out
}

// secretParams are parameters whose values are shown nowhere. Headers, arguments and queries may have secrets in them.
var secretParams = map[string]bool{"password": true, "secondarypassword": true, "radkey": true, "snmpcommunity": true, "sitepassword": true,
	"scriptargs": true, "secureargs": true, "customheaders": true, "key": true, "passphrase": true, "sharedsecret": true, "presharedkey": true,
	"passcrypt": true, "rpcpassword": true, "kek": true, "suffix": true, "encryptmethod": true, "community": true, "communityname": true,
	"authpasswd": true, "privpasswd": true, "secret": true, "clientsecret": true, "token": true, "sqlquery": true}

// commandGroups are the first words of nouns that have two.
var commandGroups = map[string]bool{"gslb": true, "lb": true, "dns": true, "cs": true, "ns": true, "ssl": true, "vpn": true, "aaa": true, "system": true,
	"snmp": true, "audit": true, "authentication": true, "authorization": true, "rewrite": true, "responder": true, "cache": true, "cmp": true,
	"appfw": true, "appflow": true, "filter": true, "policy": true, "db": true, "ha": true, "ha6": true, "ipsec": true, "lsn": true, "rdp": true,
	"spillover": true, "stream": true, "subscriber": true, "tm": true, "transform": true, "tunnel": true, "url": true, "user": true, "videooptimization": true,
	"wf": true, "bot": true, "analytics": true, "autoscale": true, "cluster": true, "cr": true, "network": true, "protocol": true, "utility": true,
	"reputation": true, "smpp": true, "feo": true, "lldp": true, "ica": true, "mediaclassification": true, "contentinspection": true, "ulfd": true}

// anyNoun are parameters that every command may have; a number behind a name is how many values they take.
const anyNoun = "devno:1 encrypted:0 encryptmethod:1 kek:0 suffix:1"

// nounParams are the parameters of the commands that are converted. Behind a colon: how many values, * for all up to the next parameter,
// u for one and its unit. The rest take one.
var nounParams = map[string]string{
	"gslb site": "siteType siteIPAddress publicIP metricExchange nwMetricExchange sessionExchange triggerMonitor parentSite backupParentlist:* clip publicCLIP naptrReplacementSuffix sitePassword",
	"gslb service": "IP IPAddress serviceType port publicIP publicPort cnameEntry maxClient healthMonitor siteName state cip:* sitePersistence sitePrefix cookieTimeout cltTimeout svrTimeout maxBandwidth downStateFlush maxAAAUsers monThreshold hashId comment appflowLog naptrReplacement naptrOrder naptrPreference naptrServices naptrDomainTTL " +
		"monitorName monState weight viewName passive:0",
	"gslb servicegroup": "autoScale maxClient cip:* healthMonitor cltTimeout svrTimeout maxBandwidth monThreshold state downStateFlush comment appflowLog autoDelayedTrofs siteName sitePersistence " +
		"monitorName monState weight hashId publicIP publicPort sitePrefix order passive:0 delay graceful",
	"gslb vserver": "ipType dnsRecordType lbMethod backupLBMethod backupSessionTimeout netmask v6netmasklen rule tolerance persistenceType persistenceId persistMask v6persistmasklen timeout EDR ECS ecsAddrValidation MIR disablePrimaryOnDown dynamicWeight state considerEffectiveState comment soMethod soPersistence soPersistenceTimeOut soThreshold soBackupAction appflowLog toggleorder orderThreshold backupVServer backupIP " +
		"serviceName weight serviceGroupName domainName TTL cookieDomain cookieTimeout siteDomainTTL policyName priority gotoPriorityExpression type order",
	"gslb parameter": "ldnsEntryTimeout RTTTolerance ldnsMask v6ldnsmasklen ldnsProbeOrder:* dropLdnsReq GSLBSvcStateDelayTime svcStateLearningTime automaticConfigSync MEPKeepAliveTimeout GSLBSyncInterval GSLBSyncMode GSLBSyncLocFiles GSLBConfigSyncMonitor GSLBSyncSaveConfigCommand undefAction overridePersistencyForOrder",
	"lb monitor": "action respCode:* httpRequest rtspRequest customHeaders maxForwards sipMethod sipURI sipregURI send recv query queryType scriptName scriptArgs secureArgs dispatcherIP dispatcherPort userName password secondaryPassword logonpointName lasVersion radKey radNASid radNASip radAccountType radFramedIP radAPN radMSISDN radAccountSession LRTM deviation:u interval:u resptimeout:u resptimeoutThresh retries failureRetries alertRetries successRetries downTime:u destIP destPort state reverse transparent ipTunnel tos tosId secure validateCred domain IPAddress:* group fileName baseDN bindDN filter attribute database oracleSid sqlQuery evalRule Snmpoid snmpCommunity snmpThreshold snmpVersion metricTable application sitePath storename storefrontacctservice hostName netProfile originHost originRealm hostIPAddress vendorId productName firmwareRevision authApplicationId:* acctApplicationId:* inbandSecurityId supportedVendorIds:* vendorSpecificVendorId vendorSpecificAuthApplicationIds:* vendorSpecificAcctApplicationIds:* kcdAccount storedb storefrontcheckbackendservices trofsCode trofsString mqttClientIdentifier mqttVersion grpcHealthCheck grpcStatusCode:* grpcServiceName sslProfile mssqlProtocolVersion " +
		"metric metricThreshold metricWeight certkeyName",
	"lb metrictable":    "metric",
	"location":          "longitude latitude",
	"locationparameter": "context q1label q2label q3label q4label q5label q6label matchWildcardtoany",
	"locationfile":      "format src",
	"locationfile6":     "format src",
	"server":            "domainResolveRetry IPv6Address translationIp translationMask state comment td queryType",
	"service":           "", "servicegroup": "",
	"dns soarec":   "originServer contact serial refresh retry expire minimum TTL ecsSubnet type nodeID",
	"dns nsrec":    "TTL ecsSubnet type nodeID",
	"dns addrec":   "TTL ecsSubnet type nodeID",
	"dns aaaarec":  "TTL ecsSubnet type nodeID",
	"dns cnamerec": "TTL ecsSubnet type nodeID",
	"dns mxrec":    "mx pref TTL ecsSubnet type nodeID",
	"dns txtrec":   "TTL recordId ecsSubnet type nodeID",
	"dns srvrec":   "priority weight port TTL ecsSubnet type nodeID",
	"dns ptrrec":   "TTL ecsSubnet type nodeID",
	"dns caarec":   "flag tag TTL recordId ecsSubnet type nodeID",
	"dns naptrrec": "flags services regexp replacement TTL recordId ecsSubnet type nodeID",
	"dns zone":     "proxyMode dnssecOffload nsec keyName:* type",
	"dns view":     "",
	"dns action":   "IPAddress:* viewName preferredLocList:* TTL dnsProfileName actionType",
	"dns policy":   "viewName preferredLocation preferredLocList:* drop cacheBypass actionName logAction",
	"dns global":   "gotoPriorityExpression type invoke:*",
	"lb action":    "value:* comment type",
	"lb policy":    "rule action undefAction logAction comment",
}

// arity is how many values a parameter takes.
type arity struct {
	name   string
	values int // -1: all
	unit   bool
}

// paramTable is nounParams, read.
func paramTable(noun string) []arity {
	var out []arity
	for field := range strings.FieldsSeq(nounParams[noun] + " " + anyNoun) {
		name, count, has := strings.Cut(field, ":")
		a := arity{name: name, values: 1}
		switch {
		case count == "*":
			a.values = -1
		case count == "u":
			a.unit = true
		case has:
			a.values, _ = strconv.Atoi(count) // the table is ours
		}
		out = append(out, a)
	}
	return out
}

// findParam finds a parameter by its name in any case, or by what it alone begins with.
func findParam(table []arity, name string) (arity, bool) {
	name = strings.ToLower(name)
	var found []arity
	for _, a := range table {
		full := strings.ToLower(a.name)
		if full == name {
			return a, true
		}
		if strings.HasPrefix(full, name) {
			found = append(found, a)
		}
	}
	if len(found) == 1 {
		return found[0], true
	}
	return arity{}, false
}

// readCommand reads the words of one line. ok is false for what is no command.
func readCommand(line int, words []word) (c command, ok bool) {
	if len(words) < 2 || !verbs[strings.ToLower(words[0].text)] || words[0].quoted {
		return command{}, false
	}
	c = command{line: line, verb: strings.ToLower(words[0].text), noun: strings.ToLower(words[1].text)}
	rest := words[2:]
	if commandGroups[c.noun] && len(rest) > 0 && !isParam(rest[0]) {
		c.noun += " " + strings.ToLower(rest[0].text)
		rest = rest[1:]
	}
	c.readArguments(rest)
	c.text = c.shown(words[:len(words)-len(rest)])
	return c, true
}

// isParam reports whether a word names a parameter: -name, not a negative number.
func isParam(w word) bool {
	return !w.quoted && len(w.text) > 1 && w.text[0] == '-' && (w.text[1] < '0' || w.text[1] > '9') && w.text[1] != '.'
}

func (c *command) readArguments(words []word) {
	table := paramTable(c.noun)
	for i := 0; i < len(words); {
		if !isParam(words[i]) {
			c.args = append(c.args, words[i].text)
			i++
			continue
		}
		name := words[i].text[1:]
		i++
		a, known := findParam(table, name)
		p := &param{name: name, line: c.line}
		most := -1
		if known {
			p.name, most = a.name, a.values
		}
		for i < len(words) && most != 0 && !isParam(words[i]) {
			p.values = append(p.values, words[i].text)
			i++
			most--
			if most == 0 && a.unit && i < len(words) && unitSeconds(words[i].text) != 0 {
				p.values = append(p.values, words[i].text)
				i++
			}
		}
		c.params = append(c.params, p)
	}
}

// shown is the command without secrets. What stands behind the noun of commands that are not known may be one.
func (c *command) shown(head []word) string {
	parts := make([]string, 0, len(head)+len(c.args)+len(c.params))
	for _, w := range head {
		parts = append(parts, w.text)
	}
	_, known := nounParams[c.noun]
	for i, a := range c.args {
		if !known && i > 0 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, requote(a))
	}
	for _, p := range c.params {
		if !known {
			parts = append(parts, "-"+p.name, "…")
			continue
		}
		parts = append(parts, p.text())
	}
	return strings.Join(parts, " ")
}

// requote writes a word as it could stand in a command line.
func requote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\"\n") {
		return s
	}
	return `"` + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`) + `"`
}

// param returns a parameter of a command, nil when it has none of this name.
func (c *command) param(name string) *param {
	i := slices.IndexFunc(c.params, func(p *param) bool { return strings.EqualFold(p.name, name) })
	if i < 0 {
		return nil
	}
	return c.params[i]
}
