package guard

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func addressPorts(list ...string) []netip.AddrPort {
	var out []netip.AddrPort
	for _, a := range list {
		out = append(out, netip.MustParseAddrPort(a))
	}
	return out
}

func local(list ...string) func() ([]netip.Addr, error) {
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return func() ([]netip.Addr, error) { return out, nil }
}

// passed is what a destination must give when it is let through.
const passed = ""

func wantRefusal(t *testing.T, err error, want string) {
	t.Helper()
	if want == passed {
		if err != nil {
			t.Errorf("got %q, want it let through", err)
		}
		return
	}
	if _, ok := errors.AsType[*Refused](err); !ok || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want a refusal with %q", err, want)
	}
}

func TestCheckByDefault(t *testing.T) {
	g := New(Options{})
	const linkLocal, metadata = "a link-local address (node file: probes.allow)", "the metadata service of a cloud (node file: probes.allow)"
	for to, want := range map[string]string{
		"192.0.2.1:80":                    passed,
		"10.0.0.1:80":                     passed,
		"[fd00::1]:80":                    passed,
		"127.0.0.1:8080":                  passed,
		"[::1]:8080":                      passed,
		"[64:ff9b::192.0.2.1]:80":         passed,
		"169.254.169.254:80":              "probes do not reach 169.254.169.254: " + metadata,
		"[::ffff:169.254.169.254]:80":     metadata,
		"[::169.254.169.254]:80":          metadata,
		"[64:ff9b::169.254.169.254]:80":   "probes do not reach 64:ff9b::a9fe:a9fe: " + metadata,
		"[64:ff9b:1::169.254.169.254]:80": metadata,
		"[2002:a9fe:a9fe::1]:80":          metadata,
		"[::ffff:0:169.254.169.254]:80":   metadata,
		"[fd00:ec2::254]:80":              metadata,
		"100.100.100.200:80":              metadata,
		"192.0.0.192:80":                  metadata,
		"168.63.129.16:80":                metadata,
		"169.254.1.1:80":                  linkLocal,
		"[fe80::1]:80":                    linkLocal,
		"[fe80::1%lo]:80":                 linkLocal,
		"0.0.0.0:80":                      "no host's address",
		"[::]:80":                         "no host's address",
		"[::ffff:0.0.0.0]:80":             "no host's address",
		"224.0.0.1:80":                    "multicast",
		"[ff02::1]:80":                    "multicast",
		"255.255.255.255:80":              "broadcast",
	} {
		for _, network := range []string{"tcp", "udp", "ip"} {
			t.Run(network+" "+to, func(t *testing.T) {
				wantRefusal(t, g.Check(network, netip.MustParseAddrPort(to)), want)
			})
		}
	}
	wantRefusal(t, g.Check("tcp", netip.AddrPort{}), "not an address")
}

func TestCheckLists(t *testing.T) {
	g := New(Options{Allow: prefixes("169.254.0.0/16", "fe80::/10", "192.0.2.0/24"), Deny: prefixes("192.0.2.128/25", "169.254.7.0/24", "2001:db8:bad::/48", "10.0.0.0/8")})
	const denied = "denied by the node file (node file: probes.deny)"
	for to, want := range map[string]string{
		"192.0.2.1:80":               passed,
		"192.0.2.200:80":             denied, // deny wins
		"169.254.1.1:80":             passed,
		"169.254.7.1:80":             denied,
		"[::ffff:169.254.7.1]:80":    denied,
		"[fe80::1%eth0]:80":          passed,
		"[2001:db8:bad::1]:80":       denied,
		"[64:ff9b::10.1.2.3]:80":     denied,
		"[64:ff9b::169.254.1.1]:80":  passed,
		"[64:ff9b::0.0.0.1]:80":      "no host's address",
		"224.0.0.1:80":               "multicast",
		"[64:ff9b::192.0.2.200]:443": denied,
	} {
		t.Run(to, func(t *testing.T) { wantRefusal(t, g.Check("tcp", netip.MustParseAddrPort(to)), want) })
	}
}

