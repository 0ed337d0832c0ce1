package client

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// maxReadyBytes bounds the list of what a node is not ready for.
const maxReadyBytes = 64 << 10

// Ready asks whether queries may be sent to the node, and returns the list of what that depends on, a line each: "[+]" or "[-]", a name and why.
func (c *Client) Ready(ctx context.Context) (ready bool, list string, err error) {
	request, err := c.request(ctx, call{method: http.MethodGet, path: "/readyz", query: url.Values{"verbose": {""}}})
	if err != nil {
		return false, "", err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return false, "", &Unreachable{Address: c.base.Host, Err: withoutURL(err)}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxReadyBytes))
	if err != nil {
		return false, "", &Unreachable{Address: c.base.Host, Err: fmt.Errorf("read response: %w", err)}
	}
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if media != "text/plain" || response.StatusCode != http.StatusOK && response.StatusCode != http.StatusServiceUnavailable {
		return false, "", c.read(response, text, nil)
	}
	return response.StatusCode == http.StatusOK, string(text), nil
}
