package client

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestEventReader(t *testing.T) {
	r := NewEventReader(strings.NewReader(": fairlead\n\nid: a-1\nevent: config\ndata: {\"type\": \"config\",\ndata: \"summary\": \"one\"}\n\n: heartbeat\n\n" +
		"id: a-2\ndata: {\"type\": \"peer\", \"summary\": \"two\"}\n\nid: a-3\ndata: {\"type\""))
	for _, want := range []struct{ id, kind, summary string }{{"a-1", "config", "one"}, {"a-2", "peer", "two"}} {
		e, err := r.Next()
		if err != nil || e.ID != want.id || e.Type != want.kind || e.Summary != want.summary {
			t.Fatalf("got %+v, %v; want %+v", e, err, want)
		}
	}
	if e, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("what was cut off: got %+v, %v; want EOF", e, err)
	}
}

func TestEventReaderRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"a line without end": "data: " + strings.Repeat("x", maxEventLine+1),
		"no JSON":            "data: {\n\n",
		"an endless event":   strings.Repeat("data: "+strings.Repeat("x", maxEventLine/2)+"\n", 2*maxEventData/maxEventLine+2),
	} {
		if e, err := NewEventReader(strings.NewReader(text)).Next(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: got %+v, %v; want an error", name, e, err)
		}
	}
}

func FuzzEventReader(f *testing.F) {
	f.Add("id: a-1\nevent: config\ndata: {\"type\": \"config\"}\n\n")
	f.Add(": x\r\n\r\ndata\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := NewEventReader(strings.NewReader(text))
		for range len(text) + 1 {
			if _, err := r.Next(); err != nil {
				return
			}
		}
		t.Error("there are more events than bytes")
	})
}
