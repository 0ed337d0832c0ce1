package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/monitors/direct"
)

// eachWay runs a test with probes by a goroutine and by the loop. ask fails the test when the loop does not take what it is for.
func eachWay(t *testing.T, run func(t *testing.T, ask func(Target) Result)) {
	t.Run("by a goroutine", func(t *testing.T) {
		run(t, func(to Target) Result { return New(Options{}).Probe(context.Background(), to) })
	})
	t.Run("by the loop", func(t *testing.T) {
		if runtime.GOOS != "linux" || runtime.GOARCH == "386" {
			t.Skip("no loop here")
		}
		p := looping(t)
		run(t, func(to Target) Result {
			to.Prepared = Prepare(to.Monitor)
			if to.Prepared.err != nil {
				return p.Probe(context.Background(), to)
			}
			return askLoop(t, p, context.Background(), to)
		})
	})
}

// looping is a Prober whose loop runs.
func looping(t *testing.T) *Prober {
	t.Helper()
	p := New(Options{})
	run(t, p)
	return p
}

// run has the loop of a Prober run until the test is over or the function that it returns is called.
func run(t *testing.T, p *Prober) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// askLoop has the loop probe.
func askLoop(t *testing.T, p *Prober, ctx context.Context, to Target) Result {
	t.Helper()
	got := make(chan Result, 1)
	began := func() bool {
		return p.Begin(ctx, to, func(r Result, cancelled bool) {
			if cancelled != (r.Reason == "cancelled") {
				t.Errorf("cancelled %v: %q", cancelled, r.Reason)
			}
			got <- r
		})
	}
	for deadline := time.Now().Add(30 * time.Second); !began(); runtime.Gosched() { // Run begins on another goroutine
		if time.Now().After(deadline) {
			t.Fatal("the loop does not take it")
		}
	}
	return <-got
}

func TestBeginIsForPlainProbes(t *testing.T) {
	address := rawServer(t, send("HTTP/1.1 200 OK\r\n\r\n"))
	plain := func(*config.Monitor, *Target) {}
	for _, tt := range []struct {
		name    string
		options Options
		change  func(*config.Monitor, *Target)
		want    bool
	}{
		{"tcp", Options{}, plain, true},
		{"http", Options{}, func(m *config.Monitor, _ *Target) { m.Type = config.MonitorHTTP }, true},
		{"guarded", Options{Allowed: func(string, netip.AddrPort) error { return errors.New("never") }}, plain, false},
		{"dialed otherwise", Options{DialContext: new(net.Dialer).DialContext}, plain, false},
		{"connected otherwise", Options{Connect: direct.Dialer{}.Connect, DialContext: new(net.Dialer).DialContext}, plain, false},
		{"connected plainly", Options{Connect: direct.Dialer{}.Connect, DialContext: new(net.Dialer).DialContext, Plain: true}, plain, true},
		{"TLS", Options{}, func(m *config.Monitor, _ *Target) { m.Security = config.SecurityTLS }, false},
		{"https", Options{}, func(m *config.Monitor, _ *Target) { m.Type = config.MonitorHTTPS }, false},
		{"HTTP/2", Options{}, func(m *config.Monitor, _ *Target) { m.Type, m.HTTP.Version = config.MonitorHTTP, config.HTTP2 }, false},
		{"a secret", Options{}, func(m *config.Monitor, _ *Target) { m.Type, m.Login = config.MonitorHTTP, somebody }, false},
		{"wrong", Options{}, func(m *config.Monitor, _ *Target) { m.TCP = &config.Dialogue{ExpectRegexp: "("} }, false},
		{"another kind", Options{}, func(m *config.Monitor, _ *Target) { m.Type = config.MonitorRedis }, false},
		{"no port", Options{}, func(_ *config.Monitor, to *Target) { to.Address = netip.AddrPortFrom(to.Address.Addr(), 0) }, false},
		{"not prepared", Options{}, func(_ *config.Monitor, to *Target) { to.Prepared = nil }, false},
		{"a zone", Options{}, func(_ *config.Monitor, to *Target) {
			to.Address = netip.MustParseAddrPort("[fe80::1%lo]:" + address[strings.LastIndex(address, ":")+1:])
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := New(tt.options)
			m := tcpMonitor(10 * time.Second)
			to := target("db", address, m)
			tt.change(to.Monitor, &to)
			if to.Prepared = Prepare(to.Monitor); tt.name == "not prepared" {
				to.Prepared = nil
			}
			if p.Begin(t.Context(), to, func(Result, bool) { t.Error("done") }) {
				t.Fatal("it began while no loop runs")
			}
			run(t, p)
			if tt.want {
				if got := askLoop(t, p, t.Context(), to); !got.OK {
					t.Error(got)
				}
				return
			}
			good := target("db", address, tcpMonitor(10*time.Second))
			if good.Prepared = Prepare(good.Monitor); p.loop != nil && tt.name != "guarded" {
				askLoop(t, p, t.Context(), good) // the loop runs by now
			}
			if p.Begin(t.Context(), to, func(Result, bool) {}) {
				t.Error("it began")
			}
		})
	}
}

