package mesh_test

import (
	"context"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"fairlead/internal/pki"
	"fairlead/mep"
)

// loopback is real connections of one site, with what is counted below TLS.
type loopback struct {
	ip      net.IP       // of its own where there are many: connections that prove nothing are counted by source
	in, out atomic.Int64 // octets

	mu    sync.Mutex
	conns map[*loopConn]struct{}
}

type loopConn struct {
	net.Conn
	l *loopback
}

func (c *loopConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.l.in.Add(int64(n))
	return n, err
}

func (c *loopConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.l.out.Add(int64(n))
	return n, err
}

func (c *loopConn) Close() error {
	c.l.mu.Lock()
	delete(c.l.conns, c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}

func (l *loopback) wrap(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	w := &loopConn{c, l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[w] = struct{}{}
	return w, nil
}

// cut breaks the site's connections.
func (l *loopback) cut() {
	l.mu.Lock()
	conns := make([]*loopConn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		_ = c.Conn.Close()
	}
}

type loopListener struct {
	net.Listener
	l *loopback
}

func (l loopListener) Accept() (net.Conn, error) {
	return l.l.wrap(l.Listener.Accept())
}

func (l *loopback) listen(ctx context.Context, network, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return loopListener{listener, l}, nil
}

func (l *loopback) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: l.ip}}
	return l.wrap(d.DialContext(ctx, network, address))
}

// newLoopback makes a world over loopback, with TLS. adjust may be nil.
func newLoopback(t testing.TB, s shape, adjust func(i int, o *mep.Options)) (*world, []*loopback) {
	t.Helper()
	authority, err := pki.NewAuthority(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, shape: s}
	var nets []*loopback
	for i := range s.parents + s.children {
		l := &loopback{ip: net.IPv4(127, 0, 0, 1), conns: make(map[*loopConn]struct{})}
		if runtime.GOOS == "linux" {
			l.ip = net.IPv4(127, 1, byte(i>>8), byte(i))
		}
		nets = append(nets, l)
		w.add(i, net.JoinHostPort(l.ip.String(), "0"), func(o *mep.Options) {
			pair, err := authority.Issue(o.Site, pki.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if o.TLS, err = mep.NewIdentity(pair.Cert, pair.Key, authority.Cert()); err != nil {
				t.Fatal(err)
			}
			o.ListenFunc, o.DialFunc = l.listen, l.dial
			if adjust != nil {
				adjust(i, o)
			}
		})
		x := w.sites[i]
		if err := x.exchange.Listen(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.peer.Address = x.exchange.Addr().String()
	}
	w.connect()
	return w, nets
}
