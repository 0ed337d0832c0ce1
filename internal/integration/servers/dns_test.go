//go:build integration

package servers

import (
	"fmt"
	"strings"
	"testing"

	"fairlead/internal/testkit/loopback"
)

// TestNamed: dns probes over UDP, TCP and TLS, and a udp probe, against a real BIND.
func TestNamed(t *testing.T) {
	t.Parallel()
	named, dir := need(t, "named")[0], t.TempDir()
	port, encrypted := loopback.Port(t), loopback.Port(t)
	a := newAuthority(t, dir)
	cert, key := a.issue(t, 30, "dns.example.com")
	many := &strings.Builder{}
	for i := range 60 {
		fmt.Fprintf(many, "many A 192.0.2.%d\n", i+1)
	}
	zone := file(t, dir, "example.com.zone", "$TTL 60\n$ORIGIN example.com.\n@ SOA ns1 root 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.1\nwww A 192.0.2.2\nshop CNAME www\n"+many.String())
	conf := file(t, dir, "named.conf", fmt.Sprintf(`tls t { cert-file "%[1]s"; key-file "%[2]s"; };
options { directory "%[3]s"; pid-file none; listen-on port %[4]d { 127.0.0.1; }; listen-on port %[5]d tls t { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; };
controls { };
zone "example.com" { type primary; file "%[6]s"; };
`, cert, key, dir, port, encrypted, zone))
	s := start(t, launch{dir: dir}, named, "-g", "-n", "1", "-c", conf)
	to := onLoopback(port)
	s.listening(to)
	passes(t, `{type: dns, dns: {name: www.example.com, type: A, expect: [192.0.2.2]}}`, to, "NOERROR, 2 A records")
	passes(t, `{type: dns, dns: {name: shop.example.com, type: A, expect: [192.0.2.1]}}`, to, "NOERROR, 2 A records")
	passes(t, `{type: dns, dns: {name: example.com, type: NS, expect: [NS1.example.com], transport: tcp}}`, to, "NOERROR, 1 NS records")
	passes(t, `{type: dns, dns: {name: many.example.com, type: A, expect: [192.0.2.60]}}`, to, "NOERROR, 60 A records")
	passes(t, `{type: dns, dns: {name: www.example.org, type: A, rcode: REFUSED}}`, to, "REFUSED")
	fails(t, `{type: dns, dns: {name: www.example.com, type: A, expect: [192.0.2.9]}}`, to, `none is "192.0.2.9"`)
	fails(t, `{type: dns, dns: {name: ftp.example.com, type: A}}`, to, "NXDOMAIN, want NOERROR")
	fails(t, `{type: dns}`, to, "REFUSED, want NOERROR")
	passes(t, `{type: dns, dns: {name: www.example.com, type: A, transport: tls}, tls: {server_name: dns.example.com, ca_file: `+a.ca+`}}`, onLoopback(encrypted), "NOERROR, 2 A records")
	fails(t, `{type: dns, dns: {name: www.example.com, type: A, transport: tls}, tls: {ca_file: `+a.ca+`}}`, onLoopback(encrypted), "certificate is for dns.example.com")
	// A query for the name server's own version, by hand: class CH, type TXT, version.bind.
	query := "1234 0000 0001 0000 0000 0000 07 76657273696f6e 04 62696e64 00 0010 0003"
	passes(t, `{type: udp, udp: {send_hex: "`+query+`", expect_hex: "1234 84"}}`, to, "answer of")
	fails(t, `{type: udp, udp: {send_hex: "`+query+`", expect: no such text}, timeout: 500ms}`, to, "lacks")
	s.stop()
	fails(t, `{type: dns, dns: {name: www.example.com, type: A}}`, to, "udp port unreachable")
	fails(t, `{type: udp, udp: {send_hex: "`+query+`", silent: true}}`, to, "udp port unreachable")
}