// TestBegunLeavesNothingBehind: a probe is made of what was another one before, and nothing of that is left.
func TestBegunLeavesNothingBehind(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	draining := httpMonitor(config.HTTPProbe{Path: "/a/long/path"})
	draining.DrainOn = &config.DrainOn{Status: []string{"503"}}
	unavailable := "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
	tests := []struct {
		name    string
		address string
		monitor config.Monitor
		ok      bool
		drain   bool
		reason  string
	}{
		{"drains", rawServer(t, send(unavailable)), draining, true, true, "status 503 drains"},
		{"passes", rawServer(t, send("HTTP/1.1 200 OK\r\n\r\n")), httpMonitor(config.HTTPProbe{}), true, false, "status 200"},
		{"another status", rawServer(t, send("HTTP/1.1 204 No Content\r\n\r\n")), httpMonitor(config.HTTPProbe{}), true, false, "status 204"},
		{"fails", rawServer(t, send(unavailable)), httpMonitor(config.HTTPProbe{}), false, false, "status 503, want 200-299"},
		{"has a body", rawServer(t, send("HTTP/1.1 200 OK\r\n\r\nneedle")), httpMonitor(config.HTTPProbe{ExpectBody: "needle"}), true, false, "status 200"},
		{"lacks a body", rawServer(t, send("HTTP/1.1 200 OK\r\n\r\nhay")), httpMonitor(config.HTTPProbe{ExpectBody: "needle"}), false, false, `body of 3 bytes lacks "needle"`},
		{"refuses", closed.Addr().String(), httpMonitor(config.HTTPProbe{}), false, false, "tcp connect refused"},
		{"is no server of HTTP", rawServer(t, send("")), tcpMonitor(10 * time.Second), true, false, "connected"},
	}
	p := looping(t)
	for round := range 3 {
		for _, tt := range tests {
			to := target("web", tt.address, tt.monitor)
			to.Prepared = Prepare(to.Monitor)
			got := askLoop(t, p, t.Context(), to)
			if got.OK != tt.ok || got.Drain != tt.drain || got.Reason != tt.reason || (got.Latency > 0) != (tt.name != "refuses") {
				t.Errorf("round %d, %s: got %+v, want %v, drain %v, %q", round, tt.name, got, tt.ok, tt.drain, tt.reason)
			}
		}
	}
}

