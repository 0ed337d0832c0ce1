package mep

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"go.uber.org/zap"
)

// read takes frames until the session ends, and returns why it did.
func (s *session) read() error {
	for {
		// From one complete frame to the next: a peer that trickles bytes is as silent as one that sends none.
		s.extend(s.conn.SetReadDeadline, s.x.opts.KeepaliveTimeout)
		if err := s.readFrame(); err != nil {
			return s.explain(err)
		}
	}
}

func (s *session) readFrame() error {
	h, err := s.in.header(MaxPayload)
	if err != nil {
		return err
	}
	now := time.Now()
	if !s.limit.frames.AllowN(now, 1) || !s.limit.bytes.AllowN(now, headerSize+int(h.length)) {
		return refusef(RejectFlood, "read frame %d: above %d frames or %d MiB a second", h.sequence, frameRate, byteRate>>20)
	}
	if !h.kind.understood(s.version) {
		if err := s.in.discard(h); err != nil {
			return err
		}
		s.hear(h)
		return nil
	}
	payload, err := s.in.payload(h)
	if err != nil {
		return err
	}
	s.hear(h)
	if s.isEnding() {
		return nil // a farewell is under way, and the peer closes when it has read it
	}
	return s.handle(h, payload)
}

// hear notes a complete frame.
func (s *session) hear(h header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard, s.heardAt = h.sequence, time.Now()
	s.bytes += headerSize + uint64(h.length)
}

func (s *session) handle(h header, payload []byte) error {
	switch h.kind {
	case FrameHello:
		return refusef(RejectMalformed, "read frame %d: a second Hello", h.sequence)
	case FrameKeepAlive:
		return s.handleKeepAlive(payload)
	case FrameServices:
		return s.handleServices(payload, h.flags&flagMore != 0)
	case FrameSessions:
		return s.handleSessions(h, payload)
	case FrameChanges:
		return s.handleChanges(payload, h.flags)
	case FrameAttach:
		return s.handleAttach(payload)
	case FrameResend:
		s.handleResend()
	case FrameConfig:
		m, err := s.config.take(payload, h.flags&flagMore != 0)
		if m != nil {
			m.Peer = s.peer.site
			s.x.report(s, m)
		}
		return err
	case FrameViews:
		records, age, complete, err := s.views.take(h.kind, payload, h.flags&flagMore != 0)
		if complete {
			s.x.report(s, &ViewsReport{Peer: s.peer.site, Records: records, ReceivedAt: time.Now(), Age: age})
		}
		return err
	case FrameOverrides:
		records, age, complete, err := s.orders.take(h.kind, payload, h.flags&flagMore != 0)
		if complete {
			s.x.report(s, &OverridesReport{Peer: s.peer.site, Records: records, ReceivedAt: time.Now(), Age: age})
		}
		return err
	case FrameNetwork:
		return s.handleNetwork(payload)
	case FrameDecisions:
		return s.handleDecisions(payload)
	case FrameAsk:
		return s.handleAsk(payload)
	case FrameAnswer:
		return s.handleAnswer(payload)
	case FrameLeaving:
		return s.handleLeaving(payload)
	}
	return nil
}

func (s *session) handleKeepAlive(payload []byte) error {
	k, err := decodeKeepAlive(payload)
	if err != nil {
		return err
	}
	if sent := s.sent.Load(); k.heard > sent {
		return refusef(RejectMalformed, "take KeepAlive: the peer heard frame %d, the last one sent is %d", k.heard, sent)
	}
	if k.silence >= s.x.opts.KeepaliveTimeout {
		return endf(EndOneWay, "frames arrive one way only: %s does not hear %s; it has heard nothing for %v", s.peer.site, s.x.opts.Site, k.silence)
	}
	now := time.Now()
	s.told.confirmed(k.heard, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silence, s.silenceAt = k.silence, now
	s.path.received(k, now, s.x.stamp(now), s.x.opts.KeepaliveTimeout)
	if k.digest != ([32]byte{}) {
		if s.digest != k.digest {
			s.digestSince = now
		}
		s.digest, s.digestAt = k.digest, now
	}
	return nil
}

func (s *session) handleServices(payload []byte, more bool) error {
	m := &s.mirror
	if !s.pace.begin(s, m.sets.set == 0) {
		return nil
	}
	defer s.pace.end(time.Now())
	m.mu.Lock()
	p, records, complete, err := m.sets.take(payload, more)
	switch {
	case err == nil && m.round > 0:
		err = refusef(RejectMalformed, "take services of site %q: it has told them in Changes; a session has one or the other", s.peer.site)
	case err == nil && complete:
		m.takeSet(s.peer.site, &p, records, time.Since(s.x.started))
	}
	m.mu.Unlock()
	if err != nil || !complete {
		return err
	}
	return s.changesTaken()
}

func (s *session) handleChanges(payload []byte, flags uint8) error {
	m := &s.mirror
	if !s.pace.begin(s, m.part == 0) {
		return nil
	}
	defer s.pace.end(time.Now())
	m.mu.Lock()
	done, sane, err := m.take(payload, flags, time.Since(s.x.started), s.allow)
	if err == nil && m.sets.last > 0 {
		err = refusef(RejectMalformed, "take Changes of site %q: it has told them in Services; a session has one or the other", s.peer.site)
	}
	m.mu.Unlock()
	if err != nil || !done {
		return err
	}
	if now := time.Now(); !sane && now.Sub(s.asked) >= resendPause {
		s.asked = now
		s.x.log.Warn("mep.resend", zap.String("why", "what this site holds is not what the peer tells"), zap.String("peer", s.peer.site))
		s.postFrame(posted{kind: FrameResend})
	}
	return s.changesTaken()
}

// handleResend has all told anew.
func (s *session) handleResend() {
	if now := time.Now(); now.Sub(s.resentAt) >= resendPause {
		s.resentAt = now
		s.resend.Store(true)
		signal(s.wake)
	}
}

func (s *session) handleLeaving(payload []byte) error {
	l, err := decodeLeaving(payload)
	switch {
	case err != nil:
		return err
	case l.reason == leaveStopping:
		s.x.log.Info("mep.leaving", zap.String("peer", s.peer.site))
		s.x.report(s, &PeerLeaving{Peer: s.peer.site, At: time.Now()})
		if s.x.current(s) {
			s.x.unhearAll(s, ReachLeft)
		}
		return errPeerStops
	case l.reason == leaveRefused:
		return endf(EndRefused, "the peer ended the session: %s", l.text)
	case l.reason == leaveRemoved:
		return endf(EndRefused, "the peer ended the session: %s; add this site to its document", l.text)
	}
	return fmt.Errorf("the peer ended the session: reason %d, %s", l.reason, l.text)
}

// explain says what an error of the connection means for the session.
func (s *session) explain(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return endf(EndSilence, "no frame for %v", s.x.opts.KeepaliveTimeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		if err := s.oneWay(time.Now()); err != nil {
			return err
		}
		return endf(EndClosed, "the peer closed the connection")
	case errors.Is(err, net.ErrClosed):
		return errors.New("connection closed")
	}
	return err
}

// noteRejected counts and logs what ended a session.
func (s *session) noteRejected(kind Rejection, err error) {
	s.x.rejected.count(kind)
	if !s.x.rejected.quiet(string(kind)+" session "+s.peer.site, time.Now()) {
		s.x.log.Warn("mep.rejected", zap.String("peer", s.peer.site), zap.String("rejection", string(kind)),
			zap.Stringer("remote", s.conn.RemoteAddr()), zap.Error(err))
	}
}
