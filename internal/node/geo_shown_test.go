package node_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"fairlead/config"
)

// TestLocationFilesAreServed: without a file the node answers without nearness; the file comes, is cut off, and is replaced.
func TestLocationFilesAreServed(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	file := filepath.Join(t.TempDir(), "own.csv")
	p.config.GeoIP = config.NodeGeoIP{CSV: []config.NodeGeoCSV{{File: file, Format: "netscaler"}}}
	there, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	p.write(fmt.Sprintf(`
zones:
  - {name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}
sites:
  - {name: here, address: 127.0.0.1, location: {place: EU.NL, latitude: 52.37, longitude: 4.89}}
  - {name: there, address: 127.0.0.2, location: {place: NA.US, latitude: 40.71, longitude: -74.01}}
monitors: [{name: tcp, type: tcp, interval: 1s, timeout: 1s, rise: 1}]
services:
  - {name: a, site: here, addresses: [192.0.2.1]}
  - {name: b, site: there, addresses: [127.0.0.1], port: %d, monitors: [tcp]}
virtual_servers:
  - name: web
    domains: [{name: www.example.test}]
    method: static-proximity
    backup_method: round-robin
    members: [{service: a}, {service: b}]
`, there.Addr().(*net.TCPAddr).Port))
	n, _ := p.serve(nil)
	shows(t, n, "/v1/status/locations", `"used":false`, "no such file")
	shows(t, n, "/v1/locate?address=127.0.0.1", `"place":""`, `"sources":[]`)
	becomes(t, n, "b", "UP")
	first, second := answer(t, n, "www.example.test"), answer(t, n, "www.example.test")
	if first == second {
		t.Errorf("without a file the answers are %q and %q, want them to take turns", first, second)
	}
	say := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := n.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	const head = "NSGEO1.0\nContext=geographic\nStart\n"
	say(head + "127.0.0.0,127.255.255.255,EU,DE,HE,Frankfurt,,,8.68,50.11\n")
	shows(t, n, "/v1/locate?address=127.0.0.1", `"place":"EU.DE.HE.Frankfurt"`, `"latitude":50.11`, `"scope":8`, `"first":"127.0.0.0"`, file, `{"site":"here","depth":1,"kilometres":36`)
	shows(t, n, "/v1/explain?name=www.example.test&client=127.0.0.1", `"reason":"static-proximity"`, `"distance","value":364.`)
	eventually(t, n, "www.example.test", "192.0.2.1")
	shows(t, n, "/metrics", `fairlead_geo_file_used{file="`+file+`"} 1`, `fairlead_geo_file_entries{file="`+file+`"} 1`, `fairlead_geo_loads_total{file="`+file+`"} 1`)

	say(head + "127.0.0.0,127.255.255.255,EU,DE,")
	shows(t, n, "/v1/status/locations", `"used":true`, "the last line does not end")
	shows(t, n, "/v1/locate?address=127.0.0.1", `"place":"EU.DE.HE.Frankfurt"`)
	shows(t, n, "/metrics", `fairlead_geo_file_failing{file="`+file+`"} 1`, `fairlead_geo_refusals_total{file="`+file+`"} 2`)

	say(head + "127.0.0.0,127.255.255.255,NA,US,,,,,,\n")
	shows(t, n, "/v1/locate?address=::ffff:127.0.0.1", `"place":"NA.US"`, `{"site":"there","depth":2,"rank":1}`)
	eventually(t, n, "www.example.test", "127.0.0.1")
	shows(t, n, "/v1/locate?address=nobody", "is not an IP address")
}
