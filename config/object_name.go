package config

import (
	"net/netip"
	"slices"
	"strings"
)

// viewsMark stands between the name of a zone and the views whose clients see it, in the name of its object.
const viewsMark = "@"

// nameKey returns the key that holds the name of an object of a kind; "" when its text has none.
func nameKey(kind ObjectKind) string {
	switch kind {
	case ObjectLocation:
		return "prefix"
	case ObjectSettings, ObjectViewOrder, ObjectFile:
		return ""
	}
	return "name"
}

// CanonicalObjectName returns how objects of a kind are named that people may write in several ways: a zone in lower case and without the final dot,
// its views in order ("example.com@inside,lab"); a location's prefix in its usual form; the settings and the order of views by their only
// names. Other names, and what is no name, are returned as they are.
func CanonicalObjectName(kind ObjectKind, name string) string {
	switch kind {
	case ObjectZone:
		zone, views, found := strings.Cut(name, viewsMark)
		if !found {
			return zoneObjectName(zone, nil)
		}
		return zoneObjectName(zone, strings.Split(views, listComma))
	case ObjectLocation:
		if p, err := netip.ParsePrefix(name); err == nil {
			return p.String()
		}
	case ObjectSettings:
		return SettingsName
	case ObjectViewOrder:
		return ViewOrderName
	}
	return name
}

// zoneObjectName names the object of a zone that clients of some views see; none: all others.
func zoneObjectName(zone string, views []string) string {
	if canonical, err := canonicalHost(zone); err == nil {
		zone = strings.TrimSuffix(canonical, ".")
	}
	if len(views) == 0 {
		return zone
	}
	views = slices.Sorted(slices.Values(views))
	return zone + viewsMark + strings.Join(slices.Compact(views), listComma)
}

// keyOfTree returns the name that the object of a tree has by what stands inside. It is "" when the name is missing.
func keyOfTree(kind ObjectKind, n *node) (string, *finding) {
	inside := nameKey(kind)
	if inside == "" {
		want, shape := kindMapping, "a mapping with keys"
		if kind == ObjectViewOrder {
			want, shape = kindSequence, "a list of the names of views"
		}
		if n.kind != want {
			return "", &finding{codeWrongKind, "expected " + shape + ", not " + n.describe(), ""}
		}
		return CanonicalObjectName(kind, ""), nil
	}
	if n.kind != kindMapping {
		return "", &finding{codeWrongKind, "expected a mapping with keys, not " + n.describe(), ""}
	}
	name := n.child(inside)
	if name == nil || isNull(name) {
		return "", nil
	}
	if name.kind != kindScalar || name.scalar != scalarText || name.value == "" {
		return "", &finding{codeName, "the name of " + article(kind) + " is a text, not " + name.describe(), ""}
	}
	if kind == ObjectZone {
		return zoneObjectName(name.value, viewsOfTree(n)), nil
	}
	return CanonicalObjectName(kind, name.value), nil
}

func article(kind ObjectKind) string { return "a " + strings.ReplaceAll(kind.String(), "-", " ") }

// viewsOfTree returns the views of a zone, as far as they are texts.
func viewsOfTree(n *node) []string {
	views := n.child("views")
	if views == nil || views.kind != kindSequence {
		return nil
	}
	var out []string
	for _, v := range views.items {
		if v.kind == kindScalar && v.scalar == scalarText {
			out = append(out, v.value)
		}
	}
	return out
}

// nameObject returns the tree with the name of its key inside, or reports that it has another one.
func nameObject(p *page, key ObjectKey, n *node) *node {
	named, f := keyOfTree(key.Kind, n)
	inside := nameKey(key.Kind)
	path := ""
	if n.kind == kindMapping && n.child(inside) != nil {
		path = at(inside)
	}
	switch {
	case f != nil:
		p.failAt(p.nearestNode(path), path, *f)
		return n
	case named == key.Name:
		return n
	case named != "":
		p.failAt(p.nearestNode(path), path, finding{codeName, "the object is named " + quote(named) + ", not " + quote(key.Name), "write the name by which it is addressed, or leave it out"})
		return n
	}
	name, views, _ := strings.Cut(key.Name, viewsMark)
	if key.Kind != ObjectZone {
		name, views = key.Name, ""
	}
	out := *n
	out.entries = slices.DeleteFunc(slices.Clone(n.entries), func(e entry) bool { return e.key.value == inside })
	out.entries = append(out.entries, entry{key: textNode(inside), value: textNode(name)})
	if have := viewsOfTree(n); views != "" && len(have) == 0 {
		list := &node{kind: kindSequence, size: 1, depth: 1}
		for _, v := range strings.Split(views, listComma) {
			list.items = append(list.items, textNode(v))
			list.grow(list.items[len(list.items)-1])
		}
		out.entries = slices.DeleteFunc(out.entries, func(e entry) bool { return e.key.value == "views" })
		out.entries = append(out.entries, entry{key: textNode("views"), value: list})
		out.depth = max(out.depth, list.depth+1)
	} else if zoneObjectName(name, have) != key.Name && key.Kind == ObjectZone {
		p.failAt(n, "", finding{codeName, "the object is named " + quote(zoneObjectName(name, have)) + " by its views, not " + quote(key.Name), "leave the views out, or write the same"})
	}
	return &out
}

// textNode is a text that stands nowhere.
func textNode(s string) *node { return &node{value: s, size: 1, depth: 1} }
