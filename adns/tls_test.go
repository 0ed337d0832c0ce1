package adns

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	logged "go.uber.org/zap/zaptest/observer"
)

// testCertificate writes a self-signed pair for localhost and 127.0.0.1, valid until a time.
func testCertificate(t testing.TB, dir string, serial int64, until time.Time) CertificateOptions {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Unix(0, 0), NotAfter: until,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	o := CertificateOptions{Cert: filepath.Join(dir, "dns.crt"), Key: filepath.Join(dir, "dns.key")}
	for name, block := range map[string]*pem.Block{o.Cert: {Type: "CERTIFICATE", Bytes: cert}, o.Key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

var farFuture = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// startSecure runs a server with TLS and HTTPS, and returns what clients trust.
func startSecure(t *testing.T, change ...func(*Options)) (*Server, *x509.CertPool) {
	t.Helper()
	certificates, err := LoadCertificates(testCertificate(t, t.TempDir(), 1, farFuture))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificates.current.Load().Leaf)
	s := start(t, append([]func(*Options){func(o *Options) {
		o.TLS = &TLSOptions{Listen: []string{"127.0.0.1:0"}, Certificates: certificates}
		o.HTTPS = &HTTPSOptions{Listen: []string{"127.0.0.1:0"}, Certificates: certificates}
	}}, change...)...)
	return s, roots
}

func dialTLS(t *testing.T, s *Server, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: deadline}, Config: config}
	conn, err := dialer.Dial("tcp", s.SecureAddrs(TLS)[0].String())
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(deadline))
	return conn.(*tls.Conn), nil
}

func TestTLSVersionsAndALPN(t *testing.T) {
	tests := []struct {
		name   string
		least  uint16
		config *tls.Config
		want   string // part of the error
	}{
		{"dot", 0, &tls.Config{NextProtos: []string{"dot"}}, ""},
		{"dot among others", 0, &tls.Config{NextProtos: []string{"h2", "dot"}}, ""},
		{"no alpn", 0, &tls.Config{}, ""},
		{"any certificate, as RFC 9539 clients do", 0, &tls.Config{InsecureSkipVerify: true}, ""},
		{"wrong alpn", 0, &tls.Config{NextProtos: []string{"h2"}}, "no application protocol"},
		{"tls 1.2", 0, &tls.Config{MaxVersion: tls.VersionTLS12}, "protocol version"},
		{"tls 1.2 where allowed", tls.VersionTLS12, &tls.Config{MaxVersion: tls.VersionTLS12}, ""},
		{"tls 1.1 where 1.2 is allowed", tls.VersionTLS12, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "protocol version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, roots := startSecure(t, func(o *Options) { o.TLS.MinVersion = tt.least })
			if !tt.config.InsecureSkipVerify {
				tt.config.RootCAs = roots
			}
			conn, err := dialTLS(t, s, tt.config)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("got %v, want %q", err, tt.want)
				}
				for limit := time.Now().Add(deadline); s.Stats().Streams[TLS].HandshakeErrors != 1; runtime.Gosched() {
					if time.Now().After(limit) {
						t.Fatalf("got %+v, want 1 failed handshake", s.Stats().Streams[TLS])
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if alpn := conn.ConnectionState().NegotiatedProtocol; len(tt.config.NextProtos) > 0 && alpn != "dot" {
				t.Errorf("alpn: got %q", alpn)
			}
			if _, err := conn.Write(append(framedQuery(), framedQuery()...)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if m := readMessage(t, conn); len(m.Answer) != 1 {
					t.Errorf("got %v", m)
				}
			}
			if got := s.Stats().Streams[TLS]; got.HandshakeErrors != 0 || got.Accepted != 1 {
				t.Errorf("got %+v, want 1 accepted", got)
			}
		})
	}
}

