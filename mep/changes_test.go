package mep

import (
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// pipe is an encoder, and mirrors that hear it.
type pipe struct {
	t   *testing.T
	enc *encoder
	now time.Duration
}

func allowAll(string, uint8) (string, error) { return "", nil }

// hear gives frames to a mirror.
func (p *pipe) hear(m *mirror, parts [][]byte, anew bool) (octets int) {
	p.t.Helper()
	for i, part := range parts {
		var flags uint8
		if i < len(parts)-1 {
			flags |= flagMore
		}
		if anew {
			flags |= flagAnew
		}
		done, sane, err := m.take(part, flags, p.now, allowAll)
		if err != nil || done != (i == len(parts)-1) || !sane {
			p.t.Fatalf("round %d part %d: done %v, sane %v, %v", p.enc.round, i, done, sane, err)
		}
		octets += headerSize + len(part)
	}
	return octets
}

// round makes a round of sites, by name.
func (p *pipe) round(passed time.Duration, sites map[string]*sight) [][]byte {
	p.now += passed
	p.enc.begin(p.now)
	for name, s := range sites {
		t := p.enc.byName[name]
		if t == nil {
			t = p.enc.add(name)
		}
		p.enc.tell(t, s)
	}
	p.enc.leave(func(string) Reach { return ReachLost })
	p.enc.refresh()
	return p.enc.finish()
}

// source is a service whose numbers change as those of real ones.
type source struct {
	record             ServiceRecord
	measured, observed time.Duration // when load and state were
	every, checked     time.Duration
}

func newSource(rng *mathrand.Rand, name string) *source {
	return &source{record: ServiceRecord{Name: name, State: StateUp, Reason: "monitor web-ok: passed",
		Has:               HasActiveConnections | HasRequestsPerSecond | HasResponseTime | HasBitsPerSecond | HasPacketsPerSecond | HasLoadAge | HasEvidenceAge,
		ActiveConnections: 1000 + rng.Uint64N(5000), RequestsPerSecond: 400, ResponseTime: 23 * time.Millisecond, BitsPerSecond: 123_456_789, PacketsPerSecond: 12_000},
		every: time.Second, checked: 5 * time.Second, observed: -time.Duration(rng.Int64N(int64(5 * time.Second)))}
}

// walk moves the source on to now: connections by a random walk, rates by up to 2 percent from where they are usually.
func (s *source) walk(rng *mathrand.Rand, now time.Duration) {
	if now-s.measured >= s.every {
		s.measured = now - time.Duration(rng.Int64N(int64(50*time.Millisecond)))
		s.record.ActiveConnections += rng.Uint64N(41) - 20
		vary := func(v uint64) uint64 { return v*98/100 + rng.Uint64N(v*4/100+1) }
		s.record.RequestsPerSecond, s.record.BitsPerSecond, s.record.PacketsPerSecond = vary(400), vary(123_456_789), vary(12_000)
		s.record.ResponseTime = time.Duration(vary(23_000)) * time.Microsecond
	}
	s.tick(now)
}

// tick moves the ages on.
func (s *source) tick(now time.Duration) {
	if now-s.observed >= s.checked {
		s.observed = now
	}
	s.record.LoadAge, s.record.EvidenceAge = now-s.measured, now-s.observed
}

func near(a, b uint64) bool {
	d := max(a, b) - min(a, b)
	return d*40 <= max(a, b) || d <= 1
}

// wantSame compares what a mirror holds with what is so.
func (p *pipe) wantSame(m *mirror, name string, s *sight) {
	p.t.Helper()
	o := m.table.byName[name]
	if o == nil || !o.complete() || o.incarnation != s.incarnation || len(o.records) != len(s.records) {
		p.t.Fatalf("round %d: the mirror holds %+v of site %s, want %d records", p.enc.round, o, name, len(s.records))
	}
	got := m.hand(o)
	for i := range got {
		g, w := got[i], s.records[i]
		for _, v := range loadValues {
			if w.Has&v.field != 0 && (g.field(v.field) != w.field(v.field) && !(v.steps && near(g.field(v.field), w.field(v.field)))) {
				p.t.Fatalf("round %d: %s of site %s: field %b: got %d, want %d", p.enc.round, w.Name, name, v.field, g.field(v.field), w.field(v.field))
			}
		}
		if g.Name != w.Name || g.State != w.State || g.flags() != w.flags() || g.Reason != w.Reason || g.Has != w.Has {
			p.t.Fatalf("round %d: got %+v, want %+v", p.enc.round, g, w)
		}
		slack := time.Duration(p.enc.tolerance+1) * time.Millisecond
		if w.Has&HasLoadAge != 0 && g.LoadAge < w.LoadAge-slack || w.Has&HasEvidenceAge != 0 && g.EvidenceAge < w.EvidenceAge-slack {
			p.t.Fatalf("round %d: %s: held for fresher than it is: load %v, evidence %v, want %v, %v", p.enc.round, w.Name, g.LoadAge, g.EvidenceAge, w.LoadAge, w.EvidenceAge)
		}
	}
}

// TestMirrorsHoldWhatIsTold changes everything at random, and compares a mirror that heard all, and one that began somewhere,
// with what is so.
func TestMirrorsHoldWhatIsTold(t *testing.T) {
	for seed := range uint64(10) {
		rng := mathrand.New(mathrand.NewPCG(seed, 1))
		p := &pipe{t: t, enc: newEncoder("ams", time.Second)}
		first, late := new(mirror), new(mirror)
		sites := map[string]*sight{}
		sources := map[string][]*source{}
		for round := range 400 {
			name := []string{"ams", "kid", "toddler"}[rng.IntN(3)]
			switch rng.IntN(12) {
			case 0: // other services, or another instance
				sources[name] = nil
				for i := range rng.IntN(30) {
					sources[name] = append(sources[name], newSource(rng, fmt.Sprintf("%s-%d-%d", name, round, i)))
				}
				sites[name] = &sight{incarnation: uint64(round), set: 1, hops: 8, floor: noFloor}
			case 1:
				if name != "ams" {
					delete(sites, name)
					delete(sources, name)
				}
			}
			p.now += 0
			for site, s := range sites {
				s.set++
				s.records = s.records[:0]
				for _, src := range sources[site] {
					disturb(rng, src, p.now+time.Second)
					s.records = append(s.records, src.record)
				}
			}
			parts := p.round(time.Second, sites)
			p.hear(first, parts, false || round == 0)
			switch {
			case round == 50 || round == 300:
				p.hear(late, p.enc.all(), true)
			case round > 50:
				p.hear(late, parts, false)
			}
			for site, s := range sites {
				p.wantSame(first, site, s)
				if round >= 50 {
					p.wantSame(late, site, s)
				}
			}
			if len(first.table.byName) != len(sites) || first.table.records != p.enc.records {
				t.Fatalf("seed %d round %d: the mirror holds %d sites with %d records, want %d with %d", seed, round,
					len(first.table.byName), first.table.records, len(sites), p.enc.records)
			}
		}
	}
}

// disturb changes a source as seldom things do.
func disturb(rng *mathrand.Rand, s *source, now time.Duration) {
	if rng.IntN(100) > 0 {
		s.walk(rng, now)
		return
	}
	r := &s.record
	switch rng.IntN(8) {
	case 0:
		r.State, r.Reason = State(rng.IntN(5)), fmt.Sprint("because of ", rng.IntN(9))
	case 1:
		r.Without4 = !r.Without4
	case 2:
		r.Has ^= Fields(rng.Uint32()) & knownFields
	case 3:
		r.CustomLoad, r.Capacity, r.MemberWeight, r.MembersBehind = rng.Uint64(), rng.Uint64(), rng.Uint64N(9), rng.Uint64N(9)
	case 4:
		s.every = time.Duration(1+rng.IntN(60)) * time.Second
	case 5:
		s.checked = time.Duration(1+rng.IntN(600)) * time.Second
	case 6:
		r.BitsPerSecond, r.ActiveConnections = rng.Uint64()>>rng.IntN(64), rng.Uint64()>>rng.IntN(64)
	}
	s.tick(now)
}

// TestSteadySecondIsSmall holds the bars of docs/mep-protocol.md: octets for each peer, frame headers included.
func TestSteadySecondIsSmall(t *testing.T) {
	const services = 1000
	rng := mathrand.New(mathrand.NewPCG(7, 7))
	p := &pipe{t: t, enc: newEncoder("ams", time.Second)}
	m := new(mirror)
	var sources []*source
	for i := range services {
		sources = append(sources, newSource(rng, fmt.Sprintf("service-%04d", i)))
	}
	s := &sight{incarnation: 1, hops: 8, floor: noFloor}
	measure := func(rounds int, move func(*source)) (each int) {
		total := 0
		for range rounds {
			s.set, s.records = s.set+1, s.records[:0]
			for _, src := range sources {
				move(src)
				s.records = append(s.records, src.record)
			}
			total += p.hear(m, p.round(time.Second, map[string]*sight{"ams": s}), s.set == 1)
			p.wantSame(m, "ams", s)
		}
		return total / rounds
	}
	walk := func(src *source) { src.walk(rng, p.now+time.Second) }
	measure(40, walk) // until bounds of ages are known
	steady := measure(60, walk)
	still := func(src *source) { // measured again, with the same result
		src.measured = p.now + time.Second - 20*time.Millisecond
		src.tick(p.now + time.Second)
	}
	measure(40, still)
	idle := measure(100, still)
	t.Logf("%d services: %d octets in a steady second, %d in an idle one", services, steady, idle)
	if steady > 8000-300 {
		t.Errorf("a steady second: got %d octets, want at most 7700 (8 KB with TLS and all else)", steady)
	}
	if idle > 120 {
		t.Errorf("an idle second: got %d octets, want at most 120 (200 with all else)", idle)
	}
}

// TestManyIdleSitesCostNothing: a parent with a thousand children.
func TestManyIdleSitesCostNothing(t *testing.T) {
	rng := mathrand.New(mathrand.NewPCG(7, 7))
	p := &pipe{t: t, enc: newEncoder("ams", time.Second)}
	m := new(mirror)
	sites := map[string]*sight{"ams": {incarnation: 1, set: 1, floor: noFloor}}
	for i := range 1000 {
		s := &sight{incarnation: uint64(i), set: 1, hops: 7, floor: noFloor}
		for k := range 4 {
			src := newSource(rng, fmt.Sprintf("service-%d-%d", i, k))
			src.record.LoadAge, src.record.EvidenceAge = 0, 0
			s.records = append(s.records, src.record)
		}
		sites[fmt.Sprint("child-", i)] = s
	}
	all := p.hear(m, p.round(time.Second, sites), true)
	busy := sites["child-7"]
	total := 0
	for i := range 100 {
		busy.set++
		busy.records[0].ActiveConnections += uint64(i)
		total += p.hear(m, p.round(time.Second, sites), false)
	}
	t.Logf("all anew %d octets; a second in which one of 1000 sites changes %d", all, total/100)
	if total/100 > 500 || all > 4000*120 {
		t.Errorf("got %d octets a second, %d for all anew; want at most 500 and %d", total/100, all, 4000*120)
	}
}

func TestRatesTravelInSteps(t *testing.T) {
	for _, v := range []uint64{0, 1, 127, 128, 255, 256, 257, 511, 512, 1000, 65535, 1 << 40, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		i := stepOf(v)
		got := atStep(i)
		if d := max(got, v) - min(got, v); d > v/200 {
			t.Errorf("%d: got %d back, want it within half a percent", v, got)
		}
		if again := stepOf(got); again != i {
			t.Errorf("%d: step %d became %d", v, i, again)
		}
	}
	for _, c := range []struct {
		told, now uint64
		want      bool
	}{{100, 100, false}, {100, 101, false}, {100, 102, true}, {3, 4, true}, {0, 1, true}, {1000, 1007, false}, {1000, 1030, true}, {255, 256, false}, {1 << 40, 0, true}} {
		if got := movedOn(c.told, c.now); got != c.want {
			t.Errorf("from %d to %d: told %v, want %v", c.told, c.now, got, c.want)
		}
	}
	for _, v := range []int64{0, 1, -1, 63, -64, 1<<63 - 1, -1 << 63} {
		if got := unzigzag(zigzag(v)); got != v {
			t.Errorf("zigzag: got %d, want %d", got, v)
		}
	}
	var before uint32
	for _, age := range []uint32{0, 100, 101, 150, 151, 200, 300, 4999, 5000, 1 << 31, unbounded - 1} {
		if b := boundOf(age); b < age || b < before || uint64(b) > max(100, uint64(age)*3/2+1) {
			t.Errorf("bound of %d: got %d", age, b)
		} else {
			before = b
		}
	}
}

// TestGoldenChanges pins the bytes of docs/mep-protocol.md.
func TestGoldenChanges(t *testing.T) {
	p := &pipe{t: t, enc: newEncoder("ams", time.Second)}
	s := &sight{incarnation: 9, set: 1, hops: maxHops, floor: noFloor, records: []ServiceRecord{{Name: "a", State: StateUp,
		Has: HasActiveConnections | HasBitsPerSecond | HasLoadAge | HasEvidenceAge, ActiveConnections: 300, BitsPerSecond: 1_000_000, LoadAge: 250 * time.Millisecond}}}
	first := p.round(time.Second, map[string]*sight{"ams": s})[0]
	s.set++
	s.records[0].ActiveConnections, s.records[0].BitsPerSecond = 297, 1_100_000
	second := p.round(time.Second, map[string]*sight{"ams": s})[0]
	third := p.round(time.Second, nil)[0]
	zeros := strings.Repeat("00", 8)
	for _, c := range []struct{ name, got, want string }{
		{"anew", hex.EncodeToString(first), "0000000000000001" + zeros + "SUM" + "2e" + "01" + "00" + "03616d73" + "0000000000000009" + "0000000000000001" + "08" + "01" + "01" +
			"0013" + "01" + "00" + "1989" + "0161" + "00" + "ac02" + "c0843d" + "fa01" + "00" + "e012" + "e012"},
		{"a change", hex.EncodeToString(second), "0000000000000002" + zeros + "SUM" + "08" + "03" + "00" + "01" + "01" + "00" + "09" + "05" + "24"},
		{"the end", hex.EncodeToString(third), "0000000000000003" + zeros + zeros + "03" + "04" + "00" + "02"},
	} {
		sum := c.got[32:48]
		if want := strings.Replace(c.want, "SUM", sum, 1); c.got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, c.got, want)
		}
	}
	if got := hex.EncodeToString(first[changesSumOffset : changesSumOffset+8]); got != "9ae6e469d76dbf87" {
		t.Errorf("sum: got %s, want XXH64 of the record and its place", got)
	}
}

