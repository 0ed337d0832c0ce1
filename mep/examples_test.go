package mep

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var updateExamples = flag.Bool("update", false, "write the examples of docs/mep-protocol.md anew")

const (
	protocolPage  = "../docs/mep-protocol.md"
	examplesBegin = "<!-- Examples: go test ./mep -run TestExamplesOfThePage -update -->\n"
	examplesEnd   = "<!-- end of the examples -->\n"
)

// fieldRow is a field of a frame, as the page names it, and its value.
type fieldRow struct{ field, value string }

type fieldRows []fieldRow

// add adds a field; empty ones are not shown.
func (r *fieldRows) add(field string, value any) {
	if text := fmt.Sprint(value); text != "" {
		*r = append(*r, fieldRow{field, text})
	}
}

func flagText(b bool) int {
	if b {
		return 1
	}
	return 0
}

// exampleReader decodes the frames of the page, one after the other, and encodes them again.
type exampleReader struct {
	t       *testing.T
	rows    fieldRows
	mirror  mirror
	encoder *encoder
}

// read returns the payload as it is encoded again; the fields are in rows.
func (x *exampleReader) read(h header, payload []byte) []byte {
	x.t.Helper()
	x.rows = nil
	x.rows.add("type", uint8(h.kind))
	x.rows.add("flags", h.flags)
	x.rows.add("sequence", h.sequence)
	switch h.kind {
	case FrameHello:
		return x.hello(payload)
	case FrameKeepAlive:
		return x.keepAlive(payload)
	case FrameLeaving:
		l, err := decodeLeaving(payload)
		x.no(err)
		x.rows.add("reason", uint8(l.reason))
		x.rows.add("text", l.text)
		return l.append(nil)
	case FrameServices:
		return x.services(payload)
	case FrameNetwork:
		return x.network(payload)
	case FrameSessions:
		return x.sessions(payload)
	case FrameViews:
		return x.views(payload)
	case FrameOverrides:
		return x.overrides(payload)
	case FrameConfig:
		m, err := new(configParts).take(payload, h.flags&flagMore != 0)
		x.no(err)
		x.rows.add("kind", m.Kind)
		x.rows.add("body", string(m.Body))
		return append(binary.BigEndian.AppendUint32([]byte{m.Kind, 0, 0, 0}, uint32(len(m.Body))), m.Body...)
	case FrameDecisions:
		return x.decisions(payload)
	case FrameAsk, FrameAnswer:
		number, word, body, err := decodeAsk(h.kind, payload)
		x.no(err)
		x.rows.add("number", number)
		x.rows.add(map[FrameType]string{FrameAsk: "kind", FrameAnswer: "status"}[h.kind], word)
		x.rows.add("body", string(body))
		return appendAsk(nil, number, word, body)
	case FrameChanges:
		return x.changes(h, payload)
	case FrameAttach:
		here, err := decodeAttach(payload)
		x.no(err)
		x.rows.add("here", flagText(here))
		return appendAttach(nil, here)
	case FrameResend:
		return nil
	}
	x.t.Fatalf("type %d is not known", h.kind)
	return nil
}

func (x *exampleReader) no(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *exampleReader) hello(payload []byte) []byte {
	h, err := decodeHello(payload)
	x.no(err)
	x.rows.add("version_min", h.VersionMin)
	x.rows.add("version_max", h.VersionMax)
	x.rows.add("role", uint8(h.Role))
	x.rows.add("incarnation", h.Incarnation)
	x.rows.add("connection", h.Connection)
	x.rows.add("clock", h.Clock.UnixNano())
	x.rows.add("metrics_interval_ms", h.MetricsInterval.Milliseconds())
	x.rows.add("keepalive_timeout_ms", h.KeepaliveTimeout.Milliseconds())
	x.rows.add("digest", hex.EncodeToString(h.Digest[:]))
	x.rows.add("site", h.Site)
	x.rows.add("node", h.Node)
	return h.append(nil)
}

func (x *exampleReader) keepAlive(payload []byte) []byte {
	k, err := decodeKeepAlive(payload)
	x.no(err)
	x.rows.add("stamp", k.stamp)
	x.rows.add("clock", k.clock.UnixNano())
	x.rows.add("echo", k.echo)
	x.rows.add("held", k.held.Nanoseconds())
	x.rows.add("heard", k.heard)
	x.rows.add("silence_ms", k.silence.Milliseconds())
	x.rows.add("digest", hex.EncodeToString(k.digest[:]))
	return k.append(nil)
}

// wireFields are the names of a record's fields on the page, by bit.
var wireFields = [...]string{"active_connections", "requests", "response_time_us", "bits", "packets", "custom_load", "members_behind",
	"load_age_ms", "evidence_age_ms", "member_weight", "capacity"}

