package etcdstore

import (
	"encoding/json"
	"maps"
	"slices"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/replica"
)

// arrive keeps a copy of an arrival and has it served. Without the copy it is served, too: it is in etcd.
func (e *Engine) arrive(a *arrival) {
	note, err := json.Marshal(known{a.cluster, a.head})
	r := &replica.Record{State: a.state, Whole: a.whole || e.behind, Revisions: a.revisions, Log: a.lines, Notes: map[string][]byte{noteHead: note},
		Keys: slices.SortedFunc(maps.Keys(a.keys), config.ObjectKey.Compare), Objects: slices.Collect(maps.Values(a.fresh)), Settled: e.settled(a.seen)}
	if e.behind {
		r.Revisions, r.Objects = nil, nil
	}
	if r.Whole {
		for o := range a.objects.All { // those with one text and two names, too
			r.Objects = append(r.Objects, o)
		}
	}
	if err == nil {
		err = e.opts.Store.Commit(r)
	}
	e.keptCopy(err)
	e.behind = err != nil
	e.state, e.head, e.version, e.cluster = a.state, a.head, a.key, a.cluster
	e.at = max(a.moment.version, a.key)
	e.taken = e.taken[:0]
	for _, l := range a.lines {
		e.taken = append(e.taken, l.Revision.ID)
	}
	e.mu.Lock()
	e.refused = nil
	e.nowWaits(a.pending)
	e.mu.Unlock()
	switch {
	case a.instead != nil:
		e.serveInstead(a.instead, a.objects)
	case a.candidate == nil:
		e.counting(a.objects)
	default:
		e.adopt(a.candidate, a.objects)
	}
	e.found()
	for _, l := range a.lines {
		name, count := "config.merged", &e.stats.merged
		if l.From == "" {
			name, count = "config.written", &e.stats.written
		}
		count.Add(1)
		e.log.Info(name, zap.String("revision", l.Revision.ID), zap.String("site", l.Revision.Site), zap.String("author", l.Revision.Author),
			zap.String("source", l.Revision.Source), zap.Int("objects", len(l.Revision.Changes)))
		e.event(name, l.Revision, l.Revision.Reason)
	}
}

// keptCopy notes whether the store could keep a copy.
func (e *Engine) keptCopy(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		e.copying = ""
		return
	}
	if e.copying == "" {
		e.log.Error("config.copy.failed", zap.Error(err), zap.String("then", "what etcd has is served; the copy is tried again with the next change"))
	}
	e.copying = err.Error()
}

// settled lists revisions that waited to be confirmed, and do not any more.
func (e *Engine) settled(s *seen) (out []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.pending {
		if !slices.ContainsFunc(s.pending, func(q waiting) bool { return q.Revision == p.Revision }) {
			out = append(out, p.Revision)
		}
	}
	return out
}

// settlePending notes which writes wait to be confirmed while the document is the same.
func (e *Engine) settlePending(s *seen) {
	done := e.settled(s)
	e.mu.Lock()
	e.nowWaits(s.pending)
	e.mu.Unlock()
	if len(done) > 0 && !e.behind { // else the store would have the state without its objects
		e.keptCopy(e.opts.Store.Commit(&replica.Record{State: e.state, Settled: done}))
	}
}
