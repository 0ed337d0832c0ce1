package mep

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sampleHello() Hello {
	return Hello{Site: "ams", Node: "ams-1", VersionMin: 1, VersionMax: 1, Incarnation: 0x0102030405060708, Connection: 3,
		Clock: time.Unix(1700000000, 5), MetricsInterval: time.Second, KeepaliveTimeout: 10 * time.Second,
		Digest: [32]byte{0xaa, 31: 0xbb}}
}

func sampleRecords() []ServiceRecord {
	return []ServiceRecord{
		{Name: "a", State: StateUp},
		{Name: "web-ams", State: StateDraining, Without4: true, Without6: true, Reason: "operator: Wartung €",
			Has: knownFields, ActiveConnections: 300, RequestsPerSecond: 1, ResponseTime: 12345 * time.Microsecond,
			BitsPerSecond: math.MaxUint64, PacketsPerSecond: 5, CustomLoad: 730, MembersBehind: 2,
			LoadAge: 250 * time.Millisecond, EvidenceAge: 3 * time.Second, MemberWeight: 40, Capacity: 5000},
	}
}

func encodeServices(p servicesPrefix, records []ServiceRecord) []byte {
	p.records = uint32(len(records))
	b := p.append(nil)
	for i := range records {
		b = records[i].append(b)
	}
	return b
}

func samplePrefix() servicesPrefix {
	return servicesPrefix{incarnation: 9, set: 4, age: 40 * time.Millisecond, origin: "ams"}
}

// TestGoldenFrames pins the bytes: neighbouring releases have to talk. A change here is a change of the protocol.
func TestGoldenFrames(t *testing.T) {
	hello := sampleHello()
	k := keepAlive{stamp: 1, clock: time.Unix(1700000000, 0), echo: 2, held: 3, heard: 4, silence: 5 * time.Millisecond, digest: [32]byte{0xcc, 31: 0xdd}}
	l := leaving{leaveStopping, "bye"}
	for _, c := range []struct {
		kind   FrameType
		encode func([]byte) []byte
		want   string
	}{
		{FrameHello, hello.append, "0000005201000000" + "0000000000000001" +
			"464c4d5001010000" + "0102030405060708" + "0000000000000003" + "17979cfe362a0005" + "000003e8" + "00002710" +
			"aa000000000000000000000000000000000000000000000000000000000000bb" + "03616d73" + "05616d732d31"},
		{FrameKeepAlive, k.append, "0000004c02000000" + "0000000000000001" +
			"0000000000000001" + "17979cfe362a0000" + "0000000000000002" + "0000000000000003" + "0000000000000004" + "00000005" +
			"cc000000000000000000000000000000000000000000000000000000000000dd"},
		{FrameLeaving, l.append, "0000000503000000" + "0000000000000001" + "01" + "03627965"},
		{FrameServices, func(b []byte) []byte { return append(b, encodeServices(samplePrefix(), sampleRecords())...) },
			"0000006704000000" + "0000000000000001" +
				"0000000000000009" + "0000000000000004" + "00000028" + "0000" + "00" + "00" + "00000002" + "03616d73" +
				"0007" + "01" + "00" + "0000" + "0161" + "00" +
				"003c" + "04" + "03" + "07ff" + "077765622d616d73" + "156f70657261746f723a2057617274756e6720e282ac" +
				"ac02" + "01" + "b960" + "ffffffffffffffffff01" + "05" + "da05" + "02" + "fa01" + "b817" + "28" + "8827"},
	} {
		if got := hex.EncodeToString(appendFrame(nil, c.kind, 0, 1, c.encode)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.kind, got, c.want)
		}
	}
}

