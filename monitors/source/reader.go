package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"time"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/probe"
	"fairlead/monitors/trust"
)

// Target is a service whose load is read. Service identifies it.
type Target struct {
	Service string
	// Source is read while the target is; it must not be changed afterwards.
	Source config.LoadSource
	// Addresses and Port are the service's, for sources that count its connections by them. Port is 0 when it has none.
	Addresses []netip.Addr
	Port      uint16
}

// Reading is what one read of a source told. Totals are as they were read: the caller makes rates of them.
type Reading struct {
	metric.Metrics
	Parts []Part // of the source's custom metrics with a path, at their places; nil: none were looked for
	Lacks error  // the first thing that was looked for and is not there
	Notes []Step // what was done, for a trace
	// Narrow are the totals that are counters of 32 bits: they go on from 2^32 at 0.
	Narrow metric.Set
}

// Part is a number that only a custom load is made of.
type Part struct {
	Value float64
	Told  bool
}

// Step is a part of a read.
type Step = probe.Step

// missing notes that something is not in the answer.
func (a *Reading) missing(err error) {
	if a.Lacks == nil {
		a.Lacks = err
	}
}

// maxTotal is the greatest total: counters have 64 bits.
const maxTotal = 1 << 64

// tell takes in a number, which must be in range. what names it in the source. A total past the range goes on at 0, as if it began anew, for
// only its growth counts: 2^53 bytes are what 100 Gbit/s carry in eight days.
func (a *Reading) tell(m metric.Metric, value float64, what string) {
	if m.Total() && value > metric.MaxActive && value <= maxTotal {
		value = math.Mod(value, metric.MaxActive)
	}
	if !metric.InRange(value) {
		a.missing(fmt.Errorf("%s is %v, not between 0 and 2^53", what, value))
		return
	}
	a.Set(m, value)
}

// part takes in the number of the custom metric at a place.
func (a *Reading) part(i int, value float64, what string) {
	if !metric.InRange(value) {
		a.missing(fmt.Errorf("%s is %v, not between 0 and 2^53", what, value))
		return
	}
	a.Parts[i] = Part{value, true}
}

// Options are what a Reader needs.
type Options struct {
	// DialContext opens every connection, over TCP, UDP and to unix sockets; nil means the network. It must return soon after its
	// context ends.
	DialContext probe.DialFunc
	// Secret reads passwords and tokens; nil: there are none.
	Secret func(config.Secret) (string, error)
	// Trust makes TLS settings; nil: one that reads Secret.
	Trust *trust.Store
	// Proc is where the tables of the kernel are, for recorded ones; empty: this machine's.
	Proc string
}

// Reader reads load sources of every kind. Safe for concurrent use.
type Reader struct {
	opts    Options
	clients clients
}

// New returns a Reader. Close it in the end.
func New(o Options) *Reader {
	if o.DialContext == nil {
		o.DialContext = new(net.Dialer).DialContext
	}
	if o.Secret == nil {
		o.Secret = func(config.Secret) (string, error) { return "", errors.New("this node reads no secrets") }
	}
	if o.Trust == nil {
		o.Trust = trust.New(o.Secret)
	}
	return &Reader{opts: o, clients: clients{dial: o.DialContext, trust: o.Trust, open: make(map[config.TLSProbe]*keptClient)}}
}

// Close closes the connections that were kept. The Reader can still be used.
func (r *Reader) Close() { r.clients.close() }

// Read reads a source once. It returns soon after ctx ends.
func (r *Reader) Read(ctx context.Context, t *Target) (Reading, error) {
	ctx, steps := withSteps(ctx)
	ctx, hidden := withVeil(ctx)
	out, err := r.read(ctx, t)
	notes := steps.end()
	if err != nil {
		return out, hidden.error(err)
	}
	for i := range notes {
		notes[i].Note = hidden.text(notes[i].Note)
	}
	out.Notes, out.Lacks = append(out.Notes, notes...), hidden.error(out.Lacks)
	return out, nil
}

func (r *Reader) read(ctx context.Context, t *Target) (Reading, error) {
	src := &t.Source
	switch src.Source {
	case config.LoadHAProxy:
		return r.haproxy(ctx, src)
	case config.LoadNGINX:
		return r.page(ctx, src, maxStubStatus, readNGINX)
	case config.LoadNGINXVTS:
		return r.page(ctx, src, maxStatus, readVTS)
	case config.LoadNGINXPlus:
		return r.nginxPlus(ctx, src)
	case config.LoadEnvoy:
		return r.page(ctx, src, maxPage, readEnvoy)
	case config.LoadTraefik:
		return r.page(ctx, src, maxPage, readTraefik)
	case config.LoadOpenMetrics:
		return r.page(ctx, src, maxPage, readOpenMetrics)
	case config.LoadPrometheus:
		return r.prometheus(ctx, src)
	case config.LoadSNMP:
		return r.snmp(ctx, src)
	case config.LoadHost:
		return r.host(ctx, t)
	case config.LoadIPVS:
		return r.ipvs(ctx, src)
	case config.LoadJSON:
		return r.page(ctx, src, maxDocument, readJSON)
	}
	return Reading{}, fmt.Errorf("load source %q is not one that is read", src.Source)
}

// page reads a source that is one answer over HTTP.
func (r *Reader) page(ctx context.Context, src *config.LoadSource, limit int64, read func(io.Reader, *config.LoadSource) (Reading, error)) (Reading, error) {
	var out Reading
	err := r.get(ctx, src, src.URL, limit, func(body io.Reader) (err error) {
		out, err = read(body, src)
		return err
	})
	if err != nil {
		return Reading{}, err
	}
	return out, nil
}

// Timeout is how long one read may take.
func Timeout(src *config.LoadSource) time.Duration { return probe.Timeout(src.Interval, src.Timeout) }
