package api

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/api/resource"
	"fairlead/monitors/metric"
)

func TestLocalHost(t *testing.T) {
	tests := []struct {
		host string
		want bool
	}{
		{"127.0.0.1", true}, {"127.0.0.1:8053", true}, {"127.9.9.9:1", true}, {"[::1]:8053", true}, {"[::1]", true}, {"::1", true},
		{"localhost", true}, {"LocalHost:8053", true}, {"localhost.:8053", true}, {"[::ffff:127.0.0.1]:8053", true},
		{"", false}, {":8053", false}, {"attacker.test:8053", false}, {"localhost.attacker.test", false}, {"127.0.0.1.attacker.test:8053", false},
		{"192.0.2.1:8053", false}, {"0.0.0.0:8053", false}, {"[::]:8053", false}, {"0x7f.1", false}, {"127.1", false}, {"[fe80::1]", false},
	}
	for _, test := range tests {
		if got := localHost(test.host); got != test.want {
			t.Errorf("localHost(%q) is %t, want %t", test.host, got, test.want)
		}
	}
}

// TestHost tries every kind of route: none may be reached under another name.
func TestHost(t *testing.T) {
	f := newFixture(t, nil)
	for _, path := range []string{"/v1/status/services", "/v1/version", "/metrics", "/livez", "/readyz", "/openapi.json", "/nowhere"} {
		w := f.request(http.MethodGet, path, "", "Host", "attacker.test:8053")
		if p := refusal(t, w); w.Code != http.StatusMisdirectedRequest || p.Errors[0].Code != resource.CodeHostNotLocal {
			t.Errorf("GET %s of another host: %d %+v", path, w.Code, p)
		}
	}
}

func TestOrigin(t *testing.T) {
	const push, body = "/v1/services/web-ams/load", `{"active":1}`
	tests := []struct {
		name, method string
		headers      []string
		want         int
	}{
		{"program", http.MethodPut, nil, 204},
		{"same origin", http.MethodPut, []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:8053"}, 204},
		{"other site", http.MethodPut, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://attacker.test"}, 403},
		{"other port", http.MethodPut, []string{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:3000"}, 403},
		{"old browser", http.MethodPut, []string{"Origin", "https://attacker.test"}, 403},
		{"file", http.MethodPut, []string{"Origin", "null"}, 403},
		{"reading", http.MethodGet, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://attacker.test"}, 405},
		{"preflight", http.MethodOptions, []string{"Origin", "https://attacker.test", "Access-Control-Request-Method", "PUT"}, 405},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newFixture(t, nil).request(test.method, push, body, test.headers...)
			if w.Code != test.want {
				t.Errorf("status %d, want %d: %s", w.Code, test.want, w.Body)
			}
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s is sent", name)
				}
			}
			if w.Code == http.StatusForbidden {
				refusal(t, w)
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	f := newFixture(t, nil)
	tests := []struct {
		method, path string
		want         int
		allow        string
	}{
		{http.MethodDelete, "/v1/services/web-ams/load", 405, "PUT"},
		{http.MethodPost, "/v1/status/services", 405, "GET, HEAD"},
		{"BREW", "/livez", 405, "GET, HEAD"},
		{http.MethodGet, "/", 404, ""},
		{http.MethodGet, "/docs/", 404, ""},
		{http.MethodGet, "/v1/version/", 404, ""},
		{http.MethodGet, "/../livez", 404, ""},
		{http.MethodHead, "/v1/version", 200, ""},
		{http.MethodHead, "/metrics", 200, ""},
	}
	for _, test := range tests {
		w := f.request(test.method, test.path, "")
		if w.Code != test.want || w.Header().Get("Allow") != test.allow {
			t.Errorf("%s %s = %d, Allow %q; want %d, %q", test.method, test.path, w.Code, w.Header().Get("Allow"), test.want, test.allow)
		}
		if w.Code >= 400 {
			refusal(t, w)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s lacks headers: %v", test.method, test.path, w.Header())
		}
	}
}

// TestAccept sends what clients prefer, also nonsense: there is one representation.
func TestAccept(t *testing.T) {
	f := newFixture(t, nil)
	for _, accept := range []string{"text/html", "application/cbor", "a;,", ";q=", ",;", "*/*;q=0"} {
		if w := f.request(http.MethodGet, "/v1/version", "", "Accept", accept); w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("Accept %q: %d %s", accept, w.Code, w.Body)
		}
	}
}

func TestPanic(t *testing.T) {
	core, logged := observer.New(zapcore.InfoLevel)
	f := newFixture(t, func(o *Options) {
		o.Logger = zap.New(core)
		o.PushLoad = func(string, metric.Metrics, time.Time) error { panic("secret") }
	})
	w := f.request(http.MethodPut, "/v1/services/web-ams/load", `{"active":1}`)
	if p := refusal(t, w); w.Code != http.StatusInternalServerError || strings.Contains(p.Detail, "secret") {
		t.Errorf("answer is %d %+v", w.Code, p)
	}
	if n := logged.FilterMessage("api.panic").Len(); n != 1 {
		t.Errorf("logged %d panics, want 1", n)
	}
}

// TestPanicHalfway panics when a part of the response is out: the connection must be cut.
func TestPanicHalfway(t *testing.T) {
	r := &resources{log: zap.NewNop()}
	h := r.recovered(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("bug")
	}))
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("panic is %v, want http.ErrAbortHandler", p)
		}
	}()
	h.ServeHTTP(newRecorder(), newRequest(http.MethodGet, "/"))
}

