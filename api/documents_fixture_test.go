package api

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/internal/access"
	"fairlead/internal/audit"
)

// memoryDocuments keeps the document in memory, by the rules of revision.Documents.
type memoryDocuments struct {
	mu        sync.Mutex
	entries   []revision.Entry // oldest first
	at        map[string]*config.Objects
	once      map[string]*revision.Outcome
	conflicts []revision.Conflict
	sync      revision.Sync
	refuse    error // of all commits
	clock     time.Time
	commits   int
	before    func() // called once, before the next commit: what somebody else does at that moment
}

func newMemoryDocuments(t testing.TB, text string) *memoryDocuments {
	t.Helper()
	objects, report := config.Source{Name: "seed.yaml", Text: []byte(text)}.Objects()
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	d := &memoryDocuments{at: map[string]*config.Objects{}, once: map[string]*revision.Outcome{}, sync: revision.Sync{Mode: "seed"},
		clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	d.add(objects, &revision.Write{Source: "seed"}, nil)
	return d
}

func (d *memoryDocuments) add(objects *config.Objects, w *revision.Write, changes []revision.ObjectChange) *revision.Revision {
	d.clock = d.clock.Add(time.Second)
	rev := &revision.Revision{Dot: revision.Dot{Actor: "test", Seq: uint64(len(d.entries) + 1)}, Site: "ams", Author: w.Author, Source: w.Source, Reason: w.Reason, Time: d.clock}
	rev.ID = fmt.Sprintf("%08x%s", 0xa0000000+len(d.entries), objects.ID()[:24])
	if len(d.entries) > 0 {
		rev.Parents = []string{d.entries[len(d.entries)-1].Revision.ID}
	}
	for _, c := range changes {
		rev.Changes = append(rev.Changes, revision.Change{Key: c.Key, Hash: hashOf(c.After)})
	}
	e := revision.Entry{Revision: rev, View: rev.ID, Applied: d.clock}
	if w.Confirm > 0 {
		e.Pending = d.clock.Add(w.Confirm)
	}
	d.entries, d.at[rev.ID] = append(d.entries, e), objects
	return rev
}

func (d *memoryDocuments) current() *revision.View {
	e := d.entries[len(d.entries)-1]
	objects := d.at[e.Revision.ID]
	return &revision.View{Revision: e.Revision.ID, Document: objects.ID(), Objects: objects, Heads: []string{e.Revision.ID}, Time: e.Revision.Time}
}

func (d *memoryDocuments) Current() *revision.View {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current()
}

func (d *memoryDocuments) Plan(_ context.Context, w *revision.Write) (*revision.Outcome, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.plan(w)
}

func (d *memoryDocuments) plan(w *revision.Write) (*revision.Outcome, error) {
	if d.refuse != nil {
		return nil, d.refuse
	}
	now := d.current()
	if w.Base != "" && w.Base != now.Revision {
		return nil, fmt.Errorf("based on %s: %w", w.Base, revision.ErrStale)
	}
	for key, want := range w.Match {
		if hashOf(now.Objects.Get(key)) != want {
			return nil, fmt.Errorf("%s: %w", key, revision.ErrStale)
		}
	}
	next := w.Replace
	if next == nil {
		next = now.Objects.With(w.Put, w.Remove)
	}
	doc, report := config.Assemble(next, config.AssembleOptions{Previous: now.Objects})
	if doc == nil {
		return nil, &revision.InvalidError{Problems: report.Problems()}
	}
	out := &revision.Outcome{View: &revision.View{Revision: now.Revision, Document: next.ID(), Objects: next}, Changes: objectChanges(config.Diff(now.Objects, next)), Warnings: report.Problems(),
		Effect: &revision.Effect{Queries: 10}}
	for _, c := range out.Changes {
		if c.Key.Kind == config.ObjectVirtualServer && c.After == nil {
			out.Effect.LostNames = append(out.Effect.LostNames, c.Key.Name+".gslb.example.com")
		}
	}
	if len(out.Effect.LostNames) > 0 && !w.Force {
		return out, fmt.Errorf("%w: a name would have no answer; say force if that is meant", revision.ErrRefused)
	}
	return out, nil
}

func (d *memoryDocuments) Commit(_ context.Context, w *revision.Write) (*revision.Outcome, error) {
	if before := d.before; before != nil {
		d.before = nil
		before()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if out := d.once[w.Once]; out != nil && w.Once != "" {
		return out, nil
	}
	out, err := d.plan(w)
	if err != nil {
		return out, err
	}
	d.commits++
	for _, key := range w.Resolve {
		for i, c := range d.conflicts {
			if c.Key == key {
				d.conflicts = append(d.conflicts[:i:i], d.conflicts[i+1:]...)
				break
			}
		}
	}
	if len(out.Changes) > 0 || len(w.Resolve) > 0 {
		out.Revision = d.add(out.View.Objects, w, out.Changes)
		out.View = d.current()
	}
	if w.Once != "" {
		d.once[w.Once] = out
	}
	return out, nil
}

func (d *memoryDocuments) Confirm(_ context.Context, id, _ string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.entries {
		if d.entries[i].Revision.ID == id {
			d.entries[i].Pending = time.Time{}
			return nil
		}
	}
	return revision.ErrUnknown
}

func (d *memoryDocuments) History(before string, limit int) (out []revision.Entry, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	begun := before == ""
	for i := len(d.entries) - 1; i >= 0 && len(out) < limit; i-- {
		if begun {
			out = append(out, d.entries[i])
		}
		begun = begun || d.entries[i].Revision.ID == before
	}
	if !begun {
		return nil, revision.ErrUnknown
	}
	return out, nil
}

func (d *memoryDocuments) Find(id string) (*revision.Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.entries {
		if len(id) >= minRevision && strings.HasPrefix(d.entries[i].Revision.ID, id) {
			e := d.entries[i]
			return &e, nil
		}
	}
	return nil, fmt.Errorf("revision %q: %w", id, revision.ErrUnknown)
}

func (d *memoryDocuments) At(id string) (*config.Objects, error) {
	e, err := d.Find(id)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at[e.Revision.ID], nil
}

func (d *memoryDocuments) Conflicts() []revision.Conflict {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]revision.Conflict{}, d.conflicts...)
}

