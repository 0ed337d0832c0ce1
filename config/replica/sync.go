package replica

import (
	"cmp"
	"slices"

	"fairlead/config"
	"fairlead/config/revision"
)

// maxListed bounds lists that people are shown.
const maxListed = 1000

// Conflicts lists objects that were changed at several sites at once, at most 1000, ordered by key.
func (e *Engine) Conflicts() []revision.Conflict {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []revision.Conflict
	for _, k := range e.state.Conflicts() {
		if len(out) == maxListed {
			break
		}
		all := e.state.Registers(k)
		c := revision.Conflict{Key: k, Winner: e.side(k, all[0])}
		for _, r := range all[1:] {
			c.Losers = append(c.Losers, e.side(k, r))
		}
		out = append(out, c)
	}
	return out
}

func (e *Engine) side(k config.ObjectKey, r revision.Register) revision.Side {
	s := revision.Side{Revision: r.Origin.ID, Site: r.Origin.Site, Author: r.Origin.Author, Reason: r.Origin.Reason, Time: r.Origin.Time}
	if r.Hash != (config.ObjectHash{}) {
		s.Object, _ = e.stored(k, r.Hash)
	}
	return s
}

// Sync says how documents are shared.
func (e *Engine) Sync() *revision.Sync {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &revision.Sync{Mode: e.mode().String(), Follows: e.opts.Follows, Inert: e.Current().Inert, Unavailable: e.unavailable, Damaged: e.damaged,
		Conflicts: len(e.state.Conflicts())}
	files := e.otherFiles()
	for _, site := range e.peerNames() {
		p := e.peers[site]
		ps := revision.PeerSync{Site: site, Connected: p.up, Heard: p.heard, LastError: p.lastError}
		if h := p.heads; h != nil {
			ps.Revision, ps.Document, ps.Mode, ps.Version = h.revision, h.document, h.mode.String(), h.release
			ps.Ahead, ps.Behind = h.vector.Lacks(e.state.Vector()), e.state.Vector().Lacks(h.vector)
			if says := h.clockSays(); says != "" && ps.LastError != "" {
				ps.LastError += "; " + says
			} else if says != "" {
				ps.LastError = says
			}
			if files != "" && h.mode == ModeFollow {
				ps.LastError = files
			}
		}
		s.Peers = append(s.Peers, ps)
	}
	now := e.opts.Now()
	for _, h := range e.held {
		if why := h.why(now); why != "" {
			s.Quarantine = append(s.Quarantine, revision.Quarantined{Revision: h.revision, From: h.from, Why: why, Since: h.since})
		}
	}
	slices.SortFunc(s.Quarantine, func(a, b revision.Quarantined) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Revision.ID, b.Revision.ID))
	})
	s.Quarantine = s.Quarantine[:min(len(s.Quarantine), maxListed)]
	return s
}
