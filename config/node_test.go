package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// writeIdentity writes a self-signed certificate of a site and its key. It ends in 2106.
func writeIdentity(t *testing.T, dir, site string, keyMode os.FileMode) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
		URIs: []*url.URL{{Scheme: "fairlead", Host: "site", Path: "/" + site}}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, data []byte, mode os.FileMode) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("ams.crt", "CERTIFICATE", cert, 0o644)
	write("ca.crt", "CERTIFICATE", cert, 0o644)
	write("ams.key", "PRIVATE KEY", der, keyMode)
}

const goodNode = `site: ams
data_dir: data
config: {seed: doc.yaml}
dns: {listen: ["127.0.0.1:5353", ":53"]}
mep: {listen: "127.0.0.1:3009", tls: {cert: ams.crt, key: ams.key, ca: ca.crt}}
`

func writeNode(t *testing.T, node string, keyMode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	writeIdentity(t, dir, "ams", keyMode)
	for name, text := range map[string]string{"node.yaml": node, "doc.yaml": small} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "node.yaml")
}

func TestNodeChecksItsDocumentAndFiles(t *testing.T) {
	report, err := CheckFile(writeNode(t, goodNode, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if report.Errors()+report.Warnings() > 0 {
		t.Errorf("problems:\n%s", rendered(t, report))
	}
}

func TestNodeIdentityFiles(t *testing.T) {
	path := writeNode(t, goodNode, 0o644)
	node, report, err := LoadNode(path)
	if err != nil || node == nil {
		t.Fatal(err, report)
	}
	wantCode(t, CheckNodeFiles(node), codeWarnKeyMode)
	other := t.TempDir()
	writeIdentity(t, other, "nyc", 0o600)
	node.MEP.TLS.Key = filepath.Join(other, "ams.key")
	wantCode(t, CheckNodeFiles(node), codeNodeFile)

	node.MEP.TLS.Cert = filepath.Join(other, "ams.crt")
	for _, want := range []string{`the certificate is of site "nyc", this node is of site "ams"`, "not one of this authority"} {
		if got := rendered(t, CheckNodeFiles(node)); !strings.Contains(got, want) {
			t.Errorf("got %s, want %q in it", got, want)
		}
	}
	node.Site, node.MEP.TLS.CA = "nyc", filepath.Join(other, "ca.crt")
	if r := CheckNodeFiles(node); r.Errors() > 0 {
		t.Errorf("another site's certificate at that site: %s", rendered(t, r))
	}
	report = new(Report)
	text := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	checkIdentity(&page{file: "node", report: report, failed: map[string]bool{}}, node,
		text(node.MEP.TLS.Cert), text(node.MEP.TLS.Key), text(node.MEP.TLS.CA), time.Unix(1<<32+1, 0))
	wantCode(t, report, codeWarnCertificateDates)
}

func TestHintsOfListenAddresses(t *testing.T) {
	text := "site: ams\ndata_dir: /d\nconfig: {follow: doc.yaml}\ndns: {listen: [\"x:53\"]}\nmep: {listen: \"y:1\", insecure: true}\napi: {listen: \"localhost:8053\"}\n"
	_, report, err := LoadNode(writeNode(t, text, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range report.Problems() {
		if p.Code == codeNodeListen {
			got = append(got, p.Hint)
		}
	}
	want := []string{"write 192.0.2.1:53, [2001:db8::1]:53 or :53", "write 0.0.0.0:3009 or [::]:3009", "write 127.0.0.1:8053"}
	if !slices.Equal(got, want) {
		t.Errorf("hints: got %q, want %q", got, want)
	}
}

func TestNodeWithoutMEP(t *testing.T) {
	path := writeNode(t, "site: ams\ndata_dir: /d\nconfig: {follow: doc.yaml}\ndns: {listen: [\":53\"]}\n", 0o600)
	node, report, err := LoadNode(path)
	if err != nil || report.Errors() > 0 {
		t.Fatal(err, report.Err())
	}
	if got, want := node.API.Listen, "127.0.0.1:8053"; got != want {
		t.Errorf("API: got %q, want %q", got, want)
	}
	if got, want := node.Config.Follow, filepath.Join(filepath.Dir(path), "doc.yaml"); got != want {
		t.Errorf("follow: got %q, want %q", got, want)
	}
}

func TestLoadNodeReportsIOAsError(t *testing.T) {
	if _, _, err := LoadNode(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("no error")
	}
}

// What cannot be bound together is said by the check, not by a node that looks for another program.
func TestListenOverlaps(t *testing.T) {
	for listen, want := range map[string]string{
		`"0.0.0.0:53", "[::]:53"`:                "",
		`"127.0.0.1:53", "[::1]:53", "[::]:54"`:  "",
		`"0.0.0.0:53", "127.0.0.1:54"`:           "",
		`"0.0.0.0:53", "127.0.0.1:53"`:           "take the same port",
		`"127.0.0.1:53", ":53"`:                  "take the same port",
		`":53", "0.0.0.0:53"`:                    "stands twice",
		`":53", "[::]:53"`:                       "stands twice",
		`"[::1]:53", "[::]:53"`:                  "take the same port",
		`"[::ffff:127.0.0.1]:53","127.0.0.1:53"`: "stands twice",
		`"127.0.0.1:0", "0.0.0.0:0"`:             "",
		strings.Repeat(`"127.0.0.1:53", `, 65):   "65 addresses to listen on; the limit is 64",
	} {
		dir := writeNode(t, strings.Replace(goodNode, `"127.0.0.1:5353", ":53"`, listen, 1), 0o600)
		report, err := CheckFile(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := rendered(t, report)
		if want == "" && report.Errors() > 0 || !strings.Contains(got, want) {
			t.Errorf("%s: got %s", listen, got)
		}
	}
}

func TestADocumentIsNoNodeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gslb.yaml")
	if err := os.WriteFile(path, []byte("sites: [{name: ams, address: 192.0.2.1}]\nservices: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, report, err := LoadNode(path)
	if err != nil || n != nil {
		t.Fatalf("LoadNode: got %v, %v, want neither a node nor an error", n, err)
	}
	if got := report.Problems(); len(got) != 1 || got[0].Code != codeOtherFile {
		t.Errorf("got %v, want one problem: it is a GSLB document", got)
	}
}
