package etcdstore

import (
	"strings"

	"fairlead/config"
	"fairlead/config/revision"
)

// Current returns the document that counts. It does not wait.
func (e *Engine) Current() *revision.View { return e.current.Load() }

// History lists what came into effect here; see revision.Documents.
func (e *Engine) History(before string, limit int) ([]revision.Entry, error) {
	return e.opts.Store.History(before, limit)
}

// Find returns one line of the history; see revision.Documents.
func (e *Engine) Find(id string) (*revision.Entry, error) { return e.opts.Store.Find(id) }

// At returns the document as it was here; see revision.Documents.
func (e *Engine) At(id string) (*config.Objects, error) { return e.opts.Store.At(id) }

// Conflicts returns none: of two writes at once, one is refused.
func (e *Engine) Conflicts() []revision.Conflict { return nil }

// Sync says how documents are shared.
func (e *Engine) Sync() *revision.Sync {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &revision.Sync{Mode: "etcd", Follows: strings.Join(e.opts.Access.Endpoints, ", "), Inert: e.Current().Inert, Unavailable: e.unavailable, Damaged: e.damaged}
	if e.copying != "" && s.Damaged == "" {
		s.Damaged = "this node's copy is not up to date, and etcd is needed at its next start: " + e.copying
	}
	if e.refused != nil {
		s.Quarantine = []revision.Quarantined{*e.refused}
	}
	return s
}
