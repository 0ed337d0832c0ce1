package adns

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

const (
	tlsHandshake = 5 * time.Second
	alpnDoT      = "dot" // RFC 7858 section 3.1 has the port; the name is IANA's
)

// TLSOptions are DNS over TLS (RFC 7858): the messages of TCP, under TLS.
type TLSOptions struct {
	Listen       []string // as Options.Listen
	Certificates *Certificates
	// MinVersion is tls.VersionTLS13, or tls.VersionTLS12 for old clients. 0: TLS 1.3.
	MinVersion uint16
}

// secure is a transport under TLS.
type secure struct {
	transport    Transport
	listen       []string
	certificates *Certificates
	config       *tls.Config
	path         string         // of HTTPS
	listeners    []net.Listener // under Server.mu
}

// newSecure returns what is spoken under TLS.
func newSecure(o *Options) ([]*secure, error) {
	var all []*secure
	if t := o.TLS; t != nil {
		all = append(all, &secure{transport: TLS, listen: t.Listen, certificates: t.Certificates,
			config: &tls.Config{MinVersion: t.MinVersion, NextProtos: []string{alpnDoT}}})
	}
	if h := o.HTTPS; h != nil {
		all = append(all, &secure{transport: HTTPS, listen: h.Listen, certificates: h.Certificates, path: h.path(),
			config: &tls.Config{NextProtos: []string{"h2", "http/1.1"}}})
	}
	for _, sec := range all {
		switch {
		case sec.certificates == nil:
			return nil, fmt.Errorf("make DNS server: %s has no certificates", sec.transport)
		case len(sec.listen) == 0 || len(sec.listen) > MaxListen:
			return nil, fmt.Errorf("make DNS server: %s has %d listen addresses; give 1 to %d", sec.transport, len(sec.listen), MaxListen)
		case sec.config.MinVersion == 0:
			sec.config.MinVersion = tls.VersionTLS13
		case sec.config.MinVersion < tls.VersionTLS12:
			return nil, fmt.Errorf("make DNS server: %s with a version below TLS 1.2", sec.transport)
		}
		sec.config.GetCertificate = sec.certificates.get
		sec.config.DynamicRecordSizingDisabled = true // a batch is one record and one write
	}
	return all, nil
}

// listenSecure binds the addresses of the transports under TLS. After an error all are closed.
func (s *Server) listenSecure(ctx context.Context) error {
	for _, sec := range s.secure {
		addrs, err := parseListen(sec.listen)
		if err != nil {
			return errors.Join(err, s.closeSecure())
		}
		for _, addr := range addrs {
			network := "tcp4"
			if addr.Addr().Is6() {
				network = "tcp6"
			}
			listener, err := s.listenStream(ctx, network, addr.String())
			if err != nil {
				return errors.Join(bindError(strings.ToUpper(sec.transport.String()), "dns."+sec.transport.String()+".listen", addr, err), s.closeSecure())
			}
			sec.listeners = append(sec.listeners, listener)
		}
	}
	for _, sec := range s.secure {
		for _, l := range sec.listeners {
			s.log.Info("dns.listening", zap.Stringer("address", l.Addr()), zap.Stringer("transport", sec.transport))
		}
	}
	return nil
}

func (s *Server) closeSecure() error {
	var errs []error
	for _, sec := range s.secure {
		for _, l := range sec.listeners {
			errs = append(errs, l.Close())
		}
		sec.listeners = nil
	}
	return errors.Join(errs...)
}

// SecureAddrs returns the addresses that TLS or HTTPS is served on; empty before Listen.
func (s *Server) SecureAddrs(t Transport) []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	var addrs []netip.AddrPort
	if i := slices.IndexFunc(s.secure, func(sec *secure) bool { return sec.transport == t }); i >= 0 {
		for _, l := range s.secure[i].listeners {
			addrs = append(addrs, addrPort(l.Addr()))
		}
	}
	return addrs
}