func TestFramesRoundTrip(t *testing.T) {
	hello := sampleHello()
	if got, err := decodeHello(hello.append(nil)); err != nil || !reflect.DeepEqual(got, hello) {
		t.Errorf("Hello: got %+v, %v, want %+v", got, err, hello)
	}
	k := keepAlive{stamp: 7, clock: time.Unix(5, 6), echo: 2, held: 3, heard: 4, silence: 5 * time.Millisecond, digest: [32]byte{1}}
	if got, err := decodeKeepAlive(k.append(nil)); err != nil || got != k {
		t.Errorf("KeepAlive: got %+v, %v, want %+v", got, err, k)
	}
	without := k
	without.digest = [32]byte{}
	if got, err := decodeKeepAlive(k.append(nil)[:44]); err != nil || got != without {
		t.Errorf("KeepAlive without a digest: got %+v, %v, want %+v", got, err, without)
	}
	p, records, err := decodeServices(encodeServices(samplePrefix(), sampleRecords()), nil)
	if err != nil || !reflect.DeepEqual(records, sampleRecords()) {
		t.Errorf("Services: got %+v, %v, want %+v", records, err, sampleRecords())
	}
	want := samplePrefix()
	if want.records = 2; p != want {
		t.Errorf("Services prefix: got %+v, want %+v", p, want)
	}
}

func TestLaterVersionsAreRead(t *testing.T) {
	hello := sampleHello()
	hello.VersionMax = 9
	b := append(hello.append(nil), 0, 77, 0, 3, 1, 2, 3) // a field of a later version
	if got, err := decodeHello(b); err != nil || got.Site != "ams" {
		t.Errorf("Hello with an unknown field: got %+v, %v", got, err)
	}
	if v, err := agree(sampleHello(), hello); err != nil || v != 1 {
		t.Errorf("agree with a later version: got %d, %v, want 1", v, err)
	}
	// A record with an unknown state, flag, field and trailing bytes.
	record := []byte{0, 13, 99, 0x83, 0x80, 0x01, 1, 'a', 0, 42, 1, 2, 3, 4, 5}
	p := samplePrefix()
	p.records = 2
	payload := append(p.append(nil), record...)
	payload = (&ServiceRecord{Name: "b", State: StateUp}).append(payload)
	_, records, err := decodeServices(payload, nil)
	want := []ServiceRecord{{Name: "a", Without4: true, Without6: true, Has: HasActiveConnections, ActiveConnections: 42}, {Name: "b", State: StateUp}}
	if err != nil || !reflect.DeepEqual(records, want) {
		t.Errorf("records of a later version: got %+v, %v, want %+v", records, err, want)
	}
	if _, err := decodeKeepAlive(append((&keepAlive{stamp: 1, clock: time.Unix(0, 0)}).append(nil), 1, 2)); err != nil {
		t.Errorf("KeepAlive with more fields: %v", err)
	}
}

