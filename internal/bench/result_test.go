package bench

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestResultShape holds the names in the JSON result, which scripts read.
func TestResultShape(t *testing.T) {
	r := Result{Target: "127.0.0.1:53", Transport: UDP, Mode: "rate", Rate: 1000, Sockets: 32, Outstanding: 32, Seconds: 2,
		Sent: 2000, Answered: 1990, Lost: 6, Wrong: 4, WrongBy: map[string]uint64{"rcode": 4}, Rcodes: map[string]uint64{"NOERROR": 1990, "SERVFAIL": 4},
		Unexpected: 1, Unsent: 2, SendErrors: 3, Reconnects: 4, QPS: 995, Latency: Latency{30, 25, 50, 100, 200, 300.5},
		Generator: Effort{engineRaw, 1, 0.5, 0.1, 0.25}}
	got, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"testdata/result.json": string(got) + "\n", "testdata/result.txt": text.String()} {
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil || got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s%v", name, got, want, err)
		}
	}
}

func TestHistogram(t *testing.T) {
	h := newHistogram()
	for i := range 1000 {
		h.record(time.Duration(i)*time.Microsecond + 300*time.Nanosecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500, 0.9: 900, 0.99: 990, 1: 1000} {
		if got := h.quantile(q); got < (want-1)*time.Microsecond || got > want*time.Microsecond {
			t.Errorf("quantile %v: got %v, want %d us", q, got, want)
		}
	}
	other := newHistogram()
	other.record(time.Hour)
	other.record(-time.Second)
	other.record(1500 * time.Millisecond)
	h.add(other)
	if h.count != 1003 || h.quantile(1) != time.Hour || h.quantile(0.999) < 1500*time.Millisecond || h.quantile(0.999) > 1502*time.Millisecond {
		t.Errorf("got count %d, max %v, quantile 0.999 %v", h.count, h.quantile(1), h.quantile(0.999))
	}
	if empty := newHistogram(); empty.quantile(0.5) != 0 || empty.mean() != 0 {
		t.Error("an empty histogram has a quantile or a mean")
	}
}

// TestLane uses every slot and generation.
func TestLane(t *testing.T) {
	for _, outstanding := range []int{1, 2, 3, 32, 33, MaxOutstanding} {
		l := newLane(outstanding, newRandom())
		for range 3 {
			ids := map[uint16]bool{}
			for range outstanding {
				ids[l.take(1, 0, 0)] = true
			}
			if len(ids) != outstanding || len(l.free) != 0 || l.out() != outstanding {
				t.Fatalf("%d outstanding: got %d different IDs, %d free", outstanding, len(ids), len(l.free))
			}
			for id := range ids {
				message := make([]byte, headerOctets)
				message[0], message[1] = byte(id>>8), byte(id)
				s := l.find(message)
				if s == nil {
					t.Fatalf("%d outstanding: ID %d is not found", outstanding, id)
				}
				l.put(s)
				if l.find(message) != nil {
					t.Fatalf("%d outstanding: ID %d is found again", outstanding, id)
				}
			}
		}
	}
}
