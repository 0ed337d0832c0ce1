//go:build integration

package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"fairlead/config"
	"fairlead/config/etcdstore"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/config/store"
)

// etcdServer is one member of real etcd in a directory of its own.
type etcdServer struct {
	t            *testing.T
	dir          string
	client, peer string // host:port
	scheme       string
	flags        []string
	cmd          *exec.Cmd
}

func etcdPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func newEtcd(t *testing.T, scheme string, flags ...string) *etcdServer {
	t.Helper()
	needs(t, "etcd", "etcdctl")
	s := &etcdServer{t: t, dir: filepath.Join(t.TempDir(), "etcd"), client: etcdPort(t), peer: etcdPort(t), scheme: scheme, flags: flags}
	t.Cleanup(s.kill)
	s.start()
	return s
}

func (s *etcdServer) url() string { return s.scheme + "://" + s.client }

func (s *etcdServer) start() {
	s.t.Helper()
	args := append([]string{"--name", "one", "--data-dir", s.dir, "--listen-client-urls", s.url(), "--advertise-client-urls", s.url(), "--listen-peer-urls", "http://" + s.peer,
		"--initial-advertise-peer-urls", "http://" + s.peer, "--initial-cluster", "one=http://" + s.peer, "--logger", "zap", "--log-level", "error"}, s.flags...)
	s.cmd = exec.Command("etcd", args...)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, 20*time.Second, "etcd listens", func() error {
		c, err := net.Dial("tcp", s.client)
		if err == nil {
			err = c.Close()
		}
		return err
	})
}

func (s *etcdServer) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGKILL)
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// ctl runs etcdctl.
func (s *etcdServer) ctl(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("etcdctl", append([]string{"--endpoints", s.url()}, args...)...)
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("etcdctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// etcdNode is an engine with a store, as a node has it, without DNS.
type etcdNode struct {
	*etcdstore.Engine
	t      *testing.T
	cancel context.CancelFunc
	ended  chan error
	store  *store.Store
}

type anyDocument struct{}

func (anyDocument) Warnings() []config.Problem { return nil }
func (anyDocument) Inert() []config.Problem    { return nil }

func (anyDocument) Compile(_ context.Context, o *config.Objects, lenient bool) (replica.Candidate, error) {
	_, report := config.Assemble(o, config.AssembleOptions{Lenient: lenient})
	if report.Errors() > 0 {
		return nil, report.Err()
	}
	return anyDocument{}, nil
}

func (anyDocument) Effect(context.Context, replica.Candidate, replica.Candidate) (*revision.Effect, error) {
	return nil, nil
}
func (anyDocument) Adopt(replica.Candidate, *revision.View) {}

// startEtcdNode starts an engine with the document of the example of two sites.
func startEtcdNode(t *testing.T, site, dir string, access etcdstore.Access, with ...func(*etcdstore.Options)) (*etcdNode, error) {
	t.Helper()
	n := &etcdNode{t: t, ended: make(chan error, 1)}
	var err error
	if n.store, err = store.Open(dir, store.Options{}); err != nil {
		t.Fatal(err)
	}
	if access.Prefix == "" {
		access.Prefix = "/fairlead"
	}
	if access.Timeout == 0 {
		access.Timeout = 5 * time.Second
	}
	o := etcdstore.Options{Site: site, Access: access, Store: n.store, Compiler: anyDocument{}, Seed: func() (*config.Objects, error) {
		src, err := config.ReadSource(filepath.Join("..", "..", "examples", "two-sites", "two-sites.yaml"))
		if err != nil {
			return nil, err
		}
		objects, report := src.Objects()
		return objects, report.Err()
	}}
	if testing.Verbose() {
		o.Logger = zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.AddSync(t.Output()), zap.DebugLevel)).Named(site)
	}
	for _, w := range with {
		w(&o)
	}
	if n.Engine, err = etcdstore.New(t.Context(), o); err != nil {
		return nil, errors.Join(err, n.store.Close())
	}
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(context.Background())
	go func() { n.ended <- n.Run(ctx) }()
	t.Cleanup(n.stop)
	return n, nil
}

