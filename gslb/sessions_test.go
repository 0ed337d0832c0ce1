package gslb

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// slowSip is SipHash-c-d as its paper puts it, for any octets.
func slowSip(c, d int, k HashKey, text []byte) uint64 {
	v0, v1, v2, v3 := k[0]^0x736f6d6570736575, k[1]^0x646f72616e646f6d, k[0]^0x6c7967656e657261, k[1]^0x7465646279746573
	round := func() {
		v0 += v1
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v3
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 += v3
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 += v1
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v2 = bits.RotateLeft64(v2, 32)
	}
	padded := append(append([]byte{}, text...), make([]byte, 8-len(text)%8)...)
	padded[len(padded)-1] = byte(len(text))
	for ; len(padded) > 0; padded = padded[8:] {
		m := binary.LittleEndian.Uint64(padded)
		v3 ^= m
		for range c {
			round()
		}
		v0 ^= m
	}
	v2 ^= 0xff
	for range d {
		round()
	}
	return v0 ^ v1 ^ v2 ^ v3
}

func TestHashKeyIsSipHash(t *testing.T) {
	// The test vector of the paper's appendix: SipHash-2-4 of 00 01 … 0e under the key 00 01 … 0f.
	key := HashKey{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	text := make([]byte, 15)
	for i := range text {
		text[i] = byte(i)
	}
	if got, want := slowSip(2, 4, key, text), uint64(0xa129ca6149be45e5); got != want {
		t.Fatalf("the slow twin is wrong: got %#x, want %#x", got, want)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		k, a, b, c := HashKey{rng.Uint64(), rng.Uint64()}, rng.Uint64(), rng.Uint64(), rng.Uint64()
		words := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, a), b), c)
		if got, want := k.hash(a, b, c), slowSip(1, 3, k, words); got != want {
			t.Fatalf("hash(%#x, %#x, %#x) = %#x, want %#x", a, b, c, got, want)
		}
		if got, want := k.short(a), slowSip(1, 3, k, words[:8]); got != want {
			t.Fatalf("short(%#x) = %#x, want %#x", a, got, want)
		}
		id := uint32(c)
		if got, want := k.client(0, 0xffff<<32|a>>32, id), k.short(uint64(id)<<32|a>>32); got != want {
			t.Fatalf("an IPv4 client has the hash %#x, want %#x", got, want)
		}
		if got, want := k.client(a, b, id), k.hash(a, b, uint64(id)); got != want {
			t.Fatalf("an IPv6 client has the hash %#x, want %#x", got, want)
		}
	}
}

// someone returns one of many clients of both families.
func someone(n int) netip.Addr {
	if n%3 == 0 {
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 4: byte(n >> 16), 5: byte(n >> 8), 6: byte(n)})
	}
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

func TestSessions(t *testing.T) {
	s := NewSessions(SessionOptions{Max: 1024})
	k := SessionKey{ID: 7, Client: netip.MustParseAddr("192.0.2.1")}
	find := func(k SessionKey, at int64, want uint64) {
		t.Helper()
		if got, ok := s.Find(k, at); ok != (want != 0) || ok && got != want {
			t.Errorf("Find(%v, %d) = %d, %v; want %d", k, at, got, ok, want)
		}
	}
	find(k, 1000, 0)
	s.Keep(k, 11, 1000, 1160)
	find(k, 1000, 11)
	find(k, 1159, 11)
	find(k, 1160, 0) // it has ended
	find(SessionKey{ID: 8, Client: k.Client}, 1000, 0)
	find(SessionKey{ID: 7, Client: netip.MustParseAddr("192.0.2.2")}, 1000, 0)
	find(SessionKey{ID: 7, Client: netip.MustParseAddr("::ffff:192.0.2.1")}, 1000, 11)

	s.Keep(k, 11, 1009, 1169) // by less than a sixteenth of 160
	find(k, 1160, 0)
	s.Keep(k, 11, 1010, 1170)
	find(k, 1169, 11)
	s.Keep(k, 12, 1010, 1170) // another service is written at once
	find(k, 1169, 12)
	s.Keep(k, 13, 1200, 1200) // no time at all
	find(k, 1169, 12)

	if s.Len() != 1 {
		t.Errorf("%d sessions, want 1", s.Len())
	}
	if !s.Drop(k) || s.Drop(k) || s.Len() != 0 {
		t.Errorf("dropped twice, or not at all; %d are left", s.Len())
	}
	find(k, 1010, 0)
}

