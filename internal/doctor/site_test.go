package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/api/client"
	"fairlead/config/store"
	"fairlead/internal/access"
	"fairlead/internal/pki"
	"fairlead/internal/testkit/loopback"
	"fairlead/mep"
)

// site is a node's files in a directory.
type site struct {
	dir, file string
}

func (s site) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const siteDocument = `zones: [{name: example.test, nameservers: [ns.example.net]}]
sites: [{name: ams, address: 192.0.2.10}, {name: nyc, address: 198.51.100.10}]
services: [{name: web, site: ams, addresses: [192.0.2.80]}]
virtual_servers: [{name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: web}]}]
`

// newSite writes the files of a node with which nothing is wrong. more is added to its node file.
func newSite(t *testing.T, validity time.Duration, more string) site {
	t.Helper()
	s := site{dir: t.TempDir()}
	authority := filepath.Join(s.dir, "pki")
	if err := pki.Init(authority, pki.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ams", "nyc", "lon"} {
		if _, err := pki.Issue(authority, name, pki.Options{Validity: validity}); err != nil {
			t.Fatal(err)
		}
	}
	s.write(t, "gslb.yaml", siteDocument)
	s.file = s.write(t, "node.yaml", fmt.Sprintf(`site: ams
data_dir: data
config: {follow: gslb.yaml}
dns: {listen: ["127.0.0.1:%d"]}
mep: {listen: "127.0.0.1:%d", tls: {cert: pki/ams.crt, key: pki/ams.key, ca: pki/ca.crt}}
`, loopback.Port(t), loopback.Port(t))+more)
	return s
}

// nyc is the other site: it takes connections with a certificate.
func (s site) nyc(t *testing.T, certificate string) func(ctx context.Context, network, address string) (net.Conn, error) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(s.dir, "pki", certificate+".crt"), filepath.Join(s.dir, "pki", certificate+".key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{mep.ALPN}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake()
			_, _ = c.Write([]byte{0})
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != "198.51.100.10:3009" {
			return nil, fmt.Errorf("nobody is at %s", address)
		}
		return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
	}
}

func examined(r *Report, check string) (list []Check) {
	for _, c := range r.Checks {
		if c.Check == check {
			list = append(list, c)
		}
	}
	return list
}

