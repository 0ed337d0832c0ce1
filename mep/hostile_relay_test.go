package mep

import (
	"encoding/binary"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// grow tells a set of n services of a site in a round of its own, in parts.
func (i *intruder) grow(site string, incarnation, round uint64, n int) {
	b := binary.AppendUvarint([]byte{byte(sectionOrigin)}, 0)
	b = binary.BigEndian.AppendUint64(appendText(b, site), incarnation)
	b = append(binary.BigEndian.AppendUint64(b, round), maxHops)
	b = append(binary.AppendUvarint(b, uint64(n)), 0)
	for part, at := uint16(0), 0; ; part++ {
		first, count := at, min(n-at, 20_000)
		var records []byte
		for ; at < first+count; at++ {
			records = (&ServiceRecord{Name: fmt.Sprint("s", at), State: StateUp}).append(records)
		}
		follow := binary.AppendUvarint([]byte{byte(sectionRecords), 0}, uint64(first))
		follow = append(binary.AppendUvarint(follow, uint64(count)), records...)
		sections, flags := [][]byte{follow}, flagAnew
		if part == 0 {
			sections = [][]byte{b, follow}
		}
		if at < n {
			flags |= flagMore
		}
		_, _ = i.conn.Write(i.changes(flags, round, part, sections...))
		if at == n {
			break
		}
	}
	pass(2 * time.Second)
}

// TestAChildThatGrowsDoesNotSilenceItsParent: what all that report to a site tell may become more than it may pass on. It leaves the
// child out, instead of telling more than the others take.
func TestAChildThatGrowsDoesNotSilenceItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string][]string{"kid": {"ams"}}, "ams", "nyc", "kid")
		defer w.stop()
		w.sites["kid"].stop()
		pass(2 * time.Second)
		later := uint64(time.Now().UnixNano())
		kid := introduceTo(t, w, "kid", "ams", later)
		defer kid.conn.Close()
		ams, nyc := w.sites["ams"], w.sites["nyc"]
		kid.grow("kid", later, 1, 1)
		nyc.wantReach("kid", "heard ams")
		kid.grow("kid", later, 2, MaxServices) // and ams has one of its own
		nyc.wantReach("kid", "heard ams", "lost ams")
		kid.grow("kid", later, 3, 2)
		nyc.wantReach("kid", "heard ams", "lost ams", "heard ams")
		many := make([]ServiceRecord, MaxServices-1)
		for i := range many {
			many[i] = ServiceRecord{Name: fmt.Sprint("own-", i), State: StateUp}
		}
		ams.announce(many...)
		pass(1500 * time.Millisecond)
		if r := nyc.of("ams"); r == nil || len(r.Records) != len(many) {
			t.Errorf("nyc about ams: got %+v, want all %d services of its own", r, len(many))
		}
		nyc.wantReach("kid", "heard ams", "lost ams", "heard ams", "lost ams")
		ams.announce(many[:10]...)
		pass(3 * time.Second)
		nyc.wantReach("kid", "heard ams", "lost ams", "heard ams", "lost ams", "heard ams")
		if got := nyc.Rejections(); len(got) != 0 {
			t.Errorf("nyc: rejections: got %v, want none: its peer did nothing wrong", got)
		}
	})
}

// TestAChildOnStandbyJoinsTheMesh: what a site told of whom it reports to counts for nothing when it has no parents any more.
func TestAChildOnStandbyJoinsTheMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string][]string{"kid": {"ams", "nyc"}}, "ams", "nyc", "kid")
		defer w.stop()
		pass(3 * time.Second)
		w.parents = nil
		for name := range w.sites {
			if err := w.sites[name].SetTopology(w.topology(name)); err != nil {
				t.Fatal(err)
			}
		}
		pass(5 * time.Second)
		w.sites["nyc"].wantHeard("kid", "kid")
		w.sites["ams"].wantHeard("kid", "kid")
	})
}

// TestIndexesOfSitesBeginAnew: a site that has told of as many sites as there are indexes begins anew, and with it all that it tells.
func TestIndexesOfSitesBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		children := []string{"kid", "cub", "kit", "pup", "fry", "elf"} // enough for their order to be another one afterwards
		parents := map[string][]string{}
		for _, c := range children {
			parents[c] = []string{"ams"}
		}
		w := newWorld(t, parents, append(children, "ams", "nyc")...)
		defer w.stop()
		pass(3 * time.Second)
		x := w.sites["ams"].Exchange
		x.stream.mu.Lock()
		e := x.stream.enc
		for i := len(e.sites); i < maxOrigins; i++ {
			e.add(fmt.Sprint("gone-", i))
		}
		x.stream.mu.Unlock()
		pass(5 * time.Second)
		for _, site := range children {
			w.sites["nyc"].wantReach(site, "heard ams")
			if r := w.sites["nyc"].of(site); r == nil || time.Since(r.ReceivedAt) > 3*time.Second {
				t.Errorf("nyc about %s: got %+v, want a new report", site, r)
			}
		}
		for _, s := range w.sites {
			if got := s.Rejections(); len(got) != 0 {
				t.Errorf("site %s: rejections: got %v, want none", s.peer.Site, got)
			}
		}
	})
}

// TestASiteThatComesAndGoesIsLostOnce: what a peer says between the beginning and the end of a round is not kept.
func TestASiteThatComesAndGoesIsLostOnce(t *testing.T) {
	var m mirror
	i := &intruder{t: t}
	took := func(frame []byte, flags uint8) {
		t.Helper()
		if _, _, err := m.take(frame[headerSize:], flags, time.Minute, allowAll); err != nil {
			t.Fatal(err)
		}
	}
	took(i.changes(flagAnew, 1, 0, origin(0, "ams", 1)), flagAnew)
	var sections [][]byte
	for set := range uint64(1000) {
		sections = append(sections, []byte{byte(sectionGone), 0, byte(ReachLeft)}, origin(0, "ams", set+2))
	}
	took(i.changes(flagMore, 2, 0, sections...), flagMore)
	if n := len(m.gone); n != 1 || m.gone[0] != (gone{"ams", ReachLeft}) {
		t.Errorf("a site that went 1000 times: got %d notes of it, want one", n)
	}
	if o := m.table.byName["ams"]; o == nil || o.set != 1001 || m.table.records != 1 {
		t.Errorf("at last: got %+v and %d records, want the last set, and its record", o, m.table.records)
	}
}

// TestLaterBitsOfAChangeAreSkipped: those that no 32-bit number holds, too.
func TestLaterBitsOfAChangeAreSkipped(t *testing.T) {
	r := ServiceRecord{Name: "a", State: StateUp, Has: HasActiveConnections, ActiveConnections: 7}
	b := binary.AppendUvarint(nil, 1<<0|1<<14|1<<31|1<<40|1<<63)
	for _, v := range []uint64{zigzag(3), 1, 2, 3, 1 << 60} {
		b = binary.AppendUvarint(b, v)
	}
	c := cursor{what: "change", b: b}
	var load, evidence span
	readChange(&c, &r, &load, &evidence, 0)
	want := ServiceRecord{Name: "a", State: StateUp, Has: HasActiveConnections, ActiveConnections: 10}
	if c.err != nil || c.at != len(b) || r != want {
		t.Errorf("got %+v after %d of %d bytes (%v), want %+v", r, c.at, len(b), c.err, want)
	}
}
