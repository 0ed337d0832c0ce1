package node_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/internal/access"
	"fairlead/internal/node"
	"fairlead/internal/pki"
)

// securePlace is a node with TLS, tokens and subjects on its interface, and what its clients need.
type securePlace struct {
	*place
	roots  *x509.CertPool
	client map[string]tls.Certificate // by common name
	token  string                     // of an admin
}

func newSecurePlace(t *testing.T) *securePlace {
	t.Helper()
	p := &securePlace{place: newPlace(t, false), roots: x509.NewCertPool(), client: map[string]tls.Certificate{}}
	p.write(document("192.0.2.80"))
	dir := filepath.Dir(p.file)
	authority, err := pki.NewAuthority(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keep := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own, err := authority.Issue("here", pki.Options{IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, DNSNames: []string{"ams.example.test"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ops", "stranger"} {
		pair, err := authority.Issue(name, pki.Options{CommonName: name, DNSNames: []string{name + ".example.test"}})
		if err != nil {
			t.Fatal(err)
		}
		if p.client[name], err = tls.X509KeyPair(pair.Cert, pair.Key); err != nil {
			t.Fatal(err)
		}
	}
	ca := authority.Cert()
	p.roots.AppendCertsFromPEM(ca)
	p.config.API.TLS = config.NodeAPITLS{Cert: keep("api.crt", own.Cert), Key: keep("api.key", own.Key), ClientCA: keep("ca.crt", ca)}
	p.config.API.Subjects = []config.APISubject{{SAN: "ops.example.test", Role: "operator"}}
	p.config.API.TokensFile = filepath.Join(dir, "tokens.json")
	if p.token, _, err = access.Create(p.config.API.TokensFile, access.TokenSpec{Name: "root", Role: access.Admin}, time.Now()); err != nil {
		t.Fatal(err)
	}
	return p
}

// ask sends a request as the owner of a certificate, of a token, or as nobody.
func (p *securePlace) ask(n *node.Node, method, path, body, certificate, token string) (int, string) {
	p.t.Helper()
	c := &tls.Config{RootCAs: p.roots}
	if certificate != "" {
		c.Certificates = []tls.Certificate{p.client[certificate]}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}, Timeout: patience}
	defer client.CloseIdleConnections()
	r, err := http.NewRequest(method, "https://"+n.APIAddr().String()+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return w.StatusCode, string(text)
}

func TestSecureInterface(t *testing.T) {
	p := newSecurePlace(t)
	n, stop := p.serve(nil)
	const drain = "/v1/services/web/drain"
	for _, c := range []struct {
		name, method, path, body, certificate, token string
		want                                         int
	}{
		{"nobody", "GET", "/v1/version", "", "", "", 401},
		{"whether it lives", "GET", "/livez", "", "", "", 200},
		{"a token", "GET", "/v1/version", "", "", p.token, 200},
		{"a certificate", "GET", "/v1/version", "", "ops", "", 200},
		{"a certificate drains", "POST", drain, `{"reason":"upgrade"}`, "ops", "", 200},
		{"a certificate is no admin", "GET", "/v1/audit", "", "ops", "", 403},
		{"a stranger's certificate", "GET", "/v1/version", "", "stranger", "", 401},
		{"a stranger with a token", "GET", "/v1/version", "", "stranger", p.token, 200},
	} {
		if got, text := p.ask(n, c.method, c.path, c.body, c.certificate, c.token); got != c.want {
			t.Errorf("%s: got %d, want %d: %s", c.name, got, c.want, text)
		}
	}
	status, text := p.ask(n, "GET", "/v1/audit", "", "", p.token)
	var page resource.AuditPage
	if err := json.Unmarshal([]byte(text), &page); err != nil || status != 200 {
		t.Fatalf("got %d %s", status, text)
	}
	// The token that was made before the start, the drain, and the operator's question for the audit log.
	if len(page.Entries) != 3 || page.Entries[2].Action != "token-create" || page.Entries[1].Who.Name != "ops.example.test" || page.Entries[1].Object != "service/web" {
		t.Errorf("got %+v", page.Entries)
	}
	stop()
	if _, err := os.Stat(filepath.Join(p.config.DataDir, "audit.jsonl")); err != nil {
		t.Error(err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	p := newSecurePlace(t)
	n, _ := p.serve(nil)
	if c, err := tls.Dial("tcp", n.APIAddr().String(), &tls.Config{RootCAs: p.roots, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		c.Close()
		t.Error("TLS 1.1 is accepted")
	}
}

// TestTokensAreReadAgain adds and revokes tokens while the node runs, as the command does.
func TestTokensAreReadAgain(t *testing.T) {
	p := newSecurePlace(t)
	n, _ := p.serve(nil)
	secret, _, err := access.Create(p.config.API.TokensFile, access.TokenSpec{Name: "ci", Role: access.Viewer}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Reload(); err != nil {
		t.Fatal(err)
	}
	if got, text := p.ask(n, "GET", "/v1/version", "", "", secret); got != 200 {
		t.Errorf("a new token: %d %s", got, text)
	}
	if err := os.WriteFile(p.config.API.TokensFile, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = n.Reload()
	if got, text := p.ask(n, "GET", "/v1/version", "", "", secret); got != 200 {
		t.Errorf("after a file that is broken: %d %s", got, text)
	}
	if got, text := p.ask(n, "DELETE", "/v1/tokens/ci", "", "", p.token); got == 200 {
		t.Errorf("revoked in a file that is broken: %d %s", got, text)
	}
}

func TestTokensThatCannotBeUsed(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"no file":            os.Remove,
		"broken":             func(path string) error { return os.WriteFile(path, []byte("[]"), 0o600) },
		"writable by others": func(path string) error { return os.Chmod(path, 0o666) },
	} {
		p := newSecurePlace(t)
		if err := change(p.config.API.TokensFile); err != nil {
			t.Fatal(err)
		}
		if _, err := node.New(node.Options{Config: &p.config}); err == nil || !strings.Contains(err.Error(), "tokens") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
