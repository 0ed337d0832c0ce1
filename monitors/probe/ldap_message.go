package probe

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"fairlead/monitors/reason"
)

// Limits of what a directory server says.
const (
	maxLDAPBytes    = 64 << 10 // one message
	maxLDAPMessages = 16       // in answer to one request
)

// directory is a conversation in LDAP messages. The connection of package ldap is not used: it has goroutines of its own, and takes messages
// of any length.
type directory struct {
	x    *exchange
	conn net.Conn
	r    *bufio.Reader
	id   int64 // of the last request
}

func newDirectory(x *exchange, conn net.Conn) *directory {
	return &directory{x: x, conn: conn, r: bufio.NewReader(conn)}
}

// send sends a request.
func (d *directory) send(request *ber.Packet) error {
	d.id++
	message := ber.NewSequence("")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, d.id, ""))
	message.AppendChild(request)
	_, err := d.conn.Write(message.Bytes())
	return err
}

// ask sends a request and reads up to an answer of one of these operations. word names the request in reasons.
func (d *directory) ask(word string, request *ber.Packet, want ...ber.Tag) (ldapAnswer, error) {
	stage := reason.AnswerTo(word)
	if err := d.send(request); err != nil {
		return ldapAnswer{}, reason.During(stage, err)
	}
	for range maxLDAPMessages {
		raw, err := d.read()
		if err != nil {
			return ldapAnswer{}, reason.During(stage, err)
		}
		d.x.answered()
		if d.x.text(raw) {
			return ldapAnswer{}, errDrains
		}
		a, err := parseLDAP(raw)
		a.diagnostic = d.x.veiled(a.diagnostic)
		switch {
		case err != nil:
			return ldapAnswer{}, err
		case a.id == 0: // RFC 4511 4.4.1: a notice of disconnection
			return ldapAnswer{}, unlike("server disconnects: %s", a)
		case a.id == d.id && slices.Contains(want, a.operation):
			d.x.step(word, a.String())
			return a, nil
		}
	}
	return ldapAnswer{}, fmt.Errorf("%d messages, none that answers the %s", maxLDAPMessages, word)
}

// encrypt puts TLS on the connection, as lines.startTLS does.
func (d *directory) encrypt() error {
	if n := d.r.Buffered(); n > 0 {
		return fmt.Errorf("%d bytes in clear after the agreement on TLS: somebody may be in between", n)
	}
	conn, err := d.x.secure(d.conn, "")
	if err != nil {
		return err
	}
	d.conn = conn
	d.r.Reset(conn)
	return nil
}

// read reads a message: a sequence of definite length (RFC 4511 5.1).
func (d *directory) read() ([]byte, error) {
	head, err := d.r.Peek(2)
	if err != nil {
		return nil, err
	}
	length, header := int(head[1]), 2
	if head[0] != byte(ber.TypeConstructed)|byte(ber.TagSequence) {
		return nil, errors.New("answer is not LDAP")
	}
	if length >= 0x80 {
		more := length & 0x7F
		if more == 0 || more > 4 {
			return nil, errors.New("LDAP message without a length that can be")
		}
		header += more
		if head, err = d.r.Peek(header); err != nil {
			return nil, err
		}
		length = 0
		for _, b := range head[2:] {
			length = length<<8 | int(b)
		}
	}
	if length > maxLDAPBytes {
		return nil, fmt.Errorf("LDAP message above %d KiB", maxLDAPBytes>>10)
	}
	raw := make([]byte, header+length)
	if _, err := io.ReadFull(d.r, raw); err != nil {
		return nil, err
	}
	return raw, nil
}

// ldapAnswer is what counts of a message. Entries have no code.
type ldapAnswer struct {
	id         int64
	operation  ber.Tag
	code       int64
	diagnostic string
}

// String names the result.
func (a ldapAnswer) String() string {
	if a.operation == ldap.ApplicationSearchResultEntry {
		return "an entry"
	}
	text := fmt.Sprintf("result %d", a.code)
	if name := ldap.LDAPResultCodeMap[uint16(a.code)]; name != "" && a.code < 1<<16 {
		text += " " + name
	}
	if a.diagnostic != "" {
		text += " " + reason.Quote(a.diagnostic)
	}
	return text
}

// succeeded is nil for a result that is success. word names the request.
func (a ldapAnswer) succeeded(word string) error {
	if a.code != ldap.LDAPResultSuccess {
		return unlike("%s: %s", word, a)
	}
	return nil
}

// parseLDAP takes a message apart (RFC 4511 4.1.1, 4.1.9). Only what counts is looked at: decoding all of it as a tree costs memory that grows
// with its depth times its length.
func parseLDAP(raw []byte) (ldapAnswer, error) {
	message, _, ok := cutBER(raw, byte(ber.TypeConstructed)|byte(ber.TagSequence))
	if !ok {
		return ldapAnswer{}, errors.New("answer is not LDAP")
	}
	if len(message) == 0 {
		return ldapAnswer{}, errors.New("LDAP message without an operation")
	}
	number, rest, ok := cutBER(message, byte(ber.TagInteger))
	id, isID := naturalBER(number)
	if !ok || !isID || len(rest) == 0 || ber.Class(rest[0])&ber.ClassBitmask != ber.ClassApplication {
		return ldapAnswer{}, errors.New("LDAP message without an identifier or an operation")
	}
	a := ldapAnswer{id: id, operation: ber.Tag(rest[0]) & ber.TagBitmask}
	body, _, ok := cutBER(rest, rest[0])
	if !ok {
		return ldapAnswer{}, errors.New("LDAP operation that does not end within its message")
	}
	if a.operation == ldap.ApplicationSearchResultEntry || a.operation == ldap.ApplicationSearchResultReference || a.operation == ldap.ApplicationIntermediateResponse {
		return a, nil
	}
	result, rest, hasCode := cutBER(body, byte(ber.TagEnumerated))
	_, rest, hasDN := cutBER(rest, byte(ber.TagOctetString))
	diagnostic, _, hasText := cutBER(rest, byte(ber.TagOctetString))
	if !hasCode || !hasDN || !hasText {
		return ldapAnswer{}, errors.New("LDAP result without its parts")
	}
	if a.code, ok = naturalBER(result); !ok {
		return ldapAnswer{}, errors.New("LDAP result without a code")
	}
	a.diagnostic = string(diagnostic)
	return a, nil
}

// cutBER takes an element with this identifier off b. LDAP has lengths in the definite form alone (RFC 4511 5.1).
func cutBER(b []byte, identifier byte) (value, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != identifier || ber.Tag(b[0])&ber.TagBitmask == ber.TagBitmask {
		return nil, nil, false
	}
	length, header := uint64(b[1]), 2
	if length >= 0x80 {
		header += int(length & 0x7F)
		if header == 2 || header > 6 || len(b) < header {
			return nil, nil, false
		}
		length = 0
		for _, octet := range b[2:header] {
			length = length<<8 | uint64(octet)
		}
	}
	if length > uint64(len(b)-header) {
		return nil, nil, false
	}
	end := header + int(length)
	return b[header:end], b[end:], true
}

// naturalBER reads an integer from 0 to 2^31-1, as identifiers and codes are.
func naturalBER(value []byte) (n int64, ok bool) {
	if len(value) < 1 || len(value) > 4 || value[0] >= 0x80 {
		return 0, false
	}
	for _, octet := range value {
		n = n<<8 | int64(octet)
	}
	return n, true
}
