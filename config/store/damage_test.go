package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"fairlead/config"
	"fairlead/config/revision"
)

// image is the files of a data directory.
type image map[string][]byte

func imageOf(t testing.TB, dir string) image {
	t.Helper()
	im := image{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		im[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// in puts the files into a directory, with some of them as given; nil: not there.
func (im image) in(t testing.TB, dir string, but image) string {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for name, b := range im {
		if other, changed := but[name]; changed {
			b = other
		}
		if b == nil {
			continue
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// written is a store with all there can be in one: history, a copy, an export, and a journal of what came after.
func written(t testing.TB) (*site, image) {
	t.Helper()
	s := open(t, t.TempDir(), Options{noSync: true})
	w := newSite(t, s)
	for i := range 30 {
		w.write([]*config.Object{service(t, fmt.Sprint("web-", i%7), fmt.Sprint("192.0.2.", i+1))})
	}
	zone, err := config.NewObject(config.ObjectZone, "example.com", []byte("{file: a.zone}"))
	if err != nil {
		t.Fatal(err)
	}
	w.write([]*config.Object{zone, config.NewFile("a.zone", bytes.Repeat([]byte("; a line of the zone\n"), 1000))})
	s.copyNow()
	w.write([]*config.Object{service(t, "late", "192.0.2.99")})
	w.write(nil, config.ObjectKey{Kind: config.ObjectService, Name: "web-0"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return w, imageOf(t, s.dir)
}

// TestNoDamageLosesWhatWasAcknowledged cuts, spoils and zeroes every page of the database and parts of pages: each time the same document and state
// are there, and the spoilt file is kept aside.
func TestNoDamageLosesWhatWasAcknowledged(t *testing.T) {
	w, im := written(t)
	good := im[FileName]
	dir := filepath.Join(t.TempDir(), "data")
	aside, cases := 0, 0
	check := func(name string, db []byte) {
		t.Helper()
		cases++
		s, err := Open(im.in(t, dir, image{FileName: db}), Options{noSync: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		w.same(s)
		l, _ := s.Load()
		kept, _ := filepath.Glob(filepath.Join(dir, FileName+".damaged-*"))
		switch {
		case (l.Damaged == "") != (l.Actor == w.actor):
			t.Errorf("%s: actor %s, damaged %q: a new store has a new actor, and only that", name, l.Actor, l.Damaged)
		case l.Damaged != "" && db != nil && (len(kept) != 1 || !strings.Contains(l.Damaged, kept[0])):
			t.Errorf("%s: kept aside %v, damaged %q", name, kept, l.Damaged)
		case l.Damaged == "" && len(kept) != 0:
			t.Errorf("%s: kept aside %v though it was not damaged", name, kept)
		}
		if l.Damaged != "" {
			aside++
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
		if again, err := Open(dir, Options{noSync: true}); err != nil || again.damaged != "" {
			t.Errorf("%s: opened again: %v", name, err)
		} else {
			w.same(again)
			_ = again.Close()
		}
	}
	check("whole", good)
	check("missing", nil)
	check("empty", []byte{})
	check("text", []byte("this is no database\n"))
	rnd := rand.New(rand.NewPCG(3, 4))
	for at := 0; at < len(good); at += pageBytes {
		check(fmt.Sprint("cut at page ", at/pageBytes), good[:at])
		check(fmt.Sprint("cut in page ", at/pageBytes), good[:at+rnd.IntN(pageBytes)])
		spoilt := slices.Clone(good)
		clear(spoilt[at : at+pageBytes])
		check(fmt.Sprint("zeroed page ", at/pageBytes), spoilt)
		torn := slices.Clone(good)
		half := at + 512*(1+rnd.IntN(7))
		for i := half; i < at+pageBytes; i++ {
			torn[i] = byte(rnd.Uint32())
		}
		check(fmt.Sprint("torn page ", at/pageBytes), torn)
		flipped := slices.Clone(good)
		flipped[at+rnd.IntN(pageBytes)] ^= 1 << rnd.IntN(8)
		check(fmt.Sprint("one bit in page ", at/pageBytes), flipped)
	}
	t.Logf("%d cases, %d of them found damaged; the others had no page that counts spoilt", cases, aside)
	if aside < cases/3 {
		t.Errorf("only %d of %d cases were found damaged", aside, cases)
	}
}

// TestDamagedCopies: as long as the database is whole the copies do not matter; without it the best of them is taken.
func TestDamagedCopies(t *testing.T) {
	w, im := written(t)
	tail := ""
	for name := range im {
		if strings.HasPrefix(name, journal) {
			tail = name
		}
	}
	half := func(name string) []byte { return im[name][:len(im[name])/2] }
	gone := []byte("x")
	for _, tt := range []struct {
		name    string
		but     image
		same    bool
		damaged string
	}{
		{"whole database, no copies", image{copyName: nil, tail: nil}, true, ""},
		{"whole database, spoilt copies", image{copyName: half(copyName), tail: half(tail)}, true, ""},
		{"journal with a torn end", image{FileName: gone, tail: im[tail][:len(im[tail])-3]}, false, "the copy and the journal"},
		{"no journal", image{FileName: gone, tail: nil}, false, "the copy and the journal"},
		{"spoilt copy", image{FileName: gone, copyName: half(copyName)}, false, "that of the export"},
		{"nothing left", image{FileName: gone, copyName: gone, tail: gone, "export/document.yaml": gone}, false, "comes from other sites or the file"},
	} {
		s, err := Open(im.in(t, filepath.Join(t.TempDir(), "data"), tt.but), Options{noSync: true})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		l, err := s.Load()
		if err != nil || !strings.Contains(l.Damaged, tt.damaged) || (tt.damaged == "") != (l.Damaged == "") {
			t.Errorf("%s: damaged %q, %v; want %q", tt.name, l.Damaged, err, tt.damaged)
		}
		if tt.same {
			w.same(s)
		}
		if tt.name == "spoilt copy" && (l.Objects.Len() == 0 || !l.State.Vector().OnlySeeds()) {
			t.Errorf("%s: %d objects, vector %v; want the export as a seed", tt.name, l.Objects.Len(), l.State.Vector())
		}
		_ = s.Close()
	}
}

// TestADatabaseThatIsBehindItsJournal: an intact file of an hour ago is not taken for the newest.
func TestADatabaseThatIsBehindItsJournal(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	w := newSite(t, s)
	w.write([]*config.Object{service(t, "a", "192.0.2.1")})
	var old bytes.Buffer
	if err := s.Backup(&old); err != nil {
		t.Fatal(err)
	}
	w.write([]*config.Object{service(t, "a", "192.0.2.2")})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path, old.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.dir, Options{})
	w.same(s)
	if l, _ := s.Load(); !strings.Contains(l.Damaged, "the journal with change 3") {
		t.Errorf("damaged: %q", l.Damaged)
	}
}

func TestASpoiltRecordIsFound(t *testing.T) {
	for _, bucket := range buckets() {
		s := open(t, t.TempDir(), Options{noSync: true})
		w := newSite(t, s)
		w.write([]*config.Object{service(t, "a", "192.0.2.1")})
		touched := false
		err := s.db.Update(func(tx *bolt.Tx) error {
			b := tx.Bucket(bucket)
			k, v := b.Cursor().Last()
			if k == nil || string(k) == string(keyLayout) {
				return nil
			}
			touched = true
			v = bytes.Clone(v)
			v[len(v)/2] ^= 0x10
			return b.Put(bytes.Clone(k), v)
		})
		if err != nil {
			t.Fatal(err)
		}
		s = reopen(t, s, Options{noSync: true})
		if l, _ := s.Load(); touched && !strings.Contains(l.Damaged, "is not what was written") {
			t.Errorf("%s: damaged %q", bucket, l.Damaged)
		}
		w.same(s)
	}
}

// TestDamageWhileOpen: what is asked for gets an error, and Commit does not go on.
func TestDamageWhileOpen(t *testing.T) {
	s := open(t, t.TempDir(), Options{noSync: true})
	w := newSite(t, s)
	view := w.write([]*config.Object{service(t, "a", "192.0.2.1")})
	for range 5 {
		w.write([]*config.Object{service(t, "a", fmt.Sprint("192.0.2.", w.seq+1))})
	}
	if err := os.Truncate(s.path, 2*pageBytes); err != nil {
		t.Fatal(err)
	}
	if _, err := s.At(view); err == nil || !strings.Contains(err.Error(), "what is served stays") {
		t.Errorf("at: %v", err)
	}
	r := w.record(w.actor, []*config.Object{service(t, "b", "192.0.2.9")})
	if err := s.Commit(r); !errors.Is(err, revision.ErrUnavailable) {
		t.Errorf("commit: %v", err)
	}
	if s.Unavailable() == "" {
		t.Error("it does not say that nothing can be stored")
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	again := open(t, s.dir, Options{})
	w.same(again)
}

func FuzzCheckPages(f *testing.F) {
	_, im := written(f)
	f.Add(im[FileName])
	f.Add(im[FileName][:20*pageBytes])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		err := checkPages(bytes.NewReader(b), int64(len(b)))
		if err != nil && !errors.Is(err, errDamaged) {
			t.Errorf("reading from memory failed: %v", err)
		}
	})
}

func FuzzRecords(f *testing.F) {
	s := open(f, f.TempDir(), Options{noSync: true})
	w := newSite(f, s)
	put := []*config.Object{service(f, "a", "192.0.2.1")}
	line, err := encodeLine(&w.record(w.actor, put).Log[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	w.write(put)
	whole, err := s.wholeFrame()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole.encode())
	f.Add([]byte{1, 0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := decodeLine(b, true); err == nil {
			again, err := encodeLine(l)
			if err != nil {
				t.Fatalf("encode what was decoded: %v", err)
			}
			if _, err := decodeLine(again, true); err != nil {
				t.Fatalf("decode again: %v", err)
			}
		}
		_, _ = unpack(b)
		_, _ = unseal(bucketLog, nil, b)
		for body, rest := nextFrame(b); body != nil; body, rest = nextFrame(rest) {
			_, _ = decodeFrame(body)
		}
		c := &contents{state: revision.NewState(), objects: map[ref]*config.Object{}, notes: map[string][]byte{}}
		if fr, err := decodeFrame(b); err == nil {
			if c.take(fr) == nil {
				_, _ = c.checked()
			}
		}
		_, _, _ = onceOf(b)
	})
}
