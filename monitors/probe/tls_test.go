package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fairlead/config"
)

// authority signs certificates for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	return authority{}.delegate(t, name, time.Now().Add(24*time.Hour))
}

// delegate is an authority that is signed by this one, or by itself when there is none.
func (a authority) delegate(t *testing.T, name string, to time.Time) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: to.Add(-48 * time.Hour), NotAfter: to, KeyUsage: x509.KeyUsageCertSign,
	}
	if a.cert == nil {
		a = authority{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func (a authority) file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (a authority) issue(t *testing.T, from, to time.Time, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: to, DNSNames: names,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// alone is a certificate that is signed by itself.
func alone(t *testing.T, to time.Time, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(3), NotBefore: to.Add(-48 * time.Hour), NotAfter: to, DNSNames: []string{name}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func tlsServer(t *testing.T, cert tls.Certificate) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "asked for "+r.TLS.ServerName+" with "+r.TLS.NegotiatedProtocol+", host "+r.Host)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestProbeHTTPS(t *testing.T) {
	ca, other := newAuthority(t, "Test CA"), newAuthority(t, "Other CA")
	now := time.Now()
	day := 24 * time.Hour
	good := ca.issue(t, now.Add(-day), now.Add(day), "www.example.com", "example.com")
	expired := ca.issue(t, now.Add(-20*day), now.Add(-10*day), "www.example.com")
	early := ca.issue(t, now.Add(10*day), now.Add(20*day), "www.example.com")
	many := ca.issue(t, now.Add(-day), now.Add(day), "a.test", "b.test", "c.test", "d.test")
	verify := config.TLSProbe{Verify: true, CAFile: ca.file(t)}
	named := func(name string) config.TLSProbe { p := verify; p.ServerName = name; return p }
	tests := []struct {
		name string
		cert tls.Certificate
		host string
		tls  config.TLSProbe
		body string
		want string // reason; empty: passes
	}{
		{"by host", good, "www.example.com", verify, "asked for www.example.com with http/1.1, host www.example.com", ""},
		{"by host with port", good, "www.example.com:8443", verify, "asked for www.example.com with http/1.1, host www.example.com:8443", ""},
		{"by server name", good, "internal", named("example.com"), "asked for example.com with http/1.1, host internal", ""},
		{"wrong name", good, "shop.example.com", verify, "",
			`certificate is for www.example.com, example.com, not for "shop.example.com"`},
		{"many names", many, "shop.example.com", verify, "",
			`certificate is for a.test, b.test, c.test, ..., not for "shop.example.com"`},
		{"address by default", good, "", verify, "", `certificate is for www.example.com, example.com, not for "127.0.0.1"`},
		{"expired", expired, "www.example.com", verify, "",
			"certificate expired " + now.Add(-10*day).UTC().Format(time.DateOnly)},
		{"not valid yet", early, "www.example.com", verify, "",
			"certificate not valid before " + now.Add(10*day).UTC().Format(time.DateOnly)},
		{"unknown authority", good, "www.example.com", config.TLSProbe{Verify: true, CAFile: other.file(t)}, "",
			`certificate issued by unknown authority "Test CA"`},
		{"signed by itself", alone(t, now.Add(day), "www.example.com"), "www.example.com", verify, "",
			"self-signed certificate for www.example.com"},
		{"not verified", expired, "anything", config.TLSProbe{}, "asked for anything", ""},
		{"no such file", good, "www.example.com", config.TLSProbe{Verify: true, CAFile: "missing.pem"}, "",
			"tls.ca_file: stat missing.pem: no such file or directory"},
		{"not a file", good, "www.example.com", config.TLSProbe{Verify: true, CAFile: os.DevNull}, "",
			`tls.ca_file "` + os.DevNull + `" is not a plain file of at most 4096 KiB`},
		{"no certificate in it", good, "www.example.com", config.TLSProbe{Verify: true, CAFile: "doc.go"}, "",
			`tls.ca_file "doc.go" holds no PEM certificate`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := httpMonitor(config.HTTPProbe{Host: tt.host, ExpectBody: tt.body})
			m.Type, m.TLS = config.MonitorHTTPS, tt.tls
			got := New(Options{}).Probe(context.Background(), serverTarget(t, tlsServer(t, tt.cert), m))
			if got.OK != (tt.want == "") || tt.want != "" && got.Reason != tt.want {
				t.Errorf("got %v %q, want %q", got.OK, got.Reason, tt.want)
			}
		})
	}
}

func TestProbeHTTPSWithoutTLS(t *testing.T) {
	greeter, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer greeter.Close()
	go func() {
		if c, err := greeter.Accept(); err == nil {
			send("220 mail.example.com ESMTP\r\n")(c)
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	m := httpMonitor(config.HTTPProbe{})
	m.Type = config.MonitorHTTPS
	if got := New(Options{}).Probe(context.Background(), target("web", greeter.Addr().String(), m)); got.OK || got.Reason != "answer is not TLS" {
		t.Errorf("got %v %q, want: answer is not TLS", got.OK, got.Reason)
	}
}

func TestProbeHTTPSSilent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	m := httpMonitor(config.HTTPProbe{})
	m.Type, m.Timeout = config.MonitorHTTPS, config.Duration(150*time.Millisecond)
	got := New(Options{}).Probe(context.Background(), target("web", silent.Addr().String(), m))
	if want := "timed out after 150ms in the TLS handshake"; got.OK || got.Reason != want {
		t.Errorf("got %v %q, want %q", got.OK, got.Reason, want)
	}
}
