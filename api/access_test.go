package api

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/internal/access"
	"fairlead/internal/audit"
	"fairlead/sites"
)

// guarded is a fixture with tokens: one of each role by its word, web for an operator that is limited to team web, and old.
type guarded struct {
	*fixture
	tokens map[string]string
	log    *audit.Log
}

func newGuarded(t *testing.T, change func(*access.Options)) *guarded {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.json")
	g := &guarded{tokens: map[string]string{}}
	now := time.Now()
	for name, spec := range map[string]access.TokenSpec{
		"viewer": {Role: access.Viewer}, "operator": {Role: access.Operator}, "admin": {Role: access.Admin},
		"web":       {Role: access.Operator, Labels: map[string]string{"team": "web"}},
		"web-admin": {Role: access.Admin, Labels: map[string]string{"team": "web"}},
	} {
		spec.Name = name
		secret, _, err := access.Create(path, spec, now)
		if err != nil {
			t.Fatal(err)
		}
		g.tokens[name] = secret
	}
	secret, _, err := access.Create(path, access.TokenSpec{Name: "old", Role: access.Admin, Expires: now.Add(-time.Hour)}, now.Add(-2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	g.tokens["old"] = secret
	o := access.Options{TokensFile: path}
	if change != nil {
		change(&o)
	}
	guard, err := access.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if g.log, err = audit.Open(audit.Options{Path: filepath.Join(t.TempDir(), "audit.jsonl")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.log.Close(); err != nil {
			t.Error(err)
		}
	})
	g.fixture = newFixture(t, func(o *Options) {
		o.Access, o.Audit = guard, g.log
		o.Overrides = sites.NewOverrides(sites.OverridesOptions{})
	})
	for i := range g.state.Document.Services {
		if s := &g.state.Document.Services[i]; s.Name == "web-ams" {
			s.Labels = config.Labels{"team": "web", "env": "prod"}
		}
	}
	return g
}

// as sends a request with a token of newGuarded; empty: without.
func (g *guarded) as(token, method, path, body string) *httptest.ResponseRecorder {
	if token == "" {
		return g.request(method, path, body)
	}
	return g.request(method, path, body, "Authorization", "Bearer "+g.tokens[token])
}

// answered decodes a 200.
func answered[T any](t *testing.T, w *httptest.ResponseRecorder) (out T) {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("got %d: %s", w.Code, w.Body)
	}
	decode(t, w.Body, &out)
	return out
}

func (g *guarded) audited(t *testing.T) []audit.Line {
	t.Helper()
	page, err := g.log.List(t.Context(), audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return page.Lines
}

const (
	drainPath = "/v1/services/web-ams/drain"
	drainBody = `{"reason":"upgrade"}`
)

func TestWhoMay(t *testing.T) {
	g := newGuarded(t, nil)
	for _, c := range []struct {
		name, token, method, path, body string
		status                          int
		code                            string
	}{
		{"nobody reads", "", "GET", "/v1/status/services", "", 401, resource.CodeNoCredentials},
		{"nobody scrapes", "", "GET", "/metrics", "", 401, resource.CodeNoCredentials},
		{"nobody reads the description", "", "GET", "/openapi.json", "", 401, resource.CodeNoCredentials},
		{"anybody asks whether it lives", "", "GET", "/livez", "", 200, ""},
		{"also with an old token", "old", "GET", "/livez", "", 200, ""},
		{"an old token", "old", "GET", "/v1/version", "", 401, resource.CodeExpiredToken},
		{"a viewer reads", "viewer", "GET", "/v1/status/services", "", 200, ""},
		{"a viewer scrapes", "viewer", "GET", "/metrics", "", 200, ""},
		{"a viewer explains", "viewer", "GET", "/v1/explain?name=www.gslb.example.com&type=A&client=192.0.2.1", "", 200, ""},
		{"a viewer asks another site", "viewer", "GET", "/v1/explain?name=www.gslb.example.com&type=A&client=192.0.2.1&at_site=nyc", "", 403, resource.CodeRoleTooSmall},
		{"a viewer drains", "viewer", "POST", drainPath, drainBody, 403, resource.CodeRoleTooSmall},
		{"a viewer pushes", "viewer", "PUT", "/v1/services/web-ams/load", `{"active":1}`, 403, resource.CodeRoleTooSmall},
		{"an operator drains", "operator", "POST", drainPath, drainBody, 200, ""},
		{"an operator lists tokens", "operator", "GET", "/v1/tokens", "", 403, resource.CodeRoleTooSmall},
		{"an operator reads the audit log", "operator", "GET", "/v1/audit", "", 403, resource.CodeRoleTooSmall},
		{"an admin lists tokens", "admin", "GET", "/v1/tokens", "", 200, ""},
		{"web drains its own", "web", "POST", drainPath, drainBody, 200, ""},
		{"web drains another's", "web", "POST", "/v1/services/api-ams/drain", drainBody, 403, resource.CodeOutsideLabels},
		{"web drains what there is not", "web", "POST", "/v1/services/none/drain", drainBody, 403, resource.CodeOutsideLabels},
		{"web drains a site", "web", "POST", "/v1/sites/ams/drain", drainBody, 403, resource.CodeOutsideLabels},
		{"web pushes its own", "web", "PUT", "/v1/services/web-ams/load", `{"active":1}`, 204, ""},
		{"web pushes another's", "web", "PUT", "/v1/services/web-tyo/load", `{"active":1}`, 403, resource.CodeOutsideLabels},
		{"web forgets sessions", "web", "DELETE", "/v1/sessions", "", 403, resource.CodeOutsideLabels},
		{"web reads all", "web", "GET", "/v1/status/services/api-ams", "", 200, ""},
		{"a limited admin makes tokens", "web-admin", "POST", "/v1/tokens", `{"name":"mine","role":"admin"}`, 403, resource.CodeOutsideLabels},
		{"nowhere", "", "GET", "/nowhere", "", 404, resource.CodeNoSuchResource},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := g.as(c.token, c.method, c.path, c.body)
			if w.Code != c.status {
				t.Fatalf("got %d, want %d: %s", w.Code, c.status, w.Body)
			}
			if c.code != "" {
				if p := refusal(t, w); p.Errors[0].Code != c.code {
					t.Errorf("got %+v, want %s", p, c.code)
				}
			}
			if got := w.Header().Get("WWW-Authenticate"); (c.status == 401) != strings.HasPrefix(got, "Bearer") {
				t.Errorf("WWW-Authenticate: %q", got)
			}
			if strings.Contains(w.Body.String(), "flt_") && c.status != 401 {
				t.Errorf("a token is shown: %s", w.Body)
			}
		})
	}
}

