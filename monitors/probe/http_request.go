package probe

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"fairlead/config"
)

// request builds the request. Its URL only carries the request target; the connection goes to the target's address.
func (x *exchange) request() (*http.Request, error) {
	h := &x.monitor.HTTP
	path, err := url.ParseRequestURI(cmp.Or(h.Path, "/"))
	if err != nil || path.IsAbs() {
		return nil, fmt.Errorf("http.path %q is not a request path such as /healthz", h.Path)
	}
	scheme, standard := "http", x.portHTTP()
	if x.monitor.Type == config.MonitorHTTPS {
		scheme = "https"
	}
	path.Scheme, path.Host = scheme, hostHeader(x.target.Endpoint(standard), standard)
	req, err := http.NewRequestWithContext(x.ctx, cmp.Or(h.Method, http.MethodGet), "", strings.NewReader(h.Body))
	if err != nil {
		return nil, fmt.Errorf("http.method %q is not a request method such as GET", h.Method)
	}
	req.URL, req.Host, req.Close = path, cmp.Or(bracketed(h.Host), path.Host), true
	req.Header.Set("User-Agent", userAgent)
	if err := x.headers(req); err != nil {
		return nil, err
	}
	if x.monitor.Login != nil {
		user, password, err := x.login()
		if err != nil {
			return nil, err
		}
		req.SetBasicAuth(user, password)
		x.hide(strings.TrimPrefix(req.Header.Get("Authorization"), "Basic "))
	}
	return req, nil
}

// portHTTP is the port of the scheme.
func (x *exchange) portHTTP() uint16 {
	if x.monitor.Type == config.MonitorHTTPS {
		return portHTTPS
	}
	return portHTTP
}

// headers adds those of the document. One that stands there twice is sent twice.
func (x *exchange) headers(req *http.Request) error {
	sent := map[string]bool{}
	for _, h := range x.monitor.HTTP.Headers {
		value := h.Value
		if h.Secret != "" {
			var err error
			if value, err = x.secret("http.headers "+h.Name, h.Secret); err != nil {
				return err
			}
		}
		// What a file or variable has is not checked with the document, and must not become a header of its own.
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) {
			return fmt.Errorf("http.headers %s: the value has control characters", h.Name)
		}
		name := http.CanonicalHeaderKey(h.Name)
		if !sent[name] {
			req.Header.Del(name)
			sent[name] = true
		}
		req.Header.Add(name, value)
	}
	return nil
}

// fields2 is a request's head in HTTP/2 (RFC 9113 section 8.3), which has no headers about the connection.
func fields2(req *http.Request) []hpack.HeaderField {
	fields := []hpack.HeaderField{{Name: ":method", Value: req.Method}, {Name: ":scheme", Value: req.URL.Scheme}, {Name: ":authority", Value: req.Host},
		{Name: ":path", Value: req.URL.RequestURI()}}
	if req.ContentLength > 0 {
		fields = append(fields, hpack.HeaderField{Name: "content-length", Value: strconv.FormatInt(req.ContentLength, 10)})
	}
	names := make([]string, 0, len(req.Header))
	for name := range req.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch name {
		case "Host", "Connection", "Proxy-Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Content-Length", "Te":
			continue
		}
		for _, value := range req.Header[name] {
			fields = append(fields, hpack.HeaderField{Name: strings.ToLower(name), Value: strings.TrimSpace(value), Sensitive: name == "Authorization"})
		}
	}
	return fields
}

// hostHeader is the address as a Host header shows it: without the port when that is the scheme's own (RFC 9110 4.2).
func hostHeader(a netip.AddrPort, standard uint16) string {
	return string(appendHost(nil, a, standard))
}

func appendHost(b []byte, a netip.AddrPort, standard uint16) []byte {
	switch {
	case a.Port() != standard:
		return a.AppendTo(b)
	case a.Addr().Is6():
		return append(a.Addr().AppendTo(append(b, '[')), ']')
	}
	return a.Addr().AppendTo(b)
}

// bracketed puts an IPv6 address that stands alone into brackets, as a Host header needs it (RFC 9110 7.2).
func bracketed(host string) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		return "[" + host + "]"
	}
	return host
}
