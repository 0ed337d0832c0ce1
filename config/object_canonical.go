package config

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Limits of one object.
const (
	// MaxObjectBytes is the largest canonical text of an object that is no file.
	MaxObjectBytes = MaxDocumentBytes
	// MaxObjectName bounds the name of an object, in bytes: that of a zone for many views is the longest.
	MaxObjectName = 16 << 10
	// MaxObjectDepth is how deep an object may nest: in a document it stands two levels down.
	MaxObjectDepth = MaxDepth - 2
)

// maxKeyBytes bounds keys: longer ones are no keys of YAML once they are in quotes.
const maxKeyBytes = MaxNameLength

// maxNumberDigits bounds whole numbers, which are kept digit by digit.
const maxNumberDigits = 40

// canonicalWriter writes a tree as canonical JSON: keys in order of their bytes, no key without a value, no spaces, numbers in the shortest
// form that reads back as the same, only what must be escaped escaped. Every release writes the same bytes for the same tree.
type canonicalWriter struct {
	out   []byte
	limit int // bytes
	// refuse is called for what cannot be written. The writing goes on, so that all of it is found.
	refuse func(n *node, path *trail, f finding)
	full   bool
}

func (w *canonicalWriter) value(n *node, path *trail) {
	if len(w.out) > w.limit {
		if !w.full {
			w.full = true
			w.refuse(n, path, finding{codeTooLarge, fmt.Sprintf("an object has at most %d bytes, with aliases written out", w.limit), ""})
		}
		return
	}
	switch {
	case n.refused:
	case n.kind == kindMapping:
		w.mapping(n, path)
	case n.kind == kindSequence:
		w.out = append(w.out, '[')
		for i, item := range n.items {
			if i > 0 {
				w.out = append(w.out, ',')
			}
			step := &trail{parent: path, index: i}
			if isNull(item) {
				w.refuse(item, step, finding{codeWrongKind, "an entry of a list has no value", "remove it"})
			}
			w.value(item, step)
		}
		w.out = append(w.out, ']')
	default:
		w.scalar(n, path)
	}
}

// isNull reports whether a value is written that means none.
func isNull(n *node) bool { return n.kind == kindScalar && n.scalar == scalarNull && !n.refused }

func (w *canonicalWriter) mapping(n *node, path *trail) {
	entries := make([]entry, 0, len(n.entries))
	for _, e := range n.entries {
		if !isNull(e.value) {
			entries = append(entries, e)
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.key.value, b.key.value) })
	w.out = append(w.out, '{')
	for i, e := range entries {
		step := &trail{parent: path, key: e.key.value}
		if i > 0 {
			w.out = append(w.out, ',')
			if entries[i-1].key.value == e.key.value {
				w.refuse(e.key, step, finding{codeDuplicateKey, "key " + quote(e.key.value) + " stands twice", "remove one of them"})
			}
		}
		if len(e.key.value) > maxKeyBytes {
			w.refuse(e.key, step, finding{codeKey, fmt.Sprintf("a key has at most %d bytes, this one %d", maxKeyBytes, len(e.key.value)), ""})
		}
		w.out = append(appendJSONString(w.out, e.key.value), ':')
		w.value(e.value, step)
	}
	w.out = append(w.out, '}')
}

func (w *canonicalWriter) scalar(n *node, path *trail) {
	switch n.scalar {
	case scalarBool:
		w.out = strconv.AppendBool(w.out, strings.EqualFold(n.value, "true"))
	case scalarInteger, scalarFloat:
		text, ok := canonicalNumber(n)
		if !ok {
			w.refuse(n, path, finding{codeWrongKind, "expected a decimal number without leading zeros, not " + clip(n.value), "put it in quotes if it is a text"})
		}
		w.out = append(w.out, text...)
	case scalarNull:
		w.out = append(w.out, "null"...)
	default:
		w.out = appendJSONString(w.out, n.value)
	}
}

// canonicalNumber returns the shortest form of a decimal number. Whole numbers keep all their digits.
func canonicalNumber(n *node) (string, bool) {
	s := n.value
	digits := strings.TrimPrefix(s, "-")
	if n.scalar == scalarInteger {
		if digits == "" || len(digits) > maxNumberDigits || strings.Trim(digits, "0123456789") != "" || len(digits) > 1 && digits[0] == '0' {
			return "0", false
		}
		if s == "-0" {
			return "0", true
		}
		return s, true
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || strings.ContainsAny(s, "_xXpP") {
		return "0", false
	}
	if x == 0 {
		return "0", true
	}
	// As in RFC 8785, which is what ECMAScript does.
	const leastPlain, leastExponent = 1e-6, 1e21
	if abs := math.Abs(x); abs >= leastPlain && abs < leastExponent {
		return strconv.FormatFloat(x, 'f', -1, 64), true
	}
	text := strconv.FormatFloat(x, 'e', -1, 64)
	return strings.Replace(text, "e-0", "e-", 1), true
}

// appendJSONString appends a text in quotes. Only quotes, backslashes and control characters are escaped.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
		}
	}
	return append(append(b, s[start:]...), '"')
}

// newObjectOf makes an object of a tree that has its name inside. refuse is called for what cannot be written.
func newObjectOf(key ObjectKey, n *node, refuse func(*node, *trail, finding)) *Object {
	w := canonicalWriter{limit: MaxObjectBytes, refuse: refuse, out: make([]byte, 0, 256)}
	w.value(n, nil)
	return sealObject(key, bytes.Clone(w.out))
}

func sealObject(key ObjectKey, text []byte) *Object {
	return &Object{key: key, text: text, hash: sha256.Sum256(text)}
}
