package mep

import (
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// cursor reads a payload field by field. The first error sticks and later reads return zero, so decoders check once.
type cursor struct {
	what string // the frame, for errors
	b    []byte
	at   int
	base int // offset of b in the payload, for errors
	err  error
}

func (c *cursor) failf(format string, args ...any) {
	if c.err == nil {
		c.err = refusef(RejectMalformed, "decode %s at byte %d: "+format,
			append([]any{c.what, c.base + c.at}, args...)...)
	}
}

// take returns the next n bytes, which alias the payload.
func (c *cursor) take(n int) []byte {
	if c.err != nil {
		return nil
	}
	if n > len(c.b)-c.at {
		c.failf("%d bytes needed, %d left", n, len(c.b)-c.at)
		return nil
	}
	c.at += n
	return c.b[c.at-n : c.at]
}

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) uvarint() uint64 {
	if c.err != nil {
		return 0
	}
	v, n := binary.Uvarint(c.b[c.at:])
	if n <= 0 {
		c.failf("bad variable-length integer")
		return 0
	}
	c.at += n
	return v
}

// name reads a one-byte length and a site's name.
func (c *cursor) name() string {
	b := c.take(int(c.u8()))
	if c.err != nil {
		return ""
	}
	if !validName(b) {
		c.failf("%q is not a name: 1 to %d letters, digits, '-', '_' or '.'", b, MaxName)
		return ""
	}
	return string(b)
}

// serviceName reads a one-byte length and a service's name. before is returned without a copy if it is the same name.
func (c *cursor) serviceName(before string) string {
	b := c.take(int(c.u8()))
	if c.err != nil {
		return ""
	}
	if len(before) > 0 && string(b) == before {
		return before
	}
	if !validServiceName(b) {
		c.failf("%q is not a service's name: 1 to %d letters, digits, '-', '_' or '.', of a service of a group with one ':'", b, MaxName)
		return ""
	}
	return string(b)
}

// text reads a one-byte length and text for people, which never reaches a log with control characters in it.
func (c *cursor) text(most int, before string) string {
	b := c.take(int(c.u8()))
	if c.err != nil || len(b) == 0 {
		return ""
	}
	if string(b) == before {
		return before
	}
	if len(b) > most {
		c.failf("text of %d bytes is above the limit of %d", len(b), most)
		return ""
	}
	if !printable(string(b)) {
		c.failf("text %q is not printable UTF-8", b)
		return ""
	}
	return string(b)
}

func appendText(b []byte, s string) []byte { return append(append(b, uint8(len(s))), s...) }

// ValidName reports whether s can name a site: 1 to MaxName ASCII letters, digits, '-', '_' or '.'.
func ValidName(s string) bool { return validName(s) }

// ValidServiceName reports whether s can name a service: as a site, or GROUP:MEMBER, with one ':' that is neither first nor
// last. MaxName counts all of it.
func ValidServiceName(s string) bool { return validServiceName(s) }

func validName[T string | []byte](s T) bool {
	if len(s) == 0 || len(s) > MaxName {
		return false
	}
	for i := range len(s) {
		if !nameCharacter(s[i]) {
			return false
		}
	}
	return true
}

func validServiceName[T string | []byte](s T) bool {
	if len(s) == 0 || len(s) > MaxName {
		return false
	}
	colons := 0
	for i := range len(s) {
		switch {
		case s[i] == ':' && i > 0 && i < len(s)-1:
			colons++
		case !nameCharacter(s[i]):
			return false
		}
	}
	return colons <= 1
}

func nameCharacter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

func printable(s string) bool {
	i := 0
	for i < len(s) && s[i] >= ' ' && s[i] <= '~' {
		i++
	}
	for _, r := range s[i:] {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// printableText makes s fit to be sent as text of at most most bytes.
func printableText(s string, most int) string {
	if len(s) <= most && printable(s) {
		return s
	}
	out := make([]byte, 0, most)
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = ' '
		}
		if len(out)+utf8.RuneLen(r) > most {
			break
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}
