package mep

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// Options is what an Exchange is made of. Site, Services, Receive and one of TLS and Insecure are required.
type Options struct {
	Site string // this site's name; its certificate carries it
	Node string // this node's name, told to peers for logs and status
	// Incarnation must grow with every start of the site's process. 0: the time of New, in nanoseconds.
	Incarnation uint64

	// Listen is the address to accept peers on, as host:port. Empty: this site only dials.
	Listen string
	// TLS is how this site proves itself and checks others. Exactly one of TLS and Insecure is set.
	TLS *Identity
	// Insecure speaks plain TCP, for a lab only: a peer is then believed when its name is configured and it comes from
	// the IP address configured for it, if that is one.
	Insecure bool

	// ListenFunc and DialFunc replace the network. nil: TCP.
	ListenFunc func(ctx context.Context, network, address string) (net.Listener, error)
	DialFunc   func(ctx context.Context, network, address string) (net.Conn, error)

	// MetricsInterval is the time between sets of services (100 ms to 1 min; 0: 1 s). KeepaliveTimeout is the silence
	// after which a session is down (at least 3 metrics intervals, at most 1 h; 0: 10 s).
	MetricsInterval  time.Duration
	KeepaliveTimeout time.Duration

	// Digest identifies the GSLB document in use; it is told to each peer in Hello and
	// KeepAlive, from any goroutine. nil: zeros.
	Digest func() [32]byte
	// Services returns this site's services, at most MaxServices, with valid names. It is called every metrics interval
	// and after Announce, from one goroutine, and must be quick. The result is read before the next call only.
	Services func() []ServiceRecord
	// Views returns what this site sees itself of others, at most MaxViews; Overrides all orders of operators that it knows
	// of, at most MaxOverrides. They are called from the goroutine that calls Services: Views with it, Overrides after
	// AnnounceOverrides and every 5 s. nil: nothing is told of it.
	Views     func() []ViewRecord
	Overrides func() []OverrideRecord
	// Answer answers a peer's questions, one after the other for each peer; the result has at most MaxAsk bytes. An error's
	// text is told to the peer. nil: questions are refused.
	Answer func(peer string, kind AskKind, body []byte) ([]byte, error)
	// Probe probes a service for a peer and says what this site sees of it; up to 8 at a time for each peer. It returns soon after
	// ctx ends. nil: such questions are refused.
	Probe func(ctx context.Context, peer, service string) (ProbeAnswer, error)
	// Receive is told what happens with peers; see Event for the order. It is called from the goroutines of sessions and
	// holds up the peer concerned, so it must not block for long. It may call any method but Leave and Run.
	Receive func(Event)

	Logger *zap.Logger     // nil: none
	Rand   mathrand.Source // for jitter; nil: seeded by the system
}

// Exchange keeps the sessions of one site with its peers.
type Exchange struct {
	opts    Options
	log     *zap.Logger
	started time.Time // zero of the stamps in KeepAlives

	running     atomic.Bool
	connections atomic.Uint64 // Hellos made
	set         atomic.Pointer[servicesSet]
	views       atomic.Pointer[bundle] // as they changed last, or were due
	oldViews    atomic.Pointer[bundle] // the newest, for peers that speak version 1
	old         atomic.Int64           // sessions with such peers
	stream      stream
	heard       heard
	relays      atomic.Pointer[relays]
	topology    atomic.Uint64 // grows with every topology
	epoch       atomic.Uint64 // grows when nobody speaks for a site any more
	bump        atomic.Bool   // this site's set has to be told as newer
	turned      chan struct{} // capacity 1: a parent's session came or went
	overrides   atomic.Pointer[bundle]
	ordered     atomic.Bool   // overrides changed
	announce    chan struct{} // capacity 1: a set is wanted now
	changed     chan struct{} // capacity 1: peers changed
	children    sync.WaitGroup
	rejected    tally
	attempts    *rate.Limiter // to connect
	endings     endings

	mu       sync.Mutex
	self     Peer
	selfAddr address
	peers    map[string]*peer // by site; at most MaxPeers configured, besides removed ones whose session is ending
	listener net.Listener
	leaving  bool
	choice   choice
	pending  map[netip.Addr]int // connections without a proved site, by source
	rng      *mathrand.Rand
}

