package config

import (
	"net/netip"
	"testing"
)

func TestDeniedByDefault(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":          "",
		"10.0.0.1":           "",
		"127.0.0.1":          "",
		"::1":                "",
		"fd00::1":            "",
		"2001:db8::1":        "",
		"169.254.169.254":    "the metadata service of a cloud",
		"100.100.100.200":    "the metadata service of a cloud",
		"fd00:ec2::254":      "the metadata service of a cloud",
		"169.254.1.1":        "a link-local address",
		"::ffff:169.254.1.1": "a link-local address",
		"fe80::1%eth0":       "a link-local address",
		"febf::1":            "a link-local address",
		"fec0::1":            "",
		"0.1.2.3":            "no host's address",
		"::":                 "no host's address",
		"239.1.1.1":          "a multicast address",
		"ff02::1":            "a multicast address",
		"255.255.255.255":    "the broadcast address",
	} {
		if got, metadata := DeniedByDefault(netip.MustParseAddr(address)); got != want || metadata != (want == "the metadata service of a cloud") {
			t.Errorf("%s: got %q (metadata %v), want %q", address, got, metadata, want)
		}
	}
}

func TestStandsFor(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":                   "",
		"2001:db8::192.0.2.1":         "",
		"::":                          "",
		"::1":                         "",
		"::ffff:192.0.2.1":            "192.0.2.1",
		"::192.0.2.1":                 "192.0.2.1",
		"::ffff:0:192.0.2.1":          "192.0.2.1",
		"64:ff9b::169.254.169.254":    "169.254.169.254",
		"64:ff9b:0:1::192.0.2.1":      "",
		"64:ff9b:1::169.254.169.254":  "169.254.169.254",
		"64:ff9b:1:2::127.0.0.1":      "127.0.0.1",
		"2002:a9fe:a9fe::1":           "169.254.169.254",
		"64:ff9b::169.254.169.254%e0": "169.254.169.254",
	} {
		got := StandsFor(netip.MustParseAddr(address))
		if want == "" && got.IsValid() || want != "" && got != netip.MustParseAddr(want) {
			t.Errorf("%s: got %v, want %q", address, got, want)
		}
	}
}
