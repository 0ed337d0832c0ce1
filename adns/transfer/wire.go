package transfer

import (
	"encoding/binary"
	"fmt"

	"github.com/miekg/dns"
)

// appendRecord writes a record without compression behind b: the form in which records are compared and kept.
func appendRecord(b []byte, rr dns.RR) ([]byte, error) {
	size := dns.Len(rr) + maxNameOctets // Len is exact for most types and a little low for some
	start := len(b)
	for {
		if cap(b)-start < size {
			b = append(b, make([]byte, size)...)
		}
		end, err := dns.PackRR(rr, b[:start+size], start, nil, false)
		if err == nil {
			return b[:end], nil
		}
		if size > maxMessage {
			return b[:start], fmt.Errorf("pack record %s %s: %w", rr.Header().Name, dns.Type(rr.Header().Rrtype), err)
		}
		size = maxMessage + recordOctets + maxNameOctets
	}
}

// recordEnd returns the offset behind the uncompressed record at off, and that of its fixed part.
func recordEnd(b []byte, off int) (fixed, end int, ok bool) {
	fixed, ok = skipName(b, off)
	if !ok || fixed+recordOctets > len(b) {
		return 0, 0, false
	}
	end = fixed + recordOctets + int(binary.BigEndian.Uint16(b[fixed+8:]))
	return fixed, end, end <= len(b)
}

// eachRecord calls yield with each of the uncompressed records in b until it returns an error.
func eachRecord(b []byte, yield func(wire []byte) error) error {
	for off := 0; off < len(b); {
		_, end, ok := recordEnd(b, off)
		if !ok {
			return fmt.Errorf("records are cut at octet %d", off)
		}
		if err := yield(b[off:end]); err != nil {
			return err
		}
		off = end
	}
	return nil
}

// unpackRecords is the records of b.
func unpackRecords(b []byte) ([]dns.RR, error) {
	var out []dns.RR
	err := eachRecord(b, func(wire []byte) error {
		rr, _, err := dns.UnpackRR(wire, 0)
		if err != nil {
			return fmt.Errorf("read record: %w", err)
		}
		out = append(out, rr)
		return nil
	})
	return out, err
}

// identity is a record without its TTL: what makes two records the same (RFC 2181 section 5).
func identity(wire []byte) string {
	fixed, ok := skipName(wire, 0)
	if !ok {
		return string(wire)
	}
	b := make([]byte, 0, len(wire)-4)
	b = append(b, wire[:fixed+4]...)
	return string(append(b, wire[fixed+8:]...))
}
