package probe

import (
	"context"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
)

// talk is a network whose connections are served by serve, in memory.
func talk(serve func(net.Conn)) DialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			serve(far)
		}()
		return near, nil
	}
}

// after reads n bytes, then does what then does.
func after(n int, then func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, n)); err == nil {
			then(c)
		}
	}
}

// slowly writes parts, a second between them, and then holds the connection.
func slowly(parts ...string) func(net.Conn) {
	return func(c net.Conn) {
		for i, part := range parts {
			if i > 0 {
				time.Sleep(time.Second)
			}
			if _, err := io.WriteString(c, part); err != nil {
				return
			}
		}
		io.Copy(io.Discard, c)
	}
}

func dripping(c net.Conn) {
	for {
		if _, err := c.Write([]byte("x")); err != nil {
			return
		}
		time.Sleep(150 * time.Millisecond)
	}
}

func TestProbeTCPDialogue(t *testing.T) {
	ping := config.Dialogue{Send: "PING\r\n", Expect: "+PONG"}
	tests := []struct {
		name   string
		ask    config.Dialogue
		change func(*config.Monitor)
		serve  func(net.Conn)
		ok     bool
		want   string
		took   time.Duration
	}{
		{"good", ping, nil, after(6, slowly("+PONG\r\n")), true, "answer of 7 bytes", 0},
		{"in parts", ping, nil, after(6, slowly("+P", "ON", "G\r\n")), true, "answer of 7 bytes", 2 * time.Second},
		{"wrong, closed", ping, nil, after(6, send("-ERR\r\n")), false, `answer of 6 bytes lacks "+PONG"`, 0},
		{"wrong, open", ping, nil, after(6, slowly("-ERR\r\n")), false, `answer of 6 bytes lacks "+PONG"`, 5 * time.Second},
		{"silent", ping, nil, after(6, slowly()), false, "timed out after 5s waiting for first byte", 5 * time.Second},
		{"closed", ping, nil, after(6, send("")), false, "connection closed waiting for first byte", 0},
		{"drips", ping, nil, after(6, dripping), false, `answer of 34 bytes lacks "+PONG"`, 5 * time.Second},
		{"endless", ping, nil, after(6, repeat(strings.Repeat("x", 4096))), false, `answer of 65536 bytes lacks "+PONG"`, 0},
		{"late within the limit", ping, nil, after(6, send(strings.Repeat("x", 65531)+"+PONG")), true, "answer of 65536 bytes", 0},
		{"beyond the limit", ping, nil, after(6, send(strings.Repeat("x", 65532)+"+PONG")), false, `answer of 65536 bytes lacks "+PONG"`, 0},
		{"banner", config.Dialogue{Expect: "SSH-2.0"}, nil, slowly("SSH-2.0-OpenSSH\r\n"), true, "answer of 17 bytes", 0},
		{"any answer", config.Dialogue{Send: "x"}, nil, after(1, slowly("y")), true, "answer of 1 bytes", 0},
		{"octets", config.Dialogue{SendHex: "00 ff", ExpectHex: "ff00"}, nil, after(2, slowly("\x01\xff\x00")), true, "answer of 3 bytes", 0},
		{"expression", config.Dialogue{Send: "x", ExpectRegexp: `^ok \d+$`}, nil, after(1, slowly("ok ", "12")), true, "answer of 5 bytes", time.Second},
		{"expression does not match", config.Dialogue{Send: "x", ExpectRegexp: `^ok`}, nil, after(1, send("no")), false, `answer of 2 bytes does not match "^ok"`, 0},
		{"expression and text", config.Dialogue{Send: "x", Expect: "b", ExpectRegexp: "^a"}, nil, after(1, slowly("a", "b")), true, "answer of 2 bytes", time.Second},
		{"reverse, wrong", ping, func(m *config.Monitor) { m.Reverse = true }, after(6, send("-ERR\r\n")), true, `answer of 6 bytes lacks "+PONG", which passes: reverse`, 0},
		{"reverse, good", ping, func(m *config.Monitor) { m.Reverse = true }, after(6, send("+PONG\r\n")), false, "answer of 7 bytes, which fails: reverse", 0},
		{"reverse, no answer", ping, func(m *config.Monitor) { m.Reverse = true }, after(6, send("")), false, "connection closed waiting for first byte", 0},
		{"drains", ping, func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Text: "LOADING"} }, after(6, slowly("-LOAD", "ING\r\n")), true, `answer has "LOADING", which drains`, time.Second},
		{"drains, in many parts", ping, func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Text: "LOADING"} }, after(6, slowly("-LOALO", "A", "D", "I", "NG\r\n")), true, `answer has "LOADING", which drains`, 4 * time.Second},
		{"too slow", ping, func(m *config.Monitor) { m.MaxResponseTime = config.Duration(time.Second) }, after(6, func(c net.Conn) { time.Sleep(2 * time.Second); slowly("+PONG")(c) }),
			false, "answer of 5 bytes, but after 2s; max_response_time is 1s", 2 * time.Second},
		{"PROXY protocol 1", ping, func(m *config.Monitor) { m.ProxyProtocol = config.ProxyV1 }, after(len("PROXY UNKNOWN\r\nPING\r\n"), slowly("+PONG")), true, "answer of 5 bytes", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := tcpMonitor(10 * time.Second)
				m.TCP = &tt.ask
				if tt.change != nil {
					tt.change(&m)
				}
				began := time.Now()
				got := over(talk(tt.serve)).Probe(context.Background(), target("db", "192.0.2.1:6379", m))
				if got.OK != tt.ok || got.Reason != tt.want || got.Drain != strings.HasPrefix(tt.name, "drains") {
					t.Errorf("got %v %q, drain %v; want %v %q", got.OK, got.Reason, got.Drain, tt.ok, tt.want)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				time.Sleep(time.Second) // until the server has noticed
			})
		})
	}
}

