package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fairlead/api/resource"
)

const (
	// DefaultAddress is where a node's interface listens unless its node file says otherwise.
	DefaultAddress = "127.0.0.1:8053"
	// RequestTimeout is the longest that one request may take, unless its context ends earlier.
	RequestTimeout = 10 * time.Second
)

// Client asks one node. Safe for concurrent use.
type Client struct {
	base  *url.URL // scheme and host alone
	token string   // empty: none is sent
	http  *http.Client
}

// New returns a client for the node at an address: host:port, or an http or https URL without a path. It says nothing of who asks. Nothing
// is asked yet.
func New(address string) (*Client, error) { return Open(Options{Address: address}) }

// Address returns the host and port that are asked.
func (c *Client) Address() string { return c.base.Host }

// Close closes the connections that are kept for further requests.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ServiceFilter narrows a list of services down. The zero ServiceFilter lets all through.
type ServiceFilter struct {
	Site   string   // owner; empty: any
	States []string // one of them, in capitals; empty: any
}

// Services returns all services that pass the filter, by name: all pages as one, without a cursor. Snapshot and At are
// those of the first page.
func (c *Client) Services(ctx context.Context, f ServiceFilter) (*resource.ServiceList, error) {
	q := url.Values{}
	if f.Site != "" {
		q.Set("site", f.Site)
	}
	if len(f.States) > 0 {
		q.Set("state", strings.Join(f.States, ","))
	}
	all := &resource.ServiceList{}
	err := pages(ctx, c, list{what: "services", path: "/v1/status/services", query: q}, func(page *resource.ServiceList, first bool) (int, string) {
		if next := page.NextCursor; first {
			*all, all.NextCursor = *page, ""
			return len(all.Services), next
		}
		all.Services = append(all.Services, page.Services...)
		return len(all.Services), page.NextCursor
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Service returns one service. A name that the document does not have is *NotFound.
func (c *Client) Service(ctx context.Context, name string) (*resource.Service, error) {
	return get[resource.Service](ctx, c, "/v1/status/services/"+url.PathEscape(name), nil)
}

// Sites returns all sites, in the document's order.
func (c *Client) Sites(ctx context.Context) (*resource.SiteList, error) {
	return get[resource.SiteList](ctx, c, "/v1/status/sites", nil)
}

// Site returns one site. A name that the document does not have is *NotFound.
func (c *Client) Site(ctx context.Context, name string) (*resource.Site, error) {
	return get[resource.Site](ctx, c, "/v1/status/sites/"+url.PathEscape(name), nil)
}

// Document says which document the node has in use.
func (c *Client) Document(ctx context.Context) (*resource.Document, error) {
	return get[resource.Document](ctx, c, "/v1/status/document", nil)
}

// SecondaryFilter narrows a list of zones from primaries down. The zero SecondaryFilter lets all through.
type SecondaryFilter struct {
	Failing bool // only zones whose last refresh failed
	Most    int  // at most so many, the first by name; 0: all
}

// Secondaries returns the zones from primaries that pass the filter, by name: all pages as one. NextCursor is empty
// unless there are more than SecondaryFilter.Most. Counts and At are those of the first page. A node of a release
// without this resource is *NotFound.
func (c *Client) Secondaries(ctx context.Context, f SecondaryFilter) (*resource.SecondaryList, error) {
	q := url.Values{}
	if f.Failing {
		q.Set("failing", "true")
	}
	all := &resource.SecondaryList{}
	err := pages(ctx, c, list{what: "zones from primaries", path: "/v1/status/secondaries", query: q, most: f.Most}, func(page *resource.SecondaryList, first bool) (int, string) {
		if first {
			all.Counts, all.At = page.Counts, page.At
		}
		all.Secondaries, all.NextCursor = append(all.Secondaries, page.Secondaries...), page.NextCursor
		return len(all.Secondaries), all.NextCursor
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// GroupFilter narrows a list of service groups that change by themselves down. The zero GroupFilter lets all through.
type GroupFilter struct {
	Failing bool // only groups whose last question was not answered
	Most    int  // at most so many, the first by name; 0: all
}

// Groups returns the service groups that change by themselves, autoscaled and announced ones, that pass the filter, by name: all
// pages as one. NextCursor is empty unless there are more than GroupFilter.Most. At is that of the first page. A node of a
// release without this resource is *NotFound.
func (c *Client) Groups(ctx context.Context, f GroupFilter) (*resource.GroupList, error) {
	q := url.Values{}
	if f.Failing {
		q.Set("failing", "true")
	}
	all := &resource.GroupList{}
	err := pages(ctx, c, list{what: "service groups", path: "/v1/status/groups", query: q, most: f.Most}, func(page *resource.GroupList, first bool) (int, string) {
		if first {
			all.At = page.At
		}
		all.Groups, all.NextCursor = append(all.Groups, page.Groups...), page.NextCursor
		return len(all.Groups), all.NextCursor
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Version says what runs at the address.
func (c *Client) Version(ctx context.Context) (*resource.Version, error) {
	return get[resource.Version](ctx, c, "/v1/version", nil)
}

// Question is what Explain asks. Only Name is required; texts are judged by the node, which reports all problems at once.
type Question struct {
	Name   string
	Type   string // mnemonic; empty: A
	Client string // the resolver's address; empty: this program's own
	Subnet string // EDNS Client Subnet as address/length; empty: none
	// Listener is the address of the server that is asked; empty: it does not matter.
	Listener string
	AtSite   string // whose node is to say what it would answer; empty: that of the node that is asked
}

// Explain returns what a client would be answered at this moment, and why.
func (c *Client) Explain(ctx context.Context, question Question) (*resource.Explanation, error) {
	q := url.Values{}
	for key, value := range map[string]string{"name": question.Name, "type": question.Type, "client": question.Client, "subnet": question.Subnet,
		"listener": question.Listener, "at_site": question.AtSite} {
		if value != "" {
			q.Set(key, value)
		}
	}
	return get[resource.Explanation](ctx, c, "/v1/explain", q)
}

// PushLoad reports the active connections of a service. at is when that was so; zero: now. A service that does not exist, or
// takes no reports there, is *NotFound; a report that is older than the last one is a *Problem of status 409.
func (c *Client) PushLoad(ctx context.Context, service string, active uint64, at time.Time) error {
	return c.PushReport(ctx, service, resource.LoadReport{Active: &active, At: at})
}

// PushReport reports how busy a service is, by any of the metrics. Its errors are those of PushLoad.
func (c *Client) PushReport(ctx context.Context, service string, report resource.LoadReport) error {
	return c.do(ctx, call{method: http.MethodPut, path: "/v1/services/" + url.PathEscape(service) + "/load", body: report}, nil)
}
