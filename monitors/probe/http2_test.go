package probe

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"fairlead/config"
)

// clearHTTP2 is a server of HTTP/1 and, with prior knowledge, 2.
func clearHTTP2(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// echo says what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/early" {
		w.WriteHeader(http.StatusEarlyHints)
	}
	user, password, _ := r.BasicAuth()
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s host=%s a=%v user=%s:%s agent=%s body=%d end", r.Proto, r.Method, r.URL, r.Host, r.Header["X-A"], user, password, r.UserAgent(), len(body))
}

func TestProbeHTTPVersions(t *testing.T) {
	server := clearHTTP2(t, http.HandlerFunc(echo))
	tests := []struct {
		name    string
		version config.HTTPVersion
		want    string
	}{
		{"default", "", "HTTP/1.1"},
		{"1.1", config.HTTP11, "HTTP/1.1"},
		{"2 is prior knowledge", config.HTTP2, "HTTP/2.0"},
		{"auto in clear", config.HTTPAuto, "HTTP/1.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := httpMonitor(config.HTTPProbe{Version: tt.version, Method: "POST", Path: "/early?q=1", Host: "www.example.com", Body: strings.Repeat("b", 64<<10),
				Headers:    []config.ProbeHeader{{Name: "x-a", Value: "1"}, {Name: "X-A", Secret: "env:TOKEN"}, {Name: "User-Agent", Value: "own"}},
				ExpectBody: tt.want + " POST /early?q=1 host=www.example.com a=[1 hidden] user=fairlead:hidden agent=own body=65536 end"})
			m.Login = &config.ProbeLogin{User: "fairlead", Password: "env:PASSWORD"}
			p := New(Options{Secret: func(config.Secret) (string, error) { return "hidden", nil }})
			if got := p.Probe(context.Background(), serverTarget(t, server, m)); !got.OK || got.Reason != "status 200" || got.Latency <= 0 {
				t.Errorf("got %+v, want status 200", got)
			}
		})
	}
}

func TestProbeHTTPSVersions(t *testing.T) {
	old := httptest.NewUnstartedServer(http.HandlerFunc(echo)) // offers nothing
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	defer old.Close()
	both := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	both.EnableHTTP2 = true
	both.StartTLS()
	defer both.Close()
	tests := []struct {
		name    string
		server  *httptest.Server
		version config.HTTPVersion
		speaks  string
		want    string
	}{
		{"1.1 where 2 is offered", both, config.HTTP11, "HTTP/1.1", "status 200"},
		{"2", both, config.HTTP2, "HTTP/2.0", "status 200"},
		{"auto, offered", both, config.HTTPAuto, "HTTP/2.0", "status 200"},
		{"auto, not offered", old, config.HTTPAuto, "HTTP/1.1", "status 200"},
		{"2, not offered", old, config.HTTP2, "", "server does not offer HTTP/2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := httpMonitor(config.HTTPProbe{Version: tt.version, ExpectBody: tt.speaks})
			m.Type = config.MonitorHTTPS
			if got := New(Options{}).Probe(context.Background(), serverTarget(t, tt.server, m)); got.Reason != tt.want {
				t.Errorf("got %+v, want %q", got, tt.want)
			}
		})
	}
}

// raw2Server answers each connection with what answer writes; what is sent to it is thrown away.
func raw2Server(t *testing.T, answer func(net.Conn)) string {
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
			_, _ = io.ReadFull(conn, make([]byte, len(http2.ClientPreface)))
			drained := make(chan struct{})
			go func() { io.Copy(io.Discard, conn); close(drained) }()
			answer(conn)
			if c, ok := conn.(*net.TCPConn); ok {
				c.CloseWrite()
			}
			<-drained
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-ended })
	return listener.Addr().String()
}

// frames2 are the bytes of what write writes.
func frames2(write func(*http2.Framer)) string {
	var b bytes.Buffer
	write(http2.NewFramer(&b, nil))
	return b.String()
}

// head2 is the block of a response's head.
func head2(fields ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

func headers2(end bool, fields ...string) string {
	return frames2(func(f *http2.Framer) {
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head2(fields...), EndHeaders: true, EndStream: end})
	})
}

func data2(end bool, text string) string {
	return frames2(func(f *http2.Framer) { f.WriteData(1, end, []byte(text)) })
}

