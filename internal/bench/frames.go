package bench

import (
	"encoding/binary"
	"time"
)

// Messages over streams have two octets of length before them (RFC 1035, 4.2.2).
const (
	frameHeader = 2
	maxMessage  = 512      // the longest query that is composed: a name of 255 octets, OPT with a subnet and a cookie
	readOctets  = 64 << 10 // read at once
)

// frames cuts a stream into messages.
type frames struct {
	buf  []byte
	have int
}

func newFrames() frames { return frames{buf: make([]byte, readOctets+frameHeader+1<<16)} }

func (f *frames) reset() { f.have = 0 }

// room is where to read to next; it is never empty, because a whole message always fits.
func (f *frames) room() []byte { return f.buf[f.have:] }

// each visits the complete messages after n more octets were read.
func (f *frames) each(n int, visit func(message []byte)) {
	rest := f.buf[:f.have+n]
	for len(rest) >= frameHeader {
		length := int(binary.BigEndian.Uint16(rest))
		if len(rest) < frameHeader+length {
			break
		}
		visit(rest[frameHeader : frameHeader+length])
		rest = rest[frameHeader+length:]
	}
	f.have = copy(f.buf, rest)
}

// appendFrames composes n queries, each with its length before it.
func appendFrames(b []byte, w *worker, l *lane, n int, now time.Duration) []byte {
	for range n {
		at := len(b)
		b = append(b, make([]byte, frameHeader+maxMessage)...)
		length := w.compose(l, b[at+frameHeader:], now)
		binary.BigEndian.PutUint16(b[at:], uint16(length))
		b = b[:at+frameHeader+length]
	}
	return b
}
