package replay

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync/atomic"

	"fairlead/adns"
	"fairlead/adns/dnstap"
)

// Frame Streams, as package dnstap writes them: a data frame is a length and so many octets; length 0 escapes a control
// frame, which has a length of its own.
const (
	lengthOctets     = 4
	maxControlOctets = 512
	controlStop      = 3
	// maxFrameOctets bounds a data frame: a DNS message and what is told about it.
	maxFrameOctets = dnstap.MaxWireOctets + 8<<10
)

// readDnstap reads a file of Frame Streams. Of a tap that shows queries and responses only the kind counts that comes first,
// because both stand for one query.
func readDnstap(ctx context.Context, r *bufio.Reader) (*Queries, error) {
	cut := false
	var counted atomic.Int32 // 0: not known yet; 1: queries, 2: responses
	q, err := inParallel(ctx, func(emit func([]byte) error) error {
		err := readFrames(r, emit)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			cut, err = true, nil
		}
		return err
	}, func(q *Queries, chunk []byte) {
		for len(chunk) >= lengthOctets {
			n := binary.BigEndian.Uint32(chunk)
			q.readFrame(chunk[lengthOctets:lengthOctets+n], &counted)
			chunk = chunk[lengthOctets+n:]
		}
	})
	if err != nil {
		return nil, err
	}
	q.Cut = cut
	return q, nil
}

// readFrames emits chunks of whole data frames until the end, which is behind a STOP: files may follow each other.
func readFrames(r io.Reader, emit func([]byte) error) error {
	var chunk []byte
	stopped := false
	for {
		var head [lengthOctets]byte
		_, err := io.ReadFull(r, head[:])
		n := binary.BigEndian.Uint32(head[:])
		switch {
		case errors.Is(err, io.EOF) && stopped:
			return flush(chunk, emit)
		case err != nil:
		case n == 0:
			var kind uint32
			kind, err = readControl(r)
			stopped = err == nil && kind == controlStop
		case n > maxFrameOctets:
			err = fmt.Errorf("a frame of %d octets, at most %d make sense: is this a dnstap file?", n, maxFrameOctets)
		default:
			at := len(chunk)
			chunk = append(chunk, head[:]...)
			chunk = append(chunk, make([]byte, n)...)
			if _, err = io.ReadFull(r, chunk[at+lengthOctets:]); err != nil {
				chunk = chunk[:at]
			}
		}
		if err != nil {
			if flushed := flush(chunk, emit); flushed != nil {
				return flushed
			}
			return err
		}
		if len(chunk) >= chunkOctets {
			if err := flush(chunk, emit); err != nil {
				return err
			}
			chunk = nil
		}
	}
}

func flush(chunk []byte, emit func([]byte) error) error {
	if len(chunk) == 0 {
		return nil
	}
	return emit(chunk)
}

// readControl reads a control frame behind its escape and returns its type.
func readControl(r io.Reader) (uint32, error) {
	var head [lengthOctets]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < lengthOctets || n > maxControlOctets {
		return 0, fmt.Errorf("a control frame of %d octets; it has %d to %d: is this a dnstap file?", n, lengthOctets, maxControlOctets)
	}
	var body [maxControlOctets]byte
	if _, err := io.ReadFull(r, body[:n]); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(body[:]), nil
}

// Numbers of dnstap.proto.
const (
	fieldMessage = 14

	fieldKind            = 1
	fieldQueryAddress    = 4
	fieldResponseAddress = 5
	fieldQueryMessage    = 10
	fieldResponseMessage = 14

	kindAuthQuery, kindAuthResponse     = 1, 2
	kindClientQuery, kindClientResponse = 5, 6
)

// readFrame reads one Dnstap message.
func (q *Queries) readFrame(b []byte, counted *atomic.Int32) {
	var message []byte
	ok := eachField(b, func(number, _ uint64, data []byte) {
		if number == fieldMessage {
			message = data
		}
	})
	var kind uint64
	var k Kind
	var query, response []byte
	ok = ok && message != nil && eachField(message, func(number, n uint64, data []byte) {
		switch number {
		case fieldKind:
			kind = n
		case fieldQueryAddress:
			k.Client = address(data)
		case fieldResponseAddress:
			k.Listener = address(data)
		case fieldQueryMessage:
			query = data
		case fieldResponseMessage:
			response = data
		}
	})
	if !ok {
		q.Unreadable++
		return
	}
	which := int32(0)
	switch kind {
	case kindAuthQuery, kindClientQuery:
		which = 1
	case kindAuthResponse, kindClientResponse:
		which, query = 2, response
	default:
		q.Other++
		return
	}
	if counted.CompareAndSwap(0, which); counted.Load() != which {
		return
	}
	if k.Name, k.Type, k.Subnet, ok = adns.Asked(query); !ok || !k.Client.IsValid() {
		q.Other++
		return
	}
	q.add(k, 1)
}

func address(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a.Unmap()
}

// eachField reads a Protocol Buffers message. It reports false when that is cut or none.
func eachField(b []byte, each func(number, n uint64, data []byte)) bool {
	for len(b) > 0 {
		tag, size := binary.Uvarint(b)
		if size <= 0 {
			return false
		}
		b = b[size:]
		var n uint64
		var data []byte
		switch tag & 7 {
		case 0:
			if n, size = binary.Uvarint(b); size <= 0 {
				return false
			}
		case 1:
			size = 8
		case 2:
			length, prefix := binary.Uvarint(b)
			if prefix <= 0 || length > uint64(len(b)-prefix) {
				return false
			}
			data, size = b[prefix:prefix+int(length)], prefix+int(length)
		case 5:
			size = 4
		default:
			return false
		}
		if size > len(b) {
			return false
		}
		b = b[size:]
		each(tag>>3, n, data)
	}
	return true
}
