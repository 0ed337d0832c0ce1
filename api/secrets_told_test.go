package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// secretWords each stand at another place of what is written: in headers, in parameters of addresses, and as a user of one, which is refused.
var secretWords = []string{"hdr-9f31", "usr-9f32", "qry-9f33", "bearer-9f34"}

// writeSecrets adds objects with the secretWords that a document can have.
func writeSecrets(t *testing.T, f *documentsFixture) {
	t.Helper()
	f.write(t, http.MethodPut, "/v1/monitors/m", `{"type":"http","http":{"path":"/h?token=`+secretWords[2]+`","headers":[{"name":"X-Api-Key","value":"`+secretWords[0]+
		`"},{"name":"Authorization","value":"Bearer `+secretWords[3]+`"}]},"labels":{"team":"web"}}`, http.StatusCreated)
	f.write(t, http.MethodPatch, "/v1/services/web-ams", `{"monitors":["m"],"labels":{"team":"web"},"load":{"source":"json","url":"http://192.0.2.80/l?api_key=`+secretWords[2]+`","path":"active"}}`, http.StatusOK)
}

// shows returns the secret words that an answer has, its header included.
func shows(w *httptest.ResponseRecorder) (words []string) {
	all := w.Body.String()
	for _, values := range w.Header() {
		all += strings.Join(values, "\n")
	}
	for _, word := range secretWords {
		if strings.Contains(all, word) {
			words = append(words, word)
		}
	}
	return words
}

// eventsSince returns what who hears of what has happened since an event: the request is over when the first lot was written.
func (f *documentsFixture) eventsSince(t *testing.T, id string) *httptest.ResponseRecorder {
	t.Helper()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	req := newRequest(http.MethodGet, eventsPath).WithContext(over)
	req.Header.Set("Last-Event-ID", id)
	w := newRecorder()
	f.handler.ServeHTTP(w, req)
	return w
}

// TestEventsHideSecrets: what is told of writes as they happen has no secret of theirs, whoever listens: those who may read the audit log neither.
func TestEventsHideSecrets(t *testing.T) {
	f := newDocumentsFixture(t)
	begin := f.options.Events.id(f.options.Events.newest())
	writeSecrets(t, f)
	f.write(t, http.MethodPatch, "/v1/monitors/m", `{"interval":"7s"}`, http.StatusOK)
	f.write(t, http.MethodPatch, "/v1/services/web-ams", `{"load":{"url":"http://192.0.2.81/l?api_key=`+secretWords[2]+`&n=1"}}`, http.StatusOK)
	f.request(http.MethodPatch, "/v1/services/web-ams", `{"load":{"url":"http://bob:`+secretWords[1]+`@192.0.2.81/?token=`+secretWords[2]+`"}}`) // refused: no user belongs there
	for who, audits := range map[string]bool{"viewer": false, "operator": false, "admin": false, "ada": true, "kim": true} {
		f.who = who
		w := f.eventsSince(t, begin)
		if got := strings.Contains(w.Body.String(), "monitor/m"); w.Code != http.StatusOK || got != audits {
			t.Fatalf("%s: %d, hears of writes: %v, want %v:\n%s", who, w.Code, got, audits, w.Body)
		}
		if words := shows(w); len(words) > 0 {
			t.Errorf("%s hears %v:\n%s", who, words, w.Body)
		}
	}
}

// TestPlansHideSecrets: neither what a write would do nor what a loss would do says a secret that stands in the document already, nor one that is in the write.
func TestPlansHideSecrets(t *testing.T) {
	f := newDocumentsFixture(t)
	writeSecrets(t, f)
	before := f.docs.Current()
	whole := f.request(http.MethodGet, "/v1/config?secrets=true", "", "Accept", "application/yaml").Body.String()
	if !strings.Contains(whole, secretWords[0]) {
		t.Fatalf("the document has no secret to hide:\n%s", whole)
	}
	plain := map[string]string{"Content-Type": "application/json"}
	yaml := map[string]string{"Content-Type": "application/yaml"}
	for _, who := range []string{"viewer", "operator", "admin", "kim"} {
		f.who = who
		for _, c := range []struct {
			method, target, body string
			header               map[string]string
		}{
			{"GET", "/v1/whatif?lose=ams", "", plain},
			{"GET", "/v1/whatif?lose=web-ams&load=2x", "", plain},
			{"PATCH", "/v1/monitors/m?dry_run=true", `{"interval":"9s"}`, plain},
			{"PATCH", "/v1/monitors/m?dry_run=true", `{"http":{"headers":null}}`, plain},
			{"PATCH", "/v1/monitors/m?dry_run=true", `{"http":{"headers":[{"name":"Authorization","value":"Basic ` + secretWords[3] + `"}]}}`, plain},
			{"PATCH", "/v1/monitors/m?dry_run=true", `{"http":{"headers":[{"name":"Authorization","valeu":"` + secretWords[3] + `"}]}}`, plain},
			{"PATCH", "/v1/services/web-ams?dry_run=true", `{"port":81}`, plain},
			{"PATCH", "/v1/services/web-ams?dry_run=true", `{"load":{"url":"http://bob:` + secretWords[1] + `@ 192/?token=` + secretWords[2] + `"}}`, plain},
			{"DELETE", "/v1/services/web-ams?dry_run=true&force=true", "", plain},
			{"DELETE", "/v1/monitors/m?dry_run=true", "", plain},
			{"PUT", "/v1/config?dry_run=true&force=true", strings.Replace(whole, "port: 80", "port: 81", 1), yaml},
			{"PUT", "/v1/config?dry_run=true&force=true", strings.Replace(whole, "method: round-robin", "method: unheard-of", 1), yaml},
			{"POST", "/v1/revisions/" + before.Revision + "/rollback?dry_run=true", "", plain},
		} {
			var header []string
			for k, v := range c.header {
				header = append(header, k, v)
			}
			w := f.request(c.method, c.target, c.body, header...)
			if w.Code == http.StatusNotFound || w.Code == http.StatusUnsupportedMediaType {
				t.Errorf("%s: %s %s: %d %s", who, c.method, c.target, w.Code, w.Body)
			}
			if words := shows(w); len(words) > 0 {
				t.Errorf("%s: %s %s says %v: %d %s", who, c.method, c.target, words, w.Code, w.Body)
			}
		}
	}
	if f.docs.Current().Revision != before.Revision {
		t.Error("a dry run has changed the document")
	}
}
