package main

import (
	"strings"
	"testing"
)

// explained is an answer of rtt.test. that web-nyc won.
func explained(site, address, service string) string {
	return `{"question": {"name": "rtt.test.", "type": "A", "client": "203.0.113.7"}, "rcode": "NOERROR", "answer": ["rtt.test. 20 IN A ` + address + `"],
		"ttl": 20, "site": "` + site + `", "snapshot": 7, "document": "0123456789", "status_age_seconds": 0.5,
		"counterfactuals": [{"service": "web-ams", "site": "ams", "share": 0.5, "changes": [{"kind": "rtt", "text": "x"}],
			"text": "if its RTT were at most 17.5 ms (now 45 ms); it would take 1/2 of the answers"}],
		"trace": {"entries": [
			{"step": "name", "reason": "balanced", "detail": "rtt.test. in zone test."},
			{"step": "virtual-server", "virtual_server": "fast", "reason": "usable", "detail": "order 1 is in use"},
			{"step": "policy", "reason": "no-policy"},
			{"step": "candidates", "virtual_server": "fast", "reason": "usable", "before": 4, "after": 2, "candidates": [
				{"service": "web-ams", "site": "ams", "kept": true, "reason": "up"}, {"service": "web-nyc", "site": "nyc", "kept": true, "reason": "up"},
				{"service": "full", "site": "nyc", "reason": "max-connections", "metric": "active", "value": 12000, "unit": "connections", "detail": "limit 12000",
					"source": "push", "age_seconds": 1.25},
				{"service": "old", "site": "ams", "reason": "down", "detail": "monitor page at 192.0.2.80:443: no reply within 5s, the third time in a row",
					"source": "monitor page", "age_seconds": 2}]},
			{"step": "method", "virtual_server": "fast", "reason": "rtt", "detail": "method rtt", "before": 2, "after": 1, "candidates": [
				{"service": "web-ams", "site": "ams", "reason": "not-chosen", "metric": "round-trip time", "value": 45, "unit": "ms", "age_seconds": 1, "source": "api"},
				{"service": "web-nyc", "site": "nyc", "kept": true, "reason": "chosen", "metric": "round-trip time", "value": 12.5, "unit": "ms", "age_seconds": 1, "source": "api"}]},
			{"step": "answer", "virtual_server": "fast", "reason": "rtt", "detail": "TTL 20 s, the zone's; scope 0: no step depended on the client's address",
				"candidates": [{"service": "` + service + `", "kept": true, "reason": "chosen"}]},
			{"step": "learn", "reason": "learned"}]}}`
}

