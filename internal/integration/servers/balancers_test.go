//go:build integration

package servers

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairlead/internal/testkit/loopback"
	"fairlead/monitors/metric"
	"fairlead/monitors/source"
)

// numbers writes out a reading.
func numbers(a *source.Reading) string {
	var out []string
	for m := metric.Active; m <= metric.ResponseSecondsTotal; m++ {
		if v, ok := a.Get(m); ok {
			out = append(out, m.String()+" "+strconv.FormatFloat(math.Round(v*1e4)/1e4, 'f', -1, 64))
		}
	}
	for i, p := range a.Parts {
		if p.Told {
			out = append(out, fmt.Sprintf("part %d %v", i, p.Value))
		}
	}
	return strings.Join(out, ", ")
}

// read reads a source that must tell something.
func read(t *testing.T, load string) string {
	t.Helper()
	got, err := reading(t, load, onLoopback(80))
	if err != nil {
		t.Errorf("%s: %v", load, err)
		return ""
	}
	text := numbers(&got)
	t.Logf("%s\n  %s, lacks %v", load, text, got.Lacks)
	return text
}

// unreadable reads a source that must fail, with an error that has some text.
func unreadable(t *testing.T, load, want string) {
	t.Helper()
	if got, err := reading(t, load, onLoopback(80)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %s, error %v, want one with %q", load, numbers(&got), err, want)
	}
}

