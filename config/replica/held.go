package replica

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// Limits of what was heard and is not taken in yet.
const (
	maxHeld      = 20_000
	maxHeldBytes = 64 << 20
	maxTextBytes = 512 << 20
)

// held is a revision that was heard and is not taken in yet.
type held struct {
	revision *revision.Revision
	from     string
	since    time.Time
	lacks    []config.ObjectHash // objects that have to be heard first
	early    bool                // its time is too far ahead
	refused  string              // why it was not taken when it was tried
	broken   string              // why it never will
	told     bool                // that it waits for its time, or was refused
}

// why says for people why a revision is not taken; empty: it will be soon.
func (h *held) why(now time.Time) string {
	switch {
	case h.broken != "":
		return h.broken
	case h.revision.Dot.Seed():
		return "" // it is taken with the first write that has seen it, or not at all
	case h.refused != "":
		return h.refused
	case h.early:
		return fmt.Sprintf("its time is %v ahead of this site's clock; it is taken when it is at most %v", h.revision.Time.Sub(now).Round(time.Second), MaxAhead)
	case now.Sub(h.since) > wantPatience && len(h.lacks) > 0:
		return fmt.Sprintf("%d of its objects were not heard yet", len(h.lacks))
	case now.Sub(h.since) > wantPatience:
		return "a revision that it was based on was not taken yet"
	}
	return ""
}

// partial is an object of which a part was heard.
type partial struct {
	hash config.ObjectHash
	size int
	text []byte
}

// incoming is a whole state that waits for its objects.
type incoming struct {
	state *revision.State
	from  string
	lacks []config.ObjectHash
}

// hashesOf returns the objects that revisions put, each once, in order of first mention.
func hashesOf(list []*revision.Revision) (out []config.ObjectHash) {
	seen := map[config.ObjectHash]bool{{}: true}
	for _, r := range list {
		for _, c := range r.Changes {
			if !seen[c.Hash] {
				seen[c.Hash] = true
				out = append(out, c.Hash)
			}
		}
	}
	return out
}

// ownActor is the error for a number of this store that it has not given.
func ownActor(told, own uint64) error {
	return fmt.Errorf("%w: it names revision %d of this site's store, which has made %d; if the data directory was copied, start one of the copies without it", errMalformed, told, own)
}