// New makes an Exchange without peers. It starts nothing.
func New(o Options) (*Exchange, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Incarnation == 0 {
		o.Incarnation = uint64(max(time.Now().UnixNano(), 1))
	}
	if o.Digest == nil {
		o.Digest = func() [32]byte { return [32]byte{} }
	}
	if o.ListenFunc == nil {
		o.ListenFunc = new(net.ListenConfig).Listen
	}
	if o.DialFunc == nil {
		o.DialFunc = new(net.Dialer).DialContext
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Rand == nil {
		var seed [16]byte
		if _, err := rand.Read(seed[:]); err != nil {
			return nil, fmt.Errorf("seed random numbers: %w", err)
		}
		o.Rand = mathrand.NewPCG(binary.BigEndian.Uint64(seed[:8]), binary.BigEndian.Uint64(seed[8:]))
	}
	o.Node = printableText(o.Node, MaxNode)
	return &Exchange{
		stream:   stream{enc: newEncoder(o.Site, o.MetricsInterval)},
		heard:    heard{sites: make(map[string]*heardSite)},
		turned:   make(chan struct{}, 1),
		opts:     o,
		log:      o.Logger.Named("mep"),
		started:  time.Now(),
		announce: make(chan struct{}, 1),
		changed:  make(chan struct{}, 1),
		peers:    make(map[string]*peer),
		pending:  make(map[netip.Addr]int),
		attempts: rate.NewLimiter(rate.Every(dialGap), dialsAtOnce),
		rng:      mathrand.New(o.Rand),
	}, nil
}

// check fills in the intervals and reports what is wrong, all at once.
func (o *Options) check() error {
	var errs []error
	failf := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !ValidName(o.Site) {
		failf("site %q is not a name: 1 to %d letters, digits, '-', '_' or '.'", o.Site, MaxName)
	}
	switch {
	case o.TLS == nil && !o.Insecure:
		failf("no certificate: set mep.tls (cert, key, ca), or mep.insecure in a lab")
	case o.TLS != nil && o.Insecure:
		failf("both a certificate and insecure are set; remove one")
	case o.TLS != nil && o.TLS.Site() != o.Site:
		failf("the certificate names site %q, this is site %q; issue one for it", o.TLS.Site(), o.Site)
	}
	if o.Services == nil || o.Receive == nil {
		failf("no Services or no Receive function")
	}
	if o.MetricsInterval == 0 {
		o.MetricsInterval = time.Second
	}
	if o.KeepaliveTimeout == 0 {
		o.KeepaliveTimeout = 10 * time.Second
	}
	if o.MetricsInterval < MinMetricsInterval || o.MetricsInterval > MaxMetricsInterval {
		failf("metrics interval %v is not within %v and %v", o.MetricsInterval, MinMetricsInterval, MaxMetricsInterval)
	}
	if o.KeepaliveTimeout < minKeepaliveIntervals*o.MetricsInterval || o.KeepaliveTimeout > MaxKeepaliveTimeout {
		failf("keepalive timeout %v is not within %d metrics intervals (%v) and %v", o.KeepaliveTimeout,
			minKeepaliveIntervals, minKeepaliveIntervals*o.MetricsInterval, MaxKeepaliveTimeout)
	}
	if len(errs) > 0 {
		return fmt.Errorf("make exchange of site %q: %w", o.Site, errors.Join(errs...))
	}
	return nil
}

// Listen binds the listening address, so that Addr is known, also for port 0, before Run accepts on it. Run does this
// itself if it was not done. Without Options.Listen it does nothing.
func (x *Exchange) Listen(ctx context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.opts.Listen == "" || x.listener != nil {
		return nil
	}
	l, err := x.opts.ListenFunc(ctx, "tcp", x.opts.Listen)
	if err != nil {
		return fmt.Errorf("listen for sites on %q: %w", x.opts.Listen, err)
	}
	x.listener = l
	return nil
}

// Addr returns the bound address, or nil before Listen.
func (x *Exchange) Addr() net.Addr {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.listener == nil {
		return nil
	}
	return x.listener.Addr()
}

// Close releases the listening address of an Exchange that will not Run.
func (x *Exchange) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.listener == nil {
		return nil
	}
	l := x.listener
	x.listener = nil
	return l.Close()
}