// sink takes connections and keeps them until the other side closes, or the test ends.
func sink(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(io.Discard, c); c.Close() }()
			go func() { <-over; c.Close() }()
		}
	}()
	t.Cleanup(func() { close(over); l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// client holds connections.
type client struct {
	t    *testing.T
	open []net.Conn
}

// hold makes the number of connections to an address what it should be.
func (c *client) hold(to netip.AddrPort, count int) {
	c.t.Helper()
	for len(c.open) < count {
		conn, err := net.DialTimeout("tcp", to.String(), 2*time.Second)
		if err != nil {
			c.t.Fatal(err)
		}
		c.open = append(c.open, conn)
		c.t.Cleanup(func() { conn.Close() })
	}
	for len(c.open) > count {
		c.open[len(c.open)-1].Close()
		c.open = c.open[:len(c.open)-1]
	}
}

// shortDir is a directory whose path is short enough for Unix sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// haproxy is a HAProxy with a backend web over HTTP, a backend db over TCP, and all that it tells of itself.
type haproxy struct {
	*server
	socket           string
	stats, command   int // ports of the page and of the stats socket
	web, db          netip.AddrPort
	webPort, dbPort  int
	holdsConnections netip.AddrPort
}

func startHAProxy(t *testing.T, origin string) *haproxy {
	t.Helper()
	program := need(t, "haproxy")[0]
	dir := shortDir(t)
	h := &haproxy{socket: filepath.Join(dir, "s"), stats: loopback.Port(t), command: loopback.Port(t), webPort: loopback.Port(t), dbPort: loopback.Port(t), holdsConnections: sink(t)}
	h.web, h.db = onLoopback(h.webPort), onLoopback(h.dbPort)
	conf := file(t, dir, "haproxy.cfg", fmt.Sprintf(`global
  stats socket %s mode 600 level user
  stats socket ipv4@127.0.0.1:%d level user
userlist operators
  user stats insecure-password hush
defaults
  timeout client 60s
  timeout server 60s
  timeout connect 1s
frontend stats
  mode http
  bind 127.0.0.1:%d
  http-request auth unless { http_auth(operators) }
  http-request use-service prometheus-exporter if { path /metrics }
  stats enable
  stats uri /stats
listen web
  mode http
  bind 127.0.0.1:%d
  server one %[5]s weight 7 maxconn 40 check inter 200ms
  server two %[5]s weight 2 maxconn 20
  server gone 127.0.0.1:%[6]d weight 9 maxconn 99 check inter 200ms fall 1
listen db
  mode tcp
  bind 127.0.0.1:%[7]d
  server one %[8]s weight 1
  server spare %[8]s backup
`, h.socket, h.command, h.stats, h.webPort, origin, loopback.Port(t), h.dbPort, h.holdsConnections))
	h.server = start(t, launch{dir: dir}, program, "-db", "-f", conf)
	h.listening(onLoopback(h.stats))
	return h
}

// ways are the five ways to read a HAProxy.
func (h *haproxy) ways(password string) map[string]string {
	login := ", login: {user: stats, password: \"file:" + password + "\"}"
	page := fmt.Sprintf("http://127.0.0.1:%d", h.stats)
	return map[string]string{
		"csv":         `url: "` + page + `/stats;csv"` + login,
		"json":        `url: "` + page + `/stats;json"` + login,
		"metrics":     `url: "` + page + `/metrics"` + login,
		"unix socket": `url: "unix://` + h.socket + `"`,
		"tcp socket":  fmt.Sprintf(`url: "tcp://127.0.0.1:%d"`, h.command),
	}
}

// TestHAProxySources: HAProxy tells the same numbers in each of its five ways.
func TestHAProxySources(t *testing.T) {
	t.Parallel()
	need(t, "haproxy")
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 1000)) }))
	t.Cleanup(origin.Close)
	h := startHAProxy(t, origin.Listener.Addr().String())
	password := file(t, t.TempDir(), "password", "hush\n")
	for range 20 {
		resp, err := http.Get("http://" + h.web.String())
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	c := &client{t: t}
	c.hold(h.db, 3)
	h.until("counts connections and finds a server down", func() error {
		got, err := reading(t, "{source: haproxy, backend: db, url: \"unix://"+h.socket+"\"}", onLoopback(80))
		if active, _ := got.Get(metric.Active); err != nil || active != 3 {
			return fmt.Errorf("%v connections, %w", active, err)
		}
		got, err = reading(t, "{source: haproxy, backend: web, url: \"unix://"+h.socket+"\"}", onLoopback(80))
		if members, _ := got.Get(metric.Members); err != nil || members != 2 {
			return fmt.Errorf("%v servers, %w", members, err)
		}
		return nil
	})
	for backend, want := range map[string][2]string{
		"web": {"active 0, members 2, member_weight 9, capacity 60, requests_total 20, bytes_total ", ", part 0 0"},
		"db":  {"active 3, members 1, member_weight 1, requests_total 3, bytes_total 0", ", part 0 0"},
	} {
		same := ""
		for name, way := range h.ways(password) {
			got := read(t, fmt.Sprintf("{source: haproxy, backend: %s, custom: [{name: queue, path: qcur}], %s}", backend, way))
			// A mean of few requests is rounded, and otherwise by the exporter.
			parts := strings.Split(got, ", ")
			kept := parts[:0]
			for _, part := range parts {
				if !strings.HasPrefix(part, "response_time") {
					kept = append(kept, part)
				}
			}
			got = strings.Join(kept, ", ")
			if !strings.HasPrefix(got, want[0]) || !strings.HasSuffix(got, want[1]) {
				t.Errorf("%s by %s: got %s, want %s…%s", backend, name, got, want[0], want[1])
			}
			if same == "" {
				same = got
			} else if got != same {
				t.Errorf("%s by %s: got  %s, another way gave %s", backend, name, got, same)
			}
		}
	}
	unreadable(t, fmt.Sprintf(`{source: haproxy, backend: web, url: "http://127.0.0.1:%d/stats;csv"}`, h.stats), "status 401, want 200")
	unreadable(t, `{source: haproxy, backend: shop, url: "unix://`+h.socket+`"}`, `no BACKEND row for "shop"; there are: `)
	h.stop()
	for _, way := range h.ways(password) {
		if got, err := reading(t, fmt.Sprintf("{source: haproxy, backend: web, %s}", way), onLoopback(80)); err == nil {
			t.Errorf("%s of a HAProxy that is gone tells %s", way, numbers(&got))
		}
	}
}

