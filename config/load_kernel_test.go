package config

import "testing"

func TestParseLocalEnd(t *testing.T) {
	for text, want := range map[string]string{
		":80": "invalid AddrPort", "192.0.2.1:80": "192.0.2.1:80", "[2001:db8::1]:80": "[2001:db8::1]:80", "2001:db8::1:80": "[2001:db8::1]:80",
		"[::ffff:192.0.2.1]:80": "192.0.2.1:80", "": "error", ":": "error", "80": "error", "192.0.2.1": "error", "192.0.2.1:0": "error", "192.0.2.1:65536": "error",
		"[fe80::1%eth0]:80": "error", "fe80::1%eth0:80": "error", "localhost:80": "error", ":http": "error", ":-1": "error",
	} {
		at, err := ParseLocalEnd(text)
		got := at.String()
		if err != nil {
			got = "error"
		}
		if got != want || err == nil && at.Port() != 80 {
			t.Errorf("%q: got %s port %d, want %s", text, got, at.Port(), want)
		}
	}
}

func TestParseIPVSService(t *testing.T) {
	for text, want := range map[string]string{
		"tcp 192.0.2.80:80": "tcp 192.0.2.80:80 0", "UDP  [2001:db8::1]:53": "udp [2001:db8::1]:53 0", "fwmark 7": "fwmark invalid AddrPort 7",
		"tcp": "error", "tcp :80": "error", "icmp 192.0.2.80:80": "error", "fwmark 0": "error", "fwmark 4294967296": "error", "tcp 192.0.2.80:80 rr": "error",
	} {
		s, err := ParseIPVSService(text)
		got := s.Protocol + " " + s.Address.String() + " " + string(rune('0'+s.Mark))
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}
