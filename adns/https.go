package adns

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Limits of DNS over HTTPS.
const (
	// DefaultHTTPSPath is the path that clients expect (RFC 8484 section 4.1.1 leaves it to the server).
	DefaultHTTPSPath = "/dns-query"

	httpsRequest = 5 * time.Second // for a request to come, and for a response to leave
	httpsStreams = 100             // requests at a time on one connection of HTTP/2
	httpsHeader  = 16 << 10        // octets of a request's header
	httpsWindow  = 64 << 10        // octets of requests that one connection of HTTP/2 has under way
)

// HTTPSOptions are DNS over HTTPS (RFC 8484), by HTTP/2 and HTTP/1.1.
type HTTPSOptions struct {
	Listen       []string // as Options.Listen
	Certificates *Certificates
	Path         string // empty: DefaultHTTPSPath
}

func (o *HTTPSOptions) path() string {
	if o.Path == "" {
		return DefaultHTTPSPath
	}
	return o.Path
}

// serveHTTPS serves one listener of DNS over HTTPS until ctx ends. Connections are admitted and made secure like those of
// TLS, and then handed to net/http.
func (s *Server) serveHTTPS(ctx context.Context, sec *secure, listener net.Listener) error {
	handed := &handedListener{conns: make(chan net.Conn), closed: make(chan struct{}), addr: listener.Addr()}
	web := s.newWeb(sec.path)
	stop := context.AfterFunc(ctx, func() {
		grace, done := context.WithTimeout(context.Background(), streamDrain)
		defer done()
		if web.Shutdown(grace) != nil {
			_ = web.Close()
		}
	})
	defer stop()
	var group errgroup.Group
	group.Go(func() error {
		if err := web.Serve(handed); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("serve DNS over HTTPS: %w", err)
		}
		return nil
	})
	err := s.accept(ctx, listener, HTTPS, func(conn net.Conn, slot *slot) {
		defer s.admitted.leave(slot)
		defer conn.Close()
		below := &webConn{secureConn: secureConn{Conn: conn, gate: s.handshakes}, slot: slot, client: connClient(conn, HTTPS),
			closed: make(chan struct{})}
		session, err := s.handshake(below, &below.secureConn, sec)
		if err == nil && handed.take(session) {
			<-below.closed
		}
	})
	handed.Close()
	return errors.Join(err, group.Wait())
}

// newWeb returns the HTTP server. What it would log is nothing that an operator could act on.
func (s *Server) newWeb(path string) *http.Server {
	return &http.Server{
		Handler:           &web{server: s, path: path},
		ReadHeaderTimeout: httpsRequest,
		ReadTimeout:       httpsRequest,
		WriteTimeout:      httpsRequest,
		IdleTimeout:       s.admitted.maxIdle,
		MaxHeaderBytes:    httpsHeader,
		ErrorLog:          log.New(io.Discard, "", 0),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          httpsStreams,
			MaxReceiveBufferPerConnection: httpsWindow,
			MaxReceiveBufferPerStream:     httpsWindow,
			WriteByteTimeout:              httpsRequest,
		},
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, webConnKey{}, c.(*tls.Conn).NetConn())
		},
	}
}

// webConnKey is where a request's context has its *webConn.
type webConnKey struct{}

// webConn is a connection below TLS and HTTP.
type webConn struct {
	secureConn
	slot   *slot
	client client
	once   sync.Once
	closed chan struct{}
}

// Close implements net.Conn.
func (c *webConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.closed) })
	return err
}

// handedListener is a net.Listener of connections that were accepted elsewhere.
type handedListener struct {
	conns  chan net.Conn
	addr   net.Addr
	once   sync.Once
	closed chan struct{}
}

// take hands a connection over and reports whether it was taken.
func (l *handedListener) take(conn net.Conn) bool {
	select {
	case l.conns <- conn:
		return true
	case <-l.closed:
		return false
	}
}

// Accept implements net.Listener.
func (l *handedListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *handedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *handedListener) Addr() net.Addr { return l.addr }
