package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"fairlead/config"
	"fairlead/monitors/direct"
	"fairlead/monitors/reason"
)

// begun is a probe that the loop runs: one that needs a connection over TCP, a request that is prepared, and what comes back. It asks and
// judges as ask does, of what came so far, again when more came.
type begun struct {
	exchange
	wire  direct.Exchange
	asked []byte // room for the request
	err   error
	done  func(r Result, cancelled bool)
}

// Run runs the loop that Begin needs, until ctx ends; then the probes that it runs are cancelled. It returns at once when connections are
// opened in a way that is not for it.
func (p *Prober) Run(ctx context.Context) error {
	if p.loop == nil {
		return nil
	}
	return p.loop.Run(ctx)
}

// Begin begins one probe of t, as Probe would run it, and returns at once: done is called with the result, on another goroutine which it must
// not hold up, unless the probe is cancelled since ctx has ended or Run has. It reports whether it began: false means that this
// is one for Probe.
func (p *Prober) Begin(ctx context.Context, t Target, done func(r Result, cancelled bool)) bool {
	prepared := t.Prepared
	if p.loop == nil || prepared == nil || prepared.of != t.Monitor || !prepared.loops() {
		return false
	}
	to := t.Endpoint(prepared.port())
	if to.Port() == 0 || p.opts.Allowed("tcp", to) != nil {
		return false // Probe has the words for it
	}
	b, _ := p.begun.Get().(*begun)
	if b == nil {
		b = new(begun)
	}
	*b = begun{exchange: exchange{Prober: p}, asked: b.asked, done: done}
	b.fill(ctx, t, prepared)
	b.wire = direct.Exchange{Context: ctx, To: to, Within: b.timeout, Request: b.question(to), Party: b}
	return p.loop.Start(&b.wire)
}

// tell tells what came of it. Afterwards b may be another probe.
func (b *begun) tell(r Result, cancelled bool) {
	done := b.done
	if b.wire.Reusable() {
		b.Prober.begun.Put(b)
	}
	done(r, cancelled)
}

// Together calls start, and has what Begin begins meanwhile begin when it returns, all at once, which costs less.
func (p *Prober) Together(start func()) {
	if p.loop == nil {
		start()
		return
	}
	p.loop.Together(start)
}

// loops reports whether the loop can run such probes.
func (p *Prepared) loops() bool {
	return p.bare && p.err == nil && (p.monitor.Type != config.MonitorHTTP || p.http.before != nil && p.monitor.HTTP.Version != config.HTTPAuto)
}

// port is the standard one.
func (p *Prepared) port() uint16 {
	if p.monitor.Type == config.MonitorHTTP {
		return portHTTP
	}
	return 0
}

// question is what is sent.
func (b *begun) question(to netip.AddrPort) []byte {
	header := b.proxyHeader()
	if b.monitor.Type == config.MonitorHTTP {
		if b.asked == nil {
			b.asked = make([]byte, 0, roomForRequest)
		}
		b.asked = b.prepared.http.appendTo(append(b.asked[:0], header...), to, portHTTP)
		return b.asked
	}
	if header == "" {
		return b.prepared.dialogue.send
	}
	return append([]byte(header), b.prepared.dialogue.send...)
}

// Sent is part of direct.Party.
func (b *begun) Sent() (listens bool) {
	b.begins()
	failed := b.wire.SendErr
	if failed != nil && b.wire.Written < len(b.proxyHeader()) {
		b.err = reason.During(reason.Connect, failed)
		return false
	}
	if b.monitor.Type == config.MonitorHTTP {
		return true // it may have answered and closed before it has read the request
	}
	d := b.prepared.dialogue
	switch {
	case len(d.send) == 0 && !d.expects():
		b.connected()
		return false
	case failed != nil:
		b.err = reason.During(reason.Answer, failed)
		return false
	}
	return true
}

// begins has times count from when the probe began: it may have waited for others since.
func (b *begun) begins() {
	if !b.wire.Began.IsZero() {
		b.started, b.deadline = b.wire.Began, b.wire.Deadline
	}
}

// Hear is part of direct.Party.
func (b *begun) Hear(came []byte, ended error) direct.Want {
	if b.prepared.http.headOnly && b.monitor.Type == config.MonitorHTTP {
		if status, ok := plainHead(came); ok { // most are
			b.answered()
			b.err = b.judgeResponse(b.bounded(nil), status, http.NoBody)
			return direct.Enough
		}
	}
	said := soFar{rest: came, ended: ended}
	err := b.judgeFrom(&said)
	if said.wanting {
		b.close()
		b.closes, b.reason, b.drain = b.room[:0], "", false
		return direct.More
	}
	b.err = err
	return direct.Enough
}

// judgeFrom reads and judges the answer.
func (b *begun) judgeFrom(conn io.Reader) error {
	if b.monitor.Type == config.MonitorHTTP {
		return b.hearHTTP(conn, b.wire.SendErr)
	}
	return b.listen(conn, b.prepared.dialogue)
}

// Take is part of direct.Party: an answer that is long, or comes in many parts, is read by a goroutine.
func (b *begun) Take(conn net.Conn, came []byte) {
	go func() {
		stop := context.AfterFunc(b.ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
		b.closing(func() { stop(); conn.Close() })
		b.err = b.judgeFrom(&soFar{rest: came, then: conn})
		b.Done(nil)
	}()
}

// Done is part of direct.Party.
func (b *begun) Done(err error) {
	if err != nil {
		b.begins()
		b.err = reason.During(reason.Connect, err)
	}
	b.close()
	r := b.result(b.ctx, b.err)
	b.tell(r, b.ctx.Err() != nil)
}

// Drop is part of direct.Party.
func (b *begun) Drop() {
	b.close()
	b.tell(Result{Reason: cancelled, At: time.Now()}, true)
}

// soFar is a connection of which a part came already.
type soFar struct {
	rest    []byte
	then    io.Reader // says what follows; nil: that is not known
	ended   error     // what follows; nil: that is not known
	wanting bool      // more than came was read
}

// errWanting is the error of what has not come yet. It is shown to nobody.
var errWanting = errors.New("more is to come")

func (s *soFar) Read(p []byte) (int, error) {
	switch {
	case len(s.rest) > 0:
		n := copy(p, s.rest)
		s.rest = s.rest[n:]
		return n, nil
	case s.then != nil:
		return s.then.Read(p)
	case s.ended != nil:
		return 0, s.ended
	}
	s.wanting = true
	return 0, errWanting
}
