package dnstap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// tapped is a Dnstap message as a collector sees it.
type tapped struct {
	Identity, Version             string
	Type, Kind, Family, Protocol  uint64
	QueryAddress, ResponseAddress string
	QueryPort, ResponsePort       uint64
	QuerySec, ResponseSec         uint64
	QueryNsec, ResponseNsec       uint32
	Query, Response               string
	Zone                          string
}

// field is one field of a Protocol Buffers message.
type field struct {
	number, varint uint64
	data           []byte
}

// fields reads a Protocol Buffers message without knowing what it means.
func fields(b []byte) (out []field, err error) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errors.New("cut tag")
		}
		b = b[n:]
		f := field{number: tag >> 3}
		switch tag & 7 {
		case 0:
			if f.varint, n = binary.Uvarint(b); n <= 0 {
				return nil, errors.New("cut varint")
			}
			b = b[n:]
		case 2:
			length, n := binary.Uvarint(b)
			if n <= 0 || uint64(len(b)-n) < length {
				return nil, errors.New("cut bytes")
			}
			f.data, b = b[n:n+int(length)], b[n+int(length):]
		case 5:
			if len(b) < 4 {
				return nil, errors.New("cut fixed32")
			}
			f.varint, b = uint64(binary.LittleEndian.Uint32(b)), b[4:]
		default:
			return nil, fmt.Errorf("wire type %d", tag&7)
		}
		out = append(out, f)
	}
	return out, nil
}

// decode reads one Dnstap message, by the numbers of dnstap.proto.
func decode(b []byte) (t tapped, err error) {
	outer, err := fields(b)
	if err != nil {
		return t, err
	}
	var message []field
	for _, f := range outer {
		switch f.number {
		case 1:
			t.Identity = string(f.data)
		case 2:
			t.Version = string(f.data)
		case 14:
			if message, err = fields(f.data); err != nil {
				return t, err
			}
		case 15:
			t.Type = f.varint
		default:
			return t, fmt.Errorf("field %d of Dnstap", f.number)
		}
	}
	for _, f := range message {
		if err := t.set(f); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *tapped) set(f field) error {
	switch f.number {
	case 1:
		t.Kind = f.varint
	case 2:
		t.Family = f.varint
	case 3:
		t.Protocol = f.varint
	case 4:
		t.QueryAddress = address(f.data)
	case 5:
		t.ResponseAddress = address(f.data)
	case 6:
		t.QueryPort = f.varint
	case 7:
		t.ResponsePort = f.varint
	case 8:
		t.QuerySec = f.varint
	case 9:
		t.QueryNsec = uint32(f.varint)
	case 10:
		t.Query = string(f.data)
	case 11:
		t.Zone = string(f.data)
	case 12:
		t.ResponseSec = f.varint
	case 13:
		t.ResponseNsec = uint32(f.varint)
	case 14:
		t.Response = string(f.data)
	default:
		return fmt.Errorf("field %d of Message", f.number)
	}
	return nil
}

func address(b []byte) string {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return fmt.Sprintf("%d octets", len(b))
	}
	return a.String()
}

// readFrames reads data frames until STOP, whose absence is an error.
func readFrames(r io.Reader, each func(tapped)) error {
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		length := binary.BigEndian.Uint32(head[:])
		if length == 0 {
			var rest [8]byte
			if _, err := io.ReadFull(r, rest[:]); err != nil {
				return err
			}
			if got := controlType(binary.BigEndian.Uint32(rest[4:])); got != controlStop {
				return fmt.Errorf("got %s, want STOP", got)
			}
			return nil
		}
		data := make([]byte, length)
		if _, err := io.ReadFull(r, data); err != nil {
			return err
		}
		t, err := decode(data)
		if err != nil {
			return err
		}
		each(t)
	}
}
