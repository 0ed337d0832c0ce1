package mep

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

const (
	// MaxConfigMessage is the most bytes in the body of a message about documents.
	MaxConfigMessage = 16 << 20

	// configPart is how much of one is written at once, and configRate how many bytes a second at most, so that what is more
	// urgent does not wait behind it on the way.
	configPart = 32 << 10
	configRate = 8 << 20
	// maxConfigs is how many messages wait for one peer.
	maxConfigs = 4
)

// ErrTooMuchWaits says that a peer takes less than it is told.
var ErrTooMuchWaits = errors.New("too much waits to be sent")

// configMessage is a message about documents that waits to be sent. Config frames carry them, one at a time, cut into parts; all
// but the last of a message have the flag "more".
//
// Layout of the first part of a message, big-endian; the others are its body only:
//
//	0  1  kind
//	1  3  reserved: 0 when sent, ignored when received
//	4  4  bytes in the body, at most MaxConfigMessage
//	8     body
type configMessage struct {
	kind uint8
	body []byte
	at   int // bytes that were written
	sent chan struct{}
}

// configQueue is messages that wait to be written. Guarded by session.mu.
type configQueue struct {
	waiting []*configMessage // at most maxConfigs
	pace    *rate.Limiter    // nil until there was one
}

// SendConfig sends a message about documents to a site, and returns when it was written to the connection, or ctx ends, which does not
// take back what was begun. body must not be written to any more. The error wraps ErrNoSession or ErrTooMuchWaits. Safe for
// concurrent use.
func (x *Exchange) SendConfig(ctx context.Context, site string, kind uint8, body []byte) error {
	if len(body) > MaxConfigMessage {
		return fmt.Errorf("send a message about documents to site %q: %d bytes are above the limit of %d", site, len(body), MaxConfigMessage)
	}
	x.mu.Lock()
	p := x.find(site)
	var s *session
	if p != nil {
		s = p.session
	}
	x.mu.Unlock()
	if s == nil || s.version < 2 {
		return fmt.Errorf("send a message about documents to site %q: %w", site, ErrNoSession)
	}
	m := &configMessage{kind: kind, body: body, sent: make(chan struct{})}
	s.mu.Lock()
	if len(s.configs.waiting) >= maxConfigs {
		s.mu.Unlock()
		return fmt.Errorf("send a message about documents to site %q: %w", site, ErrTooMuchWaits)
	}
	s.configs.waiting = append(s.configs.waiting, m)
	s.mu.Unlock()
	signal(s.wake)
	select {
	case <-m.sent:
		return nil
	case <-s.ending:
		return fmt.Errorf("send a message about documents to site %q: %w: the session ended", site, ErrNoSession)
	case <-ctx.Done():
		return fmt.Errorf("send a message about documents to site %q: %w", site, context.Cause(ctx))
	}
}

// sendConfigPart writes the next part of the message that is first. It returns how long the next one has to wait; below 0: there is none.
func (s *session) sendConfigPart() (time.Duration, error) {
	s.mu.Lock()
	if len(s.configs.waiting) == 0 {
		s.mu.Unlock()
		return -1, nil
	}
	if s.configs.pace == nil {
		s.configs.pace = rate.NewLimiter(configRate, 2*configPart)
	}
	m, pace := s.configs.waiting[0], s.configs.pace
	s.mu.Unlock()
	if wait := pace.Reserve(); wait.Delay() > 0 {
		d := wait.Delay()
		wait.Cancel()
		return d, nil
	}
	part := m.body[m.at:min(m.at+configPart, len(m.body))]
	pace.ReserveN(time.Now(), max(len(part)-1, 0))
	var flags uint8
	if m.at+len(part) < len(m.body) {
		flags = flagMore
	}
	s.put(FrameConfig, flags, func(b []byte) []byte {
		if m.at == 0 {
			b = binary.BigEndian.AppendUint32(append(b, m.kind, 0, 0, 0), uint32(len(m.body)))
		}
		return append(b, part...)
	})
	if err := s.flush(); err != nil {
		return -1, err
	}
	if m.at += len(part); flags == 0 {
		s.mu.Lock()
		s.configs.waiting = s.configs.waiting[1:]
		s.mu.Unlock()
		close(m.sent)
	}
	return 0, nil
}

// configParts puts a peer's messages together. Its memory grows with what arrives, up to MaxConfigMessage.
type configParts struct {
	kind uint8
	size int
	body []byte
	open bool
}

// take adds a part. message is nil until the last one was taken.
func (p *configParts) take(payload []byte, more bool) (message *ConfigMessage, err error) {
	c := cursor{what: "Config", b: payload}
	if !p.open {
		p.kind = c.u8()
		c.take(3)
		if p.size = int(c.u32()); p.size > MaxConfigMessage {
			return nil, refusef(RejectOversize, "decode Config: a message of %d bytes is above the limit of %d", p.size, MaxConfigMessage)
		}
		p.open, p.body = true, nil
	}
	part := c.take(len(payload) - c.at)
	switch {
	case c.err != nil:
		return nil, c.err
	case len(p.body)+len(part) > p.size, !more && len(p.body)+len(part) != p.size:
		c.failf("%d bytes of a message that has %d", len(p.body)+len(part), p.size)
		return nil, c.err
	case more && len(part) == 0:
		c.failf("a part without bytes")
		return nil, c.err
	}
	p.body = append(p.body, part...)
	if more {
		return nil, nil
	}
	message = &ConfigMessage{Kind: p.kind, Body: p.body}
	*p = configParts{}
	return message, nil
}
