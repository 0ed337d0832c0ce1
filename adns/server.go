package adns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"fairlead/adns/transfer"
	"fairlead/adns/udp"
	"fairlead/config"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

const (
	// MaxWorkers bounds Options.Workers; dns.workers of the node file has the same range.
	MaxWorkers = 256
	// MaxListen bounds Options.Listen.
	MaxListen = config.MaxListen

	panicLogInterval = time.Second
	maxLoggedRequest = 512
)

// Options say what a Server is made of.
type Options struct {
	// Listen names the addresses to serve UDP and TCP on, as host:port with an IP address for a host. Without a host
	// both families' wildcards are meant. Port 0 takes a free one, the same for UDP and TCP.
	Listen []string
	// Workers is the number of readers per UDP address. 0: one per CPU.
	Workers int
	// IO is how they wait for datagrams: auto, raw, netpoll or portable. Empty: auto.
	IO config.DatagramIO
	// NSID identifies this server to who asks (RFC 5001); at most 128 octets. Empty: it is not told.
	NSID string
	// TCP is the limits of connections.
	TCP TCPOptions
	// TLS is DNS over TLS (RFC 7858), HTTPS is DNS over HTTPS (RFC 8484). Nil: it is not spoken.
	TLS   *TLSOptions
	HTTPS *HTTPSOptions
	// Policy is who is answered, and how much.
	Policy PolicyOptions
	// Transfers answers AXFR and IXFR. Nil: they are refused.
	Transfers *transfer.Transfers
	// Keys are what signed queries are verified with. Nil: there are none, and a signed query is answered with BADKEY.
	Keys *transfer.Keys
	// Notify takes NOTIFY messages (RFC 1996). Nil: they are answered with NOTAUTH.
	Notify NotifyHandler
	// Snapshot returns what to answer from; it is called once per query, from many goroutines. Nil while there is
	// nothing yet: queries are then answered with SERVFAIL.
	Snapshot func() *Snapshot
	// Now is the clock that decisions see. Nil: time.Now.
	Now func() time.Time
	// Vouchers remember clients over UDP that were proven or limited. Nil: nobody does.
	Vouchers *Vouchers
	// PassiveRTT is told of connections over TCP and TLS that were answered, on Linux, from many goroutines. Nil: nobody is.
	PassiveRTT PassiveRTT
	// Observers are shown queries and answers.
	Observers Observers
	// Logger gets transitions and rejections, never queries. Nil: none.
	Logger *zap.Logger
	// ListenPacket and ListenStream open sockets. Nil: the system's. Packet connections that are given so are served one
	// datagram at a time; others than *net.UDPConn answer from the address they are bound to.
	ListenPacket func(ctx context.Context, network, address string) (net.PacketConn, error)
	ListenStream func(ctx context.Context, network, address string) (net.Listener, error)
}

// Server is an authoritative DNS server over UDP and TCP. Listen, then Run, each once.
type Server struct {
	listen    []string
	workers   int
	io        udp.IO
	nsid      string // hexadecimal
	nsidWire  []byte
	made      time.Time // when New was called
	monotonic bool      // now is the system's clock: differences may be taken without its date
	policy    *policy
	notify    NotifyHandler // nil: none
	snapshot  func() *Snapshot
	now       func() time.Time
	log       *zap.Logger

	listenPacket func(ctx context.Context, network, address string) (net.PacketConn, error)
	listenStream func(ctx context.Context, network, address string) (net.Listener, error)

	passiveRTT  PassiveRTT // nil: none
	observers   Observers
	counters    counters
	panicLogged every
	secure      []*secure // transports under TLS
	handshakes  chan struct{}
	admitted    *admission
	lender      lender       // what connections read into
	batches     sync.Pool    // *batch
	transfer    transferFunc // nil: zone transfers are answered like any query
	transfers   *transfer.Transfers
	keys        *transfer.Keys
	responders  sync.Pool // *responder

	mu        sync.Mutex
	endpoints []endpoint
	state     state
}

// state guards the order of Listen and Run.
type state uint8

const (
	stateNew state = iota
	stateListening
	stateRunning
)

// New returns a server that listens nowhere yet.
func New(o Options) (*Server, error) {
	switch {
	case o.Snapshot == nil:
		return nil, errors.New("make DNS server: Snapshot is missing")
	case o.Workers < 0 || o.Workers > MaxWorkers:
		return nil, fmt.Errorf("make DNS server: %d workers; give 1 to %d, or 0 for one per CPU", o.Workers, MaxWorkers)
	case len(o.Listen) > MaxListen:
		return nil, fmt.Errorf("make DNS server: %d listen addresses; at most %d", len(o.Listen), MaxListen)
	case len(o.NSID) > maxNSID:
		return nil, fmt.Errorf("make DNS server: NSID has %d octets; at most %d", len(o.NSID), maxNSID)
	}
	if err := o.TCP.check(); err != nil {
		return nil, err
	}
	secure, err := newSecure(&o)
	if err != nil {
		return nil, err
	}
	policy, err := newPolicy(o.Policy)
	if err != nil {
		return nil, fmt.Errorf("make DNS server: %w", err)
	}
	s := &Server{
		policy: policy, notify: o.Notify, transfers: o.Transfers, keys: o.Keys,
		listen: o.Listen, workers: o.Workers, io: datagramIO(o.IO), nsid: hexNSID(o.NSID), snapshot: o.Snapshot, now: o.Now, log: o.Logger,
		listenPacket: o.ListenPacket, listenStream: o.ListenStream, observers: o.Observers, passiveRTT: o.PassiveRTT,
		secure: secure, handshakes: make(chan struct{}, maxHandshakes()),
	}
	if s.workers == 0 {
		s.workers = min(runtime.GOMAXPROCS(0), MaxWorkers)
	}
	if s.now == nil {
		s.now, s.monotonic = time.Now, true
	}
	s.nsidWire, s.made = []byte(o.NSID), s.now()
	policy.vouchers, policy.made = o.Vouchers, s.made.Unix()
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if s.listenStream == nil {
		s.listenStream = systemListenStream
	}
	s.limitConnections(o.TCP, descriptors())
	s.transfer = serveTransfers(s, o.Transfers)
	s.responders.New = func() any { return s.newResponder() }
	return s, nil
}

// Addrs returns the addresses that are served, in the order of Options.Listen. Each is served over UDP and TCP. It is
// empty before Listen.
func (s *Server) Addrs() []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]netip.AddrPort, len(s.endpoints))
	for i, e := range s.endpoints {
		addrs[i] = e.addr
	}
	return addrs
}

// Run serves until ctx ends, then answers what it has read, closes all sockets and returns nil. It listens first if
// Listen was not called. It returns an error only when it cannot serve.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	if s.state != stateListening {
		s.mu.Unlock()
		return errors.New("run DNS server: it runs or ran already")
	}
	s.state = stateRunning
	endpoints := s.endpoints
	s.mu.Unlock()

	group, ctx := errgroup.WithContext(ctx)
	for _, e := range endpoints {
		group.Go(func() error { return e.packet.Run(ctx) })
		group.Go(func() error { return s.serveTCP(ctx, e.stream) })
	}
	s.runSecure(ctx, group)
	group.Go(func() error { return s.watchLimits(ctx) })
	err := group.Wait()
	s.log.Info("dns.stopped", zap.Error(err))
	return err
}

// Close releases the sockets of a server that listens and will not Run.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateRunning {
		return errors.New("close DNS server: it is running; end the context of Run instead")
	}
	err := errors.Join(closeAll(s.endpoints), s.closeSecure())
	s.endpoints, s.state = nil, stateNew
	return err
}
