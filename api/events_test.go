package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/api/resource"
)

// listener reads a stream of events from a server.
type listener struct {
	t      *testing.T
	lines  *bufio.Scanner
	cancel context.CancelFunc
	body   io.Closer
	header http.Header
}

func listen(t *testing.T, address, query, last string) *listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/v1/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "127.0.0.1"
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t, lines: bufio.NewScanner(response.Body), cancel: cancel, body: response.Body, header: response.Header}
	t.Cleanup(l.close)
	return l
}

func (l *listener) close() {
	l.cancel()
	_ = l.body.Close()
}

// next returns the next event.
func (l *listener) next() (id, kind, data string) {
	l.t.Helper()
	for l.lines.Scan() {
		line := l.lines.Text()
		switch {
		case line == "" && kind != "":
			return id, kind, data
		case strings.HasPrefix(line, "id: "):
			id = line[4:]
		case strings.HasPrefix(line, "event: "):
			kind = line[7:]
		case strings.HasPrefix(line, "data: "):
			data = line[6:]
		}
	}
	l.t.Fatalf("the stream has ended: %v", l.lines.Err())
	return "", "", ""
}

func serveEvents(t *testing.T) (*Events, string) {
	t.Helper()
	events := NewEvents()
	f := newFixture(t, func(o *Options) { o.Events = events })
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	return events, server.URL
}

func TestEventsArriveAndResume(t *testing.T) {
	events, address := serveEvents(t)
	first := listen(t, address, "", "")
	if got := first.header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type %q", got)
	}
	events.Publish(resource.Event{Type: EventTransition, Subject: "service/web-ams", Summary: "DOWN"}, map[string]string{"to": "DOWN"})
	id, kind, data := first.next()
	if kind != EventTransition || !strings.Contains(data, `"subject":"service/web-ams"`) || !strings.Contains(data, `"to":"DOWN"`) {
		t.Errorf("event %s: %s", kind, data)
	}
	first.close()
	for i := range 3 {
		events.Publish(resource.Event{Type: EventConfig, Summary: fmt.Sprint("away ", i)}, nil)
	}
	again := listen(t, address, "", id)
	for i := range 3 {
		if _, _, data := again.next(); !strings.Contains(data, fmt.Sprint("away ", i)) {
			t.Errorf("event %d after coming back: %s", i, data)
		}
	}
}

func TestEventFilter(t *testing.T) {
	events, address := serveEvents(t)
	l := listen(t, address, "?type=config,override", "")
	events.Publish(resource.Event{Type: EventPeer, Summary: "no"}, nil)
	events.Publish(resource.Event{Type: EventOverride, Summary: "yes"}, nil)
	if _, kind, data := l.next(); kind != EventOverride || !strings.Contains(data, "yes") {
		t.Errorf("got %s %s", kind, data)
	}
	f := newFixture(t, func(o *Options) { o.Events = events })
	for _, target := range []string{"/v1/events?type=weather", "/v1/events?types=config"} {
		if p := refusal(t, f.request(http.MethodGet, target, "")); p.Status != http.StatusUnprocessableEntity {
			t.Errorf("GET %s: %+v", target, p)
		}
	}
	if p := refusal(t, f.request(http.MethodGet, "/v1/events", "", "Last-Event-ID", "nonsense")); p.Status != http.StatusUnprocessableEntity {
		t.Errorf("an id that is none: %+v", p)
	}
}

// TestMissedEvents: a client that was away for too long, or listens to another process, is told and sent away.
func TestMissedEvents(t *testing.T) {
	events, address := serveEvents(t)
	events.Publish(resource.Event{Type: EventPeer, Summary: "first"}, nil)
	start := events.id(1)
	for range maxEvents + 10 {
		events.Publish(resource.Event{Type: EventPeer, Summary: "more"}, nil)
	}
	for _, last := range []string{start, strings.Repeat("0", 12) + "-1"} {
		l := listen(t, address, "", last)
		id, kind, data := l.next()
		if kind != eventDropped || !strings.Contains(data, "read the state anew") || id != events.id(maxEvents+11) {
			t.Errorf("after %s: %s %s %s", last, id, kind, data)
		}
		for n := 0; l.lines.Scan(); n++ {
			if n > 0 { // the empty line that ends the event
				t.Errorf("the stream goes on: %q", l.lines.Text())
			}
		}
	}
}

// TestManyListeners: events that come at once reach everybody once, in order.
func TestManyListeners(t *testing.T) {
	events, address := serveEvents(t)
	const clients, each, writers = 4, 50, 4
	var listeners [clients]*listener
	for i := range listeners {
		listeners[i] = listen(t, address, "", "")
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				events.Publish(resource.Event{Type: EventTransition, Summary: fmt.Sprintf("w%d-%d", w, i)}, nil)
			}
		})
	}
	for _, l := range listeners {
		wg.Go(func() {
			for n := range each * writers {
				if id, _, _ := l.next(); id != events.id(uint64(n+1)) {
					t.Errorf("event %d has the id %s", n+1, id)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestListenersAreLimited(t *testing.T) {
	_, address := serveEvents(t)
	for range maxEventClients {
		listen(t, address, "", "")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %s", response.Status)
	}
}

// TestServerStopsListeners: a server that shuts down does not wait for streams to end.
func TestServerStopsListeners(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Events = NewEvents() })
	server := httptest.NewUnstartedServer(f.handler)
	server.Config = Server(f.handler)
	server.Start()
	l := listen(t, server.URL, "", "")
	l.lines.Scan()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := server.Config.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
