package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.uber.org/zap"

	"fairlead/gslb"
)

func emptyTables(most int) learnedTables { return keyedTables(most)(gslb.HashKey{1, 2}) }

func keyedTables(most int) func(gslb.HashKey) learnedTables {
	return func(key gslb.HashKey) learnedTables {
		return learnedTables{
			sessions:  gslb.NewSessions(gslb.SessionOptions{Max: most, Key: key}),
			resolvers: gslb.NewResolvers(gslb.ResolverOptions{Prefix4: 32, Prefix6: 56, Max: most, Timeout: 3 * time.Minute, Key: key}),
			pushed:    gslb.NewPushed(),
		}
	}
}

func sessionOf(n int) gslb.SessionKey {
	return gslb.SessionKey{ID: uint32(n % 3), Client: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})}
}

// fill adds sessions that end at now+100+n seconds, two round-trip times, and three measurements of two prefixes.
func (t learnedTables) fill(n int, now time.Time) {
	for i := range n {
		t.sessions.Keep(sessionOf(i), uint64(i+1), now.Unix(), now.Unix()+100+int64(i))
	}
	t.resolvers.Measured(netip.MustParseAddr("192.0.2.1"), 7, 20*time.Millisecond, now.Unix()-10)
	t.resolvers.MeasuredBy(netip.MustParseAddr("2001:db8::1"), 8, 1500*time.Microsecond, now.Unix()-100, measuredBy)
	for prefix, values := range measurements(now) {
		_ = t.pushed.Set(prefix, values, now.Unix())
	}
}

const measuredBy = gslb.RTTSource(3)

// measurements are what fill pushes: best first. One of them ends after 100 s.
func measurements(now time.Time) map[netip.Prefix][]gslb.PushedValue {
	return map[netip.Prefix][]gslb.PushedValue{
		netip.MustParsePrefix("192.0.2.0/24"):  {{Service: 3, Value: -1.5, Until: now.Unix() + 1000}, {Service: 4, Value: 80, Until: now.Unix() + 100}},
		netip.MustParsePrefix("2001:db8::/32"): {{Service: 5, Value: 1e300, Until: now.Unix() + 1000}},
	}
}

func TestLearnedFile(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), learnedFile), time.Now()
	from := emptyTables(1000)
	from.fill(200, now)
	if n, err := saveLearned(path, from, now); err != nil || n != (learnedCounts{200, 2, 3}) {
		t.Fatalf("saved %v, %v", n, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v: others may read who came", info.Mode(), err)
	}
	// A minute and a half later half of the sessions and one of the times count.
	later := now.Add(200 * time.Second)
	to, n, err := loadLearned(path, keyedTables(1000), now.Add(90*time.Second))
	if err != nil || n != (learnedCounts{200, 1, 3}) {
		t.Errorf("loaded %v, %v; want 200 sessions, a time and 3 measurements", n, err)
	}
	if got, want := to.resolvers.Options().Key, (gslb.HashKey{1, 2}); got != want {
		t.Errorf("got the hash key %x, want that of before, %x", got, want)
	}
	for prefix, want := range measurements(now) {
		if got, _ := to.pushed.Get(prefix); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", prefix, got, want)
		}
	}
	for i := range 200 {
		if got, ok := to.sessions.Find(sessionOf(i), later.Unix()); ok != (i > 100) || ok && got != uint64(i+1) {
			t.Errorf("session %d: got %d, %v", i, got, ok)
		}
	}
	got := to.resolvers.RTTs(netip.MustParseAddr("192.0.2.1"), now.Unix(), nil)
	if want := []gslb.SiteRTT{{Site: 7, RTT: 20 * time.Millisecond, At: now.Unix() - 10}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, n, err := loadLearned(path, keyedTables(1000), later); err != nil || n != (learnedCounts{99, 0, 2}) {
		t.Errorf("loaded %v, %v; want what has not ended", n, err)
	}
	if _, err := saveLearned(path, emptyTables(1), now); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing was learned, and there is a file: %v", err)
	}
	if to, n, err := loadLearned(path, keyedTables(1), now); err != nil || n != (learnedCounts{}) || to.resolvers.Options().Key == (gslb.HashKey{1, 2}) {
		t.Errorf("without a file: %v, %v, key %x; want nothing, and a new key", n, err, to.resolvers.Options().Key)
	}
	if _, err := saveLearned(filepath.Join(t.TempDir(), "none", learnedFile), from, now); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
}

