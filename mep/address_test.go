package mep

import (
	"strings"
	"testing"
	"time"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"192.0.2.1", "192.0.2.1:3009"},
		{"192.0.2.1:5", "192.0.2.1:5"},
		{"2001:db8::1", "[2001:db8::1]:3009"},
		{"[2001:db8::1]", "[2001:db8::1]:3009"},
		{"[2001:DB8:0::1]:77", "[2001:db8::1]:77"},
		{"::ffff:192.0.2.1", "192.0.2.1:3009"},
		{"MEP.example.com", "mep.example.com:3009"},
		{"mep.example.com:1", "mep.example.com:1"},
		{"", "no host"},
		{":3009", "no host"},
		{"host:0", "not a number from 1 to 65535"},
		{"host:65536", "not a number"},
		{"host:http", "not a number"},
		{"a:b:c", "too many colons"},
	} {
		a, err := parseAddress(c.in)
		got := a.String()
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || !strings.Contains(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestWhoDials(t *testing.T) {
	for _, c := range []struct{ low, high string }{
		{"192.0.2.9", "192.0.2.10"}, // bytes, not text
		{"192.0.2.9:9999", "192.0.2.10:1"},
		{"255.255.255.255", "::1"}, // IPv4 before IPv6
		{"2001:db8::9", "2001:db8::10"},
		{"ffff::1", "a.example.com"}, // names last
		{"a.example.com", "B.example.com"},
		{"192.0.2.1:80", "192.0.2.1:443"},
		{"::ffff:10.0.0.1", "10.0.0.2"},
	} {
		up, err := Opens(Peer{Site: "zzz", Address: c.low}, Peer{Site: "aaa", Address: c.high})
		down, err2 := Opens(Peer{Site: "aaa", Address: c.high}, Peer{Site: "zzz", Address: c.low})
		if !up || down || err != nil || err2 != nil {
			t.Errorf("%s and %s: got %v and %v (%v, %v), want the first to dial", c.low, c.high, up, down, err, err2)
		}
	}
	if a, _ := Opens(Peer{Site: "ams", Address: "10.0.0.1"}, Peer{Site: "nyc", Address: "10.0.0.1:3009"}); !a {
		t.Error("equal addresses: want the lower name to dial")
	}
	if _, err := Opens(Peer{Site: "ams", Address: "10.0.0.1"}, Peer{Site: "nyc", Address: ":x"}); err == nil {
		t.Error("bad address: got no error")
	}
}

func TestSessionIDIsTheSameAtBothEndsAndGrows(t *testing.T) {
	hello := func(site string, incarnation, connection uint64) Hello {
		return Hello{Site: site, Incarnation: incarnation, Connection: connection}
	}
	first := newSessionID(hello("ams", 5, 1), hello("nyc", 9, 8))
	if again := newSessionID(hello("nyc", 9, 8), hello("ams", 5, 1)); again != first {
		t.Errorf("from the other end: got %v, want %v", again, first)
	}
	for name, id := range map[string]sessionID{
		"later connection of ams": newSessionID(hello("ams", 5, 2), hello("nyc", 9, 3)),
		"restarted ams":           newSessionID(hello("ams", 6, 1), hello("nyc", 9, 8)),
		"restarted nyc":           newSessionID(hello("ams", 5, 1), hello("nyc", 10, 1)),
	} {
		if !id.newer(first) || first.newer(id) {
			t.Errorf("%s: %v is not newer than %v", name, id, first)
		}
	}
	if first.newer(first) {
		t.Error("a session is newer than itself")
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	for i, want := range []time.Duration{250, 500, 1000, 2000, 4000, 5000, 5000} {
		if got := b.next(); got != want*time.Millisecond {
			t.Errorf("wait %d: got %v, want %v", i, got, want*time.Millisecond)
		}
	}
	b.reset()
	if got := b.next(); got != backoffFirst {
		t.Errorf("after reset: got %v, want %v", got, backoffFirst)
	}
	x := newTestSite(t, newMemNet(), "ams", "10.0.0.1", nil)
	for range 1000 {
		if got := x.jitter(time.Second); got < time.Second/2 || got > time.Second {
			t.Fatalf("jitter: got %v, want 500 ms to 1 s", got)
		}
	}
}

func TestOptionsAndPeersAreChecked(t *testing.T) {
	good := Options{Site: "ams", Insecure: true, Services: func() []ServiceRecord { return nil }, Receive: func(Event) {}}
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"site", func(o *Options) { o.Site = "a b" }, `site "a b" is not a name`},
		{"nothing to prove it", func(o *Options) { o.Insecure = false }, "no certificate"},
		{"both", func(o *Options) { o.TLS = &Identity{} }, "both a certificate and insecure"},
		{"services", func(o *Options) { o.Services = nil }, "no Services"},
		{"interval", func(o *Options) { o.MetricsInterval = time.Millisecond }, "metrics interval 1ms"},
		{"timeout", func(o *Options) { o.KeepaliveTimeout = time.Second }, "keepalive timeout 1s"},
	} {
		o := good
		c.change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	x, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	self := Peer{Site: "ams", Address: "10.0.0.1"}
	for _, c := range []struct {
		name  string
		self  Peer
		peers []Peer
		want  string
	}{
		{"other self", Peer{Site: "nyc", Address: "10.0.0.1"}, nil, `called for site "nyc"`},
		{"own address", Peer{Site: "ams", Address: ""}, nil, "no host"},
		{"name", self, []Peer{{Site: "", Address: "10.0.0.2"}}, "is not a name"},
		{"twice", self, []Peer{{Site: "nyc", Address: "10.0.0.2"}, {Site: "nyc", Address: "10.0.0.3"}}, "named twice"},
		{"address", self, []Peer{{Site: "nyc", Address: "10.0.0.2:x"}}, "not a number"},
	} {
		if err := x.SetPeers(c.self, c.peers); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	if len(x.Peers()) != 0 {
		t.Errorf("peers after refusals: got %v, want none", x.Peers())
	}
}
