package probe

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
)

func httpMonitor(h config.HTTPProbe) config.Monitor {
	return config.Monitor{Name: "web-ok", Type: config.MonitorHTTP, Interval: config.Duration(time.Minute),
		Timeout: config.Duration(5 * time.Second), Fall: 3, Rise: 2, HTTP: h}
}

func serverTarget(t *testing.T, s *httptest.Server, m config.Monitor) Target {
	t.Helper()
	return Target{Service: "web", Monitor: &m, Address: netip.MustParseAddrPort(s.Listener.Addr().String())}
}

func TestProbeHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "all is well") })
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		var code int
		fmt.Sscan(r.PathValue("code"), &code)
		w.Header().Set("Location", "/healthz")
		w.WriteHeader(code)
	})
	mux.HandleFunc("/late/{size}", func(w http.ResponseWriter, r *http.Request) {
		var size int
		fmt.Sscan(r.PathValue("size"), &size)
		io.WriteString(w, strings.Repeat("x", size)+"needle")
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s host=%s agent=%s encoding=%s close=%v q=%s", r.Method, r.URL.Path, r.Host, r.UserAgent(),
			r.Header.Get("Accept-Encoding"), r.Close, r.URL.Query().Get("q"))
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNoContent)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	address := server.Listener.Addr().String()

	tests := []struct {
		name  string
		probe config.HTTPProbe
		ok    bool
		want  string
	}{
		{"default path", config.HTTPProbe{}, false, "status 404, want 200-299"},
		{"healthy", config.HTTPProbe{Path: "/healthz"}, true, "status 200"},
		{"status", config.HTTPProbe{Path: "/status/503"}, false, "status 503, want 200-299"},
		{"status set", config.HTTPProbe{Path: "/status/404", ExpectStatus: []string{"200-299", "404"}}, true, "status 404"},
		{"not in status set", config.HTTPProbe{Path: "/healthz", ExpectStatus: []string{"301", "400-404"}}, false,
			"status 200, want 301 or 400-404"},
		{"redirect is not followed", config.HTTPProbe{Path: "/status/302"}, false, "status 302, want 200-299"},
		{"redirect wanted", config.HTTPProbe{Path: "/status/302", ExpectStatus: []string{"302"}}, true, "status 302"},
		{"informational answers are passed over", config.HTTPProbe{Path: "/early", ExpectStatus: []string{"204"}}, true, "status 204"},
		{"body", config.HTTPProbe{Path: "/healthz", ExpectBody: "is well"}, true, "status 200"},
		{"body lacks it", config.HTTPProbe{Path: "/healthz", ExpectBody: "unwell"}, false, `body of 11 bytes lacks "unwell"`},
		{"body late but within", config.HTTPProbe{Path: "/late/65530", ExpectBody: "needle"}, true, "status 200"},
		{"body too late", config.HTTPProbe{Path: "/late/65531", ExpectBody: "needle"}, false,
			`first 64 KiB of the body lack "needle"`},
		{"host", config.HTTPProbe{Path: "/echo", Host: "www.example.com", ExpectBody: "host=www.example.com "}, true, "status 200"},
		{"host by default", config.HTTPProbe{Path: "/echo", ExpectBody: "GET /echo host=" + address + " agent=fairlead encoding= close=true "}, true,
			"status 200"},
		{"query and method", config.HTTPProbe{Path: "/echo?q=7", Method: "POST", ExpectBody: "POST /echo host=" + address +
			" agent=fairlead encoding= close=true q=7"}, true, "status 200"},
		{"HEAD has no body", config.HTTPProbe{Path: "/healthz", Method: "HEAD"}, true, "status 200"},
		{"bad path", config.HTTPProbe{Path: "healthz"}, false, `http.path "healthz" is not a request path such as /healthz`},
		{"URL as path", config.HTTPProbe{Path: "http://198.51.100.1/"}, false,
			`http.path "http://198.51.100.1/" is not a request path such as /healthz`},
		{"bad method", config.HTTPProbe{Method: "GET /\r\nX:"}, false, `http.method "GET /\r\nX:" is not a request method such as GET`},
		{"bad status set", config.HTTPProbe{ExpectStatus: []string{"2xx"}}, false,
			`http.expect_status: "2xx" is not a status code (100 to 599) or a range such as 200-299`},
		{"host is an IPv6 address", config.HTTPProbe{Path: "/echo", Host: "2001:db8::1", ExpectBody: "host=[2001:db8::1] "}, true, "status 200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, ask func(Target) Result) {
				got := ask(serverTarget(t, server, httpMonitor(tt.probe)))
				if got.OK != tt.ok || got.Reason != tt.want {
					t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
				}
				if strings.HasPrefix(got.Reason, "status") && got.Latency <= 0 {
					t.Errorf("latency %v of an answer", got.Latency)
				}
			})
		})
	}
}

