package api

import "fairlead/internal/access"

// right is what an operation asks of who asks.
type right struct {
	action access.Action
	// byObject: its handler looks at the labels of the objects that it changes. Of all others, those that change something are not for who
	// is limited to labels.
	byObject bool
	// measures: what it changes is a measurement, which the audit log leaves out.
	measures bool
}

// rights is what each operation asks. One that is missing is for admins alone.
func rights() map[string]right {
	read, operate := right{action: access.Read}, right{action: access.Operate}
	onObject, measures := right{action: access.Operate, byObject: true}, right{action: access.Operate, measures: true}
	out := map[string]right{
		"livez": {action: access.Public}, "readyz": {action: access.Public},
		"push-load":        {action: access.Operate, byObject: true, measures: true},
		"push-measurement": measures, "drop-measurement": measures, "put-rtt": measures, "take-wanted": measures,
		"drop-sessions": operate, "test-monitor": operate, "test-load": operate,
		"list-tokens": {}, "create-token": {}, "revoke-token": {}, "list-audit": {},
	}
	for _, operation := range []string{
		"metrics", "openapi.json", "get-version", "get-identity", "get-document-status", "list-services", "get-service", "list-sites", "get-site",
		"list-secondaries", "list-groups", "list-location-files", "locate", "explain", "get-sketch", "what-if", "list-measurements", "list-overrides",
		"list-sessions", "list-resolvers", "get-resolver",
	} {
		out[operation] = read
	}
	for _, kind := range []string{"service", "service-group", "site", "virtual-server"} {
		for _, action := range []string{"enable", "disable", "drain", "clear"} {
			out[action+"-"+kind] = onObject
		}
	}
	out["release-virtual-server"] = onObject
	documentRights(out)
	return out
}
