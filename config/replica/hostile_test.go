package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// liar is a peer whose messages the test makes itself. It returns what a site tells it.
func liar(t testing.TB) (s *testSite, told chan message, stop func()) {
	s = &testSite{name: "ams", mode: ModeSeed, compiler: &testCompiler{}, store: newMemoryStore("own", 10)}
	told = make(chan message, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	e, err := New(ctx, Options{Site: s.name, Mode: s.mode, Store: s.store, Compiler: s.compiler,
		Seed: func() (*config.Objects, error) { return fileOf(service("a", `{"v":1}`)), nil },
		Send: func(_ context.Context, to string, kind uint8, body []byte) error {
			select {
			case told <- message{to, kind, body}:
			default:
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	s.engine = e
	done := make(chan struct{})
	go func() { defer close(done); _ = e.Run(ctx) }()
	e.PeerUp("nyc")
	return s, told, func() { cancel(); <-done }
}

func sealed(t testing.TB, r *revision.Revision) *revision.Revision {
	t.Helper()
	if r.Seen == nil {
		r.Seen = revision.Vector{}
	}
	if r.Time.IsZero() {
		r.Time = time.Unix(946684800, 0)
	}
	r.Site = "nyc"
	if err := r.Seal(); err != nil {
		t.Fatal(err)
	}
	return r
}

func told(t testing.TB, list []*revision.Revision, texts ...string) []byte {
	t.Helper()
	m := revisions{list: list}
	for _, text := range texts {
		m.texts = append(m.texts, []byte(text))
	}
	b, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLies: whatever a peer says, the document stays, and what it did is counted and shown.
func TestLies(t *testing.T) {
	object := service("a", `{"v":2}`)
	change := []revision.Change{{Key: object.Key(), Hash: object.Hash()}}
	one := sealed(t, &revision.Revision{Dot: revision.Dot{Actor: "nyc1", Seq: 1}, Changes: change})
	other := sealed(t, &revision.Revision{Dot: revision.Dot{Actor: "nyc1", Seq: 1}, Changes: change, Reason: "another"})
	own := sealed(t, &revision.Revision{Dot: revision.Dot{Actor: "own", Seq: 1}, Changes: change})
	vast := revision.Vector{}
	for i := range revision.MaxActors + 1 {
		vast[fmt.Sprintf("store%d", i)] = 1
	}
	loose := config.NewFile("x", []byte(`{"v": 2,  "name":"a"}`)) // a text that is not canonical
	odd := sealed(t, &revision.Revision{Dot: revision.Dot{Actor: "nyc1", Seq: 1}, Changes: []revision.Change{{Key: object.Key(), Hash: loose.Hash()}}})
	state := revision.NewState()
	if err := state.Apply(own); err != nil {
		t.Fatal(err)
	}
	ofOurs, err := state.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		hear []message
		want string // in the peer's last error, or in the quarantine
	}{
		{"no heads", []message{{"", KindHeads, []byte{1, 2}}}, "bytes are missing"},
		{"vector too great", []message{{"", KindHeads, (&heads{mode: ModeSeed, vector: vast}).encode()}}, "above the limit of 4096"},
		{"our own store", []message{{"", KindHeads, (&heads{mode: ModeSeed, vector: revision.Vector{"own": 7}}).encode()}}, "revision 7 of this site's store, which has made 0"},
		{"our own revision", []message{{"", KindRevisions, told(t, []*revision.Revision{own}, string(object.Text()))}}, "revision 1 of this site's store"},
		{"our own state", []message{{"", KindState, ofOurs}}, "revision 1 of this site's store"},
		{"one number twice", []message{{"", KindRevisions, told(t, []*revision.Revision{one})}, {"", KindRevisions, told(t, []*revision.Revision{other})}}, "was told as"},
		{"not canonical", []message{{"", KindRevisions, told(t, []*revision.Revision{odd}, string(loose.Text()))}}, "service/a"},
		{"another object", []message{{"", KindRevisions, told(t, []*revision.Revision{one})},
			{"", KindObjects, appendPart([]byte{0}, &part{object.Hash(), 3, 0, []byte("abc")})}}, "has not the hash"},
		{"a part too long", []message{{"", KindObjects, appendPart([]byte{0}, &part{object.Hash(), 2, 0, []byte("abc")})}}, "a part of an object of 2 bytes"},
		{"no state", []message{{"", KindState, []byte{1, 255}}}, "decode state"},
		{"no question", []message{{"", KindWant, []byte{2, 255, 255, 3}}}, "malformed"},
		{"revision cut off", []message{{"", KindRevisions, []byte{0, 1, 9, 1}}}, "bytes are missing"},
		{"unknown kind", []message{{"", 77, []byte{1}}}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, _, stop := liar(t)
			defer stop()
			before := s.engine.Current()
			for _, m := range c.hear {
				s.engine.Hear("nyc", m.kind, m.body)
			}
			synctest.Wait()
			sync := s.engine.Sync()
			why := sync.Peers[0].LastError
			for _, q := range sync.Quarantine {
				why += q.Why
			}
			if !strings.Contains(why, c.want) || (why == "") != (c.want == "") || s.engine.Current() != before {
				t.Errorf("%s: got %q, want %q", c.name, why, c.want)
			}
			if strings.Contains(why, "nyc1") || strings.Contains(why, `"own"`) {
				t.Errorf("%s: the name of a store, which keys are made of, is told: %s", c.name, why)
			}
		})
	}
}

// TestLiesBringNoStorm: a peer that says it has what it does not tell is asked a few times a minute.
func TestLiesBringNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, out, stop := liar(t)
		defer stop()
		s.engine.Hear("nyc", KindHeads, (&heads{mode: ModeSeed, vector: revision.Vector{"nyc1": 1000}}).encode())
		for range 60 {
			time.Sleep(time.Second)
			s.engine.Hear("nyc", KindRevisions, told(t, nil))
			s.engine.Hear("nyc", KindHeads, (&heads{mode: ModeSeed, vector: revision.Vector{"nyc1": 1000}}).encode())
		}
		synctest.Wait()
		asked := 0
		for len(out) > 0 {
			if m := <-out; m.kind == KindWant {
				asked++
			}
		}
		if asked < 2 || asked > 8 {
			t.Errorf("asked %d times in a minute", asked)
		}
	})
}

// TestInboxIsBounded: messages that nobody reads are left beyond a bound.
func TestInboxIsBounded(t *testing.T) {
	e := &Engine{wake: make(chan struct{}, 1)}
	for range 100 {
		e.Hear("nyc", 77, make([]byte, 4<<20))
	}
	if e.stats.dropped.Load() < 80 {
		t.Errorf("%d of 100 were left", e.stats.dropped.Load())
	}
}

// FuzzHear: no message of a peer ends the site, or makes it serve what its store has not.
func FuzzHear(f *testing.F) {
	object := service("a", `{"v":2}`)
	r := sealed(f, &revision.Revision{Dot: revision.Dot{Actor: "nyc1", Seq: 1}, Changes: []revision.Change{{Key: object.Key(), Hash: object.Hash()}}})
	state := revision.NewState()
	if err := state.Apply(r); err != nil {
		f.Fatal(err)
	}
	encoded, err := state.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(KindHeads, (&heads{mode: ModeSeed, vector: revision.Vector{"nyc1": 1}}).encode())
	f.Add(KindWant, (&want{what: wantRevisions, have: revision.Vector{}}).encode())
	f.Add(KindWant, (&want{what: wantObjects, hashes: []config.ObjectHash{object.Hash()}}).encode())
	f.Add(KindRevisions, told(f, []*revision.Revision{r}, string(object.Text())))
	f.Add(KindObjects, appendPart([]byte{0}, &part{object.Hash(), len(object.Text()), 0, object.Text()}))
	f.Add(KindState, encoded)
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		e, err := New(context.Background(), Options{Site: "ams", Mode: ModeSeed, Store: newMemoryStore("own", 10), Compiler: &testCompiler{},
			Seed: func() (*config.Objects, error) { return fileOf(service("a", `{"v":1}`)), nil },
			Send: func(context.Context, string, uint8, []byte) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		e.PeerUp("nyc")
		e.Hear("nyc", kind, body)
		e.read(context.Background())
		if kept, err := e.opts.Store.(*memoryStore).objects(); err != nil || kept.ID() != e.Current().Document {
			t.Fatalf("the store has %v, %v; served is %s", kept, err, e.Current().Document)
		}
		for _, m := range e.peers["nyc"].queue {
			if m.kind == KindHeads {
				if _, err := decodeHeads(m.body); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestSendIsTriedAgain: a message that finds no room is sent later, and given up after some tries.
func TestSendIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, out, stop := liar(t)
		defer stop()
		synctest.Wait()
		for len(out) > 0 {
			<-out
		}
		if _, err := s.put("a", `{"v":2}`); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		kinds := []uint8{(<-out).kind, (<-out).kind}
		if kinds[0] != KindRevisions || kinds[1] != KindHeads {
			t.Errorf("told %v", kinds)
		}
		s.engine.PeerDown("nyc")
		if _, err := s.put("a", `{"v":3}`); err != nil || len(out) != 0 {
			t.Errorf("told %d messages to who is not there, %v", len(out), err)
		}
	})
	if !errors.Is(ownActor(1, 0), errMalformed) {
		t.Error("a forged number is no malformed message")
	}
}
