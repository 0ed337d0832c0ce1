package adns

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// webClient asks over HTTP/2, or over HTTP/1.1 alone.
func webClient(t *testing.T, config *tls.Config, http2 bool) *http.Client {
	transport := &http.Transport{TLSClientConfig: config, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: deadline}
}

func TestHTTPS(t *testing.T) {
	s, roots := startSecure(t)
	base := "https://" + s.SecureAddrs(HTTPS)[0].String()
	query := plainQuery(www())
	get := func(message []byte) string { return "/dns-query?dns=" + base64.RawURLEncoding.EncodeToString(message) }
	negative := plainQuery(question("nowhere.example.com.", dns.TypeA, dns.ClassINET))
	foreign := plainQuery(question("www.example.net.", dns.TypeA, dns.ClassINET))
	mixed := plainQuery(question("mixed.example.com.", dns.TypeA, dns.ClassINET))
	long := plainQuery(www(), optRecord(1232, 0, option(dns.EDNS0PADDING, make([]byte, 60_000)...)))
	tests := []struct {
		name   string
		method string
		path   string
		kind   string // of the body
		body   []byte
		status int
		rcode  int
		age    string
	}{
		{"get", "GET", get(query), "", nil, 200, dns.RcodeSuccess, "max-age=30"},
		{"get with other parameters", "GET", "/dns-query?a=b&" + strings.TrimPrefix(get(query), "/dns-query?") + "&c=d", "", nil, 200, dns.RcodeSuccess, "max-age=30"},
		{"head", "HEAD", get(query), "", nil, 200, -1, "max-age=30"},
		{"post", "POST", "/dns-query", dnsMessage, query, 200, dns.RcodeSuccess, "max-age=30"},
		{"post with parameters of the type", "POST", "/dns-query", dnsMessage + "; charset=x", query, 200, dns.RcodeSuccess, "max-age=30"},
		{"long post", "POST", "/dns-query", dnsMessage, long, 200, dns.RcodeSuccess, "max-age=30"},
		{"long post that its header refuses", "POST", "/dns-query", dnsMessage, append(request{counts: [4]uint16{9, 9, 9, 9}}.bytes(), make([]byte, 60_000)...), 200, dns.RcodeFormatError, "max-age=0"},
		{"lowest ttl", "GET", get(mixed), "", nil, 200, dns.RcodeSuccess, "max-age=60"},
		{"negative", "GET", get(negative), "", nil, 200, dns.RcodeNameError, "max-age=60"},
		{"refused", "GET", get(foreign), "", nil, 200, dns.RcodeRefused, "max-age=0"},
		{"update", "POST", "/dns-query", dnsMessage, request{flags: dns.OpcodeUpdate << 11}.bytes(), 200, dns.RcodeRefused, "max-age=0"},
		{"malformed dns", "POST", "/dns-query", dnsMessage, query[:len(query)-2], 200, dns.RcodeFormatError, "max-age=0"},
		{"a response", "GET", get(request{flags: 0x8000}.bytes()), "", nil, 400, -1, ""},
		{"short", "GET", get(query[:11]), "", nil, 400, -1, ""},
		{"empty post", "POST", "/dns-query", dnsMessage, nil, 400, -1, ""},
		{"no dns", "GET", "/dns-query", "", nil, 400, -1, ""},
		{"empty dns", "GET", "/dns-query?dns=", "", nil, 400, -1, ""},
		{"twice dns", "GET", get(query) + "&dns=AAAA", "", nil, 400, -1, ""},
		{"padded base64", "GET", get(append(query, 0)[:len(query)]) + "=", "", nil, 400, -1, ""},
		{"not base64", "GET", "/dns-query?dns=%00%ff", "", nil, 400, -1, ""},
		{"path", "GET", "/other?dns=AAAA", "", nil, 404, -1, ""},
		{"path below", "GET", "/dns-query/x", "", nil, 404, -1, ""},
		{"method", "PUT", "/dns-query", dnsMessage, query, 405, -1, ""},
		{"long get", "GET", "/dns-query?dns=" + strings.Repeat("A", maxHTTPSQuery), "", nil, 414, -1, ""},
		{"long body", "POST", "/dns-query", dnsMessage, make([]byte, 65536), 413, -1, ""},
		{"type", "POST", "/dns-query", "text/plain", query, 415, -1, ""},
		{"no type", "POST", "/dns-query", "", query, 415, -1, ""},
	}
	for _, http2 := range []bool{true, false} {
		web := webClient(t, &tls.Config{RootCAs: roots}, http2)
		for _, tt := range tests {
			t.Run(fmt.Sprintf("http2 %v/%s", http2, tt.name), func(t *testing.T) {
				r, err := http.NewRequestWithContext(t.Context(), tt.method, base+tt.path, bytes.NewReader(tt.body))
				if err != nil {
					t.Fatal(err)
				}
				if tt.kind != "" {
					r.Header.Set("Content-Type", tt.kind)
				}
				response, err := web.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				body, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				if response.StatusCode != tt.status || response.ProtoAtLeast(2, 0) != http2 {
					t.Fatalf("got %s %s, want %d", response.Proto, response.Status, tt.status)
				}
				if got := response.Header.Get("Cache-Control"); got != tt.age {
					t.Errorf("Cache-Control: got %q, want %q", got, tt.age)
				}
				if allow := response.Header.Get("Allow"); (allow != "") != (tt.status == 405) {
					t.Errorf("Allow: got %q", allow)
				}
				if tt.rcode < 0 {
					return
				}
				if got := response.Header.Get("Content-Type"); got != dnsMessage {
					t.Errorf("Content-Type: got %q", got)
				}
				if m := unpack(t, body); m.Rcode != tt.rcode || m.Id != testID {
					t.Errorf("got %v, want %s", m, dns.RcodeToString[tt.rcode])
				}
			})
		}
	}
}