// TestEveryOperationHasARight holds the table of rights to the operations that there are.
func TestEveryOperationHasARight(t *testing.T) {
	var operations []string
	for _, item := range openAPI(t, newFixture(t, nil))["paths"].(map[string]any) {
		for _, op := range item.(map[string]any) {
			operations = append(operations, op.(map[string]any)["operationId"].(string))
		}
	}
	table := rights()
	for _, o := range operations {
		if _, ok := table[o]; !ok {
			t.Errorf("operation %s has no right: it is for admins alone", o)
		}
	}
	for o := range table {
		if !slices.Contains(operations, o) {
			t.Errorf("right of %s: there is no such operation", o)
		}
	}
}

func TestCredentials(t *testing.T) {
	g := newGuarded(t, nil)
	good := g.tokens["viewer"]
	for _, c := range []struct {
		name, header, code string
	}{
		{"a typing error", "Bearer " + good[:20] + "x" + good[21:], resource.CodeMistypedToken},
		{"a part of it", "Bearer " + good[:40], resource.CodeMistypedToken},
		{"a password", "Basic " + good, resource.CodeBadCredentials},
		{"nothing", "", resource.CodeBadCredentials},
		{"very long", "Bearer " + strings.Repeat("x", 2000), resource.CodeBadCredentials},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := g.request(http.MethodGet, "/v1/version", "", "Authorization", c.header)
			if p := refusal(t, w); w.Code != 401 || p.Errors[0].Code != c.code || strings.Contains(w.Body.String(), good[:12]) {
				t.Errorf("got %d %+v, want %s", w.Code, p, c.code)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	f := newFixture(t, nil)
	if got := f.request(http.MethodGet, "/livez", "", "X-Request-Id", "ci-17.a_B").Header().Get("X-Request-Id"); got != "ci-17.a_B" {
		t.Errorf("got %q, want what was sent", got)
	}
	for _, bad := range []string{"", "two words", strings.Repeat("x", 65), "ü"} {
		if got := f.request(http.MethodGet, "/livez", "", "X-Request-Id", bad).Header().Get("X-Request-Id"); len(got) != 16 || got == bad {
			t.Errorf("for %q: got %q, want one that was made", bad, got)
		}
	}
}

func TestTooManyRequests(t *testing.T) {
	g := newGuarded(t, func(o *access.Options) { o.RateLimit = 1 })
	var last *httptest.ResponseRecorder
	for range 3 {
		last = g.as("viewer", http.MethodGet, "/v1/version", "")
	}
	if p := refusal(t, last); last.Code != 429 || p.Errors[0].Code != resource.CodeTooManyRequests || last.Header().Get("Retry-After") == "" {
		t.Errorf("the third at once: %d %+v", last.Code, p)
	}
	if w := g.as("operator", http.MethodGet, "/v1/version", ""); w.Code != 200 {
		t.Errorf("another token: %d", w.Code)
	}
}

func TestTooManyFailures(t *testing.T) {
	g := newGuarded(t, nil)
	var last *httptest.ResponseRecorder
	for range 30 {
		last = g.request(http.MethodGet, "/v1/version", "", "Authorization", "Bearer wrong")
	}
	if p := refusal(t, last); last.Code != 429 || p.Errors[0].Code != resource.CodeTooManyFailures {
		t.Errorf("after 30 wrong ones: %d %+v", last.Code, p)
	}
	if w := g.as("viewer", http.MethodGet, "/v1/version", ""); w.Code != 200 {
		t.Errorf("the right token from the same address: %d", w.Code)
	}
	w := g.as("viewer", http.MethodGet, "/metrics", "")
	if !strings.Contains(w.Body.String(), `fairlead_api_refused_total{reason="too-many-failures"}`) {
		t.Error("the metric does not tell of it")
	}
}

func TestAuditedWrites(t *testing.T) {
	g := newGuarded(t, nil)
	g.request(http.MethodPost, drainPath, drainBody, "Authorization", "Bearer "+g.tokens["operator"], "X-Request-Id", "one")
	g.as("viewer", http.MethodPost, drainPath, drainBody)
	g.as("", http.MethodPost, drainPath, drainBody)
	g.as("web", http.MethodPost, "/v1/services/api-ams/drain", drainBody)
	g.as("operator", http.MethodPost, "/v1/services/api-ams/clear", `{}`)
	g.as("operator", http.MethodPut, "/v1/services/web-ams/load", `{"active":1}`)
	g.as("viewer", http.MethodPut, "/v1/services/web-ams/load", `{"active":1}`)
	g.as("viewer", http.MethodGet, "/v1/tokens", "")
	var got []string
	for _, l := range slices.Backward(g.audited(t)) {
		got = append(got, strings.Join([]string{string(l.Outcome), l.Who.Kind, l.Who.Name, l.Action, l.Object}, " "))
	}
	want := []string{
		"accepted token operator drain service/web-ams",
		"refused token viewer drain-service /v1/services/web-ams/drain",
		"refused none  drain-service /v1/services/web-ams/drain",
		"refused token web drain service/api-ams",
		"accepted token operator clear service/api-ams",
		"failed token operator clear service/api-ams",
		"refused token viewer list-tokens /v1/tokens",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	first := g.audited(t)[len(want)-1]
	if first.Request != "one" || first.Reason != "upgrade" || first.Who.ID == "" || first.Who.Remote == "" {
		t.Errorf("got %+v", first)
	}
	w := g.as("admin", http.MethodGet, "/v1/audit?who=operator&limit=2", "")
	page := answered[resource.AuditPage](t, w)
	if len(page.Entries) != 2 || page.NextCursor == "" || page.Head.Seq != uint64(len(want)) {
		t.Fatalf("got %+v", page)
	}
	page = answered[resource.AuditPage](t, g.as("admin", http.MethodGet, "/v1/audit?who=operator&limit=2&cursor="+page.NextCursor, ""))
	if len(page.Entries) != 1 || page.Entries[0].Action != "drain" {
		t.Errorf("the next page: %+v", page)
	}
	overrides := answered[resource.OverrideList](t, g.as("admin", http.MethodGet, "/v1/overrides", ""))
	if o := overrides.Overrides[0]; o.Owner != "operator" {
		t.Errorf("got owner %q, want the token's name", o.Owner)
	}
}

// TestRefusedAttemptsAreBounded keeps who may nothing from filling the audit log.
func TestRefusedAttemptsAreBounded(t *testing.T) {
	g := newGuarded(t, nil)
	for range attemptBurst + 20 {
		g.as("viewer", http.MethodPost, drainPath, drainBody)
	}
	if got := len(g.audited(t)); got > attemptBurst+2 {
		t.Errorf("%d lines, want about %d", got, attemptBurst)
	}
}

// TestNothingUnaudited refuses what cannot be audited.
func TestNothingUnaudited(t *testing.T) {
	g := newGuarded(t, nil)
	if err := g.log.Close(); err != nil {
		t.Fatal(err)
	}
	w := g.as("operator", http.MethodPost, drainPath, drainBody)
	if p := refusal(t, w); w.Code != 503 || p.Errors[0].Code != resource.CodeNotAudited || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %+v", w.Code, p)
	}
	if list := answered[resource.OverrideList](t, g.as("viewer", http.MethodGet, "/v1/overrides", "")); len(list.Overrides) != 0 {
		t.Errorf("it was done all the same: %+v", list)
	}
}

func TestTokens(t *testing.T) {
	g := newGuarded(t, nil)
	w := g.as("admin", http.MethodPost, "/v1/tokens", `{"name":"ci","role":"viewer","labels":{"team":"web"}}`)
	made := answered[resource.CreatedToken](t, w)
	g.tokens["ci"] = made.Secret
	if made.CreatedBy != "admin" || made.Role != "viewer" || !strings.HasPrefix(made.Secret, "flt_") {
		t.Fatalf("got %+v", made)
	}
	who := answered[resource.Identity](t, g.as("ci", http.MethodGet, "/v1/identity", ""))
	if who.Name != "ci" || who.Kind != "token" || who.Labels["team"] != "web" {
		t.Errorf("got %+v", who)
	}
	list := g.as("admin", http.MethodGet, "/v1/tokens", "")
	if text := list.Body.String(); strings.Contains(text, "flt_") || strings.Contains(text, "sha256") {
		t.Errorf("the list shows secrets: %s", text)
	}
	tokens := answered[resource.TokenList](t, list).Tokens
	i := slices.IndexFunc(tokens, func(t resource.Token) bool { return t.Name == "ci" })
	if i < 0 || tokens[i].LastUsed.IsZero() {
		t.Errorf("got %+v, want ci as used", tokens)
	}
	for _, c := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"name taken", "POST", "/v1/tokens", `{"name":"ci","role":"viewer"}`, 409},
		{"bad name", "POST", "/v1/tokens", `{"name":"c i","role":"viewer"}`, 422},
		{"bad role", "POST", "/v1/tokens", `{"name":"x","role":"root"}`, 422},
		{"bad label", "POST", "/v1/tokens", `{"name":"x","role":"viewer","labels":{"a b":"c"}}`, 422},
		{"over already", "POST", "/v1/tokens", `{"name":"x","role":"viewer","expires":"2001-01-01T00:00:00Z"}`, 422},
		{"none of this name", "DELETE", "/v1/tokens/none", "", 404},
		{"revoke", "DELETE", "/v1/tokens/ci", "", 200},
	} {
		if w := g.as("admin", c.method, c.path, c.body); w.Code != c.status {
			t.Errorf("%s: got %d, want %d: %s", c.name, w.Code, c.status, w.Body)
		}
	}
	if w := g.as("ci", http.MethodGet, "/v1/version", ""); w.Code != 401 {
		t.Errorf("with a revoked token: %d", w.Code)
	}
	for _, l := range g.audited(t) {
		if text := l.Reason + l.Diff + l.Object; strings.Contains(text, "flt_") {
			t.Errorf("the audit log has a token: %+v", l)
		}
	}
}