func TestTLSSessionsResume(t *testing.T) {
	s, roots := startSecure(t)
	config := &tls.Config{RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for i := range 2 {
		conn, err := dialTLS(t, s, config)
		if err != nil {
			t.Fatal(err)
		}
		if !ask(conn) {
			t.Fatal("no answer")
		}
		if got := conn.ConnectionState().DidResume; got != (i == 1) {
			t.Errorf("connection %d: resumed %v", i, got)
		}
	}
}

// A renewed certificate is used for new connections; those that are open go on.
func TestCertificatesReload(t *testing.T) {
	core, logs := logged.New(zap.InfoLevel)
	dir := t.TempDir()
	o := testCertificate(t, dir, 1, farFuture)
	o.Logger = zap.New(core)
	certificates, err := LoadCertificates(o)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(o *Options) { o.TLS = &TLSOptions{Listen: []string{"127.0.0.1:0"}, Certificates: certificates} })
	open, err := dialTLS(t, s, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		conn, err := dialTLS(t, s, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	broken := func(what string, change func(), want string) {
		t.Helper()
		change()
		if err := s.ReloadCertificates(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", what, err, want)
		}
		if got := serial(); got != 2 {
			t.Errorf("%s: serves certificate %d, want the one before", what, got)
		}
	}
	testCertificate(t, dir, 2, farFuture)
	if err := s.ReloadCertificates(); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Errorf("serves certificate %d, want the new one", got)
	}
	broken("expired", func() { testCertificate(t, dir, 3, time.Now().Add(-time.Hour)) }, "expired on")
	broken("no certificate", func() { os.WriteFile(o.Cert, []byte("nonsense"), 0o600) }, "give a PEM chain")
	broken("another's key", func() {
		other := testCertificate(t, t.TempDir(), 4, farFuture)
		text, _ := os.ReadFile(other.Cert)
		os.WriteFile(o.Cert, text, 0o600)
	}, "private key does not match")
	broken("no file", func() { os.Remove(o.Key) }, "no such file")
	if !ask(open) {
		t.Error("a connection that was open is dropped")
	}
	if got := logs.FilterMessage("dns.tls.certificate_rejected").Len(); got != 4 {
		t.Errorf("logged %d refusals, want 4", got)
	}
	if got := logs.FilterMessage("dns.tls.certificate_reloaded").Len(); got != 1 {
		t.Errorf("logged %d reloads, want 1", got)
	}
}

// The files are looked at once a minute; what did not change is not read again.
func TestCertificatesAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := logged.New(zap.InfoLevel)
		dir := t.TempDir()
		o := testCertificate(t, dir, 1, time.Now().Add(10*time.Minute))
		o.Logger = zap.New(core)
		c, err := LoadCertificates(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- c.watch(ctx) }()
		wait := func() {
			time.Sleep(certificatePoll)
			synctest.Wait()
		}
		wait()
		if logs.Len() != 0 {
			t.Errorf("unchanged files: logged %v", logs.All())
		}
		os.WriteFile(o.Cert, []byte("half of a certif"), 0o600)
		wait()
		wait()
		if got := logs.FilterMessage("dns.tls.certificate_rejected").Len(); got != 1 {
			t.Errorf("logged %d refusals, want 1", got)
		}
		testCertificate(t, dir, 2, time.Now().Add(20*time.Minute))
		wait()
		if got := c.current.Load().Leaf.SerialNumber.Int64(); got != 2 {
			t.Errorf("certificate: got %d, want 2", got)
		}
		for range 30 {
			wait()
		}
		if got := logs.FilterMessage("dns.tls.certificate_expired").Len(); got != 1 {
			t.Errorf("told %d times that it expired, want once", got)
		}
		cancel()
		<-done
	})
}

func TestLoadCertificatesRefuses(t *testing.T) {
	good := testCertificate(t, t.TempDir(), 1, farFuture)
	for name, tt := range map[string]struct {
		o    CertificateOptions
		want string
	}{
		"no certificate": {CertificateOptions{Cert: "none.crt", Key: good.Key}, "load certificate: open none.crt"},
		"no key":         {CertificateOptions{Cert: good.Cert, Key: "none.key"}, "load key of certificate"},
		"swapped":        {CertificateOptions{Cert: good.Key, Key: good.Cert}, "give a PEM chain"},
		"endless":        {CertificateOptions{Cert: "/dev/zero", Key: good.Key}, "larger than 1 MiB"},
	} {
		if _, err := LoadCertificates(tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// A renewed key that may not be read yet is read once it may, though nothing else about the file changes; that is told once.
func TestCertificatesThatCannotBeReadYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := logged.New(zap.InfoLevel)
		dir := t.TempDir()
		o := testCertificate(t, dir, 1, farFuture)
		o.Logger = zap.New(core)
		c, err := LoadCertificates(o)
		if err != nil {
			t.Fatal(err)
		}
		var allowed atomic.Bool
		c.open = func(name string) (*os.File, error) {
			if name == o.Key && !allowed.Load() {
				return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrPermission}
			}
			return os.Open(name)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- c.watch(ctx) }()
		testCertificate(t, dir, 2, farFuture)
		time.Sleep(3*certificatePoll + time.Second)
		synctest.Wait()
		if got := logs.FilterMessage("dns.tls.certificate_rejected").Len(); got != 1 {
			t.Errorf("logged %d refusals, want 1", got)
		}
		if err := c.Reload(); err == nil || logs.FilterMessage("dns.tls.certificate_rejected").Len() != 2 {
			t.Errorf("who reloads is not told: %v", err)
		}
		allowed.Store(true)
		time.Sleep(certificatePoll)
		synctest.Wait()
		if got := c.current.Load().Leaf.SerialNumber.Int64(); got != 2 {
			t.Errorf("certificate: got %d, want 2", got)
		}
		cancel()
		<-done
	})
}

