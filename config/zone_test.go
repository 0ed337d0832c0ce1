package config

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"fairlead/config/zonedata"
)

func zoneLines(t *testing.T, z *Zone) []string {
	t.Helper()
	data, err := ZoneData(z)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for node := range data.All() {
		owner := append(slices.Clone(data.Name(node)), data.Origin()...)
		data.Sets(node)(func(_ uint16, _ int, set []byte) bool {
			for len(set) > 0 {
				n := zonedata.RecordHeaderOctets + int(binary.BigEndian.Uint16(set[10:]))
				rr, _, err := dns.UnpackRR(append(slices.Clone(owner), set[2:n]...), 0)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, strings.Join(strings.Fields(rr.String()), " "))
				set = set[n:]
			}
			return true
		})
	}
	return out
}

func TestZoneRecordsFromKeys(t *testing.T) {
	doc, report := parseText(strings.Replace(small, "nameservers: [ns1.example.net]}", `nameservers: [NS1.example.com, ns2.example.net],
  contact: first.last@Example.com, serial: 7, negative_ttl: 15s, records: "ns1 60 A 192.0.2.53\nTXT-only TXT hello\n"}`, 1))
	if doc == nil {
		t.Fatal(report.Err())
	}
	want := []string{
		`example.com. 15 IN SOA ns1.example.com. first\.last.example.com. 7 3600 600 604800 15`,
		`example.com. 3600 IN NS ns1.example.com.`,
		`example.com. 3600 IN NS ns2.example.net.`,
		`ns1.example.com. 60 IN A 192.0.2.53`,
		`txt-only.example.com. 60 IN TXT "hello"`,
	}
	if d := cmp.Diff(want, zoneLines(t, &doc.Zones[0])); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
}

func TestZoneRecordsFromFile(t *testing.T) {
	dir := t.TempDir()
	zone := "$TTL 300\n@ SOA ns1.example.net. host.example.net. 1 2 3 4 5\n@ NS ns1.example.net.\nA 60 A 192.0.2.1\n"
	if err := os.WriteFile(filepath.Join(dir, "x.zone"), []byte(zone), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "doc.yaml")
	if err := os.WriteFile(path, []byte(strings.Replace(small, "nameservers: [ns1.example.net]", "file: x.zone", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := ReadSource(path)
	if err != nil {
		t.Fatal(err)
	}
	doc, report := Parse(src)
	if doc == nil {
		t.Fatal(report.Err())
	}
	if got := zoneLines(t, &doc.Zones[0]); len(got) != 3 || got[2] != "a.example.com. 60 IN A 192.0.2.1" {
		t.Errorf("records: %q", got)
	}
	if string(src.Files["x.zone"]) != zone {
		t.Error("the source does not carry the zone file as written")
	}
}

func TestZoneFileMustBeRegular(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "x.zone"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "doc.yaml")
	if err := os.WriteFile(path, []byte(strings.Replace(small, "nameservers: [ns1.example.net]", "file: x.zone", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := CheckFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, report, codeZoneFile)
}

// TestAMalformedRecordHidesNothing: a nameserver whose record cannot be read is not said to have none.
func TestAMalformedRecordHidesNothing(t *testing.T) {
	_, report := Parse(Source{Name: "doc.yaml", Text: []byte(`zones:
  - name: example.com
    nameservers: [ns1.example.com, ns2.example.com]
    records: |
      ns1 A 192.0.2.533
      ns2 A 192.0.2.2
sites: [{name: ams, address: 192.0.2.10}]
`)})
	if report.Errors() != 1 || report.Warnings() != 0 {
		t.Errorf("want one error and no warning:\n%s", rendered(t, report))
	}
}

func TestCanonicalName(t *testing.T) {
	long := strings.Repeat("a", 63)
	tests := []struct{ in, want string }{
		{"WWW.Example.com", "www.example.com."},
		{"www.example.com.", "www.example.com."},
		{"*.example.com", "*.example.com."},
		{"_dmarc.example.com", "_dmarc.example.com."},
		{long + ".com", long + ".com."},
		{strings.Repeat(long+".", 3) + strings.Repeat("b", 61), strings.Repeat(long+".", 3) + strings.Repeat("b", 61) + "."},
		{strings.Repeat(long+".", 3) + strings.Repeat("b", 62), ""},
		{long + "a.com", ""}, {"", ""}, {".", ""}, {"a..b", ""}, {".a", ""}, {"a b.com", ""}, {"a.*.com", ""}, {"w*.com", ""}, {"ä.com", ""}, {`a\.b.com`, ""},
	}
	for _, tt := range tests {
		got, err := CanonicalName(tt.in)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: got %q, %v, want %q", tt.in, got, err, tt.want)
		}
		if err == nil {
			if _, ok := dns.IsDomainName(got); !ok {
				t.Errorf("%q: %q does not fit on the wire", tt.in, got)
			}
		}
	}
}

func TestEndpoint(t *testing.T) {
	tests := []struct{ address, want string }{
		{"192.0.2.10", "192.0.2.10:3009"},
		{"192.0.2.10:4000", "192.0.2.10:4000"},
		{"2001:DB8::1", "[2001:db8::1]:3009"},
		{"[2001:db8::1]:4000", "[2001:db8::1]:4000"},
		{"AMS.example.com", "ams.example.com:3009"},
		{"ams.example.com:4000", "ams.example.com:4000"},
		{"localhost", "localhost:3009"},
	}
	for _, tt := range tests {
		site := Site{Address: tt.address}
		if got := site.Endpoint(); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.address, got, tt.want)
		}
	}
	for _, bad := range []string{"", "10.1.1", "a:b:c", "[::1]", "host:0", "host:http", "0.0.0.0", "ff02::1", "*.example.com", "host:", "fe80::1%eth0"} {
		if _, _, err := splitSiteAddress(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// What is above a bound of zone data is said by the check, not by the node that then cannot start.
func TestRecordSetTooLarge(t *testing.T) {
	texts := func(n int) string {
		var b strings.Builder
		for i := range n { // 256 octets each
			fmt.Fprintf(&b, `big TXT \"%02d%s\"\n`, i, strings.Repeat("x", 241))
		}
		return b.String()
	}
	for n, want := range map[int]bool{64: true, 65: false} {
		doc, report := parseText(strings.Replace(small, "nameservers: [ns1.example.net]}", `nameservers: [ns1.example.net], records: "`+texts(n)+`"}`, 1))
		if (doc != nil) != want {
			t.Errorf("%d octets: valid %v, want %v: %v", 256*n, doc != nil, want, report.Err())
		}
		if !want && !strings.Contains(report.Err().Error(), "more than 16384 octets") {
			t.Errorf("got %v", report.Err())
		}
	}
}
