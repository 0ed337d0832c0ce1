package node_test

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"fairlead/adns"
	"fairlead/config"
	"fairlead/internal/node"
	"fairlead/internal/pki"
)

// issue writes a certificate and its key.
func issue(t *testing.T, cert, key string) {
	t.Helper()
	authority, err := pki.NewAuthority(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue("here", pki.Options{IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{cert: pair.Cert, key: pair.Key} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// dialDoT connects and returns the connection with the certificate's serial number.
func dialDoT(t *testing.T, n *node.Node) (*tls.Conn, string) {
	t.Helper()
	conn, err := tls.Dial("tcp", n.SecureDNSAddrs(adns.TLS)[0].String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"dot"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn, conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// A reload takes a renewed certificate, also on a node that follows no document; connections that are open go on.
func TestReloadRenewsCertificates(t *testing.T) {
	p := newPlace(t, false)
	p.write(document("192.0.2.80"))
	cert, key := filepath.Join(t.TempDir(), "dns.crt"), filepath.Join(t.TempDir(), "dns.key")
	issue(t, cert, key)
	p.config.DNS.TLS = &config.NodeDNSTLS{Listen: []string{"127.0.0.1:0"}, Cert: cert, Key: key}
	p.config.DNS.HTTPS = &config.NodeDNSHTTPS{Listen: []string{"127.0.0.1:0"}, Cert: cert, Key: key, Path: "/q"}
	n, _ := p.serve(nil)
	if got := n.SecureDNSAddrs(adns.HTTPS); len(got) != 1 {
		t.Errorf("HTTPS is served on %v", got)
	}
	open, first := dialDoT(t, n)
	issue(t, cert, key)
	if err := n.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, second := dialDoT(t, n); second == first {
		t.Error("the certificate before the reload is served")
	}
	wire, err := new(dns.Msg).SetQuestion("www.example.test.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)); err != nil {
		t.Fatal(err)
	}
	var length [2]byte
	if _, err := io.ReadFull(open, length[:]); err != nil {
		t.Fatalf("the connection from before the reload: %v", err)
	}
}

func TestCertificatesThatCannotBeUsed(t *testing.T) {
	p := newPlace(t, false)
	p.write(document("192.0.2.80"))
	p.config.DNS.TLS = &config.NodeDNSTLS{Listen: []string{"127.0.0.1:0"}, Cert: "none.crt", Key: "none.key"}
	_, err := node.New(node.Options{Config: &p.config})
	if err == nil || !strings.Contains(err.Error(), "none.crt") || !strings.Contains(err.Error(), "correct dns.tls of the node file") {
		t.Errorf("got %v, want an error that names the file and the key", err)
	}
}
