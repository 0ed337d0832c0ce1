package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// pushTimeout bounds one report; pushInterval is the time between two.
const (
	pushInterval = time.Second
	pushTimeout  = 500 * time.Millisecond
)

// pushLoads reports the load of the servers that are not asked for it to the API of their site until ctx ends. A report
// that fails is dropped: the next one is newer.
func pushLoads(ctx context.Context, api string, servers []*webServer) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConns: 1}, Timeout: pushTimeout}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(pushInterval)
	defer tick.Stop()
	for {
		for _, s := range servers {
			_ = pushLoad(ctx, client, api, s.Name, s.Active())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// pushLoad makes one report.
func pushLoad(ctx context.Context, client *http.Client, api, service string, active uint64) error {
	target := url.URL{Scheme: "http", Host: api, Path: "/v1/services/" + service + "/load"}
	body := fmt.Appendf(nil, `{"active": %d}`, active)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("push load of service %q: %w", service, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("push load of service %q: %w", service, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		detail, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("push load of service %q: status %d: %s", service, resp.StatusCode, detail)
	}
	return nil
}