// TestLoopback lets this machine in without a token only where that is wanted.
func TestLoopback(t *testing.T) {
	for _, c := range []struct {
		anonymous      access.Role
		remote         string
		read, makes401 int
	}{
		{access.NoRole, "127.0.0.1:1", 401, 401},
		{access.Viewer, "127.0.0.1:1", 200, 403},
		{access.Admin, "[::1]:1", 200, 200},
		{access.Admin, "192.0.2.1:1", 401, 401},
	} {
		g := newGuarded(t, func(o *access.Options) { o.Anonymous = c.anonymous })
		for path, want := range map[string]int{"/v1/version": c.read, "/v1/audit": c.makes401} {
			req := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8053"+path, nil)
			req.RemoteAddr = c.remote
			w := httptest.NewRecorder()
			g.handler.ServeHTTP(w, req)
			if w.Code != want {
				t.Errorf("%s from %s with %s: got %d, want %d", path, c.remote, c.anonymous, w.Code, want)
			}
		}
	}
}

func TestHosts(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Host = func(name string) bool { return name == "ams.example.com" } })
	for host, want := range map[string]int{"ams.example.com": 200, "ams.example.com:8443": 200, "127.0.0.1:8443": 200, "attacker.test": 421} {
		if w := f.request(http.MethodGet, "/livez", "", "Host", host); w.Code != want {
			t.Errorf("host %s: got %d, want %d", host, w.Code, want)
		}
	}
}

// TestNoTokens is a node without a tokens file.
func TestNoTokens(t *testing.T) {
	guard, err := access.New(access.Options{Anonymous: access.Admin})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(o *Options) { o.Access = guard })
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		body := ""
		if method == http.MethodPost {
			body = `{"name":"ci","role":"viewer"}`
		}
		w := f.request(method, "/v1/tokens", body)
		if p := refusal(t, w); w.Code != 409 || p.Errors[0].Code != resource.CodeNoTokens {
			t.Errorf("%s: got %d %+v", method, w.Code, p)
		}
	}
}
