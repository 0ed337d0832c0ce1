package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTransferForms: an entry can be one word or a mapping, and both mean the same.
func TestTransferForms(t *testing.T) {
	text := `zones:
  - name: a.example.com
    nameservers: [ns1.example.net]
    transfer:
      allow: [192.0.2.0/24, {prefix: 192.0.2.0/24}, "key:fetch", {key: fetch}, {prefix: "2001:db8::1", key: fetch}]
      notify: [192.0.2.1, {address: "192.0.2.1"}, "[2001:db8::1]:5353", {address: ns2.example.net, key: fetch}]
  - name: b.example.com
    primaries: ["192.0.2.1:5300", {address: 192.0.2.2, key: fetch}]
sites: [{name: ams, address: ams.example.com}]
`
	doc, report := Parse(Source{Name: "d.yaml", Text: []byte(text)})
	if doc == nil {
		t.Fatal(report.Err())
	}
	out, in := &doc.Zones[0], &doc.Zones[1]
	want := []TransferClient{{Prefix: "192.0.2.0/24"}, {Prefix: "192.0.2.0/24"}, {Key: "fetch"}, {Key: "fetch"}, {Prefix: "2001:db8::1", Key: "fetch"}}
	if d := cmp.Diff(want, out.Transfer.Allow); d != "" {
		t.Errorf("allow (-want +got):\n%s", d)
	}
	var prefixes, endpoints []string
	for _, c := range out.Transfer.Allow {
		prefixes = append(prefixes, c.ClientPrefix().String())
	}
	none := netip.Prefix{}.String()
	if d := cmp.Diff([]string{"192.0.2.0/24", "192.0.2.0/24", none, none, "2001:db8::1/128"}, prefixes); d != "" {
		t.Errorf("prefixes (-want +got):\n%s", d)
	}
	for _, p := range append(out.Transfer.Notify, in.Primaries...) {
		endpoints = append(endpoints, p.Endpoint())
	}
	ends := []string{"192.0.2.1:53", "192.0.2.1:53", "[2001:db8::1]:5353", "ns2.example.net:53", "192.0.2.1:5300", "192.0.2.2:53"}
	if d := cmp.Diff(ends, endpoints); d != "" {
		t.Errorf("endpoints (-want +got):\n%s", d)
	}
	if out.Secondary() || !in.Secondary() {
		t.Errorf("secondary: %v and %v, want false and true", out.Secondary(), in.Secondary())
	}
	if data, err := ZoneData(in); err == nil || data != nil {
		t.Errorf("records of a secondary zone: %v, %v; want none", data, err)
	}
}

func TestReadTSIGSecret(t *testing.T) {
	for name, c := range map[string]struct{ text, want, bad string }{
		"good":       {"MDEyMzQ1Njc4OWFiY2RlZg==\n", "0123456789abcdef", ""},
		"spaces":     {"  MDEyMzQ1Njc4OWFiY2RlZg==\r\n\n", "0123456789abcdef", ""},
		"short":      {"MDEyMzQ1Njc4OWFiY2Rl", "", "15 octets"},
		"empty":      {"", "", "0 octets"},
		"not base64": {"key \"fetch\" {}", "", "base64"},
		"long":       {strings.Repeat("A", 4097), "", "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := ReadTSIGSecret(path)
			if string(got) != c.want || (err != nil) != (c.bad != "") {
				t.Fatalf("got %q, %v; want %q", got, err, c.want)
			}
			if err != nil && (!strings.Contains(err.Error(), c.bad) || c.text != "" && strings.Contains(err.Error(), strings.TrimSpace(c.text))) {
				t.Errorf("error %q, want one with %q that does not quote the file", err, c.bad)
			}
		})
	}
}

// TestSecretMode: a secret that everyone can read is warned of.
func TestSecretMode(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, []byte("MDEyMzQ1Njc4OWFiY2RlZg=="), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o640: 0, 0o644: 1} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		n := &Node{DataDir: dir, DNS: NodeDNS{TSIGKeys: []NodeTSIGKey{{Name: "fetch", SecretFile: path}}}}
		if r := CheckNodeFiles(n); r.Warnings() != want || r.Errors() != 0 {
			t.Errorf("mode %o: %d warnings, want %d\n%s", mode, r.Warnings(), want, rendered(t, r))
		}
	}
}
