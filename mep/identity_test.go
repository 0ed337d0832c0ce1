package mep_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/internal/pki"
	"fairlead/mep"
)

func authority(t *testing.T) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func identity(t *testing.T, trusts, issuer *pki.Authority, site string, o pki.Options) *mep.Identity {
	t.Helper()
	p, err := issuer.Issue(site, o)
	if err != nil {
		t.Fatal(err)
	}
	ca := trusts.Cert()
	if issuer != trusts { // so that the site itself is content with what it has
		ca = append(append([]byte(nil), ca...), issuer.Cert()...)
	}
	id, err := mep.NewIdentity(p.Cert, p.Key, ca)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// site runs an exchange on loopback. Its events come on the channel, which is large enough for a test.
func site(t *testing.T, name string, id *mep.Identity) (*mep.Exchange, chan mep.Event) {
	t.Helper()
	events := make(chan mep.Event, 1000)
	x, err := mep.New(mep.Options{Site: name, TLS: id, Listen: "127.0.0.1:0", MetricsInterval: 100 * time.Millisecond,
		Services: func() []mep.ServiceRecord { return []mep.ServiceRecord{{Name: "web-" + name, State: mep.StateUp}} },
		Receive:  func(e mep.Event) { events <- e }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := x.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("site %s: Run: %v", name, err)
		}
	})
	return x, events
}

// join makes two exchanges peers of each other; a is told that it has the lower address, so it dials.
func join(t *testing.T, a, b *mep.Exchange, nameA, nameB string) {
	t.Helper()
	addrA, addrB := a.Addr().String(), b.Addr().String()
	if err := b.SetPeers(mep.Peer{Site: nameB, Address: "255.0.0.1"}, []mep.Peer{{Site: nameA, Address: addrA}}); err != nil {
		t.Fatal(err)
	}
	if err := a.SetPeers(mep.Peer{Site: nameA, Address: "0.0.0.1"}, []mep.Peer{{Site: nameB, Address: addrB}}); err != nil {
		t.Fatal(err)
	}
}

// await returns the first event that match accepts.
func await[E mep.Event](t *testing.T, events chan mep.Event) E {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case e := <-events:
			if e, ok := e.(E); ok {
				return e
			}
		case <-timeout:
			t.Fatalf("no %T within 30 s", *new(E))
		}
	}
}