func TestSessionsMerge(t *testing.T) {
	k := SessionKey{ID: 1, Client: someone(1)}
	for _, tt := range []struct {
		name    string
		service uint64
		until   int64
		want    uint64
		taken   bool
	}{
		{"later", 1, 2001, 1, true},
		{"earlier", 9, 1999, 5, false},
		{"same end, greater", 6, 2000, 6, true},
		{"same end, smaller", 4, 2000, 5, false},
		{"the same", 5, 2000, 5, false},
		{"no end", 9, 0, 5, false},
	} {
		s := NewSessions(SessionOptions{Max: 100})
		s.Keep(k, 5, 1000, 2000)
		if got := s.Merge(k, tt.service, tt.until); got != tt.taken {
			t.Errorf("%s: Merge returned %v", tt.name, got)
		}
		if got, _ := s.Find(k, 1500); got != tt.want {
			t.Errorf("%s: got service %d, want %d", tt.name, got, tt.want)
		}
	}
	s := NewSessions(SessionOptions{Max: 100})
	if !s.Merge(k, 3, 2000) {
		t.Error("a session of a client without one was not taken")
	}
}

// TestSessionsMergeInAnyOrder: sites that hear of the same sessions in another order have the same in the end.
func TestSessionsMergeInAnyOrder(t *testing.T) {
	type heard struct {
		k       SessionKey
		service uint64
		until   int64
	}
	rng := rand.New(rand.NewPCG(3, 4))
	var all []heard
	for range 2000 {
		all = append(all, heard{SessionKey{ID: 1, Client: someone(rng.IntN(100))}, rng.Uint64N(4) + 1, 1000 + rng.Int64N(20)})
	}
	fill := func() *Sessions {
		s := NewSessions(SessionOptions{Max: 10000})
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, h := range all {
			s.Merge(h.k, h.service, h.until)
		}
		return s
	}
	a, b := fill(), fill()
	for n := range 100 {
		k := SessionKey{ID: 1, Client: someone(n)}
		x, _ := a.Find(k, 1000)
		if y, _ := b.Find(k, 1000); x != y {
			t.Errorf("client %d: %d at one site, %d at the other", n, x, y)
		}
	}
}

// TestSessionsAgainstAMap drives a table and a map with the same random calls and times. The table is never near its bound,
// so it must forget nothing; it grows and shrinks meanwhile.
func TestSessionsAgainstAMap(t *testing.T) {
	type entry struct {
		service uint64
		until   int64
	}
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 5))
		s := NewSessions(SessionOptions{Max: 2000, Key: HashKey{rng.Uint64(), rng.Uint64()}})
		oracle := map[SessionKey]entry{}
		at := int64(1_700_000_000)
		for step := range 20_000 {
			k := SessionKey{ID: rng.Uint32N(3), Client: someone(rng.IntN(200))}
			old, there := oracle[k]
			switch rng.IntN(10) {
			case 0, 1, 2, 3:
				service, timeout := rng.Uint64N(3)+1, int64(rng.IntN(200))
				s.Keep(k, service, at, at+timeout)
				moved := at + timeout - old.until
				if timeout > 0 && (!there || old.service != service || moved < 0 || moved >= max(1, timeout/16)) {
					oracle[k] = entry{service, at + timeout}
				}
			case 4:
				service, until := rng.Uint64N(3)+1, at+rng.Int64N(200)
				if s.Merge(k, service, until) {
					oracle[k] = entry{service, until}
				}
			case 5:
				s.Drop(k)
				delete(oracle, k)
			case 6:
				at += rng.Int64N(5)
			case 7:
				s.Expire(at, 1+rng.IntN(4))
			case 8:
				if step%100 == 0 {
					s.Grow(1000 + rng.IntN(3000))
				}
			}
			got, ok := s.Find(k, at)
			want, live := oracle[k]
			live = live && want.until > at
			if ok != live || ok && got != want.service {
				t.Fatalf("seed %d, step %d: Find = %d, %v; want %d, %v", seed, step, got, ok, want.service, live)
			}
		}
		s.Expire(at, 1)
		want := 0
		for _, e := range oracle {
			if e.until > at {
				want++
			}
		}
		seen := 0
		s.Each(func(k SessionKey, service uint64, until int64) bool {
			if e := oracle[k]; e.service != service || e.until != until {
				t.Errorf("seed %d: %v has %d until %d, want %v", seed, k, service, until, e)
			}
			seen++
			return true
		})
		if seen != want || s.Len() != want || s.Stats().Evictions != 0 {
			t.Errorf("seed %d: %d seen, %d counted, %d evictions; want %d", seed, seen, s.Len(), s.Stats().Evictions, want)
		}
	}
}

