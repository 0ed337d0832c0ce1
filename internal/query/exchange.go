package query

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/miekg/dns"
)

const (
	// maxIgnored is how many datagrams that answer something else are read before a UDP exchange is given up: somebody
	// is flooding this socket, and waiting on helps nobody.
	maxIgnored = 64
	// maxReply is the largest DNS message there is.
	maxReply = 65535
)

var errTimeout = errors.New("timed out")

// Do sends one query and returns the reply that belongs to it: from the server's address, with the query's random id,
// opcode and question. Any such reply is a result, whatever its status. A truncated UDP reply makes it ask again over
// TCP.
//
// Errors are *UsageError, *UnreachableError, *ReplyError, or wrap ctx.Err() when ctx was cancelled. Do may be called from
// any number of goroutines.
func Do(ctx context.Context, r Request) (Result, error) {
	p, err := r.plan()
	if err != nil {
		return Result{}, err
	}
	if r.TCP {
		return p.exchange(ctx, "tcp")
	}
	result, err := p.exchange(ctx, "udp")
	if err != nil || !result.Message.Truncated {
		return result, err
	}
	result, err = p.exchange(ctx, "tcp")
	result.Truncated = true
	if err != nil {
		return Result{}, fmt.Errorf("repeat truncated query: %w", err)
	}
	return result, nil
}

// exchange runs the query once over one transport.
func (p plan) exchange(ctx context.Context, network string) (Result, error) {
	limited, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	start := time.Now()
	conn, err := p.dial(limited, network, p.server)
	if err != nil {
		return Result{}, p.failed(ctx, network, err, ignored{})
	}
	defer conn.Close()
	// A deadline in the past wakes up reads and writes as soon as limited ends, for whichever reason.
	stop := context.AfterFunc(limited, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	result := Result{Server: conn.RemoteAddr().String(), Transport: network}
	skipped := ignored{}
	if network == "tcp" {
		result.Message, result.Size, err = p.stream(conn)
	} else {
		result.Message, result.Size, skipped, err = p.datagram(conn)
	}
	if err != nil {
		return Result{}, p.failed(ctx, network, err, skipped)
	}
	result.Elapsed = time.Since(start)
	return result, nil
}

// ignored counts what arrived and was no reply to this query.
type ignored struct {
	count int
	last  string
}

// datagram sends the query and reads until its reply comes. What else arrives is not believed and ends nothing: anybody
// can send a datagram.
func (p plan) datagram(conn net.Conn) (*dns.Msg, int, ignored, error) {
	var skipped ignored
	if _, err := conn.Write(p.packed); err != nil {
		return nil, 0, skipped, err
	}
	buf := make([]byte, maxReply)
	for skipped.count < maxIgnored {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, 0, skipped, err
		}
		reply, problem := p.judge(buf[:n])
		if problem == "" {
			return reply, n, skipped, nil
		}
		skipped.count++
		skipped.last = problem
	}
	return nil, 0, skipped, errors.New("too many datagrams that answer something else")
}

// stream sends the query and reads one message, each behind its length (RFC 1035 section 4.2.2).
func (p plan) stream(conn net.Conn) (*dns.Msg, int, error) {
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(p.packed)), uint16(len(p.packed)))
	if _, err := conn.Write(append(framed, p.packed...)); err != nil {
		return nil, 0, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, 0, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, 0, err
	}
	reply, problem := p.judge(buf)
	if problem != "" {
		return nil, 0, &ReplyError{Server: p.server, Reason: problem}
	}
	return reply, len(buf), nil
}

// judge decodes a message and says what keeps it from being the reply, as the end of a sentence; "" when nothing does.
func (p plan) judge(wire []byte) (*dns.Msg, string) {
	const header = 12
	if len(wire) < header {
		return nil, fmt.Sprintf("has %d bytes, and a DNS header has %d", len(wire), header)
	}
	if id := binary.BigEndian.Uint16(wire); id != p.message.Id {
		return nil, fmt.Sprintf("has id %d, and %d was asked", id, p.message.Id)
	}
	reply := new(dns.Msg)
	if err := reply.Unpack(wire); err != nil {
		return nil, fmt.Sprintf("cannot be decoded: %v", err)
	}
	switch {
	case !reply.Response:
		return nil, "is a query"
	case reply.Opcode != p.message.Opcode:
		return nil, fmt.Sprintf("has opcode %d", reply.Opcode)
	}
	if problem := p.judgeQuestion(reply); problem != "" {
		return nil, problem
	}
	return reply, ""
}

func (p plan) judgeQuestion(reply *dns.Msg) string {
	asked := p.message.Question[0]
	switch len(reply.Question) {
	case 1:
		got := reply.Question[0]
		// Names are equal without regard to ASCII case (RFC 4343); dns.CanonicalName lowers nothing else.
		if dns.CanonicalName(got.Name) != dns.CanonicalName(asked.Name) || got.Qtype != asked.Qtype || got.Qclass != asked.Qclass {
			return fmt.Sprintf("answers %q, and %q was asked", questionText(got), questionText(asked))
		}
		return ""
	case 0:
		// A server that did not understand the query, or does not want it, may send the header alone.
		switch reply.Rcode {
		case dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeRefused, dns.RcodeServerFailure:
			return ""
		}
	}
	return fmt.Sprintf("has %d questions, and one was asked", len(reply.Question))
}

// failed turns what the network said into this package's errors.
func (p plan) failed(ctx context.Context, network string, err error, skipped ignored) error {
	if reply := (*ReplyError)(nil); errors.As(err, &reply) {
		return err
	}
	if cause := ctx.Err(); errors.Is(cause, context.Canceled) {
		return fmt.Errorf("query %s: %w", p.server, cause)
	}
	timeout := net.Error(nil)
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		err = fmt.Errorf("%w after %v", errTimeout, p.timeout)
	} else if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("the server closed the connection: %w", err)
	}
	return &UnreachableError{Server: p.server, Transport: network, Ignored: skipped.count, LastIgnored: skipped.last, Err: err}
}