// A body that is announced without its length is bounded too.
func TestHTTPSBodyOfUnknownLength(t *testing.T) {
	s, roots := startSecure(t)
	for _, http2 := range []bool{true, false} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+s.SecureAddrs(HTTPS)[0].String()+"/dns-query",
			io.MultiReader(bytes.NewReader(plainQuery(www())), io.LimitReader(zeros{}, 10<<20)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", dnsMessage)
		response, err := webClient(t, &tls.Config{RootCAs: roots}, http2).Do(r)
		if err != nil {
			continue // the connection was closed while we sent: also an end
		}
		response.Body.Close()
		if response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("http2 %v: got %s", http2, response.Status)
		}
	}
}

// Long bodies are as few at once as long messages over TCP, and are read only behind the header of a query.
func TestHTTPSLongBodies(t *testing.T) {
	long := plainQuery(www(), optRecord(1232, 0, option(dns.EDNS0PADDING, make([]byte, 60_000)...)))
	bomb := append(request{counts: [4]uint16{65535, 65535, 65535, 65535}}.bytes(), make([]byte, 60_000)...)
	tests := []struct {
		name   string
		body   []byte
		others int64 // long messages that are received meanwhile
		want   int   // octets of the request
		read   int   // the most that is read of the body
		status int   // of the refusal; 0: none
	}{
		{"a query", long, 0, len(long), len(long), 0},
		{"the last that has room", long, maxInboxLong - 1, len(long), len(long), 0},
		{"no room", long, maxInboxLong, 0, inboxLent, http.StatusServiceUnavailable},
		{"no query, by its header", bomb, 0, headerOctets, inboxLent, 0},
		{"no query, and no room", bomb, maxInboxLong, headerOctets, inboxLent, 0},
		{"short, and no room", long[:inboxLent-1], maxInboxLong, inboxLent - 1, inboxLent, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.lender.longs.Store(tt.others)
			rest := bytes.NewReader(tt.body)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, DefaultHTTPSPath, io.NopCloser(rest))
			r.Header.Set("Content-Type", dnsMessage)
			var body postBody
			got, err := (&web{server: s, path: DefaultHTTPSPath}).request(httptest.NewRecorder(), r, &body)
			refusal, _ := errors.AsType[*httpError](err)
			if (err != nil) != (tt.status != 0) || refusal != nil && refusal.status != tt.status {
				t.Errorf("got %v, want status %d", err, tt.status)
			}
			if !bytes.Equal(got, tt.body[:tt.want]) {
				t.Errorf("got %d octets, want %d", len(got), tt.want)
			}
			if read := len(tt.body) - rest.Len(); read > tt.read {
				t.Errorf("%d octets were read, want at most %d", read, tt.read)
			}
			body.giveBack(s)
			if got := s.lender.longs.Load(); got != tt.others {
				t.Errorf("%d long buffers are lent afterwards, want %d", got, tt.others)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestHTTPSLargeHeader(t *testing.T) {
	s, roots := startSecure(t)
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://"+s.SecureAddrs(HTTPS)[0].String()+"/dns-query", nil)
	r.Header.Set("X", strings.Repeat("x", 3*httpsHeader))
	response, err := webClient(t, &tls.Config{RootCAs: roots}, false).Do(r)
	if err != nil {
		return
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %s", response.Status)
	}
}

// Plain HTTP, and a client that speaks neither of our protocols, are turned away; connections count like others.
func TestHTTPSConnections(t *testing.T) {
	s, roots := startSecure(t)
	addr := s.SecureAddrs(HTTPS)[0].String()
	plain, err := net.DialTimeout("tcp", addr, deadline)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	_ = plain.SetDeadline(time.Now().Add(deadline))
	plain.Write([]byte("GET /dns-query HTTP/1.1\r\nHost: x\r\n\r\n"))
	if _, err := io.ReadAll(plain); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("plain HTTP: %v", err)
	}
	if _, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots, NextProtos: []string{"dot"}}); err == nil {
		t.Error("alpn dot is accepted")
	}
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.ConnectionState(); got.NegotiatedProtocol != "h2" || got.Version != tls.VersionTLS13 {
		t.Errorf("got %q, %x", got.NegotiatedProtocol, got.Version)
	}
	for limit := time.Now().Add(deadline); s.Stats().Streams[HTTPS].Open > 1 && time.Now().Before(limit); {
		runtime.Gosched() // those that were turned away are about to leave
	}
	if got := s.Stats().Streams[HTTPS]; got.Accepted != 3 || got.HandshakeErrors != 2 || got.Open != 1 {
		t.Errorf("got %+v, want 3 accepted, 2 failed handshakes, 1 open", got)
	}
	if !s.admitted.evict() {
		t.Fatal("nothing to evict")
	}
	_ = conn.SetDeadline(time.Now().Add(deadline))
	if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "EOF") && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an evicted connection: %v", err)
	}
}

