//go:build integration

package servers

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"fairlead/internal/testkit/loopback"
	"fairlead/monitors/metric"
	"fairlead/monitors/snmp"
)

// table answers snmpd's "pass" from a file with an OID, a type and a value on each line.
const table = `#!/bin/sh
[ "$1" = -g ] || exit 0
while read -r oid type value; do
	[ "$oid" = "$2" ] && { echo "$oid"; echo "$type"; echo "$value"; exit 0; }
done < "${0%/*}/table"
`

// agent starts Net-SNMP's agent, which tells what is in rows besides what it tells of this machine.
func agent(t *testing.T, rows []string) (s *server, dir string, port int) {
	t.Helper()
	snmpd := need(t, "snmpd")[0]
	dir, port = t.TempDir(), loopback.Port(t)
	script := file(t, dir, "pass", table)
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	file(t, dir, "table", strings.Join(rows, "\n")+"\n")
	conf := file(t, dir, "snmpd.conf", fmt.Sprintf(`
rocommunity hidden 127.0.0.1
createUser plain SHA-256 "authentic words"
createUser hush SHA-256 "authentic words" AES "private words"
createUser older MD5 "authentic words" DES "private words"
rouser plain auth
rouser hush priv
rouser older priv
pass .1.3.6.1.4.1.5951.4.1.3.1.1 %[1]s
pass .1.3.6.1.4.1.3375.2.2 %[1]s
pass .1.3.6.1.4.1.8072.9999 %[1]s
`, script))
	s = start(t, launch{dir: dir, env: []string{"SNMP_PERSISTENT_DIR=" + dir}}, snmpd, "-f", "-Lo", "-C", "-c", conf, fmt.Sprint("udp:127.0.0.1:", port))
	file(t, dir, "hidden", "hidden\n")
	file(t, dir, "wrong", "wrong words\n")
	file(t, dir, "authentic", "authentic words\n")
	file(t, dir, "private", "private words\n")
	s.until("answers", func() error {
		if r := probing(t, `{type: snmp, timeout: 200ms, snmp: {community: "file:`+dir+`/hidden"}}`, onLoopback(port)); !r.OK {
			return fmt.Errorf("%s", r.Reason)
		}
		return nil
	})
	return s, dir, port
}

// TestSNMP: snmp probes of a real agent, of version 2c and 3.
func TestSNMP(t *testing.T) {
	t.Parallel()
	s, dir, port := agent(t, []string{".1.3.6.1.4.1.8072.9999.1.0 gauge 42", ".1.3.6.1.4.1.8072.9999.2.0 string up and running"})
	to := onLoopback(port)
	v2 := func(checks string) string {
		return `{type: snmp, timeout: 500ms, snmp: {community: "file:` + dir + `/hidden"` + checks + `}}`
	}
	v3 := func(user, auth, privacy string) string {
		text := `{type: snmp, timeout: 500ms, snmp: {version: "3", user: ` + user
		if auth != "" {
			text += `, auth_password: "file:` + dir + "/" + auth + `"`
		}
		if privacy != "" {
			text += `, privacy_password: "file:` + dir + "/" + privacy + `"`
		}
		return text + `}}`
	}
	passes(t, v2(""), to, "sysUpTime ")
	passes(t, v2(`, checks: [{oid: 1.3.6.1.4.1.8072.9999.1.0, min: 40, max: 50}]`), to, "1.3.6.1.4.1.8072.9999.1.0 is 42")
	fails(t, v2(`, checks: [{oid: 1.3.6.1.4.1.8072.9999.1.0, max: 41.5}]`), to, "1.3.6.1.4.1.8072.9999.1.0 is 42, above 41.5")
	fails(t, v2(`, checks: [{oid: 1.3.6.1.4.1.8072.9999.1.0, min: 43}]`), to, "is 42, below 43")
	passes(t, v2(`, checks: [{oid: 1.3.6.1.4.1.8072.9999.2.0, equals: up and running}, {oid: 1.3.6.1.2.1.1.3.0, min: 0}, {oid: 1.3.6.1.2.1.2.2.1.8.1, equals: "1"}]`), to, "3 values are as they should be")
	fails(t, v2(`, checks: [{oid: 1.3.6.1.4.1.8072.9999.2.0, equals: up}]`), to, `is "up and running", want "up"`)
	fails(t, v2(`, checks: [{oid: 1.3.6.1.4.1.8072.9999.2.0, min: 1}]`), to, `is "up and running", which is no number`)
	fails(t, v2(`, checks: [{oid: 1.3.6.1.2.1.2.2.1.8.999}]`), to, "1.3.6.1.2.1.2.2.1.8.999: no such instance")
	fails(t, v2(`, checks: [{oid: 1.3.6.1.4.1.5.1.0}]`), to, "1.3.6.1.4.1.5.1.0: no such object")
	passes(t, v2(`, checks: [{oid: 1.3.6.1.4.1.2021.10.1.3.1, min: 0, max: 1000}]`), to, "1.3.6.1.4.1.2021.10.1.3.1 is ") // the load of this machine, told as text
	fails(t, strings.Replace(v2(""), "hidden", "wrong", 1), to, "timed out after 500ms waiting for first byte")

	passes(t, v3("plain", "authentic", ""), to, "sysUpTime")
	passes(t, v3("hush", "authentic", "private"), to, "sysUpTime")
	passes(t, strings.Replace(v3("older", "authentic", "private"), "user:", "auth_protocol: md5, privacy_protocol: des, user:", 1), to, "sysUpTime")
	fails(t, v3("plain", "wrong", ""), to, snmp.ErrRefused.Error())
	fails(t, v3("stranger", "authentic", ""), to, snmp.ErrRefused.Error())
	fails(t, v3("hush", "authentic", "wrong"), to, "")
	fails(t, v3("hush", "authentic", ""), to, "authorizationError")
	fails(t, strings.Replace(v3("plain", "authentic", ""), "user:", "auth_protocol: sha512, user:", 1), to, snmp.ErrRefused.Error())

	s.freeze()
	fails(t, v2(""), to, "timed out after 500ms waiting for first byte")
	s.stop()
	fails(t, v2(""), to, "refused")
}

