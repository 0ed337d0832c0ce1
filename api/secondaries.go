package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/adns/transfer"
	"fairlead/api/resource"
)

const secondariesPath = "/v1/status/secondaries"

type secondariesOutput struct {
	Link string `header:"Link" doc:"The following page (rel=next, RFC 8288)."`
	Body resource.SecondaryList
}

func (r *resources) registerSecondaries(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "list-secondaries", Method: http.MethodGet, Path: secondariesPath, Tags: []string{"status"},
		Summary: "How zones from primaries are"}, []int{http.StatusUnprocessableEntity}, r.secondaries)
}

// secondaries lists by name, so that a page can go on where the last one ended although zones came and went.
func (r *resources) secondaries(_ context.Context, in *failingInput) (*secondariesOutput, error) {
	all := r.Secondaries()
	out := &secondariesOutput{Body: resource.SecondaryList{Secondaries: []resource.Secondary{}, Counts: countSecondaries(all), At: time.Now().UTC()}}
	first, found := slices.BinarySearchFunc(all, in.after, func(s transfer.SecondaryStatus, after string) int { return strings.Compare(s.Zone, after) })
	if found {
		first++
	}
	for i := first; i < len(all); i++ {
		if in.Failing && all[i].Failure == "" {
			continue
		}
		if len(out.Body.Secondaries) == in.Limit {
			out.Body.NextCursor = cursor(out.Body.Secondaries[in.Limit-1].Zone)
			out.Link = in.nextLink(secondariesPath, out.Body.NextCursor)
			break
		}
		out.Body.Secondaries = append(out.Body.Secondaries, describeSecondary(&all[i]))
	}
	return out, nil
}

func countSecondaries(all []transfer.SecondaryStatus) (c resource.SecondaryCounts) {
	for i := range all {
		if all[i].Served {
			c.Served++
		} else {
			c.Unserved++
		}
		if all[i].Failure != "" {
			c.Failing++
		}
	}
	return c
}

func describeSecondary(s *transfer.SecondaryStatus) resource.Secondary {
	out := resource.Secondary{Zone: s.Zone, Served: s.Served, Failure: shownFailure(s.Failure)}
	if !s.Confirmed.IsZero() {
		at := s.Confirmed.UTC()
		out.Confirmed = &at
	}
	if s.Served || out.Confirmed != nil {
		serial := s.Serial
		out.Serial = &serial
	}
	return out
}
