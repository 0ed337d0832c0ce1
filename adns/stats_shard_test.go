package adns

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

func TestLatencyBucket(t *testing.T) {
	for _, c := range []struct {
		name  string
		nanos int64
		want  int
	}{
		{"a clock that went back", -5, 0},
		{"nothing", 0, 0},
		{"the first bound belongs to its bucket", 1000, 0},
		{"just above it", 1001, 1},
		{"the second bound", 2000, 1},
		{"just above the second", 2001, 2},
		{"the last bound", int64(LatencyBound(LatencyBounds - 1)), LatencyBounds - 1},
		{"above all", int64(LatencyBound(LatencyBounds-1)) + 1, LatencyBounds},
		{"a day", int64(24 * time.Hour), LatencyBounds},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := latencyBucket(c.nanos); got != c.want {
				t.Errorf("bucket of %d ns: got %d, want %d", c.nanos, got, c.want)
			}
		})
	}
}

// TestLatencyBucketKeepsItsBound compares the bucket with the obvious search.
func TestLatencyBucketKeepsItsBound(t *testing.T) {
	for nanos := int64(1); nanos < int64(3*time.Second); nanos += nanos/7 + 1 {
		want := 0
		for want < LatencyBounds && time.Duration(nanos) > LatencyBound(want) {
			want++
		}
		if got := latencyBucket(nanos); got != want {
			t.Fatalf("bucket of %d ns: got %d, want %d", nanos, got, want)
		}
	}
}

func TestShardPublishesAtFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{}
		l := s.counters.shards.shard()
		l.query(UDP)
		l.asked(dns.TypeAAAA)
		l.answered(dns.RcodeNameError, Fast)
		time.Sleep(3 * time.Microsecond)
		l.query(UDP)
		l.asked(dns.TypeTXT)
		l.answered(dns.RcodeSuccess, Slow)
		l.truncated()
		l.query(TCP)
		l.dropped()
		if d := cmp.Diff(Stats{}, s.Stats()); d != "" {
			t.Errorf("before the flush (-want +got):\n%s", d)
		}
		l.flush()
		want := Stats{Truncated: 1, Dropped: 1}
		want.Queries[UDP], want.Queries[TCP] = 2, 1
		want.Rcodes[dns.RcodeNameError], want.Rcodes[dns.RcodeSuccess] = 1, 1
		want.Types[TypeAAAA], want.Types[TypeOther] = 1, 1
		want.Paths[Fast], want.Paths[Slow] = 1, 1
		want.Latency[UDP].Buckets[2], want.Latency[UDP].Sum = 2, 6*time.Microsecond
		want.Latency[TCP].Buckets[2], want.Latency[TCP].Sum = 1, 3*time.Microsecond
		if d := cmp.Diff(want, s.Stats()); d != "" {
			t.Errorf("after the flush (-want +got):\n%s", d)
		}
		l.flush()
		if d := cmp.Diff(want, s.Stats()); d != "" {
			t.Errorf("an empty flush changed something (-want +got):\n%s", d)
		}
		time.Sleep(time.Second) // between batches nobody waits
		l.query(HTTPS)
		l.flush()
		want.Queries[HTTPS], want.Latency[HTTPS].Buckets[0] = 1, 1
		if d := cmp.Diff(want, s.Stats()); d != "" {
			t.Errorf("the second batch (-want +got):\n%s", d)
		}
	})
}

func TestShardRcodes(t *testing.T) {
	s := &Server{}
	l := s.counters.shards.shard()
	for rcode := -1; rcode <= 4096; rcode++ {
		l.answered(rcode, Fast)
	}
	l.flush()
	st := s.Stats()
	for rcode, n := range st.Rcodes {
		if n != 1 {
			t.Errorf("rcode %d: got %d, want 1", rcode, n)
		}
	}
	if got, want := st.Paths[Fast], uint64(4098); got != want {
		t.Errorf("answers: got %d, want %d", got, want)
	}
}

// TestShardsAreSummed has more shards than cells, at once.
func TestShardsAreSummed(t *testing.T) {
	s := &Server{}
	var workers sync.WaitGroup
	for range 3 * shardCells {
		workers.Go(func() {
			l := s.counters.shards.shard()
			for range 100 {
				l.query(TLS)
				l.answered(dns.RcodeRefused, Fast)
				l.flush()
			}
		})
	}
	workers.Wait()
	st := s.Stats()
	const want = 3 * shardCells * 100
	if st.Queries[TLS] != want || st.Rcodes[dns.RcodeRefused] != want || st.Latency[TLS].Count() != want {
		t.Errorf("got %d queries, %d responses, %d latencies; want %d of each",
			st.Queries[TLS], st.Rcodes[dns.RcodeRefused], st.Latency[TLS].Count(), want)
	}
}

func TestShardAllocatesNothing(t *testing.T) {
	s := &Server{}
	l := s.counters.shards.shard()
	if n := testing.AllocsPerRun(100, func() {
		l.query(UDP)
		l.asked(dns.TypeA)
		l.answered(dns.RcodeSuccess, Fast)
		l.flush()
	}); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

func BenchmarkShard(b *testing.B) {
	for _, c := range []struct {
		name  string
		batch int
	}{{"batch of 1", 1}, {"batch of 32", 32}} {
		b.Run(c.name, func(b *testing.B) {
			s := &Server{}
			l := s.counters.shards.shard()
			for i := range b.N {
				l.query(UDP)
				l.asked(dns.TypeA)
				l.answered(dns.RcodeSuccess, Fast)
				if i%c.batch == 0 {
					l.flush()
				}
			}
		})
	}
}