func TestSessionsGiveWayNearestTheirEnd(t *testing.T) {
	const most = 2000
	s := NewSessions(SessionOptions{Max: most})
	for n := range 20_000 {
		s.Keep(SessionKey{Client: someone(n)}, 1, 1000, 2000+int64(n))
	}
	st := s.Stats()
	if st.Entries > most*115/100 || st.Entries < most*9/10 {
		t.Errorf("%d sessions, want about %d", st.Entries, most)
	}
	if got := uint64(20_000 - st.Entries); st.Evictions != got {
		t.Errorf("%d evictions, want %d", st.Evictions, got)
	}
	var ends int64
	s.Each(func(_ SessionKey, _ uint64, until int64) bool { ends += until - 2000; return true })
	if mean := ends / int64(st.Entries); mean < 17_000 { // all of the last 2000 would have 19,000
		t.Errorf("the mean end is %d of 20,000: others than those nearest their end gave way", mean)
	}

	ended := NewSessions(SessionOptions{Max: most})
	for n := range 20_000 {
		ended.Keep(SessionKey{Client: someone(n)}, 1, int64(n), int64(n)+100)
	}
	if st := ended.Stats(); st.Evictions != 0 {
		t.Errorf("%d evictions, want none: only 100 sessions were alive at a time", st.Evictions)
	}
	ended.Expire(100_000, 1)
	if n := ended.Len(); n != 0 {
		t.Errorf("%d sessions after all have ended", n)
	}
}

// TestSessionsHoldWhatTheyMay: a table with as many sessions as it may have has lost few of them, in any order of their ends.
func TestSessionsHoldWhatTheyMay(t *testing.T) {
	const most = 40_000
	s := NewSessions(SessionOptions{Max: most, Key: HashKey{1, 2}})
	rng := rand.New(rand.NewPCG(7, 8))
	for n := range most {
		s.Keep(SessionKey{Client: someone(n)}, 1, 1000, 2000+rng.Int64N(1000))
	}
	if lost := most - s.Len(); lost > most*25/1000 {
		t.Errorf("%d of %d sessions are lost, want at most 2.5 %%", lost, most)
	}
	before := s.Len()
	s.Grow(2 * most)
	if s.Len() != before || s.Stats().Max != 2*most {
		t.Errorf("%d sessions after it grew to %d, want %d", s.Len(), s.Stats().Max, before)
	}
	s.Grow(most / 10)
	if n := s.Len(); n > most*14/100+15 || n < most/10 {
		t.Errorf("%d sessions after it shrank to %d", n, most/10)
	}
}

func TestSessionsWalk(t *testing.T) {
	s := NewSessions(SessionOptions{Max: 1000})
	want := map[netip.Addr]bool{}
	for n := range 500 {
		want[someone(n)] = true
		s.Keep(SessionKey{ID: 1, Client: someone(n)}, 1, 1, 2)
	}
	pages, position := 0, 0
	for {
		n := 0
		next := s.Walk(position, func(k SessionKey, _ uint64, _ int64) bool {
			if !want[k.Client] {
				t.Errorf("%s came twice, or was never kept", k.Client)
			}
			delete(want, k.Client)
			n++
			return n < 7
		})
		if pages++; next == 0 {
			break
		}
		position = next
	}
	if len(want) != 0 || pages < 500/7 {
		t.Errorf("%d sessions were not walked over in %d pages", len(want), pages)
	}
	if next := s.Walk(-1, func(SessionKey, uint64, int64) bool { return true }); next != 0 {
		t.Errorf("Walk(-1) = %d", next)
	}
}

