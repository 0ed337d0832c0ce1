package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/api/resource"
	"fairlead/sites"
)

const transcriptsPage = "../docs/api-transcripts.md"

// TestTranscriptsOfStatus runs what the page of transcripts shows, as TestTranscripts does, at a moment that is always the same.
func TestTranscriptsOfStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)))
		f := newDocumentsFixture(t)
		at := f.state.Sites
		f.state = newStateOf(t, testDocument+"service_groups: [{name: shop, site: ams, port: 443, members: [{name: a, addresses: [192.0.2.91]}]}]\n", testStatus)
		f.state.Sites = at
		withMonitors(&f.options)
		withOverrides(&f.options)
		f.options.Groups = testGroups
		f.options.Backup = func(_ context.Context, w io.Writer, _ string) error {
			_, err := io.WriteString(w, "what a node knows")
			return err
		}
		f.options.Restore = func(_ context.Context, r io.Reader, _ string) (*resource.Restored, error) {
			if b, err := io.ReadAll(r); err != nil || string(b) != "what a node knows" {
				return nil, errors.New("it is no backup: it does not begin as one")
			}
			return &resource.Restored{Site: "ams", Made: "2026-11-22T12:00:00Z", Parts: []string{"document"}}, nil
		}
		if _, err := f.options.Overrides.Give(sites.Order{Kind: sites.OfVirtualServer, Name: "web", Action: sites.Hold, Owner: "fairlead", Reason: "all of its services were down"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		f.options.Events.epoch = "5be0a1d97c02"
		for _, e := range []resource.Event{
			{Type: EventTransition, Subject: "service/web-nyc", Summary: "DOWN: tcp connect refused"},
			{Type: EventPeer, Subject: "site/nyc", Summary: "the session is lost: nothing was heard for 10s"},
			{Type: EventTransition, Subject: "service/web-nyc", Summary: "UP: connected"},
		} {
			f.options.Events.Publish(e, nil)
		}
		handler, err := New(f.options)
		if err != nil {
			t.Fatal(err)
		}
		f.handler, f.mask = handler, masked
		f.authorize()
		f.page(t, transcriptsPage)
	})
}

// masked hides what is another one in each run: tokens and the ids of tokens, and the chain of the audit log, which has them.
func masked(text string) string {
	for _, m := range []struct{ pattern, with string }{
		{`flt_[A-Za-z0-9_-]+`, "flt_…"},
		{`\bt-[0-9a-f]{12}\b`, "t-…"},
		{`"(hash|prev)":( ?)"[0-9a-f]{64}"`, `"$1":$2"…"`},
		{`"request":( ?)"[^"]*"`, `"request":$1"…"`},
		{`go1\.[0-9.a-z]+`, "go1"},
	} {
		text = regexp.MustCompile(m.pattern).ReplaceAllString(text, m.with)
	}
	return text
}

// streamed asks for a stream and returns what came until nothing more happened.
func (f *documentsFixture) streamed(target string, headers ...string) string {
	ctx, cancel := context.WithCancel(context.Background())
	req := httptest.NewRequest(http.MethodGet, target, http.NoBody).WithContext(ctx)
	req.Host, req.RemoteAddr = "127.0.0.1:8053", "127.0.0.1:40000"
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w, ended := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(ended)
		f.handler.ServeHTTP(w, req)
	}()
	synctest.Wait()
	cancel()
	<-ended
	return string(bytes.TrimSpace(w.Body.Bytes()))
}

// TestEveryOperationHasATranscript: each operation is shown by curl in a page whose transcripts are run by a test.
func TestEveryOperationHasATranscript(t *testing.T) {
	var shown []string
	for _, path := range []string{documentsPage, transcriptsPage} {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range strings.Split("\n"+string(page), "\n## ")[1:] {
			heading, rest, _ := strings.Cut(section, "\n")
			if strings.Contains(rest, "\n$ curl ") {
				shown = append(shown, heading)
			}
		}
	}
	var operations []string
	for path, item := range openAPI(t, newFixture(t, nil))["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			operations = append(operations, strings.ToUpper(method)+" "+path)
		}
	}
	compareSets(t, "transcripts", operations, shown)
}
