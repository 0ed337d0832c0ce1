package client

import (
	"context"
	"net/http"
	"net/url"

	"fairlead/api/resource"
)

// Subject is what an order is about.
type Subject struct {
	Kind string // "services", "service-groups", "sites" or "virtual-servers", as in paths
	Name string
}

// Give gives an order: action is enable, disable or drain. What is not acceptable is a *Problem, a name that the document
// does not have *NotFound.
func (c *Client) Give(ctx context.Context, about Subject, action string, o resource.Order) (*resource.Override, error) {
	return c.post(ctx, about, action, o)
}

// Withdraw ends what was ordered: action is clear, or release for a virtual server.
func (c *Client) Withdraw(ctx context.Context, about Subject, action string, w resource.Withdrawal) (*resource.Override, error) {
	return c.post(ctx, about, action, w)
}

func (c *Client) post(ctx context.Context, about Subject, action string, body any) (*resource.Override, error) {
	out := new(resource.Override)
	path := "/v1/" + about.Kind + "/" + url.PathEscape(about.Name) + "/" + action
	if err := c.do(ctx, call{method: http.MethodPost, path: path, body: body}, out); err != nil {
		return nil, err
	}
	return out, nil
}

// Overrides returns what operators want for a time. A node of a release without overrides is *NotFound.
func (c *Client) Overrides(ctx context.Context) (*resource.OverrideList, error) {
	return get[resource.OverrideList](ctx, c, "/v1/overrides", nil)
}
