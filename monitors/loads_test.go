package monitors

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
)

// loadLog collects loads. Safe for concurrent use.
type loadLog struct {
	mu  sync.Mutex
	all []Load
}

func (l *loadLog) add(got Load) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, got)
}

func (l *loadLog) of(service string) []Load {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Load
	for _, got := range l.all {
		if got.Service == service {
			out = append(out, got)
		}
	}
	return out
}

// loadServer serves every connection in memory with handle, as often as requests come. It counts connections.
func loadServer(conns *atomic.Int64, handle func(*http.Request) string) DialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		conns.Add(1)
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			r := bufio.NewReader(far)
			for {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				if _, err := io.WriteString(far, handle(req)); err != nil {
					return
				}
			}
		}()
		return near, nil
	}
}

func page(status, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

func jsonSource(url string) config.LoadSource {
	return config.LoadSource{Source: config.LoadJSON, URL: url, Path: "active",
		Interval: config.Duration(time.Second), Timeout: config.Duration(time.Second)}
}

func TestLoadsReadAndAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns, active atomic.Int64
		var broken atomic.Bool
		loads := &loadLog{}
		core, logs := observer.New(zap.InfoLevel)
		l := NewLoads(LoadOptions{Load: loads.add, Logger: zap.New(core), DialContext: loadServer(&conns,
			func(r *http.Request) string {
				switch {
				case broken.Load():
					return page("503 Service Unavailable", "")
				case r.URL.Path == "/stats;csv":
					return page("200 OK", haproxyPage)
				}
				return page("200 OK", fmt.Sprintf(`{"active": %d}`, active.Add(1)))
			})})
		l.SetTargets([]LoadTarget{
			{"app", jsonSource("http://192.0.2.1:8081/load")},
			{"web", config.LoadSource{Source: config.LoadHAProxy, URL: "http://192.0.2.1:8404/stats;csv", Backend: "web",
				Interval: config.Duration(time.Second), Timeout: config.Duration(time.Second)}},
			{"pushed", config.LoadSource{Source: config.LoadPush}},
		})
		inBubble(t, l.Run, func() {
			time.Sleep(10 * time.Second)
			broken.Store(true)
			time.Sleep(5 * time.Second)
			broken.Store(false)
			time.Sleep(5 * time.Second)
		})

		for _, service := range []string{"app", "web"} {
			good, bad := 0, 0
			for _, got := range loads.of(service) {
				switch {
				case got.Err != nil:
					bad++
					if want := "read load of service \"" + service + "\" from " + got.Source + ": status 503, want 200"; got.Err.Error() != want {
						t.Errorf("error %q, want %q", got.Err, want)
					}
				case service == "web" && got.Active != 5 || got.Active == 0 || got.At.IsZero():
					t.Errorf("%s: load %+v", service, got)
				default:
					good++
				}
			}
			if good < 13 || good > 16 || bad < 4 || bad > 6 {
				t.Errorf("%s: %d good and %d bad reads, want about 15 and 5", service, good, bad)
			}
		}
		if n := len(loads.of("pushed")); n != 0 {
			t.Errorf("%d reads of a push source", n)
		}
		if n := conns.Load(); n != 2 {
			t.Errorf("%d connections, want 2 that are kept", n)
		}
		if st := l.Stats(); st.Targets != 2 {
			t.Errorf("stats %+v, want 2 targets", st)
		}
		counts := map[string]int{}
		for _, e := range logs.All() {
			counts[e.Message]++
		}
		if counts["load.read"] != 4 || counts["load.failed"] != 2 || len(counts) != 2 {
			t.Errorf("log lines %v, want only changes: 4 load.read, 2 load.failed", counts)
		}
	})
}

func TestLoadsRemovalDropsLateResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loads := &loadLog{}
		l := NewLoads(LoadOptions{Load: loads.add, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		src := jsonSource("http://192.0.2.1/")
		src.Interval, src.Timeout = config.Duration(time.Minute), config.Duration(30*time.Second)
		l.SetTargets([]LoadTarget{{"app", src}})
		inBubble(t, l.Run, func() {
			time.Sleep(2 * time.Second)
			l.SetTargets(nil)
			synctest.Wait()
			if st := l.Stats(); st.Targets != 0 || st.Running != 0 {
				t.Errorf("stats %+v, want nothing left", st)
			}
		})
		if n := len(loads.of("app")); n != 0 {
			t.Errorf("%d loads of a removed target", n)
		}
	})
}

func TestLoadsTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns atomic.Int64
		loads := &loadLog{}
		l := NewLoads(LoadOptions{Load: loads.add, DialContext: loadServer(&conns, func(*http.Request) string {
			time.Sleep(3 * time.Second)
			return page("200 OK", `{"active": 1}`)
		})})
		src := jsonSource("http://192.0.2.1/")
		src.Interval, src.Timeout = config.Duration(10*time.Second), config.Duration(2*time.Second)
		l.SetTargets([]LoadTarget{{"app", src}})
		inBubble(t, l.Run, func() { time.Sleep(5 * time.Second) })
		all := loads.of("app")
		if len(all) != 1 || all[0].Err == nil || !strings.HasSuffix(all[0].Err.Error(), ": timed out after 2s") {
			t.Errorf("loads %+v, want one that timed out after 2s", all)
		}
		time.Sleep(5 * time.Second) // until the server has noticed
	})
}

func TestLoadsPush(t *testing.T) {
	loads := &loadLog{}
	l := NewLoads(LoadOptions{Load: loads.add})
	l.SetTargets([]LoadTarget{
		{"app", config.LoadSource{Source: config.LoadPush}},
		{"web", jsonSource("http://192.0.2.1/")},
	})
	at := time.Unix(1000, 0)
	steps := []struct {
		name, service string
		active        uint64
		at            time.Time
		want          error
	}{
		{"first", "app", 5, at, nil},
		{"same time", "app", 6, at, nil},
		{"earlier", "app", 7, at.Add(-time.Second), ErrOutdated},
		{"later", "app", 8, at.Add(time.Second), nil},
		{"most", "app", MaxActive, at.Add(time.Second), nil},
		{"too many", "app", MaxActive + 1, at.Add(time.Hour), ErrActiveRange},
		{"read, not pushed", "web", 1, at, ErrNotPushed},
		{"unknown", "shop", 1, at, ErrNotPushed},
	}
	for _, s := range steps {
		before := len(loads.of("app"))
		if err := l.Push(s.service, s.active, s.at); !errors.Is(err, s.want) {
			t.Errorf("%s: error %v, want %v", s.name, err, s.want)
		}
		all := loads.of("app")
		if s.want != nil {
			if len(all) != before {
				t.Errorf("%s: a refused report was handed on", s.name)
			}
			continue
		}
		want := Load{Service: "app", Active: s.active, At: s.at, Source: "push"}
		if len(all) != before+1 || all[before] != want {
			t.Errorf("%s: loads %+v, want one more: %+v", s.name, all[before:], want)
		}
	}
}

func TestReadLoadErrors(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"active": 3}`) })
	mux.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat(" ", maxLoadBytes+1)) })
	mux.HandleFunc("/secret", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "stats" || password != "hush" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"active": 9}`)
	})
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		io.WriteString(w, `{"active": 3}`)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	secure := httptest.NewUnstartedServer(mux)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	withUser := func(url string) string { return strings.Replace(url, "://", "://stats:hush@", 1) }

	tests := []struct {
		name string
		src  config.LoadSource
		want string // error; empty: succeeds
	}{
		{"fine", jsonSource(server.URL + "/ok"), ""},
		{"compression is not asked for", jsonSource(server.URL + "/plain"), ""},
		{"user and password", jsonSource(withUser(server.URL + "/secret")), ""},
		{"no password", jsonSource(server.URL + "/secret"), "status 401, want 200"},
		{"redirect is not followed", jsonSource(server.URL + "/moved"), "status 302, want 200"},
		{"too long", jsonSource(server.URL + "/long"), "answer above 1 MiB"},
		{"refused", jsonSource(withUser(closed.URL)), "tcp connect refused"},
		{"not HTTP", jsonSource("http://stats:hush@" + rawServer(t, send("junk\r\n\r\n"))),
			`net/http: HTTP/1.x transport connection broken: malformed HTTP response "junk"`},
		{"unknown authority", jsonSource(secure.URL + "/ok"), `certificate issued by unknown authority ""`},
		{"scheme", jsonSource("ftp://192.0.2.1/"), `url has scheme "ftp", want http or https`},
		{"not a url", jsonSource("http://stats:hush@[::1"), "missing ']' in host"},
		{"kind", config.LoadSource{Source: "snmp"}, `load source "snmp" cannot be read: use one of [haproxy json push]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := newLoadClient(nil)
			defer client.CloseIdleConnections()
			_, err := readLoad(context.Background(), client, tt.src)
			got := ""
			if err != nil {
				got = describe(err, time.Now(), time.Second)
			}
			if got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
			if strings.Contains(got, "hush") {
				t.Errorf("error %q tells the password", got)
			}
		})
	}
}
