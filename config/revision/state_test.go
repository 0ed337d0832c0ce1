package revision

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"fairlead/config"
)

// schedules is how many random histories the property tests play.
var schedules = flag.Int("schedules", 2000, "random histories to play")

func key(i int) config.ObjectKey {
	return config.ObjectKey{Kind: config.ObjectService, Name: fmt.Sprintf("s%d", i)}
}

func hash(i int) (h config.ObjectHash) {
	h[0], h[1], h[2] = byte(i), byte(i>>8), byte(i>>16)
	return h
}

// author is a site with a store. All revisions that it has are in has, in the order of its state.
type author struct {
	site, actor string
	clock       time.Duration // ahead of the others
	state       *State
	has         []*Revision
}

// history is a random course of events among some sites, and all that was written.
type history struct {
	t       *testing.T
	rng     *rand.Rand
	authors []*author
	written []*Revision
	stores  int
	now     time.Time
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{t: t, rng: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}
	for i := range 2 + h.rng.IntN(4) {
		a := &author{site: fmt.Sprintf("site%d", i), clock: time.Duration(h.rng.IntN(5000)) * time.Millisecond}
		h.begin(a)
		h.authors = append(h.authors, a)
	}
	return h
}

// begin gives a site a new store with one of two seeds.
func (h *history) begin(a *author) {
	h.stores++
	a.actor, a.state, a.has = fmt.Sprintf("store%d", h.stores), NewState(), nil
	which := h.rng.IntN(2)
	r := &Revision{Dot: Dot{fmt.Sprintf("seed:%d", which), 1}, Seen: Vector{}, Source: "seed"}
	for i := range 6 {
		if i%2 == which || i < 3 {
			r.Changes = append(r.Changes, Change{key(i), hash(1000 + i*2 + which)})
		}
	}
	h.must(r.Seal())
	h.must(a.take(r))
}

func (a *author) take(r *Revision) error {
	before := a.state.Vector().Covers(r.Dot)
	if err := a.state.Apply(r); err != nil {
		return err
	}
	if !before {
		a.has = append(a.has, r)
	}
	a.has = slices.DeleteFunc(a.has, func(r *Revision) bool { return !a.state.Vector().Covers(r.Dot) })
	return nil
}

func (h *history) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) write(a *author) {
	h.now = h.now.Add(time.Duration(h.rng.IntN(3)) * time.Second)
	r := &Revision{Dot: Dot{a.actor, a.state.Vector()[a.actor] + 1}, Seen: a.state.Vector().Clone(), Site: a.site, Source: "api",
		Time: a.state.NextTime(h.now.Add(a.clock))}
	for _, head := range a.state.Heads() {
		r.Parents = append(r.Parents, head.ID)
	}
	for _, i := range h.rng.Perm(8)[:1+h.rng.IntN(3)] {
		c := Change{Key: key(i)}
		if h.rng.IntN(4) > 0 {
			c.Hash = hash(1 + h.rng.IntN(900))
		}
		r.Changes = append(r.Changes, c)
	}
	h.must(r.Seal())
	h.must(a.take(r))
	h.written = append(h.written, r)
}

// tell gives some of what one site has to another.
func (h *history) tell(from, to *author, all bool) {
	if from.state.Vector().OnlySeeds() && !to.state.Vector().OnlySeeds() {
		return
	}
	if !from.state.Vector().OnlySeeds() && to.state.Vector().OnlySeeds() || h.rng.IntN(3) == 0 {
		_, err := to.state.Join(from.state.Fork())
		h.must(err)
		to.has = slices.DeleteFunc(to.has, func(r *Revision) bool { return !to.state.Vector().Covers(r.Dot) })
		for _, r := range from.has {
			if !slices.ContainsFunc(to.has, func(o *Revision) bool { return o.ID == r.ID }) {
				to.has = append(to.has, r)
			}
		}
		return
	}
	for _, r := range from.has {
		if all || h.rng.IntN(8) > 0 {
			if err := to.take(r); err != nil && !errors.Is(err, ErrGap) {
				h.t.Fatal(err)
			}
		}
	}
}

func (h *history) step() {
	a := h.authors[h.rng.IntN(len(h.authors))]
	switch n := h.rng.IntN(20); {
	case n < 9:
		h.write(a)
	case n < 19:
		h.tell(h.authors[h.rng.IntN(len(h.authors))], a, false)
	default:
		h.lose(a)
	}
}

// lose takes a site's store away. What nobody else has heard of is gone with it.
func (h *history) lose(a *author) {
	h.begin(a)
	h.written = slices.DeleteFunc(h.written, func(r *Revision) bool {
		return !slices.ContainsFunc(h.authors, func(a *author) bool { return a.state.Vector().Covers(r.Dot) })
	})
}

func (h *history) heal() {
	for range len(h.authors) + 1 {
		for _, from := range h.authors {
			for _, to := range h.authors {
				h.tell(from, to, true)
			}
		}
	}
}

