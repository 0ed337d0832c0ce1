package source

import (
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"fairlead/config"
	"fairlead/monitors/metric"
)

// shown writes out a reading.
func shown(a *Reading) string {
	var out []string
	for m := metric.Active; m <= metric.ResponseSecondsTotal; m++ {
		if v, ok := a.Get(m); ok {
			out = append(out, m.String()+" "+strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64))
		}
	}
	for i, p := range a.Parts {
		if p.Told {
			out = append(out, fmt.Sprintf("part %d %v", i, p.Value))
		}
	}
	if a.Lacks != nil {
		out = append(out, "lacks: "+a.Lacks.Error())
	}
	return strings.Join(out, ", ")
}

// answers serves the files of testdata at paths.
func answers(t *testing.T, files map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Error(err)
		}
		w.Write(text)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestRecorded: what every kind of source reads of answers of its program.
func TestRecorded(t *testing.T) {
	custom := func(paths ...string) (out []config.CustomMetric) {
		for _, p := range paths {
			out = append(out, config.CustomMetric{Name: p, Path: p, Weight: 1, Threshold: 1})
		}
		return out
	}
	tests := []struct {
		name, file string
		src        config.LoadSource
		want       string
	}{
		{"haproxy csv", "haproxy.csv", config.LoadSource{Source: "haproxy", Backend: "web", Custom: custom("qcur")},
			"active 0, response_time 0.004, members 2, member_weight 8, capacity 150, requests_total 43, bytes_total 29816, part 0 0"},
		{"haproxy json", "haproxy.json", config.LoadSource{Source: "haproxy", Backend: "web", Custom: custom("qcur")},
			"active 0, response_time 0.004, members 2, member_weight 8, capacity 150, requests_total 43, bytes_total 29816, part 0 0"},
		{"haproxy metrics: the sum of limits would count the backup server", "haproxy.metrics", config.LoadSource{Source: "haproxy", Backend: "web", Custom: custom("qcur")},
			"active 0, response_time 0.002, members 2, member_weight 8, requests_total 43, bytes_total 29816, part 0 0"},
		{"haproxy down", "haproxy.json", config.LoadSource{Source: "haproxy", Backend: "empty"}, "active 0, members 0, member_weight 0, requests_total 0, bytes_total 0"},
		{"haproxy down, metrics", "haproxy.metrics", config.LoadSource{Source: "haproxy", Backend: "empty"}, "active 0, members 0, member_weight 0, requests_total 0, bytes_total 0"},
		{"vts upstream", "nginx-vts.json", config.LoadSource{Source: "nginx-vts", Backend: "web", Custom: custom("connections.writing", "connections.none")},
			`active 12, members 2, member_weight 4, requests_total 3000, bytes_total 9600000, response_seconds_total 50, part 0 3, lacks: path "connections.none": "connections" has no key "none"`},
		{"vts before 0.1.19, all down but the backup", "nginx-vts.json", config.LoadSource{Source: "nginx-vts", Backend: "old"},
			"active 12, response_time 0.035, members 1, member_weight 2, requests_total 400, bytes_total 10"},
		{"vts server zone", "nginx-vts.json", config.LoadSource{Source: "nginx-vts", Backend: "server:www.example.com"},
			"active 12, requests_total 3000, bytes_total 9600000, response_seconds_total 60"},
		{"plus upstream", "/http/upstreams/web nginx-plus-upstream.json", config.LoadSource{Source: "nginx-plus", Backend: "web", Custom: custom("keepalive")},
			"active 10, response_time 0.025, members 2, member_weight 6, capacity 120, requests_total 4000, bytes_total 2650000, part 0 2"},
		{"plus stream", "/stream/upstreams/db nginx-plus-stream.json", config.LoadSource{Source: "nginx-plus", Backend: "stream:db"},
			"active 3, response_time 0.006, members 1, member_weight 1, requests_total 50, bytes_total 30"},
		{"plus zone", "/http/server_zones/www nginx-plus-zone.json", config.LoadSource{Source: "nginx-plus", Backend: "server:www"},
			"active 4, requests_total 5000, bytes_total 10000"},
		{"envoy metrics", "envoy-stats.txt", config.LoadSource{Source: "envoy", Backend: "web", Custom: custom("upstream_rq_pending_active", "upstream_none")},
			`active 8, members 3, requests_total 4000, bytes_total 10000, response_seconds_total 80, part 0 2, lacks: cluster "web" has no statistic "upstream_none"`},
		{"envoy metrics of Istio", "envoy-stats.txt", config.LoadSource{Source: "envoy", Backend: "outbound|80||shop.default.svc.cluster.local"}, "active 5, requests_total 70"},
		{"envoy metrics that a filter cuts", "envoy-stats.txt", config.LoadSource{Source: "envoy", Backend: "api"},
			`requests_total 9, lacks: cluster "api" has no statistic "upstream_rq_active": does the filter in the url leave it out?`},
		{"envoy stats", "envoy-stats.json", config.LoadSource{Source: "envoy", Backend: "web", Custom: custom("upstream_cx_active")},
			"active 8, members 3, requests_total 4000, bytes_total 10000, part 0 12"},
		{"envoy clusters", "envoy-clusters.json", config.LoadSource{Source: "envoy", Backend: "web", Custom: custom("upstream_cx_active")},
			"active 8, members 2, member_weight 4, capacity 1024, requests_total 4000, part 0 12"},
		{"envoy cluster without hosts", "envoy-clusters.json", config.LoadSource{Source: "envoy", Backend: "api"}, "members 0, member_weight 0"},
		{"traefik 2", "traefik-2.txt", config.LoadSource{Source: "traefik", Backend: "shop@docker", Custom: custom(`traefik_service_open_connections{protocol="websocket"}`)},
			"active 9, members 2, requests_total 110, bytes_total 10000, response_seconds_total 3, part 0 4"},
		{"traefik 2, entry point", "traefik-2.txt", config.LoadSource{Source: "traefik", Backend: "entrypoint:web"}, "active 11"},
		{"traefik 3", "traefik-3.txt", config.LoadSource{Source: "traefik", Backend: "shop"}, "requests_total 250"},
		{"traefik 3, entry point", "traefik-3.txt", config.LoadSource{Source: "traefik", Backend: "entrypoint:web"},
			"active 7, requests_total 250, bytes_total 1000, response_seconds_total 7.5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path, file, ok := strings.Cut(tt.file, " ")
			if !ok {
				path, file = "", tt.file
			}
			src := tt.src
			src.URL = answers(t, map[string]string{"/base" + path: file}) + "/base"
			r := New(Options{})
			defer r.Close()
			got, err := r.Read(context.Background(), &Target{Service: "web", Source: src})
			if err != nil {
				t.Fatal(err)
			}
			if s := shown(&got); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
		})
	}
}