// TestRefusedLog repeats refused requests: the log gets one line a second.
func TestRefusedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logged := observer.New(zapcore.InfoLevel)
		f := newFixture(t, func(o *Options) { o.Logger = zap.New(core) })
		for range 100 {
			f.request(http.MethodGet, "/livez", "", "Host", strings.Repeat("x", 5000))
			time.Sleep(50 * time.Millisecond)
		}
		entries := logged.FilterMessage("api.refused").All()
		if len(entries) != 5 {
			t.Errorf("%d lines in 5 s, want 5", len(entries))
		}
		if host := entries[0].ContextMap()["host"].(string); len(host) != maxLoggedHost {
			t.Errorf("logged %d octets of the host", len(host))
		}
	})
}

func TestNotReady(t *testing.T) {
	f := newFixture(t, func(o *Options) {
		o.State = func() *State { return nil }
		o.Ready = func() []Check { return []Check{{"dns", true, "listening"}, {"document", false, "none yet"}} }
	})
	for _, path := range []string{"/v1/status/services", "/v1/status/services/x", "/v1/status/sites", "/v1/status/sites/x", "/v1/status/document", "/v1/explain?name=x"} {
		if w := f.request(http.MethodGet, path, ""); w.Code != http.StatusServiceUnavailable || refusal(t, w).Errors[0].Code != resource.CodeNothingServedYet {
			t.Errorf("GET %s = %d", path, w.Code)
		}
	}
	for path, want := range map[string]int{"/livez": 200, "/readyz": 503, "/metrics": 200, "/v1/version": 200} {
		if w := f.request(http.MethodGet, path, ""); w.Code != want {
			t.Errorf("GET %s = %d, want %d: %s", path, w.Code, want, w.Body)
		}
	}
}

func TestHealth(t *testing.T) {
	down := func(o *Options) {
		o.Ready = func() []Check { return []Check{{"dns", true, "listening"}, {"serving", false, "leaving"}} }
	}
	tests := []struct {
		name, path string
		change     func(*Options)
		status     int
		want       string
	}{
		{"live", "/livez", down, 200, "ok\n"},
		{"ready", "/readyz", nil, 200, "ok\n"},
		{"ready in words", "/readyz?verbose", nil, 200, "[+] dns: listening\nok\n"},
		{"not ready", "/readyz", down, 503, "[+] dns: listening\n[-] serving: leaving\nnot ready\n"},
		{"no checks", "/readyz?verbose", func(o *Options) { o.Ready = nil }, 200, "ok\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newFixture(t, test.change).request(http.MethodGet, test.path, "")
			if w.Code != test.status || w.Body.String() != test.want {
				t.Errorf("%s = %d %q, want %d %q", test.path, w.Code, w.Body, test.status, test.want)
			}
		})
	}
}

func TestNewNeedsState(t *testing.T) {
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "State") {
		t.Errorf("New without State: %v", err)
	}
}

// TestServer serves over a socket: the limits of Server hold, and the handler works behind it.
func TestServer(t *testing.T) {
	f := newFixture(t, nil)
	s := Server(f.handler)
	if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 || s.ErrorLog == nil {
		t.Errorf("a limit is missing: %+v", s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	defer func() {
		_ = s.Close()
		if err := <-ended; err != http.ErrServerClosed {
			t.Error(err)
		}
	}()
	for _, test := range []struct {
		name, request, want string
	}{
		{"good", "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 "},
		{"huge header", "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
		{"no host", "GET /livez HTTP/1.0\r\n\r\n", "HTTP/1.0 421 "},
		{"not HTTP", "\x00\x01\x02\r\n\r\n", "HTTP/1.1 400 "},
	} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, test.request)
		answer, _ := io.ReadAll(conn)
		_ = conn.Close()
		if !bytes.HasPrefix(answer, []byte(test.want)) {
			t.Errorf("%s: answer %.60q, want %q", test.name, answer, test.want)
		}
	}
}

// FuzzRequest sends hostile parameters and bodies: every answer is one that the interface documents.
func FuzzRequest(f *testing.F) {
	f.Add("name=www.gslb.example.com&client=192.0.2.1&subnet=203.0.113.0/24&type=AAAA", `{"active":1}`, "web-ams", "application/json", "127.0.0.1")
	f.Add("limit=2&cursor=YQ&state=UP,DOWN&site=ams", `{"active":-1,"at":"x"}`, "..", "text/plain; x", "attacker.test")
	f.Add("a[=1&%zz&name=\\", `{`, "a%2fb", "+;+", "[::1")
	fixture := newFixture(f, nil)
	f.Fuzz(func(t *testing.T, query, body, name, contentType, host string) {
		for _, target := range []string{"/v1/explain", "/v1/status/services", "/v1/status/services/x", "/readyz"} {
			r := newRequest(http.MethodGet, target)
			r.URL.RawQuery = query
			check(t, fixture, r)
		}
		r := newRequest(http.MethodPut, "/v1/services/x/load")
		r.URL.Path, r.Body = "/v1/services/"+name+"/load", io.NopCloser(strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		check(t, fixture, r)
		if localHost(host) {
			bare := strings.Trim(strings.TrimSuffix(host, "."), "[]")
			if h, _, err := net.SplitHostPort(host); err == nil {
				bare = strings.TrimSuffix(h, ".")
			}
			if a, err := netip.ParseAddr(bare); !strings.EqualFold(bare, "localhost") && (err != nil || !a.Unmap().IsLoopback()) {
				t.Errorf("%q counts as local", host)
			}
		}
	})
}

func check(t *testing.T, f *fixture, r *http.Request) {
	t.Helper()
	w := newRecorder()
	f.handler.ServeHTTP(w, r)
	switch {
	case w.Code == http.StatusInternalServerError && r.Method != http.MethodPut, w.Code > 500:
		t.Errorf("%s %s = %d %s", r.Method, r.URL, w.Code, w.Body)
	case w.Code >= 400 && r.URL.Path != "/readyz":
		refusal(t, w)
	}
}
