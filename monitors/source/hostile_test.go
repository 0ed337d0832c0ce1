package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// webKinds are sources that are read over HTTP, as a document has them.
var webKinds = []config.LoadSource{
	{Source: config.LoadHAProxy, Backend: "web"}, {Source: config.LoadNGINX}, {Source: config.LoadNGINXVTS, Backend: "web"},
	{Source: config.LoadNGINXPlus, Backend: "web"}, {Source: config.LoadEnvoy, Backend: "web"}, {Source: config.LoadTraefik, Backend: "web"},
	{Source: config.LoadOpenMetrics, Fields: config.LoadFields{Active: "up"}}, {Source: config.LoadPrometheus, Fields: config.LoadFields{Active: "up"}},
	{Source: config.LoadJSON, Path: "a"},
}

// TestHostileServers: a server that drips, answers without end, sends a bomb, redirects, breaks off or says nothing costs one time-out and
// little memory, whatever kind it is read as.
func TestHostileServers(t *testing.T) {
	bomb := bombOf(64 << 20)
	starts := []string{"# pxname,svname,scur\n", "Active connections: 1\n", `{"a": "`, "# TYPE up gauge\n", "[["}
	endless := func(line string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for _, start := range starts {
				if strings.HasSuffix(r.URL.Path, fmt.Sprint(len(start))) {
					io.WriteString(w, start)
				}
			}
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(line, 4096/len(line))); err != nil {
					return
				}
			}
		}
	}
	servers := map[string]http.HandlerFunc{
		"silent": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"drips": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				io.WriteString(w, "#")
				w.(http.Flusher).Flush()
				select {
				case <-time.After(20 * time.Millisecond):
				case <-r.Context().Done():
				}
			}
		},
		"endless lines":    endless("# x\n"),
		"endless line":     endless("a"),
		"endless brackets": endless("["),
		"endless objects":  endless(`{"a":`),
		"bomb": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"breaks off": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `{"a": `)
			panic(http.ErrAbortHandler)
		},
		"garbage": func(w http.ResponseWriter, r *http.Request) { w.Write([]byte{0, 1, 2, 0xff, 0xfe, '\n', 0, 0x80}) },
		"empty":   func(w http.ResponseWriter, r *http.Request) {},
	}
	for name, serve := range servers {
		s := httptest.NewUnstartedServer(serve)
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.Start()
		t.Cleanup(s.Close)
		for i := range webKinds {
			t.Run(name+"/"+string(webKinds[i].Source), func(t *testing.T) {
				r := New(Options{})
				defer r.Close()
				src := webKinds[i]
				src.URL = s.URL + "/x"
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				got, err := r.Read(ctx, &Target{Service: "web", Source: src})
				took := time.Since(start)
				runtime.ReadMemStats(&after)
				if err == nil {
					t.Errorf("was read: %s", shown(&got))
				} else if len(reason.Describe(err, time.Now(), time.Second)) > 600 {
					t.Errorf("long error %v", err)
				}
				if took > 10*time.Second { // of a machine that has much else to do; nothing lasts longer by itself than the 100 ms
					t.Errorf("took %v", took)
				}
				if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 96<<20 {
					t.Errorf("the heap grew by %d MiB", grown>>20)
				}
			})
		}
	}
}

// TestDenseAnswers: an answer of little more than brackets and commas takes no many times its length in memory.
func TestDenseAnswers(t *testing.T) {
	dense := func(start, one, end string) string { return start + strings.Repeat(one, maxStatus/len(one)-100) + end }
	tests := []struct {
		name, text string
		read       func(io.Reader, *config.LoadSource) (Reading, error)
		want       string // error; empty: it is read
	}{
		{"row of CSV", dense("# pxname,svname,scur\n", ",", "\n"), readHAProxy, "a line is above 64 KiB"},
		{"header of CSV", dense("# pxname,svname,scur", ",", "\n"), readHAProxy, "a line is above 64 KiB"},
		{"row of JSON", dense("[[{}", ",{}", "]]"), readHAProxy, "a row has more than 512 cells"},
		{"servers of VTS", dense(`{"upstreamZones": {"web": [{}`, ",{}", "]}}"), readVTS, "a list has more than 65536 elements"},
		{"zones of VTS", dense(`{"upstreamZones": {"web": []`, `,"a":[]`, "}}"), readVTS, ""},
		{"peers of Plus", dense(`{"peers": [{}`, ",{}", "]}"), readPlusUpstream, "a list has more than 65536 elements"},
		{"hosts of Envoy", dense(`{"cluster_statuses": [{"name": "web", "host_statuses": [{}`, ",{}", "]}]}"), readEnvoy, "a cluster has more than 65536 hosts"},
		{"one host of Envoy", dense(`{"cluster_statuses": [{"name": "web", "host_statuses": [{"stats": [{}`, ",{}", "]}]}]}"), readEnvoy, "above 64 KiB"},
		{"other cluster of Envoy", dense(`{"cluster_statuses": [{"name": "web"}, {"name": "api", "host_statuses": [{}`, ",{}", "]}]}"), readEnvoy, ""},
		{"metrics", dense("", "haproxy_backend_current_sessions{proxy=\"web\"} 1\n", ""), readHAProxyMetrics, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := tt.read(strings.NewReader(tt.text), &config.LoadSource{Backend: "web"})
			runtime.ReadMemStats(&after)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			// This counts what was given back, too.
			grown := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d MiB", grown)
			if grown > 160 {
				t.Errorf("took %d MiB for an answer of %d", grown, len(tt.text)>>20)
			}
		})
	}
}

