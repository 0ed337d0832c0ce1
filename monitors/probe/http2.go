package probe

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"fairlead/monitors/reason"
)

// Limits of one exchange over HTTP/2 (RFC 9113).
const (
	maxFrame2  = 16 << 10 // of one frame, the least that every peer must take
	window2    = 1 << 17  // bytes of a body that may come: more than is read of one, padding included
	stream2    = 1        // the only stream
	basicTable = 4096     // of HPACK, which nobody has asked to be another
)

// errNotHTTP2 is what a server that knows no HTTP/2 amounts to.
var errNotHTTP2 = errors.New("server speaks HTTP/1, not HTTP/2")

// errNoHTTP2 is a server that offers no HTTP/2 in the TLS handshake.
var errNoHTTP2 = errors.New("server does not offer HTTP/2")

// noApplicationProtocol is how crypto/tls tells the alert of a server that offers nothing of what it was asked for (RFC 7301 3.2).
const noApplicationProtocol = "no application protocol"

// secure2 puts TLS on a connection on which only HTTP/2 is to be spoken.
func (x *exchange) secure2(conn net.Conn, host string) (*tls.Conn, error) {
	secure, err := x.secure(conn, host, http2.NextProtoTLS)
	if err != nil && strings.Contains(err.Error(), noApplicationProtocol) {
		return nil, errNoHTTP2
	}
	if err == nil && secure.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
		return nil, errNoHTTP2
	}
	return secure, err
}

// stream is one request over a connection of its own, and its response. Frames are read where they are waited for: no goroutine is
// behind it. As a reader it gives the body.
type stream struct {
	x      *exchange
	framer *http2.Framer
	b      *buffers
	in     *boundedReader

	unsent           []byte // of the request's body
	mine, all, usual int64  // what may be sent on the stream, on the connection, and at first on every stream
	largest          int    // frame that the server takes

	data    []byte // of the response's body, that Read is yet to give
	ended   bool
	trailer []hpack.HeaderField
}

// request2 sends a request. in bounds what is read.
func (x *exchange) request2(w io.Writer, in *boundedReader, fields []hpack.HeaderField, body []byte) (*stream, error) {
	b := x.borrow(w, in)
	s := &stream{x: x, b: b, in: in, framer: http2.NewFramer(b.w, b.r), unsent: body, mine: 65535, all: 65535, usual: 65535, largest: maxFrame2}
	s.framer.SetMaxReadFrameSize(maxFrame2)
	s.framer.ReadMetaHeaders = hpack.NewDecoder(basicTable, nil)
	s.framer.MaxHeaderListSize = maxHeadBytes
	var block hpackBlock
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := encoder.WriteField(f); err != nil {
			return nil, err // never: it is memory
		}
	}
	_, err := io.WriteString(b.w, http2.ClientPreface)
	err = cmp.Or(err,
		s.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: window2},
			http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeadBytes}),
		s.framer.WriteWindowUpdate(0, window2),
		s.writeHead(block, len(body) == 0),
		s.writeBody(),
		b.w.Flush())
	if err != nil {
		return nil, reason.During(reason.Answer, err)
	}
	return s, nil
}

// hpackBlock is where an encoder writes to.
type hpackBlock []byte

func (b *hpackBlock) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

func (s *stream) writeHead(block []byte, last bool) error {
	first := block[:min(len(block), maxFrame2)]
	rest := block[len(first):]
	err := s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream2, BlockFragment: first, EndStream: last, EndHeaders: len(rest) == 0})
	for err == nil && len(rest) > 0 {
		part := rest[:min(len(rest), maxFrame2)]
		rest = rest[len(part):]
		err = s.framer.WriteContinuation(stream2, len(rest) == 0, part)
	}
	return err
}

// writeBody sends of the body what the server takes now.
func (s *stream) writeBody() error {
	for len(s.unsent) > 0 {
		n := min(int64(len(s.unsent)), s.mine, s.all, int64(s.largest))
		if n <= 0 {
			return nil
		}
		part := s.unsent[:n]
		s.unsent = s.unsent[n:]
		s.mine, s.all = s.mine-n, s.all-n
		if err := s.framer.WriteData(stream2, len(s.unsent) == 0, part); err != nil {
			return err
		}
	}
	return nil
}

