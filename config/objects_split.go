package config

import (
	"fmt"
	"maps"
	"slices"
)

// Objects takes a document apart. Aliases and merge keys are written out, keys without a value dropped, and each zone file is an object. Whether
// an object means something is left to Assemble; the report has what keeps the text from being objects at all: it cannot be read, two
// objects have one name, or one has none. The objects are nil when it has errors.
func (s Source) Objects() (*Objects, *Report) {
	report := new(Report)
	name := s.Name
	if name == "" {
		name = "document"
	}
	p := newPage(name, s.Text, report)
	if s.tree.of(s.Text) {
		p.root = s.tree.root
	} else if p.root = parseYAML(p); p.root == nil {
		return nil, report
	}
	if otherFile[Document, Node](p, "GSLB document", "node file", "name the document, which lists sites and services") {
		return nil, report
	}
	sp := splitter{page: p, seen: map[ObjectKey]*node{}}
	sp.document()
	for _, path := range slices.Sorted(maps.Keys(s.Files)) {
		sp.out = append(sp.out, NewFile(path, s.Files[path]))
	}
	if report.Errors() > 0 {
		return nil, report
	}
	return NewObjects(sp.out), report
}

// splitter takes a page's tree apart.
type splitter struct {
	page  *page
	seen  map[ObjectKey]*node
	out   []*Object
	bytes int // of all objects
}

func (s *splitter) document() {
	root := s.page.root
	if root.kind != kindMapping {
		s.fail(root, "", codeWrongKind, "", "expected a mapping with keys, not %s", root.describe())
		return
	}
	done := map[string]bool{}
	for _, e := range root.entries {
		kind, known := kindOfKey(e.key.value)
		path := at(e.key.value)
		switch {
		case !known:
			d := decoder{page: s.page, shapes: shapes{}}
			d.unknownKey(e.key, &trail{key: e.key.value}, d.shapes.fields(documentType))
		case done[e.key.value]:
			s.fail(e.key, path, codeDuplicateKey, "remove one of them", "key %s stands twice", quote(e.key.value))
		case isNull(e.value), e.value.refused:
		case kind == ObjectSettings:
			s.object(kind, e.value, path)
		case e.value.kind != kindSequence:
			s.fail(e.value, path, codeWrongKind, "write a line with \"- \" for each", "expected a list, not %s", e.value.describe())
		default:
			s.list(kind, e.value)
		}
		done[e.key.value] = true
	}
}

func (s *splitter) fail(n *node, path string, code Code, hint, format string, args ...any) {
	s.page.failAt(n, path, finding{code: code, message: fmt.Sprintf(format, args...), hint: hint})
}

// kindOfKey returns the kind of the objects under a key of the document.
func kindOfKey(key string) (ObjectKind, bool) {
	for _, k := range ObjectKinds {
		if k.Key() == key && key != "" {
			return k, true
		}
	}
	return 0, false
}

func (s *splitter) list(kind ObjectKind, list *node) {
	order := &node{kind: kindSequence, size: 1, depth: 1}
	for i, item := range list.items {
		if item.refused {
			continue
		}
		o := s.object(kind, item, at(kind.Key(), i))
		if o != nil && kind == ObjectView {
			order.items = append(order.items, textNode(o.key.Name))
		}
	}
	if len(order.items) > 0 {
		s.object(ObjectViewOrder, order, at(kind.Key()))
	}
}

// object adds the object of a tree.
func (s *splitter) object(kind ObjectKind, n *node, path string) *Object {
	name, f := keyOfTree(kind, n)
	key := ObjectKey{kind, name}
	switch other := s.seen[key]; {
	case f != nil:
		s.page.failAt(n, path, *f)
	case name == "":
		s.fail(n, path+at(nameKey(kind)), codeMissingKey, "", "key %q is missing", nameKey(kind))
	case len(name) > MaxObjectName:
		s.fail(n, path+at(nameKey(kind)), codeName, "", "the name has %d bytes; the limit is %d", len(name), MaxObjectName)
	case other != nil && kind == ObjectZone:
		s.fail(n, path, codeDuplicateZone, fmt.Sprintf("the other one is in line %d", other.line), "zone %s is listed twice", quote(name))
	case other != nil:
		s.fail(n, path, codeDuplicateName, fmt.Sprintf("the other one is in line %d", other.line), "the name %s is taken", quote(name))
	case s.bytes > MaxSourceBytes:
	default:
		s.seen[key] = n
		o := newObjectOf(key, n, func(n *node, t *trail, f finding) { s.page.failAt(n, path+t.String(), f) })
		if s.bytes += len(o.text); s.bytes > MaxSourceBytes {
			s.fail(n, path, codeTooLarge, "", "the document has more than %d bytes with aliases written out", MaxSourceBytes)
		}
		s.out = append(s.out, o)
		return o
	}
	return nil
}
