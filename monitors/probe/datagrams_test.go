package probe

import (
	"context"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
)

// datagramServer is a server that answers each datagram with some, in memory. Number counts the requests from 1.
func datagramServer(answer func(number int, request []byte) [][]byte) DialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			buf := make([]byte, maxDatagramBytes)
			for number := 1; ; number++ {
				n, err := far.Read(buf)
				if err != nil {
					return
				}
				for _, packet := range answer(number, buf[:n]) {
					if _, err := far.Write(packet); err != nil {
						return
					}
				}
			}
		}()
		return near, nil
	}
}

// silence answers nothing.
func silence(int, []byte) [][]byte { return nil }

// probeDatagrams probes a service over UDP in a bubble, and says how long that took.
func probeDatagrams(t *testing.T, m config.Monitor, answer func(int, []byte) [][]byte) (got Result, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		got = keyring(datagramServer(answer), "xyzzy5461").Probe(context.Background(), target("udp", "192.0.2.1:7", m))
		took = time.Since(began)
	})
	return got, took
}

func TestDatagramsAreRepeatedOnce(t *testing.T) {
	for _, tt := range []struct {
		kind  config.MonitorType
		again time.Duration
		want  int
	}{{config.MonitorSIP, sipRepeat, 2}, {config.MonitorRADIUS, radiusRepeat, 2}, {config.MonitorNTP, 0, 1}} {
		m := serviceMonitor(tt.kind)
		m.RADIUS = &config.RADIUSProbe{Secret: "env:X", Mode: config.RADIUSStatus}
		var at []time.Time
		var first, last string
		got, took := probeDatagrams(t, m, func(number int, request []byte) [][]byte {
			if at = append(at, time.Now()); number == 1 {
				first = string(request)
			}
			last = string(request)
			return nil
		})
		if got.OK || got.Reason != "timed out after 5s waiting for first byte" || took != 5*time.Second {
			t.Errorf("%s: got %+v after %v, want one time-out", tt.kind, got, took)
		}
		if len(at) != tt.want || first != last || len(at) == 2 && at[1].Sub(at[0]) != tt.again {
			t.Errorf("%s: %d requests at %v, want %d equal ones, %v apart", tt.kind, len(at), at, tt.want, tt.again)
		}
	}
}

func TestDatagramsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		began := time.Now()
		got := keyring(datagramServer(silence), "").Probe(ctx, target("sip", "192.0.2.1:5060", serviceMonitor(config.MonitorSIP)))
		if got.Reason != "cancelled" || time.Since(began) != 200*time.Millisecond {
			t.Errorf("got %+v after %v, want cancelled after 200ms", got, time.Since(began))
		}
	})
}

func TestFloodOfDatagrams(t *testing.T) {
	for _, kind := range []config.MonitorType{config.MonitorSIP, config.MonitorRADIUS, config.MonitorNTP} {
		m := serviceMonitor(kind)
		m.RADIUS = &config.RADIUSProbe{Secret: "env:X", Mode: config.RADIUSStatus}
		got, took := probeDatagrams(t, m, func(int, []byte) [][]byte {
			flood := make([][]byte, 100)
			for i := range flood {
				flood[i] = []byte("SIP/2.0 200 OK")
			}
			return flood
		})
		if got.OK || got.Reason != "64 answers, none to this request" || took > 5*time.Second {
			t.Errorf("%s: got %+v after %v", kind, got, took)
		}
	}
}

func TestNobodyOnThePort(t *testing.T) {
	refused := func(context.Context, string, string) (net.Conn, error) { return refusingConn{}, nil }
	got := over(refused).Probe(context.Background(), target("ntp", "192.0.2.1:123", serviceMonitor(config.MonitorNTP)))
	if got.OK || got.Reason != "udp port unreachable" {
		t.Errorf("got %+v", got)
	}
}

// refusingConn is a socket whose host said that nobody is there.
type refusingConn struct{ cannedConn }

func (refusingConn) Read([]byte) (int, error) {
	return 0, &net.OpError{Op: "read", Net: "udp", Err: syscall.ECONNREFUSED}
}