// tree is the names, sizes and modes below a directory.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			fmt.Fprintln(&b, path, info.Size(), info.Mode(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestSite breaks one thing of a site after the other.
func TestSite(t *testing.T) {
	for _, tt := range []struct {
		name     string
		validity time.Duration
		more     string // of the node file
		other    string // whose certificate nyc shows; empty: its own
		change   func(t *testing.T, s site)
		check    string
		want     string
	}{
		{name: "peer", check: "peers", want: "ok takes connections, is this site, and trusts"},
		{name: "data directory to come", check: "data-dir", want: "ok it is made at the first start"},
		{name: "no store", check: "store", want: "skipped there is none yet"},
		{name: "sockets", check: "sockets", want: "ok free for this node"},
		{name: "certificate", check: "certificates", want: "ok fairlead://site/ams: its key fits, 364 days left"},
		{name: "document", check: "document", want: "ok 1 zone, 2 sites, 1 service, 1 virtual server"},
		{name: "wrong peer", other: "lon", check: "peers", want: `failed the certificate there is of site "lon"`},
		{name: "certificate ends", validity: 72 * time.Hour, check: "certificates", want: "warning it expires on"},
		{name: "expired", validity: time.Millisecond, check: "certificates", want: "failed it expired on"},
		{name: "another site's", check: "certificates", want: `failed it is of site "nyc", this node is of site "ams"`, change: func(t *testing.T, s site) {
			for _, end := range []string{".crt", ".key"} {
				if err := os.Rename(filepath.Join(s.dir, "pki", "nyc"+end), filepath.Join(s.dir, "pki", "ams"+end)); err != nil {
					t.Fatal(err)
				}
			}
		}, other: "lon"},
		{name: "a key for everyone", check: "secrets", want: "warning has mode 0644", change: func(t *testing.T, s site) {
			if err := os.Chmod(filepath.Join(s.dir, "pki", "ams.key"), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "no document", check: "configuration", want: "failed no such file", change: func(t *testing.T, s site) { _ = os.Remove(filepath.Join(s.dir, "gslb.yaml")) }},
		{name: "broken document", check: "configuration", want: "failed unknown method", change: func(t *testing.T, s site) {
			s.write(t, "gslb.yaml", strings.Replace(siteDocument, "round-robin", "leastconn", 1))
		}},
		{name: "a file as data directory", check: "data-dir", want: "failed it is not a directory", change: func(t *testing.T, s site) { s.write(t, "data", "x") }},
		{name: "good store", check: "store", want: "ok every page and record was read", change: func(t *testing.T, s site) { makeStore(t, s) }},
		{name: "damaged store", check: "store", want: "failed", change: func(t *testing.T, s site) {
			makeStore(t, s)
			s.write(t, "data/"+store.FileName, strings.Repeat("x", 1<<16))
		}},
		{name: "once damaged", check: "store", want: "warning 1 damaged store kept aside", change: func(t *testing.T, s site) {
			makeStore(t, s)
			s.write(t, "data/"+store.FileName+".damaged-20260101T000000Z", "x")
		}},
		{name: "token ends", more: "api: {tokens_file: tokens.json}\n", check: "tokens", want: "warning it expires on", change: func(t *testing.T, s site) { makeToken(t, s, time.Hour) }},
		{name: "token ended", more: "api: {tokens_file: tokens.json}\n", check: "tokens", want: "warning no token in it is valid", change: func(t *testing.T, s site) { makeToken(t, s, -time.Hour) }},
		{name: "not an address of this machine", more: "api: {listen: \"127.0.0.1:0\"}\n", check: "sockets", want: "skipped it is not one address with a port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.validity == 0 {
				tt.validity = 365 * 24 * time.Hour
			}
			if tt.other == "" {
				tt.other = "nyc"
			}
			s := newSite(t, tt.validity, tt.more)
			dial := s.nyc(t, tt.other)
			if tt.change != nil {
				tt.change(t, s)
			}
			before := tree(t, s.dir)
			r := Run(t.Context(), Options{Config: s.file, Dial: dial, ResolvConf: "/no/such/file", Timeout: 8 * time.Second})
			if got := examined(r, tt.check); !has(got, tt.want) {
				t.Errorf("there is no %q in\n%v", tt.want, got)
			}
			if r.Site != "ams" || r.Failed() != (r.Counts[Failed] > 0) {
				t.Errorf("site %q, counts %v", r.Site, r.Counts)
			}
			if after := tree(t, s.dir); after != before {
				t.Errorf("files were changed:\n%s\n%s", before, after)
			}
		})
	}
}