// TestLearnedFileDamaged: a file that was cut off, lengthened or changed at any octet adds nothing.
func TestLearnedFileDamaged(t *testing.T) {
	now := time.Now()
	from := emptyTables(100)
	from.fill(5, now)
	var whole bytes.Buffer
	if _, err := writeLearned(&whole, from, now); err != nil {
		t.Fatal(err)
	}
	try := func(name string, text []byte) {
		t.Helper()
		to, n, err := readLearned(bytes.NewReader(text), int64(len(text)), keyedTables(100), now)
		if err == nil || n != (learnedCounts{}) || to.sessions.Len()+to.resolvers.Len()+to.pushed.Len() > 0 {
			t.Errorf("%s: got %v and %v", name, n, err)
		}
	}
	text := whole.Bytes()
	for i := range text {
		try(fmt.Sprintf("cut off at %d", i), text[:i])
		changed := bytes.Clone(text)
		changed[i] ^= 0x10
		try(fmt.Sprintf("changed at %d", i), changed)
	}
	try("lengthened", append(bytes.Clone(text), make([]byte, learnedRecord)...))
	try("foreign", bytes.Repeat([]byte("no"), 200))
	if _, n, err := readLearned(bytes.NewReader(text), int64(len(text)), keyedTables(100), now); err != nil || n != (learnedCounts{5, 2, 3}) {
		t.Errorf("the whole file: %v, %v", n, err)
	}
}

func FuzzReadLearned(f *testing.F) {
	now := time.Unix(1_700_000_000, 0)
	from := emptyTables(100)
	from.fill(3, now)
	var whole bytes.Buffer
	if _, err := writeLearned(&whole, from, now); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add([]byte(learnedMagic))
	f.Add(olderLearned(now))
	f.Fuzz(func(t *testing.T, text []byte) {
		text = sealed(text)
		to, n, err := readLearned(bytes.NewReader(text), int64(len(text)), keyedTables(100), now)
		if err != nil && n != (learnedCounts{}) {
			t.Errorf("%v, and yet %v", err, n)
		}
		if uint64(to.sessions.Len()) > n.sessions || uint64(to.resolvers.Len()) > n.rtts || uint64(to.pushed.Len()) > n.pushed {
			t.Errorf("%d, %d and %d are there of %v", to.sessions.Len(), to.resolvers.Len(), to.pushed.Len(), n)
		}
	})
}

// sealed returns a copy of a text with a checksum that fits, so that what is behind it is tried, too.
func sealed(text []byte) []byte {
	if len(text) < 8 {
		return text
	}
	text = text[:len(text)-8]
	return binary.BigEndian.AppendUint64(bytes.Clone(text), xxhash.Sum64(text))
}

// olderLearned is a file of version 1: a session that ends in 100 s and a round-trip time of 20 ms.
func olderLearned(now time.Time) []byte {
	text := []byte("FLlearn\x01")
	for _, r := range []struct {
		name uint64
		b, c uint32
	}{{9, 1, uint32(now.Unix() + 100)}, {7, 20_000, uint32(now.Unix() - 10)}} {
		a := netip.MustParseAddr("192.0.2.1").As16()
		text = binary.BigEndian.AppendUint64(append(text, a[:]...), r.name)
		text = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(text, r.b), r.c)
	}
	text = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(text, 1), 1)
	return binary.BigEndian.AppendUint64(text, xxhash.Sum64(text))
}

// TestOlderLearnedFile: what a release before this one kept is taken in.
func TestOlderLearnedFile(t *testing.T) {
	now := time.Now()
	text := olderLearned(now)
	to, n, err := readLearned(bytes.NewReader(text), int64(len(text)), keyedTables(100), now)
	if err != nil || n != (learnedCounts{1, 1, 0}) {
		t.Fatalf("got %v, %v", n, err)
	}
	client := netip.MustParseAddr("192.0.2.1")
	if got, ok := to.sessions.Find(gslb.SessionKey{ID: 1, Client: client}, now.Unix()); !ok || got != 9 {
		t.Errorf("session: got %d, %v", got, ok)
	}
	if got := to.resolvers.RTTs(client, now.Unix(), nil); !slices.Equal(got, []gslb.SiteRTT{{Site: 7, RTT: 20 * time.Millisecond, At: now.Unix() - 10}}) {
		t.Errorf("round-trip times: got %v", got)
	}
	if to.resolvers.Options().Key == (gslb.HashKey{}) {
		t.Error("a key that everybody knows")
	}
}

