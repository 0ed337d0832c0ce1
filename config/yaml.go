package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// This is the only file that knows the YAML library. Everything else sees the neutral tree of tree.go.

// Limits of a YAML text.
const (
	// MaxDocumentBytes is the largest document or node file.
	MaxDocumentBytes = 64 << 20
	// MaxDepth is how deep a file may nest, aliases expanded.
	MaxDepth = 64
	// maxAliasNodes is how many nodes aliases and merge keys may add to a file.
	maxAliasNodes = 100_000
	// maxLocateBytes is the largest text that is searched for the exact line of a syntax error.
	maxLocateBytes = 256 << 10
)

// parseYAML turns a file into a tree. The result is nil when the text is no single YAML document; problems say why.
func parseYAML(p *page) *node {
	if len(p.text) > MaxDocumentBytes {
		p.report.add(Problem{File: p.file, Code: codeTooLarge,
			Message: fmt.Sprintf("the file has %d bytes; the limit is %d", len(p.text), MaxDocumentBytes)})
		return nil
	}
	if i := invalidUTF8(p.text); i >= 0 {
		before := splitLines(p.text[:i])
		column := utf8.RuneCountInString(before[len(before)-1]) + 1
		p.report.add(Problem{File: p.file, Line: len(before), Column: column, Width: 1, Code: codeNotUTF8,
			Message: fmt.Sprintf("the text is not UTF-8 (byte 0x%02x)", p.text[i]), Hint: "save the file as UTF-8"})
		return nil
	}
	docs, err := decodeYAML(p.text)
	if err != nil {
		p.report.add(syntaxProblem(p, err))
		return nil
	}
	if len(docs) == 0 || len(docs[0].Content) == 0 {
		p.report.add(Problem{File: p.file, Line: 1, Column: 1, Code: codeEmpty, Message: "the file is empty"})
		return nil
	}
	if len(docs) > 1 {
		p.report.add(Problem{File: p.file, Line: docs[1].Line, Column: docs[1].Column, Width: 3, Code: codeManyDocuments,
			Message: "a second YAML document starts here", Hint: "one file holds one document; remove the \"---\" between them"})
		return nil
	}
	c := converter{page: p, done: map[*yaml.Node]*node{}, open: map[*yaml.Node]bool{}}
	root := c.convert(docs[0].Content[0], 1)
	if root != nil && root.kind == kindScalar && root.scalar == scalarNull {
		p.report.add(Problem{File: p.file, Line: 1, Column: 1, Code: codeEmpty, Message: "the file is empty"})
		return nil
	}
	return root
}

