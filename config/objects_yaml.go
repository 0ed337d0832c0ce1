package config

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// yamlIndent is how far each level is indented.
const yamlIndent = 2

// YAML writes the whole document for people, as a file would have it: keys in the order of the model, objects by name. Zone files are named, and not
// part of it.
func (s *Objects) YAML(w io.Writer) error {
	doc := &yaml.Node{Kind: yaml.MappingNode}
	err := s.document(func(key string, value *node, t reflect.Type) error {
		doc.Content = append(doc.Content, yamlText(key), yamlTree(value, t))
		return nil
	})
	if err == nil {
		err = encodeYAML(w, doc)
	}
	if err != nil {
		return fmt.Errorf("write document: %w", err)
	}
	return nil
}

// JSON writes the whole document as YAML does, in JSON.
func (s *Objects) JSON(w io.Writer) error {
	sep := "{"
	err := s.document(func(key string, value *node, t reflect.Type) error {
		b := appendTree(append(appendJSONString([]byte(sep), key), ':'), value, t)
		sep = ","
		_, err := w.Write(b)
		return err
	})
	if err == nil {
		if sep == "{" {
			_, err = io.WriteString(w, sep)
		}
		_, end := io.WriteString(w, "}\n")
		if err == nil {
			err = end
		}
	}
	if err != nil {
		return fmt.Errorf("write document: %w", err)
	}
	return nil
}

// document calls yield for each key of the document that is there, in the order of the model.
func (s *Objects) document(yield func(key string, value *node, t reflect.Type) error) error {
	a := newAssembly(s)
	for _, kind := range ObjectKinds {
		objects, t := a.kinds[kind], typeOfKind(kind)
		if kind.Key() == "" || len(objects) == 0 && kind != ObjectSite {
			continue
		}
		value := &node{kind: kindSequence}
		if kind == ObjectSettings {
			value = objects[0].tree()
		} else {
			t = reflect.SliceOf(t)
			for _, o := range objects {
				value.items = append(value.items, o.tree())
			}
		}
		if err := yield(kind.Key(), value, t); err != nil {
			return err
		}
	}
	return nil
}

// YAML returns the object for people: keys in the order of the model. A file is itself.
func (o *Object) YAML() []byte {
	if o.key.Kind == ObjectFile {
		return o.text
	}
	return o.yamlOf(o.tree())
}

func (o *Object) yamlOf(n *node) []byte {
	var b bytes.Buffer
	if err := encodeYAML(&b, yamlTree(n, typeOfKind(o.key.Kind))); err != nil {
		return o.text // which is YAML, too
	}
	return b.Bytes()
}

func encodeYAML(w io.Writer, n *yaml.Node) error {
	enc := yaml.NewEncoder(w)
	enc.SetIndent(yamlIndent)
	if err := enc.Encode(n); err != nil {
		return fmt.Errorf("encode YAML: %w", err)
	}
	if err := enc.Close(); err != nil {
		return fmt.Errorf("encode YAML: %w", err)
	}
	return nil
}

// tree returns the object's tree; not for files.
func (o *Object) tree() *node {
	n, err := parseJSON(o.text, MaxObjectDepth)
	if err != nil {
		return &node{refused: true, size: 1, depth: 1} // objects are made of canonical text only
	}
	return n
}

// typeOfKind returns what an object of a kind is in the model; nil for what is no part of it.
func typeOfKind(kind ObjectKind) reflect.Type {
	for i := range documentType.NumField() {
		f := documentType.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if key != kind.Key() {
			continue
		}
		if f.Type.Kind() == reflect.Slice {
			return f.Type.Elem()
		}
		return f.Type
	}
	return nil
}

// modelOrder returns the entries of a mapping in the order of the type's keys, what it does not know last, with the type of each value. A type of
// nil knows nothing.
func modelOrder(n *node, t reflect.Type) (entries []entry, types []reflect.Type) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	entries = slices.Clone(n.entries)
	types = make([]reflect.Type, len(entries))
	if t == nil || t.Kind() != reflect.Struct || isText(t) {
		return entries, types
	}
	fields := shapes{}.fields(t)
	rank := func(e entry) int {
		if i := fieldIndex(fields, e.key.value); i >= 0 {
			return i
		}
		return len(fields)
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return rank(a) - rank(b) })
	for i, e := range entries {
		if at := rank(e); at < len(fields) {
			types[i] = fields[at].typ
		}
	}
	return entries, types
}

// itemType returns the type of a list's entries.
func itemType(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Slice {
		return nil
	}
	return t.Elem()
}

func yamlTree(n *node, t reflect.Type) *yaml.Node {
	switch {
	case n.kind == kindMapping:
		out := &yaml.Node{Kind: yaml.MappingNode}
		entries, types := modelOrder(n, t)
		for i, e := range entries {
			out.Content = append(out.Content, yamlText(e.key.value), yamlTree(e.value, types[i]))
		}
		if len(entries) == 0 {
			out.Style = yaml.FlowStyle
		}
		return out
	case n.kind == kindSequence:
		out := &yaml.Node{Kind: yaml.SequenceNode}
		short := 0
		for _, item := range n.items {
			out.Content = append(out.Content, yamlTree(item, itemType(t)))
			if item.kind != kindScalar {
				short = maxFlowLine
			}
			short += len(item.value) + 2
		}
		if short < maxFlowLine {
			out.Style = yaml.FlowStyle
		}
		return out
	case n.scalar == scalarText:
		return yamlText(n.value)
	}
	tag := map[scalarType]string{scalarInteger: "!!int", scalarFloat: "!!float", scalarBool: "!!bool", scalarNull: "!!null"}[n.scalar]
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: n.value}
}

// maxFlowLine is the longest list of single values that is written in brackets, in bytes.
const maxFlowLine = 72

// yamlText is a text: in a block when that is how it is read best, else in quotes when it needs them.
func yamlText(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch {
	case blockText(s):
		n.Style = yaml.LiteralStyle
	case strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }):
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// blockText reports whether a text of several lines comes back unchanged from a "|" block.
func blockText(s string) bool {
	if !strings.Contains(s, "\n") || strings.HasPrefix(s, " ") || strings.HasPrefix(s, "\n") || strings.HasSuffix(s, "\n\n") {
		return false
	}
	for line := range strings.SplitSeq(s, "\n") {
		if strings.TrimRight(line, " \t") != line || strings.ContainsFunc(line, func(c rune) bool { return c != '\t' && !unicode.IsPrint(c) }) ||
			strings.HasPrefix(line, "\t") {
			return false
		}
	}
	return true
}

// appendTree appends a tree as JSON, with keys in the order of the model.
func appendTree(b []byte, n *node, t reflect.Type) []byte {
	switch {
	case n.kind == kindMapping:
		entries, types := modelOrder(n, t)
		b = append(b, '{')
		for i, e := range entries {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendTree(append(appendJSONString(b, e.key.value), ':'), e.value, types[i])
		}
		return append(b, '}')
	case n.kind == kindSequence:
		b = append(b, '[')
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendTree(b, item, itemType(t))
		}
		return append(b, ']')
	case n.scalar == scalarText:
		return appendJSONString(b, n.value)
	}
	return append(b, n.value...)
}

// Source returns the document as text, with its zone files, for what takes that.
func (s *Objects) Source() Source {
	var b bytes.Buffer
	_ = s.YAML(&b) // a buffer takes all
	src := Source{Name: assembledName, Text: b.Bytes(), Files: map[string][]byte{}}
	for _, o := range s.list {
		if o.key.Kind == ObjectFile {
			src.Files[o.key.Name] = o.text
		}
	}
	return src
}
