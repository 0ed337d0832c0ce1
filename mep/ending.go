package mep

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"sync"
	"syscall"
	"time"
)

// Ending is why a session ended. The words are stable: metrics and logs carry them.
type Ending string

// Endings.
const (
	EndSilence  Ending = "silence"  // no frame for the keepalive timeout
	EndOneWay   Ending = "one-way"  // frames arrive, but the peer hears none
	EndClosed   Ending = "closed"   // the peer, or something between, closed the connection
	EndLeft     Ending = "left"     // the peer announced that it stops
	EndRefused  Ending = "refused"  // one end did something that the other one does not accept
	EndReplaced Ending = "replaced" // by a newer connection with the same site
	EndHere     Ending = "here"     // this site stops, or its document says otherwise
	EndOther    Ending = "other"
)

// Endings lists all of them.
func Endings() []Ending {
	return []Ending{EndSilence, EndOneWay, EndClosed, EndLeft, EndRefused, EndReplaced, EndHere, EndOther}
}

// ended is an error that counts as an Ending.
type ended struct {
	kind Ending
	err  error
}

func (e *ended) Error() string { return e.err.Error() }
func (e *ended) Unwrap() error { return e.err }

func endf(kind Ending, format string, args ...any) error {
	return &ended{kind, fmt.Errorf(format, args...)}
}

// endingOf returns what a cause counts as.
func endingOf(cause error) Ending {
	var e *ended
	if errors.As(cause, &e) {
		return e.kind
	}
	if _, refused := rejectionOf(cause); refused {
		return EndRefused
	}
	var broken *net.OpError
	switch {
	case errors.Is(cause, errPeerStops):
		return EndLeft
	case errors.Is(cause, errSuperseded):
		return EndReplaced
	case errors.Is(cause, errLeaving), errors.Is(cause, errStopped):
		return EndHere
	case errors.As(cause, &broken), errors.Is(cause, syscall.ECONNRESET), errors.Is(cause, io.ErrClosedPipe):
		return EndClosed
	}
	return EndOther
}

// oneWay is the end of a session whose frames arrive in one direction only, as far as the peer told; nil: it heard this site
// lately. A peer that hears nothing ends the session when it has heard nothing for its keepalive timeout, so what it told last is
// less than that: half of it is more than two KeepAlives that went missing.
func (s *session) oneWay(now time.Time) error {
	s.mu.Lock()
	silence, at := s.silence, s.silenceAt
	s.mu.Unlock()
	if at.IsZero() || silence <= s.peerPatience()/2 {
		return nil
	}
	return endf(EndOneWay, "frames arrive one way only: %s does not hear %s; it had heard nothing for %v, %v ago", s.peer.site, s.x.opts.Site,
		silence.Round(time.Millisecond), now.Sub(at).Round(time.Millisecond))
}

// peerPatience is how long the peer hears nothing before it ends the session.
func (s *session) peerPatience() time.Duration {
	if d := s.hello.KeepaliveTimeout; d > 0 {
		return d
	}
	return s.x.opts.KeepaliveTimeout
}

// endings counts how sessions ended.
type endings struct {
	mu     sync.Mutex
	counts map[Ending]uint64
}

func (e *endings) count(kind Ending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.counts == nil {
		e.counts = make(map[Ending]uint64)
	}
	e.counts[kind]++
}

// Endings returns how often sessions ended, by why, since New.
func (x *Exchange) Endings() map[Ending]uint64 {
	x.endings.mu.Lock()
	defer x.endings.mu.Unlock()
	return maps.Clone(x.endings.counts)
}
