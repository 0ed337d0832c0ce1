package mep

import (
	"encoding/hex"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

func announced(label, four, six string, port uint16, weight uint8) *Announcement {
	a := &Announcement{Label: label, Port: port, Weight: weight}
	if four != "" {
		a.IPv4 = netip.MustParseAddr(four)
	}
	if six != "" {
		a.IPv6 = netip.MustParseAddr(six)
	}
	return a
}

func TestAnnouncementsAreRead(t *testing.T) {
	for _, tt := range []struct {
		name string
		a    *Announcement
		hex  string // behind the length; empty: whatever it is
	}{
		{"IPv4", announced("web", "192.0.2.1", "", 443, 1), "01" + "c0000201" + "01bb" + "01" + "03776562"},
		{"both", announced("web", "192.0.2.1", "2001:db8::1", 0, 100), "03" + "c0000201" + "20010db8000000000000000000000001" + "0000" + "64" + "03776562"},
		{"none, which is not for this package to judge", announced("w", "", "", 1, 0), "00" + "0001" + "00" + "0177"},
	} {
		r := ServiceRecord{Name: "pod-1", State: StateUp, Has: HasEvidenceAge, EvidenceAge: time.Second, Announced: tt.a}
		b := r.appendBounded(nil, &bounds{load: unbounded, evidence: 7})
		c := cursor{b: b}
		var got ServiceRecord
		got.decode(&c, nil)
		if c.err != nil || c.at != len(b) || !reflect.DeepEqual(got, r) {
			t.Errorf("%s: got %+v, %v, want %+v", tt.name, got, c.err, r)
		}
		if body := hex.EncodeToString(tt.a.append(nil)[1:]); body != tt.hex {
			t.Errorf("%s: %s, want %s", tt.name, body, tt.hex)
		}
		var again ServiceRecord
		if again.decode(&cursor{b: b}, &got); again.Announced != got.Announced {
			t.Errorf("%s: what did not change is read into memory of its own", tt.name)
		}
	}
}

func TestAnnouncementsAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"longer than the record": "7f" + "00", "cut in the address": "03" + "01" + "c000", "no label": "04" + "00" + "0001" + "01",
		"an empty label": "05" + "00" + "0001" + "01" + "00", "a label with a space": "06" + "00" + "0001" + "01" + "0120",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		c := cursor{b: b}
		if a := readAnnouncement(&c, nil); c.err == nil {
			t.Errorf("%s: read as %+v", name, a)
		}
	}
	r := ServiceRecord{Name: "a", Announced: &Announcement{Label: "no label"}}
	if b := r.append(nil); b[4]&0x20 != 0 {
		t.Errorf("a label that receivers refuse is sent: %x", b)
	}
}

// TestAnnouncementsGoWithChanges: what is announced later, is announced otherwise or no more, is so at who hears Changes.
func TestAnnouncementsGoWithChanges(t *testing.T) {
	p := &pipe{t: t, enc: newEncoder("ams", time.Second)}
	var m mirror
	for i, a := range []*Announcement{nil, announced("web", "192.0.2.1", "", 80, 1), announced("web", "192.0.2.1", "", 80, 1), announced("web", "192.0.2.2", "", 80, 1), nil} {
		s := &sight{incarnation: 1, set: uint64(i + 1), hops: 8, floor: noFloor,
			records: []ServiceRecord{{Name: "pod", State: StateUp, Announced: a}, {Name: "other", State: StateUp}}}
		p.hear(&m, p.round(time.Second, map[string]*sight{"ams": s}), i == 0)
		if got := m.hand(m.table.byName["ams"])[0].Announced; !got.equal(a) {
			t.Errorf("round %d: the mirror holds %+v, want %+v", i, got, a)
		}
	}
}

func FuzzAnnouncement(f *testing.F) {
	f.Add(announced("web", "192.0.2.1", "2001:db8::1", 443, 1).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := cursor{b: b}
		a := readAnnouncement(&c, nil)
		if c.err != nil {
			return
		}
		c = cursor{b: a.append(nil)}
		if again := readAnnouncement(&c, nil); c.err != nil || !again.equal(a) {
			t.Errorf("got %+v, %v, want %+v", again, c.err, a)
		}
	})
}