func (h *history) encoded(s *State) []byte {
	b, err := s.Encode()
	h.must(err)
	return b
}

// TestSitesAgree plays random histories: after all have heard from all, every site has the same state, to the byte, and it is what the
// definition says of the revisions that there are.
func TestSitesAgree(t *testing.T) {
	writes, conflicts := 0, 0
	for seed := range uint64(*schedules) {
		h := newHistory(t, seed)
		for range 5 + h.rng.IntN(40) {
			h.step()
		}
		h.heal()
		first := h.authors[0]
		for _, a := range h.authors[1:] {
			if got, want := a.state.ID(), first.state.ID(); got != want {
				t.Fatalf("schedule %d: %s has revision %s, %s has %s", seed, a.site, got, first.site, want)
			}
			if !bytes.Equal(h.encoded(a.state), h.encoded(first.state)) {
				t.Fatalf("schedule %d: %s and %s have different states", seed, a.site, first.site)
			}
		}
		h.compare(seed, first)
		writes += len(h.written)
		conflicts += len(first.state.Conflicts())
	}
	t.Logf("%d schedules, %d writes, %d conflicts left", *schedules, writes, conflicts)
}

// compare holds a state against the definition: of each object what no other revision of it has seen; and nothing acknowledged is missing.
func (h *history) compare(seed uint64, a *author) {
	for _, r := range h.written {
		if !a.state.Vector().Covers(r.Dot) {
			h.t.Fatalf("schedule %d: the acknowledged revision %v is lost", seed, r.Dot)
		}
	}
	for i := range 8 {
		var want []Dot
		for _, r := range a.has {
			seen := func(o *Revision) bool { return o.writes(key(i)) && o.Seen.Covers(r.Dot) }
			if r.writes(key(i)) && !slices.ContainsFunc(a.has, seen) {
				want = append(want, r.Dot)
			}
		}
		var got []Dot
		for _, r := range a.state.Registers(key(i)) {
			got = append(got, r.Origin.Dot)
		}
		slices.SortFunc(got, compareDots)
		slices.SortFunc(want, compareDots)
		if !slices.Equal(got, want) {
			h.t.Fatalf("schedule %d: %s: got %v, want %v", seed, key(i), got, want)
		}
	}
}

func (r *Revision) writes(k config.ObjectKey) bool {
	return slices.ContainsFunc(r.Changes, func(c Change) bool { return c.Key == k })
}

// TestJoinIsAUnion: joining states is commutative, associative and idempotent, and does what exchanging the revisions does.
func TestJoinIsAUnion(t *testing.T) {
	for seed := range uint64(*schedules) {
		h := newHistory(t, seed+1<<32)
		for range 5 + h.rng.IntN(40) {
			h.step()
		}
		join := func(states ...*State) *State {
			s := states[0].Fork()
			for _, o := range states[1:] {
				_, err := s.Join(o)
				h.must(err)
			}
			return s
		}
		a, b, c := h.authors[0].state, h.authors[1].state, h.authors[len(h.authors)-1].state
		for name, pair := range map[string][2]*State{
			"commutative": {join(a, b), join(b, a)}, "associative": {join(join(a, b), c), join(a, join(b, c))}, "idempotent": {join(a, b), join(a, b, b, a)},
		} {
			if !bytes.Equal(h.encoded(pair[0]), h.encoded(pair[1])) {
				t.Fatalf("schedule %d: join is not %s", seed, name)
			}
		}
		again, err := DecodeState(h.encoded(a))
		h.must(err)
		if !bytes.Equal(h.encoded(again), h.encoded(a)) || again.ID() != a.ID() {
			t.Fatalf("schedule %d: a state read again is another one", seed)
		}
		h.byRevisions(seed, join(a, b))
	}
}

// byRevisions holds a joined state against one to which the same revisions were applied one by one, in another order.
func (h *history) byRevisions(seed uint64, joined *State) {
	s := NewState()
	all := slices.Concat(h.authors[0].has, h.authors[1].has)
	all = slices.DeleteFunc(all, func(r *Revision) bool { return !joined.Vector().Covers(r.Dot) })
	h.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	// Seeds first: what a write has not seen of them gives way to it.
	slices.SortStableFunc(all, func(a, b *Revision) int { return len(a.Seen) - len(b.Seen) })
	for range all {
		for _, r := range all {
			if err := s.Apply(r); err != nil && !errors.Is(err, ErrGap) {
				h.t.Fatal(err)
			}
		}
	}
	if !bytes.Equal(h.encoded(s), h.encoded(joined)) {
		h.t.Fatalf("schedule %d: the revisions make another state than joining", seed)
	}
}

