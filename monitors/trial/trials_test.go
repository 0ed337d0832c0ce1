package trial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/monitors"
	"fairlead/monitors/metric"
	"fairlead/monitors/probe"
	"fairlead/monitors/source"
)

const document = `
sites: [{name: ams, address: 192.0.2.10}]
monitors:
  - {name: port-ok, type: tcp, interval: 1s, timeout: 1s}
  - {name: other-port, type: tcp, target: {address: 192.0.2.9, port: 99}}
  - {name: spare, type: tcp}
  - {name: need-db, type: calculated, calculated: {monitors: [port-ok, {monitor: port-ok, service: db}]}}
  - {name: twice, type: calculated, calculated: {monitors: [need-db, {monitor: need-db, service: web}, port-ok], need: 1}}
  - {name: behind, type: passive, passive: {min_members: 2}}
  - {name: either, type: calculated, calculated: {monitors: [behind, port-ok], need: 2}}
services:
  - {name: web, site: ams, addresses: [192.0.2.1, "2001:db8::1"], port: 80, monitors: [port-ok, other-port, need-db, twice, behind, either], load: {source: json, url: "http://192.0.2.1/", fields: {active: active, members: members, requests_total: requests}, custom: [{name: cpu, path: cpu, threshold: 50}]}}
  - {name: db, site: ams, addresses: [192.0.2.2], port: 5432, monitors: [port-ok]}
  - {name: pushed, site: ams, addresses: [192.0.2.3], port: 80, monitors: [behind], load: {source: push}}
  - {name: bare, site: ams, addresses: [192.0.2.4]}
  - {name: alias, site: ams, cname: www.example.net}
`

func parsed(t testing.TB, text string) *config.Document {
	t.Helper()
	doc, report := config.Parse(config.Source{Name: "test.yaml", Text: []byte(text)})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	return doc
}

// place is a network in memory: where something listens, and what HTTP answers.
type place struct {
	mu      sync.Mutex
	up      map[string]bool
	page    string
	hang    bool
	dials   atomic.Int64
	most    atomic.Int64
	members func(string) (float64, time.Time, bool)
}

func (p *place) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if n := p.dials.Add(1); n > p.most.Load() {
		p.most.Store(n)
	}
	p.mu.Lock()
	up, page, hang := p.up[address], p.page, p.hang
	p.mu.Unlock()
	switch {
	case hang:
		<-ctx.Done()
		return nil, ctx.Err()
	case !up:
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		if _, err := there.Read(make([]byte, 4096)); err == nil {
			fmt.Fprintf(there, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(page), page)
		}
	}()
	return here, nil
}

func (p *place) trials() *Trials {
	return New(Options{Prober: probe.New(probe.Options{DialContext: p.dial}), Reader: source.New(source.Options{DialContext: p.dial}), Members: p.members,
		Lookup: func(ctx context.Context, name string) ([]netip.Addr, error) {
			switch name {
			case "www.example.net":
				return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.7")}, nil
			case "slow.example.net":
				<-ctx.Done()
				return nil, ctx.Err()
			case "many.example.net":
				return make([]netip.Addr, 100), nil
			}
			return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
		}})
}

// told is a trial text: one line for each run, indented for parts.
func told(runs []Run, indent string) string {
	var b strings.Builder
	for _, r := range runs {
		fmt.Fprintf(&b, "%s%s %s %s %s: %s\n", indent, cmp.Or(r.Part, r.Monitor.Name), r.Service, r.At, r.State, r.Reason)
		b.WriteString(told(r.Parts, indent+"  "))
	}
	return b.String()
}

