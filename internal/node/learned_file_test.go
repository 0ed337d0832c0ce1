package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"fairlead/gslb"
)

func emptyTables(most int) learnedTables {
	return learnedTables{
		sessions:  gslb.NewSessions(most),
		resolvers: gslb.NewResolvers(gslb.ResolverOptions{Prefix4: 32, Prefix6: 56, Max: 1000, Timeout: 3 * time.Minute}),
	}
}

func sessionOf(n int) gslb.SessionKey {
	return gslb.SessionKey{ID: uint32(n % 3), Client: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})}
}

// fill adds sessions that end at now+100+n seconds, and two round-trip times.
func (t learnedTables) fill(n int, now time.Time) {
	for i := range n {
		t.sessions.Keep(sessionOf(i), uint64(i), now.Unix(), now.Unix()+100+int64(i))
	}
	t.resolvers.Measured(netip.MustParseAddr("192.0.2.1"), 7, 20*time.Millisecond, now.Unix()-10)
	t.resolvers.Measured(netip.MustParseAddr("2001:db8::1"), 8, 1500*time.Microsecond, now.Unix()-100)
}

func TestLearnedFile(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), learnedFile), time.Now()
	from, to := emptyTables(1000), emptyTables(1000)
	from.fill(200, now)
	if n, err := saveLearned(path, from, now); err != nil || n != (learnedCounts{200, 2}) {
		t.Fatalf("saved %v, %v", n, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v: others may read who came", info.Mode(), err)
	}
	// A minute and a half later half of the sessions and one of the times count.
	later := now.Add(200 * time.Second)
	if n, err := loadLearned(path, to, now.Add(90*time.Second)); err != nil || n != (learnedCounts{200, 1}) {
		t.Errorf("loaded %v, %v; want 200 sessions and a time", n, err)
	}
	for i := range 200 {
		if got, ok := to.sessions.Find(sessionOf(i), later.Unix()); ok != (i > 100) || ok && got != uint64(i) {
			t.Errorf("session %d: got %d, %v", i, got, ok)
		}
	}
	got := to.resolvers.RTTs(netip.MustParseAddr("192.0.2.1"), now.Unix(), nil)
	if want := []gslb.SiteRTT{{Site: 7, RTT: 20 * time.Millisecond, At: now.Unix() - 10}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n, err := loadLearned(path, emptyTables(1000), later); err != nil || n != (learnedCounts{99, 0}) {
		t.Errorf("loaded %v, %v; want what has not ended", n, err)
	}
	if _, err := saveLearned(path, emptyTables(1), now); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing was learned, and there is a file: %v", err)
	}
	if n, err := loadLearned(path, emptyTables(1), now); err != nil || n != (learnedCounts{}) {
		t.Errorf("without a file: %v, %v", n, err)
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
		to := emptyTables(100)
		n, err := readLearned(bytes.NewReader(text), int64(len(text)), to, now)
		if err == nil || n != (learnedCounts{}) || to.sessions.Len()+to.resolvers.Len() > 0 {
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
	if n, err := readLearned(bytes.NewReader(text), int64(len(text)), emptyTables(100), now); err != nil || n != (learnedCounts{5, 2}) {
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
	f.Fuzz(func(t *testing.T, text []byte) {
		to := emptyTables(100)
		n, err := readLearned(bytes.NewReader(text), int64(len(text)), to, now)
		if err != nil && n != (learnedCounts{}) {
			t.Errorf("%v, and yet %v", err, n)
		}
		if uint64(to.sessions.Len()) > n.sessions || uint64(to.resolvers.Len()) > n.rtts {
			t.Errorf("%d and %d are there of %v", to.sessions.Len(), to.resolvers.Len(), n)
		}
	})
}

// TestKeeper: what has ended is forgotten within a minute, and a process that is killed loses at most five.
func TestKeeper(t *testing.T) {
	path := filepath.Join(t.TempDir(), learnedFile)
	synctest.Test(t, func(t *testing.T) {
		tables := emptyTables(1000)
		k := &keeper{path: path, tables: func() learnedTables { return tables }, pushed: func() *gslb.Pushed { return nil }, log: zap.NewNop()}
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
		restored := emptyTables(1000)
		k.restore(restored, time.Now())
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
		to := emptyTables(million)
		if got, err := loadLearned(path, to, now); err != nil || got.sessions < n.sessions*99/100 {
			b.Fatal(got, n, err)
		}
		b.ReportMetric(saved.Seconds(), "s/save")
		b.ReportMetric((time.Since(start) - saved).Seconds(), "s/restore")
	}
}
