package monitors

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
	"fairlead/monitors/probe"
)

// TestTurns plays one answer a second, and tells which changes are logged.
func TestTurns(t *testing.T) {
	for _, c := range []struct {
		name, answers string // a letter each: o ok, s slow, d drains, f fails
		want          []string
	}{
		{"up and down", "oofff", []string{"up", "down"}},
		{"draining and no longer", "oddo", []string{"up", "draining true", "draining false"}},
		{"draining from the start", "dd", []string{"up", "draining true"}},
		{"draining, then down", "odfff", []string{"up", "draining true", "down"}},
		{"down, then draining", "ffdd", []string{"down", "up", "draining true"}},
		{"slow is told of once", "osososs", []string{"up", "slow"}},
		{"slow until down", "ossss", []string{"up", "slow", "down"}},
		{"slow again after a while", "osoosoo", []string{"up", "slow", "slow"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var conns, asked atomic.Int64
				dial := loadServer(&conns, func(*http.Request) string {
					at := min(int(asked.Add(1)), len(c.answers)) - 1
					switch c.answers[at] {
					case 's':
						time.Sleep(300 * time.Millisecond)
					case 'd':
						return page("429 Too Many Requests", "")
					case 'f':
						return page("500 Internal Server Error", "")
					}
					return page("200 OK", "")
				})
				m := tcpMonitor(time.Second, 3, 2)
				m.Type, m.HTTP = config.MonitorHTTP, config.HTTPProbe{Path: "/", Method: "GET"}
				m.DrainOn, m.MaxResponseTime = &config.DrainOn{Status: []string{"429"}}, config.Duration(200*time.Millisecond)
				core, logs := observer.New(zap.InfoLevel)
				s := New(Options{Prober: over(dial), Logger: zap.New(core)})
				s.SetTargets([]probe.Target{target("web", "192.0.2.1:80", m)})
				inBubble(t, s.Run, func() {
					for int(asked.Load()) < len(c.answers) {
						time.Sleep(100 * time.Millisecond)
					}
					time.Sleep(400 * time.Millisecond)
				})
				var got []string
				for _, entry := range logs.All() {
					word := entry.Message[len("monitor."):]
					if to, ok := entry.ContextMap()["draining"]; ok {
						word += fmt.Sprint(" ", to)
					}
					got = append(got, word)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("%s: got %v, want %v", c.answers, got, c.want)
				}
			})
		})
	}
}

// TestVerdictsHeld: what is held is told of what is probed, passive and calculated, and not of what is only a part.
func TestVerdictsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &fakeNet{}
		network.set("192.0.2.1:80", true)
		s := New(Options{Prober: over(network.dial)})
		web := target("web", "192.0.2.1:80", tcpMonitor(time.Second, 3, 2))
		passive := tcpMonitor(time.Second, 3, 2)
		passive.Name, passive.Type = "behind", config.MonitorPassive
		both := tcpMonitor(time.Second, 3, 2)
		both.Name, both.Type = "both", config.MonitorCalculated
		db := target("db", "192.0.2.2:80", tcpMonitor(time.Second, 3, 2))
		calculated := Calculated{Target: target("web", "192.0.2.1:80", both), Parts: []Part{
			{Name: "tcp-ok", Targets: []probe.Target{web}}, {Name: "tcp-ok of db", Targets: []probe.Target{db}}}}
		s.SetTargets([]probe.Target{web, target("web", "[2001:db8::1]:80", tcpMonitor(time.Second, 3, 2)), target("web", "192.0.2.1:80", passive)}, calculated)
		told := func(service string) (out []string) {
			for _, v := range s.Verdicts(service) {
				out = append(out, fmt.Sprintf("%s %s %s", v.Monitor, v.Address, v.State))
			}
			return out
		}
		want := []string{"behind 192.0.2.1:80 UNKNOWN", "both 192.0.2.1:80 UNKNOWN", "tcp-ok 192.0.2.1:80 UNKNOWN", "tcp-ok [2001:db8::1]:80 UNKNOWN"}
		if got := told("web"); !slices.Equal(got, want) {
			t.Errorf("before the first result: got %q, want %q", got, want)
		}
		inBubble(t, s.Run, func() {
			time.Sleep(5 * time.Second)
			s.Members("web", 3, time.Now())
			want := []string{"behind 192.0.2.1:80 UP", "both 192.0.2.1:80 DOWN", "tcp-ok 192.0.2.1:80 UP", "tcp-ok [2001:db8::1]:80 DOWN"}
			if got := told("web"); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if got := told("db"); got != nil {
				t.Errorf("db is only looked at for another: got %q", got)
			}
			if v := s.Verdicts("web")[2]; v.Reason != "connected" || v.Since.IsZero() || v.Address != netip.MustParseAddrPort("192.0.2.1:80") {
				t.Errorf("got %+v", v)
			}
			if got := s.Services(); !slices.Contains(got, "web") {
				t.Errorf("got %q", got)
			}
		})
	})
}
