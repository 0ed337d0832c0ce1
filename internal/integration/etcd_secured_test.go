//go:build integration && linux

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// securedEtcd is a member of etcd with TLS, certificates of clients, users, and little room.
type securedEtcd struct {
	*etcdServer
	lab *etcdLab
	pki string // directory with ca.crt, etcd.crt, node.crt and their keys
}

// TestEtcdSecured: a node as a process on an etcd whose passwords, certificates and rights change, that is full, and that somebody else writes to.
func TestEtcdSecured(t *testing.T) {
	t.Parallel()
	needs(t, "openssl", "etcd")
	s := &securedEtcd{pki: t.TempDir()}
	s.authority(t)
	file := func(name string) string { return filepath.Join(s.pki, name) }
	s.etcdServer = newEtcd(t, "https", "--cert-file", file("etcd.crt"), "--key-file", file("etcd.key"), "--client-cert-auth", "--trusted-ca-file", file("ca.crt"), "--quota-backend-bytes", "3000000")
	s.env = []string{"ETCDCTL_CACERT=" + file("ca.crt"), "ETCDCTL_CERT=" + file("node.crt"), "ETCDCTL_KEY=" + file("node.key")}
	for _, args := range []string{"user add root:secret", "user add fairlead:first", "role add gslb", "role grant-permission gslb readwrite --prefix=true /fairlead/",
		"user grant-role fairlead gslb", "role add root", "user grant-role root root", "auth enable"} {
		s.ctl(strings.Fields(args)...)
	}
	s.env = append(s.env, "ETCDCTL_USER=root:secret")
	s.password(t, "first")
	s.lab = newEtcdLab(t, []*etcdServer{s.etcdServer}, fmt.Sprintf(", user: fairlead, password_file: %s, tls: {cert: %s, key: %s, ca: %s}", file("password"), file("node.crt"), file("node.key"), file("ca.crt")), "ams")
	s.written(t, "first")
	t.Run("the password is changed", s.passwordChanges)
	t.Run("a right is missing", s.rightIsMissing)
	t.Run("certificates are replaced", s.certificatesChange)
	t.Run("it is full", s.full)
	t.Run("somebody else writes", s.writtenByHand)
}

