package mep

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func sampleDecisions() DecisionsDigest {
	return DecisionsDigest{Document: [32]byte{1, 2, 31: 3}, Decisions: 0x0102030405060708, Buckets: []uint64{4, 1 << 63}, Causes: []uint64{5}}
}

// TestGoldenDecisions pins the bytes.
func TestGoldenDecisions(t *testing.T) {
	want := "0102" + strings.Repeat("00", 29) + "03" + "0102030405060708" + "02" + "01" + "0000" +
		"0000000000000004" + "8000000000000000" + "0000000000000005"
	sample := sampleDecisions()
	b := sample.append(nil)
	if got := hex.EncodeToString(b); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	for name, payload := range map[string][]byte{"as it is": b, "with more fields": append(b, 9, 9)} {
		if d, err := decodeDecisions(payload); err != nil || !reflect.DeepEqual(d, sample) {
			t.Errorf("%s: got %+v, %v", name, d, err)
		}
	}
}

func TestDecisionsRefuses(t *testing.T) {
	sample := sampleDecisions()
	whole := sample.append(nil)
	for n := range whole {
		if kind, _ := rejectionOf(second(decodeDecisions(whole[:n]))); kind != RejectMalformed {
			t.Fatalf("the first %d bytes: %q, want %q", n, kind, RejectMalformed)
		}
	}
	for _, tt := range []struct {
		name            string
		buckets, causes uint8
		want            Rejection
	}{
		{"too many parts", MaxDecisionBuckets + 1, 0, RejectOversize},
		{"too many causes", 0, MaxDecisionCauses + 1, RejectOversize},
		{"parts that are not there", MaxDecisionBuckets, 0, RejectMalformed},
		{"causes that are not there", 2, 2, RejectMalformed},
	} {
		b := append([]byte(nil), whole...)
		b[40], b[41] = tt.buckets, tt.causes
		if kind, _ := rejectionOf(second(decodeDecisions(b))); kind != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, kind, tt.want)
		}
	}
}

func second(_ DecisionsDigest, err error) error { return err }

// TestSitesTellTheirDecisions: a digest arrives whole at the sites that it is meant for.
func TestSitesTellTheirDecisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc, sin := newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil), newTestSite(t, n, "sin", "10.0.0.3", nil)
		for _, s := range []*testSite{ams, nyc, sin} {
			s.run(ams, nyc, sin)
			defer s.stop()
		}
		pass(2 * time.Second)
		if taken, left := ams.TellDecisions(sampleDecisions(), func(site string) bool { return site == "nyc" }); taken != 1 || left != 0 {
			t.Errorf("%d told and %d not, want one", taken, left)
		}
		pass(100 * time.Millisecond)
		if got := nyc.decisions(); len(got) != 1 || got[0].Peer != "ams" || !reflect.DeepEqual(got[0].DecisionsDigest, sampleDecisions()) {
			t.Errorf("nyc got %+v", got)
		}
		if got := sin.decisions(); len(got) != 0 {
			t.Errorf("sin got %+v, which was not meant for it", got)
		}
	})
}

// decisions returns the reports of answers so far.
func (s *testSite) decisions() (out []*DecisionsReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if r, ok := e.(*DecisionsReport); ok {
			out = append(out, r)
		}
	}
	return out
}

func FuzzDecisions(f *testing.F) {
	sample := sampleDecisions()
	f.Add(sample.append(nil))
	f.Add(make([]byte, 44))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decodeDecisions(b)
		if err != nil {
			return
		}
		if again, err := decodeDecisions(d.append(nil)); err != nil || !reflect.DeepEqual(again, d) {
			t.Errorf("got %+v, %v, want %+v", again, err, d)
		}
	})
}