// FuzzChanges gives a mirror one frame after the other.
func FuzzChanges(f *testing.F) {
	p := &pipe{enc: newEncoder("ams", time.Second)}
	rng := mathrand.New(mathrand.NewPCG(7, 7))
	s := &sight{incarnation: 1, hops: 8, records: []ServiceRecord{newSource(rng, "a").record, newSource(rng, "b").record}, floor: noFloor}
	first := p.round(time.Second, map[string]*sight{"ams": s, "kid": s})[0]
	s.records = slices.Clone(s.records)
	s.records[0].ActiveConnections, s.records[1].State = 9, StateDown
	second := p.round(time.Second, map[string]*sight{"ams": s})[0]
	f.Add(first, second, uint8(flagAnew), uint8(0))
	f.Add(second, first, uint8(0), uint8(flagMore))
	f.Fuzz(func(t *testing.T, a, b []byte, flagsA, flagsB uint8) {
		m := new(mirror)
		for i, frame := range [][]byte{first, second, a, b} {
			flags := []uint8{flagAnew, 0, flagsA, flagsB}[i]
			_, _, err := m.take(frame, flags, time.Minute, allowAll)
			if err != nil && i < 2 {
				t.Fatal(err)
			}
			if err != nil {
				if _, refused := rejectionOf(err); !refused {
					t.Errorf("%v is no refusal", err)
				}
				return
			}
			for _, o := range m.table.byName {
				if o.complete() {
					m.hand(o)
				}
			}
			if m.table.records > MaxServices || len(m.table.sites) > maxOrigins {
				t.Errorf("%d records, %d sites: above the limits", m.table.records, len(m.table.sites))
			}
		}
	})
}