// TestNGINXSource: stub_status without the connection that asks for it.
func TestNGINXSource(t *testing.T) {
	t.Parallel()
	nginx, port, dir := need(t, "nginx")[0], loopback.Port(t), t.TempDir()
	conf := file(t, dir, "nginx.conf", fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log stderr; worker_processes 1;
events { worker_connections 64; }
http {
	access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server { listen 127.0.0.1:%[2]d; location = /status { stub_status; } location / { return 204; } }
}
`, dir, port))
	s := start(t, launch{dir: dir}, nginx, "-p", dir, "-c", conf)
	to := onLoopback(port)
	s.listening(to)
	c := &client{t: t}
	c.hold(to, 4)
	load := fmt.Sprintf(`{source: nginx, url: "http://%s/status", custom: [{name: writing, path: writing}, {name: waiting, path: waiting}]}`, to)
	s.until("counts connections", func() error {
		got, err := reading(t, load, onLoopback(80))
		if active, _ := got.Get(metric.Active); err != nil || active != 4 {
			return fmt.Errorf("%v connections, %w", active, err)
		}
		return nil
	})
	if got := read(t, load); !strings.HasPrefix(got, "active 4, requests_total ") || !strings.HasSuffix(got, ", part 0 0, part 1 4") {
		t.Errorf("got %s, want 4 active, nobody writing, and all waiting", got)
	}
	unreadable(t, fmt.Sprintf(`{source: nginx, url: "http://%s/"}`, to), "status 204, want 200")
	s.stop()
	unreadable(t, load, "connection refused")
}

// TestPrometheusSource: a real Prometheus that scrapes a real HAProxy, by its query API, and both of their pages by selectors.
func TestPrometheusSource(t *testing.T) {
	t.Parallel()
	program := need(t, "prometheus", "haproxy")[0]
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "fine") }))
	t.Cleanup(origin.Close)
	h := startHAProxy(t, origin.Listener.Addr().String())
	c := &client{t: t}
	c.hold(h.db, 6)
	dir, port := t.TempDir(), loopback.Port(t)
	password := file(t, dir, "password", "hush\n")
	conf := file(t, dir, "prometheus.yml", fmt.Sprintf("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n  - job_name: haproxy\n    basic_auth: {username: stats, password: hush}\n    static_configs: [{targets: [\"127.0.0.1:%d\"]}]\n", h.stats))
	s := start(t, launch{dir: dir}, program, "--config.file="+conf, "--storage.tsdb.path="+filepath.Join(dir, "data"), fmt.Sprintf("--web.listen-address=127.0.0.1:%d", port))
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	query := func(fields string) string { return `{source: prometheus, url: "` + url + `", ` + fields + `}` }
	active := query(`fields: {active: 'sum(haproxy_backend_current_sessions{proxy="db"})'}`)
	s.until("has scraped HAProxy", func() error {
		got, err := reading(t, active, onLoopback(80))
		if v, _ := got.Get(metric.Active); err != nil || v != 6 {
			return fmt.Errorf("%v connections, %w", v, err)
		}
		return nil
	})
	if got, want := read(t, query(`fields: {active: 'haproxy_backend_current_sessions{proxy="db"}', members: scalar(vector(2)), capacity: "1e3"}, custom: [{name: a, path: "count(haproxy_backend_status{state=\"UP\"})"}]`)),
		"active 6, members 2, capacity 1000, part 0 2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	unreadable(t, query(`fields: {active: "haproxy_backend_current_sessions"}`), "series, want 1")
	unreadable(t, query(`fields: {active: none}`), "gives 0 series, want 1")
	unreadable(t, query(`fields: {active: "sum("}`), "parse error")
	unreadable(t, query(`fields: {active: "0 / 0"}`), `gives "NaN"`)
	unreadable(t, query(`fields: {active: "haproxy_up[5m]"}`), "gives a matrix")

	page := fmt.Sprintf(`{source: openmetrics, url: "http://127.0.0.1:%d/metrics", login: {user: stats, password: "file:%s"}, `, h.stats, password)
	if got, want := read(t, page+`fields: {active: 'haproxy_backend_current_sessions{proxy=~"db|web"}', member_weight: 'haproxy_backend_weight{proxy!="web",proxy="db"}'}}`), "active 6, member_weight 1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	unreadable(t, page+`fields: {active: 'haproxy_backend_current_sessions{proxy="shop"}'}}`, "no sample is")
	own := `{source: openmetrics, url: "` + url + `/metrics", fields: {requests_total: 'prometheus_http_request_duration_seconds_count', response_seconds_total: 'prometheus_http_request_duration_seconds_sum', capacity: go_info}}`
	if got := read(t, own); !strings.HasPrefix(got, "capacity 1, requests_total ") || !strings.Contains(got, "response_seconds_total 0.") {
		t.Errorf("got %s, want what Prometheus tells of itself", got)
	}
	s.stop()
	unreadable(t, active, "connection refused")
}
