package adns

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"
)

// Limits of one connection of DNS over TCP or TLS (RFC 7766, RFC 9210, RFC 7858).
const (
	streamMessage = 5 * time.Second // from the first octet of a message to its last
	streamWrite   = 5 * time.Second // for a batch of responses to leave
	streamDrain   = time.Second     // for all responses to leave, once the server ends

	// streamTick is the longest that a read deadline lies ahead. It is shorter than streamMessage, so that a message that
	// begins while the deadline stands needs no earlier one: a busy connection sets a deadline once a tick, not once a read.
	streamTick = 4 * time.Second
	// streamSlack is how much of streamWrite may be gone when a write begins, for the same reason.
	streamSlack = time.Second

	lengthOctets = 2
)

// stream is one connection that carries messages with their lengths. Messages are answered in the order they came, all
// that are there with one write (RFC 7766 section 6.2.1.1).
type stream struct {
	server *Server
	conn   net.Conn
	slot   *slot
	client client

	in   inbox
	now  time.Time // when the last read returned
	used time.Time // when the last message was answered, or the connection began
	// since is when the first octet of an incomplete message came; zero when there is none.
	since time.Time

	readBy, writeBy time.Time // the deadlines as they are set
	looked          time.Time // when the round-trip time was
}

// Ends of a connection that are the client's doing.
var (
	errNotDNS    = errors.New("what came is no DNS query")
	errCondemned = errors.New("request was answered by its header alone")
	errTooSlow   = errors.New("client is too slow, or idle")
)

// serveStream answers the messages of a connection until the client ends, is too slow or idle, is evicted, or the server
// ends; messages that were read by then are still answered. The error says why it ended, never nil.
func (s *Server) serveStream(ctx context.Context, conn net.Conn, slot *slot, transport Transport) error {
	now := time.Now()
	c := &stream{server: s, conn: conn, slot: slot, client: connClient(conn, transport), now: now, used: now}
	defer c.in.giveBack(s)
	c.setReadDeadline(c.due())
	for {
		if err := c.read(); err != nil {
			return err
		}
		if err := c.answerComplete(ctx); err != nil {
			return err
		}
	}
}

// connClient is who is at the other end of a connection.
func connClient(conn net.Conn, transport Transport) client {
	from, local := addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr())
	return client{
		addr: from.Addr().Unmap().WithZone(""), port: from.Port(), transport: transport,
		local: netip.AddrPortFrom(local.Addr().Unmap(), local.Port()),
	}
}

// read waits for at least one octet more.
func (c *stream) read() error {
	room, err := c.in.room(c.server)
	if err != nil {
		return err
	}
	for {
		n, err := c.conn.Read(room)
		c.now = time.Now()
		if n > 0 {
			c.in.read(n)
			return nil // an error comes again
		}
		if err == nil {
			continue
		}
		if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() || c.server.admitted.draining.Load() {
			return err
		}
		if !c.now.Before(c.due()) {
			if !c.since.IsZero() {
				c.server.counters.streams[c.client.transport].timeouts.Add(1)
			}
			return errTooSlow
		}
		c.setReadDeadline(c.due())
		if c.in.rest(c.server) { // nothing came for a while
			if room, err = c.in.room(c.server); err != nil {
				return err
			}
		}
	}
}

// due is when the client must have sent more.
func (c *stream) due() time.Time {
	if !c.since.IsZero() {
		return c.since.Add(streamMessage)
	}
	return c.used.Add(c.server.admitted.idleTimeout())
}

// setReadDeadline makes reads return at the latest by then, or after a tick.
func (c *stream) setReadDeadline(by time.Time) {
	if tick := c.now.Add(streamTick); tick.Before(by) {
		by = tick
	}
	c.readBy = by
	_ = c.conn.SetReadDeadline(by)
	if a := c.server.admitted; a.draining.Load() {
		a.hurry(c.conn)
	}
}

// answerComplete answers all messages that are complete. After an error that the client caused, what was answered before
// has been sent.
func (c *stream) answerComplete(ctx context.Context) error {
	frame, err := c.in.next()
	if frame == nil && err == nil {
		return c.incomplete()
	}
	b := c.server.borrowBatch()
	defer c.server.returnBatch(b)
	for frame != nil && err == nil {
		if err = c.answer(ctx, b, frame); err == nil {
			c.since = time.Time{}
			frame, err = c.in.next()
		}
	}
	if err == errCondemned {
		c.condemn(b)
	}
	if err == errNotDNS {
		c.server.counters.queries[c.client.transport].Add(1)
		c.server.counters.dropped.Add(1)
	}
	if writeErr := c.write(b); writeErr != nil {
		return writeErr
	}
	if err != nil {
		return err
	}
	c.passive()
	c.used = c.now
	c.server.admitted.touch(c.slot, c.now)
	c.in.compact()
	return c.incomplete()
}

// incomplete looks after what is there of a message that is not complete.
func (c *stream) incomplete() error {
	switch {
	case c.in.have == 0:
		c.since = time.Time{}
	case c.since.IsZero():
		c.since = c.now
	}
	if due := c.due(); due.Before(c.readBy) {
		c.setReadDeadline(due)
	}
	return nil
}

// answer puts the response to a request into the batch, which is written first if it has no room.
func (c *stream) answer(ctx context.Context, b *batch, request []byte) error {
	if c.server.transfer != nil && asksForTransfer(request) {
		if done, err := c.transfer(ctx, b, request); done || err != nil {
			return err
		}
	}
	buf, n := b.slot(request)
	if buf == nil {
		if err := c.write(b); err != nil {
			return err
		}
		if buf, n = b.slot(request); buf == nil {
			buf = request[:n:n] // longer than a batch: where it is
		}
	}
	response := b.responder.answer(buf, n, &c.client)
	if response == nil {
		return errSilent // whoever sends responses here is not a client
	}
	if b.add(buf, response) {
		return nil
	}
	if err := c.write(b); err != nil {
		return err
	}
	b.addLarge(response)
	return nil
}

// errSilent ends a connection after a message that deserves no answer.
var errSilent = errors.New("message deserves no answer")

// condemn answers a long message by its header, which alone says that the message is refused; the rest is not waited for.
func (c *stream) condemn(b *batch) {
	if buf, n := b.slot(c.in.header()); buf != nil {
		if response := b.responder.answer(buf, n, &c.client); response != nil {
			b.add(buf, response)
		}
	}
}

// write sends what is in the batch and empties it.
func (c *stream) write(b *batch) error {
	if len(b.out) == 0 {
		return nil
	}
	if c.writeBy.Sub(c.now) < streamWrite-streamSlack {
		c.writeBy = time.Now().Add(streamWrite)
		_ = c.conn.SetWriteDeadline(c.writeBy)
		if a := c.server.admitted; a.draining.Load() {
			a.hurry(c.conn)
		}
	}
	_, err := c.conn.Write(b.out)
	b.out = b.out[:0]
	if err != nil {
		c.server.counters.writeErrors.Add(1)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() && !c.server.admitted.draining.Load() {
			c.server.counters.streams[c.client.transport].timeouts.Add(1)
		}
	}
	return err
}

// appendFramed appends a message with its length.
func appendFramed(b, message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(message))), message...)
}
