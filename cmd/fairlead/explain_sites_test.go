package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSitesAreAskedSideBySide: no site is waited for before the next one is asked, not more of them than may be are asked
// at once, and the order is the document's.
func TestSitesAreAskedSideBySide(t *testing.T) {
	const sites = 2*maxSitesAtOnce + 1
	var mu sync.Mutex
	asking, most := 0, 0
	full := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v1/status/sites" {
			var list []string
			for i := range sites {
				list = append(list, fmt.Sprintf(`{"name": "site-%02d"}`, i))
			}
			fmt.Fprintf(w, `{"sites": [%s], "at": "2026-11-22T06:00:00Z"}`, strings.Join(list, ", "))
			return
		}
		mu.Lock()
		if asking++; asking > most {
			if most = asking; most == maxSitesAtOnce {
				close(full)
			}
		}
		mu.Unlock()
		select {
		case <-full:
		case <-time.After(patience):
			t.Errorf("fewer than %d sites are asked side by side", maxSitesAtOnce)
		}
		mu.Lock()
		asking--
		mu.Unlock()
		if site := r.URL.Query().Get("at_site"); site == "site-01" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"status": 503, "detail": "there is no session with the site", "errors": [{"pointer": "/query/at_site", "code": "site-silent"}]}`)
		} else {
			fmt.Fprint(w, explained(site, "192.0.2.80", "web-"+site))
		}
	}))
	t.Cleanup(server.Close)

	var out output
	if code := run(t.Context(), []string{"explain", "rtt.test", "--at-site", "all", "--api", server.URL}, &out, &out); code != exitDone {
		t.Fatalf("exit code %d: %s", code, out.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")[1:]
	for i, line := range lines[:sites] {
		if want := fmt.Sprintf("site-%02d", i); !strings.Contains(line, want) || (i == 1) != strings.Contains(line, "no session") {
			t.Errorf("line %d: %q, want %s", i, line, want)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if most != maxSitesAtOnce {
		t.Errorf("at most %d sites were asked at once, want %d", most, maxSitesAtOnce)
	}
}
