package mep

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func sampleOverrides() []OverrideRecord {
	return []OverrideRecord{
		{Kind: 1, Action: 2, Revision: 7, Name: "web:1", Site: "ams", Owner: "kim", Reason: "patching €", Remaining: time.Hour, Age: 2 * time.Second},
		{Kind: 3, Action: 5, Revision: 8, Name: "db", Site: "nyc"},
	}
}

func sampleViews() []ViewRecord {
	return []ViewRecord{{Kind: ViewOfService, State: StateDraining, Name: "web-nyc", Age: 250 * time.Millisecond}, {Kind: ViewOfSite, State: StateUp, Name: "nyc"}}
}

func overridesBundle(number uint64, records []OverrideRecord) *bundle {
	return newBundle(FrameOverrides, number, len(records), func(b []byte, i int) []byte { return records[i].append(b) })
}

func viewsBundle(number uint64, records []ViewRecord) *bundle {
	return newBundle(FrameViews, number, len(records), func(b []byte, i int) []byte { return records[i].append(b) })
}

// TestGoldenBundles pins the bytes: neighbouring releases have to talk.
func TestGoldenBundles(t *testing.T) {
	for _, c := range []struct {
		kind FrameType
		part []byte
		want string
	}{
		{FrameOverrides, overridesBundle(4, sampleOverrides()).parts[0],
			"0000000000000004" + "00000000" + "0000" + "0000" + "00000002" +
				"002b" + "01" + "02" + "0000000000000007" + "057765623a31" + "03616d73" + "036b696d" + "0c" + "7061746368696e6720e282ac" + "80dddb01" + "d00f" +
				"0015" + "03" + "05" + "0000000000000008" + "026462" + "036e7963" + "00" + "00" + "00" + "00"},
		{FrameViews, viewsBundle(4, sampleViews()).parts[0],
			"0000000000000004" + "00000000" + "0000" + "0000" + "00000002" +
				"000c" + "01" + "04" + "077765622d6e7963" + "fa01" +
				"0007" + "02" + "01" + "036e7963" + "00"},
	} {
		if got := hex.EncodeToString(c.part); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.kind, got, c.want)
		}
	}
}

func TestBundlesTravelInParts(t *testing.T) {
	records := make([]OverrideRecord, MaxOverrides)
	for i := range records {
		records[i] = sampleOverrides()[0]
		records[i].Name = fmt.Sprintf("service-%06d", i)
	}
	set := overridesBundle(3, records)
	if len(set.parts) < 2 {
		t.Fatalf("got %d parts, want several", len(set.parts))
	}
	u := unbundle[OverrideRecord, *OverrideRecord]{most: MaxOverrides}
	var got []OverrideRecord
	for i, part := range set.parts {
		if len(part) > MaxPayload {
			t.Errorf("part %d has %d bytes", i, len(part))
		}
		again, _, complete, err := u.take(FrameOverrides, part, i < len(set.parts)-1)
		if err != nil || complete != (i == len(set.parts)-1) {
			t.Fatalf("part %d: complete %v, %v", i, complete, err)
		}
		got = again
	}
	if !reflect.DeepEqual(got, records) {
		t.Errorf("got %d records, want the %d that were sent", len(got), len(records))
	}
	empty, _, complete, err := u.take(FrameOverrides, overridesBundle(4, nil).parts[0], false)
	if len(empty) != 0 || !complete || err != nil {
		t.Errorf("an empty set: %v, %v, %v", empty, complete, err)
	}
}

func TestBundlesThatAreRefused(t *testing.T) {
	good := viewsBundle(4, sampleViews()).parts[0]
	change := func(at int, to byte) []byte {
		b := append([]byte(nil), good...)
		b[at] = to
		return b
	}
	tests := []struct {
		name string
		part []byte
		want Rejection
	}{
		{"short", good[:19], RejectMalformed},
		{"set 0", change(7, 0), RejectSequence},
		{"an old set", change(7, 3), RejectSequence},
		{"begins in the middle", change(13, 1), RejectSequence},
		{"more records than it may have", change(16, 1), RejectOversize},
		{"more records than fit", change(18, 1), RejectMalformed},
		{"fewer records than there are", change(19, 1), RejectMalformed},
		{"a record that is longer than the rest", change(20, 1), RejectMalformed},
		{"not a name", change(25, ' '), RejectMalformed},
		{"cut", good[:len(good)-1], RejectMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := unbundle[ViewRecord, *ViewRecord]{most: MaxViews, last: 3}
			_, _, complete, err := u.take(FrameViews, tt.part, false)
			if kind, _ := rejectionOf(err); kind != tt.want || complete {
				t.Errorf("got %v as %q, complete %v; want %q", err, kind, complete, tt.want)
			}
		})
	}
	var r *refusal
	u := unbundle[ViewRecord, *ViewRecord]{most: 1}
	if _, _, _, err := u.take(FrameViews, good, false); !errors.As(err, &r) || r.kind != RejectOversize {
		t.Errorf("above the limit: %v", err)
	}
}

