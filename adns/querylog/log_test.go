package querylog

import (
	"context"
	"encoding/json"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func entry(wire string) *Entry {
	e := &Entry{Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Took: 12345 * time.Nanosecond,
		Client: netip.MustParseAddr("192.0.2.77"), Transport: "udp", Type: 1, Answers: 2, Scope: NoScope}
	e.SetName([]byte(wire))
	return e
}

func TestLines(t *testing.T) {
	v6 := entry("\x00")
	v6.Client, v6.Scope, v6.Rcode, v6.Type = netip.MustParseAddr("2001:db8:1:ffff::1%eth0"), 0, 16, 65280
	nothing := &Entry{Scope: NoScope, Rcode: 1, Transport: "tcp"}
	fine := entry("\x00")
	fine.Subnet, fine.Listener = netip.MustParsePrefix("203.0.113.129/32"), netip.MustParseAddr("::ffff:198.51.100.53")
	wide := entry("\x00")
	wide.Subnet, wide.Listener = netip.MustParsePrefix("2001:db8::/32"), netip.MustParseAddr("2001:db8:53::53%eth0")
	for _, c := range []struct {
		name  string
		entry *Entry
		full  bool
		want  string
	}{
		{"a client is its network", entry("\x03www\x07example\x00"), false,
			`{"time":"2026-01-02T03:04:05.000006Z","client":"192.0.2.0/24","transport":"udp","name":"www.example.","type":"A","rcode":"NOERROR","answers":2,"microseconds":12}`},
		{"or itself", entry("\x03www\x07example\x00"), true,
			`{"time":"2026-01-02T03:04:05.000006Z","client":"192.0.2.77","transport":"udp","name":"www.example.","type":"A","rcode":"NOERROR","answers":2,"microseconds":12}`},
		{"IPv6, a scope, an unknown type", v6, false,
			`{"time":"2026-01-02T03:04:05.000006Z","client":"2001:db8:1:ff00::/56","transport":"udp","name":".","type":"TYPE65280","rcode":"BADVERS","answers":2,"scope":0,"microseconds":12}`},
		{"a name with quotes, dots, a line feed and octets", entry("\x07a\"\\.\n\x00\xff\x02<&\x00"), false,
			`{"time":"2026-01-02T03:04:05.000006Z","client":"192.0.2.0/24","transport":"udp","name":"a\\\"\\\\\\.\\010\\000\\255.<&.","type":"A","rcode":"NOERROR","answers":2,"microseconds":12}`},
		{"a client subnet is cut as clients are", fine, false,
			`{"time":"2026-01-02T03:04:05.000006Z","client":"192.0.2.0/24","subnet":"203.0.113.0/24","listener":"198.51.100.53","transport":"udp","name":".","type":"A","rcode":"NOERROR","answers":2,"microseconds":12}`},
		{"or not", fine, true,
			`{"time":"2026-01-02T03:04:05.000006Z","client":"192.0.2.77","subnet":"203.0.113.129/32","listener":"198.51.100.53","transport":"udp","name":".","type":"A","rcode":"NOERROR","answers":2,"microseconds":12}`},
		{"a wide one stays", wide, false,
			`{"time":"2026-01-02T03:04:05.000006Z","client":"192.0.2.0/24","subnet":"2001:db8::/32","listener":"2001:db8:53::53","transport":"udp","name":".","type":"A","rcode":"NOERROR","answers":2,"microseconds":12}`},
		{"no question", nothing, false,
			`{"time":"0001-01-01T00:00:00.000000Z","client":"","transport":"tcp","name":"","type":"","rcode":"FORMERR","answers":0,"microseconds":0}`},
		{"what is no name", entry("\x3fcut"), false,
			`{"time":"2026-01-02T03:04:05.000006Z","client":"192.0.2.0/24","transport":"udp","name":"","type":"A","rcode":"NOERROR","answers":2,"microseconds":12}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			l, err := New(Options{Sample: 1, File: path, FullAddresses: c.full})
			if err != nil {
				t.Fatal(err)
			}
			l.Source().Record(c.entry)
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			writeAll(t, l, ended)
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want+"\n", string(got)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if !json.Valid(got) {
				t.Error("not JSON")
			}
		})
	}
}

// writeAll writes what is queued, as the end of Run does.
func writeAll(t *testing.T, l *Log, ended context.Context) {
	t.Helper()
	if err := l.runFile(ended); err != nil {
		t.Fatal(err)
	}
}

func TestSample(t *testing.T) {
	const queries = 1_000_000
	for _, sample := range []float64{1, 0.9, 0.5, 0.01, 0.001} {
		l, err := New(Options{Sample: sample})
		if err != nil {
			t.Fatal(err)
		}
		s, due := l.Source(), 0
		for range queries {
			if s.Due() {
				due++
			}
		}
		want := sample * queries
		// Eight standard deviations: a test that fails by chance once in 10^15 runs.
		if slack := 8 * math.Sqrt(want*(1-sample)); math.Abs(float64(due)-want) > slack {
			t.Errorf("sample %v: got %d of %d, want %.0f ± %.0f", sample, due, queries, want, slack)
		}
	}
}

func TestLimitIsPerSecond(t *testing.T) {
	l, err := New(Options{Sample: 1, MaxPerSecond: 10})
	if err != nil {
		t.Fatal(err)
	}
	s, e := l.Source(), entry("\x00")
	for range 15 {
		s.Record(e)
	}
	if got := len(l.queue); got != 10 {
		t.Errorf("first second: got %d, want 10", got)
	}
	e.Time = e.Time.Add(time.Second)
	s.Record(e)
	e.Time = e.Time.Add(-time.Second) // a worker that is behind
	s.Record(e)
	if got := len(l.queue); got != 12 {
		t.Errorf("second second: got %d, want 12", got)
	}
	for range 15 {
		s.Record(e)
	}
	if got := len(l.queue); got != 20 {
		t.Errorf("late entries of the first second: got %d, want 20: they count in the second", got)
	}
	if got := l.Stats().Dropped; got != 12 {
		t.Errorf("dropped: got %d, want 12", got)
	}
	e.Time = e.Time.Add(-time.Hour) // the clock was set back
	s.Record(e)
	if got := len(l.queue); got != 21 {
		t.Errorf("after the clock went back: got %d, want 21", got)
	}
}

func TestQueueIsBounded(t *testing.T) {
	l, err := New(Options{Sample: 1, MaxPerSecond: MaxPerSecond})
	if err != nil {
		t.Fatal(err)
	}
	s, e := l.Source(), entry("\x00")
	for range queueEntries + 5 {
		s.Record(e) // nobody writes: this must not wait
	}
	if got := l.Stats().Dropped; got != 5 {
		t.Errorf("dropped: got %d, want 5", got)
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, events := observer.New(zap.InfoLevel)
		l, err := New(Options{Sample: 1, Logger: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go l.Run(ctx)
		e := entry("\x03www\x00")
		e.Scope, e.Subnet, e.Listener = 24, netip.MustParsePrefix("203.0.113.0/24"), netip.MustParseAddr("198.51.100.53")
		l.Source().Record(e)
		synctest.Wait()
		cancel()
		synctest.Wait()
		all := events.FilterMessage("dns.query").All()
		if len(all) != 1 {
			t.Fatalf("got %d events, want 1", len(all))
		}
		want := map[string]any{"client": "192.0.2.0/24", "transport": "udp", "name": "www.", "type": "A", "rcode": "NOERROR",
			"answers": uint16(2), "microseconds": int64(12), "time": "2026-01-02T03:04:05.000006Z", "scope": int16(24),
			"subnet": "203.0.113.0/24", "listener": "198.51.100.53"}
		if d := cmp.Diff(want, all[0].ContextMap()); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if got := l.Stats(); got != (Stats{Written: 1}) {
			t.Errorf("got %+v", got)
		}
	})
}

func TestReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		l, err := New(Options{Sample: 1, File: path})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go l.Run(ctx)
		s := l.Source()
		s.Record(entry("\x03old\x00"))
		time.Sleep(2 * flushInterval)
		synctest.Wait()
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		l.Reopen()
		synctest.Wait()
		s.Record(entry("\x03new\x00"))
		synctest.Wait()
		cancel()
		synctest.Wait()
		for name, want := range map[string]string{path + ".1": "old.", path: "new."} {
			b, err := os.ReadFile(name)
			if err != nil || strings.Count(string(b), "\n") != 1 || !strings.Contains(string(b), `"name":"`+want+`"`) {
				t.Errorf("%s: %q, %v; want one line with %s", name, b, err, want)
			}
		}
	})
}

// TestFileThatCannotBeOpened drops, says so once, and goes on when the cause is gone.
func TestFileThatCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "missing")
		core, events := observer.New(zap.InfoLevel)
		l, err := New(Options{Sample: 1, File: filepath.Join(dir, "log"), Logger: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go l.Run(ctx)
		synctest.Wait()
		l.Source().Record(entry("\x00"))
		time.Sleep(3*retryInterval + retryInterval/2)
		if got := l.Stats(); got != (Stats{Dropped: 1}) {
			t.Errorf("got %+v, want one dropped", got)
		}
		if got := events.FilterMessage("dns.query_log.down").Len(); got != 1 {
			t.Errorf("told %d times, want once", got)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(retryInterval)
		synctest.Wait()
		l.Source().Record(entry("\x00"))
		synctest.Wait()
		if got := l.Stats(); got != (Stats{Written: 1, Dropped: 1}) {
			t.Errorf("got %+v, want one written", got)
		}
		cancel()
		synctest.Wait()
	})
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
	}{
		{"nothing", Options{}},
		{"too little", Options{Sample: 1e-10}},
		{"more than all", Options{Sample: 1.1}},
		{"no number", Options{Sample: math.NaN()}},
		{"a negative limit", Options{Sample: 1, MaxPerSecond: -1}},
		{"a high limit", Options{Sample: 1, MaxPerSecond: MaxPerSecond + 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := New(c.o); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

// FuzzLine makes lines of any name: they must be one line of JSON each, with printable ASCII only.
func FuzzLine(f *testing.F) {
	f.Add([]byte("\x03www\x07example\x00"), uint16(1), uint16(0))
	f.Add([]byte("\xc0\x00"), uint16(255), uint16(4095))
	f.Add([]byte("\x04\"\\\n\xff\x00"), uint16(0), uint16(16))
	f.Fuzz(func(t *testing.T, wire []byte, qtype, rcode uint16) {
		e := entry("")
		e.SetName(wire)
		e.Type, e.Rcode = qtype, rcode
		b, err := json.Marshal(e.line(false))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range b {
			if c < ' ' || c > '~' {
				t.Fatalf("octet %d in %q", c, b)
			}
		}
	})
}

func TestDueAllocatesNothing(t *testing.T) {
	l, err := New(Options{Sample: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	s := l.Source()
	if n := testing.AllocsPerRun(1000, func() { s.Due() }); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

func BenchmarkDue(b *testing.B) {
	l, err := New(Options{Sample: 0.001})
	if err != nil {
		b.Fatal(err)
	}
	s := l.Source()
	for range b.N {
		s.Due()
	}
}
