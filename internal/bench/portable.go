package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Limits of one wait of the portable engine: it must see time-outs and the end, and a wait of nothing reads nothing.
const (
	shortestRead = 50 * time.Microsecond
	longestRead  = 20 * time.Millisecond
)

// portableLane is one connection of package net.
type portableLane struct {
	conn       net.Conn
	frames     frames
	out        []byte
	reconnects int
}

// runPortable runs a worker with one lane on package net.
func runPortable(ctx context.Context, w *worker) error {
	l := w.lanes[0]
	p := &portableLane{frames: newFrames()}
	if err := p.dial(ctx, w.o); err != nil {
		return err
	}
	defer func() { _ = p.conn.Close() }()
	for {
		now := w.now()
		sending := w.sending(now)
		w.sweep(now)
		if !sending && l.out() == 0 {
			w.tally.publish()
			return nil
		}
		if sending {
			if err := p.send(w, l, w.allowance(l, now), now); err != nil {
				w.tally.sendErrors++
				if err := p.again(ctx, w, l); err != nil {
					return err
				}
				continue
			}
		}
		err := p.receive(w, l, sending)
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || w.o.Transport == UDP {
			continue // UDP: a refused query times out
		}
		w.lose(l, 1<<63-1)
		if !sending {
			continue
		}
		if err := p.again(ctx, w, l); err != nil {
			return err
		}
	}
}

func (p *portableLane) dial(ctx context.Context, o *Options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if o.Transport == TLS {
		d := tls.Dialer{Config: o.tlsConfig()}
		p.conn, err = d.DialContext(ctx, "tcp", o.Target.String())
	} else {
		var d net.Dialer
		p.conn, err = d.DialContext(ctx, string(o.Transport), o.Target.String())
	}
	if err != nil {
		return fmt.Errorf("connect to %s over %s: %w", o.Target, o.Transport, err)
	}
	return nil
}

// again opens a connection that failed once more.
func (p *portableLane) again(ctx context.Context, w *worker, l *lane) error {
	if w.o.Transport == UDP {
		return nil
	}
	_ = p.conn.Close()
	w.lose(l, 1<<63-1)
	p.frames.reset()
	if p.reconnects++; p.reconnects > maxReconnects {
		return fmt.Errorf("%s over %s: the connection was lost %d times", w.o.Target, w.o.Transport, maxReconnects)
	}
	w.tally.reconnects++
	return p.dial(ctx, w.o)
}

// send sends n queries. On a datagram socket an error concerns one datagram, or an earlier one.
func (p *portableLane) send(w *worker, l *lane, n int, now time.Duration) error {
	if n == 0 {
		return nil
	}
	if w.o.Transport != UDP {
		p.out = appendFrames(p.out[:0], w, l, n, now)
		_, err := p.conn.Write(p.out)
		return err
	}
	var buf [maxMessage]byte
	for range n {
		length := w.compose(l, buf[:], now)
		if _, err := p.conn.Write(buf[:length]); err != nil {
			w.revoke(l, [][]byte{buf[:length]})
			return err
		}
	}
	return nil
}

// receive waits for answers, at most until the next query is due.
func (p *portableLane) receive(w *worker, l *lane, sending bool) error {
	wait := longestRead
	if sending && w.gap > 0 && len(l.free) > 0 {
		wait = min(wait, max(w.nextDue()-w.now(), shortestRead))
	}
	if err := p.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	n, err := p.conn.Read(p.frames.room())
	if err != nil {
		return err
	}
	now := w.now()
	if w.o.Transport == UDP {
		w.accept(l, p.frames.room()[:n], now)
		return nil
	}
	p.frames.each(n, func(message []byte) { w.accept(l, message, now) })
	return nil
}

// tlsConfig is what was asked for, else a configuration that accepts any certificate: a benchmark tells nobody secrets.
func (o *Options) tlsConfig() *tls.Config {
	if o.TLS != nil {
		return o.TLS
	}
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"dot"}, MinVersion: tls.VersionTLS12}
}