// decodeYAML parses at most two documents of text. The library panics on some malformed texts; that is a syntax error
// like any other.
func decodeYAML(text []byte) (docs []*yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			docs, err = nil, fmt.Errorf("yaml: the parser gave up (%v)", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for len(docs) < 2 {
		n := new(yaml.Node)
		if err := dec.Decode(n); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		docs = append(docs, n)
	}
	return docs, nil
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return -1
}

// converter makes the neutral tree. It reports what the tree cannot hold and leaves it out.
type converter struct {
	page    *page
	done    map[*yaml.Node]*node // anchors' targets, so that aliases share them
	open    map[*yaml.Node]bool  // being converted: an alias to one of these is a loop
	aliased int
	tooDeep bool
}

func (c *converter) problem(y *yaml.Node, code Code, hint, format string, args ...any) {
	c.page.report.add(Problem{File: c.page.file, Line: y.Line, Column: y.Column, Width: 1, Code: code,
		Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *converter) convert(y *yaml.Node, depth int) *node {
	if depth > MaxDepth {
		c.deep(y)
		return nil
	}
	if y.Kind == yaml.AliasNode {
		return c.alias(y, depth)
	}
	c.open[y] = true
	defer delete(c.open, y)
	n := &node{line: y.Line, column: y.Column, size: 1, depth: 1}
	switch y.Kind {
	case yaml.ScalarNode:
		if !c.scalar(y, n) {
			return nil
		}
	case yaml.SequenceNode:
		n.kind = kindSequence
		c.sequence(y, n, depth)
	case yaml.MappingNode:
		n.kind = kindMapping
		c.mapping(y, n, depth)
	default:
		c.problem(y, codeSyntax, "", "this is not a YAML value")
		return nil
	}
	if n.kind != kindScalar && y.Style&yaml.TaggedStyle != 0 && y.Tag != "!!map" && y.Tag != "!!seq" {
		c.problem(y, codeTag, "remove the tag", "tag %s is not supported", quote(y.Tag))
	}
	if y.Anchor != "" {
		c.done[y] = n
	}
	return n
}

func (c *converter) deep(y *yaml.Node) {
	if !c.tooDeep {
		c.tooDeep = true
		c.problem(y, codeTooDeep, "", "values nest deeper than %d levels", MaxDepth)
	}
}

func (c *converter) alias(y *yaml.Node, depth int) *node {
	if c.open[y.Alias] {
		c.problem(y, codeAlias, "", "alias %s refers to a value that contains it", quote("*"+y.Value))
		return nil
	}
	n := c.done[y.Alias]
	if n == nil {
		return nil // the anchored value was refused, with its own problem
	}
	c.aliased += n.size
	if c.aliased > maxAliasNodes {
		if c.aliased-n.size <= maxAliasNodes {
			c.problem(y, codeAlias, "write the values out", "aliases add more than %d values to this file", maxAliasNodes)
		}
		return nil
	}
	if depth+n.depth-1 > MaxDepth {
		c.deep(y)
		return nil
	}
	return n
}

func (c *converter) scalar(y *yaml.Node, n *node) bool {
	n.value = y.Value
	n.literal = y.Style&yaml.LiteralStyle != 0
	n.plain = y.Style&^yaml.TaggedStyle == 0
	switch y.Tag {
	case "!!str", "!!timestamp", "!!merge", "", "!":
		n.scalar = scalarText
	case "!!int":
		n.scalar = scalarInteger
	case "!!float":
		n.scalar = scalarFloat
	case "!!bool":
		n.scalar = scalarBool
	case "!!null":
		n.scalar = scalarNull
	default:
		c.problem(y, codeTag, "remove the tag", "tag %s is not supported", quote(y.Tag))
		return false
	}
	return true
}

func (c *converter) sequence(y *yaml.Node, n *node, depth int) {
	for _, item := range y.Content {
		child := c.convert(item, depth+1)
		if child == nil {
			child = refusedNode(item)
		}
		n.items = append(n.items, child)
		n.grow(child)
	}
}

// refusedNode stands for a value that could not be converted: paths must match the file, and keys must not seem missing.
func refusedNode(y *yaml.Node) *node {
	return &node{refused: true, line: y.Line, column: y.Column, size: 1, depth: 1}
}

func (n *node) grow(child *node) {
	n.size += child.size
	n.depth = max(n.depth, child.depth+1)
}

func (c *converter) mapping(y *yaml.Node, n *node, depth int) {
	var merges []*yaml.Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if key.Tag == "!!merge" && key.Kind == yaml.ScalarNode {
			merges = append(merges, value)
			continue
		}
		k := c.convert(key, depth+1)
		v := c.convert(value, depth+1)
		if k == nil || k.kind != kindScalar || k.scalar == scalarNull {
			c.problem(key, codeKey, "", "a key must be a single word")
			continue
		}
		if v == nil {
			v = refusedNode(value)
		}
		n.entries = append(n.entries, entry{key: k, value: v})
		n.grow(v)
	}
	for _, m := range merges {
		c.merge(m, n, depth)
	}
}

// merge adds the keys of a merge key's value that the mapping does not have itself.
func (c *converter) merge(y *yaml.Node, n *node, depth int) {
	src := c.convert(y, depth+1)
	if src == nil {
		return
	}
	maps := []*node{src}
	if src.kind == kindSequence {
		maps = src.items
	}
	seen := make(map[string]bool, len(n.entries))
	for _, e := range n.entries {
		seen[e.key.value] = true
	}
	for _, m := range maps {
		if m.refused {
			continue
		}
		if m.kind != kindMapping {
			c.problem(y, codeMerge, "write <<: *name or <<: [*one, *two]", "a merge key (<<) takes a mapping or a list of mappings, not %s", m.describe())
			return
		}
		for _, e := range m.entries {
			if seen[e.key.value] {
				continue
			}
			seen[e.key.value] = true
			n.entries = append(n.entries, entry{key: e.key, value: e.value, merged: true})
			n.grow(e.value)
		}
	}
}

var yamlMessage = regexp.MustCompile(`^(?s)yaml: (?:line (\d+): )?(.*)$`)

// syntaxProblem turns the library's message into ours.
func syntaxProblem(p *page, err error) Problem {
	text, line := err.Error(), 0
	if m := yamlMessage.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = m[2]
	}
	if found := locateSyntax(p); found > 0 {
		line = found
	}
	line = min(max(line, 1), max(len(p.lines()), 1))
	source := p.lineText(line)
	column, width := contentSpan(source)
	out := Problem{File: p.file, Line: line, Column: column, Width: width, Code: codeSyntax}
	out.Message, out.Hint = explainSyntax(text, source)
	if name, ok := strings.CutPrefix(text, "unknown anchor "); ok {
		out.Code = codeAlias
		out.Column, out.Width = tokenSpan(source, "*"+strings.Trim(strings.TrimSuffix(name, " referenced"), "'"))
	}
	return out
}

// locateSyntax finds the first line with which the text stops being YAML; 0 when it cannot say. The library names the
// start of the enclosing block instead, which may be hundreds of lines above.
func locateSyntax(p *page) int {
	if len(p.text) > maxLocateBytes {
		return 0
	}
	var ends []int
	for i, b := range p.text {
		if b == '\n' {
			ends = append(ends, i+1)
		}
	}
	if len(ends) == 0 || ends[len(ends)-1] != len(p.text) {
		ends = append(ends, len(p.text))
	}
	parses := func(lines int) bool {
		if lines == 0 {
			return true
		}
		_, err := decodeYAML(p.text[:ends[lines-1]])
		return err == nil
	}
	const lookAhead = 16 // a valid value over several lines does not parse until its last one
	good, bad := 0, len(ends)
	for bad-good > 1 {
		if mid := (good + bad) / 2; parses(mid) {
			good = mid
		} else {
			bad = mid
		}
	}
	for next := good + 1; next <= min(good+lookAhead, len(ends)); next++ {
		if parses(next) {
			good = next
		}
	}
	return good + 1
}

// contentSpan returns the column and width of a line without its indentation.
func contentSpan(line string) (column, width int) {
	trimmed := strings.TrimLeft(line, " \t-")
	column = utf8.RuneCountInString(line) - utf8.RuneCountInString(trimmed) + 1
	return column, max(1, utf8.RuneCountInString(strings.TrimRight(trimmed, " \t")))
}

// explainSyntax says in an operator's words what the library found, with what to do about it.
func explainSyntax(message, line string) (text, hint string) {
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	switch {
	case strings.Contains(indent, "\t"):
		return "the line is indented with a tab", "indent with spaces"
	case strings.HasPrefix(message, "mapping values are not allowed"):
		return "a key and value cannot stand here", "check the indentation, or quote a value that contains \": \""
	case strings.HasPrefix(message, "did not find expected key"), strings.HasPrefix(message, "did not find expected '-'"):
		return "the line does not fit the lines above it", "check its indentation and the quotes and brackets before it"
	case strings.HasPrefix(message, "could not find expected ':'"):
		return "a key without \":\"", "write \"key: value\""
	case strings.HasPrefix(message, "did not find expected ',' or"):
		return "a list or mapping in brackets is not closed, or lacks a comma", ""
	case strings.HasPrefix(message, "found unexpected end of stream"):
		return "a quote is not closed", ""
	case strings.HasPrefix(message, "found character that cannot start any token"):
		return "a value cannot start with this character", "put the value in quotes"
	case strings.HasPrefix(message, "unknown anchor"):
		return "alias to an unknown anchor " + quote(strings.Trim(strings.TrimSuffix(strings.TrimPrefix(message, "unknown anchor "), " referenced"), "'")),
			"define it before its use, or quote a text that starts with \"*\""
	}
	return "not valid YAML: " + clip(message), ""
}
