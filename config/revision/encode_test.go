package revision

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"fairlead/config"
)

func example() *Revision {
	return &Revision{Parents: []string{"00112233445566778899aabbccddeeff"}, Dot: Dot{"store", 3}, Seen: Vector{"store": 2, "other": 7}, Site: "ams", Author: "ops",
		Source: "api", Reason: "kernel update", Time: time.Date(2026, 5, 1, 12, 0, 0, 5000, time.UTC),
		Changes: []Change{{key(2), hash(2)}, {Key: key(1)}}}
}

// TestEncodingStays: an id is the hash of these bytes, at every release.
func TestEncodingStays(t *testing.T) {
	r := example()
	if err := r.Seal(); err != nil {
		t.Fatal(err)
	}
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const want = "010573746f7265030100112233445566778899aabbccddeeff02056f746865720705" + "73746f72650203616d73036f7073036170690d6b65726e656c2075706461746585e0"
	if got := hex.EncodeToString(b); !strings.HasPrefix(got, want) {
		t.Errorf("encoding:\n got %s\nwant %s...", got, want)
	}
	if want := "e0f7555feb2dbca53bec33fc56830290"; r.ID != want {
		t.Errorf("id: got %s, want %s", r.ID, want)
	}
	back, err := Decode(append(b, "later"...))
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := back.Encode(); string(back.Extra) != "later" || back.ID == r.ID || !bytes.Equal(again, append(b, "later"...)) {
		t.Errorf("what a later release wrote is not kept: %q", back.Extra)
	}
}

func TestSealRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		break_ func(*Revision)
		want   string
	}{
		{"no store", func(r *Revision) { r.Dot.Actor = "" }, "number 3 of a store with a name of 0 bytes"},
		{"number not the next", func(r *Revision) { r.Dot.Seq = 5 }, "has seen 2 before it"},
		{"long reason", func(r *Revision) { r.Reason = strings.Repeat("x", MaxText+1) }, "reason of 4097 bytes"},
		{"author is no text", func(r *Revision) { r.Author = "\xff" }, "author of 1 bytes"},
		{"object twice", func(r *Revision) { r.Changes = append(r.Changes, r.Changes[0]) }, "is not after"},
		{"parent is no id", func(r *Revision) { r.Parents[0] = "xyz" }, "parent 0"},
		{"seed with time", func(r *Revision) { r.Dot, r.Seen = Dot{"seed:1", 1}, Vector{} }, "a seed comes first"},
		{"before the clock", func(r *Revision) { r.Time = time.Unix(-1, 0) }, "in the year 1969"},
	} {
		r := example()
		c.break_(r)
		if err := r.Seal(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestSeedIsTheSameEverywhere(t *testing.T) {
	objects := config.NewObjects([]*config.Object{config.NewFile("a.zone", []byte("a")), config.NewFile("b.zone", []byte("b"))})
	a, errA := Seed(objects)
	b, errB := Seed(objects)
	if errA != nil || errB != nil || a.ID != b.ID || !a.Dot.Seed() || len(a.Changes) != 2 {
		t.Errorf("got %+v and %+v, %v, %v", a, b, errA, errB)
	}
}

func FuzzDecode(f *testing.F) {
	r := example()
	if err := r.Seal(); err != nil {
		f.Fatal(err)
	}
	b, _ := r.Encode()
	f.Add(b)
	f.Add(append(bytes.Clone(b), 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if again, err := r.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encoded again: %x, %v", again, err)
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	s := NewState()
	r := &Revision{Dot: Dot{"a", 1}, Seen: Vector{}, Time: time.Unix(1e9, 0), Site: "x", Changes: []Change{{key(1), hash(1)}, {Key: key(2)}}}
	o := &Revision{Dot: Dot{"b", 1}, Seen: Vector{}, Time: time.Unix(1e9, 0), Site: "y", Changes: []Change{{key(1), hash(3)}}}
	if err := errors.Join(r.Seal(), o.Seal(), s.Apply(r), s.Apply(o)); err != nil {
		f.Fatal(err)
	}
	b, _ := s.Encode()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := DecodeState(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if _, err := s.Fork().Join(got); err != nil {
			t.Fatal(err)
		}
		if _, err := got.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkApply(b *testing.B) {
	s := NewState()
	first := &Revision{Dot: Dot{"seed:x", 1}, Seen: Vector{}}
	for i := range 100_000 {
		first.Changes = append(first.Changes, Change{key(i), hash(i)})
	}
	if err := errors.Join(first.Seal(), s.Apply(first)); err != nil {
		b.Fatal(err)
	}
	n := uint64(0)
	for b.Loop() {
		n++
		r := &Revision{ID: "x", Dot: Dot{"a", n}, Seen: s.Vector().Clone(), Time: time.Unix(int64(n), 0), Changes: []Change{{key(int(n % 100_000)), hash(int(n))}}}
		f := s.Fork()
		if err := f.Apply(r); err != nil {
			b.Fatal(err)
		}
		s = f
	}
}