// rawServer answers each connection with what answer writes after it has read the request.
func rawServer(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				answer(conn)
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-ended })
	return listener.Addr().String()
}

func repeat(what string) func(net.Conn) {
	return func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, what); err != nil {
				return
			}
		}
	}
}

func send(what string) func(net.Conn) {
	return func(c net.Conn) { io.WriteString(c, what) }
}

func TestProbeHostileHTTP(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name   string
		answer func(net.Conn)
		body   string
		want   string // prefix of the reason
	}{
		{"reset", func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }, "", "connection reset waiting for first byte"},
		{"closed", send(""), "", "connection closed waiting for first byte"},
		{"closed in the headers", send(ok + "X-A: b\r\n"), "", "connection closed reading headers"},
		{"not HTTP", send("220 mail.example.com ESMTP\r\n\r\n"), "", `malformed HTTP`},
		{"control characters", send("\x1b[2J\x00\r\n\r\n"), "", `malformed HTTP response "\x1b[2J\x00"`},
		{"endless status line", repeat(strings.Repeat("x", 4096)), "", "headers above 64 KiB"},
		{"endless headers", func(c net.Conn) { send(ok)(c); repeat("X-A: " + strings.Repeat("b", 1000) + "\r\n")(c) }, "",
			"headers above 64 KiB"},
		{"endless informational answers", repeat("HTTP/1.1 103 Early Hints\r\n\r\n"), "", "headers above 64 KiB"},
		{"endless body", func(c net.Conn) { send(ok + "\r\n")(c); repeat(strings.Repeat("x", 4096))(c) }, "needle",
			`first 64 KiB of the body lack "needle"`},
		{"body shorter than it says", send(ok + "Content-Length: 100\r\n\r\nshort"), "needle", "connection closed reading the body"},
		{"bad chunks", send(ok + "Transfer-Encoding: chunked\r\n\r\nzzz\r\n"), "needle", "invalid byte in chunk length"},
		{"tiny chunks with long extensions", func(c net.Conn) {
			send(ok + "Transfer-Encoding: chunked\r\n\r\n")(c)
			repeat("1;" + strings.Repeat("x", 3000) + "\r\nx\r\n")(c)
		}, "needle", ""},
		{"negative length", send(ok + "Content-Length: -5\r\n\r\n"), "", "bad Content-Length"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, ask func(Target) Result) {
				began := time.Now()
				got := ask(target("web", rawServer(t, tt.answer), httpMonitor(config.HTTPProbe{ExpectBody: tt.body})))
				if got.OK || !strings.HasPrefix(got.Reason, tt.want) {
					t.Errorf("got %v %q, want a failure with %q", got.OK, got.Reason, tt.want)
				}
				if took := time.Since(began); took > 4*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestProbeDoesNotReadBodyUnasked(t *testing.T) {
	address := rawServer(t, func(c net.Conn) { send("HTTP/1.1 200 OK\r\n\r\n")(c); repeat(strings.Repeat("x", 4096))(c) })
	eachWay(t, func(t *testing.T, ask func(Target) Result) {
		if got := ask(target("web", address, httpMonitor(config.HTTPProbe{}))); !got.OK {
			t.Errorf("got %q, want success: no body was asked for", got.Reason)
		}
	})
}

func TestProbeDoesNotDecodeGzip(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	chunk := []byte(strings.Repeat("needle", 1<<14))
	for range 100 { // 9 MiB in less than 40 KiB
		z.Write(chunk)
	}
	z.Close()
	if bomb.Len() > maxBodyBytes {
		t.Fatalf("bomb of %d bytes is too large for the test", bomb.Len())
	}
	address := rawServer(t, func(c net.Conn) {
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", bomb.Len(), bomb.Bytes())
	})
	tgt := target("web", address, httpMonitor(config.HTTPProbe{ExpectBody: "needleneedle"}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := New(Options{}).Probe(context.Background(), tgt)
	runtime.ReadMemStats(&after)
	if got.OK || !strings.Contains(got.Reason, `lacks "needleneedle"`) {
		t.Errorf("got %v %q, want a body that lacks the text: it is compressed", got.OK, got.Reason)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated for one probe", n)
	}
}

// pipeNet serves every connection with serve, in memory, so that time in a bubble stands still for it.
func pipeNet(serve func(net.Conn)) DialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			if _, err := http.ReadRequest(bufio.NewReader(far)); err == nil {
				serve(far)
			}
		}()
		return near, nil
	}
}

