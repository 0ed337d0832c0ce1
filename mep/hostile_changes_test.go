package mep

import (
	"encoding/binary"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// hello2 is a Hello of ams in version 2, with nyc's document.
func (i *intruder) hello2() []byte {
	return i.hello(func(h *Hello) { h.VersionMax, h.Digest = 2, [32]byte{1, 2, 3} })
}

// changes is a frame of Changes.
func (i *intruder) changes(flags uint8, round uint64, part uint16, sections ...[]byte) []byte {
	b := make([]byte, changesPrefixSize)
	binary.BigEndian.PutUint64(b, round)
	binary.BigEndian.PutUint16(b[changesPartOffset:], part)
	for _, s := range sections {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return i.frame(FrameChanges, flags, b)
}

// origin is a section that tells a site's only service.
func origin(index uint64, site string, set uint64) []byte {
	b := binary.AppendUvarint([]byte{byte(sectionOrigin)}, index)
	b = binary.BigEndian.AppendUint64(appendText(b, site), sampleHello().Incarnation)
	b = append(binary.BigEndian.AppendUint64(b, set), maxHops, 1, 1)
	return (&ServiceRecord{Name: "web-" + site, State: StateUp}).append(b)
}

func TestHostileChanges(t *testing.T) {
	told := func(then func(i *intruder) []byte) func(*intruder) []byte {
		return func(i *intruder) []byte {
			return append(append(i.hello2(), i.changes(flagAnew, 1, 0, origin(0, "ams", 5))...), then(i)...)
		}
	}
	section := func(bytes ...byte) func(*intruder) []byte {
		return told(func(i *intruder) []byte { return i.changes(0, 2, 0, bytes) })
	}
	for _, c := range []struct {
		name string
		send func(*intruder) []byte
		want Rejection
	}{
		{"speaks for a site of the mesh", told(func(i *intruder) []byte { return i.changes(0, 2, 0, origin(1, "sin", 1)) }), RejectWrongSite},
		{"speaks for a site that nobody knows", told(func(i *intruder) []byte { return i.changes(0, 2, 0, origin(1, "eve", 1)) }), RejectWrongSite},
		{"site without a begin", section(byte(sectionChanges), 9, 1, 0), RejectMalformed},
		{"records of a site without a begin", section(byte(sectionRecords), 1, 0, 0), RejectMalformed},
		{"end of a site without a begin", section(byte(sectionGone), 1, 2), RejectMalformed},
		{"record that is not there", section(byte(sectionChanges), 0, 1, 1, 1, 1, 2), RejectMalformed},
		{"record far away", section(append([]byte{byte(sectionChanges), 0, 1, 1}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 2)...), RejectMalformed},
		{"more changes than there are", section(byte(sectionChanges), 0, 1, 0xff, 0xff, 3, 0, 1, 2), RejectMalformed},
		{"more records than there are", section(byte(sectionRecords), 0, 0, 9), RejectMalformed},
		{"records behind a gap", section(byte(sectionRecords), 0, 2, 0), RejectMalformed},
		{"cut section", told(func(i *intruder) []byte {
			return i.frame(FrameChanges, 0, append(append([]byte{7: 2}, make([]byte, changesPrefixSize-8)...), 200, 1, 0))
		}), RejectMalformed},
		{"empty section", section(), RejectMalformed},
		{"two names for one index", told(func(i *intruder) []byte { return i.changes(0, 2, 0, origin(0, "nyc", 1)) }), RejectMalformed},
		{"two indexes for one name", told(func(i *intruder) []byte { return i.changes(0, 2, 0, origin(1, "ams", 6)) }), RejectMalformed},
		{"index above the limit", told(func(i *intruder) []byte { return i.changes(0, 2, 0, origin(maxOrigins, "kid", 6)) }), RejectOversize},
		{"records above the limit", section(append(append([]byte{byte(sectionOrigin), 0, 3, 'a', 'm', 's'}, make([]byte, 17)...), 0xff, 0xff, 0xff, 1, 0)...), RejectOversize},
		{"older set", told(func(i *intruder) []byte { return i.changes(0, 2, 0, origin(0, "ams", 4)) }), RejectSequence},
		{"replay", told(func(i *intruder) []byte { return i.changes(0, 1, 0) }), RejectSequence},
		{"round left out", told(func(i *intruder) []byte { return i.changes(0, 3, 0) }), RejectSequence},
		{"older round anew", told(func(i *intruder) []byte { return i.changes(flagAnew, 0, 0) }), RejectSequence},
		{"part left out", told(func(i *intruder) []byte {
			return append(i.changes(flagMore, 2, 0), i.changes(0, 2, 2)...)
		}), RejectSequence},
		{"another round between parts", told(func(i *intruder) []byte {
			return append(i.changes(flagMore, 2, 0), i.changes(0, 3, 1)...)
		}), RejectSequence},
		{"no begin", func(i *intruder) []byte { return append(i.hello2(), i.changes(0, 1, 0)...) }, RejectSequence},
		{"a round without end", told(func(i *intruder) []byte {
			var b []byte
			for part := range uint16(maxParts + 1) {
				b = append(b, i.changes(flagMore, 2, part)...)
			}
			return b
		}), RejectOversize},
		{"both ways to tell", told(func(i *intruder) []byte { return i.services(nil) }), RejectMalformed},
		{"attached nowhere", told(func(i *intruder) []byte { return i.frame(FrameAttach, 0, nil) }), RejectMalformed},
		{"document of 4 GiB", told(func(i *intruder) []byte {
			return i.frame(FrameConfig, 0, []byte{1, 0, 0, 0, 255, 255, 255, 255})
		}), RejectOversize},
		{"document with too much", told(func(i *intruder) []byte {
			return append(i.frame(FrameConfig, flagMore, []byte{1, 0, 0, 0, 0, 0, 0, 2, 'a'}), i.frame(FrameConfig, 0, []byte("bc"))...)
		}), RejectMalformed},
		{"document without end", told(func(i *intruder) []byte {
			return append(i.frame(FrameConfig, flagMore, []byte{1, 0, 0, 0, 0, 0, 0, 2, 'a'}), i.frame(FrameConfig, flagMore, nil)...)
		}), RejectMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { attack(t, c.send, c.want) })
		})
	}
}

