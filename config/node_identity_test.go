package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"testing"
	"time"
)

// TestARenewedAuthority: one that was renewed with its key begins after the certificates it issued before.
func TestARenewedAuthority(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0)}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 0, 0),
		URIs: []*url.URL{{Scheme: "fairlead", Host: "site", Path: "/ams"}}}
	encode := func(kind string, der []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	ca, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	caPEM := encode("CERTIFICATE", ca, err)
	cert, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), key)
	certPEM := encode("CERTIFICATE", cert, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	keyPEM := encode("PRIVATE KEY", private, err)
	report := new(Report)
	checkIdentity(&page{file: "node", report: report, failed: map[string]bool{}}, &Node{Site: "ams"}, certPEM, keyPEM, caPEM, now)
	if report.Errors()+report.Warnings() > 0 {
		t.Errorf("problems:\n%s", rendered(t, report))
	}
}
