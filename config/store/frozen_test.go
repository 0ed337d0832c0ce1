package store_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/config/store"
)

var freeze = flag.Bool("freeze", false, "write a data directory to testdata/layout2 if there is none yet; the one that is there stays")

const (
	frozenDir  = "testdata/layout2"
	frozenSaid = "said.json" // what its engine said of it when it was written
)

// said is what an engine says of a data directory.
type said struct {
	Revision, Document string
	Services           map[string]string // text by name
	History            []string          // views, newest first
	Before             string            // document at the last but one view
	Conflict           string            // object
	Kept, Lost         string            // its sides
	Lines              []string          // author, source and reason of each line, newest first
	Pending            string            // revision that waits to be confirmed
	Once               string            // revision that was made with frozenKey
}

const frozenKey = "deploy-17"

// TestFrozenDirectory: a data directory that was written by the first release with this layout is opened for ever, and says the same. It is never
// written anew: a release that writes something else adds another one, and reads both.
func TestFrozenDirectory(t *testing.T) {
	if _, err := os.Stat(filepath.Join(frozenDir, frozenSaid)); err != nil && *freeze {
		writeFrozen(t)
	}
	text, err := os.ReadFile(filepath.Join(frozenDir, frozenSaid))
	if err != nil {
		t.Fatal(err)
	}
	var want said
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		damage func(t *testing.T, dir string)
	}{
		{"as it was written", func(*testing.T, string) {}},
		{"from its copy and its journal", func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, store.FileName), 5000); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := thawed(t)
			tt.damage(t, dir)
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(10 * time.Minute) // after it was written: bubbles begin at the same time
				whole := tt.name == "as it was written"
				s := openFrozen(t, dir, "ams", nil)
				defer s.close(t)
				got, want := s.say(t), want
				if !whole { // the document and who wrote what of it are in the copy; how it came to be is not
					got.History, got.Lines, got.Before, got.Pending, got.Once = nil, nil, "", "", ""
					want.History, want.Lines, want.Before, want.Pending, want.Once = nil, nil, "", "", ""
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("what it says (-written +read):\n%s", d)
				}
				s.goesOn(t, whole, want.Pending)
			})
		})
	}
}

// goesOn confirms what waits for it, takes a key that was used for what it was, and writes.
func (s *frozenSite) goesOn(t *testing.T, whole bool, pending string) {
	t.Helper()
	if whole {
		if err := s.Confirm(t.Context(), pending, "ada"); err != nil {
			t.Errorf("confirm: %v", err)
		}
		before := s.Current().Revision
		again := s.write(t, &revision.Write{Put: []*config.Object{frozenService(t, "www", "192.0.2.99")}, Once: frozenKey})
		if now := s.Current().Revision; now != before || again.Revision == nil {
			t.Errorf("the same key again wrote %s", now)
		}
	}
	s.write(t, &revision.Write{Put: []*config.Object{frozenService(t, "next", "192.0.2.77")}})
	if s.Current().Objects.Get(config.ObjectKey{Kind: config.ObjectService, Name: "next"}) == nil {
		t.Error("what is written now is not there")
	}
}

// thawed copies the directory.
func thawed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files, err := os.ReadDir(frozenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(frozenDir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		name, packed := strings.CutSuffix(f.Name(), ".gz")
		if !packed {
			continue
		}
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// writeFrozen writes the directory: a seed, writes with all that one can have, a removal, a conflict with another site, a key, and a write that
// waits to be confirmed.
func writeFrozen(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		seed := config.NewObjects([]*config.Object{frozenService(t, "gone", "192.0.2.1"), frozenService(t, "web", "192.0.2.2"), frozenService(t, "www", "192.0.2.3")})
		ams, nyc := openFrozen(t, dir, "ams", seed), openFrozen(t, other, "nyc", seed)
		defer ams.close(t)
		defer nyc.close(t)
		ams.peer, nyc.peer = nyc, ams
		defer run(t, ams, nyc)()
		web := func(address string) []*config.Object { return []*config.Object{frozenService(t, "web", address)} }
		ams.write(t, &revision.Write{Remove: []config.ObjectKey{{Kind: config.ObjectService, Name: "gone"}}, Author: "ada", Source: "cli", Reason: "not used"})
		ams.write(t, &revision.Write{Put: web("192.0.2.12"), Author: "ada", Source: "api", Reason: "rack 4"})
		time.Sleep(time.Second)
		nyc.write(t, &revision.Write{Put: web("192.0.2.22"), Author: "kim", Source: "api", Reason: "rack 7"})
		ams.PeerUp("nyc")
		nyc.PeerUp("ams")
		time.Sleep(time.Minute)
		ams.write(t, &revision.Write{Put: []*config.Object{frozenService(t, "www", "192.0.2.33")}, Author: "robot", Source: "api", Once: frozenKey})
		time.Sleep(2 * store.DefaultCopyEvery) // the copy is of now
		ams.write(t, &revision.Write{Put: []*config.Object{frozenService(t, "new", "192.0.2.44")}, Author: "ada", Source: "cli", Confirm: 24 * time.Hour})
		synctest.Wait()
		ams.write(t, &revision.Write{Put: []*config.Object{frozenService(t, "newer", "192.0.2.45")}, Author: "ada", Source: "cli"}) // after the copy: the journal has it
		synctest.Wait()
		freezeFiles(t, dir, ams.say(t)) // as a process leaves it that is killed now
	})
}