// Handshakes end in time, whatever the client does, and slow ones keep nobody out.
func TestTLSHandshakeTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		certificates, err := LoadCertificates(testCertificate(t, t.TempDir(), 1, farFuture))
		if err != nil {
			t.Fatal(err)
		}
		s := newServer(t, func(o *Options) {
			o.TLS = &TLSOptions{Listen: []string{"127.0.0.1:0"}, Certificates: certificates}
		})
		listener := &handedListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- s.serveTLS(ctx, s.secure[0], listener) }()
		dial := func() net.Conn {
			near, far := net.Pipe()
			listener.take(fromConn{far, asker})
			return near
		}
		var slow sync.WaitGroup
		for i := range 20 {
			conn := dial()
			slow.Go(func() {
				begin := time.Now()
				if i%2 == 0 { // the rest says nothing
					conn.Write([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}[:1+i/2])
				}
				io.Copy(io.Discard, conn)
				if got := time.Since(begin); got != tlsHandshake {
					t.Errorf("client %d was cut after %v, want %v", i, got, tlsHandshake)
				}
			})
		}
		quick := tls.Client(dial(), &tls.Config{InsecureSkipVerify: true})
		if begin := time.Now(); !ask(quick) || time.Since(begin) != 0 {
			t.Errorf("beside slow handshakes: answered after %v", time.Since(begin))
		}
		slow.Wait()
		if got := s.Stats().Streams[TLS].HandshakeErrors; got != 20 {
			t.Errorf("handshake errors: got %d, want 20", got)
		}
		if len(s.handshakes) != 0 {
			t.Errorf("%d places in the gate are held", len(s.handshakes))
		}
		begin := time.Now()
		go io.Copy(io.Discard, dial())
		cancel()
		go io.Copy(io.Discard, quick)
		if err := <-done; err != nil || time.Since(begin) > streamDrain {
			t.Errorf("the stop took %v (%v)", time.Since(begin), err)
		}
	})
}

// A handshake that computes while the gate is full waits, and gives up in time.
func TestTLSHandshakeGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{}, 1)
		near, far := net.Pipe()
		conn := &secureConn{Conn: far, gate: gate, by: time.Now().Add(tlsHandshake)}
		gate <- struct{}{}
		go near.Write([]byte("hello"))
		begin := time.Now()
		if _, err := conn.Read(make([]byte, 5)); !errors.Is(err, errTooSlow) || time.Since(begin) != tlsHandshake {
			t.Errorf("full gate: got %v after %v", err, time.Since(begin))
		}
		conn.by = time.Now().Add(tlsHandshake)
		time.AfterFunc(time.Second, func() { <-gate })
		go near.Write([]byte("hello"))
		begin = time.Now()
		if _, err := conn.Read(make([]byte, 5)); err != nil || time.Since(begin) != time.Second || len(gate) != 1 {
			t.Errorf("gate that opens: got %v after %v, %d in it", err, time.Since(begin), len(gate))
		}
		conn.handshaken()
		if len(gate) != 0 {
			t.Error("the place is not given back")
		}
	})
}

func TestSecureOptionsRefused(t *testing.T) {
	certificates, err := LoadCertificates(testCertificate(t, t.TempDir(), 1, farFuture))
	if err != nil {
		t.Fatal(err)
	}
	one := []string{"127.0.0.1:0"}
	for name, tt := range map[string]struct {
		o    Options
		want string
	}{
		"no certificates": {Options{TLS: &TLSOptions{Listen: one}}, "tls has no certificates"},
		"no address":      {Options{HTTPS: &HTTPSOptions{Certificates: certificates}}, "https has 0 listen addresses"},
		"tls 1.1":         {Options{TLS: &TLSOptions{Listen: one, Certificates: certificates, MinVersion: tls.VersionTLS11}}, "below TLS 1.2"},
		"negative limit":  {Options{TCP: TCPOptions{MaxConnections: -1}}, "negative"},
	} {
		tt.o.Snapshot = func() *Snapshot { return nil }
		if _, err := New(tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// An address that cannot be had leaves nothing bound.
func TestListenSecureFails(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	certificates, err := LoadCertificates(testCertificate(t, t.TempDir(), 1, farFuture))
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, func(o *Options) {
		o.TLS = &TLSOptions{Listen: []string{"127.0.0.1:0", taken.Addr().String()}, Certificates: certificates}
	})
	err = s.Listen(t.Context())
	if want := fmt.Sprintf("listen for DNS on TLS %s", taken.Addr()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if len(s.Addrs()) != 0 || len(s.SecureAddrs(TLS)) != 0 {
		t.Errorf("it keeps %v %v", s.Addrs(), s.SecureAddrs(TLS))
	}
}

// kdig asks as its users do.
func TestKdig(t *testing.T) {
	kdig, err := exec.LookPath("kdig")
	if err != nil {
		t.Skip("kdig is not installed")
	}
	s, _ := startSecure(t)
	for name, tt := range map[string]struct {
		at   Transport
		args []string
	}{
		"tls":        {TLS, []string{"+tls"}},
		"https":      {HTTPS, []string{"+https"}},
		"https get":  {HTTPS, []string{"+https-get"}},
		"tls padded": {TLS, []string{"+tls", "+padding=468"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"@127.0.0.1", "-p", fmt.Sprint(s.SecureAddrs(tt.at)[0].Port()), "www.example.com", "A", "+short", "+timeout=5", "+retry=0"}, tt.args...)
			out, err := exec.CommandContext(t.Context(), kdig, args...).CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != "192.0.2.80" {
				t.Errorf("kdig %v: %v\n%s", args, err, out)
			}
		})
	}
}
