package main

import (
	"strings"
	"testing"
)

func TestLearnedCommands(t *testing.T) {
	const at = `"at": "2026-11-22T06:00:00Z"`
	api := fakeAPI(t, map[string]string{
		"/v1/sessions?client=203.0.113.7&limit=2&virtual_server=web": `{"sessions": [{"client": "203.0.113.0/24", "kind": "persistence", "id": 7,
			"virtual_servers": ["web", "shop"], "service": "web-ams", "ends_in_seconds": 112.44}, {"client": "2001:db8::/56", "id": 8, "virtual_servers": [], "ends_in_seconds": 1}],
			"counts": {"entries": 9, "max": 1000, "evictions": 3}, ` + at + `, "next_cursor": "x"}`,
		"/v1/sessions?all=true":           `{"dropped": 9}`,
		"/v1/sessions?client=203.0.113.7": `{"dropped": 1}`,
		"/v1/ldns?limit=100": `{"resolvers": [{"resolver": "192.0.2.53/32", "rtts": [{"site": "ams", "rtt_ms": 12.5, "age_seconds": 4.2, "counts": true, "by": "ping"},
			{"rtt_ms": 83, "age_seconds": 600, "counts": false}]}], "counts": {"entries": 1, "max": 5, "waiting": 2}, ` + at + `}`,
		"/v1/ldns/192.0.2.53": `{"resolver": "192.0.2.53/32", "rtts": [{"site": "ams", "rtt_ms": 12.5, "age_seconds": 4.2, "counts": true, "by": "ping"}]}`,
	})
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"sessions --virtual-server web --client 203.0.113.7 --limit 2", exitDone, `sessions: 9 of at most 1000, 3 gave way
CLIENT          KIND         SERVICE  ENDS IN  VIRTUAL SERVERS
203.0.113.0/24  persistence  web-ams  1m52s    web shop
2001:db8::/56   -            -        1s       -
and more; --limit 0 lists all
`},
		{"sessions --client x", exitUsage, ""},
		{"sessions --virtual-server none", exitNotFound, ""},
		{"sessions drop", exitUsage, ""},
		{"sessions drop --all --client 203.0.113.7", exitUsage, ""},
		{"sessions drop --all", exitDone, "forgot 9 sessions\n"},
		{"sessions drop --client 203.0.113.7", exitDone, "forgot 1 sessions\n"},
		{"ldns", exitDone, `resolvers: 1 of at most 5, 2 wait to be measured
RESOLVER       SITE  RTT      BY    AGE
192.0.2.53/32  ams   12.5 ms  ping  4.2s
               -     83 ms    -     10m0s, too old
`},
		{"ldns 192.0.2.53", exitDone, "RESOLVER       SITE  RTT      BY    AGE\n192.0.2.53/32  ams   12.5 ms  ping  4.2s\n"},
		{"ldns 192.0.2.54", exitNotFound, ""},
		{"ldns x", exitUsage, ""},
		{"ldns set x --site ams --rtt 1ms", exitUsage, ""},
		{"ldns set 192.0.2.54 --rtt 1ms", exitUsage, ""},
		{"ldns set 192.0.2.54 --site ams --rtt 1ms", exitNotFound, ""},
	} {
		var out, problems output
		code := run(t.Context(), append(strings.Fields(tt.args), "--api", api), &out, &problems)
		if code != tt.code || out.String() != tt.want {
			t.Errorf("%s: exit code %d, want %d\n%s%s\nwant\n%s", tt.args, code, tt.code, out.String(), problems.String(), tt.want)
		}
	}
}

// TestWhoKeepsSessions: virtual servers with persistence are a section of the status, and stand above sessions.
func TestWhoKeepsSessions(t *testing.T) {
	const body = `{"sessions": [{"client": "203.0.113.0/24", "kind": "persistence", "id": 7, "virtual_servers": ["web"], "service": "web-ams", "ends_in_seconds": 60}],
		"uses": [{"virtual_server": "web", "kind": "persistence", "id": 7, "now": 9, "from_peers": 4, "created": 12, "honoured": 300, "expired": 3},
			{"virtual_server": "web", "kind": "spillover", "id": 8, "now": 0, "from_peers": 0, "created": 0, "honoured": 0, "expired": 0}], "more_uses": true,
		"counts": {"entries": 9, "max": 1000, "evictions": 0}, "at": "2026-11-22T06:00:00Z"}`
	const section = `
SESSIONS OF  KIND         NOW  FROM PEERS  CREATED  HONOURED  EXPIRED
web          persistence  9    4           12       300       3
web          spillover    0    0           0        0         0
and more; fairlead sessions --virtual-server NAME tells of one
`
	for args, want := range map[string]string{
		"status":             section,
		"sessions --limit 1": "sessions: 9 of at most 1000, 0 gave way\n" + section + "\nCLIENT          KIND         SERVICE  ENDS IN  VIRTUAL SERVERS\n203.0.113.0/24  persistence  web-ams  1m0s     web\n",
		"status -o json":     `"honoured": 300`,
	} {
		var out, problems output
		api := fakeStatus(t, "/v1/sessions?limit=1", body)
		if code := run(t.Context(), append(strings.Fields(args), "--api", api), &out, &problems); code != exitDone || !strings.Contains(out.String(), want) {
			t.Errorf("%s: exit code %d\n%s%s\nwant\n%s", args, code, out.String(), problems.String(), want)
		}
	}
}
