package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/config"
)

func TestProbeTLS(t *testing.T) {
	ca := newAuthority(t, "Test CA")
	day := 24 * time.Hour
	server := tlsServer(t, ca.issue(t, time.Now().Add(-day), time.Now().Add(20*day+time.Hour), "www.example.com", "example.com"))
	verify := config.TLSProbe{Verify: true, CAFile: ca.file(t), ServerName: "www.example.com"}
	with := func(f func(*config.TLSProbe)) config.TLSProbe { p := verify; f(&p); return p }
	tests := []struct {
		name string
		kind config.MonitorType
		tls  config.TLSProbe
		ok   bool
		want string
	}{
		{"good", config.MonitorTLS, verify, true, "TLS 1.3, certificate for www.example.com, example.com, 0 days left"}, // the authority's
		{"other name", config.MonitorTLS, with(func(p *config.TLSProbe) { p.ServerName = "shop.example.com" }), false, `certificate is for www.example.com, example.com, not for "shop.example.com"`},
		{"authority ends too soon", config.MonitorTLS, with(func(p *config.TLSProbe) { p.DaysLeft = 14 }), false, `certificate of "Test CA" expires `},
		{"not verified", config.MonitorTLS, config.TLSProbe{DaysLeft: 14}, true, "TLS 1.3, certificate for www.example.com, example.com, 20 days left"},
		{"not verified, too soon", config.MonitorTLS, config.TLSProbe{DaysLeft: 21}, false, `certificate of "www.example.com, example.com" expires `},
		{"tcp with security: tls", config.MonitorTCP, verify, true, "connected"},
		{"tcp with security: tls, other name", config.MonitorTCP, with(func(p *config.TLSProbe) { p.ServerName = "shop.example.com" }), false, `certificate is for www.example.com, example.com, not for "shop.example.com"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := tcpMonitor(10 * time.Second)
			m.Type, m.TLS, m.Security = tt.kind, tt.tls, config.SecurityTLS
			got := New(Options{}).Trace(context.Background(), serverTarget(t, server, m))
			if got.OK != tt.ok || !strings.HasPrefix(got.Reason, tt.want) {
				t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
			}
			if tt.ok && tt.kind == config.MonitorTLS && (len(got.Values) != 1 || got.Values[0].Name != "days_left" || got.Latency <= 0) {
				t.Errorf("got values %v after %v, want days_left", got.Values, got.Latency)
			}
		})
	}
}

// TestProbeTLSTooLate: whose certificate it is that ended, for what is to be renewed.
func TestProbeTLSTooLate(t *testing.T) {
	ca, day := newAuthority(t, "Test CA"), 24*time.Hour
	ended := time.Now().Add(-10 * day)
	between := ca.delegate(t, "Between CA", ended)
	below := between.issue(t, time.Now().Add(-day), time.Now().Add(day), "www.example.com")
	below.Certificate = append(below.Certificate, between.cert.Raw)
	date := ended.UTC().Format(time.DateOnly)
	tests := []struct {
		name string
		cert tls.Certificate
		tls  config.TLSProbe
		want string
	}{
		{"of an authority in between", below, config.TLSProbe{Verify: true, CAFile: ca.file(t), ServerName: "www.example.com"}, `certificate of "Between CA" expired ` + date},
		{"not verified, of the server", ca.issue(t, ended.Add(-day), ended, "www.example.com"), config.TLSProbe{DaysLeft: 14}, `certificate of "www.example.com" expired ` + date},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := tcpMonitor(10 * time.Second)
			m.Type, m.TLS = config.MonitorTLS, tt.tls
			if got := New(Options{}).Probe(context.Background(), serverTarget(t, tlsServer(t, tt.cert), m)); got.OK || got.Reason != tt.want {
				t.Errorf("got %v %q, want %q", got.OK, got.Reason, tt.want)
			}
		})
	}
}

// TestProbeTLSRefused: a server of TLS 1.3 says only after the handshake what it thinks of the client's certificate.
func TestProbeTLSRefused(t *testing.T) {
	ca := newAuthority(t, "Test CA")
	cert := ca.issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "www.example.com")
	shown, key := keyPair(t, alone(t, time.Now().Add(time.Hour), "probe.example.com"))
	for version, want := range map[uint16]string{tls.VersionTLS12: "server says tls: handshake failure", tls.VersionTLS13: "server says tls: certificate required"} {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: version}
		server.StartTLS()
		defer server.Close()
		m := httpMonitor(config.HTTPProbe{ExpectStatus: []string{"404"}})
		m.Type = config.MonitorHTTPS
		p := New(Options{Secret: func(config.Secret) (string, error) { return key, nil }})
		if got := p.Probe(context.Background(), serverTarget(t, server, m)); got.OK || got.Reason != want {
			t.Errorf("%s: got %v %q, want %q", tls.VersionName(version), got.OK, got.Reason, want)
		}
		m.TLS = config.TLSProbe{CertFile: shown, KeyFile: "env:KEY"}
		if got := p.Probe(context.Background(), serverTarget(t, server, m)); !got.OK {
			t.Errorf("%s, with a certificate: got %q, want that it passes", tls.VersionName(version), got.Reason)
		}
	}
}

// keyPair is a file with a certificate, and its key in PEM.
func keyPair(t *testing.T, c tls.Certificate) (file, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestProbeTLSWithoutTLS(t *testing.T) {
	m := tcpMonitor(10 * time.Second)
	m.Type = config.MonitorTLS
	dial := talk(func(c net.Conn) {
		go io.Copy(io.Discard, c)
		send("220 mail.example.com ESMTP\r\n")(c)
	})
	if got := over(dial).Probe(context.Background(), target("mail", "192.0.2.1:25", m)); got.OK || got.Reason != "answer is not TLS" {
		t.Errorf("got %+v, want: answer is not TLS", got)
	}
}
