package replica

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/mep"
)

// Limits of what is sent to one site.
const (
	maxQueue      = 64
	maxQueueBytes = 32 << 20
	// MaxPeers is how many sites are remembered.
	MaxPeers = 4096

	// wantPatience is how long an answer is waited for before another question.
	wantPatience = 10 * time.Second
	// sendTries is how often a message is sent that finds no room, with waits that double from sendWait.
	sendTries = 6
	sendWait  = 100 * time.Millisecond
)

// outgoing is a message that waits to be sent.
type outgoing struct {
	kind uint8
	body []byte
}

// peer is another site. Guarded by Engine.mu.
type peer struct {
	site    string
	up      bool
	sending bool          // a sender runs
	done    chan struct{} // closed when the session is down
	wake    chan struct{} // capacity 1
	queue   []outgoing
	bytes   int

	heads     *heads // as told last
	heard     time.Time
	lastError string
	wanted    time.Time // of the last question for revisions or the state that has no answer yet
	objects   time.Time // likewise for objects
}

// PeerUp says that there is a session with a site, or another one.
func (e *Engine) PeerUp(site string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.opts.Send == nil {
		return
	}
	p := e.peers[site]
	if p == nil {
		if len(e.peers) >= MaxPeers {
			return
		}
		p = &peer{site: site}
		e.peers[site] = p
	}
	if !p.up {
		p.up, p.sending, p.done, p.wake = true, false, make(chan struct{}), make(chan struct{}, 1)
	}
	p.queue, p.bytes, p.wanted, p.objects = nil, 0, time.Time{}, time.Time{}
	delete(e.partial, site)
	e.tellHeads(p)
	e.signal()
}

// PeerDown says that the session with a site is lost.
func (e *Engine) PeerDown(site string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.peers[site]
	if p == nil || !p.up {
		return
	}
	p.up, p.queue, p.bytes = false, nil, 0
	close(p.done)
	delete(e.partial, site)
	if e.incoming != nil && e.incoming.from == site {
		e.incoming = nil
	}
}

func (e *Engine) peerNames() []string { return slices.Sorted(maps.Keys(e.peers)) }

// startSenders begins to send to sites that have come.
func (e *Engine) startSenders(ctx context.Context, senders *sync.WaitGroup) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.peers {
		if p.up && !p.sending {
			p.sending = true
			done, wake := p.done, p.wake
			senders.Go(func() { e.sendAll(ctx, p, done, wake) })
		}
	}
}

// sendAll sends what waits for a site until the session is down.
func (e *Engine) sendAll(ctx context.Context, p *peer, done, wake chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return
		case <-done:
			return
		case <-wake:
		}
		for {
			e.mu.Lock()
			if len(p.queue) == 0 || p.done != done {
				e.mu.Unlock()
				break
			}
			m := p.queue[0]
			p.queue = slices.Delete(p.queue, 0, 1)
			p.bytes -= len(m.body)
			e.mu.Unlock()
			e.sendOne(ctx, p, done, m)
		}
	}
}

// sendOne sends a message, again and again while there is no room for it. What is lost is asked for again by who lacks it.
func (e *Engine) sendOne(ctx context.Context, p *peer, done chan struct{}, m outgoing) {
	wait := sendWait
	for try := 1; ; try++ {
		err := e.opts.Send(ctx, p.site, m.kind, m.body)
		if err == nil {
			e.stats.sent.Add(1)
			return
		}
		e.mu.Lock()
		p.lastError = err.Error()
		e.mu.Unlock()
		if !errors.Is(err, mep.ErrTooMuchWaits) || try == sendTries {
			e.stats.dropped.Add(1)
			return
		}
		timer := time.NewTimer(e.jittered(wait))
		select {
		case <-timer.C:
		case <-done:
			timer.Stop()
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
		wait *= 2
	}
}

// send queues a message. It reports whether there was room.
func (e *Engine) send(p *peer, kind uint8, body []byte) bool {
	if !p.up || e.opts.Role(p.site) == RoleNone { // a document may change what it is, while the session goes on
		return false
	}
	if kind == KindHeads {
		// Older ones that still wait say nothing any more.
		p.queue = slices.DeleteFunc(p.queue, func(m outgoing) bool {
			if m.kind == KindHeads {
				p.bytes -= len(m.body)
			}
			return m.kind == KindHeads
		})
	}
	if len(p.queue) >= maxQueue || p.bytes+len(body) > maxQueueBytes && len(p.queue) > 0 {
		e.stats.dropped.Add(1)
		return false
	}
	p.queue = append(p.queue, outgoing{kind, body})
	p.bytes += len(body)
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return true
}

func (e *Engine) tellHeads(p *peer) {
	v := e.Current()
	h := heads{mode: e.mode(), clock: e.opts.Now(), revision: e.state.ID(), document: v.Document, release: e.opts.Release, vector: e.state.Vector()}
	if len(h.release) > maxRelease {
		h.release = h.release[:maxRelease]
	}
	e.send(p, KindHeads, h.encode())
}

func (e *Engine) tellAllHeads() {
	for _, p := range e.peers {
		e.tellHeads(p)
	}
}

// push tells all sites of a revision that was written here, with its objects if they are not too long, so that nobody has to ask.
func (e *Engine) push(r *revision.Revision, objects []*config.Object) {
	m := revisions{list: []*revision.Revision{r}}
	size := len(r.Changes) * 64
	for _, o := range objects {
		if size += len(o.Text()); size > maxMessage {
			m.texts = nil
			break
		}
		m.texts = append(m.texts, o.Text())
	}
	if size <= maxMessage {
		if body, err := m.encode(); err == nil {
			for _, p := range e.peers {
				e.send(p, KindRevisions, body)
			}
		}
	}
	e.tellAllHeads()
}

// askAll tells all sites anew what there is, and tries again what did not work.
func (e *Engine) askAll(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.held {
		h.refused = ""
	}
	e.advance(ctx)
	e.tellAllHeads()
	for _, site := range e.peerNames() {
		p := e.peers[site]
		e.wantFrom(p)
	}
	e.wantTexts()
}

// keepTime does what is due.
func (e *Engine) keepTime(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watchStore()
	e.undoPending(ctx)
	if e.ripe() {
		e.advance(ctx)
	}
}

// prune forgets removed objects that all sites know to be removed.
func (e *Engine) prune() {
	e.mu.Lock()
	defer e.mu.Unlock()
	known := e.state.Vector().Clone()
	members := e.peerNames()
	if e.opts.Members != nil {
		members = e.opts.Members()
	}
	for _, site := range members {
		p := e.peers[site]
		if p == nil || p.heads == nil {
			return
		}
		for actor, seq := range known {
			known[actor] = min(seq, p.heads.vector[actor])
		}
	}
	t := e.begin()
	gone := t.state.Prune(known, t.now)
	if len(gone) == 0 {
		return
	}
	for _, k := range gone {
		t.keys[k] = true
	}
	if e.store(t) == nil {
		e.log.Info("config.pruned", zap.Int("objects", len(gone)))
	}
}