// names are the tails of OIDs whose index is a name.
func names(column, name string) string { return "." + snmp.Named(column, name) }

// TestSNMPLoad: load read from a real agent: of this machine, and in the shape of NetScaler's and BIG-IP's tables.
func TestSNMPLoad(t *testing.T) {
	t.Parallel()
	const netscaler, f5, f5stat = "1.3.6.1.4.1.5951.4.1.3.1.1", "1.3.6.1.4.1.3375.2.2.10.1.2.1", "1.3.6.1.4.1.3375.2.2.10.2.3.1"
	const vs, pool = "/Common/vs_web", "/Common/pool_web"
	row := func(column, name, kind, value string) string {
		return names(column, name) + " " + kind + " " + value
	}
	_, dir, port := agent(t, []string{
		row(netscaler+".7", "vs_web", "gauge", "18"), row(netscaler+".30", "vs_web", "counter64", "64532"),
		row(netscaler+".31", "vs_web", "counter64", "23870254"), row(netscaler+".33", "vs_web", "counter64", "1206302123"),
		row(netscaler+".34", "vs_web", "counter64", "631028"), row(netscaler+".35", "vs_web", "counter64", "1061002"),
		row(netscaler+".41", "vs_web", "gauge", "3"),
		row(f5stat+".12", vs, "gauge", "7"), row(f5stat+".11", vs, "counter64", "1000"), row(f5stat+".27", vs, "counter64", "0"),
		row(f5stat+".7", vs, "counter64", "18446744073709551000"), row(f5stat+".9", vs, "counter64", "500"),
		row(f5stat+".6", vs, "counter64", "10"), row(f5stat+".8", vs, "counter64", "20"),
		row(f5+".10", vs, "gauge", "2000"), row(f5+".19", vs, "string", pool),
		names("1.3.6.1.4.1.3375.2.2.5.1.2.1.8", pool) + " integer 2",
	})
	load := func(rest string) string {
		return fmt.Sprintf(`{source: snmp, url: "snmp://127.0.0.1:%d", snmp: {community: "file:%s/hidden"}, %s}`, port, dir, rest)
	}
	type numbers map[metric.Metric]float64
	tests := []struct {
		name, load string
		want       numbers // -1: some number
	}{
		{"NetScaler", load("preset: netscaler, backend: vs_web"), numbers{metric.Active: 18, metric.RequestsTotal: 64532,
			metric.BytesTotal: 23870254 + 1206302123, metric.PacketsTotal: 631028 + 1061002, metric.Members: 3}},
		{"BIG-IP", load("preset: f5, backend: /Common/vs_web"), numbers{metric.Active: 7, metric.RequestsTotal: 1000,
			metric.BytesTotal: (18446744073709551000 + 500) % metric.MaxActive, metric.PacketsTotal: 30, metric.Members: 2, metric.Capacity: 2000}},
		{"this machine", load(`fields: {active: 1.3.6.1.2.1.6.9.0, bytes_total: "1.3.6.1.2.1.31.1.1.1.6.1 + 1.3.6.1.2.1.31.1.1.1.10.1", packets_total: 1.3.6.1.2.1.2.2.1.11.1}`),
			numbers{metric.Active: -1, metric.BytesTotal: -1, metric.PacketsTotal: -1}},
	}
	for _, tt := range tests {
		got, err := reading(t, tt.load, onLoopback(80))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for m, want := range tt.want {
			if n, ok := got.Get(m); !ok || want >= 0 && n != want {
				t.Errorf("%s: %s is %v (told: %v), want %v", tt.name, m, n, ok, want)
			}
		}
		if got.Narrow.Has(metric.PacketsTotal) != (tt.name == "this machine") || got.Narrow.Has(metric.BytesTotal) {
			t.Errorf("%s: counters of 32 bits: %b", tt.name, got.Narrow)
		}
	}
	got, err := reading(t, load(`custom: [{name: cpu, path: 1.3.6.1.4.1.2021.10.1.3.1, threshold: 4}, {name: gone, path: 1.3.6.1.4.1.5.1.0}]`), onLoopback(80))
	if err != nil || !got.Parts[0].Told || got.Parts[1].Told || got.Lacks == nil {
		t.Errorf("custom metrics: %+v, %v", got, err)
	}
	for name, rest := range map[string]string{
		`device has no virtual server "vs_shop" (no such instance)`: "preset: netscaler, backend: vs_shop",
		"1.3.6.1.4.1.5.1.0: no such object":                         "fields: {active: 1.3.6.1.4.1.5.1.0}",
	} {
		if _, err := reading(t, load(rest), onLoopback(80)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want %q", rest, err, name)
		}
	}
}