func (e *Engine) takeRevisions(p *peer, m *revisions) error {
	fresh := func(r *revision.Revision) bool { return !e.state.Vector().Covers(r.Dot) && e.held[r.Dot] == nil }
	if slices.ContainsFunc(m.list, fresh) {
		p.wanted = time.Time{} // else another question would bring no more
	}
	for _, r := range m.list {
		if own := e.state.Vector()[e.actor]; r.Dot.Actor == e.actor && r.Dot.Seq > own {
			return ownActor(r.Dot.Seq, own)
		}
	}
	for _, text := range m.texts {
		e.keepText(sha256.Sum256(text), text)
	}
	for _, r := range m.list {
		if err := e.hold(r, p.site); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) hold(r *revision.Revision, from string) error {
	if e.state.Vector().Covers(r.Dot) {
		return nil
	}
	if other := e.held[r.Dot]; other != nil {
		if other.revision.ID != r.ID {
			return fmt.Errorf("%w: revision %d of a store of site %q is %.8s, and was told as %.8s", errMalformed, r.Dot.Seq, r.Site, r.ID, other.revision.ID)
		}
		other.from = from
		return nil
	}
	size := len(r.Changes)*64 + 1024
	if len(e.held) >= maxHeld || e.heldBytes+size > maxHeldBytes && len(e.held) > 0 {
		e.stats.dropped.Add(1)
		return nil
	}
	e.heldBytes += size
	e.held[r.Dot] = &held{revision: r, from: from, since: e.opts.Now(), lacks: e.lacking(hashesOf([]*revision.Revision{r}))}
	return nil
}

func (e *Engine) release(h *held) {
	delete(e.held, h.revision.Dot)
	e.heldBytes -= len(h.revision.Changes)*64 + 1024
}

// lacking returns those of some objects that are neither kept nor heard.
func (e *Engine) lacking(hashes []config.ObjectHash) (out []config.ObjectHash) {
	var ask []config.ObjectHash
	for _, h := range hashes {
		if _, heard := e.texts[h]; !heard {
			ask = append(ask, h)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	kept, err := e.opts.Store.Texts(ask)
	if err != nil {
		return ask
	}
	for _, h := range ask {
		if text, ok := kept[h]; ok {
			e.keepText(h, text)
		} else {
			out = append(out, h)
		}
	}
	return out
}

// keepText keeps the text of an object until the revision that names it is taken.
func (e *Engine) keepText(h config.ObjectHash, text []byte) {
	if _, known := e.texts[h]; known {
		return
	}
	if e.textBytes+len(text) > maxTextBytes {
		e.stats.dropped.Add(1)
		return
	}
	e.texts[h] = text
	e.textBytes += len(text)
}

// dropTexts forgets objects that nothing waits for.
func (e *Engine) dropTexts() {
	if len(e.held) == 0 && e.incoming == nil {
		clear(e.texts)
		e.textBytes = 0
	}
}

// takeParts puts objects together. Only what was asked for is taken.
func (e *Engine) takeParts(p *peer, parts []part, more bool) error {
	wanted := e.allLacking()
	if more {
		p.objects = e.opts.Now() // the rest is on its way
	} else if slices.ContainsFunc(parts, func(in part) bool { return wanted[in.hash] }) {
		p.objects = time.Time{} // else another question would bring no more
	}
	for i := range parts {
		in := &parts[i]
		if !wanted[in.hash] {
			continue
		}
		cur := e.partial[p.site]
		if cur == nil || cur.hash != in.hash || in.at == 0 {
			cur = &partial{hash: in.hash, size: in.size}
			e.partial[p.site] = cur
		}
		if in.at != len(cur.text) || in.size != cur.size {
			delete(e.partial, p.site)
			continue
		}
		if cur.text = append(cur.text, in.text...); len(cur.text) < cur.size {
			continue
		}
		delete(e.partial, p.site)
		if sha256.Sum256(cur.text) != cur.hash {
			return fmt.Errorf("%w: an object of %d bytes has not the hash that it was told for", errMalformed, cur.size)
		}
		e.keepText(cur.hash, cur.text)
	}
	e.relack()
	return nil
}

// relack notes which objects were heard.
func (e *Engine) relack() {
	gone := func(h config.ObjectHash) bool { _, heard := e.texts[h]; return heard }
	for _, h := range e.held {
		h.lacks = slices.DeleteFunc(h.lacks, gone)
	}
	if e.incoming != nil {
		e.incoming.lacks = slices.DeleteFunc(e.incoming.lacks, gone)
	}
}

func (e *Engine) allLacking() map[config.ObjectHash]bool {
	out := map[config.ObjectHash]bool{}
	for _, h := range e.held {
		for _, x := range h.lacks {
			out[x] = true
		}
	}
	if e.incoming != nil {
		for _, x := range e.incoming.lacks {
			out[x] = true
		}
	}
	return out
}

// inOrder returns what is held in an order in which all of it could be taken: that of the hybrid clock, which is after all that was seen.
func (e *Engine) inOrder() []*held {
	return slices.SortedFunc(maps.Values(e.held), func(a, b *held) int {
		x, y := a.revision, b.revision
		return cmp.Or(x.Time.Compare(y.Time), strings.Compare(x.Dot.Actor, y.Dot.Actor), cmp.Compare(x.Dot.Seq, y.Dot.Seq))
	})
}

// having is the set of revisions that need not be asked for: taken, or held with all that comes before.
func (e *Engine) having() revision.Vector {
	v := e.state.Vector().Clone()
	for _, h := range e.inOrder() {
		if d := h.revision.Dot; h.broken == "" && v[d.Actor]+1 == d.Seq {
			v[d.Actor] = d.Seq
		}
	}
	return v
}

// wantFrom asks a site for what it has and this one has not.
func (e *Engine) wantFrom(p *peer) {
	now := e.opts.Now()
	if !p.up || p.heads == nil || !e.believes(p) || now.Sub(p.wanted) < wantPatience {
		return
	}
	theirs, ours := p.heads.vector, e.state.Vector()
	if theirs.OnlySeeds() && !ours.OnlySeeds() {
		return
	}
	w := want{what: wantRevisions, have: e.having()}
	switch same := p.heads.revision == e.state.ID() && p.heads.document == e.Current().Document; {
	case e.mode() == ModeReadOnly && e.onlySeedsBeyond(theirs):
		w.what = wantState
	case w.have.Includes(theirs) && theirs.Equal(ours) && !same:
		// As many revisions and another document: one of both has lost something. The whole state heals it.
		w.what = wantState
		p.wanted = now.Add(askAgain)
	case w.have.Includes(theirs):
		return
	}
	if e.send(p, KindWant, w.encode()) && p.wanted.Before(now) {
		p.wanted = now
	}
}

// onlySeedsBeyond reports whether this site has seeds that its parent has not, and else nothing.
func (e *Engine) onlySeedsBeyond(theirs revision.Vector) bool {
	beyond := false
	for actor, seq := range e.state.Vector() {
		if seq > theirs[actor] {
			if !(revision.Dot{Actor: actor, Seq: seq}).Seed() {
				return false
			}
			beyond = true
		}
	}
	return beyond
}

// wantTexts asks for objects that are missing, each from who told of it.
func (e *Engine) wantTexts() {
	now := e.opts.Now()
	by := map[string]map[config.ObjectHash]bool{}
	add := func(from string, lacks []config.ObjectHash) {
		for _, x := range lacks {
			if by[from] == nil {
				by[from] = map[config.ObjectHash]bool{}
			}
			if len(by[from]) < maxHashes {
				by[from][x] = true
			}
		}
	}
	for _, h := range e.held {
		if h.broken == "" {
			add(h.from, h.lacks)
		}
	}
	if e.incoming != nil {
		add(e.incoming.from, e.incoming.lacks)
	}
	for site, wanted := range by {
		p := e.peers[site]
		if p == nil || !p.up || now.Sub(p.objects) < wantPatience {
			continue
		}
		w := want{what: wantObjects, hashes: slices.SortedFunc(maps.Keys(wanted), func(a, b config.ObjectHash) int { return slices.Compare(a[:], b[:]) })}
		if e.send(p, KindWant, w.encode()) {
			p.objects = now
		}
	}
}
