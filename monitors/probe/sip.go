package probe

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// Limits of SIP answers, and when a request over UDP is repeated (T1, RFC 3261 17.1.2.2).
const (
	sipRepeat      = 500 * time.Millisecond
	maxSIPMessages = 16
	maxSIPBody     = 64 << 10
)

// askSIP sends OPTIONS and goes by the status of the final answer (RFC 3261 section 11).
func (x *exchange) askSIP() error { return spoken(x.talkSIP()) }

func (x *exchange) talkSIP() error {
	s, passing := x.monitor.SIP, x.prepared.passing
	conn, err := x.openSIP(s)
	if err != nil {
		return err
	}
	standard := uint16(5060)
	if s.Transport == config.SIPOverTLS {
		standard = 5061
	}
	q := newSIPRequest(s, x.target.Endpoint(standard), standard, conn.LocalAddr())
	ask := x.askSIPStream
	if s.Transport == config.SIPOverUDP || s.Transport == "" {
		ask = x.askSIPDatagrams
	}
	a, err := ask(conn, q)
	if err != nil {
		return err
	}
	if x.status(a.status) {
		return nil
	}
	x.passes("status %d", a.status)
	if !passing.has(a.status) {
		return unlike("status %d %s, want %s", a.status, reason.Quote(a.phrase), passing)
	}
	return nil
}

func (x *exchange) openSIP(s *config.SIPProbe) (net.Conn, error) {
	switch s.Transport {
	case config.SIPOverTCP:
		return x.dial("tcp", 5060)
	case config.SIPOverTLS:
		conn, err := x.dial("tcp", 5061)
		if err != nil {
			return nil, err
		}
		return x.secure(conn, sipHost(s.URI))
	}
	return x.dial("udp", 5060)
}

// sipHost is the host of a URI such as sip:user@host:port;transport=tcp.
func sipHost(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	rest, _, _ = strings.Cut(rest, "?")
	rest, _, _ = strings.Cut(rest, ";")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	if host, _, err := net.SplitHostPort(rest); err == nil {
		return host
	}
	return strings.Trim(rest, "[]")
}

// sipRequest is an OPTIONS request, and by what its answers are known.
type sipRequest struct {
	text                 string
	branch, callID, cseq string
}

func newSIPRequest(s *config.SIPProbe, to netip.AddrPort, standard uint16, local net.Addr) sipRequest {
	random := make([]byte, 36)
	rand.Read(random)
	word := func(from, to int) string { return hex.EncodeToString(random[from:to]) }
	here := "localhost"
	if local != nil {
		if a, err := netip.ParseAddrPort(local.String()); err == nil {
			here = netip.AddrPortFrom(a.Addr().WithZone(""), a.Port()).String()
		}
	}
	uri := cmp.Or(s.URI, "sip:"+hostHeader(netip.AddrPortFrom(to.Addr().WithZone(""), to.Port()), standard))
	q := sipRequest{
		branch: "z9hG4bK" + word(0, 12), callID: word(12, 24) + "@fairlead",
		cseq: strconv.Itoa(int(binary.BigEndian.Uint32(random[24:])>>1)) + " OPTIONS",
	}
	transport := strings.ToUpper(cmp.Or(string(s.Transport), string(config.SIPOverUDP)))
	q.text = strings.Join([]string{
		"OPTIONS " + uri + " SIP/2.0",
		"Via: SIP/2.0/" + transport + " " + here + ";branch=" + q.branch + ";rport",
		"Max-Forwards: 70",
		"From: <sip:fairlead@" + here + ">;tag=" + word(28, 36),
		"To: <" + uri + ">",
		"Call-ID: " + q.callID,
		"CSeq: " + q.cseq,
		"Contact: <sip:fairlead@" + here + ";transport=" + strings.ToLower(transport) + ">",
		"Accept: application/sdp",
		"User-Agent: " + userAgent,
		"Content-Length: 0",
	}, "\r\n") + "\r\n\r\n"
	return q
}

// answeredBy reports whether an answer is to this request.
func (q *sipRequest) answeredBy(a sipAnswer) bool {
	return a.branch == q.branch && a.callID == q.callID && a.cseq == q.cseq
}

