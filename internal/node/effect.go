package node

import (
	"context"
	"slices"
	"strings"
	"sync"

	"fairlead/api"
	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/gslb"
	"fairlead/internal/whatif"
)

// Effect says what a document would change of what is answered now, or at a start of what the kept one answers; see replica.Compiler.
func (c compiler) Effect(ctx context.Context, before, after replica.Candidate) (*revision.Effect, error) {
	if before == nil {
		return nil, nil
	}
	now, next := before.(*intent), after.(*intent)
	awaited := sync.OnceValue(func() map[string]bool { return awaitingNames(next.written) })
	change := whatif.Change{After: next.plan, State: func(i gslb.ServiceIndex) gslb.State { return wantedState(&next.document.Services[i]) },
		Awaits: func(name string) bool { return awaited()[nameKey(name)] }}
	if st := c.state.Load(); st != nil {
		view := c.observers.Sketch.View()
		change.Before, change.Learned, change.Queries = st.Snapshot.GSLB, st.Snapshot.Learned, api.SketchQueries(&view)
		change.Was = func(i gslb.ServiceIndex) gslb.State { return wantedState(&st.Document.Services[i]) }
	} else { // a start: what is kept would answer if all were well
		change.Before, change.Learned = soundSnapshot(now), gslb.NewLearned(now.plan)
	}
	return change.Effect(ctx), nil
}

// soundSnapshot is what a document answers while all services are as it says.
func soundSnapshot(in *intent) *gslb.Snapshot {
	status := &gslb.Status{At: in.since, Services: make([]gslb.ServiceStatus, in.plan.Services())}
	for i := range status.Services {
		status.Services[i] = gslb.ServiceStatus{State: wantedState(&in.document.Services[i]), Since: in.since}
	}
	return gslb.NewSnapshot(1, in.plan, status, nil)
}

// awaitingNames are names with members that are not in the document: those of groups that follow a DNS name or a site.
func awaitingNames(doc *config.Document) map[string]bool {
	follow := map[string]bool{}
	for i := range doc.ServiceGroups {
		if g := &doc.ServiceGroups[i]; g.Autoscale != nil || g.Announced != nil {
			follow[g.Name] = true
		}
	}
	out := map[string]bool{}
	for i := range doc.VirtualServers {
		v := &doc.VirtualServers[i]
		if slices.ContainsFunc(v.Members, func(m config.Member) bool { return follow[m.Group] }) {
			for _, d := range v.Domains {
				out[nameKey(d.Name)] = true
			}
		}
	}
	return out
}

// nameKey is a name as it is compared.
func nameKey(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

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