func TestProbeHostileHTTP2(t *testing.T) {
	settings := frames2(func(f *http2.Framer) { f.WriteSettings() })
	ok := settings + headers2(false, ":status", "200")
	bomb := head2(":status", "200", "x-bomb", strings.Repeat("v", 3000)) // then 1 byte for each repetition of the field
	for range 10000 {
		bomb = append(bomb, 0x80|62)
	}
	tests := []struct {
		name   string
		answer func(net.Conn)
		want   string // prefix of the reason
	}{
		{"good", send(ok + data2(true, "needle")), "status 200"},
		{"HTTP/1", send("HTTP/1.1 400 Bad Request\r\n\r\n"), "server speaks HTTP/1, not HTTP/2"},
		{"closed", send(""), "connection closed waiting for first byte"},
		{"closed after the settings", send(settings), "connection closed waiting for first byte"},
		{"closed in the head", send(settings + headers2(true, ":status", "200")[:8]), "connection closed waiting for first byte"},
		{"closed in the body", send(ok + data2(false, "x")), "connection closed reading the body"},
		{"not HTTP", send("220 mail.example.com ESMTP\r\n\r\n"), "malformed HTTP/2 response"},
		{"no status", send(settings + headers2(true, "x-a", "b")), "malformed HTTP/2 response"},
		{"status is no number", send(settings + headers2(true, ":status", "abc")), "malformed HTTP/2 response: no status"},
		{"body first", send(settings + data2(false, "x")), "malformed HTTP/2 response: body before headers"},
		{"headers within the body", send(ok + headers2(false, "x-a", "b")), "malformed HTTP/2 response: headers within the body"},
		{"reset", send(settings + frames2(func(f *http2.Framer) { f.WriteRSTStream(1, http2.ErrCodeRefusedStream) })), "stream reset waiting for first byte: REFUSED_STREAM"},
		{"goes away", send(settings + frames2(func(f *http2.Framer) { f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) })), "server goes away waiting for first byte: ENHANCE_YOUR_CALM"},
		{"goes away without having read the request", send(settings + frames2(func(f *http2.Framer) { f.WriteGoAway(0, http2.ErrCodeNo, nil) })), "server goes away waiting for first byte: NO_ERROR"},
		{"goes away once it has answered", send(settings + frames2(func(f *http2.Framer) { f.WriteGoAway(1, http2.ErrCodeNo, nil) }) + headers2(false, ":status", "200") + data2(true, "needle")), "status 200"},
		{"window beyond its limit", send(frames2(func(f *http2.Framer) {
			f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
		})), "malformed HTTP/2 response"},
		{"frame too large", send("\xff\xff\xff\x00\x00\x00\x00\x00\x01"), "malformed HTTP/2 response: frame too large"},
		{"HPACK bomb", send(settings + frames2(func(f *http2.Framer) {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: bomb, EndHeaders: true, EndStream: true})
		})), "headers above 64 KiB"},
		{"endless informational answers", repeat(headers2(false, ":status", "103")), "headers above 64 KiB"},
		{"endless settings", repeat(settings), "headers above 64 KiB"},
		{"endless pings", repeat(frames2(func(f *http2.Framer) { f.WritePing(false, [8]byte{}) })), "headers above 64 KiB"},
		{"endless continuations", func(c net.Conn) {
			send(settings + frames2(func(f *http2.Framer) {
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head2(":status", "200")})
			}))(c)
			repeat(frames2(func(f *http2.Framer) { f.WriteContinuation(1, false, nil) }))(c)
		}, "headers above 64 KiB"},
		{"endless body", func(c net.Conn) { send(ok)(c); repeat(data2(false, strings.Repeat("x", 1000)))(c) }, `first 64 KiB of the body lack "needle"`},
		{"endless empty frames", func(c net.Conn) { send(ok)(c); repeat(data2(false, ""))(c) }, "body above 1 MiB on the wire"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := httpMonitor(config.HTTPProbe{Version: config.HTTP2, ExpectBody: "needle"})
			began := time.Now()
			got := New(Options{}).Probe(context.Background(), target("web", raw2Server(t, tt.answer), m))
			if got.OK != (tt.want == "status 200") || !strings.HasPrefix(got.Reason, tt.want) {
				t.Errorf("got %v %q, want %q", got.OK, got.Reason, tt.want)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestProbeHTTP2WaitsForWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		received := make(chan int, 1)
		go func() {
			defer far.Close()
			r := bufio.NewReader(far)
			io.ReadFull(r, make([]byte, len(http2.ClientPreface)))
			f, out := http2.NewFramer(far, r), make(chan string, 8)
			defer close(out)
			go func() {
				for text := range out {
					io.WriteString(far, text)
				}
			}()
			total := 0
			for {
				frame, err := f.ReadFrame()
				if err != nil {
					return
				}
				if d, ok := frame.(*http2.DataFrame); ok {
					if total += len(d.Data()); total == 65535 {
						out <- frames2(func(f *http2.Framer) { f.WriteSettings(); f.WriteWindowUpdate(0, 10); f.WriteWindowUpdate(1, 10) })
					}
					if d.StreamEnded() {
						received <- total
						out <- headers2(true, ":status", "204")
					}
				}
			}
		}()
		m := httpMonitor(config.HTTPProbe{Version: config.HTTP2, Method: "PUT", Body: strings.Repeat("b", 65540)})
		p := over(func(context.Context, string, string) (net.Conn, error) { return near, nil })
		if got := p.Probe(context.Background(), target("web", "192.0.2.1:80", m)); !got.OK || got.Reason != "status 204" {
			t.Errorf("got %+v, want status 204", got)
		}
		if n := <-received; n != 65540 {
			t.Errorf("the server got %d bytes, want 65540", n)
		}
	})
}