func TestProxyHeaders(t *testing.T) {
	for version, want := range map[config.ProxyProtocol]string{
		config.ProxyNone: "", config.ProxyV1: "PROXY UNKNOWN\r\n",
		config.ProxyV2: "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x20\x00\x00\x00",
	} {
		got := make(chan string, 1)
		m := tcpMonitor(10 * time.Second)
		m.ProxyProtocol = version
		r := over(talk(func(c net.Conn) { b, _ := io.ReadAll(c); got <- string(b) })).Probe(context.Background(), target("db", "192.0.2.1:80", m))
		if sent := <-got; sent != want || !r.OK {
			t.Errorf("%s: sent %q, %+v, want %q", version, sent, r, want)
		}
	}
}

// udpServer answers every datagram with what answer returns.
func udpServer(t *testing.T, answer func(request string) []string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			for _, a := range answer(string(b[:n])) {
				conn.WriteTo([]byte(a), from)
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-ended })
	return conn.LocalAddr().String()
}

func TestProbeUDP(t *testing.T) {
	answers := func(a ...string) func(string) []string { return func(string) []string { return a } }
	many := make([]string, 100)
	for i := range many {
		many[i] = "x"
	}
	tests := []struct {
		name   string
		ask    config.Dialogue
		answer func(string) []string // nil: nobody is on the port
		ok     bool
		want   string
	}{
		{"any answer", config.Dialogue{Send: "hello"}, func(q string) []string { return []string{q} }, true, "answer of 5 bytes"},
		{"empty answer", config.Dialogue{Send: "hello"}, answers(""), true, "answer of 0 bytes"},
		{"expected", config.Dialogue{Send: "hello", Expect: "lo w"}, answers("hello w"), true, "answer of 7 bytes"},
		{"in two datagrams", config.Dialogue{Send: "hello", ExpectHex: "6162"}, answers("a", "b"), true, "answer of 2 bytes"},
		{"wrong", config.Dialogue{Send: "hello", Expect: "world"}, answers("hello"), false, `answer of 5 bytes lacks "world"`},
		{"none", config.Dialogue{Send: "hello"}, answers(), false, "timed out after 500ms waiting for first byte"},
		{"none, silent", config.Dialogue{Send: "hello", Silent: true}, answers(), true, "no answer, which passes: silent"},
		{"wrong, silent", config.Dialogue{Send: "hello", Expect: "world", Silent: true}, answers("hello"), false, `answer of 5 bytes lacks "world"`},
		{"port unreachable", config.Dialogue{Send: "hello"}, nil, false, "udp port unreachable"},
		{"port unreachable, silent", config.Dialogue{Send: "hello", Silent: true}, nil, false, "udp port unreachable"},
		{"endless", config.Dialogue{Send: "hello", Expect: "world"}, answers(many...), false, `answer of 64 bytes lacks "world"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address := "127.0.0.1:9"
			if tt.answer != nil {
				address = udpServer(t, tt.answer)
			} else if c, err := net.ListenPacket("udp", "127.0.0.1:0"); err == nil { // nobody any more
				address = c.LocalAddr().String()
				c.Close()
			}
			m := config.Monitor{Name: "udp-ok", Type: config.MonitorUDP, Interval: config.Duration(time.Minute), Timeout: config.Duration(500 * time.Millisecond), UDP: &tt.ask}
			got := New(Options{}).Probe(context.Background(), target("game", address, m))
			if got.OK != tt.ok || got.Reason != tt.want {
				t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
			}
		})
	}
}

func TestExpressionOverDripsIsNotSquare(t *testing.T) {
	d := &dialogue{}
	var err error
	if d.pattern, err = regexp.Compile("needle$"); err != nil {
		t.Fatal(err)
	}
	h := hearing{dialogue: d}
	for h.room() > 6 {
		if h.add([]byte("x")); h.enough() {
			t.Fatal("satisfied by nothing")
		}
	}
	if h.looks > eagerLooks+40 {
		t.Errorf("%d looks at an answer byte by byte", h.looks)
	}
	h.add([]byte("needle"))
	m := tcpMonitor(time.Second)
	if err := (&exchange{monitor: &m}).judgeHeard(&h); err != nil {
		t.Errorf("got %v: what is there at the end was not found", err)
	}
}