func TestMonitor(t *testing.T) {
	const page = `{"active": 3, "members": 2, "requests": 100, "cpu": 25}`
	for _, c := range []struct {
		name, question string
		up             string
		want           string
	}{
		{"all addresses of all services", "port-ok", "192.0.2.1:80 192.0.2.2:5432",
			"port-ok web 192.0.2.1:80 UP: connected\nport-ok web [2001:db8::1]:80 DOWN: tcp connect refused\nport-ok db 192.0.2.2:5432 UP: connected\n"},
		{"one service", "port-ok db", "192.0.2.2:5432", "port-ok db 192.0.2.2:5432 UP: connected\n"},
		{"a service that does not bind it", "spare db", "192.0.2.2:5432", "spare db 192.0.2.2:5432 UP: connected\n"},
		{"a target of its own", "other-port db", "192.0.2.9:99", "other-port db 192.0.2.9:99 UP: connected\n"},
		{"another target counts before its own", "other-port - 192.0.2.8", "192.0.2.8:99", "other-port  192.0.2.8:99 UP: connected\n"},
		{"another target, and the port is the monitor's before it is the service's", "other-port db 192.0.2.8", "192.0.2.8:99", "other-port db 192.0.2.8:99 UP: connected\n"},
		{"another target on a link", "spare - [fe80::9%eth0.10]:443", "[fe80::9%eth0.10]:443", "spare  [fe80::9%eth0.10]:443 UP: connected\n"},
		{"another target on a link, with the service's port", "spare db fe80::9%2", "[fe80::9%2]:5432", "spare db [fe80::9%2]:5432 UP: connected\n"},
		{"another target", "spare - [2001:db8::9]:443", "[2001:db8::9]:443", "spare  [2001:db8::9]:443 UP: connected\n"},
		{"another target with the service's port", "spare db 2001:db8::9", "[2001:db8::9]:5432", "spare db [2001:db8::9]:5432 UP: connected\n"},
		{"a name", "spare - www.example.net:443", "192.0.2.7:443", "spare  192.0.2.1:443 DOWN: tcp connect refused\nspare  192.0.2.7:443 UP: connected\n"},
		{"no port", "spare bare", "", "spare bare 192.0.2.4:0 DOWN: no port to probe: set port of service \"bare\", or target.port of the monitor\n"},
		{"calculated", "need-db web", "192.0.2.1:80", "" +
			"need-db web 192.0.2.1:80 DOWN: 1 of 2 monitors UP, 2 needed: port-ok of db at 192.0.2.2:5432: tcp connect refused\n" +
			"  port-ok web 192.0.2.1:80 UP: connected\n  port-ok of db db 192.0.2.2:5432 DOWN: tcp connect refused\n" +
			"need-db web [2001:db8::1]:80 DOWN: 0 of 2 monitors UP, 2 needed: port-ok at [2001:db8::1]:80: tcp connect refused\n" +
			"  port-ok web [2001:db8::1]:80 DOWN: tcp connect refused\n  port-ok of db db 192.0.2.2:5432 DOWN: tcp connect refused\n"},
		{"calculated elsewhere", "need-db - 192.0.2.7:81", "192.0.2.7:81 192.0.2.2:5432", "" +
			"need-db  192.0.2.7:81 UP: 2 of 2 monitors UP, 2 needed\n" +
			"  port-ok  192.0.2.7:81 UP: connected\n  port-ok of db db 192.0.2.2:5432 UP: connected\n"},
		{"passive", "behind web", "192.0.2.1:80",
			"behind web 192.0.2.1:80 UP: 2 usable servers behind it, 2 needed\nbehind web [2001:db8::1]:80 UP: 2 usable servers behind it, 2 needed\n"},
		{"passive, and nothing is told", "behind db", "", "behind db 192.0.2.2:5432 UNKNOWN: the service has no load source: decides nothing\n"},
		{"passive, pushed", "behind pushed", "", "behind pushed 192.0.2.3:80 DOWN: 1 usable server behind it, 2 needed\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &place{page: page, up: map[string]bool{}, members: func(string) (float64, time.Time, bool) { return 1, time.Now(), true }}
			for _, address := range strings.Fields(c.up) {
				p.up[address] = true
			}
			words := append(strings.Fields(c.question), "-", "-")
			clear := func(s string) string { return strings.Trim(s, "-") }
			got, err := p.trials().Monitor(t.Context(), parsed(t, document), Question{Monitor: words[0], Service: clear(words[1]), Target: clear(words[2])})
			if err != nil {
				t.Fatal(err)
			}
			if text := told(got.Runs, ""); text != c.want {
				t.Errorf("got\n%swant\n%s", text, c.want)
			}
		})
	}
}

