package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/config/store/layout1"
)

func reopen(t *testing.T, s *Store, o Options) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, s.dir, o)
}

func TestWhatWasCommittedIsThereAgain(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "data"), Options{})
	w := newSite(t, s)
	w.same(s)
	for i := range 5 {
		w.write([]*config.Object{service(t, fmt.Sprint("web-", i), fmt.Sprint("192.0.2.", i+1))})
	}
	w.write(nil, config.ObjectKey{Kind: config.ObjectService, Name: "web-3"})
	w.same(s)
	before := countsOf(s)
	s = reopen(t, s, Options{})
	w.same(s)
	if d := cmp.Diff(before, countsOf(s), cmp.AllowUnexported(counts{})); d != "" {
		t.Errorf("counts after opening again (-kept +read):\n%s", d)
	}
	if l, _ := s.Load(); l.Actor != w.actor || l.Damaged != "" || !l.Applied.Equal(w.state.Newest()) {
		t.Errorf("got actor %q, damaged %q, applied %v", l.Actor, l.Damaged, l.Applied)
	}
}

// TestRandomHistory writes, removes and takes back at random with small limits, opens again now and then, and compares all that can be asked with what
// was written.
func TestRandomHistory(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	o := Options{Revisions: 40, noSync: true}
	s := open(t, t.TempDir(), o)
	w := newSite(t, s)
	var views []string
	for i := range 400 {
		name := fmt.Sprint("web-", rnd.IntN(12))
		key := config.ObjectKey{Kind: config.ObjectService, Name: name}
		var r *replica.Record
		var put []*config.Object
		var remove []config.ObjectKey
		if rnd.IntN(4) == 0 && w.now.Get(key) != nil {
			remove = []config.ObjectKey{key}
		} else {
			put = []*config.Object{service(t, name, fmt.Sprint("192.0.2.", rnd.IntN(6)+1))}
		}
		r = w.record([]string{w.actor, "other"}[rnd.IntN(2)], put, remove...)
		r.Whole = rnd.IntN(20) == 0
		if err := s.Commit(r); err != nil {
			t.Fatal(err)
		}
		views = append(views, w.took(r, put, remove))
		if rnd.IntN(25) == 0 {
			before := countsOf(s)
			s = reopen(t, s, o)
			w.store = s
			if d := cmp.Diff(before, countsOf(s), cmp.AllowUnexported(counts{})); d != "" {
				t.Fatalf("write %d: counts after opening again (-kept +read):\n%s", i, d)
			}
			w.same(s)
		}
	}
	for i, view := range views {
		got, err := s.At(view)
		if i < len(views)-40 {
			if !errors.Is(err, revision.ErrUnknown) {
				t.Errorf("view %d, which is too old: %v", i, err)
			}
			continue
		}
		if err != nil || got.ID() != w.docs[view].ID() {
			t.Errorf("view %d: %v, or another document", i, err)
		}
	}
	if h, err := s.History("", 1000); err != nil || len(h) != 40 || h[0].View != views[len(views)-1] {
		t.Errorf("history has %d lines, %v", len(h), err)
	}
	if h, err := s.History(views[len(views)-10], 3); err != nil || len(h) != 3 || h[0].View != views[len(views)-11] {
		t.Errorf("history before the tenth: %d lines, %v", len(h), err)
	}
	got := 0
	for range s.uses {
		got++
	}
	if texts, err := s.Texts(hashesOf(s)); err != nil || len(texts) < got-1 {
		t.Errorf("%d texts of %d that are used, %v", len(texts), got, err)
	}
}

func hashesOf(s *Store) []config.ObjectHash {
	var out []config.ObjectHash
	for h := range s.uses {
		out = append(out, h)
	}
	return out
}

func TestSizeIsBounded(t *testing.T) {
	const limit = 200_000
	o := Options{Size: limit, noSync: true}
	s := open(t, t.TempDir(), o)
	w := newSite(t, s)
	rnd := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 10_000)
	for range 100 {
		for i := range text {
			text[i] = byte(rnd.Uint32())
		}
		w.write([]*config.Object{config.NewFile("a.zone", text)})
		if s.size > limit {
			t.Fatalf("%d octets are kept, the limit is %d", s.size, limit)
		}
	}
	if h, err := s.History("", 1000); err != nil || len(h) < 15 || len(h) > 20 {
		t.Errorf("history has %d lines, %v; want as many as fit", len(h), err)
	}
	huge := []*config.Object{config.NewFile("b.zone", []byte(strings.Repeat(string(text), 30)))}
	w.write(huge)
	w.same(reopen(t, s, o))
}

