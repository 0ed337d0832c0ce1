package memnet

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// maxBacklog bounds the connections that wait to be accepted by one listener.
const maxBacklog = 64

// Network is hosts that can reach each other. Safe for concurrent use.
type Network struct {
	// Latency is how long connecting takes. Set it before use.
	Latency time.Duration

	refuse atomic.Bool
	dials  atomic.Int64
	opened atomic.Int64

	mu        sync.Mutex
	hosts     map[string]*Host
	listeners map[string]*listener
	port      uint16
}

// New returns a network without hosts.
func New() *Network {
	return &Network{hosts: make(map[string]*Host), listeners: make(map[string]*listener), port: 40000}
}

// Host returns the network as it is seen from an IP address: the same one for the same address.
func (n *Network) Host(ip string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[ip]
	if h == nil {
		h = &Host{n: n, ip: netip.MustParseAddr(ip), conns: make(map[*Conn]struct{})}
		n.hosts[ip] = h
	}
	return h
}

// Down has all attempts to connect refused, or no longer.
func (n *Network) Down(refuse bool) { n.refuse.Store(refuse) }

// Dials returns how many attempts to connect there were, Opened how many of them made a connection.
func (n *Network) Dials() int  { return int(n.dials.Load()) }
func (n *Network) Opened() int { return int(n.opened.Load()) }

// Stall has nothing arrive any more on the connections that there are.
func (n *Network) Stall() {
	for _, h := range n.all() {
		h.each(func(c *Conn) { c.in.set(func(h *half) { h.stalled = true }) })
	}
}

// Cut breaks the connections that there are.
func (n *Network) Cut() {
	for _, h := range n.all() {
		h.Cut()
	}
}

func (n *Network) all() (out []*Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range n.hosts {
		out = append(out, h)
	}
	return out
}

// Traffic is octets, and the writes that they came in: of those longer than 16 KiB each 16 KiB count, as TLS would have it.
type Traffic struct{ Octets, Records int64 }

// traffic is a Traffic that grows.
type traffic struct{ octets, records atomic.Int64 }

func (t *traffic) add(octets int) {
	t.octets.Add(int64(octets))
	t.records.Add(int64(1 + (octets-1)>>14))
}

func (t *traffic) load() Traffic { return Traffic{t.octets.Load(), t.records.Load()} }

// Host is one address of a network.
type Host struct {
	n       *Network
	ip      netip.Addr
	in, out traffic

	mu    sync.Mutex
	conns map[*Conn]struct{} // open at this end
}

// Traffic returns what was written to this host and by it so far.
func (h *Host) Traffic() (in, out Traffic) { return h.in.load(), h.out.load() }

// Cut breaks the host's connections.
func (h *Host) Cut() {
	h.each(func(c *Conn) {
		for _, d := range []*half{c.in, c.out} {
			d.set(func(d *half) { d.broken = syscall.ECONNRESET })
		}
	})
}

func (h *Host) each(f func(*Conn)) {
	h.mu.Lock()
	conns := make([]*Conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	h.mu.Unlock()
	for _, c := range conns {
		f(c)
	}
}

func (h *Host) add(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns[c] = struct{}{}
}

func (h *Host) remove(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
}

// Listen is net.ListenConfig.Listen. The address is the whole of what is listened on: there are no wildcards.
func (h *Host) Listen(_ context.Context, _, address string) (net.Listener, error) {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	l := &listener{host: h, address: address, queue: make(chan net.Conn, maxBacklog), closed: make(chan struct{})}
	h.n.listeners[address] = l
	return l, nil
}

// Dial is net.Dialer.DialContext.
func (h *Host) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	n := h.n
	n.dials.Add(1)
	if n.Latency > 0 {
		t := time.NewTimer(n.Latency)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	n.mu.Lock()
	n.port++
	l, port := n.listeners[address], n.port
	n.mu.Unlock()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	if l == nil || n.refuse.Load() {
		return nil, refused
	}
	local, remote := net.TCPAddrFromAddrPort(netip.AddrPortFrom(h.ip, port)), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))
	there, back := newHalf(), newHalf()
	near := &Conn{in: back, out: there, local: local, remote: remote, host: h, other: l.host}
	far := &Conn{in: there, out: back, local: remote, remote: local, host: l.host, other: h}
	h.add(near)
	l.host.add(far)
	select {
	case l.queue <- far:
		n.opened.Add(1)
		return near, nil
	case <-l.closed:
		_, _ = near.Close(), far.Close()
		return nil, refused
	case <-ctx.Done():
		_, _ = near.Close(), far.Close()
		return nil, ctx.Err()
	}
}

type listener struct {
	host    *Host
	address string
	queue   chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	n := l.host.n
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[l.address] == l {
		delete(n.listeners, l.address)
	}
	return nil
}

func (l *listener) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(l.address))
}
