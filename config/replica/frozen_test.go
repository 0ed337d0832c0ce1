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
	return map[string]message{
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
	return reflect.DeepEqual(a, b)
}

// TestLaterReleasesAppend: heads and questions of a release that says more are read as far as they are known.
func TestLaterReleasesAppend(t *testing.T) {
	messages := frozenMessages(t)
	for _, name := range []string{"heads", "want"} {
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
