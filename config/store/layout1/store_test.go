package layout1

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	bolt "go.etcd.io/bbolt"

	"fairlead/config"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func revision(text string, files map[string][]byte) Revision {
	src := config.Source{Name: "doc.yaml", Text: []byte(text), Files: files}
	return Revision{ID: src.ID(), Author: "ops", Source: "file", Reason: "test " + text,
		Time: time.Date(2026, 11, 22, 6, 0, 0, 5, time.UTC), Document: src}
}

func mustAppend(t *testing.T, s *Store, rev Revision) {
	t.Helper()
	if err := s.Append(rev); err != nil {
		t.Fatal(err)
	}
}

var ignoreUnread = cmpopts.IgnoreUnexported(config.Source{})

func TestHeadSurvivesReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := open(t, dir)
	if _, ok, err := s.Head(); ok || err != nil {
		t.Fatalf("head of an empty store: %v, %v", ok, err)
	}
	first := revision("one", map[string][]byte{"a.zone": []byte("text"), "b.zone": []byte("text")})
	second := revision("two", map[string][]byte{})
	mustAppend(t, s, first)
	mustAppend(t, s, second)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	got, ok, err := s.Head()
	if err != nil || !ok {
		t.Fatalf("head: %v, %v", ok, err)
	}
	second.Parents = []string{first.ID}
	if d := cmp.Diff(second, got, ignoreUnread); d != "" {
		t.Errorf("head (-want +got):\n%s", d)
	}
	got, ok, err = s.Get(first.ID)
	if err != nil || !ok {
		t.Fatalf("get: %v, %v", ok, err)
	}
	if d := cmp.Diff(first, got, ignoreUnread); d != "" {
		t.Errorf("first (-want +got):\n%s", d)
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	open(t, dir)
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, FileName): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %s: got %04o, want %04o", path, got, want)
		}
	}
}

func TestSecondOpenNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := Open(dir)
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, FileName)) || !strings.Contains(err.Error(), "another process") {
		t.Fatalf("got %v, want an error that names the file and why", err)
	}
}

func TestAppendRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Revision)
		want   string
	}{
		{"an id that is not the content's", func(r *Revision) { r.ID = "0123" }, "the content's id is"},
		{"a parent that is not the head", func(r *Revision) { r.Parents = []string{"feed"} }, "not based on the newest"},
		{"too many parents", func(r *Revision) { r.Parents = make([]string, MaxParents+1) }, "parents"},
		{"an endless reason", func(r *Revision) { r.Reason = strings.Repeat("x", MaxTextField+1) }, "at most"},
	}
	s := open(t, t.TempDir())
	head := revision("head", nil)
	mustAppend(t, s, head)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rev := revision("next", nil)
			tt.change(&rev)
			err := s.Append(rev)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
			if got, _, _ := s.Head(); got.ID != head.ID {
				t.Errorf("the head moved to %s", got.ID)
			}
		})
	}
}

func TestNotHeadCanBeTold(t *testing.T) {
	s := open(t, t.TempDir())
	mustAppend(t, s, revision("head", nil))
	rev := revision("next", nil)
	rev.Parents = []string{"feed"}
	if err := s.Append(rev); !errors.Is(err, ErrNotHead) {
		t.Errorf("got %v, want ErrNotHead", err)
	}
}

func TestSameContentAsHeadChangesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	mustAppend(t, s, revision("a", nil))
	mustAppend(t, s, revision("a", nil))
	mustAppend(t, s, revision("b", nil))
	mustAppend(t, s, revision("a", nil)) // a rollback is a new revision with an old id
	history, err := s.History(10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range history {
		got = append(got, strings.TrimPrefix(r.Reason, "test "))
		if len(r.Document.Text) != 0 {
			t.Errorf("history carries the content of %s", r.ID)
		}
	}
	if d := cmp.Diff([]string{"a", "b", "a"}, got); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	if limited, _ := s.History(2); len(limited) != 2 {
		t.Errorf("history of 2 has %d", len(limited))
	}
}

