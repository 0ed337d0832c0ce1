package client

import (
	"context"
	"net/url"

	"fairlead/api/resource"
)

// Locate says where an address is, and how close the sites are.
func (c *Client) Locate(ctx context.Context, address string) (*resource.Located, error) {
	return get[resource.Located](ctx, c, "/v1/locate", url.Values{"address": {address}})
}

// LocationFiles says how the node's location files are.
func (c *Client) LocationFiles(ctx context.Context) (*resource.GeoFileList, error) {
	return get[resource.GeoFileList](ctx, c, "/v1/status/locations", nil)
}