// head reads up to the head of the final response. Informational ones are passed over.
func (s *stream) head() (status int, fields []hpack.HeaderField, err error) {
	stage := reason.Answer
	for {
		f, err := s.next(stage)
		if err != nil {
			return 0, nil, err
		}
		h, ok := f.(*http2.MetaHeadersFrame)
		if !ok {
			return 0, nil, errors.New("malformed HTTP/2 response: body before headers")
		}
		s.x.answered()
		stage = reason.Head
		if h.Truncated {
			return 0, nil, fmt.Errorf("headers above %d KiB", maxHeadBytes>>10)
		}
		status, err := strconv.Atoi(h.PseudoValue("status"))
		if err != nil || status < 100 || status > 999 {
			return 0, nil, errors.New("malformed HTTP/2 response: no status")
		}
		if status >= 200 {
			s.ended = h.StreamEnded()
			return status, h.RegularFields(), nil
		}
		if h.StreamEnded() {
			return 0, nil, fmt.Errorf("malformed HTTP/2 response: it ends with status %d", status)
		}
	}
}

// Read gives the body. The trailer is known after its end.
func (s *stream) Read(p []byte) (int, error) {
	for len(s.data) == 0 {
		if s.ended {
			return 0, io.EOF
		}
		f, err := s.next(reason.Body)
		if err != nil {
			return 0, err
		}
		switch f := f.(type) {
		case *http2.DataFrame:
			s.data, s.ended = f.Data(), f.StreamEnded()
		case *http2.MetaHeadersFrame:
			if !f.StreamEnded() || f.Truncated {
				return 0, errors.New("malformed HTTP/2 response: headers within the body")
			}
			s.trailer, s.ended = f.RegularFields(), true
		}
	}
	n := copy(p, s.data)
	s.data = s.data[n:]
	return n, nil
}

// next reads up to a frame of the response: *http2.MetaHeadersFrame or *http2.DataFrame.
func (s *stream) next(stage reason.Stage) (http2.Frame, error) {
	for {
		if begin, err := s.b.r.Peek(5); err == nil && string(begin) == "HTTP/" {
			return nil, errNotHTTP2
		}
		f, err := s.framer.ReadFrame()
		if err != nil {
			return nil, s.readFailed(stage, err)
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			return f, nil
		case *http2.DataFrame:
			return f, nil
		case *http2.RSTStreamFrame:
			return nil, fmt.Errorf("stream reset %s: %s", stage, f.ErrCode)
		case *http2.GoAwayFrame:
			if f.LastStreamID < stream2 || f.ErrCode != http2.ErrCodeNo {
				return nil, fmt.Errorf("server goes away %s: %s", stage, f.ErrCode)
			}
		default:
			if err := s.control(f); err != nil {
				return nil, reason.During(stage, err)
			}
		}
	}
}

// readFailed says why no frame came.
func (s *stream) readFailed(stage reason.Stage, err error) error {
	switch {
	case errors.Is(s.in.err, errTooLong) && stage != reason.Body:
		return fmt.Errorf("headers above %d KiB", maxHeadBytes>>10)
	case errors.Is(err, http2.ErrFrameTooLarge):
		return errors.New("malformed HTTP/2 response: frame too large")
	case s.in.err != nil: // a frame that was cut off: what cut it off says more
		if stage == reason.Body { // whoever reads the body says so
			return cutOff(s.in.err)
		}
		return reason.During(stage, s.in.err)
	}
	if detail := s.framer.ErrorDetail(); detail != nil {
		err = detail
	}
	return fmt.Errorf("malformed HTTP/2 response: %w", s.x.veil(err))
}

// cutOff has an end before the end of the body not look like one.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// control answers a frame that is about the connection, and sends more of the body when that is allowed now.
func (s *stream) control(f http2.Frame) error {
	var err error
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			return nil
		}
		if err := f.ForeachSetting(s.set); err != nil {
			return err
		}
		err = s.framer.WriteSettingsAck()
	case *http2.PingFrame:
		if f.IsAck() {
			return nil
		}
		err = s.framer.WritePing(true, f.Data)
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			s.all += int64(f.Increment)
		} else {
			s.mine += int64(f.Increment)
		}
	default:
		return nil
	}
	return cmp.Or(err, s.writeBody(), s.b.w.Flush())
}

// set takes in a setting of the server.
func (s *stream) set(is http2.Setting) error {
	if err := is.Valid(); err != nil {
		return fmt.Errorf("malformed HTTP/2 response: %w", err)
	}
	switch is.ID {
	case http2.SettingInitialWindowSize:
		s.mine += int64(is.Val) - s.usual
		s.usual = int64(is.Val)
	case http2.SettingMaxFrameSize:
		s.largest = int(min(is.Val, maxFrame2))
	}
	return nil
}