// introduceTo makes an intruder that is a site to another one, and reads what it is told.
func introduceTo(t *testing.T, w *world, site, to string, incarnation uint64) *intruder {
	t.Helper()
	ip := w.sites[site].peer.Address[:len(w.sites[site].peer.Address)-len(":3009")]
	conn, err := w.n.Host(ip).Dial(t.Context(), "tcp", w.sites[to].peer.Address)
	if err != nil {
		t.Fatal(err)
	}
	i := &intruder{t: t, conn: conn, in: newFrameReader(conn)}
	b := i.hello(func(h *Hello) {
		h.Site, h.VersionMax, h.Digest, h.Incarnation = site, 2, [32]byte{1, 2, 3}, incarnation
	})
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
	return i
}

// TestAChildThatClaimsTwoParents: of what two parents tell of one site, each set counts once.
func TestAChildThatClaimsTwoParents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string][]string{"kid": {"ams", "nyc"}}, "ams", "nyc", "sin", "kid")
		defer w.stop()
		pass(2 * time.Second)
		w.sites["kid"].stop()
		pass(time.Second)
		later := uint64(time.Now().UnixNano())
		a, b := introduceTo(t, w, "kid", "ams", later), introduceTo(t, w, "kid", "nyc", later)
		defer a.conn.Close()
		defer b.conn.Close()
		before := w.sites["sin"].reports()
		tell := func(i *intruder, round uint64, state State) {
			s := binary.AppendUvarint([]byte{byte(sectionOrigin)}, 0)
			s = binary.BigEndian.AppendUint64(appendText(s, "kid"), later)
			s = append(binary.BigEndian.AppendUint64(s, round), maxHops, 1, 1)
			_, _ = i.conn.Write(i.changes(flagAnew, round, 0, (&ServiceRecord{Name: "web-kid", State: state}).append(s)))
			pass(300 * time.Millisecond)
		}
		tell(a, 10, StateUp)
		tell(b, 10, StateDown) // the same set with another content: it came second
		if r := w.sites["sin"].of("kid"); r == nil || r.Records[0].State != StateUp || r.Peer != "ams" {
			t.Errorf("of two equal sets: got %+v, want the first, by ams", r)
		}
		tell(b, 9, StateDown) // older than what the other parent told
		_ = before
		var sets []uint64
		for _, e := range w.sites["sin"].events {
			if r, ok := e.(*ServicesReport); ok && r.Site == "kid" && r.Incarnation == later {
				sets = append(sets, r.Set)
			}
		}
		for i := 1; i < len(sets); i++ {
			if sets[i] < sets[i-1] {
				t.Errorf("sets of kid at sin: got %d, want them to grow", sets)
			}
		}
		for _, p := range w.sites["sin"].Peers() {
			if p.State != PeerUp {
				t.Errorf("sin about %s: got %s: an honest parent was refused for its child's lies (%s)", p.Site, p.State, p.LastError)
			}
		}
	})
}

