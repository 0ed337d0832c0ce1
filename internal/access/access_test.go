package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMay(t *testing.T) {
	web, prodWeb := map[string]string{"team": "web"}, map[string]string{"team": "web", "env": "prod"}
	dns := map[string]string{"team": "dns"}
	for _, c := range []struct {
		name   string
		who    Identity
		action Action
		labels []map[string]string
		want   Reason
	}{
		{"nobody, public", Identity{}, Public, nil, ""},
		{"nobody reads", Identity{}, Read, nil, NoCredentials},
		{"viewer reads", Identity{Role: Viewer}, Read, nil, ""},
		{"viewer operates", Identity{Role: Viewer}, Operate, nil, RoleTooSmall},
		{"operator operates", Identity{Role: Operator}, Operate, nil, ""},
		{"operator writes", Identity{Role: Operator}, Write, nil, RoleTooSmall},
		{"operator administers", Identity{Role: Operator}, Administer, nil, RoleTooSmall},
		{"admin administers", Identity{Role: Admin}, Administer, nil, ""},
		{"admin does what has no name", Identity{Role: Admin}, Action(99), nil, ""},
		{"operator does what has no name", Identity{Role: Operator}, Action(99), nil, RoleTooSmall},
		{"limited reads", Identity{Role: Viewer, Labels: web}, Read, nil, ""},
		{"limited writes its own", Identity{Role: Admin, Labels: web}, Write, []map[string]string{prodWeb, prodWeb}, ""},
		{"limited writes another's", Identity{Role: Admin, Labels: web}, Write, []map[string]string{dns, dns}, OutsideLabels},
		{"limited gives it away", Identity{Role: Admin, Labels: web}, Write, []map[string]string{prodWeb, dns}, OutsideLabels},
		{"limited takes it", Identity{Role: Admin, Labels: web}, Write, []map[string]string{dns, prodWeb}, OutsideLabels},
		{"limited makes one without labels", Identity{Role: Admin, Labels: web}, Write, []map[string]string{nil}, OutsideLabels},
		{"limited to two, has one", Identity{Role: Admin, Labels: prodWeb}, Write, []map[string]string{web}, OutsideLabels},
		{"limited writes the whole", Identity{Role: Admin, Labels: web}, Write, nil, OutsideLabels},
		{"limited administers", Identity{Role: Admin, Labels: web}, Administer, []map[string]string{web}, OutsideLabels},
		{"an empty value is not an absent one", Identity{Role: Admin, Labels: map[string]string{"x": ""}}, Write, []map[string]string{web}, OutsideLabels},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.who.May(c.action, c.labels...)
			var refusal *Refusal
			if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &refusal) || refusal.Reason != c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if got := From(t.Context()); got.Role != NoRole {
		t.Errorf("a context that says nothing: %+v", got)
	}
}

func TestSecret(t *testing.T) {
	a, b := newSecret(), newSecret()
	if a == b || len(a) != tokenLength || !strings.HasPrefix(a, "flt_") {
		t.Fatalf("got %q and %q", a, b)
	}
	sum, refusal := readSecret(a)
	if refusal != nil || sum == (digest{}) {
		t.Fatalf("got %v", refusal)
	}
	for i := range a {
		changed := []byte(a)
		if changed[i] = 'A'; a[i] == 'A' {
			changed[i] = 'B'
		}
		if _, refusal := readSecret(string(changed)); refusal == nil || refusal.Reason != MistypedToken {
			t.Errorf("character %d changed: %v", i, refusal)
		}
	}
}