// TestFullTablesSurvive: a restart loses nothing of tables that are as full as they get, with the key and the bounds of before.
func TestFullTablesSurvive(t *testing.T) {
	const most = 20_000
	now := time.Now()
	from := keyedTables(most)(newHashKey())
	for i := range 3 * most {
		from.sessions.Keep(sessionOf(i), uint64(i+1), now.Unix(), now.Unix()+1000+int64(i))
		from.resolvers.Measured(sessionOf(i).Client, 7, time.Duration(i)*time.Microsecond, now.Unix()-int64(i%60))
	}
	var file bytes.Buffer
	kept, err := writeLearned(&file, from, now)
	if err != nil || kept.sessions < most || kept.rtts < most {
		t.Fatalf("kept %v, %v; want full tables", kept, err)
	}
	to, n, err := readLearned(bytes.NewReader(file.Bytes()), int64(file.Len()), keyedTables(most), now)
	if err != nil || n != kept || to.sessions.Stats().Evictions+to.resolvers.Stats().Evictions > 0 {
		t.Errorf("restored %v of %v, %v; evicted %d and %d", n, kept, err, to.sessions.Stats().Evictions, to.resolvers.Stats().Evictions)
	}
	from.sessions.Each(func(k gslb.SessionKey, service uint64, until int64) bool {
		if got, end, ok := to.sessions.Lookup(k, now.Unix()); !ok || got != service || end != until {
			t.Errorf("session of %s: got %d until %d, %v", k.Client, got, end, ok)
			return false
		}
		return true
	})
	from.resolvers.Each(func(ldns netip.Prefix, _ int64, want []gslb.SiteRTT) bool {
		got := to.resolvers.RTTs(ldns.Addr(), now.Unix(), nil)
		if !slices.Equal(got, want) {
			t.Errorf("resolver %s: got %v, want %v", ldns, got, want)
		}
		return slices.Equal(got, want)
	})
}

// TestKeptMeasurementsAreBounded: what is above the limit is left out, by whole prefixes.
func TestKeptMeasurementsAreBounded(t *testing.T) {
	now := time.Now()
	w := learnedWriter{to: io.Discard, batch: make([]byte, 0, learnedBuffer)}
	pushed := gslb.NewPushed()
	values := make([]gslb.PushedValue, gslb.MaxPushedServices)
	for i := range values {
		values[i] = gslb.PushedValue{Service: uint64(i), Until: now.Unix() + 1000}
	}
	const prefixes = maxKeptPushed/gslb.MaxPushedServices + 10
	pushed.Restore(func(yield func(netip.Prefix, []gslb.PushedValue) bool) {
		for i := range prefixes {
			if !yield(netip.PrefixFrom(sessionOf(i).Client, 32), values) {
				return
			}
		}
	})
	if n := w.measurements(pushed, now.Unix()); pushed.Len() != prefixes || n != maxKeptPushed || w.err != nil {
		t.Errorf("%d of %d prefixes: wrote %d values, %v; want %d", pushed.Len(), prefixes, n, w.err, maxKeptPushed)
	}
}

// TestKeeper: what has ended is forgotten within a minute, and a process that is killed loses at most five.
func TestKeeper(t *testing.T) {
	path := filepath.Join(t.TempDir(), learnedFile)
	synctest.Test(t, func(t *testing.T) {
		tables := emptyTables(1000)
		k := &keeper{path: path, tables: func() learnedTables { return tables }, log: zap.NewNop()}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.run(ctx) }()
		start := time.Now()
		tables.fill(150, start)
		tables.sessions.Keep(sessionOf(1000), 5, start.Unix(), start.Unix()+3600)
		time.Sleep(200 * time.Second)
		synctest.Wait()
		if n := tables.sessions.Len(); n < 50 || n > 110 {
			t.Errorf("%d sessions after 200 s, want those that end later", n)
		}
		if n := tables.resolvers.Len(); n > 1 {
			t.Errorf("%d resolvers, want the one measured 300 s ago gone", n)
		}
		time.Sleep(learnedInterval - 200*time.Second + time.Second)
		synctest.Wait()
		restored := k.restore(keyedTables(1000), time.Now())
		if service, ok := restored.sessions.Find(sessionOf(1000), time.Now().Unix()); !ok || service != 5 || restored.sessions.Len() != 1 {
			t.Errorf("after a kill: %d, %v; %d sessions", service, ok, restored.sessions.Len())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkLearnedFile(b *testing.B) {
	const million = 1_000_000
	path, now := filepath.Join(b.TempDir(), learnedFile), time.Now()
	from := emptyTables(million)
	from.fill(million, now)
	for b.Loop() {
		start := time.Now()
		n, err := saveLearned(path, from, now)
		saved := time.Since(start)
		if err != nil {
			b.Fatal(err)
		}
		if _, got, err := loadLearned(path, keyedTables(million), now); err != nil || got != n {
			b.Fatal(got, n, err)
		}
		b.ReportMetric(saved.Seconds(), "s/save")
		b.ReportMetric((time.Since(start) - saved).Seconds(), "s/restore")
	}
}
