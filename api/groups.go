package api

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"fairlead/api/resource"
)

const groupsPath = "/v1/status/groups"

// GroupStatus is how the DNS name of an autoscaled service group resolves, or what its site announces for a group.
type GroupStatus struct {
	Group     string
	Name      string       // that is resolved
	Addresses []netip.Addr // that are services; not to be changed
	Draining  []netip.Addr // gone from the answer, and draining
	LeftOut   int          // addresses of the answer above the limit
	Resolved  time.Time    // of the last answer with addresses; zero: there was none
	Failure   string       // of the last question; empty: it was answered
	FailedAt  time.Time    // of the last failure; zero: there was none
	Failures  uint64       // questions that were not answered, or with no address
	Site      string       // that announces the services; empty: Name is resolved
	Label     string       // that they carry
	Members   []string     // that are services, by the second half of their names
	Refused   int          // that cannot be used; Failure says why
}

type groupsOutput struct {
	Link string `header:"Link" doc:"The following page (rel=next, RFC 8288)."`
	Body resource.GroupList
}

func (r *resources) registerGroups(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "list-groups", Method: http.MethodGet, Path: groupsPath, Tags: []string{"status"},
		Summary: "How the names of autoscaled service groups resolve"}, []int{http.StatusUnprocessableEntity}, r.groups)
}

// groups lists by name, so that a page can go on where the last one ended although groups came and went.
func (r *resources) groups(_ context.Context, in *failingInput) (*groupsOutput, error) {
	now := time.Now()
	out := &groupsOutput{Body: resource.GroupList{Groups: []resource.Group{}, At: now.UTC()}}
	for _, g := range r.Groups() {
		if g.Group <= in.after && in.after != "" || in.Failing && g.Failure == "" {
			continue
		}
		if len(out.Body.Groups) == in.Limit {
			out.Body.NextCursor = cursor(out.Body.Groups[in.Limit-1].Name)
			out.Link = in.nextLink(groupsPath, out.Body.NextCursor)
			break
		}
		out.Body.Groups = append(out.Body.Groups, describeGroup(&g, now))
	}
	return out, nil
}

func describeGroup(g *GroupStatus, now time.Time) resource.Group {
	out := resource.Group{
		Name: g.Group, Resolves: g.Name, Addresses: append([]netip.Addr{}, g.Addresses...), Draining: slices.Clone(g.Draining),
		LeftOut: g.LeftOut, AgeSeconds: ageOf(now, g.Resolved), Failure: shownFailure(g.Failure),
		Site: g.Site, Label: g.Label, Members: slices.Clone(g.Members), Refused: g.Refused,
	}
	if g.Failure != "" {
		out.FailureAgeSeconds = ageOf(now, g.FailedAt)
	}
	return out
}

// groupMetrics are the service groups: what they consist of, and how the names of autoscaled ones resolve.
func (r *resources) groupMetrics() prometheus.Collector {
	g := &group{}
	members := g.gauge("fairlead_group_members", "Services that a service group consists of now, those that are draining included.", "group")
	left := g.gauge("fairlead_group_left_out", "Services of a group that changes by itself that are above its limit, or cannot be used.", "group")
	failures := g.counter("fairlead_group_resolve_failures_total", "Questions for the name of an autoscaled group that were not answered, or with no address.", "group")
	g.collect = func(out chan<- prometheus.Metric) {
		counts := map[string]int{}
		for _, s := range r.Groups() {
			counts[s.Group] = 0 // one without services is shown, too
			left.send(out, float64(s.LeftOut+s.Refused), s.Group)
			if s.Site == "" {
				failures.send(out, float64(s.Failures), s.Group)
			}
		}
		if st := r.State(); st != nil && st.Document != nil {
			for i := range st.Document.Services {
				if name := st.Document.Services[i].Group; name != "" {
					counts[name]++
				}
			}
		}
		for name, n := range counts {
			members.send(out, float64(n), name)
		}
	}
	return g
}
