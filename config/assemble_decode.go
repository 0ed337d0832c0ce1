package config

import (
	"reflect"
	"slices"
	"strings"
)

// decodedObject is an object as the model has it: a pointer to a Service, and so on. It is shared by all documents that the object is in.
type decodedObject struct {
	value any
	keys  []string // that stand in the text of a zone, which may be large; nil for others
}

// decode makes the document's objects of what each of them is.
func (a *assembly) decode(p *page, before, found *assembled) *Document {
	doc := new(Document)
	d := decoder{page: p, shapes: shapes{}}
	d.defaults(reflect.ValueOf(doc).Elem())
	if len(a.kinds[ObjectSite]) == 0 {
		p.problem(at(ObjectSite.Key()), codeMissingKey, "", "key %q is missing", ObjectSite.Key())
	}
	doc.Zones = decodeKind(a, &d, found, ObjectZone, before, func(doc *Document) []Zone { return doc.Zones })
	doc.Sites = decodeKind(a, &d, found, ObjectSite, before, func(doc *Document) []Site { return doc.Sites })
	doc.Monitors = decodeKind(a, &d, found, ObjectMonitor, before, func(doc *Document) []Monitor { return doc.Monitors })
	doc.Services = decodeKind(a, &d, found, ObjectService, before, func(doc *Document) []Service { return doc.Services })
	doc.ServiceGroups = decodeKind(a, &d, found, ObjectServiceGroup, before, func(doc *Document) []ServiceGroup { return doc.ServiceGroups })
	doc.VirtualServers = decodeKind(a, &d, found, ObjectVirtualServer, before, func(doc *Document) []VirtualServer { return doc.VirtualServers })
	doc.Views = decodeKind(a, &d, found, ObjectView, before, func(doc *Document) []View { return doc.Views })
	doc.Locations = decodeKind(a, &d, found, ObjectLocation, before, func(doc *Document) []Location { return doc.Locations })
	for _, o := range a.kinds[ObjectSettings] {
		doc.Settings = *decodeOne[Settings](&d, found, o, &trail{key: ObjectSettings.Key()})
	}
	return doc
}

// decodeKind decodes all objects of a kind. When they are what they were before, that is taken.
func decodeKind[T any](a *assembly, d *decoder, found *assembled, kind ObjectKind, before *assembled, of func(*Document) []T) []T {
	objects := a.kinds[kind]
	if len(objects) == 0 {
		return nil
	}
	found.kept[kind] = true
	if before != nil && before.kept[kind] && kind != ObjectZone && slices.Equal(objects, before.kinds[kind]) {
		return of(before.doc)
	}
	out, was := make([]T, len(objects)), []*Object(nil)
	if before != nil && before.kept[kind] && kind != ObjectZone && len(before.kinds[kind]) == len(objects) {
		was = before.kinds[kind]
		copy(out, of(before.doc))
	}
	list := &trail{key: kind.Key()}
	for i, o := range objects {
		if was != nil && was[i] == o {
			continue
		}
		if known := o.decoded.Load(); known != nil {
			out[i] = *known.value.(*T)
			continue
		}
		out[i] = *decodeOne[T](d, found, o, &trail{parent: list, index: i})
	}
	return out
}

// decodeOne decodes an object. What went well is kept with it; problems name the place that it has in this document.
func decodeOne[T any](d *decoder, found *assembled, o *Object, path *trail) *T {
	if known := o.decoded.Load(); known != nil {
		return known.value.(*T)
	}
	out := new(T)
	v := reflect.ValueOf(out).Elem()
	d.defaults(v)
	report := d.page.report
	failed, errors, warnings := len(d.page.failed), report.errors, report.warnings
	n := o.tree()
	d.value(n, v, path, nil)
	if failed == len(d.page.failed) && errors == report.errors && warnings == report.warnings {
		kept := &decodedObject{value: out}
		if o.key.Kind == ObjectZone {
			kept.keys = n.keys()
		}
		o.decoded.Store(kept)
	} else {
		found.noisy[o.key], found.kept[o.key.Kind] = true, false
	}
	return out
}

// keys returns the keys of a mapping.
func (n *node) keys() []string {
	out := make([]string, len(n.entries))
	for i := range n.entries {
		out[i] = n.entries[i].key.value
	}
	return out
}

// present reports whether an object itself has a value at a path of the document.
func (a *assembly) present(path string) bool {
	key, inside, found := a.place(path)
	if !found {
		return false
	}
	o := a.objects.Get(key)
	if known := o.decoded.Load(); known != nil && known.keys != nil && inside != "" && strings.IndexByte(inside[1:], '/') < 0 {
		return slices.Contains(known.keys, inside[1:])
	}
	return (&page{root: a.treeOf(o)}).find(inside) != nil
}
