package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/mep"
)

func parse(t *testing.T, p []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(p)
	if block == nil {
		t.Fatal("no PEM block")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestIssuedCertificateVerifies(t *testing.T) {
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	clock := Options{Now: func() time.Time { return now }}
	dir := filepath.Join(t.TempDir(), "new", "pki")
	if err := Init(dir, clock); err != nil {
		t.Fatal(err)
	}
	o := clock
	o.IPs = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	o.DNSNames = []string{"mep.example.com"}
	paths, err := Issue(dir, "ams-1.eu_west", o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(paths.Cert, paths.Key); err != nil {
		t.Errorf("pair: %v", err)
	}
	ca, cert := parse(t, read(t, paths.CA)), parse(t, read(t, paths.Cert))
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		for _, host := range []string{"", "mep.example.com", "192.0.2.1", "2001:db8::1"} {
			if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
				t.Errorf("verify for %q, usage %v: %v", host, usage, err)
			}
		}
	}
	if site, err := mep.CertificateSite(cert); err != nil || site != "ams-1.eu_west" {
		t.Errorf("site: got %q, %v", site, err)
	}
	if _, err := mep.LoadIdentity(paths.Cert, paths.Key, paths.CA); err != nil {
		t.Errorf("as a MEP identity: %v", err)
	}
	if got, want := cert.NotAfter, now.AddDate(1, 0, 0); !got.Equal(want) {
		t.Errorf("expires: got %v, want %v", got, want)
	}
	if got, want := ca.NotAfter, now.Add(3650*24*time.Hour); !got.Equal(want) || !ca.IsCA || cert.IsCA {
		t.Errorf("authority expires: got %v, want %v; authority %v, site %v", got, want, ca.IsCA, cert.IsCA)
	}
	if got, want := ca.Subject.CommonName+", "+cert.Subject.CommonName, "Fairlead authority, ams-1.eu_west"; got != want {
		t.Errorf("subjects: got %q, want %q", got, want)
	}
	for name, want := range map[string]os.FileMode{filepath.Join(dir, AuthorityKey): 0o600, paths.Key: 0o600, paths.CA: 0o644, paths.Cert: 0o644, dir: 0o700} {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: got mode %v, %v, want %v", filepath.Base(name), st.Mode().Perm(), err, want)
		}
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	if err := Init(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	key := string(read(t, filepath.Join(dir, AuthorityKey)))
	if err := Init(dir, Options{Force: true}); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("second Init: got %v, want a refusal", err)
	}
	if string(read(t, filepath.Join(dir, AuthorityKey))) != key {
		t.Error("the authority's key changed")
	}
	paths, err := Issue(dir, "ams", Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := string(read(t, paths.Cert))
	if _, err := Issue(dir, "ams", Options{}); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("second Issue: got %v, want a refusal", err)
	}
	if string(read(t, paths.Cert)) != before {
		t.Error("the certificate changed although it was refused")
	}
	if _, err := Issue(dir, "ams", Options{Force: true}); err != nil {
		t.Errorf("Issue with force: %v", err)
	}
	if string(read(t, paths.Cert)) == before {
		t.Error("the certificate did not change with force")
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 4 {
		t.Errorf("files: got %v, want the four and no temporary ones", left)
	}
}

func TestLoneKeyKeepsInitOut(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, AuthorityKey), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Init(dir, Options{}); err == nil {
		t.Error("got no error")
	}
	if got := string(read(t, filepath.Join(dir, AuthorityKey))); got != "precious" {
		t.Errorf("key: got %q", got)
	}
}

func TestIssueRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Issue(dir, "ams", Options{}); err == nil || !strings.Contains(err.Error(), "pki init") {
		t.Errorf("without an authority: got %v, want what to do", err)
	}
	if err := Init(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, site, want string }{
		{"empty", "", "not a name"},
		{"path", "../ams", "not a name"},
		{"space", "a b", "not a name"},
		{"umlaut", "köln", "not a name"},
		{"long", strings.Repeat("a", 128), "not a name"},
		{"the authority's files", "ca", "would be the authority's"},
	} {
		if _, err := Issue(dir, c.site, Options{Force: true}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := Issue(dir, strings.Repeat("a", 127), Options{}); err != nil {
		t.Errorf("longest name: %v", err)
	}
}

func TestAuthorityBoundsItsCertificates(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(d time.Duration) func() time.Time { return func() time.Time { return now.Add(d) } }
	a, err := NewAuthority(Options{Now: at(0), Validity: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	p, err := a.Issue("ams", Options{Now: at(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if got := parse(t, p.Cert).NotAfter; !got.Equal(a.NotAfter()) {
		t.Errorf("expires: got %v, want the authority's %v", got, a.NotAfter())
	}
	if _, err := a.Issue("ams", Options{Now: at(25 * time.Hour)}); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("after its end: got %v, want that it expired", err)
	}
	if _, err := a.Issue("ams", Options{Validity: -1}); err == nil {
		t.Error("negative validity: got no error")
	}
	q, err := a.Issue("ams", Options{Now: at(time.Hour)})
	if err != nil || parse(t, p.Cert).SerialNumber.Cmp(parse(t, q.Cert).SerialNumber) == 0 {
		t.Errorf("serial numbers: two alike, or %v", err)
	}
}

func TestParseAuthorityRefuses(t *testing.T) {
	a, err := NewAuthority(Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewAuthority(Options{})
	if err != nil {
		t.Fatal(err)
	}
	site, err := a.Issue("ams", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		pair Pair
		want string
	}{
		{"nothing", Pair{}, "no PEM certificate"},
		{"no key", Pair{Cert: a.pair.Cert}, "no PEM private key"},
		{"another key", Pair{Cert: a.pair.Cert, Key: b.pair.Key}, "does not belong"},
		{"a site's certificate", site, "not one of an authority"},
		{"swapped", Pair{Cert: a.pair.Key, Key: a.pair.Cert}, "no PEM certificate"},
	} {
		if _, err := ParseAuthority(c.pair); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := ParseAuthority(a.pair); err != nil {
		t.Errorf("good pair: %v", err)
	}
}
