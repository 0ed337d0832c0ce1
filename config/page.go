package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxMarkedLine is the longest line, in bytes, whose problems are shown with the line and an exact width. Longer ones are
// machine-made.
const maxMarkedLine = 64 << 10

// page is one file while it is being read: its text, its tree, and the report its problems go to. Problems name values by
// path (a JSON Pointer, RFC 6901); the page knows where in the text that is.
type page struct {
	file   string
	text   []byte
	root   *node
	report *Report

	parts   *assembly // what the tree was made of; nil: the text
	lenient bool      // unknown keys have no effect

	split  []string
	failed map[string]bool // paths that could not be decoded: validation has nothing to say about them
}

func newPage(file string, text []byte, report *Report) *page {
	p := &page{file: file, text: trimBOM(text), report: report, failed: map[string]bool{}}
	report.keepText(file, p.text)
	return p
}

func trimBOM(text []byte) []byte {
	if len(text) >= 3 && text[0] == 0xEF && text[1] == 0xBB && text[2] == 0xBF {
		return text[3:]
	}
	return text
}

// lines returns the text's lines without their ends.
func (p *page) lines() []string {
	if p.split == nil {
		p.split = splitLines(p.text)
	}
	return p.split
}

// splitLines splits as YAML 1.1 does, which also ends lines at NEL, LS and PS: line numbers must agree.
func splitLines(text []byte) []string {
	s := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(string(text))
	return strings.Split(s, "\n")
}

func (p *page) lineText(line int) string {
	if lines := p.lines(); line >= 1 && line <= len(lines) {
		return lines[line-1]
	}
	return ""
}

// failAt reports a problem at a node during decoding and remembers the path as failed.
func (p *page) failAt(n *node, path string, f finding) {
	p.failed[path] = true
	if p.report.full(f.code) {
		p.report.count(f.code)
		return
	}
	line, column, width := p.span(n)
	p.report.add(Problem{File: p.file, Line: line, Column: column, Width: width, Path: path,
		Code: f.code, Message: f.message, Hint: f.hint})
}

// finding is what is wrong, without where.
type finding struct {
	code    Code
	message string
	hint    string
}

// problem reports what validation found at a path, unless decoding already failed there. Severity follows from the code.
func (p *page) problem(path string, code Code, hint, format string, args ...any) {
	for at := path; ; {
		if p.failed[at] {
			return
		}
		cut := strings.LastIndexByte(at, '/')
		if cut < 0 {
			break
		}
		at = at[:cut]
	}
	if p.report.full(code) {
		p.report.count(code)
		return
	}
	out := Problem{File: p.file, Path: path, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
	if p.parts != nil {
		// It stands in no text.
	} else if n := p.nearestNode(path); n != nil {
		out.Line, out.Column, out.Width = p.span(n)
	}
	p.report.add(out)
}

// problemInText reports a problem on one line of a text value (1-based), with the exact place in the file when the value
// is a "|" block.
func (p *page) problemInText(path string, line int, token string, f finding) {
	n := p.find(path)
	if n == nil || !n.literal {
		f.message = fmt.Sprintf("line %d of the text: %s", line, f.message)
		p.problem(path, f.code, f.hint, "%s", f.message)
		return
	}
	at := n.line + line
	column, width := tokenSpan(p.lineText(at), token)
	p.report.add(Problem{File: p.file, Line: at, Column: column, Width: width, Path: path,
		Code: f.code, Message: f.message, Hint: f.hint})
}

// tokenSpan finds a token in a line, or takes the whole line.
func tokenSpan(line, token string) (column, width int) {
	if len(line) > maxMarkedLine {
		return 1, 1
	}
	if i := strings.Index(line, token); token != "" && i >= 0 {
		return utf8.RuneCountInString(line[:i]) + 1, utf8.RuneCountInString(token)
	}
	return contentSpan(line)
}

// present reports whether the file itself has a value at path, as opposed to a default.
func (p *page) present(path string) bool {
	if p.parts != nil {
		return p.parts.present(path)
	}
	n := p.find(path)
	return n != nil && (n.kind != kindScalar || n.scalar != scalarNull)
}

// find returns the node at path, or nil.
func (p *page) find(path string) *node {
	n, rest := p.walk(path)
	if rest != "" {
		return nil
	}
	return n
}

// nearestNode returns the node at path or the closest one that encloses it.
func (p *page) nearestNode(path string) *node {
	n, _ := p.walk(path)
	return n
}

// walk follows path as far as the file goes and returns what is left of it.
func (p *page) walk(path string) (n *node, rest string) {
	n, rest = p.root, path
	if p.parts != nil {
		n, rest = p.parts.enter(path)
	}
	for n != nil && rest != "" {
		step, after, _ := strings.Cut(rest[1:], "/")
		if strings.IndexByte(step, '~') >= 0 {
			step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		}
		var next *node
		if n.kind == kindSequence {
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.items) {
				next = n.items[i]
			}
		} else {
			next = n.child(step)
		}
		if next == nil {
			return n, rest
		}
		n = next
		if after == "" {
			return n, ""
		}
		rest = "/" + after
	}
	return n, rest
}

// span returns where a node stands and how wide its first token is.
func (p *page) span(n *node) (line, column, width int) {
	if n.line == 0 {
		return 0, 0, 0 // it stands in no text
	}
	if n.kind == kindMapping && len(n.entries) > 0 {
		if k := n.entries[0].key; k.line == n.line && k.column == n.column {
			return p.span(k)
		}
	}
	width = 1
	if n.kind == kindScalar && !n.literal {
		width = p.scalarWidth(n)
	}
	return n.line, n.column, width
}

func (p *page) scalarWidth(n *node) int {
	text := p.lineText(n.line)
	if len(text) > maxMarkedLine {
		return 1
	}
	rest := []rune(text)
	if n.column < 1 || n.column > len(rest) {
		return 1
	}
	rest = rest[n.column-1:]
	if n.plain {
		return max(1, min(len(rest), utf8.RuneCountInString(n.value)))
	}
	for i := 1; i < len(rest); i++ {
		switch {
		case rest[0] == '"' && rest[i] == '\\':
			i++
		case rest[i] == rest[0]:
			return i + 1
		}
	}
	return 1
}

// at builds a path from keys (string) and indexes (int).
func at(steps ...any) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteByte('/')
		switch v := s.(type) {
		case string:
			b.WriteString(strings.ReplaceAll(strings.ReplaceAll(v, "~", "~0"), "/", "~1"))
		case int:
			b.WriteString(strconv.Itoa(v))
		}
	}
	return b.String()
}
