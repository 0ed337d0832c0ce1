package etcdstore

import (
	"context"
	"fmt"

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
	e.serveInstead(s, objects)
	return nil
}

// serveNothing begins without anything to serve in place of the copy, of which nothing can be: what mends the document may come. It reports whether that can be.
func (e *Engine) serveNothing(ctx context.Context, why error) bool {
	objects := e.Current().Objects
	s := replica.ServeNothing(ctx, e.opts.Compiler, e.opts.Site, e.state.ID(), objects, why)
	if s != nil {
		e.serveInstead(s, objects)
	}
	return s != nil
}

// newcomer finds what a node that serves nothing yet begins with when etcd's document does not compile. It is nil when there is nothing.
func (e *Engine) newcomer(ctx context.Context, a *arrival, why error) *replica.Substitute {
	if s := replica.FindSubstitute(ctx, e.opts.Compiler, e.opts.Store, e.opts.Site, a.state.ID(), a.objects, why); s != nil {
		return s
	}
	return replica.ServeNothing(ctx, e.opts.Compiler, e.opts.Site, a.state.ID(), a.objects, why)
}

func (e *Engine) serveInstead(s *replica.Substitute, objects *config.Objects) {
	e.instead, e.candidate = s, s.Candidate
	s.Serve(e.opts.Compiler, e.counting(objects), e.log, e.event)
}

// counting makes a document the one that counts while another one is served in place of it.
func (e *Engine) counting(objects *config.Objects) *revision.View {
	v := e.instead.Mark(e.view(objects))
	e.current.Store(v)
	return v
}
