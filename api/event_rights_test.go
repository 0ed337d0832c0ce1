package api

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/api/resource"
	"fairlead/internal/access"
)

// TestEventsEndWithTheRight: who reads events with a token that is revoked hears no more within a heartbeat.
func TestEventsEndWithTheRight(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	secret, _, err := access.Create(path, access.TokenSpec{Name: "ci", Role: access.Viewer}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	guard, err := access.New(access.Options{TokensFile: path})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodGet, eventsPath, nil)
	req.Header.Set("Authorization", "Bearer "+secret)
	if !stillReads(guard, req, false) {
		t.Error("a viewer may not read")
	}
	if stillReads(guard, req, true) {
		t.Error("a viewer may read the audit log")
	}
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		c := &eventClient{events: NewEvents(), out: w, flush: http.NewResponseController(w), still: func() bool { return stillReads(guard, req, false) }}
		ended := make(chan struct{})
		go func() {
			c.run(t.Context(), nil)
			close(ended)
		}()
		time.Sleep(2*eventHeartbeat + time.Second)
		select {
		case <-ended:
			t.Fatal("ended although the token is good")
		default:
		}
		if _, err := guard.Revoke("ci"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(eventHeartbeat)
		c.events.Publish(resource.Event{Type: EventPeer, Summary: "secret"}, nil)
		select {
		case <-ended:
		case <-time.After(time.Second):
			t.Error("goes on with a token that was revoked")
		}
	})
}