func TestWhatCannotBeSentIsMadeFit(t *testing.T) {
	r := ServiceRecord{Name: "a", Reason: "line\nbreak \xff" + strings.Repeat("€", 60), Has: knownFields | 1<<15,
		ResponseTime: -time.Second, LoadAge: -1, EvidenceAge: math.MaxInt64}
	_, got, err := decodeServices(encodeServices(samplePrefix(), []ServiceRecord{r}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if g := got[0]; !strings.HasPrefix(g.Reason, "line break  €") || len(g.Reason) > MaxReason || g.Has != knownFields ||
		g.ResponseTime != 0 || g.LoadAge != 0 || g.EvidenceAge != MaxAge {
		t.Errorf("got %+v", g)
	}
}

func TestDecodersRefuse(t *testing.T) {
	hello := func(change func(*Hello)) []byte { h := sampleHello(); change(&h); return h.append(nil) }
	services := func(change func([]byte) []byte) []byte {
		return change(encodeServices(samplePrefix(), sampleRecords()))
	}
	decHello := func(b []byte) error { _, err := decodeHello(b); return err }
	decServices := func(b []byte) error { _, _, err := decodeServices(b, nil); return err }
	decKeepAlive := func(b []byte) error { _, err := decodeKeepAlive(b); return err }
	decLeaving := func(b []byte) error { _, err := decodeLeaving(b); return err }
	for _, c := range []struct {
		name    string
		decode  func([]byte) error
		payload []byte
		want    string
	}{
		{"hello empty", decHello, nil, "at byte 0: 4 bytes needed, 0 left"},
		{"hello magic", decHello, append([]byte("HTTP"), hello(func(*Hello) {})[4:]...), `magic is "HTTP"`},
		{"hello version 0", decHello, hello(func(h *Hello) { h.VersionMin = 0 }), "version range 0 to 1"},
		{"hello range upside down", decHello, hello(func(h *Hello) { h.VersionMin = 2 }), "version range 2 to 1"},
		{"hello site empty", decHello, hello(func(h *Hello) { h.Site = "" }), "is not a name"},
		{"hello site with a slash", decHello, hello(func(h *Hello) { h.Site = "a/b" }), "is not a name"},
		{"hello node with an escape", decHello, hello(func(h *Hello) { h.Node = "a\x1b[2J" }), "not printable"},
		{"hello cut field", decHello, append(hello(func(*Hello) {}), 0, 1, 0, 9), "9 bytes needed"},
		{"keepalive short", decKeepAlive, make([]byte, 43), "4 bytes needed, 3 left"},
		{"keepalive without stamp", decKeepAlive, make([]byte, 44), "stamp is 0"},
		{"keepalive held for ages", decKeepAlive, bytes.Repeat([]byte{255}, 44), "held is above"},
		{"leaving short", decLeaving, []byte{1, 9, 'x'}, "9 bytes needed, 1 left"},
		{"leaving with a newline", decLeaving, []byte{1, 1, '\n'}, "not printable"},
		{"services count", decServices, services(func(b []byte) []byte { b[27] = 3; return b }), "bytes needed"},
		{"services count beyond reason", decServices, services(func(b []byte) []byte { b[24] = 1; return b }), "above the limit"},
		{"services count beyond payload", decServices, services(func(b []byte) []byte { b[26] = 200; return b }), "do not fit"},
		{"services trailing", decServices, services(func(b []byte) []byte { return append(b, 0) }), "follow the last record"},
		{"services record length", decServices, services(func(b []byte) []byte { b[32] = 255; return b }), "bytes needed"},
		{"services varint", decServices, services(func(b []byte) []byte { b[len(b)-1] |= 0x80; return b }), "variable-length"},
		{"services invalid UTF-8", decServices, services(func(b []byte) []byte { b[70] = 0xff; return b }), "at byte"},
	} {
		err := c.decode(c.payload)
		if kind, ok := rejectionOf(err); err == nil || !ok || kind != RejectMalformed && kind != RejectOversize {
			t.Errorf("%s: got %v, want a rejection", c.name, err)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, want it to say %q", c.name, err, c.want)
		}
	}
}

func TestAssemblyRefusesWhatIsNotNext(t *testing.T) {
	type step struct {
		set  uint64
		part uint16
		more bool
	}
	for _, c := range []struct {
		name  string
		steps []step
		want  string // of the last step; empty: accepted
	}{
		{"whole sets", []step{{1, 0, false}, {2, 0, false}}, ""},
		{"skipped set", []step{{1, 0, false}, {7, 0, false}}, ""},
		{"parts", []step{{1, 0, true}, {1, 1, true}, {1, 2, false}}, ""},
		{"replay", []step{{5, 0, false}, {5, 0, false}}, "part 0 of set 5 follows the end of set 5"},
		{"older", []step{{5, 0, false}, {4, 0, false}}, "follows the end of set 5"},
		{"lost first part", []step{{1, 1, false}}, "part 1 of set 1"},
		{"lost part", []step{{1, 0, true}, {1, 2, false}}, "part 2 of set 1 follows part 0"},
		{"part twice", []step{{1, 0, true}, {1, 0, true}}, "part 0 of set 1 follows part 0"},
		{"set abandoned", []step{{1, 0, true}, {2, 0, false}}, "part 0 of set 2 follows part 0 of set 1"},
	} {
		a := assembly{origin: "ams", incarnation: 9}
		for i, s := range c.steps {
			p := samplePrefix()
			p.set, p.part = s.set, s.part
			_, records, complete, err := a.take(encodeServices(p, sampleRecords()), s.more)
			if i < len(c.steps)-1 || c.want == "" {
				if err != nil || complete != !s.more {
					t.Errorf("%s: step %d: got complete %v, %v", c.name, i, complete, err)
				}
				if complete && len(records) != 2*(int(s.part)+1) {
					t.Errorf("%s: step %d: got %d records, want %d", c.name, i, len(records), 2*(int(s.part)+1))
				}
			} else if kind, _ := rejectionOf(err); kind != RejectSequence || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want a sequence rejection with %q", c.name, err, c.want)
			}
		}
	}
}

func TestAssemblyBoundsASet(t *testing.T) {
	a := assembly{origin: "ams", incarnation: 9}
	part := make([]ServiceRecord, 30_000)
	for i := range part {
		part[i].Name = "x"
	}
	var err error
	for n := uint16(0); n < 5 && err == nil; n++ {
		p := samplePrefix()
		p.part = n
		_, _, _, err = a.take(encodeServices(p, part), true)
		if want := n == 3; (err != nil) != want {
			t.Fatalf("part %d: got %v, want an error with the fourth", n, err)
		}
	}
	if kind, _ := rejectionOf(err); kind != RejectOversize {
		t.Errorf("got %v, want oversize", err)
	}
}

func TestFrameReader(t *testing.T) {
	frame := func(seq uint64, n int) []byte {
		return appendFrame(nil, FrameServices, 0, seq, func(b []byte) []byte { return append(b, make([]byte, n)...) })
	}
	for _, c := range []struct {
		name string
		in   []byte
		want Rejection // empty: an I/O error
		is   error
	}{
		{"end", nil, "", io.EOF},
		{"cut header", frame(1, 0)[:9], "", io.ErrUnexpectedEOF},
		{"cut payload", frame(1, 20)[:30], "", io.ErrUnexpectedEOF},
		{"no payload", frame(1, 20)[:16], "", io.ErrUnexpectedEOF},
		{"claims 4 GiB", []byte{255, 255, 255, 255, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, RejectOversize, nil},
		{"one too long", frame(1, MaxPayload+1), RejectOversize, nil},
		{"starts at 2", frame(2, 0), RejectSequence, nil},
		{"replay", append(frame(1, 0), frame(1, 0)...), RejectSequence, nil},
		{"jump", append(frame(1, 0), frame(1<<63, 0)...), RejectSequence, nil},
		{"http", []byte("GET / HTTP/1.1\r\n\r\n"), RejectSequence, nil},
		{"tls", append([]byte{0x16, 3, 1, 2, 0, 1}, make([]byte, 20)...), RejectMalformed, nil},
	} {
		f := newFrameReader(bytes.NewReader(c.in))
		var err error
		for err == nil {
			var h header
			if h, err = f.header(MaxPayload); err == nil {
				_, err = f.payload(h)
			}
		}
		kind, _ := rejectionOf(err)
		if kind != c.want || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: got %q (%v), want %q %v", c.name, kind, err, c.want, c.is)
		}
	}
	f := newFrameReader(bytes.NewReader(append(frame(1, MaxPayload), frame(2, 5)...)))
	h, _ := f.header(MaxPayload)
	if b, err := f.payload(h); err != nil || len(b) != MaxPayload {
		t.Errorf("largest frame: got %d bytes, %v", len(b), err)
	}
	if h, _ = f.header(MaxPayload); h.sequence != 2 || f.discard(h) != nil {
		t.Errorf("frame after it: got %+v", h)
	}
}

// TestClaimedLengthIsNotAllocated: memory follows what arrives.
func TestClaimedLengthIsNotAllocated(t *testing.T) {
	f := newFrameReader(bytes.NewReader(append([]byte{0, 16, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, "only this"...)))
	h, err := f.header(MaxPayload)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.payload(h); err == nil || cap(f.buf) > 2*readChunk {
		t.Errorf("got %v with a buffer of %d bytes, want an error and at most %d", err, cap(f.buf), 2*readChunk)
	}
}

func TestPathMeasuresRoundTripAndSkew(t *testing.T) {
	now := time.Unix(1000, 0)
	ms := time.Millisecond
	for _, c := range []struct {
		name  string
		k     keepAlive
		stamp uint64
		known bool
		rtt   time.Duration
		skew  time.Duration
	}{
		{"20 ms, peer 3 s ahead", keepAlive{stamp: 1, clock: now.Add(3*time.Second - 10*ms), echo: 100, held: 500 * ms}, 100 + uint64(520*ms), true, 20 * ms, 3 * time.Second},
		{"peer an hour behind", keepAlive{stamp: 1, clock: now.Add(-time.Hour), echo: 100}, 100, true, 0, -time.Hour},
		{"nothing echoed", keepAlive{stamp: 1, clock: now}, 100, false, 0, 0},
		{"echo of the future", keepAlive{stamp: 1, clock: now, echo: 101}, 100, false, 0, 0},
		{"held longer than it took", keepAlive{stamp: 1, clock: now, echo: 1, held: time.Second}, 100, false, 0, 0},
		{"longer than a timeout", keepAlive{stamp: 1, clock: now, echo: 1}, uint64(time.Minute), false, 0, 0},
	} {
		var p path
		p.received(c.k, now, c.stamp, 10*time.Second)
		if p.known != c.known || p.rtt != c.rtt || p.skew != c.skew {
			t.Errorf("%s: got %v %v %v, want %v %v %v", c.name, p.known, p.rtt, p.skew, c.known, c.rtt, c.skew)
		}
	}
	var p path
	var k keepAlive
	if p.echo(&k, now); k.echo != 0 {
		t.Errorf("echo of nothing: got %d", k.echo)
	}
	p.received(keepAlive{stamp: 5, clock: now}, now, 1, time.Second)
	if p.echo(&k, now.Add(7*ms)); k.echo != 5 || k.held != 7*ms {
		t.Errorf("echo: got %d held %v, want 5 held 7 ms", k.echo, k.held)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, FrameServices, flagMore, 1, func(b []byte) []byte { return append(b, "payload"...) }))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newFrameReader(bytes.NewReader(b))
		h, err := r.header(MaxPayload)
		if err != nil {
			return
		}
		p, err := r.payload(h)
		if err != nil {
			return
		}
		again := appendFrame(nil, h.kind, h.flags, h.sequence, func(b []byte) []byte { return append(b, p...) })
		again[6], again[7] = b[6], b[7] // reserved
		if !bytes.Equal(again, b[:len(again)]) {
			t.Errorf("got %x, want %x", again, b[:len(again)])
		}
	})
}

