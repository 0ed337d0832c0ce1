package etcdstore

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
)

// substitute has something else served than the document that counts, which does not compile. The error says that nothing can be; the document
// counts all the same, and etcd may have one that follows it.
func (e *Engine) substitute(ctx context.Context, objects *config.Objects, why error) error {
	s := replica.FindSubstitute(ctx, e.opts.Compiler, e.opts.Store, e.opts.Site, e.state.ID(), objects, why)
	if s == nil {
		e.current.Store(e.view(objects))
		return fmt.Errorf("compile revision %.8s, the last one that was kept, and no part of it and no revision before it compiles either: %w", e.state.ID(), why)
	}
	e.instead, e.candidate = s, s.Candidate
	v := e.counting(objects)
	served := *v
	if served.Document, served.Objects = s.Objects.ID(), s.Objects; s.Revision != "" {
		served.Revision = s.Revision
	}
	e.opts.Compiler.Adopt(s.Candidate, &served)
	e.log.Error("config.substitute", zap.String("revision", v.Revision), zap.String("served", served.Revision), zap.Int("left_out", len(s.LeftOut)), zap.String("why", s.Text))
	e.event("config.substitute", &revision.Revision{ID: v.Revision}, s.Text)
	return nil
}

// counting makes a document the one that counts while another one is served in place of it.
func (e *Engine) counting(objects *config.Objects) *revision.View {
	v := e.view(objects)
	v.Inert, v.NotServed = e.instead.Candidate.Inert(), e.instead.Text
	e.current.Store(v)
	return v
}
