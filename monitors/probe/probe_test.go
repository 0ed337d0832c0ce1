package probe

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
)

func tcpMonitor(interval time.Duration) config.Monitor {
	return config.Monitor{Name: "tcp-ok", Type: config.MonitorTCP, Interval: config.Duration(interval), Timeout: config.Duration(interval / 2), Fall: 1, Rise: 1}
}

func TestProbeOnFakeNetwork(t *testing.T) {
	broken := errors.New("no such\x1b[31m device\n")
	tests := []struct {
		name   string
		dial   DialFunc
		target Target
		want   string
	}{
		{"no port", nil, target("web", "192.0.2.1:0", tcpMonitor(time.Second)),
			`no port to probe: set port of service "web", or target.port of the monitor`},
		{"unknown type", nil, target("web", "192.0.2.1:80", config.Monitor{Type: "calculated"}),
			`monitors of type "calculated" ask no target`},
		{"reason is one printable line", func(context.Context, string, string) (net.Conn, error) { return nil, broken },
			target("web", "192.0.2.1:80", tcpMonitor(time.Second)), "no such?[31m device?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := over(tt.dial).Probe(context.Background(), tt.target)
			if got.OK || got.Reason != tt.want || got.At.IsZero() {
				t.Errorf("got %+v, want failure %q", got, tt.want)
			}
		})
	}
}

func TestRunTimeout(t *testing.T) {
	tests := []struct{ interval, timeout, want time.Duration }{
		{5 * time.Second, 2 * time.Second, 2 * time.Second},
		{5 * time.Second, 5 * time.Second, 5 * time.Second},
		{5 * time.Second, 6 * time.Second, 5 * time.Second},
		{5 * time.Second, 0, 5 * time.Second},
		{0, 0, minTimeout},
	}
	for _, tt := range tests {
		interval, timeout := config.Duration(tt.interval), config.Duration(tt.timeout)
		if got := Timeout(interval, timeout); got != tt.want {
			t.Errorf("interval %v, timeout %v: got %v, want %v", tt.interval, tt.timeout, got, tt.want)
		}
	}
}

func TestProbeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		got := over(hang).Probe(ctx, target("a", "192.0.2.1:80", tcpMonitor(time.Minute)))
		if got.OK || got.Reason != "cancelled" || time.Since(began) != time.Second {
			t.Errorf("got %+v after %v, want cancelled after 1s", got, time.Since(began))
		}
	})
}

// hang is a network where connects take until their context ends.
func hang(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
