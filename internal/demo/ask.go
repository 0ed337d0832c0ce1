package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"fairlead/internal/query"
)

// Limits of the self-test's own questions.
const (
	askTimeout   = 2 * time.Second
	maxFetchBody = 1 << 20
)

// question is one DNS question to a site, by default for an address over UDP.
type question struct {
	Name   string // in demo.test, unless it ends with a dot
	Type   string
	Subnet string // client subnet; empty: none
	TCP    bool
}

// answer is what came back.
type answer struct {
	Rcode   string
	Servers []string // the web servers that the addresses belong to, in the order of the answer
	Data    []string // of all records
	Owner   string   // of the first record
	TTL     uint32   // of the first record
	SOA     bool     // the authority section has one
	Scope   int      // of the client subnet; -1: the reply has none
}

// sites returns the sites of the servers, in order.
func (w *world) sitesOf(servers []string) string {
	var out []string
	for _, name := range servers {
		if s := w.server(name); s != nil {
			name = s.Site
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// first is the server that was answered first, or what came instead.
func (a answer) first() string {
	if len(a.Servers) == 0 {
		return a.Rcode
	}
	return a.Servers[0]
}

// ask asks a site. An answer that does not come is one with an Rcode that says why.
func (w *world) ask(ctx context.Context, at *site, q question) answer {
	r := query.Request{Name: q.Name, Type: q.Type, Server: at.DNS, TCP: q.TCP, Timeout: askTimeout}
	if !strings.HasSuffix(r.Name, ".") {
		r.Name += ".demo.test."
	}
	if q.Subnet != "" {
		r.Subnet = netip.MustParsePrefix(q.Subnet) // they are all written in this package
	}
	result, err := query.Do(ctx, r)
	if err != nil {
		return answer{Rcode: err.Error(), Scope: -1}
	}
	m := result.Message
	out := answer{Rcode: dns.RcodeToString[m.Rcode], Data: result.Short(), Scope: -1}
	if _, scope, ok := result.Subnet(); ok {
		out.Scope = scope
	}
	for i, rr := range m.Answer {
		if i == 0 {
			out.Owner, out.TTL = rr.Header().Name, rr.Header().Ttl
		}
		if a, ok := rr.(*dns.A); ok {
			out.Servers = append(out.Servers, w.serverAt(a.A.String()))
		}
	}
	out.SOA = slices.ContainsFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA })
	return out
}

// fetch gets a URL of a web server by its own address, wherever it listens.
func (w *world) fetch(ctx context.Context, target string) (string, error) {
	client := &http.Client{Timeout: askTimeout, Transport: &http.Transport{DialContext: w.dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return "", fmt.Errorf("fetch %q: %w", target, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("fetch %q: %w", target, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFetchBody))
	if err != nil {
		return "", fmt.Errorf("fetch %q: %w", target, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("fetch %q: status %d: %s", target, resp.StatusCode, body)
	}
	return string(body), nil
}

// fetchAPI gets a resource of a site's API into v.
func (w *world) fetchAPI(ctx context.Context, at *site, path string, parameters url.Values, v any) error {
	target := url.URL{Scheme: "http", Host: at.API, Path: path, RawQuery: parameters.Encode()}
	body, err := w.fetch(ctx, target.String())
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(body), v); err != nil {
		return fmt.Errorf("read answer of %q: %w", target.String(), err)
	}
	return nil
}