func (x *exampleReader) record(at string, r *ServiceRecord) {
	x.rows.add(at+"name", r.Name)
	x.rows.add(at+"state", r.State)
	x.rows.add(at+"reason", r.Reason)
	x.rows.add(at+"without4", flagText(r.Without4))
	x.rows.add(at+"without6", flagText(r.Without6))
	for bit, name := range wireFields {
		if f := Fields(1) << bit; r.Has&f != 0 {
			x.rows.add(at+name, r.field(f))
		}
	}
	if a := r.Announced; a != nil {
		x.rows.add(at+"label", a.Label)
		if a.IPv4.IsValid() {
			x.rows.add(at+"ipv4", a.IPv4)
		}
		if a.IPv6.IsValid() {
			x.rows.add(at+"ipv6", a.IPv6)
		}
		x.rows.add(at+"port", a.Port)
		x.rows.add(at+"weight", a.Weight)
	}
}

func (x *exampleReader) services(payload []byte) []byte {
	p, records, err := decodeServices(payload, nil)
	x.no(err)
	x.rows.add("origin", p.origin)
	x.rows.add("incarnation", p.incarnation)
	x.rows.add("set", p.set)
	x.rows.add("age_ms", p.age.Milliseconds())
	x.rows.add("part", p.part)
	x.rows.add("records", p.records)
	out := p.append(nil)
	for i := range records {
		x.record(fmt.Sprintf("records[%d].", i), &records[i])
		out = records[i].append(out)
	}
	return out
}

func (x *exampleReader) network(payload []byte) []byte {
	sections, err := decodeNetwork(payload)
	x.no(err)
	for i, s := range sections {
		at := fmt.Sprintf("sections[%d].", i)
		x.rows.add(at+"site", s.Site)
		x.rows.add(at+"hops", s.Hops)
		for j, r := range s.Records {
			at := fmt.Sprintf("%srecords[%d].", at, j)
			x.rows.add(at+"wanted", flagText(r.Wanted))
			x.rows.add(at+"proven", flagText(r.Proven))
			x.rows.add(at+"source", r.Source)
			x.rows.add(at+"resolver", r.LDNS)
			x.rows.add(at+"rtt_us", r.RTT.Microseconds())
			x.rows.add(at+"hops", r.Hops)
			x.rows.add(at+"age_ms", r.Age.Milliseconds())
		}
	}
	return appendNetwork(sections)[0]
}

func (x *exampleReader) sessions(payload []byte) []byte {
	records, age, err := decodeSessions(payload)
	x.no(err)
	x.rows.add("age_ms", age.Milliseconds())
	for i, r := range records {
		at := fmt.Sprintf("records[%d].", i)
		x.rows.add(at+"id", r.ID)
		x.rows.add(at+"service", fmt.Sprintf("%016x", r.Service))
		x.rows.add(at+"remaining_ms", r.Remaining.Milliseconds())
		x.rows.add(at+"client", r.Client)
	}
	made := time.Unix(0, 0)
	return NewSessionsFrame(records, made).aged(made.Add(age))
}

// bundle shows what both bundles begin with, and encodes records again.
func (x *exampleReader) bundle(kind FrameType, payload []byte, age time.Duration, records int, add func([]byte, int) []byte) []byte {
	set := binary.BigEndian.Uint64(payload)
	x.rows = slices.Insert(x.rows, 3, fieldRow{"set", fmt.Sprint(set)}, fieldRow{"age_ms", fmt.Sprint(age.Milliseconds())}, fieldRow{"part", "0"})
	out := newBundle(kind, set, records, add).parts[0]
	binary.BigEndian.PutUint32(out[bundleAgeOffset:], milliseconds32(age))
	return out
}

func (x *exampleReader) views(payload []byte) []byte {
	u := unbundle[ViewRecord, *ViewRecord]{most: MaxViews}
	records, age, _, err := u.take(FrameViews, payload, false)
	x.no(err)
	for i, r := range records {
		at := fmt.Sprintf("records[%d].", i)
		x.rows.add(at+"kind", r.Kind)
		x.rows.add(at+"state", r.State)
		x.rows.add(at+"name", r.Name)
		x.rows.add(at+"age_ms", r.Age.Milliseconds())
		x.rows.add(at+"without4", flagText(r.Without4))
		x.rows.add(at+"without6", flagText(r.Without6))
	}
	return x.bundle(FrameViews, payload, age, len(records), func(b []byte, i int) []byte { return records[i].append(b) })
}

func (x *exampleReader) overrides(payload []byte) []byte {
	u := unbundle[OverrideRecord, *OverrideRecord]{most: MaxOverrides}
	records, age, _, err := u.take(FrameOverrides, payload, false)
	x.no(err)
	for i, r := range records {
		at := fmt.Sprintf("records[%d].", i)
		x.rows.add(at+"kind", r.Kind)
		x.rows.add(at+"action", r.Action)
		x.rows.add(at+"revision", r.Revision)
		x.rows.add(at+"name", r.Name)
		x.rows.add(at+"site", r.Site)
		x.rows.add(at+"owner", r.Owner)
		x.rows.add(at+"reason", r.Reason)
		x.rows.add(at+"remaining_ms", r.Remaining.Milliseconds())
		x.rows.add(at+"age_ms", r.Age.Milliseconds())
	}
	return x.bundle(FrameOverrides, payload, age, len(records), func(b []byte, i int) []byte { return records[i].append(b) })
}

