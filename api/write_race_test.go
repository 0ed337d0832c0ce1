package api

import (
	"net/http"
	"strings"
	"testing"

	"fairlead/config"
	"fairlead/config/revision"
)

// elsewhere writes an object at the moment of the next commit.
func (f *documentsFixture) elsewhere(t *testing.T, kind config.ObjectKind, name, text string) {
	t.Helper()
	o, err := config.NewObject(kind, name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	f.docs.before = func() {
		if _, err := f.docs.Commit(t.Context(), &revision.Write{Put: []*config.Object{o}, Author: "elsewhere"}); err != nil {
			t.Error(err)
		}
	}
}

// TestLimitsHoldInARace: between the look at the labels and the write somebody else writes.
func TestLimitsHoldInARace(t *testing.T) {
	const theirs = `{"type":"tcp","comment":"theirs"}`
	for _, c := range []struct {
		name, method, target, body string
		before                     string // of monitor x; empty: it is not there
		headers                    []string
		want                       int
	}{
		{"a whole document", "PUT", "/v1/config", "all", `{"type":"tcp"}`, nil, 403},
		{"the same text again", "PUT", "/v1/monitors/x", `{"type":"tcp"}`, `{"type":"tcp"}`, nil, 403},
		{"what is not there is deleted", "DELETE", "/v1/monitors/x", "", "", []string{"Idempotency-Key", "k"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newDocumentsFixture(t)
			f.write(t, http.MethodPut, "/v1/monitors/own", `{"type":"tcp","labels":{"team":"web"}}`, http.StatusCreated)
			if c.before != "" {
				f.write(t, http.MethodPut, "/v1/monitors/x", c.before, http.StatusCreated)
			}
			if c.body == "all" {
				c.body = f.request(http.MethodGet, "/v1/config", "").Body.String()
				if at := strings.Index(c.body, `"labels":`); at < 0 {
					t.Fatalf("the document is %s", c.body)
				}
				c.body = strings.Replace(c.body, `"labels":`, `"comment":"own","labels":`, 1)
			}
			f.who = "admin" // of team web
			f.elsewhere(t, config.ObjectMonitor, "x", theirs)
			if w := f.request(c.method, c.target, c.body, c.headers...); w.Code != c.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, c.want)
			}
			if w := f.request(http.MethodGet, "/v1/monitors/x", ""); !strings.Contains(w.Body.String(), "theirs") {
				t.Errorf("what somebody else wrote is gone: %s", w.Body)
			}
		})
	}
}

// TestWhatIsTakenOverIsNotOld: zone files and secrets that a write does not send are those of the moment when it is made.
func TestWhatIsTakenOverIsNotOld(t *testing.T) {
	const header = `{"type":"http","http":{"headers":[{"name":"Authorization","value":"Bearer %"}]}}`
	f := newDocumentsFixture(t)
	f.write(t, http.MethodPut, "/v1/monitors/x", strings.Replace(header, "%", "first", 1), http.StatusCreated)
	for name, target := range map[string]string{"object": "/v1/monitors/x", "document": "/v1/config"} {
		shown := f.request(http.MethodGet, target, "").Body.String()
		f.elsewhere(t, config.ObjectMonitor, "x", strings.Replace(header, "%", "of "+name, 1))
		if w := f.request(http.MethodPut, target, shown); w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
		if w := f.request(http.MethodGet, "/v1/monitors/x?secrets=true", ""); !strings.Contains(w.Body.String(), "of "+name) {
			t.Errorf("%s: the secret is an old one: %s", name, w.Body)
		}
	}
	f.docs.before = func() {
		if _, err := f.docs.Commit(t.Context(), &revision.Write{Put: []*config.Object{config.NewFile("zones/late.zone", []byte("; late\n"))}}); err != nil {
			t.Error(err)
		}
	}
	f.write(t, http.MethodPut, "/v1/config", f.request(http.MethodGet, "/v1/config", "").Body.String(), http.StatusOK)
	if w := f.request(http.MethodGet, "/v1/files/zones/late.zone", ""); w.Code != http.StatusOK {
		t.Errorf("a file that came meanwhile: %d %s", w.Code, w.Body)
	}
}
