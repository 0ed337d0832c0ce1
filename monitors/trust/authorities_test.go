package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
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

func TestAuthoritiesReadAgainWhenChanged(t *testing.T) {
	first, second := newAuthority(t, "First"), newAuthority(t, "Second and longer")
	path := first.file(t)
	var a authorities
	before, err := a.read(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := a.read(path); again != before {
		t.Error("an unchanged file was read again")
	}
	text, err := os.ReadFile(second.file(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	after, err := a.read(path)
	if err != nil {
		t.Fatal(err)
	}
	if after.Equal(before) {
		t.Error("a changed file was not read again")
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("x", maxAuthorityBytes+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.read(path); err == nil {
		t.Error("an oversize file: no error")
	}
}

// TestAuthoritiesReplaced: files out of a store or an image have one time for all, and certificates often one length.
func TestAuthoritiesReplaced(t *testing.T) {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newAuthority(t, "First").cert.Raw})
	other := []byte(strings.Repeat("x", len(text)))
	path := filepath.Join(t.TempDir(), "ca.pem")
	put := func(text []byte) {
		t.Helper()
		fresh, then := path+".new", time.Unix(1, 0)
		if err := os.WriteFile(fresh, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(fresh, then, then); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(fresh, path); err != nil {
			t.Fatal(err)
		}
	}
	var a authorities
	put(text)
	if _, err := a.read(path); err != nil {
		t.Fatal(err)
	}
	put(other)
	if _, err := a.read(path); err == nil {
		t.Error("a file in the place of another was not read")
	}
}

func TestAuthoritiesThatCannotBeUsed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	write := func(text []byte) {
		t.Helper()
		then := time.Unix(1, 0)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newAuthority(t, "First").cert.Raw})
	synctest.Test(t, func(t *testing.T) {
		var a authorities
		write([]byte(strings.Repeat("x", len(text))))
		if _, err := a.read(path); err == nil {
			t.Fatal("no certificate: no error")
		}
		write(text) // nothing tells that it is another
		if _, err := a.read(path); err == nil {
			t.Error("the file was read at once, by each probe that names it")
		}
		time.Sleep(authorityRetry)
		if _, err := a.read(path); err != nil {
			t.Errorf("the file is not read any more: %v", err)
		}
	})
}

func TestHostName(t *testing.T) {
	for host, want := range map[string]string{
		"www.example.com": "www.example.com", "www.example.com:8443": "www.example.com", "192.0.2.1:80": "192.0.2.1",
		"2001:db8::1": "2001:db8::1", "[2001:db8::1]": "2001:db8::1", "[2001:db8::1]:443": "2001:db8::1", "": "",
	} {
		if got := HostName(host); got != want {
			t.Errorf("HostName(%q) = %q, want %q", host, got, want)
		}
	}
}
