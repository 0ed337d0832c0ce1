package mep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// dialing keeps one dial loop for each peer that this site dials, until ctx ends.
func (x *Exchange) dialing(ctx context.Context) {
	for {
		x.mu.Lock()
		for _, p := range x.peers {
			wanted := p.dials && !p.removed && ctx.Err() == nil
			if !wanted {
				x.stopDialing(p)
			} else if p.stopDialing == nil {
				loop, cancel := context.WithCancel(ctx)
				p.stopDialing = cancel
				addr := p.addr
				x.children.Go(func() { x.dialLoop(loop, ctx, p, addr) })
			}
		}
		x.mu.Unlock()
		select {
		case <-x.changed:
		case <-ctx.Done():
			return
		}
	}
}

// backoff is the wait between attempts. The zero value is ready.
type backoff struct {
	wait   time.Duration
	closes time.Time // since when the peer closes at once; zero: it does not
}

// next returns the wait before the next attempt, without jitter.
func (b *backoff) next() time.Duration {
	b.wait = min(max(2*b.wait, backoffFirst), backoffMost)
	return b.wait
}

func (b *backoff) reset() { *b = backoff{} }

// soon is next for a peer that is expected back.
func (b *backoff) soon() time.Duration {
	b.wait = min(b.next(), leftPause)
	return b.wait
}

// closed notes whether the peer closed at once, and reports whether it has not done so for long: it may be about to stop.
func (b *backoff) closed(now time.Time, did bool) bool {
	switch {
	case !did:
		b.closes = time.Time{}
	case b.closes.IsZero():
		b.closes = now
	}
	return did && now.Sub(b.closes) < leftFor
}

// dialLoop dials one peer whenever there is no session with it, until ctx ends. Sessions live on until run ends.
func (x *Exchange) dialLoop(ctx, run context.Context, p *peer, addr address) {
	var retry backoff
	for ctx.Err() == nil {
		s, closed := x.sessionOf(p), false
		if s == nil {
			if x.attempts.Wait(ctx) != nil {
				return
			}
			if s = x.sessionOf(p); s == nil { // the peer may have come first
				s, closed = x.dial(ctx, run, p, addr)
			}
		}
		if s != nil {
			select {
			case <-s.done:
			case <-ctx.Done():
				return
			}
			// One that does not last is no success: without this, two ends that agree on Hello only would spin.
			if time.Since(s.began) >= x.opts.KeepaliveTimeout {
				retry.reset()
			}
		}
		now := time.Now()
		if draining := retry.closed(now, closed); draining || x.leftLately(p, now) {
			sleep(ctx, x.jitter(retry.soon()))
			continue
		}
		sleep(ctx, x.jitter(retry.next()))
	}
}

// leftLately reports whether a peer announced a short time ago that it stops.
func (x *Exchange) leftLately(p *peer, now time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return p.state == PeerLeft && now.Sub(p.since) < leftFor
}

// sessionOf returns a peer's session, or nil.
func (x *Exchange) sessionOf(p *peer) *session {
	x.mu.Lock()
	defer x.mu.Unlock()
	return p.session
}

// dial makes one attempt and returns the session, or nil; closed says that the peer closed the connection and said nothing.
func (x *Exchange) dial(ctx, run context.Context, p *peer, addr address) (s *session, closed bool) {
	x.mu.Lock()
	if x.leaving {
		x.mu.Unlock()
		return nil, false
	}
	if p.state == PeerDown {
		p.become(PeerConnecting)
	}
	x.mu.Unlock()
	s, err := x.connect(ctx, p, addr)
	if err == nil {
		x.start(run, s)
		return s, false
	}
	x.mu.Lock()
	trouble := p.session == nil && ctx.Err() == nil && !x.leaving // else the attempt was overtaken
	if trouble {
		p.fail(err)
	}
	if p.state == PeerConnecting {
		p.become(PeerDown)
	}
	x.mu.Unlock()
	if trouble {
		x.noteRefused(err, p.site, addr.String())
	}
	return nil, trouble && closedAtOnce(err)
}

// closedAtOnce reports whether an attempt failed because the peer closed the connection where its Hello was due.
func closedAtOnce(err error) bool {
	if kind, _ := rejectionOf(err); kind != RejectHandshake {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// connect dials a peer and makes a session of the connection.
func (x *Exchange) connect(ctx context.Context, p *peer, addr address) (*session, error) {
	dialCtx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	conn, err := x.opts.DialFunc(dialCtx, "tcp", addr.String())
	cancel()
	if err != nil {
		return nil, fmt.Errorf("dial site %q: %w", p.site, err)
	}
	s, err := x.handshake(ctx, conn, p.site)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("connect to site %q at %s: %w", p.site, addr, err)
	}
	return s, nil
}

// noteRefused counts and logs a connection that did not become a session; the same trouble is logged once a minute.
func (x *Exchange) noteRefused(err error, peer, remote string) {
	kind, ok := rejectionOf(err)
	if ok {
		x.rejected.count(kind)
	}
	if x.rejected.quiet(string(kind)+" "+peer+" "+remote, time.Now()) {
		return
	}
	fields := []zap.Field{zap.String("remote", remote), zap.Error(err)}
	if ok {
		fields = append(fields, zap.String("rejection", string(kind)))
	}
	if peer != "" {
		fields = append(fields, zap.String("peer", peer))
	}
	x.log.Warn("mep.unreachable", fields...)
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
