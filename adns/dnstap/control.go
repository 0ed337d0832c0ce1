package dnstap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ContentType is what dnstap streams announce.
const ContentType = "protobuf:dnstap.Dnstap"

// Frame Streams (the fstrm library's protocol). All numbers are big-endian and have four octets.
//
//	data frame:     length > 0, data
//	control frame:  0, length, type, fields; a field is type, length, data
//
// The writer sends READY with content types, the reader ACCEPT with those it takes, the writer START with one, data
// frames and STOP, the reader FINISH. A file has START, data frames and STOP.
const (
	frameLengthOctets = 4
	fieldHeaderOctets = 8
	maxControlOctets  = 512 // the limit of the fstrm library
	fieldContentType  = 1
)

// controlType is the type of a control frame.
type controlType uint32

const (
	controlAccept controlType = 1
	controlStart  controlType = 2
	controlStop   controlType = 3
	controlReady  controlType = 4
	controlFinish controlType = 5
)

// String returns the type's name in the protocol.
func (c controlType) String() string {
	if names := [...]string{"", "ACCEPT", "START", "STOP", "READY", "FINISH"}; c > 0 && int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("control frame of type %d", uint32(c))
}

// appendControl appends a control frame, with the content type in those that carry it.
func appendControl(b []byte, c controlType) []byte {
	withType := c == controlReady || c == controlAccept || c == controlStart
	length := frameLengthOctets
	if withType {
		length += fieldHeaderOctets + len(ContentType)
	}
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(length))
	b = binary.BigEndian.AppendUint32(b, uint32(c))
	if withType {
		b = binary.BigEndian.AppendUint32(b, fieldContentType)
		b = binary.BigEndian.AppendUint32(b, uint32(len(ContentType)))
		b = append(b, ContentType...)
	}
	return b
}

// control is a control frame that was read.
type control struct {
	kind  controlType
	types []string // content types; none: any
}

// takes reports whether dnstap is among the content types.
func (c control) takes() bool {
	for _, t := range c.types {
		if t == ContentType {
			return true
		}
	}
	return len(c.types) == 0
}

// readControl reads one control frame. It reads no octet more.
func readControl(r io.Reader) (control, error) {
	var head [2 * frameLengthOctets]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return control{}, err
	}
	if n := binary.BigEndian.Uint32(head[:]); n != 0 {
		return control{}, fmt.Errorf("a data frame of %d octets where a control frame belongs: is this a Frame Streams collector?", n)
	}
	length := binary.BigEndian.Uint32(head[frameLengthOctets:])
	if length < frameLengthOctets || length > maxControlOctets {
		return control{}, fmt.Errorf("a control frame of %d octets; it has %d to %d: is this a Frame Streams collector?", length, frameLengthOctets, maxControlOctets)
	}
	var body [maxControlOctets]byte
	if _, err := io.ReadFull(r, body[:length]); err != nil {
		return control{}, err
	}
	return parseControl(body[:length])
}

// parseControl reads what is behind a control frame's length, which has at least the type.
func parseControl(b []byte) (control, error) {
	c := control{kind: controlType(binary.BigEndian.Uint32(b))}
	for b = b[frameLengthOctets:]; len(b) > 0; {
		if len(b) < fieldHeaderOctets {
			return control{}, fmt.Errorf("%s with a cut field", c.kind)
		}
		kind, length := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
		b = b[fieldHeaderOctets:]
		if uint64(length) > uint64(len(b)) {
			return control{}, fmt.Errorf("%s with a field of %d octets where %d are left", c.kind, length, len(b))
		}
		if kind == fieldContentType {
			c.types = append(c.types, string(b[:length]))
		}
		b = b[length:]
	}
	return c, nil
}

// errContentType is a collector that wants something else.
var errContentType = errors.New("the collector does not take " + ContentType)

// handshake opens a stream to a collector: READY, ACCEPT, START.
func handshake(rw io.ReadWriter) error {
	if _, err := rw.Write(appendControl(nil, controlReady)); err != nil {
		return fmt.Errorf("send READY: %w", err)
	}
	got, err := readControl(rw)
	switch {
	case err != nil:
		return fmt.Errorf("wait for ACCEPT: %w", err)
	case got.kind != controlAccept:
		return fmt.Errorf("wait for ACCEPT: got %s", got.kind)
	case !got.takes():
		return fmt.Errorf("%w but %q", errContentType, got.types)
	}
	if _, err := rw.Write(appendControl(nil, controlStart)); err != nil {
		return fmt.Errorf("send START: %w", err)
	}
	return nil
}
