package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fairlead/api/client"
	"fairlead/internal/pki"
)

// secureNode serves a version over TLS to who shows a certificate or the token "flt_good", and has the files of its clients.
type secureNode struct {
	address, ca, other, cert, key string

	mu   sync.Mutex
	seen []string // Authorization and the client's common name, by request
}

func newSecureNode(t *testing.T) *secureNode {
	t.Helper()
	n, dir := &secureNode{}, t.TempDir()
	keep := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	authority, err := pki.NewAuthority(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := pki.NewAuthority(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name string) (cert, key []byte) {
		pair, err := authority.Issue(name, pki.Options{CommonName: name, IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
		if err != nil {
			t.Fatal(err)
		}
		return pair.Cert, pair.Key
	}
	ca := authority.Cert()
	n.ca, n.other = keep("ca.crt", ca), keep("other.crt", stranger.Cert())
	cert, key := issue("ops")
	n.cert, n.key = keep("ops.crt", cert), keep("ops.key", key)
	own, err := tls.X509KeyPair(issue("node"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(ca)
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := ""
		if len(r.TLS.VerifiedChains) > 0 {
			who = r.TLS.VerifiedChains[0][0].Subject.CommonName
		}
		n.mu.Lock()
		n.seen = append(n.seen, r.Header.Get("Authorization")+" "+who)
		n.mu.Unlock()
		switch {
		case r.URL.Path == "/v1/identity":
			http.Redirect(w, r, "https://attacker.test/v1/identity", http.StatusFound)
		case who == "" && r.Header.Get("Authorization") != "Bearer flt_good":
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"status":401,"detail":"send a token"}`))
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"version":"1.2.3"}`))
		}
	}))
	server.Config.ErrorLog = discarded(t)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{own}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}
	server.StartTLS()
	t.Cleanup(server.Close)
	n.address = strings.TrimPrefix(server.URL, "https://")
	return n
}

// asked returns what the node saw since it was called last.
func (n *secureNode) asked() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	seen := n.seen
	n.seen = nil
	return seen
}

func TestOverTLS(t *testing.T) {
	n := newSecureNode(t)
	for _, c := range []struct {
		name    string
		options client.Options
		seen    string // what the node saw; empty: it was not reached
		fails   string
	}{
		{"a token", client.Options{Address: n.address, CAFile: n.ca, Token: "flt_good"}, "Bearer flt_good ", ""},
		{"with the scheme", client.Options{Address: "https://" + n.address, CAFile: n.ca, Token: "flt_good"}, "Bearer flt_good ", ""},
		{"a certificate", client.Options{Address: n.address, CAFile: n.ca, CertFile: n.cert, KeyFile: n.key}, " ops", ""},
		{"nothing", client.Options{Address: n.address, CAFile: n.ca}, " ", "send a token"},
		{"another authority", client.Options{Address: n.address, CAFile: n.other, Token: "flt_good"}, "", "certificate"},
		{"the system's authorities", client.Options{Address: "https://" + n.address, Token: "flt_good"}, "", "certificate"},
		{"a name that is not in the certificate", client.Options{Address: strings.Replace(n.address, "127.0.0.1", "localhost", 1), CAFile: n.ca, Token: "flt_good"}, "", "certificate"},
		{"plain http", client.Options{Address: "http://" + n.address, Token: "flt_good"}, "", "HTTP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			open, err := client.Open(c.options)
			if err != nil {
				t.Fatal(err)
			}
			defer open.Close()
			v, err := open.Version(t.Context())
			if c.fails == "" {
				if err != nil || v.Version != "1.2.3" {
					t.Errorf("got %+v, %v", v, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "flt_") {
				t.Errorf("got %v, want an error that names %q and no token", err, c.fails)
			}
			if got := strings.Join(n.asked(), ","); got != c.seen {
				t.Errorf("the node saw %q, want %q", got, c.seen)
			}
		})
	}
}

// TestRedirectsKeepTheToken: a node that leads elsewhere does not get the token sent there.
func TestRedirectsKeepTheToken(t *testing.T) {
	n := newSecureNode(t)
	c, err := client.Open(client.Options{Address: n.address, CAFile: n.ca, Token: "flt_good"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if who, err := c.Identity(t.Context()); err == nil || strings.Contains(err.Error(), "attacker.test: no such host") || len(n.asked()) != 1 {
		t.Errorf("got %+v, %v, want one request", who, err)
	}
}

func TestCredentialsThatAreNotSent(t *testing.T) {
	n := newSecureNode(t)
	for _, c := range []struct {
		name    string
		options client.Options
		want    string
	}{
		{"a token over plain http", client.Options{Address: "192.0.2.1:8053", Token: "flt_good"}, "https://"},
		{"plain http by a name", client.Options{Address: "http://ams.example.com:8053", Token: "flt_good"}, "https://"},
		{"plain http and a CA", client.Options{Address: "http://192.0.2.1:8053", CAFile: n.ca}, "https"},
		{"a certificate without its key", client.Options{Address: n.address, CertFile: n.cert}, "both"},
		{"a key without its certificate", client.Options{Address: n.address, KeyFile: n.key}, "both"},
		{"a key that does not fit", client.Options{Address: n.address, CertFile: n.ca, KeyFile: n.key}, n.ca},
		{"no file", client.Options{Address: n.address, CAFile: n.ca + ".none"}, ".none"},
		{"no certificate in it", client.Options{Address: n.address, CAFile: n.key}, "PEM"},
		{"a token with a line end", client.Options{Address: n.address, CAFile: n.ca, Token: "flt_good\r\nX: y"}, "characters"},
	} {
		if _, err := client.Open(c.options); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "flt_") {
			t.Errorf("%s: got %v, want an error that names %q and no token", c.name, err, c.want)
		}
	}
	if _, err := client.Open(client.Options{Address: "192.0.2.1:8053", Token: "flt_good"}); !errors.Is(err, client.ErrPlainToken) {
		t.Errorf("got %v", err)
	}
	c, err := client.New("192.0.2.1:8053")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // were it sent, nothing would leave this machine
	if _, err := c.API().ReadBackup(ctx, client.ReadBackupParams{FairleadPassphrase: "correct horse battery"}); err == nil || !strings.Contains(err.Error(), "passphrase") || strings.Contains(err.Error(), "horse") {
		t.Errorf("a passphrase over plain http: %v", err)
	}
}

// discarded takes what the server says of handshakes that are meant to fail.
func discarded(t *testing.T) *log.Logger { return log.New(t.Output(), "", 0) }
