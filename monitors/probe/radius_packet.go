package probe

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
)

// Kinds of RADIUS packets and attributes (RFC 2865, 2866, 3579, 5997).
const (
	radiusAccessRequest      = 1
	radiusAccessAccept       = 2
	radiusAccessReject       = 3
	radiusAccountingRequest  = 4
	radiusAccountingResponse = 5
	radiusAccessChallenge    = 11
	radiusStatusServer       = 12

	radiusUserName             = 1
	radiusUserPassword         = 2
	radiusNASIdentifier        = 32
	radiusAcctStatusType       = 40
	radiusAcctSessionID        = 44
	radiusMessageAuthenticator = 80

	radiusHeaderBytes   = 20
	maxRADIUSBytes      = 4096
	maxRADIUSValueBytes = 253
)

// radiusCodes are the names of answers.
var radiusCodes = [256]string{
	radiusAccessAccept: "Access-Accept", radiusAccessReject: "Access-Reject",
	radiusAccountingResponse: "Accounting-Response", radiusAccessChallenge: "Access-Challenge",
}

// radiusPacket is one that was received: its length is right, and its attributes fill it.
type radiusPacket struct {
	raw           []byte
	authenticator int // where the value of Message-Authenticator is; 0: there is none
}

func (p radiusPacket) code() byte { return p.raw[0] }
func (p radiusPacket) id() byte   { return p.raw[1] }

// parseRADIUS takes a packet apart. What is behind its length is padding (RFC 2865 section 3).
func parseRADIUS(packet []byte) (radiusPacket, error) {
	if len(packet) < radiusHeaderBytes {
		return radiusPacket{}, fmt.Errorf("packet of %d bytes is no RADIUS", len(packet))
	}
	length := int(binary.BigEndian.Uint16(packet[2:]))
	if length < radiusHeaderBytes || length > maxRADIUSBytes || length > len(packet) {
		return radiusPacket{}, fmt.Errorf("RADIUS packet of %d bytes says that it has %d", len(packet), length)
	}
	p := radiusPacket{raw: packet[:length]}
	for at := radiusHeaderBytes; at < length; {
		if length-at < 2 || int(p.raw[at+1]) < 2 || int(p.raw[at+1]) > length-at {
			return radiusPacket{}, fmt.Errorf("RADIUS attribute at byte %d does not end within its packet", at)
		}
		size := int(p.raw[at+1])
		if p.raw[at] == radiusMessageAuthenticator {
			if size != 2+md5.Size || p.authenticator != 0 {
				return radiusPacket{}, errors.New("RADIUS packet with a Message-Authenticator of another length, or with two")
			}
			p.authenticator = at + 2
		}
		at += size
	}
	return p, nil
}

// signed checks the Response Authenticator of an answer: without the right one anybody can have sent it.
func (p radiusPacket) signed(request [16]byte, secret string) error {
	sum := md5.New()
	sum.Write(p.raw[:4])
	sum.Write(request[:])
	sum.Write(p.raw[radiusHeaderBytes:])
	sum.Write([]byte(secret))
	if !hmac.Equal(sum.Sum(nil), p.raw[4:radiusHeaderBytes]) {
		return errors.New("answer has a wrong Response Authenticator: compare radius.secret with the server's")
	}
	return nil
}

// unforged checks the Message-Authenticator of an answer: without it somebody in between can turn a reject into an accept
// (CVE-2024-3596, BlastRADIUS). Only Accounting-Response, which decides nothing, may do without.
func (p radiusPacket) unforged(request [16]byte, secret string) error {
	switch {
	case p.authenticator == 0 && p.code() == radiusAccountingResponse:
		return nil
	case p.authenticator == 0:
		return errors.New("answer has no Message-Authenticator, so that it can be forged (CVE-2024-3596): have the server send it")
	case !hmac.Equal(messageAuthenticator(p.raw, p.authenticator, request, secret), p.raw[p.authenticator:p.authenticator+md5.Size]):
		return errors.New("answer has a wrong Message-Authenticator")
	}
	return nil
}

// messageAuthenticator signs a packet (RFC 3579 3.2) as if it had the authenticator of the request, and zeros where the signature is.
func messageAuthenticator(raw []byte, at int, request [16]byte, secret string) []byte {
	mac := hmac.New(md5.New, []byte(secret))
	mac.Write(raw[:4])
	mac.Write(request[:])
	mac.Write(raw[radiusHeaderBytes:at])
	mac.Write(make([]byte, md5.Size))
	mac.Write(raw[at+md5.Size:])
	return mac.Sum(nil)
}

// hidePassword is what a password looks like in User-Password (RFC 2865 5.2): padded to blocks of 16, each mixed with a hash of the secret
// and the block before.
func hidePassword(password, secret string, authenticator [16]byte) []byte {
	hidden := make([]byte, max(md5.Size, (len(password)+md5.Size-1)/md5.Size*md5.Size))
	copy(hidden, password)
	before := authenticator[:]
	for at := 0; at < len(hidden); at += md5.Size {
		pad := md5.Sum(append([]byte(secret), before...))
		for i := range pad {
			hidden[at+i] ^= pad[i]
		}
		before = hidden[at : at+md5.Size]
	}
	return hidden
}

// radiusWriter builds a request: identifier and authenticator are random before it starts.
type radiusWriter struct {
	raw           []byte
	authenticator int // as in radiusPacket
}

func (w *radiusWriter) start(code byte) { w.raw[0] = code }

// attribute appends one; of a value that is too long its beginning.
func (w *radiusWriter) attribute(kind byte, value []byte) {
	value = value[:min(len(value), maxRADIUSValueBytes)]
	w.raw = append(append(w.raw, kind, byte(2+len(value))), value...)
}

// reserveAuthenticator appends a Message-Authenticator, which sign fills in.
func (w *radiusWriter) reserveAuthenticator() {
	w.authenticator = len(w.raw) + 2
	w.attribute(radiusMessageAuthenticator, make([]byte, md5.Size))
}

// sign fills in length and signature and returns the packet.
func (w *radiusWriter) sign(secret string) []byte {
	binary.BigEndian.PutUint16(w.raw[2:], uint16(len(w.raw)))
	if w.authenticator != 0 {
		copy(w.raw[w.authenticator:], messageAuthenticator(w.raw, w.authenticator, [16]byte(w.raw[4:]), secret))
		return w.raw
	}
	clear(w.raw[4:radiusHeaderBytes]) // RFC 2866 section 3
	sum := md5.Sum(append(append([]byte(nil), w.raw...), secret...))
	copy(w.raw[4:], sum[:])
	return w.raw
}
