package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// AssembleOptions say how objects become a document.
type AssembleOptions struct {
	// Previous is what was assembled before, whose objects need not be looked at again where they are the same. Not needed when the objects
	// were made with With from those. It never changes the outcome.
	Previous *Objects
	// Lenient leaves out what is wrong, as little as possible, in place of refusing all: for what other sites wrote, maybe with a newer
	// release. The outcome depends on the objects alone.
	Lenient bool
}

// Assemble makes a document of objects, with those of each kind in order of their names, and validates it as a whole. Problems name the object and the
// place in it. The document is nil when the report has errors.
func Assemble(o *Objects, opts AssembleOptions) (*Document, *Report) {
	if opts.Lenient {
		return assembleLenient(o, opts.Previous)
	}
	report := new(Report)
	found := newAssembly(o).assemble(report, opts.Previous, false)
	if report.Errors() > 0 {
		return nil, report
	}
	o.assembled.Store(found)
	return found.doc, report
}

// assemble makes the document. It may be incomplete when there are errors, and what was found is of no use then.
func (a *assembly) assemble(report *Report, previous *Objects, lenient bool) *assembled {
	before := a.objects.findings(previous)
	p := newPage(assembledName, nil, report)
	p.parts, p.lenient = a, lenient
	report.placed = a.place
	found := &assembled{kinds: a.kinds, files: a.fileObjects, noisy: map[ObjectKey]bool{}}
	found.doc = a.decode(p, before, found)
	a.doc = found.doc
	a.checkViewOrder(report)
	a.checkSize(report)
	c := &checker{page: p, doc: a.doc, src: Source{Name: assembledName, Files: a.files}, settlement: a.settle(before, found)}
	c.validate()
	report.placed = nil
	found.names = [len(kindWords)]map[string]int{ObjectSite: c.sites, ObjectMonitor: c.monitors, ObjectService: c.services, ObjectServiceGroup: c.groups,
		ObjectVirtualServer: c.servers, ObjectView: c.views}
	return found
}

// findings returns what an assembly before found: of these objects, of those given, or of those that these were made from.
func (s *Objects) findings(previous *Objects) *assembled {
	if found := s.assembled.Load(); found != nil {
		return found
	}
	if previous != nil {
		return previous.assembled.Load()
	}
	return nil
}

// assembledName stands in problems for the file.
const assembledName = "document"

var documentType = reflect.TypeFor[Document]()

// assembly is objects on their way to a document.
type assembly struct {
	objects *Objects
	kinds   [len(kindWords)][]*Object // by kind, in the order of the document
	files   map[string][]byte
	trees   map[*Object]*node

	fileObjects []*Object
	doc         *Document
}

func newAssembly(o *Objects) *assembly {
	a := &assembly{objects: o, files: map[string][]byte{}, trees: map[*Object]*node{}}
	for kind := ObjectZone; kind.Valid(); kind++ {
		first, _ := o.find(ObjectKey{Kind: kind})
		next, _ := o.find(ObjectKey{Kind: kind + 1})
		a.kinds[kind] = o.list[first:next:next]
	}
	a.fileObjects, a.kinds[ObjectFile] = a.kinds[ObjectFile], nil
	for _, file := range a.fileObjects {
		a.files[file.key.Name] = file.text
	}
	a.orderViews()
	return a
}

// orderViews puts views in the order in which they are tried; those that it does not name come last.
func (a *assembly) orderViews() {
	order := a.kinds[ObjectViewOrder]
	if len(order) == 0 {
		return
	}
	var first, rest []*Object
	named := map[string]bool{}
	for _, item := range a.treeOf(order[0]).items {
		if o := a.objects.Get(ObjectKey{ObjectView, item.value}); o != nil && !named[item.value] {
			named[item.value] = true
			first = append(first, o)
		}
	}
	for _, o := range a.kinds[ObjectView] {
		if !named[o.key.Name] {
			rest = append(rest, o)
		}
	}
	a.kinds[ObjectView] = append(first, rest...)
}

// checkSize refuses objects that are too much together, and warns of those that this release does not know.
func (a *assembly) checkSize(report *Report) {
	total := 0
	for _, o := range a.objects.list {
		if total += len(o.text); !o.key.Kind.Valid() {
			report.add(Problem{File: assembledName, Code: codeInertKey, Object: o.key.String(),
				Message: fmt.Sprintf("objects of kind %d are not known to this release and have no effect", o.key.Kind)})
		}
	}
	if total > MaxSourceBytes {
		report.add(Problem{File: assembledName, Code: codeTooLarge, Message: fmt.Sprintf("all objects have %d bytes together; the limit is %d", total, MaxSourceBytes)})
	}
}

// checkViewOrder warns of views that are not there.
func (a *assembly) checkViewOrder(report *Report) {
	for _, o := range a.kinds[ObjectViewOrder] {
		for i, item := range a.treeOf(o).items {
			if a.objects.Get(ObjectKey{ObjectView, item.value}) == nil {
				report.add(Problem{File: assembledName, Code: codeInertView, Message: "view " + quote(item.value) + " does not exist",
					Hint: "remove it from the order of views", Object: o.key.String(), ObjectPath: at(i)})
			}
		}
	}
}

// treeOf returns the tree of an object that is no file.
func (a *assembly) treeOf(o *Object) *node {
	if n := a.trees[o]; n != nil {
		return n
	}
	n := o.tree()
	a.trees[o] = n
	return n
}

// enter returns the tree of the object that a path lies in, and the rest of the path.
func (a *assembly) enter(path string) (n *node, rest string) {
	key, inside, found := a.place(path)
	if !found {
		return nil, path
	}
	return a.treeOf(a.objects.Get(key)), inside
}

// place returns the object that a path of the document lies in, and the path in it.
func (a *assembly) place(path string) (key ObjectKey, inside string, found bool) {
	if path == "" {
		return ObjectKey{}, "", false
	}
	word, rest, _ := strings.Cut(path[1:], "/")
	kind, known := kindOfKey(word)
	if !known {
		return ObjectKey{}, "", false
	}
	objects := a.kinds[kind]
	if kind == ObjectSettings {
		return ObjectKey{ObjectSettings, SettingsName}, path[1+len(word):], len(objects) > 0
	}
	index, inside, deeper := strings.Cut(rest, "/")
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i >= len(objects) {
		return ObjectKey{}, "", false
	}
	if deeper {
		inside = "/" + inside
	}
	return objects[i].key, inside, true
}

// placed returns where a path lies in a document of objects.
func (p *page) placed(path string) (ObjectKey, string, bool) {
	if p.parts == nil {
		return ObjectKey{}, "", false
	}
	return p.parts.place(path)
}
