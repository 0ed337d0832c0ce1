package faultproxy

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is one connection through the proxy.
type link struct {
	p              *Proxy
	number         uint64
	client, target net.Conn // target is nil in a black hole
	halfOpen       atomic.Bool
	over           chan struct{}
	once           sync.Once
}

// chunk is bytes on their way; the last one has none.
type chunk struct {
	bytes []byte
	due   time.Time
}

// run passes both directions on until both have ended, or ctx has.
func (l *link) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, l.end)
	defer stop()
	if l.target == nil {
		<-l.over
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(ToTarget, l.client, l.target) })
	pumps.Go(func() { l.pump(FromTarget, l.target, l.client) })
	pumps.Wait()
	if l.halfOpen.Load() {
		<-l.over // the end that was not told keeps its connection
	}
}

// end ends the link at both ends.
func (l *link) end() {
	l.once.Do(func() { close(l.over) })
	_ = l.client.Close()
	if l.target != nil {
		_ = l.target.Close()
	}
}

// reset ends the connection at either end, so that what is there sees a reset.
func (l *link) reset(client, target bool) {
	if client {
		linger(l.client)
		_ = l.client.Close()
	}
	if target && l.target != nil {
		linger(l.target)
		_ = l.target.Close()
	}
	if client && target {
		l.once.Do(func() { close(l.over) })
	}
}

// pump passes one direction on.
func (l *link) pump(d Direction, from, to net.Conn) {
	queue := make(chan chunk, maxQueued)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(queue)
		l.read(d, from, queue)
	})
	if whole := l.write(d, to, queue); !whole && !l.halfOpen.Load() {
		_ = from.Close() // nobody is there to read for
	}
	for range queue {
		// so that the reader can end
	}
	reader.Wait()
}

// read takes chunks in, and says when each is due.
func (l *link) read(d Direction, from net.Conn, queue chan<- chunk) {
	chance := rand.New(rand.NewPCG(l.p.opts.Seed, l.number<<1|uint64(d)))
	var last time.Time
	for {
		if !l.thawed(d) {
			return
		}
		b := make([]byte, chunkSize)
		n, err := from.Read(b)
		f, _ := l.p.fault(d)
		if n > 0 && (f.Swallow || l.halfOpen.Load()) {
			l.p.swallowed[d].Add(uint64(n))
			n = 0
		}
		if n > 0 {
			due := time.Now().Add(f.Delay)
			if f.Jitter > 0 {
				due = due.Add(time.Duration(chance.Int64N(2*int64(f.Jitter)+1)) - f.Jitter)
			}
			if due.Before(last) {
				due = last // order is kept
			}
			last = due
			l.spoil(d, b[:n], f.Corrupt, chance)
			select {
			case queue <- chunk{b[:n], due}:
			case <-l.over:
				return
			}
		}
		if err != nil {
			if f.Swallow { // the other end does not hear of it
				l.halfOpen.Store(true)
			}
			return
		}
	}
}

// spoil changes bytes with a probability each.
func (l *link) spoil(d Direction, b []byte, probability float64, chance *rand.Rand) {
	if probability <= 0 {
		return
	}
	for i := range b {
		if chance.Float64() < probability {
			b[i] ^= byte(1 + chance.IntN(255))
			l.p.corrupted[d].Add(1)
		}
	}
}

// write lets chunks out when they are due, and no faster than the rate. It reports whether all came out.
func (l *link) write(d Direction, to net.Conn, queue <-chan chunk) bool {
	for c := range queue {
		if !l.wait(time.Until(c.due)) || !l.thawed(d) {
			return false
		}
		f, _ := l.p.fault(d)
		for len(c.bytes) > 0 {
			n := len(c.bytes)
			if f.Rate > 0 {
				n = min(n, max(1, f.Rate/100)) // a hundredth of a second's worth at a time
				if !l.wait(time.Duration(n) * time.Second / time.Duration(f.Rate)) {
					return false
				}
			}
			if _, err := to.Write(c.bytes[:n]); err != nil {
				return false
			}
			l.p.bytes[d].Add(uint64(n))
			c.bytes = c.bytes[n:]
		}
	}
	if tcp, ok := to.(*net.TCPConn); ok && !l.halfOpen.Load() {
		_ = tcp.CloseWrite()
	}
	return true
}

// thawed waits while the direction is frozen. It reports whether the link goes on.
func (l *link) thawed(d Direction) bool {
	for {
		f, changed := l.p.fault(d)
		if !f.Freeze {
			return true
		}
		select {
		case <-changed:
		case <-l.over:
			return false
		}
	}
}

// wait waits, and reports whether the link goes on.
func (l *link) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.over:
		return false
	}
}
