package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"fairlead/monitors/probe"
	"fairlead/monitors/reason"
)

// Limits of load reads.
const (
	maxLoadBytes     = 1 << 20          // of one answer
	loadDialTimeout  = 5 * time.Second  // a dial outlives the read that began it by at most this
	loadIdleTimeout  = 15 * time.Second // of a connection kept for the next read
	maxLoadIdle      = 256              // connections kept in all
	maxLoadIdlePer   = 2                // connections kept to one host
	maxLoadPerHost   = 64               // connections to one host at once
	maxLoadHeadBytes = 64 << 10
)

// newClient returns a client for load sources: it keeps connections, since these are read every second, but follows
// no redirect, uses no proxy and decodes no compressed body.
func newClient(dial probe.DialFunc) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				ctx, cancel := context.WithTimeout(ctx, loadDialTimeout)
				defer cancel()
				return dial(ctx, network, address)
			},
			DisableCompression:     true,
			TLSHandshakeTimeout:    loadDialTimeout,
			MaxIdleConns:           maxLoadIdle,
			MaxIdleConnsPerHost:    maxLoadIdlePer,
			MaxConnsPerHost:        maxLoadPerHost,
			IdleConnTimeout:        loadIdleTimeout,
			MaxResponseHeaderBytes: maxLoadHeadBytes,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// userAgent is what load reads call themselves.
const userAgent = "fairlead"

// fetch reads a whole answer with status 200.
func fetch(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return nil, fmt.Errorf("url has scheme %q, want http or https", req.URL.Scheme)
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := client.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d, want 200", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxLoadBytes+1))
	if err != nil {
		return nil, reason.During(reason.Body, err)
	}
	if len(body) > maxLoadBytes {
		return nil, fmt.Errorf("answer above %d MiB", maxLoadBytes>>20)
	}
	return body, nil
}

// withoutURL drops the URL from an error: it may hold a password, and stands in the configuration.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
