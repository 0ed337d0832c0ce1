package mep

import (
	"encoding/hex"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func sampleNetwork() []NetworkSection {
	return []NetworkSection{
		{Site: "ams", Hops: 8, Records: []NetworkRecord{
			{LDNS: netip.MustParseAddr("192.0.2.53"), Source: 1, RTT: 12500 * time.Microsecond, Hops: 7, Age: 4 * time.Second},
			{LDNS: netip.MustParseAddr("2001:db8::53"), Wanted: true, Proven: true},
		}},
		{Site: "ams-edge", Records: []NetworkRecord{{LDNS: netip.MustParseAddr("198.51.100.1"), Source: 4, RTT: MaxNetworkRTT, Age: MaxAge}}},
	}
}

// TestGoldenNetwork pins the bytes.
func TestGoldenNetwork(t *testing.T) {
	const want = "03616d73" + "08" + "0002" +
		"0b" + "00" + "01" + "c0000235" + "d461" + "07" + "a01f" +
		"15" + "07" + "00" + "20010db8000000000000000000000053" + "00" + "00" + "00" +
		"08616d732d65646765" + "00" + "0001" +
		"10" + "00" + "04" + "c6336401" + "ffffff07" + "00" + "8090dee675"
	got := appendNetwork(sampleNetwork())
	if len(got) != 1 || hex.EncodeToString(got[0]) != want {
		t.Fatalf("got  %x\nwant %s", got, want)
	}
	sections, err := decodeNetwork(got[0])
	if err != nil || !reflect.DeepEqual(sections, sampleNetwork()) {
		t.Errorf("got %+v, %v", sections, err)
	}
	// A later version appends a field to a record.
	longer := slices.Clone(got[0])
	at := len(longer) - 0x11
	longer[at] += 2
	if again, err := decodeNetwork(append(longer, 0xaa, 0xbb)); err != nil || !reflect.DeepEqual(again, sections) {
		t.Errorf("with more fields: got %+v, %v", again, err)
	}
}

func TestNetworkRefuses(t *testing.T) {
	whole := appendNetwork(sampleNetwork())[0]
	for n := 1; n < len(whole); n++ {
		sections, err := decodeNetwork(whole[:n])
		if kind, _ := rejectionOf(err); err == nil && len(sections) != 1 || err != nil && kind != RejectMalformed {
			t.Fatalf("the first %d bytes: got %v, %v", n, sections, err)
		}
	}
	for _, tt := range []struct {
		name    string
		payload []byte
		want    Rejection
	}{
		{"many records that are not there", append(appendText(nil, "ams"), 0, 0x0f, 0xff), RejectMalformed},
		{"too many records", append(appendText(nil, "ams"), 0, 0xff, 0xff), RejectOversize},
		{"no name", []byte{3, 'a', ' ', 'b', 0, 0, 0}, RejectMalformed},
		{"too many sites", []byte(strings.Repeat("\x01a\x00\x00\x00", MaxNetworkSections+1)), RejectOversize},
	} {
		if _, err := decodeNetwork(tt.payload); err == nil {
			t.Errorf("%s: no error", tt.name)
		} else if got, _ := rejectionOf(err); got != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// TestNetworkIsCutIntoFrames: however much there is to tell, no frame is above its limits, and nothing is lost but what
// cannot be sent.
func TestNetworkIsCutIntoFrames(t *testing.T) {
	var sections []NetworkSection
	want := 0
	for n := range 3 {
		s := NetworkSection{Site: strings.Repeat("x", n+1)}
		for i := range 5000 {
			a := netip.AddrFrom16([16]byte{0x20, 1, byte(n), byte(i >> 8), byte(i)})
			s.Records = append(s.Records, NetworkRecord{LDNS: a, RTT: MaxNetworkRTT, Age: MaxAge})
			want++
		}
		sections = append(sections, s)
	}
	for range 3000 {
		sections = append(sections, NetworkSection{Site: "y", Records: []NetworkRecord{{LDNS: netip.MustParseAddr("192.0.2.1")}}})
		want++
	}
	sections = append(sections, NetworkSection{Site: "not a name", Records: sections[0].Records}, NetworkSection{Site: "z", Records: []NetworkRecord{{}}})
	got := 0
	for _, payload := range appendNetwork(sections) {
		if len(payload) > MaxPost {
			t.Errorf("a payload of %d bytes", len(payload))
		}
		back, err := decodeNetwork(payload)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range back {
			got += len(s.Records)
		}
	}
	if got != want {
		t.Errorf("%d records arrived, want %d", got, want)
	}
}

// TestSitesTellOfResolvers: what one site tells arrives at the peers it is meant for, and a site that speaks for another one
// is refused.
func TestSitesTellOfResolvers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams := newTestSite(t, n, "ams", "10.0.0.1", nil)
		nyc := newTestSite(t, n, "nyc", "10.0.0.2", nil)
		sin := newTestSite(t, n, "sin", "10.0.0.3", nil)
		for _, s := range []*testSite{ams, nyc, sin} {
			s.run(ams, nyc, sin)
			defer s.stop()
		}
		pass(2 * time.Second)
		own := sampleNetwork()[:1]
		if taken, left := ams.TellNetwork(own, func(site string) bool { return site == "nyc" }); taken != 1 || left != 0 {
			t.Errorf("%d taken and %d left, want one", taken, left)
		}
		pass(time.Second)
		got := nyc.network()
		if len(got) != 1 || got[0].Peer != "ams" || got[0].Site != "ams" || got[0].Hops != 8 || !reflect.DeepEqual(got[0].Records, own[0].Records) {
			t.Errorf("nyc got %+v", got)
		}
		if got := sin.network(); len(got) != 0 {
			t.Errorf("sin got %+v, which was not meant for it", got)
		}
		ams.TellNetwork([]NetworkSection{{Site: "sin", Records: own[0].Records}}, nil)
		pass(100 * time.Millisecond)
		if got := nyc.network(); len(got) != 1 || nyc.Rejections()[RejectWrongSite] != 1 {
			t.Errorf("ams speaks for sin: nyc took %d reports and refused %v", len(got), nyc.Rejections())
		}
	})
}

// network returns the reports of resolvers so far.
func (s *testSite) network() (out []*NetworkReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if r, ok := e.(*NetworkReport); ok {
			out = append(out, r)
		}
	}
	return out
}

func FuzzNetwork(f *testing.F) {
	f.Add(appendNetwork(sampleNetwork())[0])
	f.Add(append(appendText(nil, "ams"), 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		sections, err := decodeNetwork(b)
		if err != nil {
			return
		}
		var told []NetworkSection // sections without records are not told
		for _, s := range sections {
			if len(s.Records) > 0 {
				told = append(told, s)
			}
		}
		var again []NetworkSection
		for _, payload := range appendNetwork(told) {
			part, err := decodeNetwork(payload)
			if err != nil {
				t.Fatalf("%+v: %v", told, err)
			}
			again = append(again, part...)
		}
		if !reflect.DeepEqual(again, told) {
			t.Errorf("got %+v, want %+v", again, told)
		}
	})
}
