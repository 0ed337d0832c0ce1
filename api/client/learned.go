package client

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"

	"fairlead/api/resource"
)

// SessionFilter narrows sessions down. The zero SessionFilter lets all through.
type SessionFilter struct {
	VirtualServer string
	Client        string // address of a client; empty: any
	Most          int    // at most so many; 0: all. Dropping ignores it
}

func (f *SessionFilter) query() url.Values {
	q := url.Values{}
	if f.VirtualServer != "" {
		q.Set("virtual_server", f.VirtualServer)
	}
	if f.Client != "" {
		q.Set("client", f.Client)
	}
	return q
}

// Sessions returns the sessions that pass the filter, in no order: all pages as one. NextCursor is empty unless there are
// more than SessionFilter.Most. Counts, Uses and At are those of the first page.
func (c *Client) Sessions(ctx context.Context, f SessionFilter) (*resource.SessionList, error) {
	q := f.query()
	all := &resource.SessionList{}
	err := pages(ctx, c, list{what: "sessions", path: "/v1/sessions", query: q, most: f.Most}, func(page *resource.SessionList, first bool) (int, string) {
		if first {
			all.Counts, all.At, all.Uses, all.MoreUses = page.Counts, page.At, page.Uses, page.MoreUses
		}
		all.Sessions, all.NextCursor = append(all.Sessions, page.Sessions...), page.NextCursor
		return len(all.Sessions), all.NextCursor
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// DropSessions makes the node forget the sessions that pass the filter, and returns how many that were.
func (c *Client) DropSessions(ctx context.Context, f SessionFilter) (int, error) {
	q := f.query()
	if len(q) == 0 {
		q.Set("all", "true")
	}
	var out resource.Dropped
	err := c.do(ctx, call{method: http.MethodDelete, path: "/v1/sessions", query: q}, &out)
	return out.Dropped, err
}

// Resolvers returns resolvers with measured round-trip times, in no order; at most so many, or all of them for 0.
func (c *Client) Resolvers(ctx context.Context, most int) (*resource.ResolverList, error) {
	all := &resource.ResolverList{}
	err := pages(ctx, c, list{what: "resolvers", path: "/v1/ldns", query: url.Values{}, most: most}, func(page *resource.ResolverList, first bool) (int, string) {
		if first {
			all.Counts, all.At = page.Counts, page.At
		}
		all.Resolvers, all.NextCursor = append(all.Resolvers, page.Resolvers...), page.NextCursor
		return len(all.Resolvers), all.NextCursor
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Resolver returns one resolver's round-trip times. One that nothing is known of is *NotFound.
func (c *Client) Resolver(ctx context.Context, address string) (*resource.Resolver, error) {
	return get[resource.Resolver](ctx, c, "/v1/ldns/"+url.PathEscape(address), nil)
}

// PutRTT reports a round-trip time. One that is not taken because a later one is there is a *Problem of status 409.
func (c *Client) PutRTT(ctx context.Context, address string, report resource.RTTReport) error {
	return c.do(ctx, call{method: http.MethodPut, path: "/v1/ldns/" + url.PathEscape(address), body: report}, nil)
}

// TakeWanted returns resolvers that wait to be measured, and takes them out of the queue.
func (c *Client) TakeWanted(ctx context.Context, most int) ([]netip.Addr, error) {
	var out resource.WantedResolvers
	err := c.do(ctx, call{method: http.MethodPost, path: "/v1/ldns/wanted", query: url.Values{"limit": {fmt.Sprint(most)}}}, &out)
	return out.Resolvers, err
}
