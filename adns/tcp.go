package adns

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Limits of DNS over TCP (RFC 7766, RFC 9210).
const (
	MaxTCPConnections = 20_000 // in all
	MaxTCPPerPrefix   = 100    // per IPv4 address or IPv6 /64; loopback is not limited

	tcpIdle    = 10 * time.Second // between messages
	tcpMessage = 5 * time.Second  // from the first octet of a message to its last
	tcpWrite   = 5 * time.Second  // for a response to leave
	tcpDrain   = time.Second      // for all responses to leave, once the server ends

	tcpLengthOctets = 2
	tcpReadOctets   = 1024 // buffered per connection, so that pipelined queries cost one read
	tcpOutOctets    = 4096 // a larger uncompressed answer is allocated
	// maxTCPRequest is far above any query with one question, an OPT and a TSIG. Longer requests are condemned by their
	// header, so that announcing a length costs us no memory.
	maxTCPRequest = 8192

	acceptRetryMin = 5 * time.Millisecond
	acceptRetryMax = time.Second
)

// serveTCP accepts connections until ctx ends, closes the listener, and returns when the last connection is done.
func (s *Server) serveTCP(ctx context.Context, listener net.Listener) error {
	defer listener.Close()
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	var connections sync.WaitGroup
	defer connections.Wait()
	var retry time.Duration
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept DNS connections: %w", err)
		default:
			// Most often file descriptors ran out. UDP goes on; TCP comes back by itself.
			s.counters.tcpAcceptErrors.Add(1)
			if retry == 0 {
				s.log.Warn("dns.tcp.accept_error", zap.Error(err))
			}
			retry = min(max(2*retry, acceptRetryMin), acceptRetryMax)
			pause(ctx, retry)
			continue
		}
		if retry != 0 {
			retry = 0
			s.log.Info("dns.tcp.accept_recovered")
		}
		prefix := clientPrefix(addrPort(conn.RemoteAddr()).Addr())
		if !s.admitted.enter(prefix) {
			s.counters.tcpRefused.Add(1)
			conn.Close()
			continue
		}
		s.counters.tcpAccepted.Add(1)
		connections.Go(func() {
			defer s.admitted.leave(prefix)
			s.serveConn(ctx, conn)
		})
	}
}

// serveConn answers the messages of one connection in order, until the client ends, is too slow, or ctx ends; messages
// that were read by then are still answered.
func (s *Server) serveConn(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetReadDeadline(time.Unix(1, 0))
		_ = conn.SetWriteDeadline(time.Now().Add(tcpDrain))
	})
	defer stop()
	from := addrPort(conn.RemoteAddr())
	r := bufio.NewReaderSize(conn, tcpReadOctets)
	for {
		if r.Buffered() == 0 {
			_ = conn.SetReadDeadline(time.Now().Add(tcpIdle))
			if ctx.Err() != nil {
				return
			}
			if _, err := r.Peek(1); err != nil {
				return
			}
		}
		if err := s.serveMessage(ctx, conn, r, from); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
				s.counters.tcpTimeouts.Add(1)
			}
			return
		}
	}
}

// errCondemned ends a connection after an error that only the header of a long message was needed for: the next message
// starts behind what was not read.
var errCondemned = errors.New("request was answered by its header alone")

// serveMessage reads one message, of which something is there already, and answers it. An error ends the connection.
func (s *Server) serveMessage(ctx context.Context, conn net.Conn, r *bufio.Reader, from netip.AddrPort) error {
	_ = conn.SetReadDeadline(time.Now().Add(tcpMessage))
	if ctx.Err() != nil {
		_ = conn.SetReadDeadline(time.Unix(1, 0)) // what is buffered is answered, nothing is waited for
	}
	prefix, err := r.Peek(tcpLengthOctets)
	if err != nil {
		return err
	}
	length := int(binary.BigEndian.Uint16(prefix))
	if length < headerOctets {
		s.counters.queries[TCP].Add(1)
		s.counters.dropped.Add(1)
		return io.ErrUnexpectedEOF
	}
	header, err := r.Peek(tcpLengthOctets + headerOctets)
	if err != nil {
		return err
	}
	condemned := length > maxTCPRequest || length > r.Size() && !judgeHeader(header[tcpLengthOctets:]).accepted()
	if condemned {
		length = headerOctets // enough for the error; the rest is not waited for
	}
	request, err := readRequest(r, length)
	if err != nil {
		return err
	}
	out := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(out)
	response := s.Handle(request, from, TCP, (*out)[tcpLengthOctets:])
	if response == nil {
		return io.ErrUnexpectedEOF // whoever sends responses here is not a client
	}
	if err := s.writeMessage(ctx, conn, *out, response); err != nil {
		return err
	}
	if condemned {
		return errCondemned
	}
	return nil
}

// readRequest reads one message with its length. Common ones lie in r's buffer, valid until the next read; only what has
// no room there is allocated, so that a connection holds little while it waits.
func readRequest(r *bufio.Reader, length int) ([]byte, error) {
	if total := tcpLengthOctets + length; total <= r.Size() {
		frame, err := r.Peek(total)
		if err != nil {
			return nil, err
		}
		_, err = r.Discard(total)
		return frame[tcpLengthOctets:], err
	}
	if _, err := r.Discard(tcpLengthOctets); err != nil {
		return nil, err
	}
	request := make([]byte, length)
	_, err := io.ReadFull(r, request)
	return request, err
}

// writeMessage sends a response with its length in one write. It lies in frame behind the room for the length, or
// elsewhere if it did not fit there.
func (s *Server) writeMessage(ctx context.Context, conn net.Conn, frame, response []byte) error {
	frame = append(frame[:tcpLengthOctets], response...)
	binary.BigEndian.PutUint16(frame, uint16(len(response)))
	if ctx.Err() == nil { // else the last deadline stays
		_ = conn.SetWriteDeadline(time.Now().Add(tcpWrite))
		if ctx.Err() != nil { // it may just have been moved
			_ = conn.SetWriteDeadline(time.Now().Add(tcpDrain))
		}
	}
	if _, err := conn.Write(frame); err != nil {
		s.counters.writeErrors.Add(1)
		return err
	}
	return nil
}

// clientPrefix is what connections are counted by. The zero Prefix is not limited.
func clientPrefix(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	switch {
	case !a.IsValid() || a.IsLoopback():
		return netip.Prefix{}
	case a.Is4():
		bits = 32
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// admission counts open connections against the limits. The zero admission is empty.
type admission struct {
	mu       sync.Mutex
	total    int
	byPrefix map[netip.Prefix]int // at most total entries
}

// enter counts a connection and reports whether it is within the limits; only then leave must follow.
func (a *admission) enter(p netip.Prefix) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.total >= MaxTCPConnections || p.IsValid() && a.byPrefix[p] >= MaxTCPPerPrefix {
		return false
	}
	a.total++
	if p.IsValid() {
		if a.byPrefix == nil {
			a.byPrefix = make(map[netip.Prefix]int)
		}
		a.byPrefix[p]++
	}
	return true
}

// leave undoes enter.
func (a *admission) leave(p netip.Prefix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total--
	if !p.IsValid() {
		return
	}
	if a.byPrefix[p]--; a.byPrefix[p] == 0 {
		delete(a.byPrefix, p)
	}
}

// open returns the number of connections.
func (a *admission) open() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total
}
