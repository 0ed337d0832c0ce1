package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
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

// Options are what a Reader needs.
type Options struct {
	// DialContext opens every connection, over TCP, UDP and to unix sockets; nil means the network. It must return soon after its
	// context ends.
	DialContext probe.DialFunc
	// Secret reads passwords and tokens; nil: there are none.
	Secret func(config.Secret) (string, error)
	// Trust makes TLS settings; nil: one that reads Secret.
	Trust *trust.Store
}

// Reader reads load sources of every kind. Safe for concurrent use.
type Reader struct {
	opts   Options
	client *http.Client
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
	return &Reader{opts: o, client: newClient(o.DialContext)}
}

// Close closes the connections that were kept. The Reader can still be used.
func (r *Reader) Close() { r.client.CloseIdleConnections() }

// Read reads a source once. It returns soon after ctx ends.
func (r *Reader) Read(ctx context.Context, t *Target) (Reading, error) {
	src := &t.Source
	switch src.Source {
	case config.LoadHAProxy:
		body, err := fetch(ctx, r.client, src.URL)
		if err != nil {
			return Reading{}, err
		}
		return readHAProxy(body, src)
	case config.LoadJSON:
		body, err := fetch(ctx, r.client, src.URL)
		if err != nil {
			return Reading{}, err
		}
		return readJSON(body, src)
	}
	return Reading{}, fmt.Errorf("load source %q is not one that is read", src.Source)
}

// Timeout is how long one read may take.
func Timeout(src *config.LoadSource) time.Duration { return probe.Timeout(src.Interval, src.Timeout) }