// frozenSite is an engine with its store.
type frozenSite struct {
	*replica.Engine
	store *store.Store
	peer  *frozenSite // that hears what it sends
}

// openFrozen starts an engine on a directory.
func openFrozen(t *testing.T, dir, name string, seed *config.Objects) *frozenSite {
	t.Helper()
	s := &frozenSite{}
	var err error
	if s.store, err = store.Open(dir, store.Options{}); err != nil {
		t.Fatal(err)
	}
	o := replica.Options{Site: name, Mode: replica.ModeSeed, Store: s.store, Compiler: takesAll{}, Release: "1.0.0"}
	o.Seed = func() (*config.Objects, error) { return seed, nil }
	o.Send = func(_ context.Context, _ string, kind uint8, body []byte) error {
		s.peer.Hear(name, kind, body)
		return nil
	}
	if s.Engine, err = replica.New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *frozenSite) close(t *testing.T) {
	if err := s.store.Close(); err != nil {
		t.Error(err)
	}
}

func (s *frozenSite) write(t *testing.T, w *revision.Write) *revision.Outcome {
	t.Helper()
	out, err := s.Commit(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// run runs what a site runs until the result is called.
func run(t *testing.T, sites ...*frozenSite) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2*len(sites))
	for _, s := range sites {
		go func() { ended <- s.Run(ctx) }()
		go func() { ended <- s.store.Run(ctx) }()
	}
	return func() {
		cancel()
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
}

// takesAll compiles whatever there is.
type takesAll struct{}

func (takesAll) Warnings() []config.Problem { return nil }
func (takesAll) Inert() []config.Problem    { return nil }

func (takesAll) Compile(context.Context, *config.Objects, bool) (replica.Candidate, error) {
	return takesAll{}, nil
}

func (takesAll) Effect(context.Context, replica.Candidate, replica.Candidate) (*revision.Effect, error) {
	return &revision.Effect{}, nil
}

func (takesAll) Adopt(replica.Candidate, *revision.View) {}

func frozenService(t *testing.T, name, address string) *config.Object {
	t.Helper()
	o, err := config.NewObject(config.ObjectService, name, []byte(`{"site":"ams","addresses":["`+address+`"]}`))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func freezeFiles(t *testing.T, dir string, s said) {
	t.Helper()
	if err := os.MkdirAll(frozenDir, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.IsDir() {
			continue // the document for people
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(frozenDir, f.Name()+".gz"), packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(frozenDir, frozenSaid), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// say asks an engine and its store for all that they know.
func (s *frozenSite) say(t *testing.T) said {
	t.Helper()
	v := s.Current()
	out := said{Revision: v.Revision, Document: v.Document, Services: map[string]string{}}
	for o := range v.Objects.All {
		out.Services[o.Key().Name] = string(o.Text())
	}
	history, err := s.History("", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range history {
		out.History = append(out.History, line.View)
		if r := line.Revision; r != nil {
			out.Lines = append(out.Lines, strings.Join([]string{r.Author, r.Source, r.Reason}, ", "))
		}
		if !line.Pending.IsZero() {
			out.Pending = line.Revision.ID
		}
	}
	if len(history) > 1 {
		at, err := s.At(history[1].View)
		if err != nil {
			t.Fatal(err)
		}
		out.Before = at.ID()
	}
	if list := s.Conflicts(); len(list) == 1 && len(list[0].Losers) == 1 {
		out.Conflict, out.Kept, out.Lost = list[0].Key.String(), sideText(list[0].Winner), sideText(list[0].Losers[0])
	} else {
		t.Errorf("conflicts: %+v, want one of two sides", list)
	}
	if out.Once, err = s.store.Once(frozenKey); err != nil {
		t.Fatal(err)
	}
	return out
}

func sideText(s revision.Side) string {
	return strings.Join([]string{s.Revision, s.Site, s.Author, s.Reason, string(s.Object.Text())}, ", ")
}
