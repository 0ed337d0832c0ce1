package transfer

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/miekg/dns"
)

// maxUnsigned is how many messages in a row of a transfer may come without a TSIG (RFC 8945 section 5.3.1).
const maxUnsigned = 99

// signer signs the messages of one transfer: the first as any answer, each further one over the MAC before it and the
// timers alone (RFC 8945 section 5.3.1). All messages are signed.
type signer struct {
	sig   *Signature
	now   func() time.Time
	prior []byte
	more  bool
}

func (s *signer) sign(msg []byte) ([]byte, error) {
	if s.sig == nil || !s.sig.Present() {
		return msg, nil
	}
	timersOnly := s.more
	if !s.more {
		s.more, s.prior = true, s.sig.mac
	} else {
		s.sig.timestamp = seconds(s.now())
	}
	t := s.sig.answerRecord(msg)
	if s.sig.key == nil {
		return appendChecked(t, msg, s.sig.nameWire, s.sig.algoWire)
	}
	t.mac = t.compute(s.sig.key, msg, s.prior, timersOnly)
	s.prior = t.mac
	return appendChecked(t, msg, s.sig.nameWire, s.sig.algoWire)
}

// checker verifies the answer to a signed request, message by message.
type checker struct {
	key      *Key // nil: nothing is signed
	prior    []byte
	now      func() time.Time
	sum      hash.Hash // over what came since the last TSIG
	unsigned int
	later    bool // the first message was checked
}

// check verifies the next message. Without a key a message with a TSIG is refused: nobody asked for one.
func (c *checker) check(msg []byte) error {
	t, err := findTSIG(msg)
	switch {
	case err != nil:
		return err
	case c.key == nil && t == nil:
		return nil
	case c.key == nil:
		return errors.New("the answer is signed, but no key is configured")
	case t == nil:
		return c.withoutTSIG(msg)
	case t.err != 0 && t.err != dns.RcodeBadTime:
		return fmt.Errorf("the other server refuses the signature: %s", tsigErrorName(t.err))
	case t.name != c.key.name || t.algorithm != c.key.algorithm:
		return fmt.Errorf("the answer is signed with key %q (%s), the request was with %q (%s)", t.name, t.algorithm, c.key.name, c.key.algorithm)
	}
	if c.sum == nil {
		c.start()
	}
	t.digestMessage(c.sum, msg)
	t.digestVariables(c.sum, c.key, c.later)
	sum := c.sum.Sum(nil)
	c.sum, c.unsigned, c.later = nil, 0, true
	switch {
	case len(t.mac) != c.key.macOctets || !hmac.Equal(sum, t.mac):
		return errors.New("the signature of the answer is wrong")
	case t.err == dns.RcodeBadTime:
		return fmt.Errorf("the other server refuses the signature: BADTIME; its clock says %d seconds, this one %d", otherTime(t.other), seconds(c.now()))
	case !withinFudge(t.time, seconds(c.now()), t.fudge):
		return fmt.Errorf("the answer was signed at %d seconds, and this clock says %d", t.time, seconds(c.now()))
	}
	c.prior = append([]byte(nil), t.mac...)
	return nil
}

func (c *checker) start() {
	c.sum = c.key.mac()
	digestPrior(c.sum, c.prior)
}

// withoutTSIG takes a message that a later one must vouch for.
func (c *checker) withoutTSIG(msg []byte) error {
	if !c.later {
		return errors.New("the answer is not signed")
	}
	if c.unsigned++; c.unsigned > maxUnsigned {
		return fmt.Errorf("more than %d messages without a signature", maxUnsigned)
	}
	if c.sum == nil {
		c.start()
	}
	c.sum.Write(msg)
	return nil
}

// end reports whether the last message was signed, which it must be.
func (c *checker) end() error {
	if c.unsigned > 0 {
		return errors.New("the last message is not signed")
	}
	return nil
}

// otherTime reads the clock in the other data of a BADTIME.
func otherTime(b []byte) uint64 {
	if len(b) != 6 {
		return 0
	}
	return uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
}

func tsigErrorName(code uint16) string {
	switch code {
	case dns.RcodeBadSig:
		return "BADSIG"
	case dns.RcodeBadKey:
		return "BADKEY"
	case dns.RcodeBadTrunc:
		return "BADTRUNC"
	}
	return fmt.Sprintf("error %d", code)
}