// Run exchanges metrics until ctx ends, then closes all sessions and returns nil when all its goroutines have ended. It
// fails if the listening address cannot be bound or is lost. An Exchange runs once.
func (x *Exchange) Run(ctx context.Context) error {
	if !x.running.CompareAndSwap(false, true) {
		return errors.New("run exchange: it ran before")
	}
	if err := x.Listen(ctx); err != nil {
		return err
	}
	if x.opts.Insecure {
		x.log.Warn("mep.insecure", zap.String("why", "sites are believed without proof and metrics travel in the clear; use it in a lab only"),
			zap.String("site", x.opts.Site))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	x.children.Go(func() { x.announceLoop(ctx) })
	x.children.Go(func() { x.choosing(ctx) })
	if l := x.listener; l != nil {
		stop := context.AfterFunc(ctx, func() { _ = l.Close() })
		defer stop()
		x.children.Go(func() {
			if err := x.accept(ctx, l); err != nil {
				cancel(err)
			}
		})
	}
	x.dialing(ctx)
	x.children.Wait()
	if err := context.Cause(ctx); !errors.Is(err, ctx.Err()) {
		return err
	}
	return nil
}

// Announce sends the services to all peers now, because a state changed, rather than at the next interval. Calls that
// come within 20 ms are answered with one round. It does not block.
func (x *Exchange) Announce() { signal(x.announce) }

// AnnounceOverrides sends the overrides to all peers now, because they changed. It does not block.
func (x *Exchange) AnnounceOverrides() {
	x.ordered.Store(true)
	x.Announce()
}

// Leave tells all peers that this site stops as planned, and returns when they have closed their sessions, a second has
// passed, or ctx ends. No session begins afterwards. The caller then ends Run.
func (x *Exchange) Leave(ctx context.Context) {
	x.mu.Lock()
	x.leaving = true
	var sessions []*session
	for _, p := range x.peers {
		if p.session != nil {
			sessions = append(sessions, p.session)
		}
	}
	x.mu.Unlock()
	for _, s := range sessions {
		s.end(errLeaving, &leaving{reason: leaveStopping})
	}
	for _, s := range sessions {
		select {
		case <-s.done:
		case <-ctx.Done():
			return
		}
	}
}

// Rejections returns how often connections and sessions were ended for what the other end did, since New.
func (x *Exchange) Rejections() map[Rejection]uint64 { return x.rejected.snapshot() }

// hello makes this site's Hello for one connection.
func (x *Exchange) hello() Hello {
	role := RoleMesh
	x.mu.Lock()
	if len(x.choice.parents) > 0 {
		role = RoleChild
	}
	x.mu.Unlock()
	return Hello{
		Site:             x.opts.Site,
		Node:             x.opts.Node,
		VersionMin:       VersionMin,
		VersionMax:       VersionMax,
		Role:             role,
		Incarnation:      x.opts.Incarnation,
		Connection:       x.connections.Add(1),
		Clock:            time.Now(),
		MetricsInterval:  x.opts.MetricsInterval,
		KeepaliveTimeout: x.opts.KeepaliveTimeout,
		Digest:           x.opts.Digest(),
	}
}

// stamp returns what now is in this site's KeepAlives: nanoseconds since New, never 0. It does not follow steps of the
// wall clock.
func (x *Exchange) stamp(now time.Time) uint64 { return uint64(max(now.Sub(x.started), 0)) + 1 }

// jitter returns d less up to half of it.
func (x *Exchange) jitter(d time.Duration) time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	return d - time.Duration(x.rng.Int64N(int64(d)/2+1))
}

// signal sets a channel of capacity 1, which holds at most one reminder.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
