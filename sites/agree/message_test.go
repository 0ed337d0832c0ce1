package agree

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestGoldenMessages pins the bytes.
func TestGoldenMessages(t *testing.T) {
	q := question{topicServices, modeItems, []span{{0xfc00000000000000, 6}, {}}}
	const want = "01010202" + "06fc00000000000000" + "000000000000000000"
	if got := hex.EncodeToString(q.append(nil)); got != want {
		t.Errorf("question: got %s, want %s", got, want)
	}
	if back, err := decodeQuestion(q.append(nil)); err != nil || !reflect.DeepEqual(back, q) {
		t.Errorf("question: got %+v, %v", back, err)
	}
	i := item{key: 1, value: 2, age: 3, name: "web", detail: "UP\n"}
	const wantItem = "0000000000000001" + "0000000000000002" + "00000003" + "03776562" + "0355503f"
	if got := hex.EncodeToString(i.append(nil)); got != wantItem {
		t.Errorf("item: got %s, want %s", got, wantItem)
	}
	if got := mix(1, 2); got != 0xa30d0752d895d128 {
		t.Errorf("mix(1, 2) is %#x", got)
	}
}

func TestQuestionRefuses(t *testing.T) {
	good := (&question{topicLoads, modeSums, []span{{}}}).append(nil)
	for _, tt := range []struct {
		name   string
		change func(b []byte) []byte
		want   string
	}{
		{"empty", func([]byte) []byte { return nil }, "at least 4"},
		{"a version", func(b []byte) []byte { b[0] = 2; return b }, "version 2"},
		{"a topic", func(b []byte) []byte { b[1] = topics; return b }, "topic 5"},
		{"a mode", func(b []byte) []byte { b[2] = 0; return b }, "mode 0"},
		{"no spans", func(b []byte) []byte { b[3] = 0; return b[:4] }, "1 to 16"},
		{"many spans", func(b []byte) []byte { b[3] = 17; return append(b[:4], make([]byte, 17*spanSize)...) }, "1 to 16"},
		{"cut", func(b []byte) []byte { return b[:len(b)-1] }, "8 octets for 1 spans"},
		{"a depth", func(b []byte) []byte { b[4] = 5; return b }, "depth 5"},
		{"too deep", func(b []byte) []byte { b[4] = 66; return b }, "depth 66"},
		{"parts of the deepest", func(b []byte) []byte { b[4] = 60; return b }, "depth 60"},
		{"bits below", func(b []byte) []byte { b[4], b[12] = 6, 1; return b }, "depth 6"},
	} {
		_, err := decodeQuestion(tt.change(append([]byte(nil), good...)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

// TestAnswersFit: the longest answer is one that may be sent.
func TestAnswersFit(t *testing.T) {
	i := item{name: strings.Repeat("é", 300), detail: strings.Repeat("x", 300)}
	if n := 1 + maxSpans*(1+leafItems*len(i.append(nil))); n > maxAnswer {
		t.Errorf("items: %d octets, the limit is %d", n, maxAnswer)
	}
	if n := 1 + maxSpans*fan*sumSize; n > maxAnswer {
		t.Errorf("sums: %d octets, the limit is %d", n, maxAnswer)
	}
}

// TestPartsAreWhatIsIn: the parts of a span are the sums of the spans that they are, at every depth.
func TestPartsAreWhatIsIn(t *testing.T) {
	var all table
	for i := range uint64(5000) {
		all = append(all, entry{key: mix(i, i%7), value: i % 5})
	}
	all.sort()
	for at := (span{}); at.depth < maxDepth; {
		parts, count, next := all.parts(at), uint32(0), span{}
		for i := range parts {
			part := at.part(i)
			if got := all.in(part).sum(); got != parts[i] {
				t.Fatalf("part %d of %+v: %+v, want %+v", i, at, parts[i], got)
			}
			if count += parts[i].count; parts[i].count > 0 || next.depth == 0 && i == fan-1 {
				next = part
			}
			if !part.valid() {
				t.Fatalf("part %d of %+v is not valid: %+v", i, at, part)
			}
		}
		if count != all.in(at).sum().count {
			t.Fatalf("parts of %+v have %d entries", at, count)
		}
		at = next
	}
}

func FuzzQuestion(f *testing.F) {
	f.Add((&question{topicServices, modeItems, []span{{0xfc00000000000000, 6}, {}}}).append(nil))
	f.Add((&question{topicDecisions, modeSums, []span{{}}}).append(nil))
	sites := newFakeSites(f, threeSites, "ams")
	a := sites.sites["ams"].Agreement
	v, _ := a.opts.View(time.Now())
	a.face = newFace(v, nil, time.Now())
	f.Fuzz(func(t *testing.T, b []byte) {
		answer, err := a.Answer(b)
		if err != nil {
			return
		}
		q, err := decodeQuestion(b)
		if err != nil || len(answer) > maxAnswer {
			t.Fatalf("an answer of %d octets to %x: %v", len(answer), b, err)
		}
		if q.mode == modeSums {
			_, err = decodeSums(answer, len(q.spans))
		} else {
			_, err = decodeItems(answer, len(q.spans))
		}
		if err != nil {
			t.Errorf("answer to %x: %v", b, err)
		}
	})
}

func FuzzItems(f *testing.F) {
	i := item{key: 1, value: 2, age: 3, name: "web", detail: "UP"}
	f.Add(append([]byte{messageVersion, 1}, i.append(nil)...), uint8(1))
	f.Add([]byte{messageVersion, 0, 0}, uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, spans uint8) {
		items, err := decodeItems(b, int(spans%maxSpans))
		if err != nil {
			return
		}
		for _, i := range items {
			back, rest, ok := decodeItem(i.append(nil))
			if !ok || len(rest) > 0 || !utf8.ValidString(i.name) || len(i.name) <= maxItemName && len(i.detail) <= maxItemDetail && back != i {
				t.Errorf("item %+v, back %+v", i, back)
			}
		}
	})
}

func BenchmarkFace(b *testing.B) {
	sites := newFakeSites(b, manyServices(5*300), "ams")
	s := sites.sites["ams"]
	b.ReportAllocs()
	b.Run("states changed", func(b *testing.B) {
		b.ReportAllocs()
		v := sites.view(s, time.Now())
		prev := newFace(v, nil, time.Now())
		prev.tables[topicServices] = nil
		for b.Loop() {
			f := newFace(v, prev, time.Now())
			f.digest()
		}
	})
	b.Run("nothing changed", func(b *testing.B) {
		b.ReportAllocs()
		v := sites.view(s, time.Now())
		prev := newFace(v, nil, time.Now())
		for b.Loop() {
			prev = newFace(v, prev, time.Now())
			prev.digest()
		}
	})
}

func BenchmarkFaceOf100000(b *testing.B) {
	sites := newFakeSites(b, manyServices(100_000), "ams")
	v := sites.view(sites.sites["ams"], time.Now())
	prev := newFace(v, nil, time.Now())
	b.ReportAllocs()
	for b.Loop() {
		prev = newFace(v, prev, time.Now())
		prev.digest()
	}
}