// TestSessionsConcurrently has writers with clients of their own, who must find what they kept, while the table changes
// its size and others read and expire.
func TestSessionsConcurrently(t *testing.T) {
	const writers, clients, rounds = 4, 500, 60
	s := NewSessions(SessionOptions{Max: 8 * writers * clients})
	var group, others sync.WaitGroup
	var stop atomic.Bool
	for w := range writers {
		group.Go(func() {
			for round := range uint64(rounds) {
				for n := range clients {
					k := SessionKey{ID: uint32(w), Client: someone(n)}
					s.Keep(k, round+1, 1000, 2000)
					if got, ok := s.Find(k, 1000); !ok || got != round+1 {
						t.Errorf("writer %d, client %d: got %d, %v; want %d", w, n, got, ok, round+1)
						return
					}
				}
			}
		})
	}
	others.Go(func() {
		for n := 0; !stop.Load(); n++ {
			s.Grow((8 + n%3) * writers * clients)
			s.Expire(500, 3)
			runtime.Gosched()
		}
	})
	others.Go(func() {
		for !stop.Load() {
			s.Each(func(k SessionKey, service uint64, until int64) bool {
				if until != 2000 || k.ID >= writers || service > rounds {
					t.Errorf("a session that nobody kept: %v, %d until %d", k, service, until)
				}
				return true
			})
			s.Find(SessionKey{Client: someone(1)}, 1)
		}
	})
	group.Wait()
	stop.Store(true)
	others.Wait()
	if s.Len() != writers*clients || s.Stats().Evictions != 0 {
		t.Errorf("%d sessions and %d evictions, want %d and none", s.Len(), s.Stats().Evictions, writers*clients)
	}
}

// TestSessionsAgainstALockedMap has many write the same few sessions at once, each with a lock of its own that holds the
// map and the table together, while time passes, others expire, and the table changes its size.
func TestSessionsAgainstALockedMap(t *testing.T) {
	const writers, clients, rounds = 4, 300, 3000
	type entry struct {
		sync.Mutex
		service uint64
		until   int64
	}
	s := NewSessions(SessionOptions{Max: 20 * clients})
	entries := make([]entry, clients)
	var clock atomic.Int64
	clock.Store(1_700_000_000)
	var group, others sync.WaitGroup
	var stop atomic.Bool
	for w := range uint64(writers) {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(w, 6))
			for range rounds {
				n := rng.IntN(clients)
				k, e, at := SessionKey{ID: uint32(n % 3), Client: someone(n)}, &entries[n], clock.Load()
				service, until := rng.Uint64(), at+1+rng.Int64N(40)
				e.Lock()
				switch rng.IntN(8) {
				case 0:
					s.Drop(k)
					e.until = 0
				case 1:
					if s.Merge(k, service, until) {
						e.service, e.until = service, until
					}
				case 2, 3:
					s.Keep(k, service, at, until)
					e.service, e.until = service, until
				case 4:
					clock.Add(1)
				}
				got, end, ok := s.Lookup(k, at)
				if live := e.until > at; ok && !live || ok && (got != e.service || end != e.until) || !ok && e.until > clock.Load() {
					t.Errorf("client %d at %d: %x until %d, %v; want %x until %d", n, at, got, end, ok, e.service, e.until)
				}
				e.Unlock()
			}
		})
	}
	others.Go(func() {
		for n := 0; !stop.Load(); n++ {
			s.Expire(clock.Load(), 3)
			if n%8 == 0 {
				s.Grow((10 + n%5) * clients)
			}
			runtime.Gosched()
		}
	})
	group.Wait()
	stop.Store(true)
	others.Wait()
	s.Expire(clock.Load(), 1)
	want := 0
	for n := range entries {
		if entries[n].until > clock.Load() {
			want++
		}
	}
	if s.Len() != want || s.Stats().Evictions != 0 {
		t.Errorf("%d sessions and %d evictions, want %d and none", s.Len(), s.Stats().Evictions, want)
	}
}

// TestEachSeesAllWhileTheTableGrows: what is saved meanwhile is whole.
func TestEachSeesAllWhileTheTableGrows(t *testing.T) {
	s := NewSessions(SessionOptions{Max: 4000})
	for n := range 1000 {
		s.Keep(SessionKey{Client: someone(n)}, 1, 1, 2)
	}
	seen := map[netip.Addr]bool{}
	s.Each(func(k SessionKey, _ uint64, _ int64) bool {
		if seen[k.Client] = true; len(seen) == 10 {
			s.Grow(8000)
		}
		return true
	})
	if len(seen) != 1000 {
		t.Errorf("%d of 1000 sessions were seen", len(seen))
	}
}

