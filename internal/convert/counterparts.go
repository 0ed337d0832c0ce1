package convert

import "strings"

// defaults are values that parameters have anyway, or that change nothing here: they are passed over. "*" is any value.
var defaults = map[string][]string{
	"devno": {"*"}, "encrypted": {"*"}, "encryptmethod": {"*"}, "kek": {"*"}, "suffix": {"*"},
	"comment": {"*"}, "appflowlog": {"*"}, "newname": {"*"}, "nodeid": {"*"}, "recordid": {"*"},
	"cip": {"DISABLED"}, "sitepersistence": {"NONE"}, "cookietimeout": {"0"}, "clttimeout": {"*"}, "svrtimeout": {"*"}, "downstateflush": {"*"},
	"healthmonitor": {"YES"}, "maxaaausers": {"0"}, "naptrdomainttl": {"3600"}, "sitedomainttl": {"*"}, "gotopriorityexpression": {"END"},
	"nwmetricexchange": {"ENABLED"}, "sessionexchange": {"ENABLED"}, "ecsaddrvalidation": {"DISABLED"}, "backupsessiontimeout": {"0"},
	"lrtm": {"*"}, "deviation": {"0"}, "alertretries": {"0"}, "resptimeoutthresh": {"0"}, "transparent": {"NO"}, "iptunnel": {"NO"}, "tos": {"NO"},
	"action": {"DOWN", "NONE"}, "validatecred": {"NO"}, "storedb": {"DISABLED"}, "failureretries": {"0"}, "dispatcherip": {"127.0.0.1"}, "dispatcherport": {"3013"},
	"context": {"*"}, "q1label": {"*"}, "q2label": {"*"}, "q3label": {"*"}, "q4label": {"*"}, "q5label": {"*"}, "q6label": {"*"},
	"dropldnsreq": {"DISABLED"}, "svcstatelearningtime": {"0"}, "automaticconfigsync": {"*"}, "gslbsyncinterval": {"*"}, "gslbsyncmode": {"*"},
	"gslbsynclocfiles": {"*"}, "gslbconfigsyncmonitor": {"*"}, "gslbsyncsaveconfigcommand": {"*"}, "undefaction": {"NOLBACTION"},
	"type": {"ADNS", "ALL", "REQ_DEFAULT", "REQUEST"}, "nsec": {"DISABLED"}, "dnssecoffload": {"DISABLED"}, "logaction": {"*"}, "cachebypass": {"NO"}, "drop": {"NO"},
	"autodelayedtrofs": {"NO"}, "storefrontcheckbackendservices": {"NO"}, "storefrontacctservice": {"*"}, "rule": {"none"}, "cookiedomain": {"*"}, "evalrule": {"none"},
	"grpcstatuscode": {"12"}, "graceful": {"NO"}, "delay": {"0"}, "domainresolveretry": {"*"}, "ecssubnet": {""},
}

// isDefault reports whether a parameter says nothing that would have to be converted.
func isDefault(kind string, p *param) bool {
	if kind == "gslb vserver" && p.key() == "type" { // of a policy's binding
		return true
	}
	for _, v := range defaults[p.key()] {
		if v == "*" || strings.EqualFold(v, p.value()) {
			return true
		}
	}
	return false
}

// reasons say why parameters are not converted.
var reasons = map[string]string{
	"cip":               "clients connect to the service directly, so that nothing inserts their address",
	"sitepersistence":   "Fairlead is not in the way of connections: cookies, proxies and redirects between sites are the load balancers'",
	"siteprefix":        "without site persistence by redirect there are no names for single sites",
	"cookietimeout":     "Fairlead sees no cookies",
	"maxaaausers":       "users of VPNs are not counted; limit connections with max_connections",
	"clip":              "sites with several nodes have one address",
	"publicclip":        "sites with several nodes have one address",
	"sitepassword":      "sites know each other by certificates (fairlead pki)",
	"nwmetricexchange":  "round-trip times are always exchanged",
	"sessionexchange":   "sessions are always exchanged",
	"ecsaddrvalidation": "client subnets that are private are used as any other",
	"rule":              "no expression picks a service: method api uses measurements that were pushed",
	"alertretries":      "single failures are told by metrics, not by traps",
	"resptimeoutthresh": "response times are told by metrics, not by traps; max_response_time makes a slow answer fail",
	"deviation":         "answers are not compared with the time that answers took before",
	"transparent":       "probes do not pass through other devices",
	"iptunnel":          "probes use no tunnel", "tos": "probes set no type of service", "tosid": "probes set no type of service",
	"netprofile": "probes leave from the address that the node's routes give", "sslprofile": "see tls of the monitor",
	"dropldnsreq":          "a query is never dropped: backup_method answers until times are known",
	"svcstatelearningtime": "what a site learns after its start is not believed before it is sure",
	"undefaction":          "a policy that does not match is passed over",
	"dnssecoffload":        "zones are served as they are", "nsec": "zones are served as they are", "keyname": "zones are served as they are",
	"proxymode":      "queries are not passed on to other servers",
	"ecssubnet":      "static records are the same for all clients",
	"dnsprofilename": "profiles of DNS are in the node file", "autodelayedtrofs": "addresses that are gone are drained for autoscale.delay",
	"action": "a monitor that fails means DOWN",
}

func withoutCounterpart(p *param) string {
	if why := reasons[p.key()]; why != "" {
		return why
	}
	return "this parameter has no counterpart"
}