func mustStartEtcdNode(t *testing.T, site, dir string, access etcdstore.Access, with ...func(*etcdstore.Options)) *etcdNode {
	t.Helper()
	n, err := startEtcdNode(t, site, dir, access, with...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *etcdNode) stop() {
	if n.cancel == nil {
		return
	}
	n.cancel()
	if err := errors.Join(<-n.ended, n.store.Close()); err != nil {
		n.t.Error(err)
	}
	n.cancel = nil
}

func (n *etcdNode) put(objects ...*config.Object) (*revision.Outcome, error) {
	return n.Commit(context.Background(), &revision.Write{Put: objects, Author: "ann", Source: "api", Reason: "a test"})
}

func (n *etcdNode) has(other *etcdNode) error {
	if a, b := n.Current(), other.Current(); a.Revision != b.Revision || a.Document != b.Document {
		return fmt.Errorf("revision %s of %s, want %s of %s", a.Revision, a.Document, b.Revision, b.Document)
	}
	return nil
}

func etcdService(t *testing.T, name, address string) *config.Object {
	t.Helper()
	o, err := config.NewObject(config.ObjectService, name, fmt.Appendf(nil, `{"name":%q,"site":"ams","addresses":[%q],"port":443}`, name, address))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestEtcdSharesADocument(t *testing.T) {
	whole := t // nodes live longer than subtests
	server := newEtcd(t, "http")
	access := etcdstore.Access{Endpoints: []string{server.url()}}
	dirs := []string{t.TempDir(), t.TempDir()}
	one, two := mustStartEtcdNode(t, "ams", dirs[0], access), mustStartEtcdNode(t, "nyc", dirs[1], access)
	if err := two.has(one); err != nil {
		t.Fatal(err)
	}
	t.Run("etcdctl sees the document", func(t *testing.T) {
		out := server.ctl("get", "--prefix", "/fairlead/objects/service/web-ams/")
		if !strings.Contains(out, `"name":"web-ams"`) {
			t.Errorf("etcdctl shows\n%s", out)
		}
		t.Log(server.ctl("get", "--prefix", "/fairlead/objects/service/"), server.ctl("get", "/fairlead/head"))
	})
	t.Run("both write at once", func(t *testing.T) {
		errs := make(chan error, 2)
		for i, n := range []*etcdNode{one, two} {
			go func() {
				var err error
				for k := range 20 {
					_, e := n.put(etcdService(t, fmt.Sprintf("at-once-%d-%d", i, k), "192.0.2.7"))
					err = errors.Join(err, e)
				}
				errs <- err
			}()
		}
		if err := errors.Join(<-errs, <-errs); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Second, "both have the same", func() error { return two.has(one) })
		for i := range 2 {
			for k := range 20 {
				if one.Current().Objects.Get(config.ObjectKey{Kind: config.ObjectService, Name: fmt.Sprintf("at-once-%d-%d", i, k)}) == nil {
					t.Errorf("the write %d of node %d is lost", k, i)
				}
			}
		}
	})
	t.Run("a watch tells within a second", func(t *testing.T) {
		start := time.Now()
		if _, err := one.put(etcdService(t, "watched", "192.0.2.8")); err != nil {
			t.Fatal(err)
		}
		wrote := time.Since(start)
		eventually(t, time.Second, "the other node hears", func() error { return two.has(one) })
		t.Logf("written in %v, heard within %v", wrote, time.Since(start))
	})
	t.Run("etcd is killed and returns", func(t *testing.T) {
		server.kill()
		eventually(t, 15*time.Second, "the node says so", func() error {
			if two.Sync().Unavailable == "" {
				return errors.New("it is available")
			}
			return nil
		})
		t.Log(two.Sync().Unavailable)
		start := time.Now()
		if _, err := two.put(etcdService(t, "unwritten", "192.0.2.9")); !errors.Is(err, revision.ErrUnavailable) {
			t.Errorf("a write without etcd: %v", err)
		}
		t.Logf("a write is refused after %v", time.Since(start))
		one.stop()
		one = mustStartEtcdNode(whole, "ams", dirs[0], access)
		if err := one.has(two); err != nil {
			t.Errorf("a node that was started without etcd: %v", err)
		}
		server.start()
		start = time.Now()
		for _, n := range []*etcdNode{one, two} {
			eventually(t, 20*time.Second, "the node finds it", func() error {
				if why := n.Sync().Unavailable; why != "" {
					return errors.New(why)
				}
				return nil
			})
		}
		t.Logf("found again after %v", time.Since(start))
		if _, err := two.put(etcdService(t, "written", "192.0.2.9")); err != nil {
			t.Error(err)
		}
		eventually(t, 5*time.Second, "both have the same", func() error { return one.has(two) })
	})
	t.Run("etcd is compacted during absence", func(t *testing.T) {
		one.stop()
		for k := range 5 {
			if _, err := two.put(etcdService(t, "compacted", fmt.Sprintf("192.0.2.%d", 20+k))); err != nil {
				t.Fatal(err)
			}
		}
		var version int64
		if _, err := fmt.Sscanf(strings.Split(server.ctl("get", "nothing", "-w", "json"), `"revision":`)[1], "%d", &version); err != nil {
			t.Fatal(err)
		}
		server.ctl("compact", fmt.Sprint(version))
		one = mustStartEtcdNode(whole, "ams", dirs[0], access)
		eventually(t, 5*time.Second, "both have the same", func() error { return one.has(two) })
	})
	t.Run("an older snapshot is refused", func(t *testing.T) {
		snapshot := filepath.Join(t.TempDir(), "snapshot.db")
		server.ctl("snapshot", "save", snapshot)
		if _, err := two.put(etcdService(t, "after", "192.0.2.99")); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Second, "both have the same", func() error { return one.has(two) })
		old := two.Current().Revision
		server.kill()
		server.dir += "-restored"
		server.ctl("snapshot", "restore", snapshot, "--data-dir", server.dir, "--name", "one", "--initial-cluster", "one=http://"+server.peer, "--initial-advertise-peer-urls", "http://"+server.peer)
		server.start()
		eventually(t, 30*time.Second, "the node refuses it", func() error {
			if why := two.Sync().Unavailable; !strings.Contains(why, "accept: ") {
				return fmt.Errorf("unavailable = %q", why)
			}
			return nil
		})
		t.Log(two.Sync().Unavailable)
		if two.Current().Revision != old {
			t.Error("an older document came over a newer one")
		}
		_, after, _ := strings.Cut(two.Sync().Unavailable, "accept: ")
		two.stop()
		two = mustStartEtcdNode(whole, "nyc", dirs[1], access, func(o *etcdstore.Options) { o.Accept = after[:16] })
		if two.Sync().Unavailable != "" || two.Current().Objects.Get(config.ObjectKey{Kind: config.ObjectService, Name: "after"}) != nil {
			t.Errorf("after it was accepted: %+v", two.Sync())
		}
	})
}