// TestSessionsAreFoundWhileTheyMove looks at a table that has just begun to take in another one's sessions.
func TestSessionsAreFoundWhileTheyMove(t *testing.T) {
	s := NewSessions(SessionOptions{Max: 1000})
	key := func(n int) SessionKey { return SessionKey{Client: someone(n)} }
	for n := range 300 {
		s.Keep(key(n), 1, 1000, 2000)
	}
	next := newSessionTable(2000)
	next.previous.Store(s.current.Load())
	s.current.Store(next)
	for n := range 100 {
		if _, ok := s.Find(key(n), 1000); !ok {
			t.Errorf("session %d is not found", n)
		}
	}
	for n := 100; n < 200; n++ {
		if s.Merge(key(n), 2, 1999) {
			t.Errorf("session %d gave way to one that ends earlier", n)
		}
		s.Keep(key(n), 3, 1000, 1500)
	}
	if seen := 0; !s.Drop(key(200)) {
		t.Error("session 200 was not there to be dropped")
	} else if s.Each(func(k SessionKey, service uint64, _ int64) bool { seen++; return true }); seen != 299 || s.Len() != 299 {
		t.Errorf("%d sessions were seen and %d counted, want 299", seen, s.Len())
	}
	for n := 100; n < 200; n++ {
		if got, _ := s.Find(key(n), 1000); got != 3 {
			t.Errorf("session %d: got service %d, want what was kept while it moved", n, got)
		}
	}
}

// TestSessionsAreReadWhole: what is found is never half of one session and half of the next.
func TestSessionsAreReadWhole(t *testing.T) {
	s, k := NewSessions(SessionOptions{Max: 1000}), SessionKey{Client: someone(1)}
	var writer sync.WaitGroup
	var stop atomic.Bool
	s.Keep(k, 1000, 1, 1000)
	writer.Go(func() {
		for n := int64(0); !stop.Load(); n++ {
			s.Keep(k, uint64(1000+n%1000), 1, 1000+n%1000)
		}
	})
	for range 300_000 {
		if service, until, ok := s.Lookup(k, 1); !ok || service != uint64(until) {
			t.Errorf("found service %d until %d, %v; both are the same number in all sessions that were kept", service, until, ok)
			break
		}
	}
	stop.Store(true)
	writer.Wait()
}

// TestSessionsMemory: a million sessions take at most 48 octets each, all in. The table is made as a whole with the first.
func TestSessionsMemory(t *testing.T) {
	const million = 1_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := NewSessions(SessionOptions{Max: million})
	for n := range million / 20 {
		s.Keep(SessionKey{Client: someone(n)}, 1, 1000, 2000)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	got := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d octets a session", got/million)
	if got > 48*million+1<<20 || s.Stats().Bytes > 48*million {
		t.Errorf("%d octets, %d by its own count; want at most %d", got, s.Stats().Bytes, 48*million)
	}
	if got := testing.AllocsPerRun(100, func() {
		s.Keep(SessionKey{Client: someone(1)}, 2, 1000, 3000)
		s.Keep(SessionKey{Client: someone(1)}, 1, 1000, 2000)
		s.Find(SessionKey{Client: someone(1)}, 1000)
	}); got != 0 {
		t.Errorf("%v allocations a session, want none", got)
	}
	runtime.KeepAlive(s)
}

func BenchmarkSessions(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		s := NewSessions(SessionOptions{Max: 1_000_000})
		keys := make([]SessionKey, n)
		for i := range keys {
			keys[i] = SessionKey{ID: 1, Client: someone(i)}
			s.Keep(keys[i], 1, 1000, 2000)
		}
		b.Run(fmt.Sprintf("find and keep/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				k := keys[i*7919%n]
				if service, ok := s.Find(k, 1000); ok {
					s.Keep(k, service, 1001, 2001)
				}
			}
		})
		b.Run(fmt.Sprintf("parallel/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(n); pb.Next(); i++ {
					k := keys[i*7919%n]
					if service, ok := s.Find(k, 1000); ok {
						s.Keep(k, service, 1001, 2001)
					}
				}
			})
		})
		for _, shared := range []bool{false, true} {
			s.Share(shared)
			b.Run(fmt.Sprintf("written/%d/shared=%v", n, shared), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					s.Keep(keys[i*7919%n], uint64(i), 1000, 2000)
				}
			})
		}
	}
}
