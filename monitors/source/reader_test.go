package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/monitors/reason"
)

func jsonSource(url string) config.LoadSource {
	return config.LoadSource{Source: config.LoadJSON, URL: url, Path: "active", Interval: config.Duration(time.Second), Timeout: config.Duration(time.Second)}
}

// rawServer answers one connection with text, whatever comes: when it was asked, or before.
func rawServer(t *testing.T, text string, asked bool) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if asked {
			c.Read(make([]byte, 4096))
		}
		io.WriteString(c, text)
		io.Copy(io.Discard, c)
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// TestSpeaksFirst has a server that is none of HTTP send its greeting before, while or after the request is written.
func TestSpeaksFirst(t *testing.T) {
	for range 50 {
		r := New(Options{})
		_, err := r.Read(context.Background(), &Target{Service: "app", Source: jsonSource("http://" + rawServer(t, "220 hello\r\n\r\n", false))})
		r.Close()
		if err == nil || !errors.Is(err, errSpokeFirst) && !strings.HasSuffix(err.Error(), `malformed HTTP status code "hello"`) {
			t.Fatalf("error %v, want that it speaks first or is malformed", err)
		}
	}
}

func TestReadLoadErrors(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"active": 3}`) })
	mux.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat(" ", maxDocument+1)) })
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
		{"user and password", config.LoadSource{Source: config.LoadJSON, URL: server.URL + "/secret", Path: "active", Login: &config.ProbeLogin{User: "stats", Password: "env:P"}}, ""},
		{"password that is not there", config.LoadSource{Source: config.LoadJSON, URL: server.URL + "/secret", Login: &config.ProbeLogin{User: "stats", Password: "env:Q"}},
			"login.password: there is no env:Q"},
		{"no password", jsonSource(server.URL + "/secret"), "status 401, want 200"},
		{"redirect is not followed", jsonSource(server.URL + "/moved"), "status 302, want 200"},
		{"too long", jsonSource(server.URL + "/long"), "answer above 1 MiB"},
		{"refused", jsonSource(withUser(closed.URL)), "tcp connect refused"},
		{"not HTTP", jsonSource("http://stats:hush@" + rawServer(t, "junk\r\n\r\n", true)),
			`net/http: HTTP/1.x transport connection broken: malformed HTTP response "junk"`},
		{"unknown authority", jsonSource(secure.URL + "/ok"), "self-signed certificate for example.com, *.example.com, 127.0.0.1, ..."},
		{"scheme", jsonSource("ftp://192.0.2.1/"), `url has scheme "ftp", want http or https`},
		{"not a url", jsonSource("http://stats:hush@[::1"), "missing ']' in host"},
		{"kind", config.LoadSource{Source: "push"}, `load source "push" is not one that is read`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := New(Options{Secret: func(s config.Secret) (string, error) {
				if s != "env:P" {
					return "", fmt.Errorf("there is no %s", s)
				}
				return "hush", nil
			}})
			defer r.Close()
			_, err := r.Read(context.Background(), &Target{Service: "app", Source: tt.src})
			got := ""
			if err != nil {
				got = reason.Describe(err, time.Now(), time.Second)
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

// TestGreatTotals: bytes that many years or a fast network have counted still make a rate; they go on at 0 past 2^53.
func TestGreatTotals(t *testing.T) {
	const great = "9007199254741992" // 2^53 + 1000
	tests := []struct {
		name, page string
		src        config.LoadSource
		read       func(io.Reader, *config.LoadSource) (Reading, error)
		want       string
	}{
		{"haproxy", "# pxname,svname,scur,bin,bout\nweb,BACKEND,1," + great + ",16\n", config.LoadSource{Backend: "web"}, readHAProxy, "active 1, bytes_total 1016"},
		{"json", `{"b": ` + great + `}`, config.LoadSource{Fields: config.LoadFields{BytesTotal: "b"}}, readJSON, "bytes_total 1000"},
		{"json, but no total", `{"a": 1, "b": ` + great + `}`, config.LoadSource{Fields: config.LoadFields{Active: "a", Members: "b"}}, readJSON,
			`active 1, lacks: value at path "b": "` + great + `" is not between 0 and 2^53`},
		{"json, past 64 bits", `{"a": 1, "b": 1e20}`, config.LoadSource{Fields: config.LoadFields{Active: "a", BytesTotal: "b"}}, readJSON,
			`active 1, lacks: value at path "b": "1e20" is not between 0 and 2^53`},
		{"envoy, json", `{"stats": [{"name": "cluster.web.upstream_rq_active", "value": 1}, {"name": "cluster.web.upstream_cx_rx_bytes_total", "value": ` + great + `},
			{"name": "cluster.web.upstream_cx_tx_bytes_total", "value": 8}]}`, config.LoadSource{Backend: "web"}, readEnvoy, "active 1, bytes_total 1008"},
		{"openmetrics", "b " + great + "\n", config.LoadSource{Fields: config.LoadFields{BytesTotal: "b"}}, readOpenMetrics, "bytes_total 1000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.read(strings.NewReader(tt.page), &tt.src)
			if err != nil {
				t.Fatal(err)
			}
			if s := shown(&got); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
		})
	}
}
