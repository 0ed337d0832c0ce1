package replica

import (
	"bytes"
	"encoding/hex"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

var freeze = flag.Bool("freeze", false, "write encodings that are not in testdata/frozen yet; those that are there stay")

// frozenRevision is a revision with all that one can have.
func frozenRevision(t *testing.T) *revision.Revision {
	t.Helper()
	o := service("web", `{"site":"ams","addresses":["192.0.2.1"]}`)
	r := &revision.Revision{Site: "ams", Dot: revision.Dot{Actor: "ams-0123456789abcdef", Seq: 7}, Time: time.UnixMicro(1_790_000_000_000_001).UTC(), Author: "anna", Source: "cli", Reason: "new rack",
		Parents: []string{strings.Repeat("1f", 16)}, Seen: revision.Vector{"ams-0123456789abcdef": 6, "nyc-fedcba9876543210": 300},
		Changes: []revision.Change{{Key: config.ObjectKey{Kind: config.ObjectService, Name: "gone"}}, {Key: o.Key(), Hash: o.Hash()}}}
	if err := r.Seal(); err != nil {
		t.Fatal(err)
	}
	return r
}

// frozenState is a state with all that one can have: a seed that was seen, an object that two sites have changed at once, one that was removed, and
// two revisions that no other has seen.
func frozenState(t *testing.T) *revision.State {
	t.Helper()
	seed := &revision.Revision{Dot: revision.Dot{Actor: "seed:" + strings.Repeat("2e", 16), Seq: 1}, Source: "seed"}
	ams := &revision.Revision{Site: "ams", Dot: revision.Dot{Actor: "ams-0123456789abcdef", Seq: 1}, Time: time.UnixMicro(1_790_000_000_000_001).UTC(), Author: "anna", Source: "cli",
		Reason: "new rack", Seen: revision.Vector{seed.Dot.Actor: 1}}
	nyc := &revision.Revision{Site: "nyc", Dot: revision.Dot{Actor: "nyc-fedcba9876543210", Seq: 1}, Time: time.UnixMicro(1_790_000_000_000_002).UTC(), Source: "api",
		Seen: revision.Vector{seed.Dot.Actor: 1}}
	key := func(name string) config.ObjectKey { return config.ObjectKey{Kind: config.ObjectService, Name: name} }
	hash := func(octet byte) (h config.ObjectHash) {
		for i := range h {
			h[i] = octet
		}
		return h
	}
	seed.Changes = []revision.Change{{Key: key("old"), Hash: hash(1)}, {Key: key("web"), Hash: hash(2)}, {Key: key("www"), Hash: hash(3)}}
	ams.Changes = []revision.Change{{Key: key("old")}, {Key: key("web"), Hash: hash(4)}}
	nyc.Changes = []revision.Change{{Key: key("web"), Hash: hash(5)}}
	s := revision.NewState()
	for _, r := range []*revision.Revision{seed, ams, nyc} {
		if r != seed {
			r.Parents = []string{seed.ID}
		}
		if err := r.Seal(); err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// parts are what a KindObjects says.
type parts struct {
	list []part
	more bool
}

func readParts(b []byte) (any, error) {
	list, more, err := decodeParts(b)
	return &parts{list, more}, err
}

// frozenMessages are one message of each kind, as this release writes it, and how it reads it.
func frozenMessages(t *testing.T) map[string]struct {
	written []byte
	value   any
	read    func([]byte) (any, error)
} {
	t.Helper()
	type message = struct {
		written []byte
		value   any
		read    func([]byte) (any, error)
	}
	r, vector := frozenRevision(t), revision.Vector{"ams-0123456789abcdef": 7, "nyc-fedcba9876543210": 300}
	o := service("web", `{"site":"ams","addresses":["192.0.2.1"]}`)
	h := &heads{mode: ModeFollow, clock: time.UnixMicro(1_790_000_000_000_002).UTC(), revision: r.ID, document: strings.Repeat("2e", 16), release: "1.4.0", vector: vector}
	asked, hashes := &want{what: wantRevisions, have: vector}, &want{what: wantObjects, hashes: []config.ObjectHash{o.Hash()}}
	encoded, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	readWant := func(b []byte) (any, error) { return decodeWant(b) }
	heard := &revisions{more: true, list: []*revision.Revision{r}, texts: [][]byte{o.Text(), []byte("{}")}}
	all, err := heard.encode()
	if err != nil {
		t.Fatal(err)
	}
	text := o.Text()
	half := len(text) / 2
	halves := &parts{[]part{{o.Hash(), len(text), 0, text[:half]}, {o.Hash(), len(text), half, text[half:]}}, true}
	whole := frozenState(t)
	state, err := whole.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]message{
		"revisions":    {all, heard, func(b []byte) (any, error) { return decodeRevisions(b) }},
		"objects":      {appendPart(appendPart([]byte{flagMore}, &halves.list[0]), &halves.list[1]), halves, readParts},
		"state":        {state, whole, func(b []byte) (any, error) { return revision.DecodeState(b) }},
		"heads":        {h.encode(), h, func(b []byte) (any, error) { return decodeHeads(b) }},
		"want":         {asked.encode(), asked, readWant},
		"want-objects": {hashes.encode(), hashes, readWant},
		"revision":     {encoded, r, func(b []byte) (any, error) { return revision.Decode(b) }},
		"object":       {o.Text(), o, func(b []byte) (any, error) { return config.ObjectFromCanonical(o.Key(), b) }},
	}
}

// TestFrozenEncodings: what the first release wrote is read for ever, and means the same. The files of testdata/frozen are never written anew: a
// release that writes something else adds a file, and reads both.
func TestFrozenEncodings(t *testing.T) {
	messages := frozenMessages(t)
	for _, name := range slices.Sorted(maps.Keys(messages)) {
		t.Run(name, func(t *testing.T) {
			m, path := messages[name], filepath.Join("testdata", "frozen", name+".hex")
			if _, err := os.Stat(path); err != nil && *freeze {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(hex.EncodeToString(m.written)+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			kept, err := hex.DecodeString(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.read(kept)
			if err != nil {
				t.Fatalf("what an earlier release wrote is not read: %v", err)
			}
			if !sameMeaning(got, m.value) {
				t.Errorf("got %+v, want %+v", got, m.value)
			}
			if !bytes.Equal(kept, m.written) {
				t.Errorf("this release writes %x, which sites of the release before may not read as they read %x", m.written, kept)
			}
		})
	}
}

func sameMeaning(a, b any) bool {
	if x, ok := a.(*config.Object); ok {
		return x.Hash() == b.(*config.Object).Hash()
	}
	if x, ok := a.(*revision.Revision); ok {
		return x.ID == b.(*revision.Revision).ID && reflect.DeepEqual(x.Changes, b.(*revision.Revision).Changes)
	}
	if x, ok := a.(*revisions); ok {
		y := b.(*revisions)
		return x.more == y.more && reflect.DeepEqual(x.texts, y.texts) && slices.EqualFunc(x.list, y.list, func(a, b *revision.Revision) bool { return sameMeaning(a, b) })
	}
	if x, ok := a.(*revision.State); ok {
		y := b.(*revision.State)
		if len(slices.Collect(x.Keys)) != len(slices.Collect(y.Keys)) {
			return false
		}
		for k := range y.Keys {
			if !reflect.DeepEqual(x.Registers(k), y.Registers(k)) {
				return false
			}
		}
		return x.ID() == y.ID() && x.Vector().Equal(y.Vector()) && x.Newest().Equal(y.Newest()) && reflect.DeepEqual(x.Heads(), y.Heads()) &&
			slices.Equal(x.Conflicts(), y.Conflicts())
	}
	return reflect.DeepEqual(a, b)
}

// TestLaterReleasesAppend: heads, questions and states of a release that says more are read as far as they are known.
func TestLaterReleasesAppend(t *testing.T) {
	messages := frozenMessages(t)
	for _, name := range []string{"heads", "want", "state"} {
		m := messages[name]
		got, err := m.read(append(slices.Clone(m.written), "what a later release says"...))
		if err != nil || !sameMeaning(got, m.value) {
			t.Errorf("%s with something more: got %+v, %v, want %+v", name, got, err, m.value)
		}
	}
}

// TestLaterRevisionIsPassedOn: a revision of a later release, which says more of itself, is passed on as it is and keeps its id.
func TestLaterRevisionIsPassedOn(t *testing.T) {
	r := frozenRevision(t)
	r.Extra = []byte("what a later release says")
	if err := r.Seal(); err != nil {
		t.Fatal(err)
	}
	later, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := revision.Decode(later)
	if err != nil {
		t.Fatal(err)
	}
	again, err := got.Encode()
	if err != nil || got.ID != r.ID || got.ID == frozenRevision(t).ID || !bytes.Equal(again, later) {
		t.Errorf("got %+v, %v, want id %s and the same encoding", got, err, r.ID)
	}
}