// create makes a token that the test needs.
func create(t *testing.T, path string, s TokenSpec) string {
	t.Helper()
	secret, _, err := Create(path, s, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func request(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/", nil)
	r.RemoteAddr = "192.0.2.1:1"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func TestCreateAndRevoke(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "tokens.json")
	secret := create(t, path, TokenSpec{Name: "ci", Role: Operator, Labels: map[string]string{"team": "web"}, CreatedBy: "me"})
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), secret) || strings.Contains(string(text), secret[4:20]) {
		t.Errorf("the file has the token: %s, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	now := time.Now()
	for name, c := range map[string]struct {
		spec TokenSpec
		want string
	}{
		"taken":       {TokenSpec{Name: "ci", Role: Viewer}, "exists"},
		"no role":     {TokenSpec{Name: "x"}, "no role"},
		"bad name":    {TokenSpec{Name: "a b", Role: Viewer}, "contains"},
		"over":        {TokenSpec{Name: "x", Role: Viewer, Expires: now.Add(-time.Second)}, "expired"},
		"bad label":   {TokenSpec{Name: "x", Role: Viewer, Labels: map[string]string{"": "x"}}, "label"},
		"many labels": {TokenSpec{Name: "x", Role: Viewer, Labels: many(config.MaxLabels + 1)}, "limit"},
	} {
		if _, _, err := Create(path, c.spec, now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	g, err := New(Options{TokensFile: path})
	if err != nil {
		t.Fatal(err)
	}
	who, err := g.Authenticate(request(secret))
	if err != nil || who.Name != "ci" || who.Kind != ByToken || who.Role != Operator || who.Labels["team"] != "web" {
		t.Errorf("got %+v, %v", who, err)
	}
	if g.Used(who.TokenID).IsZero() {
		t.Error("its use was not noted")
	}
	if _, err := g.Revoke("none"); !errors.Is(err, ErrNoSuchToken) {
		t.Errorf("got %v, want ErrNoSuchToken", err)
	}
	if gone, err := g.Revoke(who.TokenID); err != nil || gone.Name != "ci" {
		t.Errorf("got %+v, %v", gone, err)
	}
	var refusal *Refusal
	if _, err := g.Authenticate(request(secret)); !errors.As(err, &refusal) || refusal.Reason != UnknownToken {
		t.Errorf("after it was revoked: %v", err)
	}
}

func many(n int) map[string]string {
	out := map[string]string{}
	for i := range n {
		out["k"+strings.Repeat("x", i)] = "v"
	}
	return out
}

// TestManyCommandsAtOnce loses no token when several are made at the same moment.
func TestManyCommandsAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	var group sync.WaitGroup
	for i := range 10 {
		group.Go(func() {
			if _, _, err := Create(path, TokenSpec{Name: "t" + strings.Repeat("x", i), Role: Viewer}, time.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if tokens, err := List(path); err != nil || len(tokens) != 10 {
		t.Errorf("got %d tokens, %v", len(tokens), err)
	}
}

func TestExpiry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	now := time.Now()
	secret, _, err := Create(path, TokenSpec{Name: "ci", Role: Viewer, Expires: now.Add(time.Hour)}, now)
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(Options{TokensFile: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.authenticate(request(secret), now.Add(59*time.Minute)); err != nil {
		t.Errorf("before its end: %v", err)
	}
	var refusal *Refusal
	if _, err := g.authenticate(request(secret), now.Add(time.Hour)); !errors.As(err, &refusal) || refusal.Reason != ExpiredToken {
		t.Errorf("at its end: %v", err)
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	good := `{"id":"a","name":"a","sha256":"` + strings.Repeat("00", 32) + `","role":"viewer","created":"2030-01-01T00:00:00Z"}`
	second := strings.ReplaceAll(good, `"a"`, `"b"`)
	for name, c := range map[string]struct{ text, want string }{
		"a list":        {`[]`, "unmarshal"},
		"version":       {`{"version":2,"tokens":[]}`, "version 2"},
		"unknown key":   {`{"version":1,"tokens":[` + strings.Replace(good, `"role"`, `"lables":{},"role"`, 1) + `]}`, "lables"},
		"unknown role":  {`{"version":1,"tokens":[` + strings.Replace(good, "viewer", "root", 1) + `]}`, "unknown role"},
		"short hash":    {`{"version":1,"tokens":[` + strings.Replace(good, "00", "", 1) + `]}`, "64 hexadecimal"},
		"bad name":      {`{"version":1,"tokens":[` + strings.Replace(good, `"name":"a"`, `"name":"a b"`, 1) + `]}`, "name"},
		"same hash":     {`{"version":1,"tokens":[` + good + `,` + second + `]}`, "another one"},
		"something":     {`{"version":1,"tokens":[]} x`, "behind"},
		"name is an id": {`{"version":1,"tokens":[` + good + `,` + strings.Replace(strings.Replace(good, `"id":"a"`, `"id":"b"`, 1), "00", "01", 1) + `]}`, "another one"},
	} {
		if _, err := parseTokens([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if k, err := parseTokens([]byte(`{"version":1,"tokens":[` + good + `]}`)); err != nil || len(k.tokens) != 1 {
		t.Errorf("a good one: %v", err)
	}
}

// TestFollow reads a file that changes, keeps what it had when that cannot be used, and keeps when tokens were used.
func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	synctest.Test(t, func(t *testing.T) {
		first := create(t, path, TokenSpec{Name: "first", Role: Viewer})
		core, logs := observer.New(zap.InfoLevel)
		g, err := New(Options{TokensFile: path, Logger: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- g.Run(ctx) }()
		second := create(t, path, TokenSpec{Name: "second", Role: Viewer})
		time.Sleep(followInterval + time.Second)
		if _, err := g.Authenticate(request(second)); err != nil {
			t.Errorf("the new token: %v", err)
		}
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * followInterval)
		if _, err := g.Authenticate(request(first)); err != nil {
			t.Errorf("after a broken file: %v", err)
		}
		if n := logs.FilterMessage("access.tokens_rejected").Len(); n != 1 {
			t.Errorf("%d lines about the same broken file, want 1", n)
		}
		time.Sleep(keepInterval)
		text, err := os.ReadFile(path + usedSuffix)
		if err != nil || strings.Count(string(text), "t-") != 2 || strings.Contains(string(text), first) {
			t.Errorf("when they were used: %s, %v", text, err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// certificate makes a client certificate.
func certificate(t *testing.T, subject pkix.Name, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject, NotAfter: time.Now().Add(time.Hour)}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSubjects(t *testing.T) {
	uri, err := url.Parse("spiffe://example.com/ops")
	if err != nil {
		t.Fatal(err)
	}
	c := certificate(t, pkix.Name{CommonName: "ops", Organization: []string{"Example, Inc."}}, func(c *x509.Certificate) {
		c.URIs, c.DNSNames, c.EmailAddresses = []*url.URL{uri}, []string{"ops.example.com"}, []string{"ops@example.com"}
	})
	for _, s := range []struct {
		subject config.APISubject
		want    bool
	}{
		{config.APISubject{Subject: `CN=ops,O=Example\, Inc.`}, true},
		{config.APISubject{Subject: `CN=ops,  O=Example\, Inc.`}, true},
		{config.APISubject{Subject: `CN=ops`}, false},
		{config.APISubject{Subject: `CN=OPS,O=Example\, Inc.`}, false},
		{config.APISubject{SAN: "spiffe://example.com/ops"}, true},
		{config.APISubject{SAN: "spiffe://example.com/op"}, false},
		{config.APISubject{SAN: "ops.example.com"}, true},
		{config.APISubject{SAN: "OPS.example.com"}, true},
		{config.APISubject{SAN: "example.com"}, false},
		{config.APISubject{SAN: "ops@example.com"}, true},
		{config.APISubject{SAN: "ops"}, false}, // a common name is no SAN
		{config.APISubject{}, false},
	} {
		s.subject.Role = "operator"
		g, err := New(Options{Subjects: []config.APISubject{s.subject}})
		if err != nil {
			t.Fatal(err)
		}
		r := request("")
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
		if who, err := g.Authenticate(r); err != nil || who.Kind != ByNothing {
			t.Errorf("a certificate that was not verified: %+v, %v", who, err)
		}
		r.TLS.VerifiedChains = [][]*x509.Certificate{{c}}
		who, err := g.Authenticate(r)
		if got := err == nil && who.Kind == ByCertificate && who.Role == Operator; got != s.want {
			t.Errorf("%+v: got %+v, %v, want %v", s.subject, who, err, s.want)
		}
		var refusal *Refusal
		if who, err := g.authenticate(r, c.NotAfter.Add(time.Second)); !errors.As(err, &refusal) || refusal.Reason != UnknownCertificate {
			t.Errorf("%+v: after the certificate has expired on a connection that goes on: %+v, %v", s.subject, who, err)
		}
	}
}

func TestMeters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeters(10, 20)
		take := func(key string, n int) (taken int) {
			for range n {
				if m.take(key, time.Now()) {
					taken++
				}
			}
			return taken
		}
		if got := take("a", 30); got != 20 {
			t.Errorf("at once: %d, want 20", got)
		}
		if got := take("b", 5); got != 5 {
			t.Errorf("another: %d, want 5", got)
		}
		time.Sleep(time.Second)
		if got := take("a", 30); got != 10 {
			t.Errorf("after a second: %d, want 10", got)
		}
		for i := range 2 * maxMeters {
			m.take(string(rune(i))+"x", time.Now())
		}
		if len(m.of) > maxMeters {
			t.Errorf("%d meters, the limit is %d", len(m.of), maxMeters)
		}
		time.Sleep(time.Minute)
		m.take("new", time.Now())
		if len(m.of) > 10 {
			t.Errorf("%d meters are kept that nobody needs", len(m.of))
		}
	})
}

func FuzzSecret(f *testing.F) {
	f.Add(newSecret())
	f.Add("flt_")
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, text string) {
		sum, refusal := readSecret(text)
		if (refusal == nil) != (sum != digest{}) {
			t.Errorf("%q: digest %v and refusal %v", text, sum, refusal)
		}
		if refusal == nil && checksum(text[:len(text)-6]) != text[len(text)-6:] {
			t.Errorf("%q is taken with a wrong checksum", text)
		}
	})
}

func FuzzTokensFile(f *testing.F) {
	f.Add([]byte(`{"version":1,"tokens":[{"id":"a","name":"b","sha256":"` + strings.Repeat("0f", 32) + `","role":"admin","labels":{"team":"web"},"created":"2030-01-01T00:00:00Z"}]}`))
	f.Add([]byte(`{"version":1,"tokens":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := parseTokens(text)
		if err != nil {
			return
		}
		if len(k.by) != len(k.tokens) {
			t.Errorf("%d tokens, %d hashes", len(k.tokens), len(k.by))
		}
		for i := range k.tokens {
			if _, err := ParseRole(k.tokens[i].Role); err != nil {
				t.Error(err)
			}
		}
	})
}
