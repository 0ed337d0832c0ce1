package probe

import (
	"bytes"
	"strings"
)

// maxPlainLength is how many digits a Content-Length has at most that plainHead reads.
const maxPlainLength = 18

// plainHead reads the status of a final response whose head is all there and has nothing out of the ordinary. It knows less than
// net/http, which is asked about all others: where it finds a status, net/http finds the same.
func plainHead(head []byte) (status int, ok bool) {
	line, rest, found := bytes.Cut(head, crlf)
	if !found || len(line) < len("HTTP/1.1 200") || string(line[:7]) != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' {
		return 0, false
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return 0, false
		}
		status = 10*status + int(c-'0')
	}
	if status < 200 || len(line) > 12 && line[12] != ' ' || !visible(line) {
		return 0, false
	}
	for lengths := 0; ; {
		if line, rest, found = bytes.Cut(rest, crlf); !found {
			return 0, false
		}
		if len(line) == 0 {
			return status, true
		}
		length, plain := plainHeader(line)
		if length {
			lengths++
		}
		if !plain || lengths > 1 {
			return 0, false
		}
	}
}

var crlf = []byte("\r\n")

// plainHeader looks at one header: whether it is the length of the body, and whether nothing about it has to be understood.
func plainHeader(line []byte) (length, plain bool) {
	name, value, found := bytes.Cut(line, []byte{':'})
	if !found || len(name) == 0 || !visible(value) {
		return false, false
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false, false
		}
	}
	switch {
	case strings.EqualFold(string(name), "Content-Length"):
		value = bytes.Trim(value, " \t")
		digits := len(value) > 0 && len(value) <= maxPlainLength
		for _, c := range value {
			digits = digits && '0' <= c && c <= '9'
		}
		return true, digits
	case strings.EqualFold(string(name), "Transfer-Encoding"), strings.EqualFold(string(name), "Trailer"):
		return false, false
	}
	return false, true
}

// visible reports whether text is ASCII without control characters, tabs excepted.
func visible(text []byte) bool {
	for _, c := range text {
		if c < ' ' && c != '\t' || c > '~' {
			return false
		}
	}
	return true
}
