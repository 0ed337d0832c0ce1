package node_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"testing"
	"time"

	"fairlead/internal/node"
	"fairlead/internal/pki"
)

// TestAuthoritiesAreFollowed: client certificates of an authority that is taken out of the file are refused without a restart, those of one that is put in
// are taken, and a file that cannot be used changes nothing.
func TestAuthoritiesAreFollowed(t *testing.T) {
	t.Parallel()
	p := newSecurePlace(t)
	next, err := pki.NewAuthority(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := next.Issue("ops", pki.Options{CommonName: "ops", DNSNames: []string{"ops.example.test"}})
	if err != nil {
		t.Fatal(err)
	}
	if p.client["next"], err = tls.X509KeyPair(pair.Cert, pair.Key); err != nil {
		t.Fatal(err)
	}
	n, _ := p.serve(nil)
	if !p.lets(n, "ops") || p.lets(n, "next") {
		t.Fatal("at the start the first authority counts, and no other one")
	}
	put := func(text []byte) {
		if err := os.WriteFile(p.config.API.TLS.ClientCA, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put([]byte("no certificate"))
	_ = n.Reload()
	if !p.lets(n, "ops") {
		t.Error("a file that cannot be used locks everybody out")
	}
	put(next.Cert())
	until := time.Now().Add(patience)
	for ; p.lets(n, "ops") || !p.lets(n, "next"); <-time.After(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("the old authority counts: %v, the new one: %v", p.lets(n, "ops"), p.lets(n, "next"))
		}
	}
}

// lets reports whether the owner of a certificate gets in, over HTTP/2.
func (p *securePlace) lets(n *node.Node, certificate string) bool {
	p.t.Helper()
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: p.roots,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			c := p.client[certificate]
			return &c, nil
		}}}, Timeout: patience}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "https://"+n.APIAddr().String()+"/v1/version", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	w, err := client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = w.Body.Close() }()
	if w.ProtoMajor != 2 {
		p.t.Errorf("over %s", w.Proto)
	}
	return w.StatusCode == http.StatusOK
}