// TestAPartIsShownOnce: what is made of the same again says so once, and asks nothing twice.
func TestAPartIsShownOnce(t *testing.T) {
	p := &place{up: map[string]bool{"192.0.2.1:80": true, "192.0.2.2:5432": true}}
	got, err := p.trials().Monitor(t.Context(), parsed(t, document), Question{Monitor: "twice", Service: "web"})
	if err != nil {
		t.Fatal(err)
	}
	text := told(got.Runs[:1], "")
	if strings.Count(text, "need-db") != 3 || strings.Count(text, "port-ok of db db") != 2 || got.Runs[0].State != monitors.Up {
		t.Errorf("got\n%s", text)
	}
	if n := p.dials.Load(); n != 3 {
		t.Errorf("%d connections, want one for each address", n)
	}
}

// TestPassiveThatTellsNothing counts UP where it is a part, it does for the scheduler.
func TestPassiveThatTellsNothing(t *testing.T) {
	p := &place{up: map[string]bool{"192.0.2.2:5432": true}}
	got, err := p.trials().Monitor(t.Context(), parsed(t, document), Question{Monitor: "either", Service: "db"})
	if err != nil {
		t.Fatal(err)
	}
	if r := got.Runs[0]; r.State != monitors.Up || r.Parts[0].State != monitors.Unknown {
		t.Errorf("got\n%s", told(got.Runs, ""))
	}
}

func TestMonitorRefuses(t *testing.T) {
	for _, c := range []struct {
		question Question
		want     error
		says     string
	}{
		{Question{Monitor: "none"}, ErrNoMonitor, `"none"`},
		{Question{Monitor: "port-ok", Service: "none"}, ErrNoService, `"none"`},
		{Question{Monitor: "spare"}, ErrNothing, "no service binds it"},
		{Question{Monitor: "spare", Service: "alias"}, ErrNothing, "has no address now"},
		{Question{Monitor: "behind", Target: "192.0.2.1"}, ErrTarget, "ask no target"},
		{Question{Monitor: "port-ok", Target: "other.example.net"}, ErrTarget, "does not resolve: no such host"},
		{Question{Monitor: "port-ok", Target: "slow.example.net"}, ErrTarget, "does not resolve: timed out"},
		{Question{Monitor: "port-ok", Target: "192.0.2.1:0"}, ErrTarget, "neither HOST"},
		{Question{Monitor: "port-ok", Target: "192.0.2.1:http"}, ErrTarget, "neither HOST"},
		{Question{Monitor: "port-ok", Target: ":80"}, ErrTarget, "neither HOST"},
		{Question{Monitor: "port-ok", Target: "a b"}, ErrTarget, "neither HOST"},
		{Question{Monitor: "port-ok", Target: strings.Repeat("x.", 200)}, ErrTarget, "neither HOST"},
		{Question{Monitor: "port-ok", Target: "fe80::1%eth0:80"}, ErrTarget, "in brackets"},
		{Question{Monitor: "port-ok", Target: "[fe80::1%eth0]x]:80"}, ErrTarget, "neither HOST"},
		{Question{Monitor: "port-ok", Target: "fe80::1%\x1b[31m"}, ErrTarget, "neither HOST"},
		{Question{Monitor: "port-ok", Target: "]192.0.2.1["}, ErrTarget, "neither HOST"},
		{Question{Monitor: "port-ok", Target: "http://192.0.2.1/"}, ErrTarget, "neither HOST"},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := (&place{}).trials().Monitor(t.Context(), parsed(t, document), c.question)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v: got %v, want %v with %q", c.question, err, c.want, c.says)
			}
		})
	}
}

// TestMonitorEnds: what hangs costs its timeout, and nothing longer than the test.
func TestMonitorEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{hang: true}
		began := time.Now()
		got, err := p.trials().Monitor(t.Context(), parsed(t, document), Question{Monitor: "port-ok"})
		if err != nil || got.Runs[0].State != monitors.Down || got.Runs[0].Reason != "timed out after 1s connecting" || got.Runs[0].Took != time.Second || time.Since(began) != time.Second {
			t.Errorf("got %v after %v\n%s", err, time.Since(began), told(got.Runs, ""))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		got, err = p.trials().Monitor(ctx, parsed(t, document), Question{Monitor: "port-ok"})
		if err != nil || got.Runs[0].State != monitors.Unknown || got.Runs[0].Reason != "not ended when the test was" {
			t.Errorf("got %v\n%s", err, told(got.Runs, ""))
		}
	})
}

