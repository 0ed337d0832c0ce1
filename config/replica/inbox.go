package replica

import (
	"context"
	"sync"

	"go.uber.org/zap"

	"fairlead/config/revision"
)

// inbox is messages that wait to be read.
type inbox struct {
	mu    sync.Mutex
	list  []message
	bytes int // at most maxInbox
}

type message struct {
	from string
	kind uint8
	body []byte
}

// Hear takes a message of a site. It does not wait; body must not be written to any more. Without room the message is left: who lacks it asks again.
func (e *Engine) Hear(from string, kind uint8, body []byte) {
	e.inbox.mu.Lock()
	if e.inbox.bytes+len(body) > maxInbox && len(e.inbox.list) > 0 {
		e.inbox.mu.Unlock()
		e.stats.dropped.Add(1)
		return
	}
	e.inbox.list = append(e.inbox.list, message{from, kind, body})
	e.inbox.bytes += len(body) + messageCost
	e.inbox.mu.Unlock()
	e.stats.heard.Add(1)
	e.signal()
}

// messageCost is what a message without a body counts in the inbox.
const messageCost = 256

// read takes in all that waits.
func (e *Engine) read(ctx context.Context) {
	e.inbox.mu.Lock()
	list := e.inbox.list
	e.inbox.list, e.inbox.bytes = nil, 0
	e.inbox.mu.Unlock()
	if len(list) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range list {
		p := e.peers[m.from]
		if p == nil || !p.up || e.opts.Role(m.from) == RoleNone {
			continue
		}
		if err := e.take(p, m); err != nil {
			e.lie(p, err)
		}
	}
	e.advance(ctx)
	for _, site := range e.peerNames() {
		e.wantFrom(e.peers[site])
	}
	e.wantTexts()
}

// lie notes a message that no site sends that keeps to the protocol.
func (e *Engine) lie(p *peer, err error) {
	e.stats.lies.Add(1)
	p.lastError = err.Error()
	e.log.Warn("config.peer.refused", zap.String("site", p.site), zap.Error(err))
}

// take takes in one message. An error says what is wrong with it.
func (e *Engine) take(p *peer, m message) error {
	switch m.kind {
	case KindHeads:
		return e.takeHeads(p, m.body)
	case KindWant:
		w, err := decodeWant(m.body)
		if err != nil {
			return err
		}
		e.answer(p, w)
	case KindRevisions:
		r, err := decodeRevisions(m.body)
		if err != nil || !e.believes(p) {
			return err
		}
		return e.takeRevisions(p, r)
	case KindObjects:
		parts, more, err := decodeParts(m.body)
		if err != nil || !e.believes(p) {
			return err
		}
		return e.takeParts(p, parts, more)
	case KindState:
		s, err := revision.DecodeState(m.body)
		if err != nil || !e.believes(p) {
			return err
		}
		return e.takeState(p, s)
	}
	return nil
}

// believes reports whether a site's writes are taken: those of a parent, and in the mesh those of all.
func (e *Engine) believes(p *peer) bool {
	switch e.opts.Role(p.site) {
	case RoleParent:
		return true
	case RoleMesh:
		return e.mode() != ModeReadOnly
	}
	return false
}

func (e *Engine) takeHeads(p *peer, body []byte) error {
	h, err := decodeHeads(body)
	if err != nil {
		return err
	}
	p.heard = e.opts.Now()
	var lied error
	if own := e.state.Vector()[e.actor]; h.vector[e.actor] > own {
		lied = ownActor(h.vector[e.actor], own)
		h.vector[e.actor] = own
	}
	if p.heads == nil || p.heads.mode != h.mode {
		e.log.Info("config.peer", zap.String("site", p.site), zap.Stringer("mode", h.mode), zap.String("revision", h.revision), zap.String("release", h.release))
	}
	e.compareClocks(p, h)
	p.heads = h
	return lied
}

// answer tells a site what it asked for.
func (e *Engine) answer(p *peer, w *want) {
	switch w.what {
	case wantRevisions:
		e.answerRevisions(p, w.have)
	case wantObjects:
		e.answerObjects(p, w)
	case wantState:
		e.answerState(p)
	}
}

func (e *Engine) answerState(p *peer) {
	if encoded, err := e.state.Encode(); err == nil {
		e.send(p, KindState, encoded)
	} else {
		e.log.Error("config.peer.refused", zap.String("site", p.site), zap.Error(err))
	}
}

func (e *Engine) answerRevisions(p *peer, have revision.Vector) {
	list, complete, err := e.opts.Store.Revisions(have, maxMessage)
	if err != nil {
		e.log.Warn("config.unreadable", zap.Error(err))
		return
	}
	if !complete {
		e.answerState(p)
		return
	}
	m := revisions{list: list[:min(len(list), maxRevisions)]}
	with := have.Clone()
	size := 0
	for _, r := range m.list {
		with.Join(revision.Vector{r.Dot.Actor: r.Dot.Seq})
		size += len(r.Changes) * 64
	}
	m.more = !with.Includes(e.state.Vector())
	m.texts = e.textsOf(m.list, maxMessage-size)
	if body, err := m.encode(); err == nil {
		e.send(p, KindRevisions, body)
	}
}

func (e *Engine) answerObjects(p *peer, w *want) {
	texts, err := e.opts.Store.Texts(w.hashes)
	if err != nil {
		e.log.Warn("config.unreadable", zap.Error(err))
		return
	}
	body := []byte{0}
	for _, h := range w.hashes {
		text, kept := texts[h]
		for at := 0; kept && (at < len(text) || len(text) == 0 && at == 0); {
			n := min(len(text)-at, max(maxMessage-len(body), 1))
			body = appendPart(body, &part{h, len(text), at, text[at : at+n]})
			if at += n; n == 0 {
				kept = false
			}
			if len(body) >= maxMessage {
				body[0] = flagMore
				if !e.send(p, KindObjects, body) {
					return
				}
				body = []byte{0}
			}
		}
	}
	e.send(p, KindObjects, body)
}

// textsOf returns objects that revisions put, as long as there is room.
func (e *Engine) textsOf(list []*revision.Revision, room int) (out [][]byte) {
	wanted := hashesOf(list)
	if len(wanted) == 0 || len(wanted) > maxHashes || room <= 0 {
		return nil
	}
	texts, err := e.opts.Store.Texts(wanted)
	if err != nil {
		return nil
	}
	for _, h := range wanted {
		if t, kept := texts[h]; kept && len(t) <= room {
			out = append(out, t)
			room -= len(t)
		}
	}
	return out
}