// TestProbeHTTP2AnswersControl: what a server wants to be acknowledged before it answers, and windows of which one alone is not enough.
func TestProbeHTTP2AnswersControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		var seen []string
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer far.Close()
			r := bufio.NewReader(far)
			io.ReadFull(r, make([]byte, len(http2.ClientPreface)))
			f, out := http2.NewFramer(far, r), make(chan string, 8)
			defer close(out)
			go func() {
				for text := range out {
					io.WriteString(far, text)
				}
			}()
			// The stream's window alone is widened: of the connection's 65535 bytes nothing is added until both are acknowledged.
			out <- frames2(func(f *http2.Framer) {
				f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 70000})
				f.WritePing(false, [8]byte{7})
			})
			total := 0
			for {
				frame, err := f.ReadFrame()
				if err != nil {
					return
				}
				switch frame := frame.(type) {
				case *http2.DataFrame:
					if total += len(frame.Data()); frame.StreamEnded() {
						seen = append(seen, fmt.Sprint(total, " bytes"))
						out <- headers2(true, ":status", "204")
					}
				case *http2.SettingsFrame:
					if frame.IsAck() {
						seen = append(seen, fmt.Sprint("settings after ", total))
					}
				case *http2.PingFrame:
					seen = append(seen, fmt.Sprint("ping ", frame.IsAck(), frame.Data[0], " after ", total))
					out <- frames2(func(f *http2.Framer) { f.WriteWindowUpdate(0, 5) })
				}
			}
		}()
		m := httpMonitor(config.HTTPProbe{Version: config.HTTP2, Method: "PUT", Body: strings.Repeat("b", 65540)})
		p := over(func(context.Context, string, string) (net.Conn, error) { return near, nil })
		if got := p.Probe(context.Background(), target("web", "192.0.2.1:80", m)); !got.OK || got.Reason != "status 204" {
			t.Errorf("got %+v, want status 204", got)
		}
		<-ended
		if got, want := strings.Join(seen, ", "), "settings after 65535, ping true 7 after 65535, 65540 bytes"; got != want {
			t.Errorf("the server saw %s; want %s", got, want)
		}
	})
}

func FuzzHTTP2(f *testing.F) {
	f.Add([]byte(frames2(func(f *http2.Framer) { f.WriteSettings() }) + headers2(false, ":status", "200") + data2(true, "body")))
	f.Add([]byte(headers2(false, ":status", "103") + headers2(false, ":status", "200") + headers2(true, "grpc-status", "0")))
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := New(Options{})
		m := httpMonitor(config.HTTPProbe{})
		x := &exchange{Prober: p, target: Target{Monitor: &m}, monitor: &m, ctx: context.Background(), started: time.Now()}
		defer x.close()
		s, err := x.request2(io.Discard, &boundedReader{r: bytes.NewReader(b), left: maxHeadBytes}, []hpack.HeaderField{{Name: ":method", Value: "GET"}}, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		status, _, err := s.head()
		if err != nil {
			return
		}
		if status < 200 || status > 999 {
			t.Errorf("status %d", status)
		}
		if body, _ := readBody(s, ""); len(body) > maxBodyBytes {
			t.Errorf("body of %d bytes", len(body))
		}
	})
}
