package api

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairlead/api/resource"
	"fairlead/internal/audit"
)

// TestWhatIsAuditedOfADocument: who, from where, why, the difference without secrets, force, and the revisions before and after.
func TestWhatIsAuditedOfADocument(t *testing.T) {
	f := newDocumentsFixture(t)
	const header = `{"type":"http","http":{"headers":[{"name":"Authorization","value":"Bearer %"}]},"comment":"x"}`
	f.write(t, http.MethodPut, "/v1/monitors/m", strings.Replace(header, "%", "s3cret", 1), http.StatusCreated)
	before := f.docs.Current().Revision
	made := f.write(t, http.MethodPut, "/v1/monitors/m?force=true&reason=upgrade", strings.Replace(header, "%", "0ther", 1), http.StatusOK, "X-Request-Id", "r-1")
	f.write(t, http.MethodPut, "/v1/monitors/m?dry_run=true", `{"type":"tcp"}`, http.StatusOK)
	page, err := f.log.List(t.Context(), audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Lines) != 4 {
		t.Fatalf("got %d lines, want two of each write and none of the dry run: %+v", len(page.Lines), page.Lines)
	}
	done, accepted := page.Lines[0], page.Lines[1]
	if done.Outcome != audit.Done || done.After != made.Revision || done.After == "" || !done.Force {
		t.Errorf("the second line: %+v", done)
	}
	if accepted.Outcome != audit.Accepted || accepted.Before != before || !accepted.Force || accepted.Reason != "upgrade" || accepted.Request != "r-1" ||
		accepted.Who.Name != "kim" || accepted.Who.Remote == "" || !strings.Contains(accepted.Diff, "monitor/m") {
		t.Errorf("the first line: %+v", accepted)
	}
	for _, l := range page.Lines {
		if strings.Contains(l.Diff, "s3cret") || strings.Contains(l.Diff, "0ther") {
			t.Errorf("a secret is in the log: %s", l.Diff)
		}
	}
	f.docs.refuse = context.DeadlineExceeded
	f.request(http.MethodPut, "/v1/monitors/m", `{"type":"tcp"}`)
	if page, err = f.log.List(t.Context(), audit.Filter{Limit: 1}); err != nil || page.Lines[0].Outcome != audit.Failed {
		t.Errorf("a write that fails: %v %+v", err, page.Lines)
	}
}

func TestForgottenSessionsAreAudited(t *testing.T) {
	g := newGuarded(t, nil)
	if w := g.as("operator", http.MethodDelete, "/v1/sessions?client=203.0.113.5", ""); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	lines := g.audited(t)
	if len(lines) != 1 || lines[0].Action != "drop" || lines[0].Object != "session/203.0.113.5" || lines[0].Who.Name != "operator" {
		t.Errorf("got %+v", lines)
	}
}

// TestAuditEvents: administrators hear of each line, nobody else does.
func TestAuditEvents(t *testing.T) {
	f := newDocumentsFixture(t)
	server := httptest.NewServer(f.handler)
	defer server.Close()
	heard := func(who string) (first string) {
		f.who = who
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		w, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		lines := bufio.NewScanner(w.Body)
		for lines.Scan() && first == "" {
			if strings.HasPrefix(lines.Text(), ": fairlead") { // it listens
				f.who = "kim"
				f.write(t, http.MethodPut, "/v1/monitors/of-"+who, `{"type":"tcp"}`, http.StatusCreated)
				f.options.Events.Publish(resource.Event{Type: EventPeer, Summary: "the end"}, nil)
			}
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				first = text
			}
		}
		return first
	}
	if got := heard("ada"); !strings.Contains(got, "kim: put monitor/of-ada: accepted") {
		t.Errorf("an administrator hears first %s", got)
	}
	for _, who := range []string{"viewer", "admin"} { // the latter is limited to labels
		if got := heard(who); !strings.Contains(got, "the end") {
			t.Errorf("%s hears %s", who, got)
		}
	}
}