// TestARelayLoopEnds: what comes back to a site, or has been passed on too often, is left and not passed on.
func TestARelayLoopEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string][]string{"kid": {"ams"}, "toddler": {"kid"}}, "ams", "nyc", "kid", "toddler")
		defer w.stop()
		w.sites["kid"].stop()
		w.sites["toddler"].stop() // before ams has heard of it
		pass(2 * time.Second)
		refused := len(w.sites["ams"].Rejections())
		later := uint64(time.Now().UnixNano())
		kid := introduceTo(t, w, "kid", "ams", later)
		defer kid.conn.Close()
		back := origin(0, "ams", 99)
		tired := origin(1, "toddler", 5)
		tired[len(tired)-len((&ServiceRecord{Name: "web-toddler"}).append(nil))-3] = 0 // hops
		_, _ = kid.conn.Write(kid.changes(flagAnew, 1, 0, back, tired))
		pass(2 * time.Second)
		ams, nyc := w.sites["ams"], w.sites["nyc"]
		if len(ams.Rejections()) != refused {
			t.Errorf("rejections: got %v, want no more than before", ams.Rejections())
		}
		if ams.of("ams") != nil {
			t.Error("ams took its own services from a child")
		}
		if ams.of("toddler") == nil || nyc.of("toddler") != nil {
			t.Errorf("toddler, which may not be passed on: ams heard %v, nyc %v; want ams only", ams.of("toddler"), nyc.of("toddler"))
		}
		for _, p := range ams.Peers() {
			if p.Site == "kid" && p.Overtaken == 0 {
				t.Error("what came back was not counted")
			}
		}
	})
}

