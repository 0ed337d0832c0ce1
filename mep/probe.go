package mep

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// AskProbe asks a site to probe a service now, by its own monitors, instead of at their next interval. The body is the service's
// name; the answer is a ProbeAnswer.
const AskProbe AskKind = 2

// maxProbing is how many services a peer may have probed here at one time.
const maxProbing = 8

// ProbeAnswer is what a site's own monitors see of a service, just probed. It counts as a view of the site.
//
// Layout, big-endian:
//
//	0  1  state, as in a ServiceRecord; UNKNOWN: it does not know, or is in doubt about itself
//	1  1  families that the service does not work for although it is UP: bit 0 IPv4, bit 1 IPv6
//	2     variable-length integer: milliseconds since the state was last confirmed, at most MaxAge
//	   1  length of the reason (0 to MaxReason), then the reason
//	      later versions may append fields, which are ignored
type ProbeAnswer struct {
	State              State
	Without4, Without6 bool
	Age                time.Duration
	Reason             string
}

func (a *ProbeAnswer) append(b []byte) []byte {
	b = binary.AppendUvarint(append(b, uint8(a.State), without(a.Without4, a.Without6)), wireMilliseconds(a.Age))
	return appendText(b, printableText(a.Reason, MaxReason))
}

func decodeProbeAnswer(body []byte) (a ProbeAnswer, err error) {
	c := cursor{what: "answer to a probe", b: body}
	if a.State = State(c.u8()); a.State > StateDraining {
		a.State = StateUnknown
	}
	bits := c.u8()
	a.Without4, a.Without6 = bits&1 != 0, bits&2 != 0
	a.Age = readMilliseconds(&c)
	a.Reason = c.text(MaxReason, "")
	return a, c.err
}

// AskProbe asks a site to probe a service now, and waits for what it sees until ctx ends, at most AskTimeout. Errors are those of
// Ask. Safe for concurrent use.
func (x *Exchange) AskProbe(ctx context.Context, site, service string) (ProbeAnswer, error) {
	body, err := x.Ask(ctx, site, AskProbe, []byte(service))
	if err != nil {
		return ProbeAnswer{}, err
	}
	a, err := decodeProbeAnswer(body)
	if err != nil {
		return ProbeAnswer{}, fmt.Errorf("ask site %q for service %q: %w: %w", site, service, ErrNotAnswered, err)
	}
	return a, nil
}

// handleProbe has a service probed for the peer, beside its other questions: probes take their time. It is called by the reading
// goroutine, so the session has not ended.
func (s *session) handleProbe(number uint64, service string) {
	switch {
	case s.x.opts.Probe == nil:
		s.reply(answer{number: number, status: answerUnknown})
		return
	case !ValidServiceName(service):
		s.reply(answer{number, answerFailed, []byte("that is not a service's name")})
		return
	}
	if s.asks.probing.Add(1) > maxProbing {
		s.asks.probing.Add(-1)
		s.reply(answer{number: number, status: answerBusy})
		return
	}
	s.helpers.Go(func() {
		defer s.asks.probing.Add(-1)
		ctx, cancel := context.WithTimeout(s.asks.ctx, AskTimeout)
		defer cancel()
		a, err := s.x.opts.Probe(ctx, s.peer.site, service)
		if err != nil {
			s.reply(answer{number, answerFailed, []byte(printableText(err.Error(), MaxReason))})
			return
		}
		s.reply(answer{number, answerDone, a.append(nil)})
	})
}