// eventually waits until ready.
func eventually(t *testing.T, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for timeout := time.After(30 * time.Second); !ready(); {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// lastError waits until x could not connect to its peer, and returns why.
func lastError(t *testing.T, x *mep.Exchange) string {
	t.Helper()
	eventually(t, "error of the peer", func() bool { return x.Peers()[0].LastError != "" })
	return x.Peers()[0].LastError
}

func TestSitesExchangeServicesOverTLS(t *testing.T) {
	ca := authority(t)
	ams, amsEvents := site(t, "ams", identity(t, ca, ca, "ams", pki.Options{}))
	nyc, nycEvents := site(t, "nyc", identity(t, ca, ca, "nyc", pki.Options{}))
	join(t, ams, nyc, "ams", "nyc")
	if up := await[*mep.SessionUp](t, nycEvents); up.Peer != "ams" || up.Hello.Site != "ams" {
		t.Errorf("session: got %+v, want ams", up)
	}
	if r := await[*mep.ServicesReport](t, amsEvents); r.Peer != "nyc" || r.Records[0].Name != "web-nyc" {
		t.Errorf("report: got %+v, want web-nyc", r)
	}
	nyc.Leave(t.Context())
	if l := await[*mep.PeerLeaving](t, amsEvents); l.Peer != "nyc" {
		t.Errorf("leaving: got %+v, want nyc", l)
	}
	if d := await[*mep.SessionDown](t, amsEvents); !d.Left {
		t.Errorf("down: got %+v, want it as announced", d)
	}
}

func TestWrongIdentitiesAreRefused(t *testing.T) {
	ca, other := authority(t), authority(t)
	past := pki.Options{Now: func() time.Time { return time.Now().Add(-48 * time.Hour) }, Validity: time.Hour}
	oldCA, err := pki.NewAuthority(pki.Options{Now: func() time.Time { return time.Now().Add(-72 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		trusts     *pki.Authority
		issuer     *pki.Authority
		site       string // of the impostor's certificate
		options    pki.Options
		expected   string // the name nyc knows the peer by
		rejection  mep.Rejection
		dialerSays string
	}{
		{"authority", ca, other, "ams", pki.Options{}, "ams", mep.RejectTLS, "does not accept this site's certificate"},
		{"site not configured", ca, ca, "eve", pki.Options{}, "ams", mep.RejectUnknownSite, "does not accept this site's certificate"},
		{"expired", oldCA, oldCA, "ams", past, "ams", mep.RejectTLS, "does not accept this site's certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ams, _ := site(t, c.site, identity(t, c.trusts, c.issuer, c.site, c.options))
			nyc, nycEvents := site(t, "nyc", identity(t, c.trusts, c.trusts, "nyc", pki.Options{}))
			if err := nyc.SetPeers(mep.Peer{Site: "nyc", Address: "255.0.0.1"}, []mep.Peer{{Site: c.expected, Address: "127.0.0.1"}}); err != nil {
				t.Fatal(err)
			}
			if err := ams.SetPeers(mep.Peer{Site: c.site, Address: "0.0.0.1"}, []mep.Peer{{Site: "nyc", Address: nyc.Addr().String()}}); err != nil {
				t.Fatal(err)
			}
			if got := lastError(t, ams); !strings.Contains(got, c.dialerSays) {
				t.Errorf("dialer: got %q, want %q", got, c.dialerSays)
			}
			eventually(t, "rejection "+string(c.rejection), func() bool { return nyc.Rejections()[c.rejection] > 0 })
			select {
			case e := <-nycEvents:
				t.Errorf("event: got %+v, want none", e)
			default:
			}
		})
	}
}

func TestDialerRefusesAnotherSiteAtTheAddress(t *testing.T) {
	ca := authority(t)
	ams, _ := site(t, "ams", identity(t, ca, ca, "ams", pki.Options{}))
	sin, sinEvents := site(t, "sin", identity(t, ca, ca, "sin", pki.Options{}))
	if err := ams.SetPeers(mep.Peer{Site: "ams", Address: "0.0.0.1"}, []mep.Peer{{Site: "nyc", Address: sin.Addr().String()}}); err != nil {
		t.Fatal(err)
	}
	if got := lastError(t, ams); !strings.Contains(got, `it is site "sin", want site "nyc"`) {
		t.Errorf("got %q, want both names", got)
	}
	if len(sinEvents) != 0 {
		t.Errorf("sin was told %+v, want nothing", <-sinEvents)
	}
}

func TestOptionsWantTheSitesOwnCertificate(t *testing.T) {
	ca := authority(t)
	_, err := mep.New(mep.Options{Site: "ams", TLS: identity(t, ca, ca, "nyc", pki.Options{}),
		Services: func() []mep.ServiceRecord { return nil }, Receive: func(mep.Event) {}})
	if err == nil || !strings.Contains(err.Error(), `names site "nyc", this is site "ams"`) {
		t.Errorf("got %v, want both names", err)
	}
}

func TestIdentityIsFollowedAndKeptWhenBad(t *testing.T) {
	dir := t.TempDir()
	if err := pki.Init(dir, pki.Options{}); err != nil {
		t.Fatal(err)
	}
	paths, err := pki.Issue(dir, "nyc", pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := mep.LoadIdentity(paths.Cert, paths.Key, paths.CA)
	if err != nil {
		t.Fatal(err)
	}
	a, err := pki.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	expires := id.NotAfter()
	session := func(want string) { // each new session looks at the files
		t.Helper()
		peer := fmt.Sprintf("peer-%s", strings.ReplaceAll(want, " ", "-"))
		x, _ := site(t, "nyc", id)
		y, events := site(t, peer, identity(t, a, a, peer, pki.Options{}))
		join(t, y, x, peer, "nyc")
		await[*mep.SessionUp](t, events)
	}
	session("first")
	if !id.NotAfter().Equal(expires) {
		t.Errorf("expires: got %v, want %v as before", id.NotAfter(), expires)
	}
	if err := os.WriteFile(paths.Cert, []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	session("broken file")
	if !id.NotAfter().Equal(expires) {
		t.Errorf("expires with a broken file: got %v, want %v as before", id.NotAfter(), expires)
	}
	if _, err := pki.Issue(dir, "nyc", pki.Options{Force: true, Validity: time.Hour}); err != nil {
		t.Fatal(err)
	}
	session("replaced")
	if got := time.Until(id.NotAfter()); got > time.Hour {
		t.Errorf("replaced certificate: expires in %v, want at most an hour", got)
	}
}

// TestAuthorityRenewedWithItsKey: its new certificate began after those of the sites did, which stay good.
func TestAuthorityRenewedWithItsKey(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	since := func(begin time.Time) pki.Pair {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: begin,
			NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
		cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return pki.Pair{Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})}
	}
	old, err := pki.ParseAuthority(since(time.Now().Add(-24 * time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := old.Issue("ams", pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mep.NewIdentity(p.Cert, p.Key, since(time.Now().Add(-time.Minute)).Cert); err != nil {
		t.Errorf("got %v, want an identity", err)
	}
}

func TestIdentityRefuses(t *testing.T) {
	ca, other := authority(t), authority(t)
	p, err := ca.Issue("ams", pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := ca.Issue("ams", pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name          string
		cert, key, ca []byte
		want          string
	}{
		{"no certificate", nil, p.Key, ca.Cert(), "read certificate and key"},
		{"another key", p.Cert, q.Key, ca.Cert(), "private key does not match"},
		{"no authority", p.Cert, p.Key, []byte("x"), "no PEM certificate"},
		{"another authority", p.Cert, p.Key, other.Cert(), "unknown authority"},
	} {
		if _, err := mep.NewIdentity(c.cert, c.key, c.ca); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := mep.LoadIdentity(filepath.Join(t.TempDir(), "none.crt"), "none.key", "none.ca"); err == nil || !strings.Contains(err.Error(), "none.crt") {
		t.Errorf("missing file: got %v, want its name", err)
	}
}

func TestCertificateSite(t *testing.T) {
	uri := func(texts ...string) *x509.Certificate {
		c := &x509.Certificate{}
		for _, s := range texts {
			u, err := url.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			c.URIs = append(c.URIs, u)
		}
		return c
	}
	for _, c := range []struct {
		cert       *x509.Certificate
		want, fail string
	}{
		{uri("fairlead://site/ams"), "ams", ""},
		{uri("https://example.com/", "fairlead://site/a_b.c-1"), "a_b.c-1", ""},
		{uri(), "", "no URI"},
		{&x509.Certificate{DNSNames: []string{"ams"}}, "", "no URI"},
		{uri("fairlead://site/ams", "fairlead://site/nyc"), "", `sites "ams" and "nyc"`},
		{uri("fairlead://site/ams", "fairlead://site/ams"), "", "want one"},
		{uri("fairlead://site/"), "", "not of the form"},
		{uri("fairlead://site/a/b"), "", "not of the form"},
		{uri("fairlead://other/ams"), "", "not of the form"},
		{uri("fairlead://user@site/ams"), "", "not of the form"},
		{uri("fairlead://site/ams?x=1"), "", "not of the form"},
		{uri("fairlead:ams"), "", "not of the form"},
	} {
		got, err := mep.CertificateSite(c.cert)
		if got != c.want || (err == nil) != (c.fail == "") || err != nil && !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%v: got %q, %v, want %q, %q", c.cert.URIs, got, err, c.want, c.fail)
		}
	}
	p, err := authority(t).Issue("sin", pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(p.Cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := mep.CertificateSite(cert); got != "sin" || err != nil {
		t.Errorf("issued certificate: got %q, %v, want sin", got, err)
	}
}