func TestExplain(t *testing.T) {
	const sites = `{"sites": [{"name": "ams"}, {"name": "nyc"}, {"name": "tyo"}], "at": "2026-11-22T06:00:00Z"}`
	const one = "/v1/explain?client=203.0.113.7&name=rtt.test&type=A"
	api := fakeAPI(t, map[string]string{
		one: explained("ams", "198.51.100.80", "web-nyc"),
		"/v1/explain?at_site=ams&client=203.0.113.7&name=rtt.test&type=A": explained("ams", "198.51.100.80", "web-nyc"),
		"/v1/explain?at_site=nyc&client=203.0.113.7&name=rtt.test&type=A": explained("nyc", "192.0.2.80", "web-ams"),
		"/v1/status/sites": sites,
	})
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"rtt.test --client 203.0.113.7", exitDone, `rtt.test. A, asked by 203.0.113.7
NOERROR, TTL 20 s
  rtt.test. 20 IN A 198.51.100.80

because
  virtual-server fast: usable: order 1 is in use
  candidates     2 of 4 members may be picked
                     full (nyc)  max-connections: active 12000 connections  limit 12000  1.3s old
                     old (ams)   down  monitor page at 192.0.2.80:443: no reply with...  2s old
  method         rtt
                     web-ams (ams)  round-trip time 45 ms    1s old
                 =>  web-nyc (nyc)  round-trip time 12.5 ms  1s old
  answer         rtt: TTL 20 s, the zone's; scope 0: no step depended on the client's address

what else
  web-ams (ams)  would be answered if its RTT were at most 17.5 ms (now 45 ms); it would take 1/2 of
                 the answers

site ams, snapshot 7, document 01234567, belief 500ms old
`},
		{"rtt.test --client 203.0.113.7 --at-site all", exitDone, `   SITE  ANSWER         FIRST    REASON  DOCUMENT  BELIEF
   ams   198.51.100.80  web-nyc  rtt     01234567  500ms old
!  nyc   192.0.2.80     web-ams  rtt     01234567  500ms old
?  tyo   nothing is here

! differs from the first. Where services take turns, or loads decide, sites differ from query to
  query; where they should not, compare --at-site SITE of both; status says of each site whether it
  differs for longer, and why.
`},
		{"other.test --client 203.0.113.7", exitNotFound, ""},
		{"rtt.test --client nobody", exitUsage, ""},
		{"rtt.test --subnet 203.0.113.0/99", exitUsage, ""},
		{"rtt.test --listener nobody", exitUsage, ""},
	} {
		var out, problems output
		code := run(t.Context(), append([]string{"explain", "--api", api}, strings.Fields(tt.args)...), &out, &problems)
		if code != tt.code || out.String() != tt.want {
			t.Errorf("%s: exit code %d, want %d\n%s%s\nwant\n%s", tt.args, code, tt.code, out.String(), problems.String(), tt.want)
		}
		for line := range strings.Lines(out.String()) {
			if len(strings.TrimSuffix(line, "\n")) > screenWidth {
				t.Errorf("%s: more than %d characters: %s", tt.args, screenWidth, line)
			}
		}
	}
}

func TestMeasure(t *testing.T) {
	const measured = `{"prefix": "203.0.113.0/24", "values": [{"service": "web-nyc", "value": 7, "ends_in_seconds": 300},
		{"service": "web-ams", "value": 12.5, "ends_in_seconds": 300}]}`
	api := fakeAPI(t, map[string]string{
		"/v1/measurements/203.0.113.0/24":                 measured,
		"/v1/measurements?client=203.0.113.7&limit=100":   `{"prefixes": 3, "max": 9, "measurements": [` + measured + `]}`,
		"/v1/measurements?client=198.51.100.7&limit=1000": `{"prefixes": 3, "max": 9, "measurements": []}`,
	})
	const shown = "PREFIX          SERVICE  VALUE  ENDS IN\n203.0.113.0/24  web-nyc  7      5m0s\n                web-ams  12.5   5m0s\n"
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"set 203.0.113.0/24 web-nyc=7 web-ams=12.5", exitDone, shown},
		{"set 203.0.113.0/24", exitUsage, ""},
		{"set 203.0.113.7/24 web-nyc=7", exitUsage, ""},
		{"set 203.0.113.0/24 web-nyc", exitUsage, ""},
		{"set 203.0.113.0/24 web-nyc=fast", exitUsage, ""},
		{"set 203.0.113.0/24 web-nyc=nan", exitUsage, ""},
		{"set 203.0.113.0/24 web-nyc=-Inf", exitUsage, ""},
		{"set 198.51.100.0/24 web-nyc=7", exitNotFound, ""},
		{"list --client 203.0.113.7", exitDone, "prefixes with measurements: 3 of at most 9\n" + shown},
		{"list --client 198.51.100.7 --limit 0", exitDone, "prefixes with measurements: 3 of at most 9\n"},
		{"list --client nobody", exitUsage, ""},
		{"drop 198.51.100.0/24", exitNotFound, ""},
	} {
		var out, problems output
		code := run(t.Context(), append(append([]string{"measure"}, strings.Fields(tt.args)...), "--api", api), &out, &problems)
		if code != tt.code || out.String() != tt.want {
			t.Errorf("%s: exit code %d, want %d\n%s%s\nwant\n%s", tt.args, code, tt.code, out.String(), problems.String(), tt.want)
		}
	}
}
