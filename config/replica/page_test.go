package replica

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

var updatePage = flag.Bool("update", false, "write the messages of docs/mep-protocol.md anew")

const (
	protocolPage  = "../../docs/mep-protocol.md"
	messagesBegin = "<!-- Messages: go test ./config/replica -run TestMessagesOfThePage -update -->\n"
	messagesEnd   = "<!-- end of the messages -->\n"
)

// shown is a message as the page has it.
type shown struct {
	title string
	kind  uint8
	body  []byte
}

func shownMessages(t *testing.T) []shown {
	must := func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	object := service("web-ams", `{"site":"ams"}`)
	seen := revision.Vector{"b7": 2}
	r := &revision.Revision{Parents: []string{"00112233445566778899aabbccddeeff"}, Dot: revision.Dot{Actor: "a3", Seq: 1}, Seen: seen, Site: "ams", Author: "ops", Source: "api",
		Reason: "new", Time: time.UnixMicro(1763800000000000), Changes: []revision.Change{{Key: object.Key(), Hash: object.Hash()}, {Key: serviceKey("web-old")}}}
	if err := r.Seal(); err != nil {
		t.Fatal(err)
	}
	first := &revision.Revision{Dot: revision.Dot{Actor: "b7", Seq: 1}, Seen: revision.Vector{}, Site: "nyc", Time: time.UnixMicro(1763700000000000),
		Changes: []revision.Change{{Key: object.Key(), Hash: object.Hash()}}}
	state := revision.NewState()
	if err := first.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := state.Apply(first); err != nil {
		t.Fatal(err)
	}
	document := config.NewObjects([]*config.Object{object}).ID()
	h := heads{mode: ModeSeed, clock: time.UnixMicro(1763800000000000), revision: r.ID, document: document, release: "1.2.3", vector: revision.Vector{"a3": 1, "b7": 2}}
	return []shown{
		{"Heads", KindHeads, h.encode()},
		{"Want, of revisions", KindWant, (&want{what: wantRevisions, have: seen}).encode()},
		{"Want, of an object", KindWant, (&want{what: wantObjects, hashes: []config.ObjectHash{object.Hash()}}).encode()},
		{"Revisions, one with its object", KindRevisions, must((&revisions{list: []*revision.Revision{r}, texts: [][]byte{object.Text()}}).encode())},
		{"Objects", KindObjects, appendPart([]byte{0}, &part{object.Hash(), len(object.Text()), 0, object.Text()})},
		{"State", KindState, must(state.Encode())},
	}
}

// readAsWords is what a message is read as, in words.
func readAsWords(t *testing.T, kind uint8, body []byte) string {
	t.Helper()
	var b strings.Builder
	var err error
	switch kind {
	case KindHeads:
		var h *heads
		if h, err = decodeHeads(body); err == nil {
			fmt.Fprintf(&b, "mode %s, clock %s, revision `%s`, document `%s`, release %s, %s", h.mode, h.clock.Format(time.RFC3339), h.revision, h.document, h.release, words(h.vector))
		}
	case KindWant:
		var w *want
		if w, err = decodeWant(body); err == nil {
			fmt.Fprintf(&b, "what %d, %s, %d objects", w.what, words(w.have), len(w.hashes))
		}
	case KindRevisions:
		var m *revisions
		if m, err = decodeRevisions(body); err == nil {
			for _, r := range m.list {
				fmt.Fprintf(&b, "revision `%s`, number %d of %s, saw %s, by %s at %s: %s; ", r.ID, r.Dot.Seq, r.Dot.Actor, words(r.Seen), r.Author, r.Site, r.Reason)
				for _, c := range r.Changes {
					fmt.Fprintf(&b, "%s removed: %v; ", c.Key, c.Hash == config.ObjectHash{})
				}
			}
			for _, text := range m.texts {
				fmt.Fprintf(&b, "text `%s`", text)
			}
		}
	case KindObjects:
		var parts []part
		if parts, _, err = decodeParts(body); err == nil {
			fmt.Fprintf(&b, "%d bytes from %d of `%x`: `%s`", parts[0].size, parts[0].at, parts[0].hash, parts[0].text)
		}
	case KindState:
		var s *revision.State
		if s, err = revision.DecodeState(body); err == nil {
			fmt.Fprintf(&b, "revision `%s`, %s, newest %s; ", s.ID(), words(s.Vector()), s.Newest().Format(time.RFC3339))
			for k := range s.Keys {
				fmt.Fprintf(&b, "%s is `%x`, by site %s", k, s.Winner(k).Hash, s.Winner(k).Origin.Site)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func words(v revision.Vector) string {
	return strings.NewReplacer("map[", "vector (", "]", ")").Replace(fmt.Sprint(map[string]uint64(v)))
}

var pageMessages = regexp.MustCompile("(?m)^Message of kind ([0-9]+), (.+?): (.*)\n+```\n([0-9a-f\\s]+)```\n")

// TestMessagesOfThePage: what the page says of its bytes is what they are read as, and what is sent.
func TestMessagesOfThePage(t *testing.T) {
	raw, err := os.ReadFile(protocolPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	before, rest, found := strings.Cut(page, messagesBegin)
	_, after, ended := strings.Cut(rest, messagesEnd)
	if !found || !ended {
		t.Fatal("the page has no place for messages")
	}
	if *updatePage {
		var b strings.Builder
		for _, m := range shownMessages(t) {
			fmt.Fprintf(&b, "\nMessage of kind %d, %s: %s\n\n```\n", m.kind, m.title, readAsWords(t, m.kind, m.body))
			for rest := m.body; len(rest) > 0; rest = rest[min(32, len(rest)):] {
				fmt.Fprintf(&b, "% x\n", rest[:min(32, len(rest))])
			}
			b.WriteString("```\n")
		}
		page = before + messagesBegin + b.String() + "\n" + messagesEnd + after
		if err := os.WriteFile(protocolPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := pageMessages.FindAllStringSubmatch(page, -1)
	want := shownMessages(t)
	if len(list) != len(want) {
		t.Fatalf("the page has %d messages, want %d", len(list), len(want))
	}
	for i, m := range list {
		body, err := hex.DecodeString(strings.Join(strings.Fields(m[4]), ""))
		if err != nil {
			t.Fatal(err)
		}
		if m[1] != fmt.Sprint(want[i].kind) || !bytes.Equal(body, want[i].body) {
			t.Errorf("%s: the page has\n%x, sent is\n%x", m[2], body, want[i].body)
		}
		if got := readAsWords(t, want[i].kind, body); got != m[3] {
			t.Errorf("%s: the page says %s, read is %s", m[2], m[3], got)
		}
	}
}