func TestEtcdTakesManyObjects(t *testing.T) {
	server := newEtcd(t, "http")
	access := etcdstore.Access{Endpoints: []string{server.url()}}
	one, two := mustStartEtcdNode(t, "ams", t.TempDir(), access), mustStartEtcdNode(t, "nyc", t.TempDir(), access)
	var many []*config.Object
	for i := range 10_000 {
		many = append(many, etcdService(t, fmt.Sprintf("many-%05d", i), fmt.Sprintf("10.0.%d.%d", i/250, i%250+1)))
	}
	many = append(many, config.NewFile("big.zone", []byte(strings.Repeat("; three MiB of comment\n", 3<<20/23))))
	start := time.Now()
	if _, err := one.put(many...); err != nil {
		t.Fatal(err)
	}
	t.Logf("10,000 services and a file of 3 MiB written in %v", time.Since(start))
	eventually(t, 20*time.Second, "the other node has them", func() error { return two.has(one) })
	t.Logf("at the other node after %v", time.Since(start))
	start = time.Now()
	if _, err := one.put(etcdService(t, "many-00000", "10.9.9.9")); err != nil {
		t.Fatal(err)
	}
	t.Logf("one of them changed in %v", time.Since(start))
	start = time.Now()
	third := mustStartEtcdNode(t, "fra", t.TempDir(), access)
	if err := third.has(one); err != nil {
		t.Error(err)
	}
	t.Logf("a new node has all of it after %v", time.Since(start))
}

func TestEtcdWithTLSAndUsers(t *testing.T) {
	needs(t, "etcd", "etcdctl", "openssl")
	dir := t.TempDir()
	cert := func(args ...string) {
		t.Helper()
		cmd := exec.Command("openssl", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	cert("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=etcd",
		"-addext", "subjectAltName=IP:127.0.0.1", "-addext", "extendedKeyUsage=serverAuth,clientAuth")
	files := []string{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	server := newEtcd(t, "https", "--cert-file", files[0], "--key-file", files[1])
	ca := []string{"--cacert", files[0]}
	admin := append(ca, "--user", "root:secret")
	for _, args := range [][]string{{"user", "add", "root:secret"}, {"user", "add", "fairlead:s3cret"}, {"role", "add", "gslb"}, {"role", "grant-permission", "gslb", "readwrite", "--prefix=true", "/site/gslb/"},
		{"user", "grant-role", "fairlead", "gslb"}, {"role", "add", "root"}, {"user", "grant-role", "root", "root"}, {"auth", "enable"}} {
		server.ctl(append(ca, args...)...)
	}
	password := "wrong"
	access := etcdstore.Access{Endpoints: []string{server.url()}, Prefix: "/site/gslb", User: "fairlead", Password: func() (string, error) { return password, nil },
		TLS: func() (*tls.Config, error) {
			text, err := os.ReadFile(files[0])
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(text)
			return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, err
		}}
	if _, err := startEtcdNode(t, "ams", t.TempDir(), access); err == nil || !strings.Contains(err.Error(), "authentication failed") {
		t.Errorf("with a wrong password: %v", err)
	}
	password = "s3cret"
	n := mustStartEtcdNode(t, "ams", t.TempDir(), access)
	if _, err := n.put(etcdService(t, "guarded", "192.0.2.7")); err != nil {
		t.Error(err)
	}
	if out := server.ctl(append(admin, "get", "--prefix", "--keys-only", "/site/gslb/objects/service/guarded")...); !strings.Contains(out, "guarded") {
		t.Errorf("etcdctl shows %s", out)
	}
	server.ctl(append(admin, "role", "revoke-permission", "gslb", "--prefix=true", "/site/gslb/")...)
	if _, err := n.put(etcdService(t, "guarded", "192.0.2.8")); !errors.Is(err, revision.ErrUnavailable) || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("without the right to write: %v", err)
	}
}
