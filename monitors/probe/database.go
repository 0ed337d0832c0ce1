package probe

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// Limits of what a database server may send.
const (
	maxDatabaseMessage  = 64 << 10 // of one message, a row among them
	maxDatabaseMessages = 256      // until a login or a query is done
	maxDatabaseBytes    = 1 << 20  // in all
	maxSQLShown         = 40       // bytes of a value in a reason
)

// Stages of a probe of a database.
const (
	loggingIn reason.Stage = "logging in"
	querying  reason.Stage = "waiting for the result of the query"
)

// cell is the first column of the first row of a result.
type cell struct {
	text string
	null bool
	none bool // there is no row
}

func (c cell) String() string {
	switch {
	case c.none:
		return "no row"
	case c.null:
		return "NULL"
	case len(c.text) > maxSQLShown:
		return fmt.Sprintf("%q...", c.text[:maxSQLShown])
	}
	return strconv.Quote(c.text)
}

// shown is a cell without the secrets that the server was told, before it is cut off.
func (x *exchange) shown(c cell) cell {
	c.text = x.veiled(c.text)
	return c
}

// judgeSQL asks for the role and runs the query of the document, after the login.
func (x *exchange) judgeSQL(p *config.SQLProbe, roleQuery string, readOnly func(cell) (bool, error), query func(string) (cell, error)) error {
	if p.Role != "" && p.Role != config.SQLAny {
		got, err := query(roleQuery)
		if err != nil || x.drain {
			return err
		}
		x.step("role", got.text)
		replica, err := readOnly(got)
		switch {
		case err != nil:
			_, err = readOnly(x.shown(got))
			return err
		case replica && p.Role == config.SQLPrimary:
			return unlike("takes no writes, want a primary")
		case !replica && p.Role == config.SQLReplica:
			return unlike("takes writes, want a replica")
		}
		x.passes("%s", p.Role)
	}
	if p.Query == "" {
		return nil
	}
	got, err := query(p.Query)
	if err != nil || x.drain {
		return err
	}
	shown := x.shown(got).String()
	x.step("query", shown)
	if v, err := strconv.ParseFloat(got.text, 64); err == nil && !got.none && !got.null {
		x.value(Value{Name: "query", Value: v})
	}
	if p.Expect != "" && (got.none || got.null || got.text != p.Expect) {
		return unlike("query gave %s, want %s", shown, reason.Quote(p.Expect))
	}
	x.passes("query gave %s", shown)
	return nil
}

// frames reads the messages of a server within the limits of databases.
type frames struct {
	r     io.Reader
	left  int // bytes
	count int // messages
}

func newFrames(r io.Reader) *frames { return &frames{r: r, left: maxDatabaseBytes} }

// errEndless: a server goes on and on.
var errEndless = fmt.Errorf("answer above %d KiB or %d messages", maxDatabaseBytes>>10, maxDatabaseMessages)

// read reads the head of a message, has size tell the length of its body, and reads that.
func (f *frames) read(head []byte, size func() (int, error)) ([]byte, error) {
	if f.count++; f.count > maxDatabaseMessages {
		return nil, errEndless
	}
	if _, err := io.ReadFull(f.r, head); err != nil {
		return nil, err
	}
	n, err := size()
	if err != nil {
		return nil, err
	}
	if n > maxDatabaseMessage {
		return nil, fmt.Errorf("message of %d bytes, above %d KiB", n, maxDatabaseMessage>>10)
	}
	if f.left -= len(head) + n; f.left < 0 {
		return nil, errEndless
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(f.r, body); err != nil {
		return nil, err
	}
	return body, nil
}

// octets reads fields off a message. After the first one that is not there all are empty, and short is set.
type octets struct {
	rest  []byte
	short bool
}

func (o *octets) take(n int) []byte {
	if n < 0 || n > len(o.rest) {
		o.rest, o.short = nil, true
		return make([]byte, max(0, min(n, 8))) // a number that is read from it is 0
	}
	out := o.rest[:n]
	o.rest = o.rest[n:]
	return out
}

func (o *octets) byte() byte { return o.take(1)[0] }

// text reads up to the next zero octet, or all when there is none.
func (o *octets) text() string {
	before, after, _ := strings.Cut(string(o.rest), "\x00")
	o.rest = o.rest[len(o.rest)-len(after):]
	return before
}

// errMalformed: the octets are no message of the protocol.
var errMalformed = errors.New("answer is malformed")