func TestBegunTimesOut(t *testing.T) {
	const limit = time.Second // long enough for all that comes before
	holding := func(answer string) func(net.Conn) {
		return func(c net.Conn) { send(answer)(c); io.Copy(io.Discard, c) }
	}
	silent, half, head := holding(""), holding("HTTP/1.1 2"), holding("HTTP/1.1 404 Not Found\r\n\r\n")
	request := "GET / HTTP/1.1\r\n\r\n" // which ends what the servers read first
	tcp := tcpMonitor(time.Second)
	tcp.TCP = &config.Dialogue{Send: request, Expect: "needle"}
	for _, tt := range []struct {
		name    string
		serve   func(net.Conn)
		monitor config.Monitor
		want    string
	}{
		{"http, silent", silent, httpMonitor(config.HTTPProbe{}), "timed out after 1s waiting for first byte"},
		{"http, half a line", half, httpMonitor(config.HTTPProbe{}), "timed out after 1s reading headers"},
		{"http, half a body", head, httpMonitor(config.HTTPProbe{ExpectStatus: []string{"404"}, ExpectBody: "x"}), "timed out after 1s reading the body"},
		{"tcp, silent", silent, tcp, "timed out after 1s waiting for first byte"},
		{"tcp, half an answer", half, tcp, `answer of 10 bytes lacks "needle"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, ask func(Target) Result) {
				m := tt.monitor
				m.Timeout = config.Duration(limit)
				began := time.Now()
				got := ask(target("web", rawServer(t, tt.serve), m))
				if took := time.Since(began); got.OK || got.Reason != tt.want || took < limit || took > time.Minute {
					t.Errorf("got %v %q after %v, want %q after %v", got.OK, got.Reason, took, tt.want, limit)
				}
				if answered := !strings.Contains(tt.want, "first byte"); (got.Latency > 0) != answered {
					t.Errorf("latency %v", got.Latency)
				}
			})
		})
	}
}

// TestBegunCountsFromTheConnect: that a probe waits for others counts neither as its target's time nor against it.
func TestBegunCountsFromTheConnect(t *testing.T) {
	const limit = 300 * time.Millisecond
	slow := rawServer(t, func(c net.Conn) { <-time.After(limit / 10); send("HTTP/1.1 200 OK\r\n\r\n")(c) })
	m := httpMonitor(config.HTTPProbe{})
	m.Timeout, m.MaxResponseTime = config.Duration(limit), config.Duration(limit)
	to := target("web", slow, m)
	to.Prepared = Prepare(to.Monitor)
	p := looping(t)
	if p.loop == nil || runtime.GOOS != "linux" || runtime.GOARCH == "386" {
		t.Skip("no loop here")
	}
	got := make(chan Result, 1)
	p.Together(func() {
		for deadline := time.Now().Add(30 * time.Second); !p.Begin(t.Context(), to, func(r Result, _ bool) { got <- r }); runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatal("the loop does not take it")
			}
		}
		<-time.After(2 * limit) // as if others took that long
	})
	if r := <-got; !r.OK || r.Latency > limit {
		t.Errorf("got %v %q after %v", r.OK, r.Reason, r.Latency)
	}
}

// TestBegunDialogues: what is said over TCP comes to the same, the header of the PROXY protocol included.
func TestBegunDialogues(t *testing.T) {
	ping := config.Dialogue{Send: "PING\r\n", Expect: "+PONG"}
	for _, tt := range []struct {
		name   string
		ask    *config.Dialogue
		change func(*config.Monitor)
		serve  func(net.Conn)
		ok     bool
		want   string
	}{
		{"good", &ping, nil, after(6, send("+PONG\r\n")), true, "answer of 7 bytes"},
		{"wrong", &ping, nil, after(6, send("-ERR\r\n")), false, `answer of 6 bytes lacks "+PONG"`},
		{"closed", &ping, nil, after(6, send("")), false, "connection closed waiting for first byte"},
		{"reset", &ping, nil, after(6, func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }), false, "connection reset waiting for first byte"},
		{"endless", &ping, nil, after(6, repeat(strings.Repeat("x", 4096))), false, `answer of 65536 bytes lacks "+PONG"`},
		{"late within the limit", &ping, nil, after(6, send(strings.Repeat("x", 65531)+"+PONG")), true, "answer of 65536 bytes"},
		{"banner", &config.Dialogue{Expect: "SSH-2.0"}, nil, send("SSH-2.0-OpenSSH\r\n"), true, "answer of 17 bytes"},
		{"reverse", &ping, func(m *config.Monitor) { m.Reverse = true }, after(6, send("-ERR\r\n")), true, `answer of 6 bytes lacks "+PONG", which passes: reverse`},
		{"drains", &ping, func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Text: "LOADING"} }, after(6, send("-LOADING\r\n")), true, `answer has "LOADING", which drains`},
		{"too slow", &ping, func(m *config.Monitor) { m.MaxResponseTime = 1 }, after(6, send("+PONG")), false, "answer of 5 bytes, but after 0s; max_response_time is 1ns"},
		{"PROXY protocol 1", &ping, func(m *config.Monitor) { m.ProxyProtocol = config.ProxyV1 }, after(len(proxyUnknown+"PING\r\n"), send("+PONG")), true, "answer of 5 bytes"},
		{"PROXY protocol 2, connected", nil, func(m *config.Monitor) { m.ProxyProtocol = config.ProxyV2 }, after(len(proxyLocal), send("")), true, "connected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, ask func(Target) Result) {
				m := tcpMonitor(10 * time.Second)
				if m.TCP = tt.ask; tt.change != nil {
					tt.change(&m)
				}
				got := ask(target("db", tcpServer(t, tt.serve), m))
				if text := shortened(got.Reason); got.OK != tt.ok || text != tt.want || got.Drain != (tt.name == "drains") {
					t.Errorf("got %v %q, drain %v; want %v %q", got.OK, text, got.Drain, tt.ok, tt.want)
				}
			})
		})
	}
}

// shortened is a reason with no time in it.
func shortened(reason string) string {
	before, _, slow := strings.Cut(reason, "but after ")
	if !slow {
		return reason
	}
	_, rest, _ := strings.Cut(reason, "; ")
	return before + "but after 0s; " + rest
}

// tcpServer serves each connection.
func tcpServer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			served.Go(func() { defer conn.Close(); serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); served.Wait() })
	return l.Addr().String()
}

func TestBegunIsCancelled(t *testing.T) {
	silent := rawServer(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	m := httpMonitor(config.HTTPProbe{})
	m.Interval, m.Timeout = config.Duration(2*time.Hour), config.Duration(time.Hour)
	to := target("web", silent, m)
	to.Prepared = Prepare(to.Monitor)
	for _, which := range []string{"its context", "the loop"} {
		t.Run(which, func(t *testing.T) {
			p := New(Options{})
			stop := run(t, p)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			end := cancel
			if which == "the loop" {
				end = stop
			}
			time.AfterFunc(50*time.Millisecond, end)
			began := time.Now()
			if got := askLoop(t, p, ctx, to); got.OK || got.Reason != "cancelled" || time.Since(began) > time.Minute {
				t.Errorf("got %+v after %v", got, time.Since(began))
			}
			if len(p.Counts()) > 0 {
				t.Error("it was counted")
			}
		})
	}
}

// FuzzAnswerInParts: what the loop makes of an answer is what is made of it as it is read.
func FuzzAnswerInParts(f *testing.F) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, answer := range []string{ok + "Content-Length: 6\r\n\r\nneedle", ok + "\r\nsome needle", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\n" + ok + "\r\n", "HTTP/1.1 503 No\r\n\r\nneedle LOADING", ok + "Content-Length: 9\r\n\r\nshort", "220 smtp\r\n", "", ok,
		ok + "X: " + strings.Repeat("y", 5000) + "\r\n\r\nneedle", "HTTP/1.1 429 Wait\r\n\r\n"} {
		for _, size := range []uint8{1, 7, 200} {
			for which := range uint8(5) {
				f.Add([]byte(answer), size, which)
			}
		}
	}
	text, drains, both := httpMonitor(config.HTTPProbe{ExpectBody: "needle"}), httpMonitor(config.HTTPProbe{}), httpMonitor(config.HTTPProbe{ExpectBodyRegexp: "nee.*e"})
	drains.DrainOn = &config.DrainOn{Text: "LOADING", Status: []string{"429"}}
	both.DrainOn = drains.DrainOn
	tcp := tcpMonitor(time.Second)
	tcp.TCP = &config.Dialogue{Expect: "OK", ExpectRegexp: "n?e+d"}
	plain := httpMonitor(config.HTTPProbe{})
	asked := []*Prepared{Prepare(&plain), Prepare(&text), Prepare(&drains), Prepare(&both), Prepare(&tcp)}
	p := New(Options{})
	f.Fuzz(func(t *testing.T, answer []byte, size, which uint8) {
		prepared := asked[int(which)%len(asked)]
		fresh := func() *begun {
			b := &begun{exchange: exchange{Prober: p}}
			b.fill(t.Context(), Target{Monitor: prepared.of}, prepared)
			return b
		}
		step := int(size)%512 + 1
		want := fresh()
		want.err = want.judgeFrom(&steps{answer, step})
		want.close()
		got := inParts(fresh(), answer, step)
		if text := func(b *begun) string { return b.reason + "|" + message(b.err) }; want.err == nil && (text(got) != text(want) || got.drain != want.drain) || message(got.err) != message(want.err) {
			t.Errorf("%q in parts of %d: got %q, %v, want %q, %v", answer, step, text(got), got.drain, text(want), want.drain)
		}
	})
}

// inParts is what the loop does with an answer that comes in parts.
func inParts(b *begun, answer []byte, step int) *begun {
	const most = 4 << 10 // bytes, and
	for parts := 1; parts*step < len(answer)+step; parts++ {
		came := answer[:min(parts*step, len(answer))]
		if len(came) == 0 || b.Hear(came, nil) == direct.Enough {
			break
		}
		if parts == 8 || len(came) >= most {
			b.err = b.judgeFrom(&soFar{rest: came, then: &steps{answer[len(came):], step}})
			b.close()
			return b
		}
		if len(came) == len(answer) {
			b.Hear(answer, io.EOF)
		}
	}
	if len(answer) == 0 {
		b.Hear(nil, io.EOF)
	}
	b.close()
	return b
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// steps is read a step at a time.
type steps struct {
	rest []byte
	step int
}

func (s *steps) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
