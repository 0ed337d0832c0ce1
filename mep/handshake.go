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
	s, said, err := x.greet(conn, proved, dialed)
	if err == nil {
		s.raw = raw
		err = raw.SetDeadline(time.Time{})
	}
	if err == nil {
		err = x.adopt(s)
	}
	if err != nil {
		if _, refused := rejectionOf(err); refused {
			refuse(conn, said, err)
		} else if said > 0 && errors.Is(err, errSuperseded) {
			linger(conn)
		}
		return nil, err
	}
	return s, nil
}

// greet exchanges Hellos. said is how many frames this site has sent.
func (x *Exchange) greet(conn net.Conn, proved, dialed string) (s *session, said uint64, err error) {
	in := newFrameReader(conn)
	ours := x.hello()
	if dialed != "" {
		if err := sendHello(conn, ours); err != nil {
			return nil, 0, err
		}
		s, err = x.introduce(in, conn, ours, proved, dialed)
		return s, 1, err
	}
	if s, err = x.introduce(in, conn, ours, proved, dialed); err != nil {
		return nil, 0, err
	}
	x.mu.Lock()
	err = x.admissible(s) // again when it is adopted; asked here so that a duplicate never sees a session begin
	x.mu.Unlock()
	if err != nil {
		return nil, 0, err
	}
	return s, 1, sendHello(conn, ours)
}

// secure makes a TLS connection of raw, and returns the site that the other end proved to be: empty in insecure mode.
func (x *Exchange) secure(ctx context.Context, raw net.Conn, dialed string) (net.Conn, string, error) {
	if x.opts.Insecure {
		return raw, "", nil
	}
	credentials, reloaded, err := x.opts.TLS.current()
	if err != nil {
		x.log.Error("certificate not reloaded: the one before stays in use", zap.Error(err))
	} else if reloaded {
		x.log.Info("certificate reloaded", zap.Time("not_after", credentials.cert.Leaf.NotAfter))
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

// introduce reads the peer's Hello and makes a session of it. proved is the site of its certificate.
func (x *Exchange) introduce(in *frameReader, conn net.Conn, ours Hello, proved, dialed string) (*session, error) {
	theirs, err := readHello(in)
	if err != nil {
		return nil, err
	}
	if proved != "" && theirs.Site != proved {
		return nil, refusef(RejectWrongSite, "identify peer: its certificate is for site %q, its Hello says %q", proved, theirs.Site)
	}
	if err := x.allow(theirs.Site, dialed); err != nil {
		return nil, err
	}
	version, err := agree(ours, theirs)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.find(theirs.Site)
	if p == nil {
		return nil, refusef(RejectUnknownSite, "identify peer: site %q was removed", theirs.Site)
	}
	if proved == "" && p.addr.ip.IsValid() && sourceOf(conn) != p.addr.ip {
		return nil, refusef(RejectWrongSite, "identify peer: site %q is configured at %s, this is %s (checked because insecure is set)",
			theirs.Site, p.addr.ip, sourceOf(conn))
	}
	return newSession(x, p, conn, in, ours, theirs, version, dialed != ""), nil
}

func sendHello(conn net.Conn, h Hello) error {
	if _, err := conn.Write(appendFrame(nil, FrameHello, 0, 1, h.append)); err != nil {
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

// refuse tells the other end why, as far as it takes that. said is how many frames this site has sent.
func refuse(conn net.Conn, said uint64, why error) {
	l := leaving{leaveRefused, why.Error()}
	_ = conn.SetDeadline(time.Now().Add(farewellTimeout))
	_, _ = conn.Write(appendFrame(nil, FrameLeaving, 0, said+1, l.append))
}

// linger waits until the peer closes a connection that both ends have no use for, as in session.retire.
func linger(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(farewellTimeout))
	_, _ = io.Copy(io.Discard, conn)
}
