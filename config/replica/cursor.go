package replica

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"fairlead/config"
)

// cursor takes from a message; after the first error it returns zeros.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) failf(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: "+format, append([]any{errMalformed}, args...)...)
	}
	c.b = nil
}

// take returns the next n bytes as a part of the message.
func (c *cursor) take(n int) []byte {
	if n > len(c.b) {
		c.failf("%d bytes are missing", n-len(c.b))
	}
	if c.err != nil {
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) varint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.failf("a varint that ends nowhere")
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) text(most int) []byte {
	n := c.varint()
	if n > uint64(most) {
		c.failf("a text of %d bytes is above %d", n, most)
		return nil
	}
	return c.take(int(n))
}

func (c *cursor) hash() (h config.ObjectHash) {
	copy(h[:], c.take(len(h)))
	return h
}

// id reads an id; zeros are none.
func (c *cursor) id() string {
	id := hex.EncodeToString(c.take(idSize))
	if strings.Trim(id, "0") == "" {
		return ""
	}
	return id
}

// printable leaves out what a terminal might obey.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(string(b), ""))
}
