package api

import (
	"net/http"
	"strings"
	"testing"
)

// TestReferencePage: all operations are on the page, it loads nothing, and what is in it cannot run.
func TestReferencePage(t *testing.T) {
	f := newFixture(t, nil)
	w := f.request(http.MethodGet, "/docs", "")
	page := w.Body.String()
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("GET /docs = %d %v", w.Code, w.Header())
	}
	for _, item := range openAPI(t, f)["paths"].(map[string]any) {
		for _, op := range item.(map[string]any) {
			if id := op.(map[string]any)["operationId"].(string); !strings.Contains(page, `<details id="`+id+`">`) {
				t.Errorf("operation %s is not on the page", id)
			}
		}
	}
	for _, want := range []string{`id="schema-ConfigService"`, `href="#schema-WriteResult"`, "round-robin, ", "prefers-color-scheme: dark"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, outside := range []string{"<script", "src=", "href=\"http", "@import", "url("} {
		if strings.Contains(page, outside) {
			t.Errorf("the page has %s", outside)
		}
	}
}