// ReloadCertificates reads the certificates of TLS and HTTPS again. One that cannot be used is refused, with an error,
// and the one before it stays. Connections that are open are not touched.
func (s *Server) ReloadCertificates() error {
	var errs []error
	var done []*Certificates
	for _, sec := range s.secure {
		if !slices.Contains(done, sec.certificates) {
			done = append(done, sec.certificates)
			errs = append(errs, sec.certificates.Reload())
		}
	}
	return errors.Join(errs...)
}

// runSecure serves the transports under TLS in a group.
func (s *Server) runSecure(ctx context.Context, group *errgroup.Group) {
	for _, sec := range s.secure {
		group.Go(func() error { return sec.certificates.watch(ctx) })
		for _, listener := range sec.listeners {
			if sec.transport == HTTPS {
				group.Go(func() error { return s.serveHTTPS(ctx, sec, listener) })
			} else {
				group.Go(func() error { return s.serveTLS(ctx, sec, listener) })
			}
		}
	}
}

// serveTLS serves one listener of DNS over TLS like serveTCP.
func (s *Server) serveTLS(ctx context.Context, sec *secure, listener net.Listener) error {
	return s.accept(ctx, listener, TLS, func(conn net.Conn, slot *slot) {
		defer s.admitted.leave(slot)
		defer conn.Close()
		below := &secureConn{Conn: conn, gate: s.handshakes}
		session, err := s.handshake(below, below, sec)
		if err != nil {
			return
		}
		err = s.serveStream(ctx, session, slot, TLS)
		if failed, ok := err.(net.Error); !ok || !failed.Timeout() { // else nobody reads the farewell
			_ = session.Close()
		}
	})
}

// handshake makes a connection secure, which is gated, or has gated in it. When it fails the connection is of no use.
func (s *Server) handshake(conn net.Conn, gated *secureConn, sec *secure) (*tls.Conn, error) {
	gated.by = time.Now().Add(tlsHandshake)
	s.setDeadline(conn, gated.by)
	session := tls.Server(conn, sec.config)
	err := session.Handshake()
	gated.handshaken()
	if err != nil {
		if !s.admitted.draining.Load() {
			s.counters.streams[sec.transport].handshakeErrors.Add(1)
		}
		return nil, err
	}
	s.setDeadline(conn, time.Time{})
	return session, nil
}

func (s *Server) setDeadline(conn net.Conn, by time.Time) {
	_ = conn.SetDeadline(by)
	if s.admitted.draining.Load() {
		s.admitted.hurry(conn)
	}
}

// maxHandshakes is how many handshakes compute at a time. Those that wait for the client do not count; the rest of the
// processors is for queries.
func maxHandshakes() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// secureConn is a connection below TLS. During the handshake it holds a place in the gate, but for the time that it waits
// for the client: so a flood of handshakes does not take all processors, and slow clients do not keep others out.
type secureConn struct {
	net.Conn
	gate    chan struct{}
	by      time.Time // when the handshake must be done
	holding bool
	done    bool
}

// Read implements net.Conn.
func (c *secureConn) Read(b []byte) (int, error) {
	if c.done {
		return c.Conn.Read(b)
	}
	c.release()
	n, err := c.Conn.Read(b)
	if err != nil {
		return n, err
	}
	return n, c.hold()
}

// hold waits for a place in the gate.
func (c *secureConn) hold() error {
	select {
	case c.gate <- struct{}{}:
		c.holding = true
		return nil
	default:
	}
	late := time.NewTimer(time.Until(c.by))
	defer late.Stop()
	select {
	case c.gate <- struct{}{}:
		c.holding = true
		return nil
	case <-late.C:
		return errTooSlow
	}
}

func (c *secureConn) release() {
	if c.holding {
		<-c.gate
		c.holding = false
	}
}

// handshaken ends the handshake.
func (c *secureConn) handshaken() {
	c.release()
	c.done = true
}