func makeStore(t *testing.T, s site) {
	t.Helper()
	opened, err := store.Open(filepath.Join(s.dir, "data"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
}

func makeToken(t *testing.T, s site, left time.Duration) {
	t.Helper()
	now := time.Now()
	if left < 0 {
		now = now.Add(2 * left)
		left = -left
	}
	if _, _, err := access.Create(filepath.Join(s.dir, "tokens.json"), access.TokenSpec{Name: "a", Role: access.Viewer, Expires: now.Add(left)}, now); err != nil {
		t.Fatal(err)
	}
}

// TestTakenPort names who has an address that the node wants.
func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newSite(t, time.Hour, fmt.Sprintf("api: {listen: %q}\n", l.Addr()))
	r := Run(t.Context(), Options{Config: s.file, Dial: s.nyc(t, "nyc"), ResolvConf: "/no/such/file", Timeout: 8 * time.Second})
	if got := examined(r, "sockets"); !has(got, "failed it is taken by ") {
		t.Errorf("got %v", got)
	}
}

// TestTakenByWhom knows the node that answers from other processes, and says so when it cannot.
func TestTakenByWhom(t *testing.T) {
	for _, tt := range []struct {
		name string
		here runner
		who  string
		want bool
	}{
		{"nothing runs", runner{}, "fairlead (process 7)", false},
		{"the node", runner{running: true, process: "fairlead (process 7)"}, "fairlead (process 7)", true},
		{"the node, of another user", runner{running: true}, "", true},
		{"another node", runner{running: true, process: "fairlead (process 7)"}, "fairlead (process 8)", false},
		{"another program", runner{running: true}, "named (process 8)", false},
		{"a node whose API is elsewhere", runner{running: true}, "fairlead (process 8)", true},
		{"another site's node", runner{other: "nyc"}, "fairlead (process 8)", false},
	} {
		if got := tt.here.serves(tt.who); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := &findings{check: "sockets"}
	if at := netip.MustParseAddrPort(l.Addr().String()); f.socket("mep.listen", "tcp", at, runner{running: true, process: "fairlead (process 1)"}) || !has(f.all(), "failed it is taken by ") {
		t.Errorf("this test's socket is taken for the node's: %v", f.all())
	}
}

// TestWildcards: DNS takes IPv4 and IPv6 on sockets of their own, the others on one.
func TestWildcards(t *testing.T) {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(l.Addr().(*net.TCPAddr).Port))
	if probe, err := net.Listen("tcp6", at.String()); err != nil {
		t.Skip("no IPv6 here:", err)
	} else {
		_ = probe.Close()
	}
	for subject, want := range map[string]bool{"dns.listen": true, "mep.listen": false} {
		f := &findings{check: "sockets"}
		if got := f.socket(subject, "tcp", at, runner{}); got != want {
			t.Errorf("%s: free %v, want %v: %v", subject, got, want, f.all())
		}
	}
}

// TestEtcd asks members that are well, ill, and something else.
func TestEtcd(t *testing.T) {
	member := func(status int, text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = w.Write([]byte(text)) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	good, ill, other := member(200, `{"health":"true"}`), member(503, `{"health":"false","reason":"NOSPACE"}`), member(200, "<html>")
	s := newSite(t, time.Hour, "")
	text, _ := os.ReadFile(s.file)
	for _, tt := range []struct {
		name, members string
		want          []string
	}{
		{"all kinds", good + ", " + ill + ", " + other, []string{"ok it is healthy", "warning it says that it is not healthy: NOSPACE", "warning what answers is no member"}},
		{"none", ill, []string{"failed no member is healthy"}},
	} {
		s.write(t, "node.yaml", strings.Replace(string(text), "{follow: gslb.yaml}", "{seed: gslb.yaml, store: {etcd: {endpoints: ["+tt.members+"]}}}", 1))
		r := Run(t.Context(), Options{Config: s.file, ResolvConf: "/no/such/file", Timeout: 8 * time.Second, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasPrefix(address, "198.") {
				return nil, fmt.Errorf("nobody is at %s", address)
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}})
		for _, want := range tt.want {
			if got := examined(r, "etcd"); !has(got, want) {
				t.Errorf("%s: there is no %q in %v", tt.name, want, got)
			}
		}
	}
}

// TestRunning asks a node that has everything to complain of, and one that says nonsense.
func TestRunning(t *testing.T) {
	answers := map[string]string{
		"/v1/version":         `{"version": "v9.9.9 go1", "site": "nyc"}`,
		"/v1/status/sites":    `{"sites": [{"name": "lon", "agreement": {"state": "differs", "causes": [{"cause": "clock", "objects": []}]}}], "alarm": "it lost sight of everything", "isolated": "it hears nobody"}`,
		"/v1/status/services": `{"services": [{"name": "web", "state": "UNKNOWN", "reason": "nobody said"}, {"name": "shop", "state": "DOWN", "reason": "timed out"}]}`,
		"/v1/status/document": `{"last_error": "unknown method"}`,
		"/v1/sync":            `{"mode": "seed", "conflicts": 2, "unavailable": "the disk is full", "damaged": "kept aside", "heads": [], "peers": [{"site": "lon", "connected": true, "behind": 3}], "quarantine": [{"from": "lon", "why": "5 minutes ahead"}]}`,
		"/v1/status/peers":    `{"peers": [{"site": "lon", "state": "up", "clock_skew_seconds": -400, "document": {"site": "lon", "version": "v0.1.0 go1"}}]}`,
		"/v1/config":          siteDocument,
	}
	ready, metrics := "[-] dns: no listener\n[+] document: in use\nnot ready\n", "fairlead_dns_panics_total 1\nfairlead_dns_udp_kernel_drops_total 12\nfairlead_dns_connections_refused_total{transport=\"tcp\"} 2\nnonsense\n"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch text, known := answers[r.URL.Path]; {
		case r.URL.Path == "/readyz":
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(ready))
		case r.URL.Path == "/metrics":
			_, _ = w.Write([]byte(metrics))
		case known:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(text))
		default:
			http.Error(w, "what?", http.StatusTeapot)
		}
	}))
	defer s.Close()
	c, err := client.New(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := Run(t.Context(), Options{API: c, Expected: true, ResolvConf: "/no/such/file", Version: "v1.0.0", Timeout: 8 * time.Second})
	for check, wants := range map[string][]string{
		"node":           {"warning it runs v9.9.9"},
		"ready":          {"failed dns: no listener"},
		"alarms":         {"warning it lost sight", "warning it hears nobody"},
		"services":       {"warning 1 service UNKNOWN: web (nobody said)", "warning 1 service DOWN: shop"},
		"document-sync":  {"failed the last document was refused: unknown method", "failed the disk is full", "warning kept aside", "warning 2 objects changed", "warning 5 minutes ahead", "warning it has 3 revisions"},
		"agreement":      {"warning it answers differently"},
		"clock":          {"failed its clock is 6m40s behind"},
		"counters":       {"failed 1 since", "warning 12 since", "warning 2 since"},
		"location-files": {"warning "},
	} {
		for _, want := range wants {
			if got := examined(r, check); !has(got, want) {
				t.Errorf("%s: there is no %q in %v", check, want, got)
			}
		}
	}
	for path := range answers {
		answers[path] = `{"site": 1}`
	}
	if r = Run(t.Context(), Options{API: c, Expected: true, ResolvConf: "/no/such/file", Timeout: 8 * time.Second}); !r.Failed() {
		t.Errorf("nonsense is not noticed: %v", r.Checks)
	}
}