func (d *memoryDocuments) Sync() *revision.Sync {
	s := d.sync
	s.Conflicts = len(d.Conflicts())
	return &s
}

// documentsFixture is a node whose document can be written.
type documentsFixture struct {
	*fixture
	docs   *memoryDocuments
	log    *audit.Log
	who    string // whose token is sent
	tokens map[string]string
	files  map[string][]byte   // that a transcript made
	mask   func(string) string // hides what is another one in each run of a transcript; nil: nothing is
}

// newDocumentsFixture has tokens of kim and ada, who are admins, and for each role one that is limited to team web.
func newDocumentsFixture(t testing.TB) *documentsFixture {
	t.Helper()
	return newDocumentsFixtureOf(t, testDocument)
}

// newDocumentsFixtureOf is newDocumentsFixture with another document.
func newDocumentsFixtureOf(t testing.TB, text string) *documentsFixture {
	t.Helper()
	f := &documentsFixture{docs: newMemoryDocuments(t, text), who: "kim", tokens: map[string]string{}}
	path, team := filepath.Join(t.TempDir(), "tokens.json"), map[string]string{"team": "web"}
	for _, spec := range []access.TokenSpec{{Name: "kim", Role: access.Admin}, {Name: "ada", Role: access.Admin}, {Name: "viewer", Role: access.Viewer, Labels: team},
		{Name: "operator", Role: access.Operator, Labels: team}, {Name: "admin", Role: access.Admin, Labels: team}} {
		secret, _, err := access.Create(path, spec, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		f.tokens[spec.Name] = secret
	}
	guard, err := access.New(access.Options{TokensFile: path})
	if err != nil {
		t.Fatal(err)
	}
	if f.log, err = audit.Open(audit.Options{Path: filepath.Join(t.TempDir(), "audit.jsonl")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.log.Close(); err != nil {
			t.Error(err)
		}
	})
	f.fixture = newFixture(t, func(o *Options) {
		o.Documents, o.Events, o.Access, o.Audit = f.docs, NewEvents(), guard, f.log
	})
	f.authorize()
	return f
}

// authorize has each request sent with the token of who.
func (f *documentsFixture) authorize() {
	inner := f.handler
	f.handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		req.Header.Set("Authorization", "Bearer "+f.tokens[f.who])
		inner.ServeHTTP(w, req)
	})
}
