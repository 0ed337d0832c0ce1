package mep

import (
	"encoding/hex"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func sampleSessions() []SessionRecord {
	return []SessionRecord{
		{ID: 7, Client: netip.MustParseAddr("2001:db8::"), Service: 1, Remaining: 90 * time.Second},
		{ID: 7, Client: netip.MustParseAddr("192.0.2.0"), Service: 0x0102030405060708, Remaining: 1500 * time.Millisecond},
		{ID: 1 << 31, Client: netip.MustParseAddr("198.51.100.7"), Remaining: 2 * time.Hour},
	}
}

// TestGoldenSessions pins the bytes of a frame: IPv4 comes first.
func TestGoldenSessions(t *testing.T) {
	now := time.Unix(1, 0)
	const records = "00000007" + "0102030405060708" + "000005dc" + "c0000200" +
		"80000000" + "0000000000000000" + "006ddd00" + "c6336407" +
		"00000007" + "0000000000000001" + "00015f90" + "20010db8000000000000000000000000"
	frame := NewSessionsFrame(sampleSessions(), now)
	for age, want := range map[time.Duration]string{
		0:                       "00000000" + "0002" + "0001" + "1420" + "0000" + records,
		1234 * time.Millisecond: "000004d2" + "0002" + "0001" + "1420" + "0000" + records,
	} {
		if got := hex.EncodeToString(frame.aged(now.Add(age))); got != want {
			t.Errorf("sent %v later:\n got %s\nwant %s", age, got, want)
		}
	}
}

func TestDecodeSessions(t *testing.T) {
	good := NewSessionsFrame(sampleSessions(), time.Now()).payload
	with := func(change func(b []byte) []byte) []byte { return change(append([]byte(nil), good...)) }
	for _, tt := range []struct {
		name    string
		payload []byte
		want    string // of the error; empty: it is good
	}{
		{"good", good, ""},
		{"none", make([]byte, 8), "bytes needed"},
		{"longer records", with(func(b []byte) []byte {
			b[8], b[9] = 21, 32
			b = append(b[:32], append([]byte{9}, b[32:]...)...)
			return append(b[:53], append([]byte{9}, b[53:]...)...)
		}), ""},
		{"short records", with(func(b []byte) []byte { b[8] = 19; return b }), "want at least 20"},
		{"size 0", with(func(b []byte) []byte { b[8], b[9] = 0, 0; return b }), "want at least"},
		{"cut", good[:len(good)-1], "bytes for them"},
		{"too long", append(append([]byte(nil), good...), 0), "bytes for them"},
		{"too many", with(func(b []byte) []byte { b[4], b[5], b[6], b[7] = 4, 0, 4, 1; return b }), "above the limit of 2048"},
	} {
		records, _, err := decodeSessions(tt.payload)
		if tt.want == "" && (err != nil || len(records) != 3 || records[0].Service != 0x0102030405060708 || records[2].Client != netip.MustParseAddr("2001:db8::")) {
			t.Errorf("%s: %+v, %v", tt.name, records, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

func FuzzSessions(f *testing.F) {
	f.Add(NewSessionsFrame(sampleSessions(), time.Now()).payload)
	f.Add(NewSessionsFrame(nil, time.Now()).payload)
	f.Fuzz(func(t *testing.T, b []byte) {
		records, _, err := decodeSessions(b)
		if err != nil {
			return
		}
		again, _, err := decodeSessions(NewSessionsFrame(records, time.Now()).payload)
		if err != nil || len(again) != len(records) {
			t.Fatalf("%d records, %v, want %d", len(again), err, len(records))
		}
		for _, r := range records {
			if r.Client.Is4In6() {
				return // written as IPv4, and so in another order
			}
		}
		if !reflect.DeepEqual(again, records) {
			t.Errorf("got %+v, want %+v", again, records)
		}
	})
}

// reported returns the sessions that a site was told of.
func (s *testSite) sessionsTold() (out []SessionRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if r, ok := e.(*SessionsReport); ok {
			out = append(out, r.Records...)
		}
	}
	return out
}

// page is a frame of as many records as this program puts into one.
func page(number int) SessionsFrame {
	records := make([]SessionRecord, SessionRecordsTold)
	for i := range records {
		records[i] = SessionRecord{ID: uint32(number), Client: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Service: 9, Remaining: time.Minute}
	}
	return NewSessionsFrame(records, time.Now())
}

// TestSessionsAreTold: frames arrive whole and in order, and what the peer has is known at once.
func TestSessionsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := newTestSite(t, n, "ams", "192.0.2.1", nil), newTestSite(t, n, "nyc", "192.0.2.2", nil)
		if _, ok := ams.TellSessions("nyc", page(0)); ok {
			t.Error("told without a session")
		}
		ams.run(nyc)
		nyc.run(ams)
		defer nyc.stop()
		defer ams.stop()
		time.Sleep(3 * time.Second)
		if _, ok := ams.TellSessions("tyo", page(0)); ok {
			t.Error("told a site that is no peer")
		}
		burst := func() (taken int) {
			for ; ; taken++ {
				if _, ok := ams.TellSessions("nyc", page(taken)); !ok {
					return taken
				}
			}
		}
		first := burst()
		synctest.Wait()
		if heard := ams.SessionsHeard("nyc"); first == 0 || heard != uint64(first) {
			t.Errorf("%d frames taken at first, %d heard of", first, heard)
		}
		second := burst()
		synctest.Wait()
		if heard := ams.SessionsHeard("nyc"); second == 0 || heard != uint64(first+second) {
			t.Errorf("%d frames taken when the peer had confirmed, %d heard of", second, heard)
		}
		got := nyc.sessionsTold()
		if len(got) != (first+second)*SessionRecordsTold {
			t.Fatalf("%d records arrived of %d frames", len(got), first+second)
		}
		for i := range first * SessionRecordsTold {
			if got[i].ID != uint32(i/SessionRecordsTold) || got[i].Remaining != time.Minute {
				t.Fatalf("record %d: %+v", i, got[i])
			}
		}
	})
}

// TestSessionsWaitForAPeerThatStalls: what it does not confirm bounds what waits for it, and the session lives on others' terms.
func TestSessionsWaitForAPeerThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := newTestSite(t, n, "ams", "192.0.2.1", nil), newTestSite(t, n, "nyc", "192.0.2.2", nil)
		ams.run(nyc)
		nyc.run(ams)
		defer nyc.stop()
		defer ams.stop()
		time.Sleep(3 * time.Second)
		n.Stall()
		taken := 0
		for range 1000 {
			if _, ok := ams.TellSessions("nyc", page(0)); ok {
				taken++
			}
		}
		if most := minTold/page(0).Size() + 1; taken == 0 || taken > most {
			t.Errorf("%d frames wait, want at most %d", taken, most)
		}
		if ams.SessionsHeard("nyc") != 0 {
			t.Error("a stalled peer has confirmed")
		}
	})
}

// TestToldAdapts: who confirms late is told less at once.
func TestToldAdapts(t *testing.T) {
	var u persistedWindow
	now, sequence := time.Unix(1, 0), uint64(10)
	round := func(takes time.Duration) (octets int) {
		for {
			if _, ok := u.reserve(5000, now); !ok {
				break
			}
			octets += 5000
			sequence++
			u.writing(sequence)
		}
		now = now.Add(takes)
		u.confirmed(sequence, now)
		return octets
	}
	for range 10 {
		round(100 * time.Millisecond)
	}
	fast := round(5 * time.Second)
	for range 10 {
		round(5 * time.Second)
	}
	slow := round(5 * time.Second)
	if fast != maxToldWaiting*5000 && fast < maxTold/2 || slow > minTold {
		t.Errorf("%d octets at once for a fast peer, %d for a slow one", fast, slow)
	}
}