func bombOf(size int) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	chunk := make([]byte, 1<<20)
	for range size >> 20 {
		w.Write(chunk)
	}
	w.Close()
	return b.Bytes()
}

// TestStatsSocket: a stats socket is asked one command, over a Unix socket and over TCP.
func TestStatsSocket(t *testing.T) {
	const page = "# pxname,svname,scur\nweb,BACKEND,7\n\n"
	tests := []struct {
		name  string
		serve func(c net.Conn, over <-chan struct{})
		want  string // error; empty: it is read
	}{
		{"answers", func(c net.Conn, _ <-chan struct{}) { expect(c, "show stat\n"); io.WriteString(c, page) }, ""},
		{"byte by byte", func(c net.Conn, over <-chan struct{}) {
			expect(c, "show stat\n")
			for i := range page {
				io.WriteString(c, page[i:i+1])
			}
		}, ""},
		{"closes", func(c net.Conn, _ <-chan struct{}) { expect(c, "show stat\n") }, "connection closed waiting for first byte"},
		{"refuses", func(c net.Conn, _ <-chan struct{}) {
			expect(c, "show stat\n")
			io.WriteString(c, "Permission denied\n")
		}, `answer is not CSV statistics but starts with "Permission denied": does the url end in ;csv, ;json or the path of the metrics?`},
		{"silent", func(c net.Conn, over <-chan struct{}) { <-over }, "timed out after 1s waiting for first byte"},
		{"endless", func(c net.Conn, over <-chan struct{}) {
			for {
				if _, err := io.WriteString(c, strings.Repeat("web,x,1\n", 512)); err != nil {
					return
				}
			}
		}, `answer is not CSV statistics but starts with "web,x,1": does the url end in ;csv, ;json or the path of the metrics?`},
		{"endless rows", func(c net.Conn, over <-chan struct{}) {
			io.WriteString(c, "# pxname,svname,scur\n")
			for {
				if _, err := io.WriteString(c, strings.Repeat("web,x,1,"+strings.Repeat("y", 4000)+"\n", 8)); err != nil {
					return
				}
			}
		}, "read CSV statistics: answer above 16 MiB"},
	}
	for _, tt := range tests {
		for _, network := range []string{"unix", "tcp"} {
			t.Run(tt.name+" "+network, func(t *testing.T) {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "s")
				}
				l, err := net.Listen(network, address)
				if err != nil {
					t.Fatal(err)
				}
				done, over := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(done)
					c, err := l.Accept()
					if err != nil {
						return
					}
					defer c.Close()
					tt.serve(c, over)
				}()
				defer func() { close(over); l.Close(); <-done }()
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				if tt.name == "silent" {
					ctx, cancel = context.WithTimeout(t.Context(), time.Second) // long enough to connect
				}
				defer cancel()
				r := New(Options{})
				defer r.Close()
				src := config.LoadSource{Source: config.LoadHAProxy, URL: network + "://" + l.Addr().String(), Backend: "web"}
				got, err := r.Read(ctx, &Target{Service: "web", Source: src})
				switch {
				case err != nil:
					if text := reason.Describe(err, time.Now(), time.Second); text != tt.want {
						t.Errorf("error %q, want %q", text, tt.want)
					}
				case tt.want != "" || shown(&got) != "active 7":
					t.Errorf("got %s, want %s", shown(&got), tt.want)
				}
			})
		}
	}
}

// expect reads a command to its end, which is where the other side stops sending.
func expect(c net.Conn, command string) {
	got, err := io.ReadAll(c)
	if string(got) != command || err != nil {
		fmt.Fprintf(c, "got %q, %v\n", got, err)
	}
}