// TestTime: what does not end is reported, and is not waited for.
func TestTime(t *testing.T) {
	s := newSite(t, time.Hour, "")
	block := make(chan struct{})
	defer close(block)
	began := time.Now()
	r := Run(t.Context(), Options{Config: s.file, ResolvConf: "/no/such/file", Timeout: 300 * time.Millisecond, Dial: func(context.Context, string, string) (net.Conn, error) {
		<-block
		return nil, x509.ErrUnsupportedAlgorithm
	}})
	if took := time.Since(began); took > 5*time.Second || !has(examined(r, "peers"), "warning it had not ended") {
		t.Errorf("after %v: %v", took, examined(r, "peers"))
	}
}

// TestPipes: files that nobody writes to are not waited for.
func TestPipes(t *testing.T) {
	for _, name := range []string{"node.yaml", "pki/ams.key", "gslb.yaml"} {
		s := newSite(t, time.Hour, "")
		pipe(t, filepath.Join(s.dir, name))
		began := time.Now()
		r := Run(t.Context(), Options{Config: s.file, ResolvConf: "/no/such/file", Timeout: 300 * time.Millisecond})
		if took := time.Since(began); took > 5*time.Second || !has(examined(r, "configuration"), "failed it, or a file that it names, was not read in time") {
			t.Errorf("%s: after %v: %v", name, took, r.Checks)
		}
	}
}

// TestLate: what did not answer because the time was up is not said to be broken.
func TestLate(t *testing.T) {
	s := newSite(t, time.Hour, "")
	text, _ := os.ReadFile(s.file)
	s.write(t, "node.yaml", strings.Replace(string(text), "{follow: gslb.yaml}", `{seed: gslb.yaml, store: {etcd: {endpoints: ["http://192.0.2.1:2379", "http://192.0.2.2:2379"]}}}`, 1))
	s.write(t, "gslb.yaml", strings.ReplaceAll(siteDocument, "example.test", "g.shop.org"))
	r := Run(t.Context(), Options{Config: s.file, Resolvers: []string{"192.0.2.53:53"}, Timeout: 600 * time.Millisecond, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	for _, check := range []string{"peers", "etcd", "delegation"} {
		got := examined(r, check)
		if !has(got, "warning it had not ended when the time was up") {
			t.Errorf("%s: got %v", check, got)
		}
		for _, c := range got {
			if c.Level == Failed {
				t.Errorf("said to be broken: %+v", c)
			}
		}
	}
}
