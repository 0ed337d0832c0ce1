package mep

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// tlsRecord is what TLS 1.3 adds to a record: header, type and tag. A record has at most 16 KiB.
const tlsRecord = 5 + 1 + 16

// countConn counts octets as they would be in TLS.
type countConn struct {
	net.Conn
	octets *atomic.Int64
}

func (c countConn) Write(b []byte) (int, error) {
	c.octets.Add(int64(len(b) + tlsRecord*(1+(len(b)-1)>>14)))
	return c.Conn.Write(b)
}

type countListener struct {
	net.Listener
	octets *atomic.Int64
}

func (l countListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return countConn{conn, l.octets}, err
}

// TestTrafficOfASession counts everything that a site with 1,000 services writes to a peer in a second.
func TestTrafficOfASession(t *testing.T) {
	for _, c := range []struct {
		name string
		idle bool
		most int64
	}{{"steady", false, 8000}, {"idle", true, 200}} {
		synctest.Test(t, func(t *testing.T) {
			var octets atomic.Int64
			rng := mathrand.New(mathrand.NewPCG(7, 7))
			n := newMemNet()
			began := time.Now()
			var sources []*source
			for i := range 1000 {
				sources = append(sources, newSource(rng, fmt.Sprintf("service-%04d", i)))
			}
			ams := newTestSite(t, n, "ams", "10.0.0.1", nil)
			nyc := newTestSite(t, n, "nyc", "10.0.0.2", func(o *Options) {
				o.Services = func() (out []ServiceRecord) {
					for now := time.Since(began); len(out) < len(sources); {
						s := sources[len(out)]
						if s.walk(rng, now); c.idle {
							s.record.ActiveConnections, s.record.RequestsPerSecond, s.record.BitsPerSecond = 10, 20, 30
							s.record.PacketsPerSecond, s.record.ResponseTime = 40, time.Millisecond
						}
						out = append(out, s.record)
					}
					return out
				}
				o.Views = func() []ViewRecord { return []ViewRecord{{Kind: ViewOfSite, State: StateUp, Name: "ams"}} }
				o.Overrides = func() []OverrideRecord { return nil }
				listen := o.ListenFunc
				o.ListenFunc = func(ctx context.Context, network, address string) (net.Listener, error) {
					l, err := listen(ctx, network, address)
					return countListener{l, &octets}, err
				}
			})
			ams.run(nyc)
			defer ams.stop()
			nyc.run(ams)
			defer nyc.stop()
			pass(time.Minute)
			before := octets.Load()
			pass(time.Minute)
			each := (octets.Load() - before) / 60
			t.Logf("%s: %d octets a second to a peer, with everything", c.name, each)
			if each > c.most {
				t.Errorf("%s: got %d octets a second, want at most %d", c.name, each, c.most)
			}
		})
	}
}
