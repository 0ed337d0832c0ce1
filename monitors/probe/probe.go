package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"fairlead/config"
	"fairlead/monitors/direct"
	"fairlead/monitors/icmp"
	"fairlead/monitors/reason"
	"fairlead/monitors/script"
	"fairlead/monitors/trust"
)

// minTimeout is the longest a probe may take when neither its timeout nor its interval is longer.
const minTimeout = 100 * time.Millisecond

// Target is one address of one service, probed by one monitor. Service, Monitor.Name and Address identify it.
type Target struct {
	Service string
	// Monitor is read while the target is probed: it must not be changed afterwards, its lists included.
	Monitor *config.Monitor
	// Address is the service's. Its port is 0 when the service has none.
	Address netip.AddrPort
	// Prepared is what Prepare made of Monitor; nil: that is made for this probe alone.
	Prepared *Prepared
}

// Endpoint is where the target is probed: its address, unless the monitor has one of its own. port counts when neither has one.
func (t *Target) Endpoint(port uint16) netip.AddrPort {
	address, at := t.Address.Addr(), t.Address.Port()
	if own := t.Monitor.Target; own != nil {
		if own.Address.IsValid() {
			address = own.Address
		}
		if own.Port != 0 {
			at = uint16(own.Port)
		}
	}
	if at == 0 {
		at = port
	}
	return netip.AddrPortFrom(address, at)
}

// Result is the outcome of one probe.
type Result struct {
	OK bool
	// Drain says that the target passes, and asks to be sent nobody new (drain_on).
	Drain  bool
	Slow   bool   // it would have passed but for max_response_time
	Reason string // what was seen, for people: "status 200", "tcp connect refused"
	// Latency is the time from the start of the probe (before the connect) to the first byte of the answer; of a probe that
	// only connects, to the established connection. 0 when the probe did not get that far.
	Latency time.Duration
	At      time.Time // when the probe finished
	// Values are numbers that the target told besides: what a script calls performance data, SNMP values. At most MaxValues.
	Values []Value
	// Steps are the parts of the probe in their order; only Trace fills them.
	Steps []Step
}

// MaxValues is how many values a result has at most.
const MaxValues = 32

// Value is a number that a target told.
type Value struct {
	Name  string
	Value float64
	Unit  string
}

// Step is a part of a probe that was done.
type Step struct {
	Name string        // "connect", "tls", "first byte", "body"
	At   time.Duration // since the start of the probe
	Note string        // what it gave, for people; may be empty
}

// DialFunc opens connections, as net.Dialer.DialContext does. It must return soon after its context ends.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// ConnectFunc opens a connection over TCP on which everything ends at the deadline. It must return soon after that, or after its
// context ends.
type ConnectFunc func(ctx context.Context, to netip.AddrPort, deadline time.Time) (net.Conn, error)

// Options are what a Prober needs.
type Options struct {
	// DialContext opens every connection, over TCP and UDP; nil means the network. It must return soon after its context ends.
	DialContext DialFunc
	// Connect opens those over TCP; nil: DialContext does, or, when that is nil too, the network is meant.
	Connect ConnectFunc
	// Plain says that Connect asks Allowed, opens a connection, and does nothing else: probes that need no more may then be made without
	// it, by Begin.
	Plain bool
	// Allowed refuses addresses that must not be reached where neither is asked (ping, and what Begin begins); nil: all may.
	Allowed func(network string, to netip.AddrPort) error
	// Secret reads passwords and keys; nil: there are none.
	Secret func(config.Secret) (string, error)
	// Trust makes TLS settings; nil: one that reads Secret.
	Trust *trust.Store
	// Scripts runs programs; nil: none are run.
	Scripts *script.Runner
}

// Prober runs probes of every kind. Safe for concurrent use.
type Prober struct {
	opts    Options
	buffers sync.Pool // of *buffers, for probes to come
	packets sync.Pool // of *[maxHeard]byte, as well
	begun   sync.Pool // of *begun
	counts  *counts
	pinger  icmp.Pinger
	loop    *direct.Loop // nil: connections are not opened plainly
}

