package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode"
)

// The form of YAML that is written.
const (
	yamlIndent = 2
	// maxFlowLine is the longest list or mapping of single values that is written in brackets, in bytes.
	maxFlowLine = 72
)

// yamlWriter writes trees as YAML that reads back as the same.
type yamlWriter struct {
	out    []byte
	shapes shapes
}

// plainYAML is a text that needs no quotes wherever it stands, unless it is one of the words.
var plainYAML = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./-]*$`)

// plainWord reports whether a text is read as a text without quotes.
func plainWord(s string) bool {
	if !plainYAML.MatchString(s) {
		return false
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return true
}

// plainAddress is an IPv4 address or prefix, a duration or the like: it begins with a digit and is no number.
var plainAddress = regexp.MustCompile(`^[0-9]+(?:\.[0-9]+){3}(?:/[0-9]+)?$|^[0-9]+(?:ms|s|m|h)$`)

func (w *yamlWriter) text(s string) {
	if plainWord(s) || plainAddress.MatchString(s) {
		w.out = append(w.out, s...)
		return
	}
	w.out = append(w.out, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			w.out = append(w.out, '\\', byte(c))
		case c == '\n':
			w.out = append(w.out, '\\', 'n')
		case c == '\t':
			w.out = append(w.out, '\\', 't')
		case unicode.IsPrint(c):
			w.out = append(w.out, string(c)...)
		case c <= 0xFFFF:
			w.out = fmt.Appendf(w.out, "\\u%04x", c)
		default:
			w.out = fmt.Appendf(w.out, "\\U%08x", c)
		}
	}
	w.out = append(w.out, '"')
}

func (w *yamlWriter) indent(n int) {
	for range n {
		w.out = append(w.out, ' ')
	}
}

func (w *yamlWriter) key(s string, indent int) {
	w.indent(indent)
	w.text(s)
	w.out = append(w.out, ':')
}

// value writes a value that begins a line, with the end of its last line.
func (w *yamlWriter) value(n *node, t reflect.Type, indent int) {
	switch {
	case n.kind == kindMapping && len(n.entries) > 0:
		w.mapping(n, t, indent)
	case n.kind == kindSequence && len(n.items) > 0:
		for _, item := range n.items {
			w.item(item, itemType(t), indent)
		}
	default:
		w.flow(n, t)
		w.out = append(w.out, '\n')
	}
}

// mapping writes a mapping in lines; the first is begun already when its indent has been written.
func (w *yamlWriter) mapping(n *node, t reflect.Type, indent int) {
	entries, types := w.shapes.modelOrder(n, t)
	for i, e := range entries {
		w.key(e.key.value, indent)
		w.under(e.value, types[i], indent)
	}
}

// item writes an entry of a list.
func (w *yamlWriter) item(n *node, t reflect.Type, indent int) {
	w.indent(indent)
	w.out = append(w.out, '-')
	if n.kind != kindMapping || len(n.entries) == 0 || fitsLine(n) && indent > yamlIndent {
		w.under(n, t, indent)
		return
	}
	entries, types := w.shapes.modelOrder(n, t)
	for i, e := range entries {
		if i == 0 {
			w.key(e.key.value, 1)
		} else {
			w.key(e.key.value, indent+yamlIndent)
		}
		w.under(e.value, types[i], indent+yamlIndent)
	}
}

// under writes a value behind a key or a dash.
func (w *yamlWriter) under(n *node, t reflect.Type, indent int) {
	switch {
	case n.kind == kindScalar && n.scalar == scalarText && blockText(n.value):
		w.block(n.value, indent+yamlIndent)
	case n.kind == kindScalar || fitsLine(n):
		w.out = append(w.out, ' ')
		w.flow(n, t)
		w.out = append(w.out, '\n')
	default:
		w.out = append(w.out, '\n')
		w.value(n, t, indent+yamlIndent)
	}
}

// fitsLine reports whether a list or mapping is written in brackets: it is short and has only single values.
func fitsLine(n *node) bool {
	length := 0
	for _, e := range n.entries {
		if e.value.kind != kindScalar && e.value.size > 1 || strings.Contains(e.value.value, "\n") {
			return false
		}
		length += len(e.key.value) + len(e.value.value) + len(": , ")
	}
	for _, item := range n.items {
		if item.kind != kindScalar && item.size > 1 || strings.Contains(item.value, "\n") {
			return false
		}
		length += len(item.value) + len(", ")
	}
	return length <= maxFlowLine
}

// flow writes a value within a line.
func (w *yamlWriter) flow(n *node, t reflect.Type) {
	switch {
	case n.kind == kindMapping:
		entries, types := w.shapes.modelOrder(n, t)
		w.out = append(w.out, '{')
		for i, e := range entries {
			if i > 0 {
				w.out = append(w.out, ", "...)
			}
			w.key(e.key.value, 0)
			w.out = append(w.out, ' ')
			w.flow(e.value, types[i])
		}
		w.out = append(w.out, '}')
	case n.kind == kindSequence:
		w.out = append(w.out, '[')
		for i, item := range n.items {
			if i > 0 {
				w.out = append(w.out, ", "...)
			}
			w.flow(item, itemType(t))
		}
		w.out = append(w.out, ']')
	case n.scalar == scalarText:
		w.text(n.value)
	default:
		w.out = append(w.out, n.value...)
	}
}

// block writes a text of several lines as it is.
func (w *yamlWriter) block(s string, indent int) {
	w.out = append(w.out, " |"...)
	body, ended := strings.CutSuffix(s, "\n")
	if !ended {
		w.out = append(w.out, '-')
	}
	w.out = append(w.out, '\n')
	for line := range strings.SplitSeq(body, "\n") {
		if line != "" {
			w.indent(indent)
		}
		w.out = append(append(w.out, line...), '\n')
	}
}

// blockText reports whether a text of several lines comes back unchanged from a "|" block.
func blockText(s string) bool {
	if !strings.Contains(s, "\n") || strings.HasPrefix(s, " ") || strings.HasPrefix(s, "\n") || strings.HasSuffix(s, "\n\n") {
		return false
	}
	for line := range strings.SplitSeq(s, "\n") {
		if strings.TrimRight(line, " \t") != line || strings.HasPrefix(line, "\t") ||
			strings.ContainsFunc(line, func(c rune) bool { return c != '\t' && !unicode.IsPrint(c) }) {
			return false
		}
	}
	return true
}
