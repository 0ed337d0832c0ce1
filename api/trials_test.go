package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/monitors"
	"fairlead/monitors/probe"
	"fairlead/monitors/source"
	"fairlead/monitors/trial"
)

// withMonitors gives a node monitors: 192.0.2.80 answers, all else refuses.
func withMonitors(o *Options) {
	prober := probe.New(probe.Options{DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
		if !strings.HasPrefix(address, "192.0.2.8") {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		here, there := net.Pipe()
		there.Close()
		return here, nil
	}})
	o.Trials = trial.New(trial.Options{Prober: prober, Reader: source.New(source.Options{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}}), Lookup: func(_ context.Context, name string) ([]netip.Addr, error) {
		if name == "web.example.net" {
			return []netip.Addr{netip.MustParseAddr("192.0.2.81"), netip.MustParseAddr("192.0.2.99")}, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: name}
	}})
	began := time.Now().Add(-time.Minute)
	o.MonitoredServices = func() []string { return []string{"web-ams"} }
	o.Verdicts = func(service string) []monitors.Verdict {
		if service != "web-ams" {
			return nil
		}
		return []monitors.Verdict{
			{Service: service, Monitor: "web-ok", Address: netip.MustParseAddrPort("192.0.2.80:80"), State: monitors.Up, Since: began, At: began.Add(55 * time.Second),
				Reason: "connected", Latency: 2 * time.Millisecond, Draining: true, Successes: 12, Values: []probe.Value{{Name: "load", Value: 0.5}}},
			{Service: service, Monitor: "web-ok", Address: netip.MustParseAddrPort("[2001:db8:a::80]:80"), State: monitors.Down, Since: began, At: began, Reason: "tcp connect refused", Failures: 3},
			{Service: service, Monitor: "new", Address: netip.MustParseAddrPort("192.0.2.80:80")},
		}
	}
	o.LoadSource = func(service string) (monitors.SourceStatus, bool) {
		return monitors.SourceStatus{Kind: config.LoadJSON, At: began, Failure: "tcp connect refused"}, service == "api-ams"
	}
	o.ProbeCounts = func() []probe.KindCounts {
		k := probe.KindCounts{Type: config.MonitorTCP, Sum: 3 * time.Second}
		k.Outcomes[probe.Passed], k.Outcomes[probe.NoAnswer], k.Durations[0], k.Durations[13] = 5, 2, 6, 1
		return []probe.KindCounts{k}
	}
	o.LoadCounts = func() []monitors.ReadCounts {
		return []monitors.ReadCounts{{Kind: config.LoadJSON, Whole: 7, Failures: 1}}
	}
}

func testMonitor(t *testing.T, f *fixture, name, body string) resource.MonitorTest {
	t.Helper()
	w := f.request(http.MethodPost, "/v1/monitors/"+name+"/test", body)
	if w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	var out resource.MonitorTest
	decode(t, w.Body, &out)
	return out
}

func TestMonitorTest(t *testing.T) {
	f := newFixture(t, withMonitors)
	got := testMonitor(t, f, "web-ok", `{"service": "web-ams"}`)
	if got.Passes || got.Site != "ams" || got.Type != "tcp" || len(got.Runs) != 2 {
		t.Fatalf("got %+v, want 2 runs, of which one fails", got)
	}
	for _, run := range got.Runs {
		state, held := "UP", "UP"
		if run.Address.Is6() {
			state, held = "DOWN", "DOWN"
		}
		if run.State != state || run.Held == nil || run.Held.State != held || run.Reason == "" {
			t.Errorf("got %+v, want %s; the node holds it %s", run, state, held)
		}
	}
	if all := testMonitor(t, f, "web-ok", `{}`); len(all.Runs) != 4 {
		t.Errorf("got %d runs, want every address of both services", len(all.Runs))
	}
	named := testMonitor(t, f, "web-ok", `{"target": "web.example.net:81"}`)
	if len(named.Runs) != 2 || named.Runs[0].State != "UP" || named.Runs[1].State != "DOWN" || named.Runs[0].Port != 81 || named.Runs[0].Held != nil {
		t.Fatalf("got %+v", named.Runs)
	}
	if s := named.Runs[0].Steps; len(s) < 2 || s[0].Name != "dns" || s[1].Name != "connect" || s[1].AtSeconds < s[0].AtSeconds {
		t.Errorf("steps: got %+v, want dns and connect", s)
	}
}