// Connections end in time, whatever the client does.
func TestHTTPSTimes(t *testing.T) {
	query := plainQuery(www())
	head := "POST /dns-query HTTP/1.1\r\nHost: x\r\nContent-Type: " + dnsMessage + "\r\n"
	whole := fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(query), query)
	tests := []struct {
		name string
		sent string
		read bool
		want time.Duration
	}{
		{"no request", "", true, httpsRequest},
		{"half a header", head, true, httpsRequest},
		{"half a body", head + "Content-Length: 100\r\n\r\nhalf", true, httpsRequest},
		{"idle after an answer", whole, true, TCPIdle},
		{"answer is never read", whole, false, 2 * httpsRequest}, // crypto/tls waits as long for its farewell to leave
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				certificates, err := LoadCertificates(testCertificate(t, t.TempDir(), 1, farFuture))
				if err != nil {
					t.Fatal(err)
				}
				s := newServer(t, func(o *Options) {
					o.HTTPS = &HTTPSOptions{Listen: []string{"127.0.0.1:0"}, Certificates: certificates}
				})
				listener := &handedListener{conns: make(chan net.Conn), closed: make(chan struct{})}
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error)
				go func() { done <- s.serveHTTPS(ctx, s.secure[0], listener) }()
				near, far := net.Pipe()
				listener.take(fromConn{far, asker})
				conn := tls.Client(near, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
				if err := conn.Handshake(); err != nil {
					t.Fatal(err)
				}
				if tt.read {
					go io.Copy(io.Discard, conn)
				}
				begin := time.Now()
				if _, err := io.WriteString(conn, tt.sent); err != nil {
					t.Error(err)
				}
				for synctest.Wait(); s.admitted.open() > 0 && time.Since(begin) < time.Minute; synctest.Wait() {
					time.Sleep(time.Millisecond)
				}
				if got := time.Since(begin); got < tt.want || got > tt.want+time.Second {
					t.Errorf("ended after %v, want %v", got, tt.want)
				}
				near.Close()
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A server that ends does not wait for idle connections.
func TestHTTPSStop(t *testing.T) {
	begin := time.Now()
	t.Run("run", func(t *testing.T) {
		s, roots := startSecure(t)
		for _, http2 := range []bool{true, false} {
			web := webClient(t, &tls.Config{RootCAs: roots}, http2)
			response, err := web.Get("https://" + s.SecureAddrs(HTTPS)[0].String() + "/dns-query")
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		}
		begin = time.Now()
	})
	if waited := time.Since(begin); waited > 3*streamDrain {
		t.Errorf("the stop took %v", waited)
	}
}

func FuzzHTTPSQuery(f *testing.F) {
	f.Add("dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB")
	f.Add("a=b&dns=&dns=x")
	f.Add("dns=00\r0")
	f.Fuzz(func(t *testing.T, raw string) {
		message, err := queryOfGet(raw)
		if err == nil && (len(message) > maxHTTPSQuery || !strings.Contains(raw, base64.RawURLEncoding.EncodeToString(message))) {
			t.Errorf("%q: got %x", raw, message)
		}
	})
}

func FuzzFreshness(f *testing.F) {
	f.Add(make([]byte, 12))
	f.Add(append([]byte{0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0}, 0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 0))
	f.Fuzz(func(t *testing.T, response []byte) {
		if len(response) >= headerOctets {
			freshness(response)
		}
	})
}