// TestNotThere: an error names what is there instead.
func TestNotThere(t *testing.T) {
	tests := []struct {
		name, file string
		src        config.LoadSource
		want       string
	}{
		{"haproxy json", "haproxy.json", config.LoadSource{Source: "haproxy", Backend: "shop"}, `no BACKEND row for "shop"; there are: web, empty`},
		{"haproxy metrics", "haproxy.metrics", config.LoadSource{Source: "haproxy", Backend: "shop"}, `no metrics of backend "shop"; there are: web, empty`},
		{"vts", "nginx-vts.json", config.LoadSource{Source: "nginx-vts", Backend: "shop"}, `no upstream "shop"; there are: old, web`},
		{"vts zone", "nginx-vts.json", config.LoadSource{Source: "nginx-vts", Backend: "server:shop"}, `no server zone "shop"; there are: www.example.com`},
		{"vts of another document", "envoy-stats.json", config.LoadSource{Source: "nginx-vts", Backend: "web"}, `no upstream "web", nor any other`},
		{"vts of no JSON", "envoy-stats.txt", config.LoadSource{Source: "nginx-vts", Backend: "web"}, "answer is not the JSON that is expected"},
		{"plus", "nginx-vts.json", config.LoadSource{Source: "nginx-plus", Backend: "shop"}, "status 404: the API has no http/upstreams/shop; does the url end in /api/9"},
		{"envoy", "envoy-stats.txt", config.LoadSource{Source: "envoy", Backend: "shop"}, `no statistics of cluster "shop"; there are: web, api, outbound|80||shop.default.svc.cluster.local`},
		{"envoy stats", "envoy-stats.json", config.LoadSource{Source: "envoy", Backend: "shop"}, `no statistics of cluster "shop", nor any other`},
		{"envoy clusters", "envoy-clusters.json", config.LoadSource{Source: "envoy", Backend: "shop"}, `no statistics of cluster "shop"; there are: api, web`},
		{"envoy of another document", "nginx-vts.json", config.LoadSource{Source: "envoy", Backend: "web"}, "neither stats nor cluster_statuses"},
		{"envoy of a table", "haproxy.csv", config.LoadSource{Source: "envoy", Backend: "web"}, "line 2 of the metrics"},
		{"traefik", "traefik-2.txt", config.LoadSource{Source: "traefik", Backend: "none@docker"}, `no metrics of service "none@docker"; there are: shop@docker, api@docker`},
		{"nginx", "traefik-2.txt", config.LoadSource{Source: "nginx"}, "answer is not stub_status but starts with"},
		{"openmetrics", "traefik-2.txt", config.LoadSource{Source: "openmetrics", Fields: config.LoadFields{Active: `up{job="a"}`}}, `no sample is up{job="a"}`},
		{"prometheus", "envoy-stats.json", config.LoadSource{Source: "prometheus", Fields: config.LoadFields{Active: "up"}}, "status 404, want 200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := tt.src
			src.URL = answers(t, map[string]string{"/base": tt.file}) + "/base"
			r := New(Options{})
			defer r.Close()
			_, err := r.Read(context.Background(), &Target{Service: "web", Source: src})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// TestStepsOfARead: what a trace shows; a connection is kept for the next read, and one that was made otherwise serves nobody else.
func TestStepsOfARead(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"a": 1}`) }))
	defer s.Close()
	r := New(Options{})
	defer r.Close()
	read := func(verify bool) string {
		src := config.LoadSource{Source: config.LoadJSON, URL: s.URL, Path: "a", TLS: &config.TLSProbe{Verify: verify}}
		got, err := r.Read(context.Background(), &Target{Service: "web", Source: src})
		if err != nil {
			return err.Error()
		}
		var out []string
		for _, step := range got.Notes {
			out = append(out, step.Name+" "+strings.ReplaceAll(step.Note, s.Listener.Addr().String(), "SERVER"))
		}
		return strings.Join(out, "; ")
	}
	for i, want := range []string{
		"connect SERVER; tls TLS 1.3; headers 200 OK; body 8 bytes",
		"connect SERVER, kept from the last read; tls TLS 1.3; headers 200 OK; body 8 bytes",
	} {
		if got := read(false); got != want {
			t.Errorf("read %d: got  %s\nwant %s", i, got, want)
		}
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if got := read(true); !strings.Contains(got, "certificate signed by unknown authority") {
		t.Errorf("a checked read after unchecked ones: %s", got)
	}
}

// TestKeptConnections: one that the server closes between two reads, or in place of an answer, fails no read; and none is kept for long.
func TestKeptConnections(t *testing.T) {
	var answers atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Die") != "" && answers.Load() == 2 {
			answers.Add(1)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.(*net.TCPConn).SetLinger(0) // a reset
			conn.Close()
			return
		}
		answers.Add(1)
		io.WriteString(w, "7")
	}))
	defer s.Close()
	r := New(Options{})
	defer r.Close()
	src := config.LoadSource{Source: config.LoadJSON, URL: s.URL, Headers: []config.ProbeHeader{{Name: "X-Die", Value: "once"}}}
	read := func(when string, kept bool) {
		t.Helper()
		got, err := r.Read(context.Background(), &Target{Service: "web", Source: src})
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if was := strings.Contains(got.Notes[len(got.Notes)-3].Note, "kept"); was != kept {
			t.Errorf("%s: steps %v, want kept %v", when, got.Notes, kept)
		}
	}
	read("first", false)
	read("second", true)
	read("reset in place of an answer", false)
	s.CloseClientConnections()
	read("closed since the last read", false)
	read("after it", true)
	for _, kept := range r.clients.open {
		kept.since = kept.since.Add(-maxConnAge)
	}
	read("a minute later", false)
	read("then", true)
}

// TestNoLimit: what carries any number of connections tells no capacity.
func TestNoLimit(t *testing.T) {
	breaker := func(limit string) string {
		return `{"cluster_statuses": [{"name": "web", "circuit_breakers": {"thresholds": [{"max_connections": ` + limit + `}]}}]}`
	}
	peers := func(second string) string {
		return `{"peers": [{"state": "up", "max_conns": 20}, {"state": "up"` + second + `}, {"state": "down"}]}`
	}
	tests := []struct {
		name, text string
		read       func(io.Reader, *config.LoadSource) (Reading, error)
		want       float64 // 0: none is told
	}{
		{"envoy", breaker("1024"), readEnvoy, 1024},
		{"envoy without a limit", breaker("4294967295"), readEnvoy, 0},
		{"plus", peers(`, "max_conns": 5`), readPlusUpstream, 25},
		{"plus, one without a limit", peers(""), readPlusUpstream, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.read(strings.NewReader(tt.text), &config.LoadSource{Backend: "web"})
			if err != nil {
				t.Fatal(err)
			}
			if v, told := got.Get(metric.Capacity); v != tt.want || told != (tt.want > 0) {
				t.Errorf("capacity %v, told %v, want %v", v, told, tt.want)
			}
		})
	}
}

func TestStubStatus(t *testing.T) {
	const page = "Active connections: 291 \nserver accepts handled requests\n 16630948 16630947 31070465 \nReading: 6 Writing: 179 Waiting: 106 \n"
	src := &config.LoadSource{Custom: []config.CustomMetric{{Path: "writing"}, {Path: "waiting"}, {Metric: "active"}}}
	tests := []struct{ name, page, want string }{
		{"nginx", page, "active 290, requests_total 31070465, part 0 178, part 1 106"},
		{"CR LF", strings.ReplaceAll(page, "\n", "\r\n"), "active 290, requests_total 31070465, part 0 178, part 1 106"},
		{"another column", strings.Replace(page, "handled requests\n 16630948 16630947 31070465", "handled requests request_time\n 1 2 3 4", 1), "active 290, requests_total 3, part 0 178, part 1 106"},
		{"nobody", "Active connections: 0\nserver accepts handled requests\n1 1 1\nReading: 0 Writing: 0 Waiting: 0", "active 0, requests_total 1, part 0 0, part 1 0"},
		{"no states", "Active connections: 2\nserver accepts handled requests\n1 1 1\n", `active 1, requests_total 1, lacks: stub_status has no number "writing"`},
		{"cut off", "Active connections: 2\nserver accepts hand", "it lacks the number of requests"},
		{"negative", strings.Replace(page, "291", "-1", 1), "it lacks the number of active"},
		{"html", "<html>\n", `starts with "<html>"`},
		{"empty", "", "it lacks the number of active"},
		{"endless line", strings.Repeat("a", 1<<17), "line above 64 KiB"},
		{"more numbers than columns", "Active connections: 2\nserver requests\n5 6 7\n", `active 1, requests_total 5, lacks: stub_status has no number "writing"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readNGINX(strings.NewReader(tt.page), src)
			text := shown(&got)
			if err != nil {
				text = err.Error()
			}
			if text != tt.want && (err == nil || !strings.Contains(text, tt.want)) {
				t.Errorf("got  %s\nwant %s", text, tt.want)
			}
		})
	}
}

