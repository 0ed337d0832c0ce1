package adns

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/miekg/dns"
)

// transferFunc answers a request for a zone transfer with any number of messages, each given to send. The request is
// valid until it returns. It reports whether it took the request; what it did not take is answered like any query. An
// error ends the connection.
type transferFunc func(ctx context.Context, request []byte, c *client, send func(message []byte) error) (done bool, err error)

// asksForTransfer reports whether a message is a query for AXFR or IXFR.
func asksForTransfer(request []byte) bool {
	if binary.BigEndian.Uint16(request[2:])&(flagResponse|opcodeMask<<opcodeShift) != 0 ||
		binary.BigEndian.Uint16(request[4:]) != 1 {
		return false
	}
	end, ok := skipQuestionName(request, headerOctets)
	if !ok || end+4 > len(request) {
		return false
	}
	qtype := binary.BigEndian.Uint16(request[end:])
	return qtype == dns.TypeAXFR || qtype == dns.TypeIXFR
}

// errTooLarge is for a message that no transport carries.
var errTooLarge = errors.New("message has more than 65535 octets")

// errPanicked ends a connection whose transfer panicked: part of it may have left.
var errPanicked = errors.New("transfer panicked")

// transfer answers a request for a zone transfer. The responses before it leave first. While it lasts the connection is
// not evicted; each message must leave within streamWrite, or a little less.
func (c *stream) transfer(ctx context.Context, b *batch, request []byte) (done bool, err error) {
	if err := c.write(b); err != nil {
		return true, err
	}
	c.slot.busy.Store(true)
	defer c.slot.busy.Store(false)
	defer func() {
		if p := recover(); p != nil {
			c.server.panicked(request, p)
			done, err = true, errPanicked
		}
	}()
	return c.server.transfer(ctx, request, &c.client, func(message []byte) error {
		if len(message) > maxWireOctets {
			return errTooLarge
		}
		c.now = time.Now()
		b.addLarge(message)
		return c.write(b)
	})
}
