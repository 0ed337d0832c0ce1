package main

import (
	"strings"
	"testing"
)

func TestLocate(t *testing.T) {
	api := fakeAPI(t, map[string]string{
		"/v1/locate?address=192.0.2.1": `{"address": "192.0.2.1", "place": "EU.NL.?.?.KPN", "latitude": 52.374, "longitude": 4.8897,
			"sources": ["city.mmdb", "isp.mmdb"], "first": "192.0.2.0", "last": "192.0.2.255", "scope": 7, "sites": [
			{"site": "ams", "depth": 2, "kilometres": 2.1, "rank": 1}, {"site": "nyc", "depth": 0, "rank": 0}]}`,
		"/v1/locate?address=198.51.100.1": `{"address": "198.51.100.1", "place": "", "sources": [], "first": "198.51.100.0",
			"last": "198.51.100.255", "scope": 3, "sites": []}`,
	})
	for _, c := range []struct {
		address string
		code    int
		want    string
	}{
		{"192.0.2.1", exitDone, "192.0.2.1: EU.NL.?.?.KPN (52.374, 4.8897)\nthe same is said of 192.0.2.0 to 192.0.2.255; decisions look at 7 bits\n" +
			"source: city.mmdb, isp.mmdb\n\nSITE  RANK  PLACE MATCH  DISTANCE\nams   1     2            2 km\nnyc   -     0            -\n"},
		{"198.51.100.1", exitDone, "198.51.100.1: nothing is known\n"},
		{"nobody", exitUsage, ""},
		{"203.0.113.1", exitNotFound, ""},
	} {
		var out, problems output
		if code := run(t.Context(), []string{"locate", c.address, "--api", api}, &out, &problems); code != c.code {
			t.Errorf("%s: exit code %d (%s), want %d", c.address, code, problems.String(), c.code)
		}
		if !strings.HasPrefix(out.String(), c.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.address, out.String(), c.want)
		}
	}
}

func TestStatusOfLocationFiles(t *testing.T) {
	const at = `"at": "2026-11-22T06:00:00Z"`
	api := fakeAPI(t, map[string]string{
		"/v1/status/sites":               `{"sites": [], ` + at + `}`,
		"/v1/status/services?limit=1000": `{"services": [], ` + at + `}`,
		"/v1/status/document":            `{"id": "0123456789", "source": "x.yaml", "since": "2026-11-22T05:00:00Z"}`,
		"/v1/status/locations": `{"files": [
			{"file": "own.csv", "format": "netscaler", "used": true, "entries": 7, "octets": 99, "changed": "2026-11-22T05:00:00Z"},
			{"file": "city.mmdb", "format": "mmdb", "used": false, "entries": 0, "octets": 0, "failure": "no such file"}], ` + at + `}`,
	})
	var out, problems output
	if code := run(t.Context(), []string{"status", "--api", api}, &out, &problems); code != exitDone {
		t.Fatalf("exit code %d: %s", code, problems.String())
	}
	want := "LOCATION FILE  FORMAT     USED  ENTRIES  WRITTEN     FAILURE\n" +
		"own.csv        netscaler  yes   7        1h0m0s ago  -\n" +
		"city.mmdb      mmdb       no    0        -           no such file\n"
	if got := out.String(); !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