func TestProbeTimeouts(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	drip := func(what string) func(net.Conn) {
		return func(c net.Conn) {
			for i := 0; ; i++ {
				if _, err := c.Write([]byte{what[i%len(what)]}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}
	}
	tests := []struct {
		name    string
		serve   func(net.Conn)
		want    string
		latency time.Duration
	}{
		{"silent", func(c net.Conn) { io.Copy(io.Discard, c) }, "timed out after 5s waiting for first byte", 0},
		{"slow first byte, then silent", func(c net.Conn) { time.Sleep(2 * time.Second); send("H")(c); io.Copy(io.Discard, c) },
			"timed out after 5s reading headers", 2 * time.Second},
		{"headers drip", drip(ok), "timed out after 5s reading headers", 0},
		{"body drips", func(c net.Conn) { send(ok + "\r\n")(c); drip("x")(c) }, "timed out after 5s reading the body", 0},
		{"body ends late", func(c net.Conn) { send(ok + "Content-Length: 99\r\n\r\nneedl")(c); io.Copy(io.Discard, c) },
			"timed out after 5s reading the body", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, began := over(pipeNet(tt.serve)), time.Now()
				got := p.Probe(context.Background(), target("web", "192.0.2.1:80", httpMonitor(config.HTTPProbe{ExpectBody: "needle"})))
				if got.OK || got.Reason != tt.want || got.Latency != tt.latency {
					t.Errorf("got %v %q %v, want failure %q %v", got.OK, got.Reason, got.Latency, tt.want, tt.latency)
				}
				if took := time.Since(began); took != 5*time.Second {
					t.Errorf("took %v, want one time-out of 5s", took)
				}
				time.Sleep(2 * time.Second) // until the server has noticed
			})
		})
	}
}

func TestProbeBodySeenIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := over(pipeNet(func(c net.Conn) {
			send("HTTP/1.1 200 OK\r\n\r\n")(c)
			for _, part := range []string{"xxne", "ed", "le"} { // across reads
				time.Sleep(time.Second)
				send(part)(c)
			}
			io.Copy(io.Discard, c)
		}))
		began := time.Now()
		got := p.Probe(context.Background(), target("web", "192.0.2.1:80", httpMonitor(config.HTTPProbe{ExpectBody: "needle"})))
		if !got.OK || time.Since(began) != 3*time.Second {
			t.Errorf("got %+v after %v, want success as soon as the text is there", got, time.Since(began))
		}
	})
}

func TestHostHeader(t *testing.T) {
	tests := []struct {
		address  string
		standard uint16
		want     string
	}{
		{"192.0.2.1:80", 80, "192.0.2.1"},
		{"192.0.2.1:8080", 80, "192.0.2.1:8080"},
		{"192.0.2.1:80", 443, "192.0.2.1:80"},
		{"[2001:db8::1]:443", 443, "[2001:db8::1]"},
		{"[2001:db8::1]:8443", 443, "[2001:db8::1]:8443"},
	}
	for _, tt := range tests {
		if got := hostHeader(netip.MustParseAddrPort(tt.address), tt.standard); got != tt.want {
			t.Errorf("hostHeader(%s, %d) = %s, want %s", tt.address, tt.standard, got, tt.want)
		}
	}
}

func TestStatusSet(t *testing.T) {
	tests := []struct {
		words   []string
		in, out []int
		text    string
		bad     bool
	}{
		{nil, []int{200, 204, 299}, []int{199, 300, 500}, "200-299", false},
		{[]string{"301"}, []int{301}, []int{200, 300, 302}, "301", false},
		{[]string{"200-299", "301", "500-599"}, []int{200, 301, 599}, []int{300, 302, 499}, "200-299 or 301 or 500-599", false},
		{words: []string{"20"}, bad: true},
		{words: []string{"600"}, bad: true},
		{words: []string{"299-200"}, bad: true},
		{words: []string{""}, bad: true},
		{words: []string{"200-"}, bad: true},
		{words: []string{"-200"}, bad: true},
		{words: []string{"200", "2xx"}, bad: true},
	}
	for _, tt := range tests {
		set, err := parseStatusSet("expect_status", tt.words)
		if (err != nil) != tt.bad {
			t.Errorf("%q: error %v, want one: %v", tt.words, err, tt.bad)
		}
		if err != nil {
			continue
		}
		for _, code := range tt.in {
			if !set.has(code) {
				t.Errorf("%q lacks %d", tt.words, code)
			}
		}
		for _, code := range tt.out {
			if set.has(code) {
				t.Errorf("%q has %d", tt.words, code)
			}
		}
		if set.String() != tt.text {
			t.Errorf("%q prints as %q, want %q", tt.words, set, tt.text)
		}
	}
}