func (x *exchange) askSIPDatagrams(conn net.Conn, q sipRequest) (sipAnswer, error) {
	var last sipAnswer
	err := x.datagrams(conn, []byte(q.text), sipRepeat, func(packet []byte) (bool, error) {
		head, _, _ := strings.Cut(string(packet), "\r\n\r\n")
		a, err := parseSIP(strings.Split(head, "\r\n"))
		if err != nil {
			return false, err
		}
		if !q.answeredBy(a) {
			return false, fmt.Errorf("SIP message %w", errNotOurs)
		}
		x.answered()
		if x.text(packet) {
			return true, errDrains
		}
		last = a
		return a.status >= 200, nil // RFC 3261 17.1.2: provisional answers go before the final one
	})
	return last, err
}

func (x *exchange) askSIPStream(conn net.Conn, q sipRequest) (sipAnswer, error) {
	l := x.converseOn(conn)
	l.stage = reason.AnswerTo("OPTIONS")
	if _, err := io.WriteString(conn, q.text); err != nil {
		return sipAnswer{}, reason.During(l.stage, err)
	}
	for range maxSIPMessages {
		head, err := l.readSIPHead()
		if err != nil {
			return sipAnswer{}, err
		}
		a, err := parseSIP(head)
		switch {
		case err != nil:
			return sipAnswer{}, err
		case q.answeredBy(a) && a.status >= 200:
			return a, nil
		case a.length > maxSIPBody:
			return sipAnswer{}, fmt.Errorf("body above %d KiB", maxSIPBody>>10)
		}
		if _, err := l.r.Discard(a.length); err != nil {
			return sipAnswer{}, reason.During(l.stage, err)
		}
	}
	return sipAnswer{}, fmt.Errorf("%d messages, none that answers this request", maxSIPMessages)
}

// readSIPHead reads up to the empty line. Empty lines before keep connections alive (RFC 3261 7.5).
func (l *lines) readSIPHead() ([]string, error) {
	var head []string
	for range maxReplyLines {
		line, err := l.read()
		switch {
		case err != nil:
			return nil, err
		case line != "":
			head = append(head, line)
		case len(head) > 0:
			return head, nil
		}
	}
	return nil, fmt.Errorf("headers above %d lines", maxReplyLines)
}

// sipAnswer is what counts of a response.
type sipAnswer struct {
	status               int
	phrase               string
	branch, callID, cseq string
	length               int // of the body
}

// parseSIP reads the head of a response, without the empty line.
func parseSIP(head []string) (sipAnswer, error) {
	var a sipAnswer
	version, rest, _ := strings.Cut(head[0], " ")
	word, phrase, _ := strings.Cut(rest, " ")
	code, err := strconv.ParseUint(word, 10, 16)
	if !strings.EqualFold(version, "SIP/2.0") || err != nil || len(word) != 3 || code < 100 || code > 699 {
		return a, fmt.Errorf("%s is no answer of SIP", reason.Quote(head[0]))
	}
	a.status, a.phrase = int(code), phrase
	for i := 1; i < len(head); i++ {
		name, value, ok := strings.Cut(head[i], ":")
		if !ok {
			return a, fmt.Errorf("%s is no header of SIP", reason.Quote(head[i]))
		}
		for i+1 < len(head) && head[i+1] != "" && (head[i+1][0] == ' ' || head[i+1][0] == '\t') { // folded, RFC 3261 7.3.1
			i++
			value += " " + strings.TrimSpace(head[i])
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) { // the compact forms too, RFC 3261 7.3.3
		case "via", "v":
			if a.branch == "" {
				a.branch = viaBranch(value)
			}
		case "call-id", "i":
			a.callID = value
		case "cseq":
			a.cseq = strings.Join(strings.Fields(value), " ")
		case "content-length", "l":
			length, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return a, fmt.Errorf("%s is no length of a body", reason.Quote(value))
			}
			a.length = int(length)
		}
	}
	return a, nil
}

// viaBranch is the branch of the first of the Via headers in a line.
func viaBranch(via string) string {
	via, _, _ = strings.Cut(via, ",")
	for parameter := range strings.SplitSeq(via, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(name), "branch") {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// parseSIPStatusSet is parseStatusSet with the codes from 600 on, which only SIP has.
func parseSIPStatusSet(key string, words []string) (statusSet, error) {
	if len(words) == 0 {
		return parseStatusSet(key, nil)
	}
	set := make(statusSet, len(words))
	for i, w := range words {
		var err error
		if set[i], err = config.ParseSIPStatusRange(w); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return set, nil
}
