package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"fairlead/config"
	"fairlead/monitors/probe"
	"fairlead/monitors/reason"
	"fairlead/monitors/trust"
)

// Limits of load reads.
const (
	maxDocument      = 1 << 20          // bytes of a JSON document of anybody
	maxStatus        = 4 << 20          // bytes of a JSON document that is held whole
	maxPage          = 16 << 20         // bytes of an answer that is read as a stream
	maxRefusal       = 4 << 10          // bytes of what comes with a status that is not 200
	loadDialTimeout  = 5 * time.Second  // a dial outlives the read that began it by at most this
	loadIdleTimeout  = 15 * time.Second // of a connection kept for the next read
	maxLoadIdle      = 256              // connections kept in all, for each way to check certificates
	maxLoadIdlePer   = 2                // connections kept to one host
	maxLoadPerHost   = 64               // connections to one host at once
	maxLoadHeadBytes = 64 << 10
	maxConnAge       = time.Minute // of kept connections, about: names come to mean other addresses, and certificates end
	maxClients       = 256         // ways to check certificates that connections are kept for
)

// userAgent is what load reads call themselves.
const userAgent = "fairlead"

// clients are HTTP clients by how certificates are checked: a connection that was made one way must not serve another.
type clients struct {
	dial  probe.DialFunc
	trust *trust.Store

	mu   sync.Mutex
	open map[config.TLSProbe]*keptClient
}

// keptClient is a client that keeps connections.
type keptClient struct {
	*http.Client
	since time.Time // when the kept ones were closed last
}

// of returns the client for a source.
func (c *clients) of(t *config.TLSProbe) (client *http.Client, keep bool) {
	settings := *config.SectionOf(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept := c.open[settings]; kept != nil {
		if time.Since(kept.since) >= maxConnAge {
			kept.CloseIdleConnections()
			kept.since = time.Now()
		}
		return kept.Client, true
	}
	client = c.newClient(settings)
	if keep = len(c.open) < maxClients; keep {
		c.open[settings] = &keptClient{client, time.Now()}
	}
	return client, keep
}

// close closes the connections that were kept.
func (c *clients) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, client := range c.open {
		client.CloseIdleConnections()
	}
}

// newClient returns a client that keeps connections, since load sources are read every second, but follows no redirect, uses no
// proxy and decodes no compressed body. Certificates are judged anew, with the files of the moment, for each connection.
func (c *clients) newClient(settings config.TLSProbe) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, loadDialTimeout)
		defer cancel()
		return c.dial(ctx, network, address)
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dial,
			DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				ctx, cancel := context.WithTimeout(ctx, loadDialTimeout)
				defer cancel()
				host, _, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				cfg, err := c.trust.Config(&settings, host, "http/1.1")
				if err != nil {
					return nil, err
				}
				conn, err := c.dial(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return trust.Handshake(ctx, conn, cfg)
			},
			DisableCompression:     true,
			MaxIdleConns:           maxLoadIdle,
			MaxIdleConnsPerHost:    maxLoadIdlePer,
			MaxConnsPerHost:        maxLoadPerHost,
			IdleConnTimeout:        loadIdleTimeout,
			MaxResponseHeaderBytes: maxLoadHeadBytes,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get asks for an address and hands the answer, if its status is 200, to take as a stream of at most limit bytes.
func (r *Reader) get(ctx context.Context, src *config.LoadSource, address string, limit int64, take func(io.Reader) error) error {
	return r.ask(ctx, src, address, limit, func(status int, body io.Reader) error {
		if status != http.StatusOK {
			return fmt.Errorf("status %d, want 200", status)
		}
		return take(body)
	})
}

// ask asks for an address and hands the answer to take, whatever its status is.
func (r *Reader) ask(ctx context.Context, src *config.LoadSource, address string, limit int64, take func(status int, body io.Reader) error) error {
	req, err := http.NewRequestWithContext(connections(ctx), http.MethodGet, address, nil)
	if err != nil {
		return withoutURL(err)
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return fmt.Errorf("url has scheme %q, want http or https", req.URL.Scheme)
	}
	if err := r.dress(req, src); err != nil {
		return err
	}
	client, keep := r.clients.of(src.TLS)
	if !keep {
		defer client.CloseIdleConnections()
	}
	resp, err := client.Do(req)
	if err != nil {
		return spokeFirst(withoutURL(err))
	}
	defer resp.Body.Close()
	step(ctx, "headers", resp.Status)
	body := &boundedBody{r: resp.Body, left: limit, limit: limit}
	err = take(resp.StatusCode, body)
	step(ctx, "body", fmt.Sprintf("%d bytes", limit-body.left))
	return err
}

// errSpokeFirst is an answer that was there before the question.
var errSpokeFirst = errors.New("it speaks before it is asked, so this is not HTTP")

// spokeFirst puts words in place of what net/http says of a server that speaks first, when that is noticed before the request is
// written: it has no type, and names a function of net/http.
func spokeFirst(err error) error {
	if strings.Contains(err.Error(), "readLoopPeekFailLocked") {
		return errSpokeFirst
	}
	return err
}

// dress puts the headers on a request, and who asks.
func (r *Reader) dress(req *http.Request, src *config.LoadSource) error {
	req.Header.Set("User-Agent", userAgent)
	for i := range src.Headers {
		h := &src.Headers[i]
		value := h.Value
		if h.Secret != "" {
			var err error
			if value, err = r.secret(req.Context(), fmt.Sprintf("headers[%d].secret", i), h.Secret); err != nil {
				return err
			}
		}
		if http.CanonicalHeaderKey(h.Name) == "Host" {
			req.Host = value
			continue
		}
		req.Header.Add(h.Name, value)
	}
	if src.Token != "" {
		token, err := r.secret(req.Context(), "token", src.Token)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if l := src.Login; l != nil {
		password, err := r.secret(req.Context(), "login.password", l.Password)
		if err != nil {
			return err
		}
		hideBasic(req.Context(), l.User, password)
		req.SetBasicAuth(l.User, password)
	}
	return nil
}

// secret reads a secret, which is shown nowhere from then on; an absent one is empty. key is its place in the source.
func (r *Reader) secret(ctx context.Context, key string, s config.Secret) (string, error) {
	if s == "" {
		return "", nil
	}
	value, err := r.opts.Secret(s)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	hide(ctx, value)
	return value, nil
}

// tooLongError is an answer that is longer than is read of one of its kind.
type tooLongError struct{ limit int64 }

func (e *tooLongError) Error() string { return fmt.Sprintf("answer above %d MiB", e.limit>>20) }

// boundedBody is an answer of at most limit bytes. Its errors say what became of the answer, whoever reads it.
type boundedBody struct {
	r           io.Reader
	left, limit int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		var one [1]byte
		if n, err := b.r.Read(one[:]); n > 0 {
			return 0, &tooLongError{b.limit}
		} else if err != nil {
			return 0, broken(err)
		}
		return 0, nil
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, broken(err)
}

// broken is an error of reading a body with its stage; io.EOF is none.
func broken(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return reason.During(reason.Body, err)
}

// isBroken reports whether it was the answer that broke off, and not what it says that is wrong.
func isBroken(err error) bool {
	if _, ok := errors.AsType[*tooLongError](err); ok {
		return true
	}
	_, ok := errors.AsType[*reason.StageError](err)
	return ok
}

// withoutURL drops the URL from an error: it stands in the configuration, and may be long.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