func FuzzHello(f *testing.F) {
	h := sampleHello()
	f.Add(h.append(nil))
	f.Add(append(h.append(nil), 0, 1, 0, 1, 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHello(b)
		if err != nil {
			return
		}
		again, err := decodeHello(h.append(nil))
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Errorf("got %+v, %v, want %+v", again, err, h)
		}
	})
}

func FuzzServices(f *testing.F) {
	f.Add(encodeServices(samplePrefix(), sampleRecords()))
	f.Add(encodeServices(samplePrefix(), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, records, err := decodeServices(b, nil)
		if err != nil {
			return
		}
		q, again, err := decodeServices(encodeServices(p, records), records)
		if err != nil || q != p || !reflect.DeepEqual(again, records) && len(records) > 0 {
			t.Errorf("got %+v %+v, %v, want %+v %+v", q, again, err, p, records)
		}
	})
}

func FuzzControl(f *testing.F) {
	f.Add((&keepAlive{stamp: 1, clock: time.Unix(0, 0)}).append(nil))
	f.Add((&leaving{leaveStopping, "bye"}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := decodeKeepAlive(b); err == nil {
			if again, err := decodeKeepAlive(k.append(nil)); err != nil || again != k {
				t.Errorf("KeepAlive: got %+v, %v, want %+v", again, err, k)
			}
		}
		if l, err := decodeLeaving(b); err == nil {
			if again, err := decodeLeaving(l.append(nil)); err != nil || again != l {
				t.Errorf("Leaving: got %+v, %v, want %+v", again, err, l)
			}
		}
	})
}
