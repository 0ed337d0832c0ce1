package probe

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"

	"fairlead/config"
	"fairlead/monitors/reason"
	"fairlead/monitors/trust"
)

// Limits of one HTTP exchange. What a server sends beyond them is not read.
const (
	maxHeadBytes = 64 << 10 // status line and headers, informational responses included
	maxBodyBytes = 64 << 10 // of the body, where expect_body is looked for
	maxWireBytes = 1 << 20  // of the body as sent, chunk framing included
)

// userAgent is what probes and load reads call themselves.
const userAgent = "fairlead"

// askHTTP sends one request over a connection of its own and closes it. Redirects are not followed, compressed bodies not
// decoded, cookies not kept, proxies not used. The exchange is written out here rather than left to http.Transport: the
// reason says in which stage a probe failed, and no goroutine outlives it.
func (x *exchange) askHTTP() error {
	h := &x.monitor.HTTP
	passing, err := parseStatusSet("http.expect_status", h.ExpectStatus)
	if err != nil {
		return err
	}
	req, err := x.request()
	if err != nil {
		return err
	}
	conn, err := x.openHTTP()
	if err != nil {
		return err
	}
	in := &boundedReader{r: conn, left: maxHeadBytes}
	resp, err := x.converse(conn, in, req)
	if err != nil {
		return err
	}
	if x.status(resp.StatusCode) {
		return nil
	}
	x.passes("status %d", resp.StatusCode)
	if !passing.has(resp.StatusCode) {
		return unlike("status %d, want %s", resp.StatusCode, passing)
	}
	if h.ExpectBody != "" {
		in.left = maxWireBytes
		return expectBody(resp.Body, h.ExpectBody)
	}
	return nil
}

// openHTTP opens the connection, with TLS for https.
func (x *exchange) openHTTP() (net.Conn, error) {
	if x.monitor.Type != config.MonitorHTTPS {
		return x.dial("tcp", 80)
	}
	conn, err := x.dial("tcp", 443)
	if err != nil {
		return nil, err
	}
	return x.secure(conn, trust.HostName(x.monitor.HTTP.Host), "http/1.1")
}

// request builds the request. Its URL only carries the request target; the connection goes to the target's address.
func (x *exchange) request() (*http.Request, error) {
	h := &x.monitor.HTTP
	path, err := url.ParseRequestURI(cmp.Or(h.Path, "/"))
	if err != nil || path.IsAbs() {
		return nil, fmt.Errorf("http.path %q is not a request path such as /healthz", h.Path)
	}
	scheme, standard := "http", uint16(80)
	if x.monitor.Type == config.MonitorHTTPS {
		scheme, standard = "https", 443
	}
	path.Scheme, path.Host = scheme, hostHeader(x.target.Endpoint(standard), standard)
	req, err := http.NewRequestWithContext(x.ctx, cmp.Or(h.Method, http.MethodGet), "", nil)
	if err != nil {
		return nil, fmt.Errorf("http.method %q is not a request method such as GET", h.Method)
	}
	req.URL, req.Host, req.Close = path, cmp.Or(bracketed(h.Host), path.Host), true
	req.Header.Set("User-Agent", userAgent)
	return req, nil
}

// hostHeader is the address as a Host header shows it: without the port when that is the scheme's own (RFC 9110 4.2).
func hostHeader(a netip.AddrPort, standard uint16) string {
	if a.Port() != standard {
		return a.String()
	}
	if a.Addr().Is6() {
		return "[" + a.Addr().String() + "]"
	}
	return a.Addr().String()
}

// boundedReader reads at most left bytes of r and remembers what ended it.
type boundedReader struct {
	r    io.Reader
	left int
	err  error
}

// errTooLong reads as what it means for a body; exchange has words of its own for a head.
var errTooLong = fmt.Errorf("body above %d MiB on the wire", maxWireBytes>>20)

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.err = errTooLong
		return 0, b.err
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	b.err = err
	return n, err
}

// bracketed puts an IPv6 address that stands alone into brackets, as a Host header needs it (RFC 9110 7.2).
func bracketed(host string) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		return "[" + host + "]"
	}
	return host
}

// converse sends req and reads the head of the final response. Informational responses (RFC 9110 15.2) are passed over;
// in bounds all heads together.
func (x *exchange) converse(w io.Writer, in *boundedReader, req *http.Request) (*http.Response, error) {
	b := x.borrow(w, in)
	r := b.r
	// A server may answer and close before it has read the request: the answer counts then, not the failed write.
	writeErr := cmp.Or(req.Write(b.w), b.w.Flush())
	if _, err := r.Peek(1); err != nil {
		return nil, reason.During(reason.Answer, cmp.Or(writeErr, err))
	}
	x.answered()
	for {
		resp, err := http.ReadResponse(r, req)
		switch {
		case err != nil && errors.Is(in.err, errTooLong):
			return nil, fmt.Errorf("headers above %d KiB", maxHeadBytes>>10)
		case err != nil: // a line that was cut off looks malformed: what cut it off says more
			return nil, reason.During(reason.Head, cmp.Or(in.err, err))
		case resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols:
			return resp, nil
		}
	}
}

// expectBody passes as soon as want was seen in the first maxBodyBytes; it does not wait for the end of the body.
func expectBody(body io.Reader, want string) error {
	buf := make([]byte, 0, 4096)
	for len(buf) < maxBodyBytes {
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(4*cap(buf), maxBodyBytes)), buf...)
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		seen := max(0, len(buf)-len(want)+1) // before it, want was looked for already
		buf = buf[:len(buf)+n]
		switch {
		case bytes.Contains(buf[seen:], []byte(want)):
			return nil
		case errors.Is(err, io.EOF):
			return unlike("body of %d bytes lacks %s", len(buf), reason.Quote(want))
		case err != nil:
			return reason.During(reason.Body, err)
		}
	}
	return unlike("first %d KiB of the body lack %s", maxBodyBytes>>10, reason.Quote(want))
}
