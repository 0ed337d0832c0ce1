package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"fairlead/monitors/reason"
)

// judgeHTTP judges a response. Its body is read when something is looked for in it: what drains even when the status does not pass.
func (x *exchange) judgeHTTP(status int, body io.Reader) error {
	passing, pattern := x.prepared.passing, x.prepared.http.pattern
	drain := ""
	if d := x.monitor.DrainOn; d != nil {
		drain = d.Text
	}
	text, expression := x.monitor.HTTP.ExpectBody, x.monitor.HTTP.ExpectBodyRegexp
	fits := passing.has(status)
	var got []byte
	var readErr error
	if drain != "" || fits && (text != "" || expression != "") {
		until := drain
		if until == "" && expression == "" {
			until = text
		}
		got, readErr = readBody(body, until)
		x.step("body", fmt.Sprintf("%d bytes", len(got)))
	}
	switch {
	case x.text(got):
		return nil
	case !fits:
		return unlike("status %d, want %s", status, passing)
	case readErr != nil:
		return reason.During(reason.Body, readErr)
	case text != "" && !bytes.Contains(got, []byte(text)):
		return unlike("%s %s", lacking(got, "lacks", "lack"), reason.Quote(text))
	}
	if expression == "" {
		return nil
	}
	if !pattern.Match(got) {
		return unlike("%s %s", lacking(got, "does not match", "do not match"), reason.Quote(expression))
	}
	return nil
}

// lacking says what was looked at.
func lacking(body []byte, one, many string) string {
	if len(body) >= maxBodyBytes {
		return fmt.Sprintf("first %d KiB of the body %s", maxBodyBytes>>10, many)
	}
	return fmt.Sprintf("body of %d bytes %s", len(body), one)
}

// readBody reads at most maxBodyBytes. It does not wait for the end once it has seen until; empty: it does.
func readBody(body io.Reader, until string) ([]byte, error) {
	buf := make([]byte, 0, 4096)
	for len(buf) < maxBodyBytes {
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(4*cap(buf), maxBodyBytes)), buf...)
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		seen := max(0, len(buf)-len(until)+1) // before it, until was looked for already
		buf = buf[:len(buf)+n]
		switch {
		case until != "" && bytes.Contains(buf[seen:], []byte(until)), errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
	return buf, nil
}
