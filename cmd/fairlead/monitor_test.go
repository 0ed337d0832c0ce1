package main

import (
	"strings"
	"testing"
)

func TestMonitorCommands(t *testing.T) {
	const at = `"at": "2026-11-22T06:00:00Z"`
	const held = `"monitors": [
		{"monitor": "web-ok", "type": "http", "address": "192.0.2.80", "port": 80, "state": "UP", "draining": true, "reason": "status 429 drains", "since_age_seconds": 60, "age_seconds": 1.25,
			"latency_seconds": 0.002, "failures": 0, "successes": 12, "values": [{"name": "load", "value": 0.5, "unit": "s"}]},
		{"monitor": "port-ok", "type": "tcp", "address": "2001:db8::80", "port": 80, "state": "DOWN", "draining": false, "reason": "tcp connect refused", "since_age_seconds": 5, "age_seconds": 1,
			"latency_seconds": 0, "failures": 3, "successes": 0},
		{"monitor": "new", "address": "192.0.2.80", "state": "UNKNOWN", "draining": false, "reason": "", "latency_seconds": 0, "failures": 0, "successes": 0}]`
	api := fakeAPI(t, map[string]string{
		"/v1/status/services?limit=1000": `{"services": [{"name": "web", ` + held + `}, {"name": "alone"}], ` + at + `}`,
		"/v1/status/services/web":        `{"name": "web", ` + held + `}`,
		"/v1/monitors/web-ok/test": `{"monitor": "web-ok", "type": "http", "site": "ams", "passes": false, "left_out": 2, ` + at + `, "runs": [
			{"monitor": "web-ok", "type": "http", "service": "web", "address": "192.0.2.80", "port": 80, "state": "UP", "draining": true, "reason": "status 429 drains", "latency_seconds": 0.002,
				"took_seconds": 0.0031, "values": [{"name": "load", "value": 0.5, "unit": "s"}],
				"steps": [{"name": "dns", "at_seconds": 0.0001, "note": "web is 192.0.2.80"}, {"name": "connect", "at_seconds": 0.001, "note": "192.0.2.80:80"}, {"name": "first byte", "at_seconds": 0.002}],
				"held": {"monitor": "web-ok", "address": "192.0.2.80", "state": "UP", "draining": true, "reason": "x", "since_age_seconds": 60, "age_seconds": 1, "latency_seconds": 0, "failures": 0, "successes": 12}},
			{"monitor": "web-ok", "type": "http", "service": "web", "address": "2001:db8::80", "state": "DOWN", "draining": false, "reason": "tcp \u001b[31mrefused", "latency_seconds": 0, "took_seconds": 0, "steps": [],
				"held": {"monitor": "web-ok", "address": "2001:db8::80", "state": "UNKNOWN", "draining": false, "reason": "", "latency_seconds": 0, "failures": 0, "successes": 0}}]}`,
		"/v1/monitors/all-ok/test": `{"monitor": "all-ok", "type": "calculated", "passes": true, "left_out": 0, ` + at + `, "runs": [
			{"monitor": "all-ok", "type": "calculated", "service": "web", "address": "192.0.2.80", "port": 80, "state": "UP", "draining": false, "reason": "1 of 2 monitors UP, 1 needed", "latency_seconds": 0, "took_seconds": 0.001, "steps": [], "parts": [
				{"monitor": "port-ok", "type": "tcp", "part": "port-ok of db", "service": "db", "address": "192.0.2.90", "port": 5432, "state": "UP", "draining": false, "reason": "connected", "latency_seconds": 0.001, "took_seconds": 0.001,
					"steps": [{"name": "connect", "at_seconds": 0.001, "note": "192.0.2.90:5432"}]},
				{"monitor": "behind", "type": "passive", "part": "behind", "service": "web", "address": "192.0.2.80", "port": 80, "state": "UNKNOWN", "draining": false, "reason": "no report yet: decides nothing", "latency_seconds": 0, "took_seconds": 0, "steps": []},
				{"part": "x of gone", "state": "UNKNOWN", "draining": false, "reason": "service gone has no address now", "latency_seconds": 0, "took_seconds": 0, "steps": []}]}]}`,
		"/v1/services/web/load/test": `{"service": "web", "source": "haproxy", "site": "ams", "ok": true, "took_seconds": 0.0012, ` + at + `, "lacks": "the row has no qtime",
			"metrics": [{"name": "active", "value": 12, "unit": "connections", "total": false}, {"name": "bytes_total", "value": 81230000, "unit": "bytes", "total": true}], "steps": [{"name": "connect", "at_seconds": 0.0004, "note": "192.0.2.80:8404"}]}`,
		"/v1/services/cold/load/test": `{"service": "cold", "source": "json", "site": "ams", "ok": false, "took_seconds": 1, ` + at + `, "failure": "timed out after 1s connecting", "metrics": [], "steps": []}`,
	})
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"monitor list", exitDone, `SERVICE  MONITOR  TYPE  ADDRESS            STATE          FOR   PROBED    TOOK  IN A ROW   WHY
web      web-ok   http  192.0.2.80:80      UP (draining)  1m0s  1.3s ago  2ms   12 passed  status 429 drains [load=0.5s]
web      port-ok  tcp   [2001:db8::80]:80  DOWN           5s    1s ago    -     3 failed   tcp connect refused
web      new            192.0.2.80         UNKNOWN        -     -         -     -          -
`},
		{"monitor list port-ok --service web", exitDone, `SERVICE  MONITOR  TYPE  ADDRESS            STATE  FOR  PROBED  TOOK  IN A ROW  WHY
web      port-ok  tcp   [2001:db8::80]:80  DOWN   5s   1s ago  -     3 failed  tcp connect refused
`},
		{"monitor list web-ok --state down", exitDone, "no such monitor runs here\n"},
		{"monitor list --state nothing", exitUsage, ""},
		{"monitor list --service none", exitNotFound, ""},
		{"monitor test web-ok", exitFailed, `web-ok (http) of web at 192.0.2.80:80
  100µs  dns         web is 192.0.2.80
  1ms    connect     192.0.2.80:80
  2ms    first byte
UP, draining: status 429 drains [load=0.5s] (took 3ms)
the node holds it UP for 1m0s, 12 passed in a row, draining

web-ok (http) of web at 2001:db8::80
DOWN: tcp \x1b[31mrefused
the node holds nothing yet: it has had no result

2 more addresses were left out; --service chooses

1 of 2 pass
`},
		{"monitor test all-ok", exitDone, `all-ok (calculated) of web at 192.0.2.80:80
  port-ok of db (tcp) at 192.0.2.90:5432
    1ms  connect  192.0.2.90:5432
  UP: connected (took 1ms)
  behind (passive) of web
  UNKNOWN: no report yet: decides nothing
  x of gone
  UNKNOWN: service gone has no address now
UP: 1 of 2 monitors UP, 1 needed (took 1ms)
`},
		{"monitor test none", exitNotFound, ""},
		{"monitor test web-ok --node x.yaml", exitUsage, ""},
		{"monitor test web-ok --document x.yaml", exitUsage, ""},
		{"monitor test", exitUsage, ""},
		{"load test web", exitDone, `load of web from haproxy
  400µs  connect  192.0.2.80:8404
  active       12      connections
  bytes_total  81.23M  bytes        so far; its rate counts
not there: the row has no qtime
read in 1ms
`},
		{"load test cold", exitFailed, "load of cold from json\nnot read: timed out after 1s connecting\n"},
		{"load test none", exitNotFound, ""},
	} {
		var out, problems output
		code := run(t.Context(), append(strings.Fields(tt.args), "--api", api), &out, &problems)
		if code != tt.code || out.String() != tt.want {
			t.Errorf("%s: exit code %d, want %d\n%s%s\nwant\n%s", tt.args, code, tt.code, out.String(), problems.String(), tt.want)
		}
	}
}
