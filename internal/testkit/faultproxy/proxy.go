package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Direction is one way through the proxy.
type Direction int

// Directions.
const (
	ToTarget   Direction = iota // what who connected sends
	FromTarget                  // what the target sends
	directions
)

const (
	chunkSize = 16 << 10
	maxQueued = 64 // chunks on their way in one direction
	// maxConnections is how many connections are open at a time; further ones wait to be accepted.
	maxConnections = 256
	dialTimeout    = 5 * time.Second
)

// Fault is what happens in one direction. The zero value is none.
type Fault struct {
	Delay, Jitter time.Duration // bytes come out Delay later, up to Jitter more or less; their order stays
	Rate          int           // bytes a second; 0: as fast as they come
	Corrupt       float64       // probability with which each byte is changed
	Freeze        bool          // nothing is read and nothing comes out, until it is set otherwise
	Swallow       bool          // bytes are read and thrown away, ends of streams as well
}

// Options is what a Proxy is made of.
type Options struct {
	Listen string // host:port; port 0 for any
	Target string // host:port
	Seed   uint64 // of what happens by chance
	// Dial makes the connections to Target. nil: TCP, from where the process is.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Stats counts what a Proxy did.
type Stats struct {
	Accepted, Refused uint64
	Open              int64
	Bytes             [2]uint64 // passed on, by Direction
	Corrupted         [2]uint64 // of them, changed
	Swallowed         [2]uint64
}

// Proxy passes connections on. Safe for concurrent use.
type Proxy struct {
	opts     Options
	listener net.Listener

	mu      sync.Mutex
	faults  [directions]Fault
	changed chan struct{} // closed when faults change
	refuse  bool
	hole    bool
	links   map[*link]struct{}
	made    uint64 // links so far

	accepted, refused           atomic.Uint64
	bytes, corrupted, swallowed [directions]atomic.Uint64
}

// New listens. Run passes on.
func New(o Options) (*Proxy, error) {
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", o.Listen, err)
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return &Proxy{opts: o, listener: l, changed: make(chan struct{}), links: make(map[*link]struct{})}, nil
}

// Addr is where connections are taken.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set makes f what happens in a direction.
func (p *Proxy) Set(d Direction, f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[d] = f
	close(p.changed)
	p.changed = make(chan struct{})
}

// SetBoth makes f what happens both ways.
func (p *Proxy) SetBoth(f Fault) {
	p.Set(ToTarget, f)
	p.Set(FromTarget, f)
}

// Refuse says whether new connections are reset at once.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// Blackhole says whether new connections are accepted, and then nothing ever comes of them.
func (p *Proxy) Blackhole(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = on
}

// Reset ends all connections at both ends at once.
func (p *Proxy) Reset() {
	for _, l := range p.open() {
		l.reset(true, true)
	}
}

// HalfOpen ends all connections at one end, the one that bytes of d come out at; the other end is told nothing, and what it
// sends disappears, until Reset.
func (p *Proxy) HalfOpen(d Direction) {
	for _, l := range p.open() {
		l.halfOpen.Store(true)
		l.reset(d == FromTarget, d == ToTarget)
	}
}

// Stats returns what was counted so far.
func (p *Proxy) Stats() Stats {
	s := Stats{Accepted: p.accepted.Load(), Refused: p.refused.Load()}
	p.mu.Lock()
	s.Open = int64(len(p.links))
	p.mu.Unlock()
	for d := range directions {
		s.Bytes[d], s.Corrupted[d], s.Swallowed[d] = p.bytes[d].Load(), p.corrupted[d].Load(), p.swallowed[d].Load()
	}
	return s
}

// Run passes connections on until ctx ends, and returns when all of them have ended.
func (p *Proxy) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var children sync.WaitGroup
	defer children.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = p.listener.Close() })
	defer stop()
	places := make(chan struct{}, maxConnections)
	for {
		conn, err := p.listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", p.Addr(), err)
		case err != nil:
			continue // the connection was aborted
		}
		p.accepted.Add(1)
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			_ = conn.Close()
			return nil
		}
		children.Go(func() {
			defer func() { <-places }()
			p.serve(ctx, conn)
		})
	}
}

// serve passes one connection on.
func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	refuse, hole := p.refuse, p.hole
	p.mu.Unlock()
	if refuse {
		p.refused.Add(1)
		linger(client)
		return
	}
	l := &link{p: p, client: client, over: make(chan struct{})}
	if !hole {
		limited, cancel := context.WithTimeout(ctx, dialTimeout)
		target, err := p.opts.Dial(limited, "tcp", p.opts.Target)
		cancel()
		if err != nil {
			p.refused.Add(1)
			linger(client)
			return
		}
		defer target.Close()
		l.target = target
	}
	p.mu.Lock()
	p.made++
	l.number = p.made
	p.links[l] = struct{}{}
	p.mu.Unlock()
	l.run(ctx)
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *Proxy) open() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*link
	for l := range p.links {
		out = append(out, l)
	}
	return out
}

func (p *Proxy) fault(d Direction) (Fault, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults[d], p.changed
}

// linger makes the close that follows a reset.
func linger(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}
