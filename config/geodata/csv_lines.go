package geodata

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxColumns is how many columns a line has at most.
const maxColumns = 64

var (
	errLongLine    = fmt.Errorf("a line of more than %d octets", maxLine)
	errCutOff      = errors.New("the last line does not end: the file is cut off, or lacks a newline there")
	errQuote       = errors.New("a quoted column does not end")
	errManyColumns = fmt.Errorf("more than %d columns", maxColumns)
)

// lines reads a text file line by line and cuts the lines into columns. What it returns is valid until the next line.
type lines struct {
	in      *bufio.Reader
	number  int
	columns [][]byte
}

// eachLine calls do with every line that is not empty. An error is a *FileError with the line.
func (r *reader) eachLine(path string, do func(line []byte, l *lines) error) error {
	f, err := os.Open(path)
	if err != nil {
		return &FileError{Path: path, Err: plain(err)}
	}
	l := &lines{in: bufio.NewReaderSize(io.LimitReader(f, MaxFileBytes), maxLine)}
	err = l.each(r.ctx.Err, do)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return &FileError{Path: path, Line: l.number, Err: plain(err)}
	}
	return nil
}

// stopEvery is how many lines are read between two looks at whether to stop.
const stopEvery = 1 << 14

func (l *lines) each(stopped func() error, do func(line []byte, l *lines) error) error {
	for {
		line, err := l.in.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			return nil
		case err == io.EOF:
			l.number++
			return errCutOff
		case err == bufio.ErrBufferFull:
			l.number++
			return errLongLine
		case err != nil:
			return err
		}
		if l.number++; l.number%stopEvery == 0 {
			if err := stopped(); err != nil {
				return err
			}
		}
		line = bytes.TrimSpace(line)
		if l.number == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if len(line) == 0 {
			continue
		}
		if err := do(line, l); err != nil {
			return err
		}
	}
}

// split cuts a line at its commas. A column in quotes may hold commas, and quotes as two of them (RFC 4180 section 2). The
// line is changed.
func (l *lines) split(line []byte) ([][]byte, error) {
	out := l.columns[:0]
	for {
		if len(out) == maxColumns {
			return nil, errManyColumns
		}
		line = trimLeft(line)
		if len(line) > 0 && line[0] == '"' {
			column, rest, ok := unquote(line[1:])
			if !ok {
				return nil, errQuote
			}
			out = append(out, column)
			rest = trimLeft(rest)
			if len(rest) == 0 {
				break
			}
			if rest[0] != ',' {
				return nil, errQuote
			}
			line = rest[1:]
			continue
		}
		column, rest, more := bytes.Cut(line, []byte{','})
		out = append(out, trimRight(column))
		if !more {
			break
		}
		line = rest
	}
	l.columns = out
	return out, nil
}

// trimLeft leaves spaces and tabs at the beginning out.
func trimLeft(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

// trimRight leaves spaces and tabs at the end out.
func trimRight(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// unquote takes a column up to its closing quote.
func unquote(b []byte) (column, rest []byte, ok bool) {
	at := bytes.IndexByte(b, '"')
	if at < 0 {
		return nil, nil, false
	}
	if at+1 == len(b) || b[at+1] != '"' {
		return b[:at], b[at+1:], true // the common case: no quote inside
	}
	out := b[:0]
	for i := 0; i < len(b); i++ {
		if b[i] == '"' {
			if i+1 == len(b) || b[i+1] != '"' {
				return out, b[i+1:], true
			}
			i++
		}
		out = append(out, b[i])
	}
	return nil, nil, false
}