// TestLimits: many addresses and many parts are left out, and said to be.
func TestLimits(t *testing.T) {
	doc := parsed(t, document)
	for i := range 150 {
		doc.Services = append(doc.Services, config.Service{Name: fmt.Sprint("s", i), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}, Port: 1,
			Monitors: []config.MonitorBinding{{Monitor: "spare"}}})
	}
	p := &place{}
	got, err := p.trials().Monitor(t.Context(), doc, Question{Monitor: "spare"})
	if err != nil || len(got.Runs) != MaxRuns || got.LeftOut != 150-MaxRuns {
		t.Fatalf("got %v, %d runs, %d left out", err, len(got.Runs), got.LeftOut)
	}
	for i := range doc.Monitors {
		if m := &doc.Monitors[i]; m.Name == "need-db" {
			for j := range 300 {
				m.Calculated.Monitors = append(m.Calculated.Monitors, config.CalculatedPart{Monitor: "spare", Service: fmt.Sprint("s", j%150)},
					config.CalculatedPart{Monitor: "port-ok", Service: fmt.Sprint("s", j%150)}, config.CalculatedPart{Monitor: "twice", Service: fmt.Sprint("s", j%150)})
			}
		}
	}
	p = &place{}
	got, err = p.trials().Monitor(t.Context(), doc, Question{Monitor: "need-db"})
	if err != nil || p.dials.Load() != MaxProbes {
		t.Errorf("got %v, %d probes, want %d", err, p.dials.Load(), MaxProbes)
	}
	if n := strings.Count(told(got.Runs, ""), "\n"); n > MaxParts+MaxRuns {
		t.Errorf("%d runs and parts are shown", n)
	}
	if got, err := p.trials().Monitor(t.Context(), doc, Question{Monitor: "spare", Target: "many.example.net:1"}); err != nil || len(got.Runs) != maxResolved {
		t.Errorf("a name with many addresses: got %v, %d runs", err, len(got.Runs))
	}
}

func TestLoad(t *testing.T) {
	p := &place{page: `{"active": 3, "requests": 100, "cpu": 25}`, up: map[string]bool{"192.0.2.1:80": true}}
	doc := parsed(t, document)
	got, err := p.trials().Load(t.Context(), doc, "web")
	if err != nil || got.Failure != "" {
		t.Fatalf("got %v %+v", err, got)
	}
	for m, want := range map[metric.Metric]float64{metric.Active: 3, metric.RequestsTotal: 100, metric.CustomLoad: 0.5} {
		if v, ok := got.Metrics.Get(m); !ok || v != want {
			t.Errorf("%v: got %v, %t, want %v", m, v, ok, want)
		}
	}
	if !strings.Contains(got.Lacks, "members") || len(got.Parts) != 1 || got.Parts[0].Value != 25 {
		t.Errorf("got %+v, want that members are missing", got)
	}
	p.up = nil
	if got, err := p.trials().Load(t.Context(), doc, "web"); err != nil || got.Failure != "tcp connect refused" {
		t.Errorf("got %v %+v", err, got)
	}
	if got, err := p.trials().Load(t.Context(), doc, "pushed"); err != nil || !strings.Contains(got.Failure, "pushed") {
		t.Errorf("got %v %+v", err, got)
	}
	for service, want := range map[string]error{"none": ErrNoService, "db": ErrNoLoad} {
		if _, err := p.trials().Load(t.Context(), doc, service); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", service, err, want)
		}
	}
}

func FuzzTarget(f *testing.F) {
	for _, text := range []string{"192.0.2.1:80", "[2001:db8::1]:443", "www.example.net", "::1", "[::1", "fe80::1%eth0", "a..b:1", ":"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		host, _, err := readTarget(text)
		if (err == nil) != (host != "") || len(host) > maxTargetText+50 {
			t.Errorf("%q: got %q, %v", text, host, err)
		}
	})
}