func TestFind(t *testing.T) {
	s := open(t, t.TempDir(), Options{noSync: true})
	w := newSite(t, s)
	view := w.write([]*config.Object{service(t, "a", "192.0.2.1")})
	for range 30 {
		w.write([]*config.Object{service(t, "a", fmt.Sprint("192.0.2.", w.seq))})
	}
	for _, tt := range []struct{ name, id, want string }{
		{"whole", view, ""}, {"prefix", view[:10], ""}, {"capitals", strings.ToUpper(view[:10]), ""}, {"too short", view[:3], "at least 4"},
		{"unknown", "ffffffffffffffffffffffffffffffff", "never was"},
	} {
		got, err := s.Find(tt.id)
		switch {
		case tt.want == "" && (err != nil || got.View != view):
			t.Errorf("%s: got %v, %v", tt.name, got, err)
		case tt.want != "" && (!errors.Is(err, revision.ErrUnknown) || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestRevisionsForPeers(t *testing.T) {
	s := open(t, t.TempDir(), Options{Revisions: 10, noSync: true})
	w := newSite(t, s)
	at := map[int]revision.Vector{0: {}}
	for i := range 14 {
		w.write([]*config.Object{service(t, "a", fmt.Sprint("192.0.2.", i+1))})
		at[i+1] = w.state.Vector().Clone()
	}
	for _, tt := range []struct {
		name     string
		have     revision.Vector
		limit    int
		want     int
		complete bool
	}{
		{"has all", at[14], 1 << 20, 0, true},
		{"lacks three", at[11], 1 << 20, 3, true},
		{"lacks all that are kept", at[4], 1 << 20, 10, true},
		{"lacks one that is not kept", at[3], 1 << 20, 0, false},
		{"has nothing", revision.Vector{}, 1 << 20, 0, false},
		{"one at a time", at[11], 1, 1, true},
	} {
		list, complete, err := s.Revisions(tt.have, tt.limit)
		if err != nil || len(list) != tt.want || complete != tt.complete {
			t.Errorf("%s: got %d, %v, %v; want %d, %v", tt.name, len(list), complete, err, tt.want, tt.complete)
		}
	}
}

func TestOnceAndNotesAndSettled(t *testing.T) {
	now := epoch
	s := open(t, t.TempDir(), Options{noSync: true, Now: func() time.Time { return now }})
	w := newSite(t, s)
	commit := func(change func(*replica.Record)) *replica.Record {
		put := []*config.Object{service(t, "a", fmt.Sprint("192.0.2.", w.seq+1))}
		r := w.record(w.actor, put)
		change(r)
		if err := s.Commit(r); err != nil {
			t.Fatal(err)
		}
		w.took(r, put, nil)
		return r
	}
	r := commit(func(r *replica.Record) {
		r.Once = &replica.OnceLine{Key: "k1", Revision: r.Revisions[0].ID, Time: now}
		r.Log[0].Pending = now.Add(time.Minute)
		r.Notes = map[string][]byte{"q": []byte("held"), "z": {}}
	})
	id := r.Revisions[0].ID
	if got, err := s.Once("k1"); got != id || err != nil {
		t.Errorf("once: got %q, %v", got, err)
	}
	if e, err := s.Find(id); err != nil || e.Pending.IsZero() {
		t.Errorf("pending: got %v, %v", e, err)
	}
	commit(func(r *replica.Record) {
		r.Settled = []string{"not kept any more", id}
		r.Notes = map[string][]byte{"q": nil}
	})
	s = reopen(t, s, s.opts)
	w.store = s
	if e, err := s.Find(id); err != nil || !e.Pending.IsZero() {
		t.Errorf("settled: got %v, %v", e, err)
	}
	if l, err := s.Load(); err != nil || len(l.Notes) != 1 || l.Notes["z"] == nil {
		t.Errorf("notes: got %v, %v", l.Notes, err)
	}
	now = now.Add(replica.OnceAge)
	if got, err := s.Once("k1"); got != "" || err != nil {
		t.Errorf("an old key: got %q, %v", got, err)
	}
	commit(func(r *replica.Record) { r.Once = &replica.OnceLine{Key: "k2", Revision: id, Time: now} })
	keys := 0
	_ = s.view("keys", func(tx *bolt.Tx) error { keys = tx.Bucket(bucketOnce).Stats().KeyN; return nil })
	if keys != 1 {
		t.Errorf("%d keys are kept, want the new one", keys)
	}
}

func TestCommitRefuses(t *testing.T) {
	s := open(t, t.TempDir(), Options{noSync: true})
	w := newSite(t, s)
	w.write([]*config.Object{service(t, "a", "192.0.2.1")})
	for _, tt := range []struct {
		name   string
		change func(*replica.Record)
		want   string
	}{
		{"an object that nobody gave", func(r *replica.Record) { r.Objects = nil }, "neither kept nor given"},
		{"an endless note", func(r *replica.Record) { r.Notes = map[string][]byte{"n": make([]byte, replica.MaxNote+1)} }, "the limit is"},
	} {
		r := w.record(w.actor, []*config.Object{service(t, "b", "192.0.2.2")})
		tt.change(r)
		if err := s.Commit(r); err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, revision.ErrUnavailable) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		w.same(s)
	}
	w.write([]*config.Object{service(t, "b", "192.0.2.2")})
	w.same(reopen(t, s, Options{}))
}

func TestOneProcess(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	if _, err := Open(s.dir, Options{}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v, want an error that says who has it", err)
	}
}

func TestAnotherReleaseIsRefused(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	if err := s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyLayout, []byte("3")) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.dir, Options{}); err == nil || !strings.Contains(err.Error(), `layout "3"`) {
		t.Errorf("got %v, want an error that names the layout", err)
	}
	if aside, _ := filepath.Glob(s.path + ".*"); len(aside) != 0 {
		t.Errorf("it was taken for damaged: %v", aside)
	}
}

func TestFirstLayoutIsMovedOver(t *testing.T) {
	dir := t.TempDir()
	old, err := layout1.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	src := config.Source{Name: "doc.yaml", Text: []byte("sites: [{name: ams}]\nzones: [{name: example.com, file: a.zone}]\n"),
		Files: map[string][]byte{"a.zone": []byte("$TTL 60\n")}}
	if err := old.Append(layout1.Revision{ID: src.ID(), Author: "ops", Source: "file", Time: epoch, Document: src}); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, Options{})
	l, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	want, report := src.Objects()
	if report.Err() != nil || l.Objects.ID() != want.ID() || l.Objects.Len() != 3 || !l.State.Vector().OnlySeeds() || l.Damaged != "" {
		t.Errorf("got %d objects, vector %v, damaged %q, %v", l.Objects.Len(), l.State.Vector(), l.Damaged, report.Err())
	}
	if _, err := os.Stat(s.path + ".layout1"); err != nil {
		t.Error(err)
	}
	w := newSite(t, s)
	w.write([]*config.Object{service(t, "a", "192.0.2.1")})
	w.same(reopen(t, s, Options{}))
}

