package probe

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"fairlead/config"
)

// TestPreparedRequest: what is prepared is what net/http would write for each target.
func TestPreparedRequest(t *testing.T) {
	monitors := map[string]func(*config.Monitor){
		"plain":               func(*config.Monitor) {},
		"https":               func(m *config.Monitor) { m.Type = config.MonitorHTTPS },
		"path and method":     func(m *config.Monitor) { m.HTTP.Path, m.HTTP.Method = "/a%20b?q=1&r=Host:", "OPTIONS" },
		"named":               func(m *config.Monitor) { m.HTTP.Host = "www.example.com:8080" },
		"named by an address": func(m *config.Monitor) { m.HTTP.Host = "2001:db8::9" },
		"named like the stand": func(m *config.Monitor) {
			m.HTTP.Host, m.HTTP.Headers = stand.String(), []config.ProbeHeader{{Name: "X-Host", Value: stand.String()}}
		},
		"headers": func(m *config.Monitor) {
			m.HTTP.Headers = []config.ProbeHeader{{Name: "x-a", Value: "Host: " + stand.String()}, {Name: "user-agent", Value: "curl"}, {Name: "X-A", Value: "2"}, {Name: "Host", Value: "ignored"}}
		},
		"body":           func(m *config.Monitor) { m.HTTP.Method, m.HTTP.Body = "POST", "\r\nHost: "+stand.String()+"\r\n" },
		"another target": func(m *config.Monitor) { m.Target = &config.ProbeTarget{Address: netip.MustParseAddr("192.0.2.99")} },
		"another port":   func(m *config.Monitor) { m.Target = &config.ProbeTarget{Port: 8081} },
	}
	addresses := []string{"192.0.2.7:80", "192.0.2.7:443", "192.0.2.7:8080", "192.0.2.7:0", "192.0.2.1:1", "[2001:db8::1]:80", "[2001:db8::1]:8080", "[fe80::1%eth0]:80", "[::ffff:192.0.2.7]:8080"}
	for name, change := range monitors {
		m := httpMonitor(config.HTTPProbe{Path: "/healthz"})
		change(&m)
		p := Prepare(&m)
		for _, address := range addresses {
			t.Run(name+" "+address, func(t *testing.T) {
				x := exchange{ctx: t.Context(), prepared: p, monitor: &p.monitor, target: target("web", address, m)}
				req, err := x.request()
				if err != nil {
					t.Fatal(err)
				}
				var want bytes.Buffer
				if err := req.Write(&want); err != nil {
					t.Fatal(err)
				}
				var got bytes.Buffer
				if err := x.send(&got, nil); err != nil {
					t.Fatal(err)
				}
				if got.String() != want.String() {
					t.Errorf("got\n%q, want\n%q", got.String(), want.String())
				}
			})
		}
	}
}

func TestPrepareSecretsAreNotKept(t *testing.T) {
	for name, change := range map[string]func(*config.Monitor){
		"header": func(m *config.Monitor) {
			m.HTTP.Headers = []config.ProbeHeader{{Name: "X-A", Secret: "env:TOKEN"}}
		},
		"login": func(m *config.Monitor) { m.Login = somebody },
	} {
		m := httpMonitor(config.HTTPProbe{})
		change(&m)
		if p := Prepare(&m); p.http.before != nil || p.err != nil {
			t.Errorf("%s: %q is prepared, %v", name, p.http.before, p.err)
		}
	}
}

func TestPrepareSaysWhatIsWrong(t *testing.T) {
	const bad = "(" // no regular expression
	for name, tt := range map[string]struct {
		monitor config.Monitor
		want    string
	}{
		"http":   {httpMonitor(config.HTTPProbe{ExpectBodyRegexp: bad}), "http.expect_body_regexp: error parsing regexp: missing closing ): `(`"},
		"tcp":    {config.Monitor{Type: config.MonitorTCP, TCP: &config.Dialogue{ExpectRegexp: bad}}, "tcp.expect_regexp: error parsing regexp: missing closing ): `(`"},
		"udp":    {config.Monitor{Type: config.MonitorUDP, UDP: &config.Dialogue{SendHex: "0"}}, "udp.send_hex: "},
		"dns":    {config.Monitor{Type: config.MonitorDNS, DNS: &config.DNSProbe{Type: "NONE-SUCH"}}, `dns.type "NONE-SUCH" is not a type`},
		"sip":    {config.Monitor{Type: config.MonitorSIP, SIP: &config.SIPProbe{ExpectStatus: []string{"x"}}}, "sip.expect_status: "},
		"secret": {httpMonitor(config.HTTPProbe{Path: "x", Headers: []config.ProbeHeader{{Name: "A", Secret: "env:A"}}}), `http.path "x" is not a request path such as /healthz`},
	} {
		got := New(Options{}).Probe(t.Context(), Target{Service: "web", Monitor: &tt.monitor, Address: netip.MustParseAddrPort("127.0.0.1:1"), Prepared: Prepare(&tt.monitor)})
		if got.OK || len(got.Reason) < len(tt.want) || got.Reason[:len(tt.want)] != tt.want {
			t.Errorf("%s: got %q, want %q", name, got.Reason, tt.want)
		}
	}
}

// TestPrepareLeavesTheMonitorAlone: what others hold is not filled in, and defaults are those of the section.
func TestPrepareLeavesTheMonitorAlone(t *testing.T) {
	for _, kind := range config.MonitorType("").Enum() {
		m := config.Monitor{Name: "m", Type: config.MonitorType(kind)}
		before := m
		p := Prepare(&m)
		if !reflect.DeepEqual(m, before) {
			t.Errorf("%s: the monitor was changed", kind)
		}
		if kind == "ntp" && (p.monitor.NTP == nil || p.monitor.NTP.MaxStratum != 15) {
			t.Errorf("ntp: section %+v", p.monitor.NTP)
		}
	}
}

// TestPreparedOfAnotherMonitorDoesNotCount: a target whose monitor was exchanged is asked what that one asks.
func TestPreparedOfAnotherMonitorDoesNotCount(t *testing.T) {
	wrong, right := httpMonitor(config.HTTPProbe{Path: "x"}), httpMonitor(config.HTTPProbe{})
	got := New(Options{}).Probe(t.Context(), Target{Monitor: &right, Address: netip.MustParseAddrPort(rawServer(t, send("HTTP/1.1 200 OK\r\n\r\n"))), Prepared: Prepare(&wrong)})
	if !got.OK || got.Reason != "status 200" {
		t.Errorf("got %+v", got)
	}
}

// TestSilentServersHoldNoRoom: a datagram has up to 64 KiB, but probes that wait for one need none of it.
func TestSilentServersHoldNoRoom(t *testing.T) {
	const probes = 200
	silent, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	m := config.Monitor{Name: "silent", Type: config.MonitorUDP, Interval: config.Duration(time.Minute), Timeout: config.Duration(200 * time.Millisecond),
		UDP: &config.Dialogue{Send: "x", Silent: true}}
	tgt := Target{Monitor: &m, Address: silent.LocalAddr().(*net.UDPAddr).AddrPort(), Prepared: Prepare(&m)}
	p := New(Options{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var all sync.WaitGroup
	for range probes {
		all.Go(func() {
			if got := p.Probe(context.Background(), tgt); !got.OK {
				t.Errorf("got %q", got.Reason)
			}
		})
	}
	all.Wait()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > probes*maxHeard/2 {
		t.Errorf("%d KiB allocated for %d probes", n>>10, probes)
	}
}