// authority makes certificates of a new authority.
func (s *securedEtcd) authority(t *testing.T) {
	t.Helper()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("openssl", args...)
		cmd.Dir = s.pki
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	key := []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"}
	run(append([]string{"req", "-x509", "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.crt"}, key...)...)
	extensions := filepath.Join(s.pki, "extensions")
	if err := os.WriteFile(extensions, []byte("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etcd", "node"} {
		run(append([]string{"req", "-new", "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".csr"}, key...)...)
		run("x509", "-req", "-in", name+".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", name+".crt")
	}
}

func (s *securedEtcd) password(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.pki, "password"), []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// written writes a service, which must be acknowledged.
func (s *securedEtcd) written(t *testing.T, name string) {
	t.Helper()
	if r := s.lab.site["ams"].put(name, "198.18.101.1"); r.status != 201 {
		t.Errorf("a write: %s", r)
	}
}

// says waits until the node tells why nothing can be written, and holds a write against it.
func (s *securedEtcd) says(t *testing.T, want string) {
	t.Helper()
	ams := s.lab.site["ams"]
	eventually(t, 15*time.Second, "the node says: "+want, func() error {
		sync, err := ams.sync()
		if err == nil && !strings.Contains(sync.Unavailable, want) {
			err = fmt.Errorf("it says %q", sync.Unavailable)
		}
		return err
	})
	if r := ams.put("refused", "198.18.101.1"); r.code != "not-stored" || !strings.Contains(r.detail, want) {
		t.Errorf("a write is answered %s, want it to say %s", r, want)
	}
	ams.is(false, 0)
	if err := ams.answers(); err != nil {
		t.Error(err)
	}
}

func (s *securedEtcd) passwordChanges(t *testing.T) {
	if out, err := s.etcdctl("second", "user", "passwd", "fairlead", "--interactive=false"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.says(t, "look at config.store.etcd.user and password_file")
	s.password(t, "second")
	s.lab.site["ams"].is(true, 20*time.Second)
	s.written(t, "password")
}

func (s *securedEtcd) rightIsMissing(t *testing.T) {
	s.ctl("role", "revoke-permission", "gslb", "--prefix=true", "/fairlead/")
	s.ctl("role", "grant-permission", "gslb", "read", "--prefix=true", "/fairlead/")
	s.says(t, "etcdctl role grant-permission ROLE readwrite --prefix=true")
	s.ctl("role", "revoke-permission", "gslb", "--prefix=true", "/fairlead/")
	s.ctl("role", "grant-permission", "gslb", "readwrite", "--prefix=true", "/fairlead/")
	s.lab.site["ams"].is(true, 20*time.Second)
	s.written(t, "right")
}

func (s *securedEtcd) certificatesChange(t *testing.T) {
	old, err := os.ReadFile(filepath.Join(s.pki, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	s.kill()
	s.authority(t)
	fresh, err := os.ReadFile(filepath.Join(s.pki, "ca.crt"))
	if err == nil {
		err = os.WriteFile(filepath.Join(s.pki, "ca.crt"), old, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	trusted := filepath.Join(s.pki, "fresh.crt")
	if err := os.WriteFile(trusted, fresh, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, flag := range s.flags {
		if flag == "--trusted-ca-file" {
			s.flags[i+1] = trusted
		}
	}
	s.start()
	s.says(t, "look at config.store.etcd.tls.ca")
	if err := os.WriteFile(filepath.Join(s.pki, "ca.crt"), fresh, 0o600); err != nil {
		t.Fatal(err)
	}
	s.lab.site["ams"].is(true, 20*time.Second)
	s.written(t, "certificate")
}

func (s *securedEtcd) full(t *testing.T) {
	fill := strings.Repeat("x", 500_000)
	for i := 0; ; i++ {
		out, err := s.etcdctl(fill, "put", fmt.Sprintf("/fill/%d", i))
		if err != nil && strings.Contains(out, "space exceeded") {
			break
		}
		if err != nil || i > 100 {
			t.Fatalf("%d: %v: %s", i, err, out)
		}
	}
	s.says(t, "etcd is full: compact and defragment it")
	s.ctl("del", "--prefix", "/fill/")
	var version int64
	if _, err := fmt.Sscanf(strings.Split(s.ctl("get", "nothing", "-w", "json"), `"revision":`)[1], "%d", &version); err != nil {
		t.Fatal(err)
	}
	s.ctl("compact", fmt.Sprint(version), "--physical=true")
	s.ctl("defrag")
	s.ctl("alarm", "disarm")
	s.lab.site["ams"].is(true, 20*time.Second)
	s.written(t, "room")
}

func (s *securedEtcd) writtenByHand(t *testing.T) {
	ams := s.lab.site["ams"]
	before, err := ams.sync()
	if err != nil {
		t.Fatal(err)
	}
	s.ctl("put", "/fairlead/objects/service/by-hand/"+strings.Repeat("0", 64), `{"addresses":["192.0.2.1"],"name":"by-hand","site":"elsewhere"}`)
	s.ctl("put", "/fairlead/head", "nonsense")
	s.says(t, "somebody else than Fairlead has written it")
	after, err := ams.sync()
	if err != nil || after.Document != before.Document || ams.has("by-hand") == nil {
		t.Errorf("what was written by hand has changed the document: %+v, %v", after, err)
	}
	_, command, _ := strings.Cut(after.Unavailable, "put back what was there: ")
	command, _, _ = strings.Cut(command, ". So it is")
	sh := exec.Command("sh", "-c", command)
	sh.Env = append(append(os.Environ(), "ETCDCTL_API=3", "ETCDCTL_ENDPOINTS="+s.url()), s.env...)
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	ams.is(true, 20*time.Second)
	s.written(t, "put-back")
}