func TestCompaction(t *testing.T) {
	o := Options{Size: 50_000, compactAbove: 100_000}
	s := open(t, t.TempDir(), o)
	s.db.NoSync = true
	w := newSite(t, s)
	big := make([]byte, 600_000)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range big {
		big[i] = byte(rnd.Uint32())
	}
	w.write([]*config.Object{config.NewFile("a.zone", big)})
	for i := range 3 {
		w.write([]*config.Object{config.NewFile("a.zone", []byte(fmt.Sprint(i)))})
	}
	was, _ := os.Stat(s.path)
	s = reopen(t, s, o)
	w.same(s)
	now, _ := os.Stat(s.path)
	if now.Size() > 100_000 || was.Size() < 600_000 {
		t.Errorf("%d octets before and %d after", was.Size(), now.Size())
	}
	w.store = s
	w.write([]*config.Object{service(t, "a", "192.0.2.1")})
	w.same(reopen(t, s, o))
}

func TestBackupAndRestore(t *testing.T) {
	s := open(t, t.TempDir(), Options{noSync: true})
	w := newSite(t, s)
	view := w.write([]*config.Object{service(t, "a", "192.0.2.1")})
	w.write([]*config.Object{service(t, "a", "192.0.2.2")})
	var b strings.Builder
	if err := s.Backup(&b); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := Restore(dir, strings.NewReader(b.String()[:b.Len()-5000])); err == nil {
		t.Error("half a backup was restored")
	}
	if err := Restore(dir, strings.NewReader(b.String())); err != nil {
		t.Fatal(err)
	}
	if err := Restore(dir, strings.NewReader(b.String())); err == nil || !strings.Contains(err.Error(), "there is one already") {
		t.Errorf("restored over another: %v", err)
	}
	r := open(t, dir, Options{})
	w.same(r)
	if l, _ := r.Load(); l.Actor == w.actor {
		t.Error("the restored store has the actor of the one that was backed up: numbers of revisions would be used twice")
	}
	if got, err := r.At(view); err != nil || got.ID() != w.docs[view].ID() {
		t.Errorf("document of a revision before: %v", err)
	}
}

func TestRunWritesCopyAndExport(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	w := newSite(t, s)
	w.write([]*config.Object{service(t, "a", "192.0.2.1"), config.NewFile("zones/a.zone", []byte("x")), config.NewFile("../b.zone", []byte("y"))})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if names, _ := tailFiles(s.dir); len(names) != 0 {
		t.Errorf("the journal was left: %v", names)
	}
	got, err := ReadExport(filepath.Join(s.dir, ExportName))
	if err == nil && got.ID() == w.now.ID() {
		err = errors.New("zone files without a zone came back")
	}
	if err == nil || !strings.Contains(err.Error(), "is not what was written") {
		t.Errorf("export: %v", err)
	}
	for _, name := range []string{"document.yaml", "revision.json", "zones/a.zone", "outside/..%2Fb.zone"} {
		if info, err := os.Stat(filepath.Join(s.dir, ExportName, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := loadCopy(s.dir)
	if err != nil || c.state.ID() != w.state.ID() || len(c.objects) != 3 {
		t.Errorf("copy: %v", err)
	}
}
