package node_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairlead/config"
	"fairlead/internal/node"
)

// withKey gives a place a TSIG key that all places share.
func (p *place) withKey() {
	p.t.Helper()
	file := filepath.Join(filepath.Dir(p.file), "fetch.secret")
	if err := os.WriteFile(file, []byte("MDEyMzQ1Njc4OWFiY2RlZg=="), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.config.DNS.TSIGKeys = []config.NodeTSIGKey{{Name: "fetch", Algorithm: config.HMACSHA256, SecretFile: file}}
}

// secondaryDocument is a document whose example.test comes from a primary.
func secondaryDocument(primary string) string {
	return fmt.Sprintf("zones: [{name: example.test, primaries: [{address: %q, key: fetch}]}]\nsites: [{name: here, address: 127.0.0.1}]\n", primary)
}

// TestOneNodeTransfersFromAnother: with a signature, again after a NOTIFY, and from its own directory after a restart.
func TestOneNodeTransfersFromAnother(t *testing.T) {
	t.Parallel()
	out := func(serial int, notify, address string) string {
		text := strings.Replace(document(address), "ttl: 7s", fmt.Sprintf("ttl: 7s\n    serial: %d\n    transfer: {allow: [\"key:fetch\"], notify: [{address: %q, key: fetch}]}", serial, notify), 1)
		return text
	}
	first, second := newPlace(t, true), newPlace(t, true)
	first.withKey()
	second.withKey()
	first.write(out(1, "127.0.0.1:9", "192.0.2.1"))
	primary, stopPrimary := first.serve(nil)

	second.write(secondaryDocument(primary.DNSAddrs()[0].String()))
	secondary, stop := second.serve(nil)
	eventually(t, secondary, "www.example.test", "192.0.2.1")

	first.write(out(2, secondary.DNSAddrs()[0].String(), "192.0.2.2"))
	if err := primary.Reload(); err != nil {
		t.Fatal(err)
	}
	eventually(t, secondary, "www.example.test", "192.0.2.2") // long before the refresh timer

	stop()
	stopPrimary()
	again, _ := second.serve(nil)
	if got := answer(t, again, "www.example.test"); got != "192.0.2.2" {
		t.Errorf("after a restart without the primary: %q", got)
	}
}

// TestKeysAreNeeded: a node with a secret that cannot be read does not start.
func TestKeysAreNeeded(t *testing.T) {
	p := newPlace(t, true)
	p.withKey()
	p.write(document("192.0.2.1"))
	if err := os.Remove(p.config.DNS.TSIGKeys[0].SecretFile); err != nil {
		t.Fatal(err)
	}
	if _, err := node.New(node.Options{Config: &p.config}); err == nil || !strings.Contains(err.Error(), "fetch") {
		t.Errorf("got %v, want an error that names the key", err)
	}
}