// TestForkStandsAlone: what happens to a fork does not happen to where it came from, across many changes.
func TestForkStandsAlone(t *testing.T) {
	h := newHistory(t, 1)
	a := h.authors[0]
	for i := range 3 * overMost {
		before, fork := h.encoded(a.state), a.state.Fork()
		r := &Revision{Dot: Dot{a.actor, fork.Vector()[a.actor] + 1}, Seen: fork.Vector().Clone(), Site: a.site, Time: fork.NextTime(h.now), Changes: []Change{{key(i), hash(i + 1)}}}
		h.must(r.Seal())
		h.must(fork.Apply(r))
		if i%97 == 0 && !bytes.Equal(before, h.encoded(a.state)) {
			t.Fatalf("change %d: the state changed with its fork", i)
		}
		a.state = fork
	}
	for i := range 3 * overMost {
		if got := a.state.Winner(key(i)).Hash; got != hash(i+1) {
			t.Fatalf("object %d: got %x", i, got[:3])
		}
	}
}

// TestSeedGivesWay: what only one side has as a seed is gone when the other side was written to.
func TestSeedGivesWay(t *testing.T) {
	seed := func(actor string, k, v int) *Revision {
		r := &Revision{Dot: Dot{actor, 1}, Seen: Vector{}, Source: "seed", Changes: []Change{{key(k), hash(v)}}}
		if err := r.Seal(); err != nil {
			t.Fatal(err)
		}
		return r
	}
	old, cur := NewState(), NewState()
	for s, r := range map[*State]*Revision{old: seed("seed:old", 1, 1), cur: seed("seed:new", 2, 2)} {
		if err := s.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	w := &Revision{Dot: Dot{"store", 1}, Seen: cur.Vector().Clone(), Site: "ams", Time: time.Unix(1e9, 0), Changes: []Change{{key(3), hash(3)}}}
	if err := errors.Join(w.Seal(), cur.Apply(w)); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Join(cur); err != nil {
		t.Fatal(err)
	}
	if got := old.Winner(key(1)); got.Origin != nil || !old.Vector().Equal(cur.Vector()) || old.ID() != cur.ID() {
		t.Errorf("the old seed came back: %+v", got)
	}
	if changed, err := cur.Join(NewState()); err != nil || changed != nil {
		t.Errorf("an empty state changed %v, %v", changed, err)
	}
}

// TestPruneWaitsForAll: a removed object is forgotten when everybody knows and it is old, or when there are too many.
func TestPruneWaitsForAll(t *testing.T) {
	s := NewState()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	r := &Revision{Dot: Dot{"a", 1}, Seen: Vector{}, Time: now, Changes: []Change{{Key: key(1)}, {key(2), hash(2)}}}
	if err := errors.Join(r.Seal(), s.Apply(r)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		known Vector
		after time.Duration
		want  int
	}{
		{"young", Vector{"a": 1}, TombstoneAge - 1, 0}, {"not known to all", Vector{}, 2 * TombstoneAge, 0}, {"old", Vector{"a": 1}, TombstoneAge, 1},
	} {
		if got := s.Fork().Prune(c.known, now.Add(c.after)); len(got) != c.want {
			t.Errorf("%s: forgot %v, want %d", c.name, got, c.want)
		}
	}
	many := &Revision{Dot: Dot{"a", 2}, Seen: s.Vector().Clone(), Time: now}
	for i := range MaxTombstones + 10 {
		many.Changes = append(many.Changes, Change{Key: key(100 + i)})
	}
	if err := errors.Join(many.Seal(), s.Apply(many)); err != nil {
		t.Fatal(err)
	}
	if got := len(s.Prune(s.Vector(), now)); got != 11 {
		t.Errorf("forgot %d of too many, want 11", got)
	}
}

// TestExpectedSeedStays: of writes that come together, a later one may have seen a seed that the first one has not.
func TestExpectedSeedStays(t *testing.T) {
	s := NewState()
	mine := &Revision{Dot: Dot{"seed:mine", 1}, Seen: Vector{}, Changes: []Change{{key(1), hash(1)}}}
	first := &Revision{Dot: Dot{"store", 1}, Seen: Vector{}, Time: time.Unix(1e9, 0), Changes: []Change{{key(2), hash(2)}}}
	second := &Revision{Dot: Dot{"store", 2}, Seen: Vector{"store": 1, "seed:mine": 1}, Time: time.Unix(1e9, 1000), Changes: []Change{{key(3), hash(3)}}}
	if err := errors.Join(mine.Seal(), first.Seal(), second.Seal(), s.Apply(mine)); err != nil {
		t.Fatal(err)
	}
	s.Expect([]*Revision{first, second})
	if err := errors.Join(s.Apply(first), s.Apply(second)); err != nil {
		t.Fatal(err)
	}
	if s.Winner(key(1)).Hash != hash(1) || len(s.Heads()) != 1 {
		t.Errorf("the seed is gone, or there are %d newest revisions", len(s.Heads()))
	}
}