func TestOldRevisionsArePruned(t *testing.T) {
	s := open(t, t.TempDir())
	s.db.NoSync = true // a thousand real syncs test the disk, not the store
	const extra = 5
	shared := map[string][]byte{"z": []byte("shared by all")}
	for i := range KeptRevisions + extra {
		mustAppend(t, s, revision(fmt.Sprint(i), shared))
	}
	history, err := s.History(2 * KeptRevisions)
	if err != nil {
		t.Fatal(err)
	}
	if len(history) != KeptRevisions {
		t.Fatalf("got %d revisions, want %d", len(history), KeptRevisions)
	}
	if got, want := history[len(history)-1].Reason, fmt.Sprint("test ", extra); got != want {
		t.Errorf("oldest: got %q, want %q", got, want)
	}
	gone := revision("0", shared)
	if _, ok, err := s.Get(gone.ID); ok || err != nil {
		t.Errorf("the pruned revision: %v, %v", ok, err)
	}
	if _, ok, err := s.Get(history[len(history)-1].ID); !ok || err != nil {
		t.Errorf("the oldest kept revision: %v, %v", ok, err)
	}
	err = s.db.View(func(tx *bolt.Tx) error {
		if got, want := tx.Bucket(bucketTexts).Stats().KeyN, KeptRevisions+1; got != want {
			t.Errorf("got %d texts, want %d", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestASharedTextLivesAsLongAsItsLastUser: the texts of a revision that is dropped are those of others too.
func TestASharedTextLivesAsLongAsItsLastUser(t *testing.T) {
	s := open(t, t.TempDir())
	s.db.NoSync = true
	with, without := map[string][]byte{"z": []byte("shared by three")}, map[string][]byte(nil)
	for i := range KeptRevisions + 2 {
		files := without
		if i < 3 {
			files = with
		}
		mustAppend(t, s, revision(fmt.Sprint(i), files))
	}
	if got, ok, err := s.Get(revision("2", with).ID); err != nil || !ok || string(got.Document.Files["z"]) != "shared by three" {
		t.Errorf("the last user: %v, %v, %q", ok, err, got.Document.Files["z"])
	}
	mustAppend(t, s, revision("last", without))
	err := s.db.View(func(tx *bolt.Tx) error {
		if got := tx.Bucket(bucketTexts).Stats().KeyN; got != KeptRevisions {
			t.Errorf("after the last user went: %d texts, want %d", got, KeptRevisions)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestARevisionThatReturnedSurvives: when a document comes back, its older appearance may go and the newer one stays.
func TestARevisionThatReturnedSurvives(t *testing.T) {
	s := open(t, t.TempDir())
	s.db.NoSync = true
	back := revision("back", nil)
	mustAppend(t, s, back)
	for i := range KeptRevisions {
		mustAppend(t, s, revision(fmt.Sprint(i), nil))
		if i == 1 {
			mustAppend(t, s, back)
		}
	}
	if got, ok, err := s.Get(back.ID); err != nil || !ok || string(got.Document.Text) != "back" {
		t.Errorf("got %v, %v, %q; want the newer appearance", ok, err, got.Document.Text)
	}
}

func TestDamageIsReported(t *testing.T) {
	s := open(t, t.TempDir())
	rev := revision("precious", nil)
	mustAppend(t, s, rev)
	err := s.db.Update(func(tx *bolt.Tx) error {
		other, err := keepText(tx, []byte("other"))
		if err != nil {
			return err
		}
		seq, _ := lastSequence(tx)
		rec, err := readRecord(tx, seq)
		if err != nil {
			return err
		}
		texts := tx.Bucket(bucketTexts)
		return texts.Put(rec.Text, append([]byte(nil), texts.Get(other)...))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Head(); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v, want an error that says damaged", err)
	}
}

func TestForeignLayoutIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	err := s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyVersion, []byte("99")) })
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), `layout "99"`) {
		t.Errorf("got %v, want an error that names the layout", err)
	}
}

// TestDamagedFilesAreRefused cuts the file short and spoils its pages: there is an answer or an error, and no crash.
func TestDamagedFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 20 {
		mustAppend(t, s, revision(fmt.Sprint("text ", i, strings.Repeat("x", i)), nil))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	look := func(name string, content []byte) (bool, error) {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, FileName), content, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir)
		if err != nil {
			return false, err
		}
		defer func() { _ = s.Close() }()
		_, ok, err := s.Head()
		return ok, err
	}
	const page = 4096
	for cut := 2 * page; cut < len(good); cut += page {
		_, err := look("cut", good[:cut-100])
		if cut <= 4*page && (err == nil || !strings.Contains(err.Error(), "damaged")) {
			t.Errorf("cut after %d bytes: %v, want an error that says the file is damaged", cut-100, err)
		}
	}
	for at := 0; at < len(good); at += page {
		spoilt := slices.Clone(good)
		for i := range page {
			spoilt[at+i] = byte(i * 7)
		}
		_, _ = look("spoilt", spoilt)
	}
}
