package config

import "reflect"

// decodedObject is an object as the model has it: a pointer to a Service, and so on. It is shared by all documents that the object is in.
type decodedObject struct{ value any }

// decode makes the document's objects of what each of them is.
func (a *assembly) decode(p *page) *Document {
	doc := new(Document)
	d := decoder{page: p, shapes: shapes{}}
	d.defaults(reflect.ValueOf(doc).Elem())
	if len(a.kinds[ObjectSite]) == 0 {
		p.problem(at(ObjectSite.Key()), codeMissingKey, "", "key %q is missing", ObjectSite.Key())
	}
	doc.Zones = decodeKind[Zone](a, &d, ObjectZone)
	doc.Sites = decodeKind[Site](a, &d, ObjectSite)
	doc.Monitors = decodeKind[Monitor](a, &d, ObjectMonitor)
	doc.Services = decodeKind[Service](a, &d, ObjectService)
	doc.ServiceGroups = decodeKind[ServiceGroup](a, &d, ObjectServiceGroup)
	doc.VirtualServers = decodeKind[VirtualServer](a, &d, ObjectVirtualServer)
	doc.Views = decodeKind[View](a, &d, ObjectView)
	doc.Locations = decodeKind[Location](a, &d, ObjectLocation)
	for _, o := range a.kinds[ObjectSettings] {
		doc.Settings = *decodeOne[Settings](a, &d, o, &trail{key: ObjectSettings.Key()})
	}
	return doc
}

// decodeKind decodes all objects of a kind.
func decodeKind[T any](a *assembly, d *decoder, kind ObjectKind) []T {
	objects := a.kinds[kind]
	if len(objects) == 0 {
		return nil
	}
	out := make([]T, len(objects))
	list := &trail{key: kind.Key()}
	for i, o := range objects {
		if known := o.decoded.Load(); known != nil {
			out[i] = *known.value.(*T)
			continue
		}
		out[i] = *decodeOne[T](a, d, o, &trail{parent: list, index: i})
	}
	return out
}

// decodeOne decodes an object. What went well is kept with it; problems name the place that it has in this document.
func decodeOne[T any](a *assembly, d *decoder, o *Object, path *trail) *T {
	if known := o.decoded.Load(); known != nil {
		return known.value.(*T)
	}
	out := new(T)
	v := reflect.ValueOf(out).Elem()
	d.defaults(v)
	report := d.page.report
	failed, errors, warnings := len(d.page.failed), report.errors, report.warnings
	d.value(o.tree(), v, path, nil)
	if failed == len(d.page.failed) && errors == report.errors && warnings == report.warnings {
		o.decoded.Store(&decodedObject{out})
	}
	return out
}
