package client

import (
	"context"
	"fmt"
	"net/url"

	"fairlead/api/resource"
)

// Sketch returns what is asked of the node, with at most limit kinds of queries.
func (c *Client) Sketch(ctx context.Context, limit int) (*resource.Sketch, error) {
	return get[resource.Sketch](ctx, c, "/v1/sketch", url.Values{"limit": {fmt.Sprint(limit)}})
}

// WhatIf returns what would happen if sites or services were lost. load is a factor such as 1.5x, or peak; empty: 1x. A name
// that the document does not have is a *Problem of status 422.
func (c *Client) WhatIf(ctx context.Context, lose []string, load string) (*resource.WhatIf, error) {
	q := url.Values{"lose": lose}
	if load != "" {
		q.Set("load", load)
	}
	return get[resource.WhatIf](ctx, c, "/v1/whatif", q)
}
