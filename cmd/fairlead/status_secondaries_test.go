package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// fakeAPI answers each path, with its query, with a body, all else as a node does that lacks the resource.
func fakeAPI(t *testing.T, bodies map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := bodies[r.URL.RequestURI()]
		w.Header().Set("Content-Type", "application/json")
		if !ok {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			body = `{"status": 404, "detail": "nothing is here"}`
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// fakeStatus is fakeAPI of a node without sites and services, that tells one thing besides: body at path; empty: it lacks that.
func fakeStatus(t *testing.T, path, body string) string {
	const at = `"at": "2026-11-22T06:00:00Z"`
	bodies := map[string]string{
		"/v1/status/sites":               `{"sites": [], ` + at + `}`,
		"/v1/status/services?limit=1000": `{"services": [], ` + at + `}`,
		"/v1/status/document":            `{"id": "0123456789", "source": "x.yaml", "since": "2026-11-22T05:00:00Z"}`,
	}
	if body != "" {
		bodies[path] = body
	}
	return fakeAPI(t, bodies)
}

func TestStatusOfSecondaries(t *testing.T) {
	const at = `"at": "2026-11-22T06:00:00Z"`
	tests := []struct {
		name, list string // what the API says of zones from primaries; empty: it lacks the resource
		want       string // the section
	}{
		{"an older node", "", ""},
		{"none", `{"secondaries": [], "counts": {"served": 0, "unserved": 0, "failing": 0}, ` + at + `}`, ""},
		{"all well", `{"secondaries": [], "counts": {"served": 3, "unserved": 0, "failing": 0}, ` + at + `}`,
			"zones from primaries: 3 served, 0 not served, 0 failing\n"},
		{"some fail", `{"secondaries": [
			{"zone": "a.test.", "serial": 4294967295, "confirmed": "2026-11-22T05:00:00Z", "served": true, "failure": "one\ntwo\u001b[31m"},
			{"zone": "b.test.", "served": false, "failure": "timeout"}],
			"counts": {"served": 9, "unserved": 21, "failing": 25}, ` + at + `}`,
			"zones from primaries: 9 served, 21 not served, 25 failing\n" +
				"ZONE     SERIAL      CONFIRMED   SERVED  FAILURE\n" +
				"a.test.  4294967295  1h0m0s ago  yes     one; two\\x1b[31m\n" +
				"b.test.  -           never       no      timeout\n" +
				"and 23 more; /v1/status/secondaries?failing=true lists them all\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			api := fakeStatus(t, "/v1/status/secondaries?failing=true&limit=20", test.list)
			var out, problems output
			if code := run(t.Context(), []string{"status", "--api", api}, &out, &problems); code != exitDone {
				t.Fatalf("exit code %d: %s", code, problems.String())
			}
			_, got, _ := strings.Cut(out.String(), "WHY\n")
			if got != "" {
				got = strings.TrimPrefix(got, "\n")
			}
			if got != test.want {
				t.Errorf("section is\n%s\nwant\n%s", got, test.want)
			}
			out = output{}
			if code := run(t.Context(), []string{"status", "-o", "json", "--api", api}, &out, &problems); code != exitDone {
				t.Fatalf("exit code %d: %s", code, problems.String())
			}
			var all map[string]any
			if err := json.Unmarshal([]byte(out.String()), &all); err != nil {
				t.Fatal(err)
			}
			if _, has := all["secondaries"]; has != (test.want != "") {
				t.Errorf("json has secondaries: %t\n%s", has, out.String())
			}
		})
	}
}
