package probe

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

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

// roomForRequest is as long as most requests are not.
const roomForRequest = 256

// Standard ports.
const (
	portHTTP  = 80
	portHTTPS = 443
)

// userAgent is what probes and load reads call themselves.
const userAgent = "fairlead"

// askHTTP sends one request over a connection of its own and closes it. Redirects are not followed, compressed bodies not
// decoded, cookies not kept, proxies not used. The exchange is written out here rather than left to http.Transport: the
// reason says in which stage a probe failed, and no goroutine outlives it.
func (x *exchange) askHTTP() error {
	var req *http.Request // nil: it is prepared
	if v := x.monitor.HTTP.Version; x.prepared.http.before == nil || v == config.HTTPAuto || v == config.HTTP2 {
		var err error
		if req, err = x.request(); err != nil {
			return err
		}
	}
	conn, two, err := x.openHTTP()
	if err != nil {
		return err
	}
	if two {
		in := x.bounded(conn)
		s, err := x.request2(conn, in, fields2(req), []byte(x.monitor.HTTP.Body))
		if err != nil {
			return err
		}
		status, _, err := s.head()
		if err != nil {
			return err
		}
		return x.judgeResponse(in, status, s)
	}
	return x.hearHTTP(conn, x.send(conn, req))
}

// bounded reads a connection, as far as heads may reach.
func (x *exchange) bounded(conn io.Reader) *boundedReader {
	x.bound = boundedReader{r: conn, left: maxHeadBytes}
	return &x.bound
}

// hearHTTP reads a response of HTTP/1.1 and judges it. writeErr is what became of sending the request.
func (x *exchange) hearHTTP(conn io.Reader, writeErr error) error {
	in := x.bounded(conn)
	status, body, err := x.converse(in, writeErr)
	if err != nil {
		return err
	}
	return x.judgeResponse(in, status, body)
}

// judgeResponse judges a response of which the head was read.
func (x *exchange) judgeResponse(in *boundedReader, status int, body io.Reader) error {
	if x.status(status) {
		return nil
	}
	if x.reason = "status 200"; status != http.StatusOK { // most are
		x.reason = "status " + strconv.Itoa(status)
	}
	in.left = maxWireBytes
	return x.judgeHTTP(status, body)
}

// openHTTP opens the connection, with TLS for https. It reports whether HTTP/2 is to be spoken on it.
func (x *exchange) openHTTP() (conn net.Conn, two bool, err error) {
	version := x.monitor.HTTP.Version
	if x.monitor.Type != config.MonitorHTTPS {
		conn, err = x.dial("tcp", portHTTP)
		return conn, version == config.HTTP2, err
	}
	if conn, err = x.dial("tcp", portHTTPS); err != nil {
		return nil, false, err
	}
	host := trust.HostName(x.monitor.HTTP.Host)
	var secure *tls.Conn
	switch version {
	case config.HTTP2:
		secure, err = x.secure2(conn, host)
	case config.HTTPAuto:
		secure, err = x.secure(conn, host, "h2", "http/1.1")
	default:
		secure, err = x.secure(conn, host, "http/1.1")
	}
	if err != nil {
		return nil, false, err
	}
	return secure, secure.ConnectionState().NegotiatedProtocol == "h2", nil
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

// converse reads the head of the final response. Informational responses (RFC 9110 15.2) are passed over; in bounds all heads
// together. A server may answer and close before it has read the request: the answer counts then, not the failed write.
func (x *exchange) converse(in *boundedReader, writeErr error) (status int, body io.Reader, err error) {
	b := x.borrow(io.Discard, in)
	if _, err := b.r.Peek(1); err != nil {
		return 0, nil, reason.During(reason.Answer, cmp.Or(writeErr, err))
	}
	x.answered()
	if x.prepared.http.headOnly {
		came, _ := b.r.Peek(b.r.Buffered())
		if status, ok := plainHead(came); ok {
			return status, http.NoBody, nil
		}
	}
	for {
		resp, err := http.ReadResponse(b.r, &x.prepared.http.asked)
		switch {
		case err != nil && errors.Is(in.err, errTooLong):
			return 0, nil, fmt.Errorf("headers above %d KiB", maxHeadBytes>>10)
		case err != nil: // a line that was cut off looks malformed: what cut it off says more
			return 0, nil, reason.During(reason.Head, x.veil(cmp.Or(in.err, err)))
		case resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols:
			return resp.StatusCode, resp.Body, nil
		}
	}
}

// send sends req, or what is prepared if it is nil, with one write if it fits into one.
func (x *exchange) send(w io.Writer, req *http.Request) error {
	if req != nil {
		var whole bytes.Buffer
		if err := req.Write(&whole); err != nil {
			return err
		}
		_, err := w.Write(whole.Bytes())
		return err
	}
	standard := x.portHTTP()
	_, err := w.Write(x.prepared.http.appendTo(make([]byte, 0, roomForRequest), x.target.Endpoint(standard), standard))
	return err
}
