package demo

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/sites"
)

var noon = time.Date(2026, 1, 2, 12, 0, 20, 0, time.UTC)

func testDocument(t *testing.T) *config.Document {
	t.Helper()
	_, doc, err := makeDocument(documentFacts{
		MEP:      map[string]string{siteAms: "127.0.0.1:5311", siteNyc: "127.0.0.1:5312"},
		Services: newServers(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestServiceEvents(t *testing.T) {
	doc := testDocument(t)
	states := map[string]gslb.State{"ams-1": gslb.Up, "ams-2": gslb.Down, "ams-3": gslb.Up, "nyc-1": gslb.Up, "nyc-2": gslb.Up, "nyc-3": gslb.Up}
	for _, tt := range []struct {
		name string
		t    sites.Transition
		want string
	}{
		{"down", sites.Transition{Service: "ams-2", From: gslb.Up, To: gslb.Down, Reason: "status 503", At: noon},
			"12:00:20 service.down   ams-2  at nyc: status 503 -> www, api, hash, all: 5 of 6 left; dr: 1 of 2 left"},
		{"up", sites.Transition{Service: "ams-1", From: gslb.Down, To: gslb.Up, Reason: "status 200", At: noon},
			"12:00:20 service.up     ams-1  at nyc: status 200 -> www, api, hash, all: 5 of 6 up; app: 4 of 4 up"},
	} {
		if got := serviceEvent("nyc", doc, states, tt.t).line(false); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestPeerEvents(t *testing.T) {
	for _, tt := range []struct {
		name string
		e    mep.Event
		want string // empty: no line
	}{
		{"up", &mep.SessionUp{Peer: "nyc", Version: 1, At: noon}, "12:00:20 mep.up         nyc    at ams: session up, version 1; loads are exchanged"},
		{"leaving", &mep.PeerLeaving{Peer: "nyc", At: noon}, "12:00:20 mep.leaving    nyc    at ams: it announced that it stops"},
		{"down", &mep.SessionDown{Peer: "nyc", Reason: "no frame for 2s", At: noon},
			"12:00:20 mep.down       nyc    at ams: no frame for 2s -> monitors decide alone, loads age"},
		{"report", &mep.ServicesReport{Peer: "nyc"}, ""},
	} {
		e, ok := peerEvent("ams", tt.e)
		if ok != (tt.want != "") || ok && e.line(false) != tt.want {
			t.Errorf("%s:\ngot  %s (%t)\nwant %s", tt.name, e.line(false), ok, tt.want)
		}
	}
}

func TestColours(t *testing.T) {
	for name, want := range map[string]string{"story.cut": colourStory, "mep.up": colourGood, "service.up": colourGood, "service.down": colourBad} {
		line := event{Name: name}.line(true)
		if !strings.Contains(line, want+name) || !strings.Contains(line, colourOff) {
			t.Errorf("%s: got %q, want colour %q", name, line, want)
		}
		if plain := (event{Name: name}).line(false); strings.Contains(plain, "\x1b") {
			t.Errorf("%s: got %q without colours", name, plain)
		}
	}
}

func TestJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		j := newJournal(&out, false)
		j.Tell(event{Name: "too.early"})
		j.open.Store(true)
		for range eventQueue + 3 {
			j.Tell(event{Name: "an.event"}) // nobody prints yet, and still it does not wait
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- j.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		text := out.String()
		if strings.Contains(text, "too.early") {
			t.Error("an event before the first screen was printed")
		}
		if got := strings.Count(text, "an.event"); got != eventQueue {
			t.Errorf("got %d events, want %d", got, eventQueue)
		}
		if !strings.Contains(text, "(3 events not shown)") {
			t.Error("it does not say how many were dropped")
		}
	})
}

// brokenWriter is a terminal that went away.
type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestJournalWithoutReader(t *testing.T) {
	j := newJournal(brokenWriter{}, false)
	j.open.Store(true)
	j.Tell(event{Name: "an.event"})
	if err := j.Run(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want what the terminal said", err)
	}
}

func TestDocumentHasNoProblems(t *testing.T) {
	src, _, err := makeDocument(documentFacts{
		MEP:      map[string]string{siteAms: "127.0.0.1:5311", siteNyc: "127.0.0.1:5312"},
		Services: newServers(),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, report := config.Parse(src)
	for _, p := range report.Problems() {
		t.Errorf("got %s, want no problem", p)
	}
	if _, _, err := makeDocument(documentFacts{}); err == nil {
		t.Error("a document without sites was made")
	}
}