func (x *exampleReader) decisions(payload []byte) []byte {
	d, err := decodeDecisions(payload)
	x.no(err)
	x.rows.add("document", hex.EncodeToString(d.Document[:]))
	x.rows.add("decisions", fmt.Sprintf("%016x", d.Decisions))
	for i, v := range d.Buckets {
		x.rows.add(fmt.Sprintf("parts[%d]", i), fmt.Sprintf("%016x", v))
	}
	for i, v := range d.Causes {
		x.rows.add(fmt.Sprintf("causes[%d]", i), fmt.Sprintf("%016x", v))
	}
	return d.append(nil)
}

// changes shows what is held of all sites after the round. The rounds of the page follow each other.
func (x *exampleReader) changes(h header, payload []byte) []byte {
	var p changesPrefix
	p.read(&cursor{b: payload})
	now := time.Duration(p.round) * time.Second
	done, sane, err := x.mirror.take(payload, h.flags, now+p.age, allowAll)
	if x.no(err); !done || !sane {
		x.t.Fatalf("round %d: done %v, sane %v", p.round, done, sane)
	}
	x.rows.add("round", p.round)
	x.rows.add("age_ms", p.age.Milliseconds())
	x.rows.add("part", p.part)
	x.rows.add("sum", fmt.Sprintf("%016x", p.sum))
	if x.encoder == nil {
		x.encoder = newEncoder(x.mirror.table.sites[0].site, time.Second)
		x.encoder.round = p.round - 1
	}
	x.encoder.begin(now)
	for i, o := range x.mirror.table.sites {
		at := fmt.Sprintf("sites[%d].", i)
		x.rows.add(at+"site", o.site)
		x.rows.add(at+"incarnation", o.incarnation)
		x.rows.add(at+"set", o.set)
		x.rows.add(at+"hops", o.hops)
		records := x.mirror.hand(o)
		for j := range records {
			x.record(fmt.Sprintf("%srecords[%d].", at, j), &records[j])
		}
		t := x.encoder.byName[o.site]
		if t == nil {
			t = x.encoder.add(o.site)
		}
		x.encoder.tell(t, &sight{o.incarnation, o.set, o.hops, records, noFloor})
	}
	out := x.encoder.finish()[0]
	binary.BigEndian.PutUint32(out[changesAgeOffset:], milliseconds32(p.age))
	return out
}

// pageExample is an example as the page has it.
type pageExample struct {
	title string
	frame []byte
	rows  fieldRows
}

var pageExamples = regexp.MustCompile("(?m)^#### Example: (.+)\n+```\n([0-9a-f\\s]+)```\n+((?:\\|.*\n)+)")

func readExamples(t *testing.T, page string) (out []pageExample) {
	t.Helper()
	for _, found := range pageExamples.FindAllStringSubmatch(page, -1) {
		e := pageExample{title: found[1]}
		var err error
		if e.frame, err = hex.DecodeString(strings.Join(strings.Fields(found[2]), "")); err != nil {
			t.Fatalf("%s: %v", e.title, err)
		}
		for _, line := range strings.Split(strings.TrimSpace(found[3]), "\n")[2:] {
			field, value, _ := strings.Cut(strings.Trim(line, "| "), " | ")
			e.rows.add(field, strings.Trim(value, "`"))
		}
		out = append(out, e)
	}
	return out
}

// TestExamplesOfThePage: what the page says of its bytes is what they are read as, and they are what is sent for it.
func TestExamplesOfThePage(t *testing.T) {
	text, err := os.ReadFile(protocolPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	if *updateExamples {
		before, rest, _ := strings.Cut(page, examplesBegin)
		_, after, _ := strings.Cut(rest, examplesEnd)
		page = before + examplesBegin + writeExamples(t) + examplesEnd + after
		if err := os.WriteFile(protocolPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[FrameType]bool{}
	x := &exampleReader{t: t}
	for _, e := range readExamples(t, page) {
		h := parseHeader((*[headerSize]byte)(e.frame))
		payload := e.frame[headerSize:]
		seen[h.kind] = true
		again := x.read(h, payload)
		slices.SortFunc(x.rows, byField)
		slices.SortFunc(e.rows, byField)
		if diff := cmp.Diff(e.rows, x.rows, cmp.AllowUnexported(fieldRow{})); diff != "" || int(h.length) != len(payload) {
			t.Errorf("%s: of %d bytes; fields (-page +read):\n%s", e.title, len(payload), diff)
		}
		if !bytes.Equal(again, payload) {
			t.Errorf("%s: encoded again:\n got %x\nwant %x", e.title, again, payload)
		}
	}
	for kind := FrameHello; kind <= FrameResend; kind++ {
		if !seen[kind] {
			t.Errorf("the page has no example of %s", kind)
		}
	}
}

func byField(a, b fieldRow) int { return strings.Compare(a.field, b.field) }
