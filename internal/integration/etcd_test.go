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
	"fairlead/internal/testkit/loopback"
)

// etcdServer is one member of real etcd in a directory of its own.
type etcdServer struct {
	t            *testing.T
	name, all    string // all: the members of its cluster, as etcd is told
	dir          string
	client, peer string // host:port
	scheme       string
	flags, env   []string // env: of etcdctl
	cmd          *exec.Cmd
}

func newEtcd(t *testing.T, scheme string, flags ...string) *etcdServer {
	t.Helper()
	needs(t, "etcd", "etcdctl")
	s := &etcdServer{t: t, name: "one", dir: filepath.Join(t.TempDir(), "etcd"), client: loopback.Address(t), peer: loopback.Address(t), scheme: scheme, flags: flags}
	s.all = s.initial()
	t.Cleanup(s.kill)
	s.start()
	return s
}

// newEtcdCluster starts three members.
func newEtcdCluster(t *testing.T) []*etcdServer {
	t.Helper()
	needs(t, "etcd", "etcdctl")
	var members []*etcdServer
	var all []string
	for _, name := range []string{"one", "two", "three"} {
		s := &etcdServer{t: t, name: name, dir: filepath.Join(t.TempDir(), "etcd"), client: loopback.Address(t), peer: loopback.Address(t), scheme: "http"}
		t.Cleanup(s.kill)
		members, all = append(members, s), append(all, s.initial())
	}
	for _, s := range members {
		s.all = strings.Join(all, ",")
		s.launch()
	}
	for _, s := range members {
		s.listens()
	}
	eventually(t, 20*time.Second, "the members have a leader", func() error {
		out, err := members[0].etcdctl("", "get", "nothing")
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	return members
}

// initial is the member as the others are told of it.
func (s *etcdServer) initial() string { return s.name + "=http://" + s.peer }

func (s *etcdServer) url() string { return s.scheme + "://" + s.client }

func (s *etcdServer) start() {
	s.t.Helper()
	s.launch()
	s.listens()
}

func (s *etcdServer) launch() {
	s.t.Helper()
	args := append([]string{"--name", s.name, "--data-dir", s.dir, "--listen-client-urls", s.url(), "--advertise-client-urls", s.url(), "--listen-peer-urls", "http://" + s.peer,
		"--initial-advertise-peer-urls", "http://" + s.peer, "--initial-cluster", s.all, "--logger", "zap", "--log-level", "error"}, s.flags...)
	s.cmd = exec.Command("etcd", args...)
	if len(s.all) == len(s.initial()) { // members of a cluster say much of each other
		s.cmd.Stderr = os.Stderr
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *etcdServer) listens() {
	s.t.Helper()
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
	out, err := s.etcdctl("", args...)
	if err != nil {
		s.t.Fatalf("etcdctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// etcdctl runs etcdctl with something to read.
func (s *etcdServer) etcdctl(in string, args ...string) (string, error) {
	cmd := exec.Command("etcdctl", append([]string{"--endpoints", s.url()}, args...)...)
	cmd.Env = append(append(os.Environ(), "ETCDCTL_API=3"), s.env...)
	if in != "" {
		cmd.Stdin = strings.NewReader(in)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
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

// etcdPair is two nodes on one etcd. They live longer than subtests.
type etcdPair struct {
	whole    *testing.T
	server   *etcdServer
	access   etcdstore.Access
	dirs     []string
	one, two *etcdNode
}

func TestEtcdSharesADocument(t *testing.T) {
	t.Parallel()
	server := newEtcd(t, "http")
	p := &etcdPair{whole: t, server: server, access: etcdstore.Access{Endpoints: []string{server.url()}}, dirs: []string{t.TempDir(), t.TempDir()}}
	p.one, p.two = mustStartEtcdNode(t, "ams", p.dirs[0], p.access), mustStartEtcdNode(t, "nyc", p.dirs[1], p.access)
	if err := p.two.has(p.one); err != nil {
		t.Fatal(err)
	}
	t.Run("etcdctl sees the document", p.seen)
	t.Run("both write at once", p.atOnce)
	t.Run("a watch tells within a second", p.watched)
	t.Run("etcd is killed and returns", p.killed)
	t.Run("etcd is compacted during absence", p.compacted)
	t.Run("an older snapshot is refused", p.restored)
}

func (p *etcdPair) seen(t *testing.T) {
	out := p.server.ctl("get", "--prefix", "/fairlead/objects/service/web-ams/")
	if !strings.Contains(out, `"name":"web-ams"`) {
		t.Errorf("etcdctl shows\n%s", out)
	}
	t.Log(p.server.ctl("get", "--prefix", "/fairlead/objects/service/"), p.server.ctl("get", "/fairlead/head"))
}

func (p *etcdPair) atOnce(t *testing.T) {
	errs := make(chan error, 2)
	for i, n := range []*etcdNode{p.one, p.two} {
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
	eventually(t, 5*time.Second, "both have the same", func() error { return p.two.has(p.one) })
	for i := range 2 {
		for k := range 20 {
			if p.one.Current().Objects.Get(config.ObjectKey{Kind: config.ObjectService, Name: fmt.Sprintf("at-once-%d-%d", i, k)}) == nil {
				t.Errorf("the write %d of node %d is lost", k, i)
			}
		}
	}
}

func (p *etcdPair) watched(t *testing.T) {
	start := time.Now()
	if _, err := p.one.put(etcdService(t, "watched", "192.0.2.8")); err != nil {
		t.Fatal(err)
	}
	wrote := time.Since(start)
	eventually(t, time.Second, "the other node hears", func() error { return p.two.has(p.one) })
	t.Logf("written in %v, heard within %v", wrote, time.Since(start))
}

func (p *etcdPair) killed(t *testing.T) {
	p.server.kill()
	eventually(t, 15*time.Second, "the node says so", func() error {
		if p.two.Sync().Unavailable == "" {
			return errors.New("it is available")
		}
		return nil
	})
	t.Log(p.two.Sync().Unavailable)
	start := time.Now()
	if _, err := p.two.put(etcdService(t, "unwritten", "192.0.2.9")); !errors.Is(err, revision.ErrUnavailable) {
		t.Errorf("a write without etcd: %v", err)
	}
	t.Logf("a write is refused after %v", time.Since(start))
	p.one.stop()
	p.one = mustStartEtcdNode(p.whole, "ams", p.dirs[0], p.access)
	if err := p.one.has(p.two); err != nil {
		t.Errorf("a node that was started without etcd: %v", err)
	}
	p.server.start()
	start = time.Now()
	for _, n := range []*etcdNode{p.one, p.two} {
		eventually(t, 20*time.Second, "the node finds it", func() error {
			if why := n.Sync().Unavailable; why != "" {
				return errors.New(why)
			}
			return nil
		})
	}
	t.Logf("found again after %v", time.Since(start))
	if _, err := p.two.put(etcdService(t, "written", "192.0.2.9")); err != nil {
		t.Error(err)
	}
	eventually(t, 5*time.Second, "both have the same", func() error { return p.one.has(p.two) })
}

func (p *etcdPair) compacted(t *testing.T) {
	p.one.stop()
	for k := range 5 {
		if _, err := p.two.put(etcdService(t, "compacted", fmt.Sprintf("192.0.2.%d", 20+k))); err != nil {
			t.Fatal(err)
		}
	}
	var version int64
	if _, err := fmt.Sscanf(strings.Split(p.server.ctl("get", "nothing", "-w", "json"), `"revision":`)[1], "%d", &version); err != nil {
		t.Fatal(err)
	}
	p.server.ctl("compact", fmt.Sprint(version))
	p.one = mustStartEtcdNode(p.whole, "ams", p.dirs[0], p.access)
	eventually(t, 5*time.Second, "both have the same", func() error { return p.one.has(p.two) })
}

func (p *etcdPair) restored(t *testing.T) {
	snapshot := filepath.Join(t.TempDir(), "snapshot.db")
	p.server.ctl("snapshot", "save", snapshot)
	if _, err := p.two.put(etcdService(t, "after", "192.0.2.99")); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "both have the same", func() error { return p.one.has(p.two) })
	old := p.two.Current().Revision
	p.server.kill()
	p.server.dir += "-restored"
	p.server.ctl("snapshot", "restore", snapshot, "--data-dir", p.server.dir, "--name", "one", "--initial-cluster", "one=http://"+p.server.peer, "--initial-advertise-peer-urls", "http://"+p.server.peer)
	p.server.start()
	eventually(t, 30*time.Second, "the node refuses it", func() error {
		if why := p.two.Sync().Unavailable; !strings.Contains(why, "accept: ") {
			return fmt.Errorf("unavailable = %q", why)
		}
		return nil
	})
	t.Log(p.two.Sync().Unavailable)
	if p.two.Current().Revision != old {
		t.Error("an older document came over a newer one")
	}
	_, after, _ := strings.Cut(p.two.Sync().Unavailable, "accept: ")
	p.two.stop()
	p.two = mustStartEtcdNode(p.whole, "nyc", p.dirs[1], p.access, func(o *etcdstore.Options) { o.Accept = after[:16] })
	if p.two.Sync().Unavailable != "" || p.two.Current().Objects.Get(config.ObjectKey{Kind: config.ObjectService, Name: "after"}) != nil {
		t.Errorf("after it was accepted: %+v", p.two.Sync())
	}
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
