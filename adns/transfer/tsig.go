package transfer

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/miekg/dns"
)

const (
	// fudgeSeconds is how far clocks may be apart in what is signed here (RFC 8945 section 10).
	fudgeSeconds = 300
	// minMACOctets is the shortest MAC that is looked at; half of the algorithm's own is another bound (section 5.2.2.1).
	minMACOctets = 10
	// maxMessage is the largest DNS message.
	maxMessage = 65535
)

// Signature is what became of a request's TSIG. The zero Signature is that of a request without one.
type Signature struct {
	// Rcode is what the request must be answered with, by a message without data: NOTAUTH when the signature does not
	// hold, FORMERR when the record is out of place. Success: go on.
	Rcode int
	// Error is the code inside the TSIG (BADSIG 16, BADKEY 17, BADTIME 18, BADTRUNC 22), 0 for none.
	Error uint16

	key       *Key
	record    *tsigRecord
	mac       []byte // of the request
	nameWire  []byte // as the answer carries them, also for a key that is not known
	algoWire  []byte
	timestamp uint64 // of this server, in seconds
}

// Verify checks the TSIG of a request (RFC 8945 section 5.2): that it is the last record, that the key is known, that the
// MAC is right, that the clocks agree, that the MAC is not cut. It is the only function that does, whatever the request
// came by. It never panics, and compares in constant time.
func (k *Keys) Verify(request []byte, now time.Time) Signature {
	if len(request) >= headerOctets && binary.BigEndian.Uint16(request[offsetAdditionals:]) == 0 &&
		binary.BigEndian.Uint32(request[6:]) == 0 {
		return Signature{} // no records at all
	}
	t, err := findTSIG(request)
	switch {
	case err != nil:
		return Signature{Rcode: dns.RcodeFormatError}
	case t == nil:
		return Signature{}
	}
	s := Signature{record: t, timestamp: seconds(now)}
	if s.nameWire, err = wireName(t.name); err == nil {
		s.algoWire, err = wireName(t.algorithm)
	}
	if err != nil {
		return Signature{Rcode: dns.RcodeFormatError}
	}
	key := k.Find(t.name)
	if key == nil || key.algorithm != t.algorithm {
		return s.failed(dns.RcodeBadKey)
	}
	if len(t.mac) > key.macOctets || len(t.mac) < max(minMACOctets, key.macOctets/2) {
		return Signature{Rcode: dns.RcodeFormatError}
	}
	h := key.mac()
	t.digestMessage(h, request)
	t.digestVariables(h, key, false)
	sum := h.Sum(nil)
	if !hmac.Equal(sum[:len(t.mac)], t.mac) {
		return s.failed(dns.RcodeBadSig)
	}
	s.key, s.mac = key, slices.Clone(t.mac) // the answer may be written over the request
	switch {
	case !withinFudge(t.time, s.timestamp, t.fudge):
		return s.failed(dns.RcodeBadTime)
	case len(t.mac) < key.macOctets:
		return s.failed(dns.RcodeBadTrunc)
	}
	return s
}

func (s Signature) failed(code uint16) Signature {
	s.Rcode, s.Error = dns.RcodeNotAuth, code
	return s
}

// Key returns the name of the key that the request was signed with, in lower case; empty unless the signature holds.
func (s *Signature) Key() string {
	if s.key == nil || s.Rcode != dns.RcodeSuccess {
		return ""
	}
	return s.key.name
}

// Present reports whether the answer must carry a TSIG.
func (s *Signature) Present() bool { return s.record != nil }

// Room is how many octets Sign adds.
func (s *Signature) Room() int {
	if !s.Present() {
		return 0
	}
	n := len(s.nameWire) + recordOctets + len(s.algoWire) + 16
	if s.key != nil {
		n += s.key.macOctets
	}
	if s.Error == dns.RcodeBadTime {
		n += 6
	}
	return n
}

// Sign appends the TSIG that answers the request's (RFC 8945 section 5.3) to a packed response without one; the response
// may grow in place. A key that is not known and a MAC that is wrong are answered without a MAC, since there is nothing
// to sign with; BADTIME carries this server's clock. Without a TSIG in the request the response comes back as it is.
func (s *Signature) Sign(response []byte) ([]byte, error) {
	if !s.Present() {
		return response, nil
	}
	t := s.answerRecord(response)
	if s.key != nil {
		t.mac = t.compute(s.key, response, s.mac, false)
	}
	return appendChecked(t, response, s.nameWire, s.algoWire)
}

// answerRecord is the TSIG of a response without its MAC.
func (s *Signature) answerRecord(response []byte) *tsigRecord {
	t := &tsigRecord{start: len(response), time: s.timestamp, fudge: fudgeSeconds,
		originalID: binary.BigEndian.Uint16(response), err: s.Error}
	if s.Error == dns.RcodeBadTime { // section 5.2.3: the client's time, so that it can check the MAC
		t.time, t.fudge = s.record.time, s.record.fudge
		t.other = binary.BigEndian.AppendUint16(nil, uint16(s.timestamp>>32))
		t.other = binary.BigEndian.AppendUint32(t.other, uint32(s.timestamp))
	}
	return t
}

// compute returns the MAC of a message that has no TSIG yet.
func (t *tsigRecord) compute(k *Key, msg, prior []byte, timersOnly bool) []byte {
	h := k.mac()
	digestPrior(h, prior)
	t.digestMessage(h, msg)
	t.digestVariables(h, k, timersOnly)
	return h.Sum(nil)
}

func appendChecked(t *tsigRecord, msg, nameWire, algoWire []byte) ([]byte, error) {
	if len(msg) < headerOctets {
		return nil, errors.New("sign message: it is shorter than a header")
	}
	out := t.append(msg, nameWire, algoWire)
	if len(out) > maxMessage {
		return nil, fmt.Errorf("sign message: %d octets with its TSIG; at most %d", len(out), maxMessage)
	}
	return out, nil
}

// signRequest appends a TSIG to a request, which may grow in place, and returns its MAC, which the answer is checked with.
func (k *Key) signRequest(msg []byte, now time.Time) (signed, mac []byte, err error) {
	t := &tsigRecord{start: len(msg), time: seconds(now), fudge: fudgeSeconds, originalID: binary.BigEndian.Uint16(msg)}
	t.mac = t.compute(k, msg, nil, false)
	signed, err = appendChecked(t, msg, k.nameWire, k.algoWire)
	return signed, t.mac, err
}

// withinFudge reports whether two clocks are at most fudge seconds apart.
func withinFudge(a, b uint64, fudge uint16) bool {
	if a < b {
		a, b = b, a
	}
	return a-b <= uint64(fudge)
}

// seconds is the time as TSIG has it: 48 bits.
func seconds(now time.Time) uint64 { return uint64(max(now.Unix(), 0)) & (1<<48 - 1) }
