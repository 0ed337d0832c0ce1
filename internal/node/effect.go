package node

import (
	"context"
	"slices"
	"strings"

	"fairlead/api"
	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/gslb"
	"fairlead/internal/whatif"
)

// Effect says what a document would change of what is answered now; see replica.Compiler. It is nil before anything is served.
func (c compiler) Effect(ctx context.Context, before, after replica.Candidate) (*revision.Effect, error) {
	st := c.state.Load()
	if st == nil || before == nil {
		return nil, nil
	}
	next := after.(*intent)
	view := c.observers.Sketch.View()
	change := whatif.Change{Before: st.Snapshot.GSLB, After: next.plan, Learned: st.Snapshot.Learned,
		Queries: api.SketchQueries(&view), State: func(i gslb.ServiceIndex) gslb.State { return wantedState(&next.document.Services[i]) }}
	effect := change.Effect(ctx)
	effect.LostNames = slices.DeleteFunc(effect.LostNames, func(name string) bool { return awaitsMembers(next.written, name) })
	return effect, nil
}

// awaitsMembers reports whether a name has members that are not in the document: those of groups that follow a DNS name or a site.
func awaitsMembers(doc *config.Document, name string) bool {
	v := virtualServerOf(doc, name)
	return v != nil && slices.ContainsFunc(v.Members, func(m config.Member) bool {
		return m.Group != "" && slices.ContainsFunc(doc.ServiceGroups, func(g config.ServiceGroup) bool {
			return g.Name == m.Group && (g.Autoscale != nil || g.Announced != nil)
		})
	})
}

func virtualServerOf(doc *config.Document, name string) *config.VirtualServer {
	for i := range doc.VirtualServers {
		v := &doc.VirtualServers[i]
		if slices.ContainsFunc(v.Domains, func(d config.Domain) bool {
			return strings.EqualFold(strings.TrimSuffix(d.Name, "."), strings.TrimSuffix(name, "."))
		}) {
			return v
		}
	}
	return nil
}

// wantedState is what a document says of a service before anything else is known of it.
func wantedState(s *config.Service) gslb.State {
	switch s.State {
	case config.ServiceDisabled:
		return gslb.Disabled
	case config.ServiceDraining:
		return gslb.Draining
	}
	return gslb.Up
}