func FuzzNGINX(f *testing.F) {
	f.Add("Active connections: 291 \nserver accepts handled requests\n 16630948 16630947 31070465 \nReading: 6 Writing: 179 Waiting: 106 \n")
	f.Fuzz(func(t *testing.T, page string) {
		got, err := readNGINX(io.LimitReader(strings.NewReader(page), maxStubStatus), &config.LoadSource{})
		if _, told := got.Get(metric.Active); err == nil && !told {
			t.Errorf("%q: nothing was told, and no error", page)
		}
	})
}

// FuzzStatusJSON: no document makes a reader panic, or tell what no metric can be.
func FuzzStatusJSON(f *testing.F) {
	for _, name := range []string{"haproxy.json", "nginx-vts.json", "nginx-plus-upstream.json", "nginx-plus-zone.json", "envoy-stats.json", "envoy-clusters.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text[:min(len(text), 4096)])
	}
	src := &config.LoadSource{Backend: "web", Custom: []config.CustomMetric{{Path: "a.b"}}}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, read := range []func(io.Reader, *config.LoadSource) (Reading, error){readHAProxy, readVTS, readPlusUpstream, readPlusZone, readEnvoy} {
			got, err := read(strings.NewReader(string(text)), src)
			if err == nil && got.Metrics.Check() != nil {
				t.Errorf("%q: %v", text, got.Metrics.Check())
			}
		}
	})
}
