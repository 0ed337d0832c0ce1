package mep

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"go.uber.org/zap"
)

// handshake makes a session of a new connection and its peer's current one: TLS, then the dialling end's Hello, then the
// answer. An end that is asked says nothing about itself before it knows who asks. dialed is the site that was dialled,
// or empty for an accepted connection. On an error the caller closes raw.
func (x *Exchange) handshake(ctx context.Context, raw net.Conn, dialed string) (*session, error) {
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	if err := raw.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return nil, fmt.Errorf("set deadline: %w", err)
	}
	setUserTimeout(raw, x.opts.KeepaliveTimeout)
	conn, proved, err := x.secure(ctx, raw, dialed)
	if err != nil {
		return nil, err
	}
	g := &greeting{conn: conn, in: newFrameReader(conn), ours: x.hello(), proved: proved, dialed: dialed}
	s, err := x.greet(g)
	if err == nil {
		s.raw = raw
		err = raw.SetDeadline(time.Time{})
	}
	if err == nil {
		err = x.adopt(s)
	}
	if err != nil {
		if _, refused := rejectionOf(err); refused {
			refuse(g, err)
		} else if g.said > 0 && errors.Is(err, errSuperseded) {
			linger(conn)
		}
		return nil, err
	}
	return s, nil
}

// greeting is a connection whose ends introduce themselves.
type greeting struct {
	conn         net.Conn
	in           *frameReader
	proved       string // site of the peer's certificate; empty in insecure mode
	dialed       string // site that was dialled; empty for an accepted connection
	said         uint64 // frames this site has sent
	ours, theirs Hello
	version      uint8 // agreed
}

// greet exchanges Hellos.
func (x *Exchange) greet(g *greeting) (*session, error) {
	if g.dialed != "" {
		if err := g.sendHello(); err != nil {
			return nil, err
		}
		return x.introduce(g)
	}
	s, err := x.introduce(g)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	err = x.admissible(s) // again when it is adopted; asked here so that a duplicate never sees a session begin
	x.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s, g.sendHello()
}

// secure makes a TLS connection of raw, and returns the site that the other end proved to be: empty in insecure mode.
func (x *Exchange) secure(ctx context.Context, raw net.Conn, dialed string) (net.Conn, string, error) {
	if x.opts.Insecure {
		return raw, "", nil
	}
	credentials, reloaded, err := x.opts.TLS.current()
	if err != nil {
		x.log.Error("mep.certificate.refused", zap.String("why", "the one before stays in use"), zap.Error(err))
	} else if reloaded {
		x.log.Info("mep.certificate.reloaded", zap.Time("not_after", credentials.cert.Leaf.NotAfter))
	}
	var proved string
	config := credentials.config(func(site string) error {
		proved = site
		return x.allow(site, dialed)
	})
	conn := tls.Server(raw, config)
	if dialed != "" {
		conn = tls.Client(raw, config)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		if _, ok := rejectionOf(err); ok {
			return nil, "", err
		}
		return nil, "", refusef(RejectTLS, "secure connection: %w", err)
	}
	return conn, proved, nil
}

// allow reports whether this site talks to a site, on a connection that it dialled to dialed or accepted.
func (x *Exchange) allow(site, dialed string) error {
	if dialed != "" && site != dialed {
		return refusef(RejectWrongSite, "identify peer: it is site %q, want site %q; check the addresses of the sites", site, dialed)
	}
	if site == x.opts.Site {
		return refusef(RejectUnknownSite, "identify peer: it says it is this site, %q; each site needs its own name and certificate", site)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.find(site) == nil {
		return refusef(RejectUnknownSite, "identify peer: site %q is not in the document of site %q", site, x.opts.Site)
	}
	return nil
}

// introduce reads the peer's Hello and makes a session of it.
func (x *Exchange) introduce(g *greeting) (*session, error) {
	var err error
	if g.theirs, err = readHello(g.in); err != nil {
		return nil, err
	}
	site := g.theirs.Site
	if g.proved != "" && site != g.proved {
		return nil, refusef(RejectWrongSite, "identify peer: its certificate is for site %q, its Hello says %q", g.proved, site)
	}
	if err := x.allow(site, g.dialed); err != nil {
		return nil, err
	}
	if g.version, err = agree(g.ours, g.theirs); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.find(site)
	if p == nil {
		return nil, refusef(RejectUnknownSite, "identify peer: site %q was removed", site)
	}
	if g.proved == "" && p.addr.ip.IsValid() && sourceOf(g.conn) != p.addr.ip {
		return nil, refusef(RejectWrongSite, "identify peer: site %q is configured at %s, this is %s (checked because insecure is set)",
			site, p.addr.ip, sourceOf(g.conn))
	}
	if g.dialed == "" && !p.arrivals.Allow() {
		return nil, refusef(RejectFlood, "admit site %q: above %d connections a second", site, arriveRate)
	}
	return newSession(x, p, g), nil
}

func (g *greeting) sendHello() error {
	g.said++
	if _, err := g.conn.Write(appendFrame(nil, FrameHello, 0, g.said, g.ours.append)); err != nil {
		return refusef(RejectHandshake, "send Hello: %w", err)
	}
	return nil
}

// readHello reads the first frame of a peer.
func readHello(in *frameReader) (Hello, error) {
	h, err := in.header(MaxHello)
	if err != nil {
		return Hello{}, handshakeError(err)
	}
	if h.kind != FrameHello && h.kind != FrameLeaving {
		return Hello{}, refusef(RejectMalformed, "read first frame: it is %s, want Hello", h.kind)
	}
	payload, err := in.payload(h)
	if err != nil {
		return Hello{}, handshakeError(err)
	}
	if h.kind == FrameLeaving {
		l, err := decodeLeaving(payload)
		if err != nil {
			return Hello{}, err
		}
		return Hello{}, fmt.Errorf("peer refuses: %s", l.text)
	}
	return decodeHello(payload)
}

// handshakeError makes a rejection of what went wrong while a Hello was awaited.
func handshakeError(err error) error {
	if _, ok := rejectionOf(err); ok {
		return err
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "remote error" { // a TLS alert
		return refusef(RejectTLS, "the peer does not accept this site's certificate, its log says why: %w", err)
	}
	return &refusal{RejectHandshake, err}
}

// refuse tells the other end why, as far as it takes that.
func refuse(g *greeting, why error) {
	l := leaving{leaveRefused, why.Error()}
	_ = g.conn.SetDeadline(time.Now().Add(farewellTimeout))
	_, _ = g.conn.Write(appendFrame(nil, FrameLeaving, 0, g.said+1, l.append))
}

// linger waits until the peer closes a connection that both ends have no use for, as in session.retire.
func linger(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(farewellTimeout))
	_, _ = io.Copy(io.Discard, conn)
}
