package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/config/store"
)

var now = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

const passphrase = "correct horse battery staple"

// write makes a write in a store.
func write(t testing.TB, s *store.Store, o *config.Object) {
	t.Helper()
	l, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	rev := &revision.Revision{Dot: revision.Dot{Actor: l.Actor, Seq: l.State.Vector()[l.Actor] + 1}, Seen: l.State.Vector().Clone(), Site: "ams",
		Author: "ops", Source: "api", Time: l.State.NextTime(now), Changes: []revision.Change{{Key: o.Key(), Hash: o.Hash()}}}
	if err := rev.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := l.State.Apply(rev); err != nil {
		t.Fatal(err)
	}
	err = s.Commit(&replica.Record{State: l.State, Keys: []config.ObjectKey{o.Key()}, Revisions: []*revision.Revision{rev}, Objects: []*config.Object{o},
		Log: []replica.LogLine{{Entry: revision.Entry{Revision: rev, View: l.State.ID(), Applied: rev.Time},
			Steps: []replica.Step{{Key: o.Key(), After: o.Hash()}}}}})
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// site is a data directory with a bit of everything, and what gathers it.
func site(t testing.TB) (GatherOptions, *store.Store) {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "data")
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	o, err := config.NewObject(config.ObjectService, "web-ams", []byte("{site: ams, address: 192.0.2.1, port: 443}"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, o)
	write(t, s, config.NewFile("a.zone", []byte("; nothing\n")))
	put(t, filepath.Join(dir, "overrides.json"), "{}")
	put(t, filepath.Join(dir, "secondary", "example.org.zone"), "; zone\n")
	put(t, filepath.Join(dir, "fairlead.db.damaged-20260101T000000Z"), "not wanted")
	n := &config.Node{Site: "ams", DataDir: dir}
	n.API.TokensFile = put(t, filepath.Join(root, "tokens.json"), "[]")
	n.MEP.TLS.Key = put(t, filepath.Join(root, "ams.key"), "-----BEGIN PRIVATE KEY-----\n")
	n.Probes.Secrets.Directories = []string{filepath.Dir(put(t, filepath.Join(root, "secrets", "db"), "s3cret"))}
	return GatherOptions{Store: s, DataDir: dir, Node: n, NodeFile: put(t, filepath.Join(root, "node.yaml"), "site: ams\n"), Release: "v1", Now: now}, s
}

func made(t testing.TB, o GatherOptions, passphrase string) []byte {
	t.Helper()
	c, err := Gather(o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Write(&b, c, passphrase); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func names(m *Manifest) string {
	var out []string
	for _, e := range m.Parts {
		out = append(out, e.Name)
	}
	return strings.Join(out, " ")
}

func TestBackupAndRestore(t *testing.T) {
	o, s := site(t)
	want, revision := s.Document()
	b := made(t, o, "")
	if _, err := Restore(RestoreOptions{From: bytes.NewReader(b), DataDir: o.DataDir, Now: now}); err == nil || !strings.Contains(err.Error(), "stop the node") {
		t.Fatalf("restored into a data directory in use: %v", err)
	}
	l, _ := s.Load()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(o.DataDir, "overrides.json"), `{"newer": 1}`)
	r, err := Restore(RestoreOptions{From: bytes.NewReader(b), DataDir: o.DataDir, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(r.Manifest), "data/fairlead.db export/document.yaml export/files/000001 data/overrides.json data/secondary/example.org.zone node/node.yaml node/tokens.json"; got != want {
		t.Errorf("parts:\n got %s\nwant %s", got, want)
	}
	if r.Manifest.Site != "ams" || r.Manifest.Revision != revision || r.Manifest.Document != want.ID() || r.Manifest.Secrets {
		t.Errorf("head: %+v", r.Manifest.Head)
	}
	if got, err := os.ReadFile(filepath.Join(r.Aside, "overrides.json")); string(got) != `{"newer": 1}` {
		t.Errorf("what was there before is not kept aside: %q, %v", got, err)
	}
	if got, err := os.ReadFile(filepath.Join(o.DataDir, "restored", "node", "tokens.json")); string(got) != "[]" || len(r.Files) != 2 || r.Files[1].Path != o.Node.API.TokensFile {
		t.Errorf("tokens: %q, %v, %+v", got, err, r.Files)
	}
	again, err := store.Open(o.DataDir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	got, _ := again.Document()
	loaded, _ := again.Load()
	if got.ID() != want.ID() || loaded.Damaged != "" || loaded.Actor == l.Actor {
		t.Errorf("document %s, want %s; damaged %q; the actor must be another one", got.ID(), want.ID(), loaded.Damaged)
	}
	if h, err := again.History("", 10); err != nil || len(h) != 2 {
		t.Errorf("history: %d lines, %v", len(h), err)
	}
	beside, _ := filepath.Glob(o.DataDir + ".*")
	if len(beside) != 1 {
		t.Errorf("left beside the data directory: %v", beside)
	}
}

func TestSecretsNeedAPassphrase(t *testing.T) {
	o, _ := site(t)
	o.Secrets = true
	c, err := Gather(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(&bytes.Buffer{}, c, ""); err == nil || !strings.Contains(err.Error(), "only written with a passphrase") {
		t.Errorf("secrets without a passphrase: %v", err)
	}
	if err := Write(&bytes.Buffer{}, c, "short"); err == nil || !strings.Contains(err.Error(), "at least 12") {
		t.Errorf("a short passphrase: %v", err)
	}
	b := made(t, o, passphrase)
	for _, secret := range []string{"PRIVATE KEY", "s3cret", "web-ams"} {
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%q can be read in it", secret)
		}
	}
	for _, wrong := range []string{"", "another passphrase"} {
		if _, err := Verify(bytes.NewReader(b), wrong); !errors.Is(err, ErrPassphrase) {
			t.Errorf("passphrase %q: %v", wrong, err)
		}
	}
	m, err := Verify(bytes.NewReader(b), passphrase)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, e := range m.Parts {
		found[e.Path] = true
	}
	if !found[o.Node.MEP.TLS.Key] || !found[filepath.Join(o.Node.Probes.Secrets.Directories[0], "db")] || !m.Secrets {
		t.Errorf("secrets are missing: %v", names(m))
	}
	if _, err := Verify(bytes.NewReader(b[:len(b)-10]), passphrase); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut: %v", err)
	}
}

// TestBadBackupsAreRefusedBeforeAnythingIsTouched cuts a backup everywhere, flips bits of it, and makes hostile ones.
func TestBadBackupsAreRefusedBeforeAnythingIsTouched(t *testing.T) {
	o, s := site(t)
	b := made(t, o, "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	refused := func(name string, b []byte, want error) {
		t.Helper()
		r, err := Restore(RestoreOptions{From: bytes.NewReader(b), DataDir: o.DataDir, Now: now})
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: got %v, %v; want %v", name, r, err, want)
		}
		if beside, _ := filepath.Glob(o.DataDir + ".*"); len(beside) != 0 {
			t.Fatalf("%s: left behind %v", name, beside)
		}
	}
	for i := 0; i < len(b); i += len(b)/40 + 1 {
		refused(fmt.Sprint("cut at ", i), b[:i], nil)
	}
	good, err := Verify(bytes.NewReader(b), "")
	if err != nil {
		t.Fatal(err)
	}
	for i := 20; i < len(b); i += len(b)/60 + 1 {
		spoilt := bytes.Clone(b)
		spoilt[i] ^= 1
		if m, err := Verify(bytes.NewReader(spoilt), ""); err == nil && !cmp.Equal(m, good) { // some bits of gzip mean nothing
			t.Errorf("spoilt at %d: got %+v", i, m)
		}
	}
	refused("text", []byte("not a backup at all"), ErrForeign)
	refused("gzip of something else", archive(t, "readme", "x"), ErrForeign)
	refused("a later format", archive(t, headName, `{"version": 99}`), ErrForeign)
	refused("a path that leads out", archive(t, headName, `{"version": 1}`, "../evil", "x"), ErrDamaged)
	refused("an absolute path", archive(t, headName, `{"version": 1}`, "/tmp/evil", "x"), ErrDamaged)
	refused("twice the same", archive(t, headName, `{"version": 1}`, "data/a", "x", "data/a", "x"), ErrDamaged)
	refused("a file that is not listed", archive(t, headName, `{"version": 1}`, "data/a", "x", manifestName, `{"version":1,"parts":[]}`), ErrDamaged)
	refused("no document", archive(t, headName, `{"version": 1}`, manifestName, `{"version":1,"parts":[]}`), ErrDamaged)
}

func archive(t testing.TB, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(entries); i += 2 {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: entries[i], Size: int64(len(entries[i+1]))})
		if err == nil {
			_, err = w.Write([]byte(entries[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDocumentOfABackup(t *testing.T) {
	o, s := site(t)
	want, _ := s.Document()
	dir := filepath.Join(t.TempDir(), "unpacked")
	if _, err := Read(bytes.NewReader(made(t, o, "")), "", dir); err != nil {
		t.Fatal(err)
	}
	got, err := Document(dir)
	if err != nil || got.ID() != want.ID() {
		t.Errorf("got %v, want %s", err, want.ID())
	}
}

func FuzzRead(f *testing.F) {
	o, _ := site(f)
	f.Add(made(f, o, ""))
	f.Add(archive(f, headName, `{"version": 1}`, "data/a", "x", manifestName, `{"version":1,"parts":[]}`))
	f.Add([]byte(ageMagic + "-> scrypt AAAAAAAAAAAAAAAAAAAAAA 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Verify(bytes.NewReader(b), "")
		if (m == nil) == (err == nil) {
			t.Fatalf("got %v and %v", m, err)
		}
	})
}

// TestSecretsInTheDataDirectory: a node file may name keys there, and somebody may keep one there.
func TestSecretsInTheDataDirectory(t *testing.T) {
	o, _ := site(t)
	in := func(name string) string { return filepath.Join(o.DataDir, name) }
	o.Node.API.TLS.Key = put(t, in("tls/api.key"), "-----BEGIN EC PRIVATE KEY-----\nnamed\n")
	o.Node.DNS.CookieSecretFile = put(t, in("cookies"), "s3cret cookies\n")
	o.Node.Config.Store.Etcd = &config.NodeEtcd{PasswordFile: put(t, in("etcd.password"), "s3cret etcd\n")}
	o.Node.DNS.TSIGKeys = []config.NodeTSIGKey{{Name: "k", SecretFile: put(t, in("tsig/k"), "s3cret tsig\n")}}
	o.Node.Probes.Secrets.Directories = append(o.Node.Probes.Secrets.Directories, filepath.Dir(put(t, in("secrets/db"), "s3cret password\n")))
	put(t, in("kept/old.pem"), "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nkept\n")
	put(t, in("learned.json"), "{}")
	c, err := Gather(o)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, c Contents, named, kept bool) {
		t.Helper()
		var text strings.Builder
		for _, p := range c.Parts {
			if err := p.Write(&text); err != nil {
				t.Fatal(err)
			}
		}
		for _, secret := range []string{"EC PRIVATE KEY", "s3cret cookies", "s3cret tsig", "s3cret password", "s3cret etcd"} {
			if n := strings.Count(text.String(), secret); n > 1 || (n == 1) != named {
				t.Errorf("%s: %d times %q", what, n, secret)
			}
		}
		if strings.Contains(text.String(), "kept") != kept {
			t.Errorf("%s: a key that nothing names: got %t, want %t", what, !kept, kept)
		}
	}
	check("without secrets", c, false, false)
	o.Secrets = true
	if c, err = Gather(o); err != nil {
		t.Fatal(err)
	}
	check("with secrets", c, true, true)
}

// TestLiteralSecretsNeedAPassphrase: a document that holds secrets itself, or did in its history, is not written where anybody can read it.
func TestLiteralSecretsNeedAPassphrase(t *testing.T) {
	o, s := site(t)
	const secret = "Bearer hush-hush-9f"
	monitor := func(text string) *config.Object {
		m, err := config.NewObject(config.ObjectMonitor, "m", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	refused := func(want string) {
		t.Helper()
		c, err := Gather(o)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Write(&b, c, ""); !errors.Is(err, ErrSecrets) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") || b.Len() > 0 {
			t.Errorf("got %v and %d octets, want %q", err, b.Len(), want)
		}
	}
	made(t, o, "")
	write(t, s, monitor(`{type: http, http: {headers: [{name: Authorization, value: "`+secret+`"}]}}`))
	refused("monitor/m; give a passphrase")
	want, _ := s.Document()
	b := made(t, o, passphrase)
	write(t, s, monitor(`{type: tcp}`))
	refused("1 earlier versions of objects in the history")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "again")
	if _, err := Restore(RestoreOptions{From: bytes.NewReader(b), Passphrase: passphrase, DataDir: dir, Now: now}); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if got, _ := again.Document(); got.ID() != want.ID() || !strings.Contains(string(got.Get(config.ObjectKey{Kind: config.ObjectMonitor, Name: "m"}).Text()), secret) {
		t.Error("the secret was lost on the way")
	}
}