// TestDifferentDocumentsAreNoLie: a site that speaks for one that this site's document does not give it is left alone while its
// document differs, and heard when the documents agree.
func TestDifferentDocumentsAreNoLie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string][]string{"kid": {"ams"}}, "ams", "nyc", "kid")
		defer w.stop()
		pass(3 * time.Second)
		topology := w.topology("nyc")
		topology.Relays = nil
		ams, nyc := w.sites["ams"], w.sites["nyc"]
		nyc.digest.Store(&[32]byte{9})
		if err := nyc.SetTopology(topology); err != nil {
			t.Fatal(err)
		}
		pass(3 * time.Second)
		nyc.wantReach("kid", "heard ams", "lost ams")
		for _, s := range w.sites {
			if got := s.Rejections(); len(got) != 0 {
				t.Errorf("site %s: rejections: got %v, want none", s.peer.Site, got)
			}
		}
		if err := nyc.SetTopology(w.topology("nyc")); err != nil {
			t.Fatal(err)
		}
		pass(3 * time.Second)
		nyc.wantReach("kid", "heard ams", "lost ams", "heard ams")
		w.sites["kid"].stop()
		pass(time.Second)
		nyc.wantReach("kid", "heard ams", "lost ams", "heard ams", "lost ams")
		if !nyc.lastReach("kid").Differs {
			t.Error("nyc is not told that ams has another document")
		}
		nyc.digest.Store(ams.digest.Load())
		if err := nyc.SetTopology(w.topology("nyc")); err != nil {
			t.Fatal(err)
		}
		w.restart("kid")
		pass(6 * time.Second)
		w.sites["kid"].stop()
		pass(time.Second)
		nyc.wantReach("kid", "heard ams", "lost ams", "heard ams", "lost ams", "heard ams", "lost ams")
		if nyc.lastReach("kid").Differs {
			t.Error("nyc is told that ams has another document")
		}
	})
}

// TestALossByAnotherDocumentIsPassedOn: who lost a site may be several levels below; that it had another document reaches those who all have
// the same one, and a loss by theirs is a plain one.
func TestALossByAnotherDocumentIsPassedOn(t *testing.T) {
	for _, differs := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, map[string][]string{"kid": {"ams"}, "toddler": {"kid"}, "baby": {"toddler"}}, "ams", "nyc", "sin", "kid", "toddler", "baby")
			defer w.stop()
			goBy := func(digest *[32]byte) {
				w.sites["toddler"].digest.Store(digest)
				if err := w.sites["toddler"].SetTopology(w.topology("toddler")); err != nil {
					t.Fatal(err)
				}
			}
			if differs {
				goBy(&[32]byte{9})
			}
			pass(6 * time.Second)
			w.sites["baby"].stop()
			pass(3 * time.Second)
			for site, by := range map[string]string{"kid": "toddler", "ams": "kid", "nyc": "ams", "sin": "ams"} {
				w.sites[site].wantReach("baby", "heard "+by, "lost "+by)
				if got := w.sites[site].lastReach("baby").Differs; got != differs {
					t.Errorf("%s is told that baby was lost by another document: %v, want %v", site, got, differs)
				}
			}
			if d := w.sites["toddler"].lastDown("baby"); d == nil || d.Differs != differs {
				t.Errorf("toddler lost baby: %+v, want that documents differ: %v", d, differs)
			}
			// The next loss is one of its own.
			goBy(w.sites["ams"].digest.Load())
			w.restart("baby")
			pass(12 * time.Second)
			w.sites["baby"].stop()
			pass(3 * time.Second)
			for _, site := range []string{"kid", "ams", "nyc"} {
				if r := w.sites[site].lastReach("baby"); r.Reach != ReachLost || r.Differs {
					t.Errorf("%s, with equal documents: got %+v, want a plain loss", site, r)
				}
			}
		})
	}
}

// TestDivergenceIsNoticed: a mirror that holds something else asks for all, once.
func TestDivergenceIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := twoSites(t, n, nil)
		defer ams.stop()
		defer nyc.stop()
		pass(3 * time.Second)
		m := &ams.peers["nyc"].session.mirror
		m.mu.Lock()
		m.table.byName["nyc"].own()
		m.table.byName["nyc"].records[0].State = StateDown
		m.table.sum++
		m.mu.Unlock()
		pass(2500 * time.Millisecond)
		if r := ams.last("nyc"); r.Records[0].State != StateUp {
			t.Errorf("state: got %v, want UP as it is told", r.Records[0].State)
		}
		if got := ams.logs.FilterMessage("mep.resend").Len(); got != 1 {
			t.Errorf("asked for all: logged %d times, want once", got)
		}
		ams.wantStory("up nyc")
	})
}
