package probe

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"fairlead/monitors/reason"
)

// Limits of conversations in lines of text.
const (
	maxLineBytes  = 4 << 10                // one line of a server, its end included
	maxReplyLines = 100                    // lines of one reply
	farewell      = 200 * time.Millisecond // wait for the answer to the command that ends a conversation
)

// errDrains ends a conversation in which an answer matched drain_on.
var errDrains = errors.New("the target asks to be drained")

// spoken is the outcome of a conversation: one that was ended by drain_on has none to complain of.
func spoken(err error) error {
	if errors.Is(err, errDrains) {
		return nil
	}
	return err
}

// lines is a conversation in lines of text, as mail, file transfer and SIP have it. It belongs to one goroutine.
type lines struct {
	x     *exchange
	conn  net.Conn
	r     *bufio.Reader
	stage reason.Stage // what is waited for
}

func (x *exchange) converseOn(conn net.Conn) *lines {
	return &lines{x: x, conn: conn, r: bufio.NewReaderSize(conn, maxLineBytes), stage: reason.Greeting}
}

// openLines opens a connection as open does, and starts a conversation on it.
func (x *exchange) openLines(standard, standardTLS uint16) (*lines, error) {
	conn, err := x.open(standard, standardTLS)
	if err != nil {
		return nil, err
	}
	return x.converseOn(conn), nil
}

// read reads a line, without its end. It returns errDrains when drain_on matches in it.
func (l *lines) read() (string, error) {
	if _, err := l.r.Peek(1); err != nil {
		return "", reason.During(l.stage, err)
	}
	l.x.answered()
	line, err := l.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("line above %d KiB %s", maxLineBytes>>10, l.stage)
	case err != nil:
		return "", reason.During(l.stage, err)
	case l.x.text(line):
		return "", errDrains
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// write sends one line. What the document or a secret says cannot become a second one.
func (l *lines) write(line string) error {
	if strings.ContainsAny(line, "\r\n\x00") {
		return errors.New("what the monitor has to send has a line end or a NUL in it: look at login and the password")
	}
	_, err := l.conn.Write([]byte(line + "\r\n"))
	return reason.During(l.stage, err)
}

// command sends a line whose answer is waited for from here on. word names it in reasons: arguments may be secret.
func (l *lines) command(word, line string) error {
	l.stage = reason.AnswerTo(word)
	return l.write(line)
}

// startTLS encrypts the connection once the server agreed to it. What came in clear behind the agreement was put there by somebody
// (CVE-2011-0411 and its kin): it must not be taken for what the server says encrypted.
func (l *lines) startTLS() error {
	if n := l.r.Buffered(); n > 0 {
		return fmt.Errorf("%d bytes in clear after the agreement on TLS: somebody may be in between", n)
	}
	conn, err := l.x.secure(l.conn, "")
	if err != nil {
		return err
	}
	l.conn = conn
	l.r.Reset(conn)
	return nil
}

// quit ends the conversation as the protocol wants it. How the server takes that says nothing about it any more.
func (l *lines) quit(line string) {
	if l.write(line) != nil {
		return
	}
	until := time.Now().Add(farewell)
	if l.x.deadline.Before(until) {
		until = l.x.deadline
	}
	_ = l.conn.SetReadDeadline(until)
	if l.x.ctx.Err() == nil { // its end may have been before the deadline was put off
		_, _ = l.r.ReadSlice('\n')
	}
}

// reply is an answer in lines that start with a code of three digits (RFC 5321 4.2, RFC 959 4.2).
type reply struct {
	code  int
	lines []string // the last one starts with the code
	shown string   // the last one, as a reason may have it
}

func (r reply) String() string { return reason.Quote(r.shown) }

// quote is a line as a reason has it.
func (l *lines) quote(line string) string { return reason.Quote(l.x.veiled(line)) }

// reply reads one. It returns errDrains when drain_on matches in it.
func (l *lines) reply() (reply, error) {
	line, err := l.read()
	if err != nil {
		return reply{}, err
	}
	code, more, ok := replyCode(line)
	if !ok {
		return reply{}, fmt.Errorf("%s, %s, is no reply with a code", l.quote(line), l.stage)
	}
	r := reply{code: code, lines: []string{line}}
	for more {
		if len(r.lines) == maxReplyLines {
			return reply{}, fmt.Errorf("reply above %d lines %s", maxReplyLines, l.stage)
		}
		if line, err = l.read(); err != nil {
			return reply{}, err
		}
		r.lines = append(r.lines, line)
		last, goesOn, isReply := replyCode(line) // lines in between need no code in FTP
		more = !isReply || goesOn || last != code
	}
	if l.x.status(code) {
		return reply{}, errDrains
	}
	r.shown = l.x.veiled(line)
	return r, nil
}

// replyCode splits a line of a reply. more says that it is not the last one.
func replyCode(line string) (code int, more, ok bool) {
	if len(line) < 3 {
		return 0, false, false
	}
	for _, digit := range []byte(line[:3]) {
		if digit < '0' || digit > '9' {
			return 0, false, false
		}
		code = 10*code + int(digit-'0')
	}
	if len(line) > 3 && line[3] != ' ' && line[3] != '-' || code < 100 {
		return 0, false, false
	}
	return code, len(line) > 3 && line[3] == '-', true
}

// greeted reads the server's greeting, which must have this code.
func (l *lines) greeted(want int) error {
	r, err := l.reply()
	if err != nil {
		return err
	}
	l.x.step("greeting", r.lines[len(r.lines)-1])
	if r.code != want {
		return unlike("greeting %s, want %d", r, want)
	}
	return nil
}

// ask sends a command and reads the reply, which must have one of these codes. word names it in reasons.
func (l *lines) ask(word, line string, want ...int) (reply, error) {
	if err := l.command(word, line); err != nil {
		return reply{}, err
	}
	r, err := l.reply()
	if err != nil {
		return reply{}, err
	}
	l.x.step(word, fmt.Sprint(r.code))
	if !slices.Contains(want, r.code) {
		return r, unlike("reply %s to %s, want %d", r, word, want[0])
	}
	return r, nil
}