func TestMonitorTestRefuses(t *testing.T) {
	f := newFixture(t, withMonitors)
	for _, c := range []struct {
		path, body, place, says string
		code                    int
	}{
		{"/v1/monitors/none/test", `{}`, "/path/name no-such-monitor", `no monitor "none"`, 404},
		{"/v1/monitors/web-ok/test", `{"service": "none"}`, "/body/service no-such-service", `no service "none"`, 422},
		{"/v1/monitors/web-ok/test", `{"target": "a b"}`, "/body/target invalid", "neither HOST nor HOST:PORT", 422},
		{"/v1/monitors/web-ok/test", `{"target": "192.0.2.80:99999"}`, "/body/target invalid", "neither", 422},
		{"/v1/monitors/web-ok/test", `{"target": "other.example.net"}`, "/body/target invalid", "does not resolve: no such host", 422},
		{"/v1/monitors/web-ok/test", `{"service": "cdn-tyo"}`, "/body/target required", "no address", 422},
		{"/v1/monitors/web-ok/test", `{"targets": ""}`, "/body/targets unknown", "", 422},
		{"/v1/monitors/web-ok/test?x=1", `{}`, "/query/x unknown", "", 422},
		{"/v1/monitors/web-ok/test", "", "/body required", "", 400},
		{"/v1/services/none/load/test", "", "/path/name no-such-service", "", 404},
		{"/v1/services/cdn-tyo/load/test", "", "/path/name no-load-source", "no load source", 404},
	} {
		w := f.request(http.MethodPost, c.path, c.body)
		p := refusal(t, w)
		if w.Code != c.code || len(p.Errors) != 1 || places(p)[0] != c.place || !strings.Contains(p.Errors[0].Detail, c.says) {
			t.Errorf("%s %s: got %d %+v, want %d %s", c.path, c.body, w.Code, p, c.code, c.place)
		}
	}
	if w := f.request(http.MethodPost, "/v1/monitors/web-ok/test", `{}`, "Origin", "https://evil.example"); w.Code != http.StatusForbidden {
		t.Errorf("a page elsewhere: got %d, want 403", w.Code)
	}
	if w := newFixture(t, nil).request(http.MethodPost, "/v1/monitors/web-ok/test", `{}`); w.Code != http.StatusServiceUnavailable {
		t.Errorf("without monitors: got %d, want 503", w.Code)
	}
}

// slowTrials never end by themselves.
type slowTrials struct{ begun chan struct{} }

func (s *slowTrials) Monitor(ctx context.Context, _ *config.Document, _ trial.Question) (*trial.Trial, error) {
	s.begun <- struct{}{}
	<-ctx.Done()
	return nil, errors.New("ended")
}

func (s *slowTrials) Load(context.Context, *config.Document, string) (*trial.Read, error) {
	return nil, nil
}

// question asks for a test.
func question(ctx context.Context) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:8053/v1/monitors/web-ok/test", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = "127.0.0.1:40000"
	return r
}

// TestMonitorTestsAtOnce: so many are run, some wait, and others are told to come back.
func TestMonitorTestsAtOnce(t *testing.T) {
	slow := &slowTrials{begun: make(chan struct{}, 100)}
	f := newFixture(t, func(o *Options) { o.Trials = slow })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const asking = maxTesting + maxTestsWaiting + 1
	ended := make(chan *httptest.ResponseRecorder, asking)
	for range asking {
		go func() {
			w := newRecorder()
			f.handler.ServeHTTP(w, question(ctx))
			ended <- w
		}()
	}
	if w := <-ended; w.Code != http.StatusServiceUnavailable || places(refusal(t, w))[0] != "/path busy" || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %s, want busy", w.Code, w.Body)
	}
	cancel()
	for range asking - 1 {
		<-ended
	}
	if n := len(slow.begun); n > maxTesting {
		t.Errorf("%d tests were run at once, the limit is %d", n, maxTesting)
	}
}

func TestLoadTest(t *testing.T) {
	f := newFixture(t, withMonitors)
	w := f.request(http.MethodPost, "/v1/services/api-ams/load/test", "")
	var got resource.LoadTest
	decode(t, w.Body, &got)
	if w.Code != http.StatusOK || got.OK || got.Source != "json" || got.Failure != "tcp connect refused" || got.Site != "ams" {
		t.Errorf("got %d %+v", w.Code, got)
	}
	w = f.request(http.MethodPost, "/v1/services/web-ams/load/test", "")
	decode(t, w.Body, &got)
	if got.OK || !strings.Contains(got.Failure, "pushed") {
		t.Errorf("got %+v, want that nothing is read", got)
	}
}

