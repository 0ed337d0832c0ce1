package mep

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// FrameType says what a frame carries. A receiver skips types it does not know.
type FrameType uint8

// Frame types. The numbers are part of the protocol: append only. Those after Leaving that version 1 does not know are sent in
// sessions of later versions only.
const (
	FrameHello     FrameType = 1
	FrameKeepAlive FrameType = 2
	FrameLeaving   FrameType = 3
	FrameServices  FrameType = 4
	FrameNetwork   FrameType = 5
	FrameSessions  FrameType = 6
	FrameViews     FrameType = 7
	FrameConfig    FrameType = 8
	FrameDecisions FrameType = 9
	FrameAsk       FrameType = 10
	FrameAnswer    FrameType = 11
	FrameOverrides FrameType = 12
	FrameChanges   FrameType = 13
	FrameAttach    FrameType = 14
	FrameResend    FrameType = 15
)

// String returns the type's name in docs/mep-protocol.md.
func (t FrameType) String() string {
	names := [...]string{"", "Hello", "KeepAlive", "Leaving", "Services", "Network", "Sessions", "Views", "Config",
		"Decisions", "Ask", "Answer", "Overrides", "Changes", "Attach", "Resend"}
	if t == 0 || int(t) >= len(names) {
		return fmt.Sprintf("type %d", uint8(t))
	}
	return names[t]
}

// understood reports whether this release reads the type's payload, in a session of a version.
func (t FrameType) understood(version uint8) bool {
	switch t {
	case FrameHello, FrameKeepAlive, FrameLeaving, FrameServices, FrameViews, FrameAsk, FrameAnswer, FrameOverrides:
		return true
	case FrameNetwork, FrameSessions, FrameConfig, FrameDecisions, FrameChanges, FrameAttach, FrameResend:
		return version >= 2
	}
	return false
}

// Frame flags. Unknown bits are ignored.
const (
	flagMore uint8 = 1 << 0 // what the frame is a part of goes on in the next frame of the type
)

// headerSize is the size of a frame header. Layout, big-endian:
//
//	 0  4  payload length, at most MaxPayload
//	 4  1  type
//	 5  1  flags
//	 6  2  reserved: 0 when sent, ignored when received
//	 8  8  sequence: 1 for the Hello, then one more for every frame of this direction
//	16     payload
const headerSize = 16

type header struct {
	length   uint32
	kind     FrameType
	flags    uint8
	sequence uint64
}

// put writes h over the first headerSize bytes of b.
func (h header) put(b []byte) {
	binary.BigEndian.PutUint32(b[0:], h.length)
	b[4], b[5] = uint8(h.kind), h.flags
	binary.BigEndian.PutUint16(b[6:], 0)
	binary.BigEndian.PutUint64(b[8:], h.sequence)
}

func parseHeader(b *[headerSize]byte) header {
	return header{binary.BigEndian.Uint32(b[0:]), FrameType(b[4]), b[5], binary.BigEndian.Uint64(b[8:])}
}

// appendFrame appends a whole frame whose payload encode appends.
func appendFrame(b []byte, kind FrameType, flags uint8, sequence uint64, encode func([]byte) []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, headerSize)...)
	b = encode(b)
	header{uint32(len(b) - start - headerSize), kind, flags, sequence}.put(b[start:])
	return b
}

// frameReader reads the frames of one direction. After each header the caller takes the payload or discards it.
type frameReader struct {
	r    *bufio.Reader
	buf  []byte // last payload; never longer than MaxPayload
	last uint64 // sequence of the last header
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, readBuffer)}
}

// header reads the next header. Nothing is allocated for a frame that is longer than limit or out of order.
func (f *frameReader) header(limit int) (header, error) {
	var b [headerSize]byte
	if _, err := io.ReadFull(f.r, b[:]); err != nil {
		return header{}, fmt.Errorf("read frame header: %w", err)
	}
	h := parseHeader(&b)
	if h.sequence != f.last+1 {
		return h, f.outOfOrder(h, b)
	}
	if int64(h.length) > int64(limit) {
		return h, refusef(RejectOversize, "read frame %d: %s of %d bytes is above the limit of %d",
			h.sequence, h.kind, h.length, limit)
	}
	f.last = h.sequence
	return h, nil
}

// outOfOrder explains a wrong sequence. The usual cause of one at the very start is an end that speaks another protocol.
func (f *frameReader) outOfOrder(h header, b [headerSize]byte) error {
	if f.last == 0 && b[0] == 0x16 && b[1] == 0x03 { // TLS record: handshake
		return refusef(RejectMalformed, "read first frame: the peer speaks TLS but this site has insecure: true; set it at both sites or at neither")
	}
	return refusef(RejectSequence, "read frame header: sequence %d follows %d, want %d (a frame was replayed or lost, or this is not MEP)",
		h.sequence, f.last, f.last+1)
}

// payload reads the payload of h. The slice is valid until the next call. It grows with the bytes that arrive, not with
// the length that the header claims.
func (f *frameReader) payload(h header) ([]byte, error) {
	b := f.buf[:0]
	for n := int(h.length); len(b) < n; {
		chunk := min(n-len(b), readChunk)
		b = slices.Grow(b, chunk)
		if _, err := io.ReadFull(f.r, b[len(b):len(b)+chunk]); err != nil {
			return nil, fmt.Errorf("read payload of %s: %w", h.kind, unexpected(err))
		}
		b = b[:len(b)+chunk]
	}
	if f.buf = b; cap(b) > keepBuffer {
		f.buf = nil
	}
	return b, nil
}

// discard skips the payload of h.
func (f *frameReader) discard(h header) error {
	if _, err := f.r.Discard(int(h.length)); err != nil {
		return fmt.Errorf("skip payload of %s: %w", h.kind, unexpected(err))
	}
	return nil
}

// unexpected turns an end inside a frame into what it is.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