func TestCheckOwnSockets(t *testing.T) {
	allowed := prefixes("0.0.0.0/0", "::/0")
	const own = "a control socket of this node"
	tests := []struct{ name, listens, network, to, want string }{
		{"the API", "127.0.0.1:8053", "tcp", "127.0.0.1:8053", own},
		{"the API by tcp4", "127.0.0.1:8053", "tcp4", "127.0.0.1:8053", own},
		{"in IPv6 form", "127.0.0.1:8053", "tcp", "[::ffff:127.0.0.1]:8053", own},
		{"through NAT64", "127.0.0.1:8053", "tcp", "[64:ff9b::127.0.0.1]:8053", own},
		{"by no host's address", "127.0.0.1:8053", "tcp", "0.0.0.0:8053", own},
		{"by none in IPv6", "127.0.0.1:8053", "tcp", "[::]:8053", own},
		{"by none on an interface", "127.0.0.1:8053", "tcp", "[::%lo]:8053", own},
		{"by none in IPv6 form", "[::1]:8053", "tcp", "[::ffff:0.0.0.0]:8053", own},
		{"another port by none", "127.0.0.1:8053", "tcp", "0.0.0.0:8054", passed},
		{"another port", "127.0.0.1:8053", "tcp", "127.0.0.1:8054", passed},
		{"another address", "127.0.0.1:8053", "tcp", "127.0.0.2:8053", passed},
		{"another protocol", "127.0.0.1:8053", "udp", "127.0.0.1:8053", passed},
		{"a wildcard by loopback", "0.0.0.0:3009", "tcp", "127.0.0.9:3009", own},
		{"a wildcard in IPv6 form", "[::ffff:0.0.0.0]:3009", "tcp", "192.0.2.7:3009", own},
		{"a wildcard by an interface", "[::]:3009", "tcp", "192.0.2.7:3009", own},
		{"a wildcard by IPv6", "[::]:3009", "tcp", "[2001:db8::7]:3009", own},
		{"a wildcard, another machine", "[::]:3009", "tcp", "192.0.2.8:3009", passed},
		{"a port that is not known yet", "127.0.0.1:0", "tcp", "127.0.0.1:0", passed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := New(Options{Allow: allowed, Own: addressPorts(test.listens), LocalAddresses: local("192.0.2.7", "2001:db8::7")})
			wantRefusal(t, g.Check(test.network, netip.MustParseAddrPort(test.to)), test.want)
		})
	}
	t.Run("interfaces that cannot be listed", func(t *testing.T) {
		g := New(Options{Own: addressPorts("[::]:3009"), LocalAddresses: func() ([]netip.Addr, error) { return nil, errors.New("no") }})
		wantRefusal(t, g.Check("tcp", netip.MustParseAddrPort("192.0.2.8:3009")), own)
		wantRefusal(t, g.Check("tcp", netip.MustParseAddrPort("192.0.2.8:3010")), passed)
	})
	t.Run("bound later", func(t *testing.T) {
		g := New(Options{Own: addressPorts("127.0.0.1:0")})
		g.SetOwn(addressPorts("127.0.0.1:40001"))
		wantRefusal(t, g.Check("tcp", netip.MustParseAddrPort("127.0.0.1:40001")), own)
	})
	t.Run("the machine's own interfaces", func(t *testing.T) {
		g := New(Options{Own: addressPorts("[::]:3009")})
		addresses, err := interfaceAddresses()
		if err != nil {
			t.Skipf("interfaces cannot be listed: %v", err)
		}
		for _, a := range addresses {
			if err := g.Check("tcp", netip.AddrPortFrom(a, 3009)); err == nil {
				t.Errorf("%v is let through", a)
			}
		}
	})
}

func TestCheckDoesNotAllocate(t *testing.T) {
	g := New(Options{Allow: prefixes("169.254.0.0/16"), Deny: prefixes("192.0.2.128/25"), Own: addressPorts("127.0.0.1:8053", "[::]:3009")})
	for _, to := range addressPorts("198.51.100.1:80", "[2001:db8::1]:443", "[64:ff9b::198.51.100.1]:80", "127.0.0.1:8080") {
		if got := testing.AllocsPerRun(100, func() {
			if g.Check("tcp", to) != nil {
				t.Fatalf("%v is refused", to)
			}
		}); got != 0 {
			t.Errorf("%v: %v allocations, want none", to, got)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	g := New(Options{Deny: prefixes("192.0.2.128/25"), Own: addressPorts("127.0.0.1:8053", "[::]:3009")})
	to := netip.MustParseAddrPort("198.51.100.1:80")
	b.ReportAllocs()
	for b.Loop() {
		if g.Check("tcp", to) != nil {
			b.Fatal("refused")
		}
	}
}
