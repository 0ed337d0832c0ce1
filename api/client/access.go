package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"fairlead/api/resource"
)

// Identity says as whom the node knows this client.
func (c *Client) Identity(ctx context.Context) (*resource.Identity, error) {
	return get[resource.Identity](ctx, c, "/v1/identity", nil)
}

// Tokens returns the node's tokens, without the tokens themselves.
func (c *Client) Tokens(ctx context.Context) (*resource.TokenList, error) {
	return get[resource.TokenList](ctx, c, "/v1/tokens", nil)
}

// CreateToken makes a token. Its secret is told this once.
func (c *Client) CreateToken(ctx context.Context, t *resource.NewToken) (*resource.CreatedToken, error) {
	out := new(resource.CreatedToken)
	if err := c.do(ctx, call{method: http.MethodPost, path: "/v1/tokens", body: t}, out); err != nil {
		return nil, err
	}
	return out, nil
}

// RevokeToken revokes the token of an id or a name. One that there is not is *NotFound.
func (c *Client) RevokeToken(ctx context.Context, idOrName string) (*resource.Token, error) {
	out := new(resource.Token)
	if err := c.do(ctx, call{method: http.MethodDelete, path: "/v1/tokens/" + url.PathEscape(idOrName)}, out); err != nil {
		return nil, err
	}
	return out, nil
}

// AuditFilter narrows the audit log down. The zero AuditFilter lets all through.
type AuditFilter struct {
	Who    string    // name or id
	Object string    // kind/name, or a kind
	Since  time.Time // zero: ever
	Most   int       // at most so many, the newest; 0: all
}

// auditPageSize is how many entries are asked for at once.
const auditPageSize = 500

// Audit returns entries of the audit log, the newest first: all pages as one, without a cursor.
func (c *Client) Audit(ctx context.Context, f AuditFilter) (*resource.AuditPage, error) {
	q := url.Values{}
	if f.Who != "" {
		q.Set("who", f.Who)
	}
	if f.Object != "" {
		q.Set("object", f.Object)
	}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.UTC().Format(time.RFC3339Nano))
	}
	var all *resource.AuditPage
	for {
		size := auditPageSize
		if f.Most > 0 && all != nil {
			size = min(size, f.Most-len(all.Entries))
		} else if f.Most > 0 {
			size = min(size, f.Most)
		}
		q.Set("limit", strconv.Itoa(size))
		page, err := get[resource.AuditPage](ctx, c, "/v1/audit", q)
		if err != nil {
			return nil, err
		}
		next := page.NextCursor
		if page.NextCursor = ""; all == nil {
			all = page
		} else {
			all.Entries, all.Unreadable = append(all.Entries, page.Entries...), all.Unreadable+page.Unreadable
		}
		if next == "" || next == q.Get("cursor") || f.Most > 0 && len(all.Entries) >= f.Most {
			return all, nil
		}
		q.Set("cursor", next)
	}
}