// TestLaterFieldsAreSkipped: a record may have grown.
func TestLaterFieldsAreSkipped(t *testing.T) {
	records := sampleViews()
	set := newBundle(FrameViews, 1, len(records), func(b []byte, i int) []byte { return append(records[i].append(b), 0, 1, 2, 3) }) // no flags, then three of a later version
	u := unbundle[ViewRecord, *ViewRecord]{most: MaxViews}
	got, _, _, err := u.take(FrameViews, set.parts[0], false)
	if err != nil || !reflect.DeepEqual(got, records) {
		t.Errorf("got %+v, %v; want %+v", got, err, records)
	}
}

// TestViewsAndOverridesAreExchanged: views every third of a keepalive timeout, overrides every five seconds, and either when it changes and
// at the begin of a session.
func TestViewsAndOverridesAreExchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var orders atomic.Pointer[[]OverrideRecord]
		orders.Store(new([]OverrideRecord))
		ams, nyc := twoSites(t, newMemNet(), func(o *Options) {
			if o.Site == "nyc" {
				o.Views = func() []ViewRecord { return append(sampleViews(), ViewRecord{Name: "not a name"}) }
				o.Overrides = func() []OverrideRecord { return *orders.Load() }
			}
		})
		defer nyc.stop()
		defer ams.stop()
		count := func() (views, overrides int, lastViews []ViewRecord, lastOverrides []OverrideRecord) {
			ams.mu.Lock()
			defer ams.mu.Unlock()
			for _, e := range ams.events {
				switch e := e.(type) {
				case *ViewsReport:
					views, lastViews = views+1, e.Records
				case *OverridesReport:
					overrides, lastOverrides = overrides+1, e.Records
				}
			}
			return
		}
		pass(500 * time.Millisecond)
		if views, overrides, seen, _ := count(); views != 1 || overrides != 1 || !reflect.DeepEqual(seen, sampleViews()) {
			t.Errorf("at first: %d views %+v, %d overrides", views, seen, overrides)
		}
		pass(60 * time.Second)
		if views, overrides, _, _ := count(); views != 16 || overrides != 13 {
			t.Errorf("after a minute: %d views, %d overrides; want 16 and 13", views, overrides)
		}
		want := sampleOverrides()
		orders.Store(&want)
		nyc.AnnounceOverrides()
		pass(200 * time.Millisecond)
		if _, overrides, _, got := count(); overrides != 14 || !reflect.DeepEqual(got, want) {
			t.Errorf("announced: %d overrides, the last %+v", overrides, got)
		}
		ams.wantStory("up nyc")
	})
}

func FuzzOverrides(f *testing.F) {
	f.Add(overridesBundle(1, sampleOverrides()).parts[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		u := unbundle[OverrideRecord, *OverrideRecord]{most: MaxOverrides}
		records, _, _, err := u.take(FrameOverrides, b, false)
		if err != nil {
			return
		}
		again := unbundle[OverrideRecord, *OverrideRecord]{most: MaxOverrides}
		got, _, _, err := again.take(FrameOverrides, overridesBundle(1, records).parts[0], false)
		if err != nil || !reflect.DeepEqual(got, records) && len(records) > 0 {
			t.Errorf("got %+v, %v, want %+v", got, err, records)
		}
	})
}

func FuzzViews(f *testing.F) {
	f.Add(viewsBundle(1, sampleViews()).parts[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		u := unbundle[ViewRecord, *ViewRecord]{most: MaxViews}
		records, _, _, err := u.take(FrameViews, b, false)
		if err != nil {
			return
		}
		again := unbundle[ViewRecord, *ViewRecord]{most: MaxViews}
		got, _, _, err := again.take(FrameViews, viewsBundle(1, records).parts[0], false)
		if err != nil || !reflect.DeepEqual(got, records) && len(records) > 0 {
			t.Errorf("got %+v, %v, want %+v", got, err, records)
		}
	})
}
