package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"fairlead/api/resource"
)

// testTimeout is the longest that a test may take: a node gives up before.
const testTimeout = 35 * time.Second

// TestMonitor has the node run a monitor once. When the document has no such monitor the error is *NotFound.
func (c *Client) TestMonitor(ctx context.Context, monitor string, q resource.MonitorQuestion) (*resource.MonitorTest, error) {
	out := new(resource.MonitorTest)
	return out, c.do(ctx, call{method: http.MethodPost, path: "/v1/monitors/" + url.PathEscape(monitor) + "/test", body: q, timeout: testTimeout}, out)
}

// TestLoad has the node read the load source of a service once. When there is no such service, or it has no load source, the error is
// *NotFound.
func (c *Client) TestLoad(ctx context.Context, service string) (*resource.LoadTest, error) {
	out := new(resource.LoadTest)
	return out, c.do(ctx, call{method: http.MethodPost, path: "/v1/services/" + url.PathEscape(service) + "/load/test", timeout: testTimeout}, out)
}
