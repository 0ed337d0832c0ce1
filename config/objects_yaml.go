package config

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// YAML writes the whole document for people, as a file would have it: keys in the order of the model, objects by name. Zone files are named, and not
// part of it.
func (s *Objects) YAML(w io.Writer) error {
	out := yamlWriter{shapes: shapes{}}
	err := s.document(func(kind ObjectKind, objects []*Object, t reflect.Type) error {
		if kind == ObjectSettings {
			out.key(kind.Key(), 0)
			out.under(objects[0].tree(), t, 0)
		} else if out.out = append(append(out.out, kind.Key()...), ':'); len(objects) == 0 {
			out.out = append(out.out, " []\n"...)
		} else {
			out.out = append(out.out, '\n')
		}
		for _, o := range objects {
			if kind != ObjectSettings {
				out.item(o.tree(), t, yamlIndent)
			}
		}
		_, err := w.Write(out.out)
		out.out = out.out[:0]
		return err
	})
	if err != nil {
		return fmt.Errorf("write document: %w", err)
	}
	return nil
}

// JSON writes the whole document as YAML does, in JSON.
func (s *Objects) JSON(w io.Writer) error {
	known, b := shapes{}, []byte{'{'}
	err := s.document(func(kind ObjectKind, objects []*Object, t reflect.Type) error {
		if len(b) != 1 || b[0] != '{' {
			b = append(b, ',')
		}
		b = append(appendJSONString(b, kind.Key()), ':')
		if kind == ObjectSettings {
			b = known.appendJSON(b, objects[0].tree(), t)
		} else {
			b = append(b, '[')
			for i, o := range objects {
				if i > 0 {
					b = append(b, ',')
				}
				b = known.appendJSON(b, o.tree(), t)
			}
			b = append(b, ']')
		}
		_, err := w.Write(b)
		b = b[:0]
		return err
	})
	if err == nil {
		_, err = w.Write([]byte("}\n"))
	}
	if err != nil {
		return fmt.Errorf("write document: %w", err)
	}
	return nil
}

// document calls yield for each key of the document that is there, in the order of the model. Sites are always there.
func (s *Objects) document(yield func(kind ObjectKind, objects []*Object, t reflect.Type) error) error {
	a := newAssembly(s)
	for _, kind := range ObjectKinds {
		if kind.Key() == "" || len(a.kinds[kind]) == 0 && kind != ObjectSite {
			continue
		}
		if err := yield(kind, a.kinds[kind], typeOfKind(kind)); err != nil {
			return err
		}
	}
	return nil
}

// YAML returns the object for people: keys in the order of the model. A file is itself.
func (o *Object) YAML() []byte {
	if o.opaque() {
		return o.text
	}
	return o.yamlOf(o.tree())
}

func (o *Object) yamlOf(n *node) []byte {
	w := yamlWriter{shapes: shapes{}}
	w.value(n, typeOfKind(o.key.Kind), 0)
	return w.out
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
func (s shapes) modelOrder(n *node, t reflect.Type) (entries []entry, types []reflect.Type) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	entries = slices.Clone(n.entries)
	types = make([]reflect.Type, len(entries))
	if t == nil || t.Kind() != reflect.Struct || isText(t) {
		return entries, types
	}
	fields := s.fields(t)
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

// appendTree appends a tree as JSON, with keys in the order of the model.
func appendTree(b []byte, n *node, t reflect.Type) []byte { return shapes{}.appendJSON(b, n, t) }

// appendJSON is appendTree for many trees.
func (s shapes) appendJSON(b []byte, n *node, t reflect.Type) []byte {
	switch {
	case n.kind == kindMapping:
		entries, types := s.modelOrder(n, t)
		b = append(b, '{')
		for i, e := range entries {
			if i > 0 {
				b = append(b, ',')
			}
			b = s.appendJSON(append(appendJSONString(b, e.key.value), ':'), e.value, types[i])
		}
		return append(b, '}')
	case n.kind == kindSequence:
		b = append(b, '[')
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = s.appendJSON(b, item, itemType(t))
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
