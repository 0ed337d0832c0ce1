package monitors

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"fairlead/config"
)

// Target is one address of one service, probed by one monitor. Service, Monitor.Name and Address identify it.
type Target struct {
	Service string
	// Monitor is read while the target is probed: it must not be changed afterwards, its lists included.
	Monitor config.Monitor
	Address netip.AddrPort
}

// Result is the outcome of one probe.
type Result struct {
	OK     bool
	Reason string // what was seen, for people: "status 200", "tcp connect refused"
	// Latency is the time from the start of the probe (before the connect) to the first byte of the answer; of a tcp
	// probe, to the established connection. 0 when the probe did not get that far.
	Latency time.Duration
	At      time.Time // when the probe finished
}

// DialFunc opens connections, as net.Dialer.DialContext does. It must return soon after its context ends.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Probe runs one probe of t now and returns within its timeout, or soon after ctx ends. It leaves no trace: no verdict,
// no log.
func Probe(ctx context.Context, t Target) Result {
	return newProber(nil).probe(ctx, t)
}

// prober runs probes of every kind. Safe for concurrent use.
type prober struct {
	dial        DialFunc
	authorities authorities
}

// newProber returns a prober; a nil dial means the network.
func newProber(dial DialFunc) *prober {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return &prober{dial: dial}
}

// answer is what a probe that passed has to say.
type answer struct {
	reason string
	first  time.Time // of the first byte; zero when none came
}

func (p *prober) probe(ctx context.Context, t Target) Result {
	started := time.Now()
	timeout := runTimeout(t.Monitor.Interval, t.Monitor.Timeout)
	limited, cancel := context.WithDeadline(ctx, started.Add(timeout))
	defer cancel()

	got, err := p.ask(limited, t)
	r := Result{OK: err == nil, Reason: got.reason, At: time.Now()}
	if !got.first.IsZero() {
		r.Latency = got.first.Sub(started)
	}
	switch {
	case ctx.Err() != nil:
		r.OK, r.Reason = false, "cancelled"
	case err != nil:
		r.Reason = describe(err, r.At, timeout)
	}
	return r
}

// ask runs the kind of probe that t wants. The answer's first byte counts also when the probe fails.
func (p *prober) ask(ctx context.Context, t Target) (answer, error) {
	if t.Address.Port() == 0 {
		return answer{}, fmt.Errorf("no port to probe: set port of service %q", t.Service)
	}
	switch t.Monitor.Type {
	case config.MonitorTCP:
		return p.askTCP(ctx, t)
	case config.MonitorHTTP, config.MonitorHTTPS:
		return p.askHTTP(ctx, t)
	}
	return answer{}, fmt.Errorf("monitor type %q cannot be probed here: use one of %v", t.Monitor.Type,
		t.Monitor.Type.Enum())
}

// connect dials the target's address; everything on the connection ends with ctx.
func (p *prober) connect(ctx context.Context, t Target) (net.Conn, error) {
	conn, err := p.dial(ctx, "tcp", t.Address.String())
	if err != nil {
		return nil, &stageError{stageConnect, err}
	}
	return conn, nil
}
