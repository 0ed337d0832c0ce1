package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/adns/transfer"
	"fairlead/api/resource"
)

const (
	secondariesPath = "/v1/status/secondaries"
	// maxFailure is the most octets of a failure that are shown: it tells of each primary, in words that may be theirs.
	maxFailure = 1024
)

type secondariesInput struct {
	Failing bool `query:"failing" doc:"Only zones whose last refresh failed."`
	// The cursor is opaque to clients. A name of 255 octets has up to 1004 characters when all of them are escaped.
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Most entries on a page."`
	Cursor string `query:"cursor" maxLength:"1400" doc:"next_cursor of the page before."`

	after string // name that the page before ended with; set by Resolve
}

// Resolve refuses what is not a parameter here, and what is not a cursor.
func (in *secondariesInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	var err error
	if in.after, err = readCursor(in.Cursor); err != nil {
		faults = append(faults, err)
	}
	return faults
}

type secondariesOutput struct {
	Link string `header:"Link" doc:"The following page (rel=next, RFC 8288)."`
	Body resource.SecondaryList
}

func (r *resources) registerSecondaries(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "list-secondaries", Method: http.MethodGet, Path: secondariesPath, Tags: []string{"status"},
		Summary: "How zones from primaries are"}, []int{http.StatusUnprocessableEntity}, r.secondaries)
}

// secondaries lists by name, so that a page can go on where the last one ended although zones came and went.
func (r *resources) secondaries(_ context.Context, in *secondariesInput) (*secondariesOutput, error) {
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
			out.Link = in.nextLink(out.Body.NextCursor)
			break
		}
		out.Body.Secondaries = append(out.Body.Secondaries, describeSecondary(&all[i]))
	}
	return out, nil
}

// nextLink is the Link header (RFC 8288) of the page after.
func (in *secondariesInput) nextLink(next string) string {
	q := url.Values{"limit": {strconv.Itoa(in.Limit)}, "cursor": {next}}
	if in.Failing {
		q.Set("failing", "true")
	}
	return fmt.Sprintf("<%s?%s>; rel=\"next\"", secondariesPath, q.Encode())
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
	out := resource.Secondary{Zone: s.Zone, Served: s.Served, Failure: s.Failure}
	if len(out.Failure) > maxFailure {
		out.Failure = strings.ToValidUTF8(out.Failure[:maxFailure], "") + "..."
	}
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
