//go:build integration

package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"fairlead/internal/testkit/loopback"
)

// TestSLAPD: ldap probes of OpenLDAP.
func TestSLAPD(t *testing.T) {
	t.Parallel()
	paths, dir := need(t, "slapd", "slapadd"), t.TempDir()
	port, portTLS := loopback.Port(t), loopback.Port(t)
	cert, key := certificate(t, dir)
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	conf := file(t, dir, "slapd.conf", fmt.Sprintf(`include /etc/ldap/schema/core.schema
pidfile %[1]s/pid
argsfile %[1]s/args
TLSCertificateFile %[2]s
TLSCertificateKeyFile %[3]s
database ldif
directory %[1]s/data
suffix "dc=example,dc=com"
rootdn "cn=probe,dc=example,dc=com"
rootpw correct
`, dir, cert, key))
	entries := file(t, dir, "entries.ldif", `dn: dc=example,dc=com
objectClass: organization
objectClass: dcObject
o: Example
dc: example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people
`)
	if out, err := exec.Command(paths[1], "-f", conf, "-l", entries).CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	s := start(t, launch{dir: dir}, paths[0], "-f", conf, "-d", "0", "-h", fmt.Sprintf("ldap://127.0.0.1:%d ldaps://127.0.0.1:%d", port, portTLS))
	to, toTLS := onLoopback(port), onLoopback(portTLS)
	s.listening(to)
	s.listening(toTLS)
	good := fmt.Sprintf(`login: {user: "cn=probe,dc=example,dc=com", password: "file:%s"}`, file(t, dir, "good", "correct\n"))
	bad := fmt.Sprintf(`login: {user: "cn=probe,dc=example,dc=com", password: "file:%s"}`, file(t, dir, "bad", "wrong\n"))
	tls := fmt.Sprintf(`tls: {ca_file: %s}`, cert)

	passes(t, `{type: ldap}`, to, "bound")
	passes(t, fmt.Sprintf(`{type: ldap, %s}`, good), to, "bound")
	fails(t, fmt.Sprintf(`{type: ldap, %s}`, bad), to, "bind: result 49 Invalid Credentials")
	passes(t, fmt.Sprintf(`{type: ldap, security: starttls, %s, %s}`, tls, good), to, "bound")
	passes(t, fmt.Sprintf(`{type: ldap, security: tls, %s, %s}`, tls, good), toTLS, "bound")
	fails(t, `{type: ldap, security: starttls}`, to, "certificate")
	fails(t, `{type: ldap, security: tls}`, toTLS, "certificate")

	passes(t, `{type: ldap, ldap: {base: "dc=example,dc=com"}}`, to, "search found an entry")
	passes(t, `{type: ldap, ldap: {base: "dc=example,dc=com", scope: sub, filter: "(&(objectClass=organizationalUnit)(ou=pe*))"}}`, to, "search found an entry")
	passes(t, `{type: ldap, ldap: {base: "dc=example,dc=com", scope: one, filter: "(ou=people)"}}`, to, "search found an entry")
	passes(t, `{type: ldap, ldap: {filter: "(objectClass=*)"}}`, to, "search found an entry") // the root DSE
	fails(t, `{type: ldap, ldap: {base: "dc=example,dc=com", filter: "(ou=people)"}}`, to, "search found nothing")
	fails(t, `{type: ldap, ldap: {base: "dc=example,dc=net"}}`, to, "search: result 32 No Such Object")
	passes(t, `{type: ldap, reverse: true, ldap: {base: "dc=example,dc=net"}}`, to, "which passes: reverse")

	s.freeze()
	fails(t, `{type: ldap, timeout: 300ms}`, to, "timed out after 300ms waiting for the answer to bind")
	s.stop()
	fails(t, `{type: ldap}`, to, "tcp connect refused")
}
