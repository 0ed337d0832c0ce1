package probe

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/monitors/icmp"
)

func pingMonitor() config.Monitor {
	return config.Monitor{Name: "alive", Type: config.MonitorPing, Interval: config.Duration(time.Minute), Timeout: config.Duration(2 * time.Second)}
}

func TestProbePing(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "::1"} {
		t.Run(address, func(t *testing.T) {
			a := netip.MustParseAddr(address)
			s, err := icmp.Open(a.Is6())
			if err != nil {
				t.Skip(err)
			}
			s.Close()
			m := pingMonitor()
			got := New(Options{}).Probe(context.Background(), Target{Service: "web", Monitor: &m, Address: netip.AddrPortFrom(a, 0)})
			if !got.OK || got.Latency <= 0 || !strings.HasPrefix(got.Reason, "reply after ") {
				t.Errorf("got %+v, want a reply", got)
			}
		})
	}
}

func TestProbePingIsGuarded(t *testing.T) {
	m := pingMonitor()
	m.Target = &config.ProbeTarget{Address: netip.MustParseAddr("169.254.169.254")}
	p := New(Options{Allowed: func(network string, to netip.AddrPort) error {
		return errors.New("no " + network + " to " + to.Addr().String())
	}})
	if got := p.Probe(context.Background(), target("web", "192.0.2.1:80", m)); got.OK || got.Reason != "no ip to 169.254.169.254" {
		t.Errorf("got %+v, want a refusal", got)
	}
}
