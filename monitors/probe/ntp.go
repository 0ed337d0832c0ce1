package probe

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// What an NTP packet is made of (RFC 5905 7.3).
const (
	ntpBytes        = 48
	ntpClient       = 0<<6 | 4<<3 | 3 // leap none, version 4, mode client
	ntpServerMode   = 4
	ntpUnknownLeap  = 3          // the server's clock is not synchronized
	ntpUnsynced     = 16         // stratum of one that never was
	ntpEpochOffset  = 2208988800 // seconds from 1900 to 1970
	ntpShownOffsets = time.Microsecond
)

// askNTP asks a time server what time it is, and looks at how good it says its clock is.
func (x *exchange) askNTP() error {
	conn, err := x.dial("udp", 123)
	if err != nil {
		return err
	}
	var request [ntpBytes]byte
	request[0] = ntpClient
	// The transmit timestamp is random: it tells the server nothing about this clock, and an answer must have it.
	rand.Read(request[40:])
	sent := time.Now()
	return x.datagrams(conn, request[:], 0, func(packet []byte) (bool, error) {
		received := time.Now()
		a, err := parseNTP(packet)
		if err != nil {
			return false, err
		}
		if a.origin != binary.BigEndian.Uint64(request[40:]) {
			return false, fmt.Errorf("packet %w", errNotOurs)
		}
		x.answered()
		if x.text(packet) {
			return true, nil
		}
		return true, x.judgeNTP(a, sent, received)
	})
}

// ntpAnswer is a packet of a time server. Timestamps are seconds since 1900 in 32.32 bits, which wrap in 2036.
type ntpAnswer struct {
	leap, stratum      uint8
	reference          [4]byte
	origin             uint64
	received, answered uint64
}

func parseNTP(packet []byte) (ntpAnswer, error) {
	if len(packet) < ntpBytes {
		return ntpAnswer{}, fmt.Errorf("packet of %d bytes is no NTP: it has %d", len(packet), ntpBytes)
	}
	if version, mode := packet[0]>>3&7, packet[0]&7; version < 1 || version > 4 || mode != ntpServerMode {
		return ntpAnswer{}, fmt.Errorf("packet of NTP version %d and mode %d is no server's answer", version, mode)
	}
	return ntpAnswer{
		leap: packet[0] >> 6, stratum: packet[1], reference: [4]byte(packet[12:]),
		origin:   binary.BigEndian.Uint64(packet[24:]),
		received: binary.BigEndian.Uint64(packet[32:]), answered: binary.BigEndian.Uint64(packet[40:]),
	}, nil
}

func (x *exchange) judgeNTP(a ntpAnswer, sent, received time.Time) error {
	s := config.SectionOf(x.monitor.NTP)
	switch {
	case a.stratum == 0 && printableASCII(string(a.reference[:])): // RFC 5905 7.4
		return unlike("kiss-o'-death %s", reason.Quote(string(a.reference[:])))
	case a.leap == ntpUnknownLeap || a.stratum == 0 || a.stratum >= ntpUnsynced:
		return unlike("server's clock is not synchronized")
	case a.answered == 0:
		return errors.New("answer has no time")
	case int(a.stratum) > s.MaxStratum:
		return unlike("stratum %d, want at most %d", a.stratum, s.MaxStratum)
	}
	offset := ntpOffset(a, sent, received)
	x.value(Value{Name: "offset", Value: offset.Seconds(), Unit: "s"})
	x.value(Value{Name: "stratum", Value: float64(a.stratum)})
	if most := s.MaxOffset.Std(); most > 0 && offset.Abs() > most {
		return unlike("offset %v, want at most %v", offset.Round(ntpShownOffsets), most)
	}
	x.passes("stratum %d", a.stratum)
	return nil
}

// ntpOffset is how far the server's clock is ahead of this one, if both ways take equally long.
func ntpOffset(a ntpAnswer, sent, received time.Time) time.Duration {
	return (ntpSince(a.received, sent) + ntpSince(a.answered, received)) / 2
}

// ntpSince is how far a timestamp is after a time; the nearest era counts, which is within 68 years.
func ntpSince(stamp uint64, t time.Time) time.Duration {
	seconds, nanoseconds := uint64(t.Unix()+ntpEpochOffset), uint64(t.Nanosecond())
	here := seconds<<32 | nanoseconds<<32/uint64(time.Second)
	apart := int64(stamp - here)
	whole, part := apart>>32, apart&(1<<32-1)
	return time.Duration(whole)*time.Second + time.Duration(part*int64(time.Second)>>32)
}
