package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parseJSON makes a tree of one JSON value (RFC 8259). Values nest at most depth levels. Nodes have no place in the text.
func parseJSON(text []byte, depth int) (*node, error) {
	r := jsonReader{text: text, depth: depth}
	n, err := r.value(1)
	if err == nil {
		if r.space(); r.at < len(r.text) {
			err = errors.New("something follows the value")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("byte %d: %w", r.at, err)
	}
	return n, nil
}

// jsonReader reads a text from its beginning to its end.
type jsonReader struct {
	text  []byte
	at    int
	depth int
}

var errJSONEnd = errors.New("the text ends inside a value")

func (r *jsonReader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// next returns the next byte that is no space, without taking it; 0 at the end.
func (r *jsonReader) next() byte {
	if r.space(); r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *jsonReader) value(level int) (*node, error) {
	if level > r.depth {
		return nil, fmt.Errorf("values nest deeper than %d levels", r.depth)
	}
	n := &node{size: 1, depth: 1}
	switch c := r.next(); {
	case c == '{':
		n.kind = kindMapping
		return n, r.mapping(n, level)
	case c == '[':
		n.kind = kindSequence
		return n, r.sequence(n, level)
	case c == '"':
		var err error
		n.value, err = r.str()
		return n, err
	case c == '-' || c >= '0' && c <= '9':
		return n, r.number(n)
	case c == 0:
		return nil, errJSONEnd
	}
	return n, r.word(n)
}

func (r *jsonReader) word(n *node) error {
	for _, w := range [...]struct {
		text string
		kind scalarType
	}{{"true", scalarBool}, {"false", scalarBool}, {"null", scalarNull}} {
		if strings.HasPrefix(string(r.text[r.at:min(len(r.text), r.at+len(w.text))]), w.text) {
			n.value, n.scalar, n.plain = w.text, w.kind, true
			r.at += len(w.text)
			return nil
		}
	}
	return errors.New("this is no JSON value")
}

func (r *jsonReader) mapping(n *node, level int) error {
	r.at++
	if r.next() == '}' {
		r.at++
		return nil
	}
	for {
		if r.next() != '"' {
			return errors.New("a key in quotes is missing")
		}
		key := &node{size: 1, depth: 1}
		var err error
		if key.value, err = r.str(); err != nil {
			return err
		}
		if r.next() != ':' {
			return errors.New("a colon is missing after a key")
		}
		r.at++
		value, err := r.value(level + 1)
		if err != nil {
			return err
		}
		n.entries = append(n.entries, entry{key: key, value: value})
		n.grow(value)
		if more, err := r.more('}'); !more {
			return err
		}
	}
}

func (r *jsonReader) sequence(n *node, level int) error {
	r.at++
	if r.next() == ']' {
		r.at++
		return nil
	}
	for {
		item, err := r.value(level + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
		n.grow(item)
		if more, err := r.more(']'); !more {
			return err
		}
	}
}

// more takes a comma, or the end of a mapping or list.
func (r *jsonReader) more(end byte) (bool, error) {
	switch r.next() {
	case ',':
		r.at++
		return true, nil
	case end:
		r.at++
		return false, nil
	}
	return false, errors.New("a comma or a closing bracket is missing")
}

// number takes a number as it is written.
func (r *jsonReader) number(n *node) error {
	start := r.at
	if r.text[r.at] == '-' {
		r.at++
	}
	whole := r.digits()
	good := whole > 0 && (whole == 1 || r.text[r.at-whole] != '0')
	n.scalar = scalarInteger
	if r.at < len(r.text) && r.text[r.at] == '.' {
		r.at++
		n.scalar = scalarFloat
		good = r.digits() > 0 && good
	}
	if r.at < len(r.text) && r.text[r.at]|0x20 == 'e' {
		if r.at++; r.at < len(r.text) && (r.text[r.at] == '+' || r.text[r.at] == '-') {
			r.at++
		}
		n.scalar = scalarFloat
		good = r.digits() > 0 && good
	}
	if n.value, n.plain = string(r.text[start:r.at]), true; !good {
		return fmt.Errorf("%s is no number", quote(n.value))
	}
	return nil
}

// digits takes decimal digits and returns how many there were.
func (r *jsonReader) digits() int {
	start := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at - start
}

// str takes a string.
func (r *jsonReader) str() (string, error) {
	r.at++
	start := r.at
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			s := string(r.text[start:r.at])
			r.at++
			if !utf8.ValidString(s) {
				return "", errors.New("a text is not UTF-8")
			}
			return s, nil
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			return "", errors.New("a text has a control character that is not escaped")
		}
	}
	return "", errJSONEnd
}

// escaped takes the rest of a string from the first backslash on.
func (r *jsonReader) escaped(start int) (string, error) {
	out := append([]byte(nil), r.text[start:r.at]...)
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				return "", errors.New("a text is not UTF-8")
			}
			return string(out), nil
		case c < 0x20:
			return "", errors.New("a text has a control character that is not escaped")
		case c != '\\':
			out = append(out, c)
			continue
		}
		var err error
		if out, err = r.escape(out); err != nil {
			return "", err
		}
	}
	return "", errJSONEnd
}

// escape takes what follows a backslash.
func (r *jsonReader) escape(out []byte) ([]byte, error) {
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if r.at >= len(r.text) {
		return nil, errJSONEnd
	}
	c := r.text[r.at]
	r.at++
	if i := strings.IndexByte(letters, c); i >= 0 {
		return append(out, meanings[i]), nil
	}
	if c != 'u' {
		return nil, errors.New("a text has an unknown escape")
	}
	first, err := r.hex()
	if err != nil {
		return nil, err
	}
	if !utf16.IsSurrogate(first) {
		return utf8.AppendRune(out, first), nil
	}
	if r.at+1 < len(r.text) && r.text[r.at] == '\\' && r.text[r.at+1] == 'u' {
		r.at += 2
		second, err := r.hex()
		if err != nil {
			return nil, err
		}
		if c := utf16.DecodeRune(first, second); c != utf8.RuneError {
			return utf8.AppendRune(out, c), nil
		}
	}
	return nil, errors.New("a text has half of a surrogate pair")
}

func (r *jsonReader) hex() (rune, error) {
	const digits = 4
	if r.at+digits > len(r.text) {
		return 0, errJSONEnd
	}
	v, err := strconv.ParseUint(string(r.text[r.at:r.at+digits]), 16, 32)
	if err != nil {
		return 0, errors.New("a text has an unknown escape")
	}
	r.at += digits
	return rune(v), nil
}