// TestVerdictsAreShown: services tell what each monitor says of each address, and how their load sources are.
func TestVerdictsAreShown(t *testing.T) {
	f := newFixture(t, withMonitors)
	s := get[resource.Service](t, f, "/v1/status/services/web-ams")
	if len(s.Monitors) != 3 {
		t.Fatalf("got %+v", s.Monitors)
	}
	v := s.Monitors[0]
	if v.Type != "tcp" || v.State != "UP" || !v.Draining || *v.SinceAgeSeconds < 59 || *v.AgeSeconds > 30 || v.LatencySeconds != 0.002 || v.Successes != 12 || fmt.Sprint(v.Values) != "[{load 0.5 }]" {
		t.Errorf("got %+v", v)
	}
	if v := s.Monitors[2]; v.State != "UNKNOWN" || v.AgeSeconds != nil || v.SinceAgeSeconds != nil {
		t.Errorf("without a result: got %+v", v)
	}
	if s := get[resource.Service](t, f, "/v1/status/services/web-nyc"); s.Monitors != nil || s.LoadSource != nil {
		t.Errorf("not probed here: got %+v %+v", s.Monitors, s.LoadSource)
	}
	if l := get[resource.Service](t, f, "/v1/status/services/api-ams").LoadSource; l == nil || l.Source != "json" || l.Failure != "tcp connect refused" || *l.AgeSeconds < 59 {
		t.Errorf("got %+v", l)
	}
}

// TestPagesOfVerdicts: a page ends before it is more than clients read, and the next one goes on.
func TestPagesOfVerdicts(t *testing.T) {
	f := newFixture(t, func(o *Options) {
		o.Verdicts = func(service string) []monitors.Verdict {
			return []monitors.Verdict{{Service: service, Monitor: "web-ok", Values: make([]probe.Value, maxListed/2)}}
		}
	})
	var names []string
	for next := "?limit=1000"; next != ""; {
		page := get[resource.ServiceList](t, f, servicesPath+next)
		if len(page.Services) > 2 {
			t.Errorf("%d services on a page, want as many as have %d values", len(page.Services), maxListed)
		}
		for _, s := range page.Services {
			names = append(names, s.Name)
		}
		if next = page.NextCursor; next != "" {
			next = "?limit=1000&cursor=" + next
		}
	}
	if want := []string{"api-ams", "cdn-tyo", "old-nyc", "web-ams", "web-nyc", "web-tyo"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestMonitorMetrics(t *testing.T) {
	text := scrape(t, newFixture(t, withMonitors))
	for _, want := range []string{
		`fairlead_probe_results_total{result="passed",type="tcp"} 5`, `fairlead_probe_results_total{result="no-answer",type="tcp"} 2`,
		`fairlead_probe_duration_seconds_bucket{type="tcp",le="0.0005"} 6`, `fairlead_probe_duration_seconds_bucket{type="tcp",le="2.048"} 6`,
		`fairlead_probe_duration_seconds_count{type="tcp"} 7`, `fairlead_probe_duration_seconds_sum{type="tcp"} 3`,
		`fairlead_load_reads_total{result="failed",source="json"} 1`, `fairlead_load_source_failing{service="api-ams"} 1`, `fairlead_load_source_age_seconds{service="api-ams"} 6`,
		`fairlead_monitor_up{address="192.0.2.80",monitor="web-ok",service="web-ams"} 1`, `fairlead_monitor_up{address="2001:db8:a::80",monitor="web-ok",service="web-ams"} 0`,
		`fairlead_monitor_draining{address="192.0.2.80",monitor="web-ok",service="web-ams"} 1`, `fairlead_monitor_latency_seconds{address="192.0.2.80",monitor="web-ok",service="web-ams"} 0.002`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no line starts with %s", want)
		}
	}
	for _, absent := range []string{`monitor="new"`, `fairlead_monitor_latency_seconds{address="2001`} {
		if strings.Contains(text, absent) {
			t.Errorf("%s has a value although nothing was measured", absent)
		}
	}
}
