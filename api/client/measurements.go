package client

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"

	"fairlead/api/resource"
)

// Measure pushes measurements for the clients of a prefix; they replace those before.
func (c *Client) Measure(ctx context.Context, prefix netip.Prefix, report resource.MeasurementReport) (*resource.Measurement, error) {
	out := new(resource.Measurement)
	return out, c.do(ctx, call{method: http.MethodPut, path: measurementPath(prefix), body: report}, out)
}

// Unmeasure forgets the measurements of a prefix. When there are none the error is *NotFound.
func (c *Client) Unmeasure(ctx context.Context, prefix netip.Prefix) error {
	return c.do(ctx, call{method: http.MethodDelete, path: measurementPath(prefix)}, nil)
}

func measurementPath(p netip.Prefix) string {
	return fmt.Sprintf("/v1/measurements/%s/%d", p.Addr(), p.Bits())
}

// MeasurementFilter narrows measurements down. The zero MeasurementFilter lets all through.
type MeasurementFilter struct {
	Client string // address of a client that they count for; empty: any
	Most   int    // at most so many prefixes; 0: all
}

// Measurements returns the pushed measurements that pass the filter: all pages as one. NextCursor is empty unless there are more than
// MeasurementFilter.Most.
func (c *Client) Measurements(ctx context.Context, f MeasurementFilter) (*resource.MeasurementList, error) {
	q := url.Values{}
	if f.Client != "" {
		q.Set("client", f.Client)
	}
	all := &resource.MeasurementList{}
	err := pages(ctx, c, list{what: "measurements", path: "/v1/measurements", query: q, most: f.Most}, func(page *resource.MeasurementList, first bool) (int, string) {
		if first {
			all.Prefixes, all.Max, all.At = page.Prefixes, page.Max, page.At
		}
		all.Measurements, all.NextCursor = append(all.Measurements, page.Measurements...), page.NextCursor
		return len(all.Measurements), all.NextCursor
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
