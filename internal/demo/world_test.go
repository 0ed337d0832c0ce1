package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// terminal is what a demo prints to, with a channel that is closed when it has shown some text.
type terminal struct {
	mu    sync.Mutex
	text  bytes.Buffer
	until string
	shown chan struct{}
}

func newTerminal(until string) *terminal {
	return &terminal{until: until, shown: make(chan struct{})}
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	had := strings.Contains(t.text.String(), t.until)
	t.text.Write(p)
	if !had && strings.Contains(t.text.String(), t.until) {
		close(t.shown)
	}
	return len(p), nil
}

func (t *terminal) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// startWorld builds a world on free ports and runs it until the test ends.
func startWorld(t *testing.T, o worldOptions) *world {
	t.Helper()
	o.Ports, o.Tell = ports{any: true}, func(event) {}
	w, err := newWorld(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return w
}

// TestRun runs the demo as a person does, until Ctrl-C, twice at once: neither is in the other's way.
func TestRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 2)
	var out [2]*terminal
	for i := range out {
		out[i] = newTerminal("Try, in another terminal:")
		go func() { ended <- Run(ctx, Options{Out: out[i], FreePorts: true, Story: i == 0, Command: "fairlead"}) }()
	}
	for _, o := range out {
		<-o.shown
	}
	cancel()
	for range out {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	for i, o := range out {
		text := o.String()
		if !strings.HasSuffix(text, "Stopped. Nothing is left behind.\n") {
			t.Errorf("it does not say that it stopped:\n%s", text)
		}
		if got, want := strings.Contains(text, "A story begins"), i == 0; got != want {
			t.Errorf("story announced: got %t, want %t", got, want)
		}
		if strings.Count(text, "3 of 3 up") != 2 {
			t.Errorf("not all web servers are up:\n%s", text)
		}
	}
}

func TestRunWithoutReader(t *testing.T) {
	t.Parallel()
	if err := Run(t.Context(), Options{Out: brokenWriter{}, FreePorts: true}); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want what the terminal said", err)
	}
}

func TestSelfTestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if _, failed := SelfTest(ctx, Options{Out: &out, FreePorts: true}); failed == 0 {
		t.Errorf("a self-test that was interrupted passed:\n%s", out.String())
	}
}

func TestScreen(t *testing.T) {
	w, err := newWorld(t.Context(), worldOptions{Ports: ports{any: true}, Tell: func(event) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}()
	text := screen(w, defaultCommand, true)
	if lines := strings.Count(text, "\n"); lines > 24 {
		t.Errorf("the first screen has %d lines, want at most 24:\n%s", lines, text)
	}
	for _, want := range []string{
		"go run ./cmd/fairlead query www.demo.test @" + w.sites[0].DNS + " --subnet 198.51.100.0/24",
		"dig @127.0.0.1 -p ",
		"go run ./cmd/fairlead explain www.demo.test --subnet 198.51.100.0/24 --api " + w.sites[0].API,
		"go run ./cmd/fairlead status --api " + w.sites[0].API,
		"curl -s http://" + w.server("nyc-1").listener.Addr().String() + "/",
		"Ctrl-C", w.sites[1].DNS, w.sites[1].API, w.sites[1].MEP, "0 of 3 up: 127.0.20.1 to .3",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the first screen lacks %q:\n%s", want, text)
		}
	}
}

// TestSharedAddress runs on a system that has no other loopback address: here, with addresses that it does not have.
func TestSharedAddress(t *testing.T) {
	t.Parallel()
	w := startWorld(t, worldOptions{Servers: func() []*webServer {
		servers := newServers()
		for i, s := range servers {
			s.Address = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), s.Address.Port())
		}
		return servers
	}})
	if !w.shared {
		t.Skip("this system binds addresses that it does not have")
	}
	if !await(t.Context(), settleLimit, w.settled) {
		t.Fatal("the probes do not reach the web servers")
	}
	a := w.ask(t.Context(), w.sites[0], question{Name: "www", Subnet: playedClient})
	if got := w.sitesOf(a.Servers); got != siteNyc {
		t.Errorf("got an answer at %q (%s), want nyc", got, a.text())
	}
	body, err := w.fetch(t.Context(), "http://"+w.server("ams-3").Address.String()+"/")
	if err != nil || !strings.HasPrefix(body, "ams-3 at site ams") {
		t.Errorf("got %q, %v; want ams-3", body, err)
	}
	if text := screen(w, defaultCommand, false); !strings.Contains(text, "this system has only 127.0.0.1") {
		t.Errorf("the first screen does not say so:\n%s", text)
	}
}

func TestBusyPortMovesOn(t *testing.T) {
	first, err := ports{any: true}.next(t.Context(), 0) // any port of the two protocols: what is free for UDP may be taken for TCP
	if err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			address := netip.AddrPortFrom(loopback, first).String()
			if network == "udp" {
				conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp4", address)
				if err != nil {
					t.Skip(err)
				}
				defer conn.Close()
			} else {
				l, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", address)
				if err != nil {
					t.Skip(err)
				}
				defer l.Close()
			}
			got, err := ports{}.next(t.Context(), first)
			if err != nil || got <= first || got >= first+portTries {
				t.Errorf("got port %d, %v; want one after %d", got, err, first)
			}
		})
	}
}

func TestWebServer(t *testing.T) {
	s := &webServer{Name: "ams-1", Site: "ams", Address: netip.MustParseAddrPort("127.0.10.1:18080")}
	get := func(path string) (int, string) {
		r := httptest.NewRecorder()
		s.handler().ServeHTTP(r, httptest.NewRequest(http.MethodGet, path, nil))
		return r.Code, r.Body.String()
	}
	s.Simulate(7)
	for _, tt := range []struct {
		path   string
		failed bool
		status int
		body   string
	}{
		{"/", false, 200, "ams-1 at site ams, on 127.0.10.1:18080\n"},
		{"/healthz", false, 200, "ok\n"},
		{"/load", false, 200, "{\"active\": 7}\n"},
		{"/else", false, 404, "404 page not found\n"},
		{"/", true, 503, "ams-1 at site ams has failed\n"},
		{"/healthz", true, 503, "failed\n"},
		{"/load", true, 200, "{\"active\": 7}\n"},
	} {
		s.Heal()
		if tt.failed {
			s.Fail()
		}
		if status, body := get(tt.path); status != tt.status || body != tt.body {
			t.Errorf("%s, failed %t: got %d %q, want %d %q", tt.path, tt.failed, status, body, tt.status, tt.body)
		}
	}
}

func TestWebServerCountsConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &webServer{Name: "ams-1", listener: l}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if !await(t.Context(), time.Second, func() bool { return s.Active() == 1 }) {
		t.Errorf("got %d active with one connection open, want 1", s.Active())
	}
	_ = conn.Close()
	if !await(t.Context(), time.Second, func() bool { return s.Active() == 0 }) {
		t.Errorf("got %d active without a connection, want 0", s.Active())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestPushLoads(t *testing.T) {
	type report struct {
		method, path string
		active       uint64
	}
	reports := make(chan report, 10)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Active uint64 }
		_ = json.NewDecoder(r.Body).Decode(&body)
		reports <- report{r.Method, r.URL.Path, body.Active}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer api.Close()
	s := &webServer{Name: "ams-3"}
	s.Simulate(12)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pushLoads(ctx, strings.TrimPrefix(api.URL, "http://"), []*webServer{s})
	}()
	want := report{http.MethodPut, "/v1/services/ams-3/load", 12}
	if got := <-reports; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	cancel()
	<-ended
}
