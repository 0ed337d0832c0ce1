package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// TestReplayOfAMergedDocument: a node serves what sites made of their writes, also where a reference in it has no effect any more.
func TestReplayOfAMergedDocument(t *testing.T) {
	dangling := strings.Replace(writableDocument, "members: [{service: web}]", "members: [{service: web}, {service: gone}]", 1)
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/config":
			w.Header().Set("Content-Type", "application/yaml")
			_, _ = io.WriteString(w, dangling)
		case "/v1/files":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"objects": []}`)
		case "/v1/sync":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"mode": "seed", "not_served": "revision 4f2a cannot be served: why"}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer node.Close()
	dir := t.TempDir()
	log, candidate := filepath.Join(dir, "queries.json"), filepath.Join(dir, "candidate.yaml")
	write(t, log, `{"client":"192.0.2.0/24","name":"www.example.test.","type":"A"}`+"\n")
	write(t, candidate, writableDocument)
	var out output
	args := []string{"replay", "--api", strings.TrimPrefix(node.URL, "http://"), "--log", log, "--candidate", candidate}
	if code := run(t.Context(), args, &out, &out); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
	says(t, out.String(), "is not the one that is served: revision 4f2a cannot be served: why", "1 queries of 1 kinds: 0 % of the answers change")
}