// New returns a Prober. It starts nothing.
func New(o Options) *Prober {
	if o.DialContext == nil {
		o.DialContext = (&net.Dialer{KeepAlive: -1}).DialContext // a probe is over before a keepalive would be sent
		if o.Connect == nil {
			o.Connect, o.Plain = direct.Dialer{}.Connect, true
		}
	}
	if o.Allowed == nil {
		o.Allowed = func(string, netip.AddrPort) error { return nil }
	}
	if o.Secret == nil {
		o.Secret = func(config.Secret) (string, error) { return "", errors.New("this node reads no secrets") }
	}
	if o.Trust == nil {
		o.Trust = trust.New(o.Secret)
	}
	p := &Prober{opts: o, counts: newCounts()}
	if o.Plain && o.Connect != nil {
		p.loop = direct.NewLoop()
	}
	return p
}

// Probe runs one probe of t now and returns within its timeout, or soon after ctx ends. It leaves no trace: no verdict,
// no log.
func (p *Prober) Probe(ctx context.Context, t Target) Result { return p.run(ctx, t, false) }

// Trace is Probe, and notes the steps.
func (p *Prober) Trace(ctx context.Context, t Target) Result { return p.run(ctx, t, true) }

func (p *Prober) run(ctx context.Context, t Target, trace bool) Result {
	prepared := t.Prepared
	if prepared == nil || prepared.of != t.Monitor {
		prepared = Prepare(t.Monitor)
	}
	x := &exchange{Prober: p, traced: trace}
	x.fill(ctx, t, prepared)
	if !prepared.bare || p.opts.Connect == nil {
		limited, cancel := context.WithDeadline(ctx, x.deadline)
		defer cancel()
		x.ctx = limited
	}
	err := prepared.err
	if err == nil {
		err = x.ask()
	}
	x.close()
	return x.result(ctx, err)
}

// fill says what is asked, from now on.
func (x *exchange) fill(ctx context.Context, t Target, prepared *Prepared) {
	x.ctx, x.prepared, x.target, x.monitor = ctx, prepared, t, &prepared.monitor
	x.closes = x.room[:0]
	x.started, x.timeout = time.Now(), Timeout(t.Monitor.Interval, t.Monitor.Timeout)
	x.deadline = x.started.Add(x.timeout)
}

// result makes the result of what is over, and counts it unless ctx has ended. err is what its kind returned.
func (x *exchange) result(ctx context.Context, err error) Result {
	r := Result{OK: err == nil, Drain: x.drain, Reason: x.reason, At: time.Now(), Values: x.values, Steps: x.steps}
	if !x.first.IsZero() {
		r.Latency = x.first.Sub(x.started)
	}
	if ctx.Err() != nil {
		r.OK, r.Drain, r.Reason = false, false, cancelled
		return r
	}
	if err != nil {
		r.Reason = reason.Describe(err, r.At, x.timeout)
	}
	m := x.target.Monitor
	r = judge(r, err, m)
	x.counts.add(m.Type, outcomeOf(&r, err), r.At.Sub(x.started))
	return r
}

// cancelled is the reason of a probe whose context has ended.
const cancelled = "cancelled"

// judge applies what a monitor makes of the answer: drain_on, reverse, and max_response_time.
func judge(r Result, err error, m *config.Monitor) Result {
	unlike := errors.As(err, new(*mismatch))
	switch {
	case r.Drain:
		r.OK = true
		return r
	case m.Reverse && err == nil:
		r.OK, r.Reason = false, r.Reason+", which fails: reverse"
	case m.Reverse && unlike:
		r.OK, r.Reason = true, r.Reason+", which passes: reverse"
	}
	if most := m.MaxResponseTime.Std(); r.OK && most > 0 && r.Latency > most {
		r.OK, r.Slow, r.Reason = false, true, fmt.Sprintf("%s, but after %v; max_response_time is %v", r.Reason, r.Latency.Round(time.Millisecond), most)
	}
	return r
}

// Timeout is how long one run may take: timeout, never above interval.
func Timeout(interval, timeout config.Duration) time.Duration {
	longest := max(interval.Std(), minTimeout)
	if t := timeout.Std(); t > 0 && t < longest {
		return t
	}
	return longest
}
