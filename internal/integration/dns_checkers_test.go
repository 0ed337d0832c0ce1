//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// zonemasterTolerated is what Zonemaster may say, and why it is no fault of the server.
var zonemasterTolerated = map[string]string{
	"NAMESERVER_IP_PRIVATE_NETWORK":       "the lab's addresses are those that are kept for documentation",
	"NAMESERVER_IP_WITHOUT_REVERSE":       "the lab has no reverse zones",
	"NEITHER_DNSKEY_NOR_DS":               "the zone is not signed",
	"NOT_SIGNED":                          "the zone is not signed",
	"REFRESH_MINIMUM_VALUE_LOWER":         "secondaries of a balanced zone look more often than the 4 h that are asked for",
	"RETRY_MINIMUM_VALUE_LOWER":           "the same",
	"SOA_DEFAULT_TTL_MAXIMUM_VALUE_LOWER": "a name that does not exist is believed for negative_ttl, which the document chooses",
}

// zonemasterNeeded is what it must have found out; otherwise it did not look.
var zonemasterNeeded = []string{
	"HAS_PARENT", "ONE_SOA_SERIAL", "ONE_NS_SET", "ADDRESSES_MATCH", "ARE_AUTHORITATIVE", "NAMES_MATCH", "NO_RECURSOR", "EDNS0_SUPPORT",
	"AXFR_FAILURE", "SAME_SOURCE_IP", "NO_UPWARD_REFERRAL", "QNAME_CASE_SENSITIVE", "CASE_QUERIES_RESULTS_OK", "ENOUGH_IPV6_NS_CHILD", "ONE_SOA", "Z09_MX_DATA",
}

// checkers has the zone looked at by programs that know what zones get wrong.
func (l *lab) checkers() {
	l.t.Run("zonemaster", func(t *testing.T) { l.with(t).zonemaster() })
	l.t.Run("dnsviz", func(t *testing.T) { l.with(t).dnsviz() })
}

func (l *lab) zonemaster() {
	needs(l.t, "zonemaster-cli")
	out := l.in(wan, "zonemaster-cli", zoneName, "--hints", "root.hints", "--level", "INFO", "--no-progress", "--raw", "--json")
	var said []struct {
		Level, Module, Tag string
		Args               any
	}
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		l.t.Fatalf("%v in\n%s", err, out)
	}
	seen := map[string]bool{}
	for _, s := range said {
		seen[s.Tag] = true
		why, tolerated := zonemasterTolerated[s.Tag]
		switch {
		case s.Level == "INFO":
		case tolerated:
			l.t.Logf("%s %s %s: tolerated, %s", s.Level, s.Module, s.Tag, why)
		default:
			l.t.Errorf("%s %s %s %v", s.Level, s.Module, s.Tag, s.Args)
		}
	}
	for _, tag := range zonemasterNeeded {
		if !seen[tag] {
			l.t.Errorf("it does not say %s; it said %v", tag, slices.Sorted(maps.Keys(seen)))
		}
	}
}

// dnsviz asks the whole chain of name servers in its own ways, with and without EDNS, and judges the answers.
func (l *lab) dnsviz() {
	needs(l.t, "dnsviz")
	l.write("no.keys", nil) // the lab's root is not signed
	names := []string{zoneName, "www." + zoneName, "alias." + zoneName, "big." + zoneName, "x.wild." + zoneName, "b.c." + zoneName, "nowhere." + zoneName, "a.old." + zoneName}
	l.in(wan, "dnsviz", append([]string{"probe", "-A", "-E", "-d", "1", "-a", ".", "-x", ".:a.root-servers.net=203.0.113.4", "-o", "probe.json"}, names...)...)
	out := l.in(wan, "dnsviz", "grok", "-P", "-t", "no.keys", "-l", "info", "-r", "probe.json")
	l.t.Logf("dnsviz print\n%s", l.in(wan, "dnsviz", "print", "-P", "-t", "no.keys", "-r", "probe.json", "-R", "A,AAAA,MX,NS,SOA"))
	var assessed map[string]any
	if err := json.Unmarshal([]byte(out), &assessed); err != nil {
		l.t.Fatalf("%v in\n%s", err, out)
	}
	for _, name := range names {
		if _, there := assessed[name+"."]; !there {
			l.t.Errorf("%s was not assessed", name)
		}
	}
	faults(l.t, zoneName, assessed)
}

// faults reports all errors and warnings below a value, wherever they are, if they are about a name in the zone.
func faults(t *testing.T, zone string, assessed map[string]any) {
	t.Helper()
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, below := range v {
				if key == "errors" || key == "warnings" {
					t.Errorf("%s: %s: %v", path, key, below)
					continue
				}
				walk(path+" "+key, below)
			}
		case []any:
			for i, below := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), below)
			}
		}
	}
	for name, v := range assessed {
		if strings.HasSuffix(name, zone+".") {
			walk(name, v)
		}
	}
}
