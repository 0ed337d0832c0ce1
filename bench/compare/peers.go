package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// site is where one contender lives while a workload runs.
type site struct {
	dir    string
	binary string
	port   int
	api    int // another free port
	names  int
	probed int // port of the listener that monitors probe at the addresses of members
}

// launch is how to start a contender. It stays in the foreground.
type launch struct {
	args        []string
	environment []string
}

// members is how many services a balanced name has.
const members = 4

// memberAddress is the address of a service: on loopback, so that its health can be real.
func memberAddress(i int) string { return fmt.Sprintf("127.0.1.%d", i+1) }

// memberWeight makes the round robin weighted.
func memberWeight(i int) int { return members - i }

// write puts a file into the contender's directory.
func (s *site) write(name, text string) error {
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// writeAll writes several files, by name.
func (s *site) writeAll(files map[string]string) error {
	for name, text := range files {
		if err := s.write(name, text); err != nil {
			return err
		}
	}
	return nil
}

const zoneFile = "zone"

func gdnsdStatic(s *site) (launch, error) { return gdnsd(s, "", addressRecord) }

// gdnsdMonitors is a service type that probes a member's port, as Fairlead's monitor does.
func gdnsdMonitors(s *site) string {
	return fmt.Sprintf("service_types => { port => { plugin => tcp_connect, port => %d, interval => 5, timeout => 2 } }\n", s.probed)
}

func gdnsdWeighted(s *site) (launch, error) {
	var pool strings.Builder
	for i := range members {
		fmt.Fprintf(&pool, "      m%d => [ %s, %d ]\n", i, memberAddress(i), memberWeight(i))
	}
	plugins := gdnsdMonitors(s) + "plugins => { weighted => {\n    pool => {\n      service_types => port\n      multi => false\n" + pool.String() + "    }\n} }\n"
	return gdnsd(s, plugins, func(int) string { return "DYNA weighted!pool" })
}

func gdnsdGeo(s *site) (launch, error) {
	var centres, addresses []string
	for i := range places() {
		centres = append(centres, fmt.Sprintf("d%d", i))
		addresses = append(addresses, fmt.Sprintf("d%d => %s", i, memberAddress(i)))
	}
	var nets strings.Builder
	geoMap(func(p netip.Prefix, at int) {
		order := append([]string{centres[at]}, append(append([]string{}, centres[:at]...), centres[at+1:]...)...)
		fmt.Fprintf(&nets, "%s => [%s]\n", p, strings.Join(order, ", "))
	})
	if err := s.write("geoip/nets", nets.String()); err != nil {
		return launch{}, err
	}
	plugins := gdnsdMonitors(s) + fmt.Sprintf("plugins => { geoip => {\n  maps => { map => { datacenters => [%s], nets => nets } }\n"+
		"  resources => { near => { map => map, service_types => port, dcmap => { %s } } }\n} }\n",
		strings.Join(centres, ", "), strings.Join(addresses, ", "))
	return gdnsd(s, plugins, func(int) string { return "DYNA geoip!near" })
}

func gdnsd(s *site, plugins string, record func(int) string) (launch, error) {
	options := fmt.Sprintf("options => { listen => 127.0.0.1:%d, udp_threads => 1, tcp_threads => 1, run_dir => %s, state_dir => %s }\n",
		s.port, filepath.Join(s.dir, "run"), filepath.Join(s.dir, "state"))
	for _, sub := range []string{"run", "state", "zones", "geoip"} {
		if err := os.MkdirAll(filepath.Join(s.dir, sub), 0o755); err != nil {
			return launch{}, err
		}
	}
	return launch{args: []string{"-c", s.dir, "start"}}, s.writeAll(map[string]string{
		"config":            options + plugins,
		"zones/" + zoneName: zoneText(s.names, record),
	})
}

func nsdStatic(s *site) (launch, error) {
	config := fmt.Sprintf(`server:
  server-count: 1
  ip-address: 127.0.0.1@%d
  username: ""
  chroot: ""
  zonesdir: "%[2]s"
  database: ""
  pidfile: "%[2]s/pid"
  xfrdfile: "%[2]s/xfrd"
  zonelistfile: "%[2]s/zonelist"
  xfrdir: "%[2]s"
  tcp-count: 256
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: %s
  zonefile: %s
`, s.port, s.dir, zoneName, zoneFile)
	return launch{args: []string{"-d", "-c", filepath.Join(s.dir, "conf")}},
		s.writeAll(map[string]string{"conf": config, zoneFile: zoneText(s.names, addressRecord)})
}

func knotStatic(s *site) (launch, error) { return knot(s, "", "") }

func knotWeighted(s *site) (launch, error) {
	var pool strings.Builder
	for i := range s.names {
		fmt.Fprintf(&pool, namePattern+".%s:\n", i, zoneName)
		for m := range members {
			fmt.Fprintf(&pool, "  - weight: %d\n    A: %s\n", memberWeight(m), memberAddress(m))
		}
	}
	if err := s.write("geo.conf", pool.String()); err != nil {
		return launch{}, err
	}
	module := fmt.Sprintf("mod-geoip:\n  - id: weighted\n    config-file: %s\n    ttl: %d\n    mode: weighted\n", filepath.Join(s.dir, "geo.conf"), recordTTL)
	return knot(s, module, "    module: mod-geoip/weighted\n")
}

func knot(s *site, section, option string) (launch, error) {
	config := fmt.Sprintf(`server:
  rundir: "%[2]s/run"
  pidfile: "%[2]s/run/pid"
  listen: 127.0.0.1@%[1]d
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
control:
  listen: "%[2]s/run/sock"
log:
  - target: stderr
    any: warning
database:
  storage: "%[2]s/db"
%[3]szone:
  - domain: %[4]s
    storage: "%[2]s"
    file: %[5]s
    journal-content: none
    zonefile-sync: -1
%[6]s`, s.port, s.dir, section, zoneName, zoneFile, option)
	for _, sub := range []string{"run", "db"} {
		if err := os.MkdirAll(filepath.Join(s.dir, sub), 0o755); err != nil {
			return launch{}, err
		}
	}
	return launch{args: []string{"-c", filepath.Join(s.dir, "conf")}},
		s.writeAll(map[string]string{"conf": config, zoneFile: zoneText(s.names, addressRecord)})
}

func pdnsStatic(s *site) (launch, error) {
	config := fmt.Sprintf(`launch=bind
bind-config=%[2]s/named.conf
local-address=127.0.0.1
local-port=%[1]d
receiver-threads=1
distributor-threads=1
socket-dir=%[2]s
daemon=no
guardian=no
disable-syslog=yes
max-tcp-connections=256
max-tcp-connections-per-client=0
`, s.port, s.dir)
	zone := fmt.Sprintf("zone %q { type master; file %q; };\n", zoneName, filepath.Join(s.dir, zoneFile))
	return launch{args: []string{"--config-dir=" + s.dir}},
		s.writeAll(map[string]string{"pdns.conf": config, "named.conf": zone, zoneFile: zoneText(s.names, addressRecord)})
}

func bindStatic(s *site) (launch, error) {
	config := fmt.Sprintf(`options {
  directory "%[2]s";
  listen-on port %[1]d { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file "%[2]s/pid";
  session-keyfile "%[2]s/session.key";
  recursion no;
  minimal-responses yes;
  tcp-clients 256;
};
controls { };
zone "%[3]s" { type primary; file "%[2]s/%[4]s"; };
`, s.port, s.dir, zoneName, zoneFile)
	return launch{args: []string{"-f", "-n", "1", "-c", filepath.Join(s.dir, "conf")}},
		s.writeAll(map[string]string{"conf": config, zoneFile: zoneText(s.names, addressRecord)})
}

func corednsStatic(s *site) (launch, error) {
	config := fmt.Sprintf("%s:%d {\n  bind 127.0.0.1\n  file %s\n}\n", zoneName, s.port, filepath.Join(s.dir, zoneFile))
	return launch{args: []string{"-conf", filepath.Join(s.dir, "Corefile")}},
		s.writeAll(map[string]string{"Corefile": config, zoneFile: zoneText(s.names, addressRecord)})
}
