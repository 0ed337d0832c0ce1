package adns

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	dnsMessage = "application/dns-message"
	// maxHTTPSQuery bounds the query part of a GET before anything of it is decoded. What is longer comes by POST.
	maxHTTPSQuery = 4096
	// httpsBody is what is read of a body before more is allocated.
	httpsBody = 512
)

// errTooLong refuses a body that is no DNS message.
var errTooLong = &httpError{http.StatusRequestEntityTooLarge, "a DNS message has at most 65535 octets"}

// web answers HTTP requests. The client is the connection's peer; no header says who it is.
type web struct {
	server *Server
	path   string
}

// httpError is a refusal of HTTP. What is wrong with the DNS in a request is told by DNS.
type httpError struct {
	status int
	text   string
}

func (e *httpError) Error() string { return e.text }

// ServeHTTP implements http.Handler.
func (h *web) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, ok := r.Context().Value(webConnKey{}).(*webConn)
	if !ok {
		panic(http.ErrAbortHandler) // ConnContext puts it there
	}
	h.server.admitted.touch(conn.slot, time.Now())
	var body postBody
	defer body.giveBack(h.server)
	request, err := h.request(w, r, &body)
	if err == nil {
		err = h.answer(w, request, conn)
	}
	if refusal, ok := errors.AsType[*httpError](err); ok {
		if refusal.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", "GET, HEAD, POST")
		}
		http.Error(w, refusal.text, refusal.status)
	} else if err != nil { // the client went, or was too slow
		panic(http.ErrAbortHandler)
	}
}

// request returns the DNS message of a request. That of a POST lies in body.
func (h *web) request(w http.ResponseWriter, r *http.Request, body *postBody) ([]byte, error) {
	switch {
	case r.URL.Path != h.path:
		return nil, &httpError{http.StatusNotFound, "DNS is at " + h.path}
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return queryOfGet(r.URL.RawQuery)
	case r.Method == http.MethodPost:
		return h.queryOfPost(w, r, body)
	}
	return nil, &httpError{http.StatusMethodNotAllowed, "use GET or POST (RFC 8484)"}
}

// queryOfGet decodes ?dns=, which is base64url without padding (RFC 8484 section 4.1).
func queryOfGet(raw string) ([]byte, error) {
	if len(raw) > maxHTTPSQuery {
		return nil, &httpError{http.StatusRequestURITooLong, "the query is too long for GET; use POST"}
	}
	encoded, found := "", false
	for part := range strings.SplitSeq(raw, "&") {
		value, isDNS := strings.CutPrefix(part, "dns=")
		if isDNS && found {
			return nil, &httpError{http.StatusBadRequest, "dns stands twice"}
		}
		if isDNS {
			encoded, found = value, true
		}
	}
	if !found || encoded == "" {
		return nil, &httpError{http.StatusBadRequest, "the query part has no dns="}
	}
	message, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") { // which the decoder passes over
		return nil, &httpError{http.StatusBadRequest, "dns= is not base64url without padding"}
	}
	return message, nil
}

// queryOfPost reads the body. It allocates as the body comes, not as it is announced.
func (h *web) queryOfPost(w http.ResponseWriter, r *http.Request, into *postBody) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != dnsMessage {
		return nil, &httpError{http.StatusUnsupportedMediaType, "the body must be " + dnsMessage}
	}
	if r.ContentLength > maxWireOctets {
		return nil, errTooLong
	}
	body := http.MaxBytesReader(w, r.Body, maxWireOctets)
	into.octets = make([]byte, 0, httpsBody)
	for {
		octets := into.octets
		n, err := body.Read(octets[len(octets):cap(octets)])
		into.octets = octets[:len(octets)+n]
		switch {
		case err == io.EOF:
			return into.octets, nil
		case err != nil:
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				return nil, errTooLong
			}
			return nil, err
		case len(into.octets) < cap(into.octets):
		case len(into.octets) >= inboxLent && !judgeHeader(into.octets).accepted():
			return into.octets[:headerOctets], nil // it is refused whatever follows, as over TCP
		default:
			if err := into.grow(h.server); err != nil {
				return nil, &httpError{http.StatusServiceUnavailable, err.Error()}
			}
		}
	}
}

// postBody is what was read of a POST. A long one lies in a buffer that is lent, of which there are as many as for TCP and
// TLS: a connection has a hundred requests under way.
type postBody struct {
	octets []byte
	lent   *[]byte
}

// grow makes room for more.
func (b *postBody) grow(s *Server) error {
	if cap(b.octets) < inboxLent {
		b.octets = append(make([]byte, 0, min(2*cap(b.octets), inboxLent)), b.octets...)
		return nil
	}
	long, err := s.lender.borrow(inboxLent)
	if err != nil {
		return err
	}
	b.octets = append((*long)[:0], b.octets...)
	b.lent = long
	return nil
}

// giveBack gives back what was lent; the octets are no more.
func (b *postBody) giveBack(s *Server) {
	s.lender.giveBack(b.lent)
	b.octets, b.lent = nil, nil
}

// answer answers a DNS message.
func (h *web) answer(w http.ResponseWriter, request []byte, conn *webConn) error {
	b := h.server.borrowBatch()
	defer h.server.returnBatch(b)
	buf, n := b.slot(request)
	if buf == nil {
		buf = request // larger than a batch: where it is
	}
	response := b.responder.answer(buf, n, &conn.client)
	if response == nil {
		return &httpError{http.StatusBadRequest, "the message is no DNS query"}
	}
	header := w.Header()
	header.Set("Content-Type", dnsMessage)
	header.Set("Content-Length", strconv.Itoa(len(response)))
	header.Set("Cache-Control", "max-age="+strconv.FormatUint(uint64(freshness(response)), 10))
	_, err := w.Write(response)
	return err
}

// freshness is for how many seconds a response may be kept: the lowest TTL of the answer, or that of the SOA that came
// instead (RFC 8484 section 5.1). Errors are not kept.
func freshness(response []byte) uint32 {
	rcode := response[3] & 0xF
	if rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError {
		return 0
	}
	off := headerOctets
	for range binary.BigEndian.Uint16(response[4:]) {
		end, ok := skipQuestionName(response, off)
		if !ok {
			return 0
		}
		off = end + 4
	}
	answers, authorities := int(binary.BigEndian.Uint16(response[6:])), int(binary.BigEndian.Uint16(response[8:]))
	lowest, found := ^uint32(0), false
	for i := range answers + authorities {
		fixed, ok := skipRecordName(response, off)
		if !ok || fixed+10 > len(response) {
			return 0
		}
		kind, ttl := binary.BigEndian.Uint16(response[fixed:]), binary.BigEndian.Uint32(response[fixed+4:])
		if i < answers || answers == 0 && kind == dns.TypeSOA {
			lowest, found = min(lowest, ttl), true
		}
		off = fixed + 10 + int(binary.BigEndian.Uint16(response[fixed+8:]))
	}
	if !found {
		return 0
	}
	return lowest
}
