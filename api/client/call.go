package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"fairlead/api/resource"
)

const (
	// MaxResponseBytes is the most that is read of one response.
	MaxResponseBytes = 16 << 20
	maxHeaderBytes   = 64 << 10
	maxShownBytes    = 80 // of a response that is not from a node
)

// call is one request.
type call struct {
	method, path string
	query        url.Values
	body         any           // nil: none
	timeout      time.Duration // 0: RequestTimeout
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (*T, error) {
	out := new(T)
	if err := c.do(ctx, call{method: http.MethodGet, path: path, query: query}, out); err != nil {
		return nil, err
	}
	return out, nil
}

// do sends a request and reads the answer into out, unless that is nil.
func (c *Client) do(ctx context.Context, call call, out any) error {
	request, err := c.request(ctx, call)
	if err != nil {
		return err
	}
	h := *c.http
	if call.timeout > 0 {
		h.Timeout = call.timeout
	}
	response, err := h.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("ask %s: %w", c.base.Host, context.Cause(ctx))
		}
		return &Unreachable{Address: c.base.Host, Err: withoutURL(err)}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, MaxResponseBytes+1))
	if err != nil {
		return &Unreachable{Address: c.base.Host, Err: fmt.Errorf("read response: %w", err)}
	}
	if len(text) > MaxResponseBytes {
		return fmt.Errorf("ask %s: the response is larger than the limit of %d bytes", c.base.Host, MaxResponseBytes)
	}
	return c.read(response, text, out)
}

func (c *Client) request(ctx context.Context, call call) (*http.Request, error) {
	// Not joined, which would clean the path: a service may be called "..", as far as the command line is concerned.
	target := c.base.String() + call.path
	if len(call.query) > 0 {
		target += "?" + call.query.Encode()
	}
	var body io.Reader
	if call.body != nil {
		text, err := json.Marshal(call.body)
		if err != nil {
			return nil, fmt.Errorf("write request for %s: %w", call.path, err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, call.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make request for %s: %w", call.path, err)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// read judges a response that has arrived whole.
func (c *Client) read(response *http.Response, text []byte, out any) error {
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch {
	case media == "application/problem+json":
		var p resource.Problem
		if err := json.Unmarshal(text, &p); err != nil {
			return fmt.Errorf("read problem from %s: %w", c.base.Host, err)
		}
		if p.Status = response.StatusCode; p.Detail == "" {
			p.Detail = response.Status
		}
		if p.Status == http.StatusNotFound {
			return &NotFound{Problem{p}}
		}
		return &Problem{p}
	case response.StatusCode == http.StatusNoContent && out == nil:
		return nil
	case response.StatusCode == http.StatusOK && media == "application/json" && out != nil:
		if err := json.Unmarshal(text, out); err != nil {
			return fmt.Errorf("read response from %s: %w", c.base.Host, err)
		}
		return nil
	}
	return fmt.Errorf("ask %s: the answer is not a node's: status %s, %q; is another program listening there?",
		c.base.Host, response.Status, text[:min(len(text), maxShownBytes)])
}

// withoutURL takes the wrapping off that repeats method and address.
func withoutURL(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
