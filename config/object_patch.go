package config

import (
	"fmt"
	"slices"
)

// MergePatch returns the object with a patch applied (RFC 7396): JSON or YAML that is shaped like the object, in which null removes a key. The name cannot
// be changed. Errors are *ObjectError.
func MergePatch(o *Object, patch []byte) (*Object, error) {
	report := new(Report)
	p := newPage(o.key.String(), patch, report)
	if o.opaque() {
		p.problem("", codeWrongKind, "put the whole file", "a file cannot be patched")
		return nil, &ObjectError{o.key, report.Problems()}
	}
	old, err := parseJSON(o.text, MaxObjectDepth)
	if err != nil {
		return nil, fmt.Errorf("patch object %q: %w", o.key, err)
	}
	if p.root = parseObjectText(p); p.root != nil {
		merged := mergeTree(old, p.root)
		if merged.kind == p.root.kind {
			merged = nameObject(p, o.key, merged)
		}
		if out := newObjectOf(o.key, merged, func(n *node, path *trail, f finding) { p.failAt(n, path.String(), f) }); report.Errors() == 0 {
			return out, nil
		}
	}
	return nil, &ObjectError{o.key, report.Problems()}
}

// mergeTree applies a patch to a tree. Neither is changed.
func mergeTree(old, patch *node) *node {
	if patch.kind != kindMapping {
		return patch
	}
	out := &node{kind: kindMapping, size: 1, depth: 1, line: patch.line, column: patch.column}
	if old != nil && old.kind == kindMapping {
		out.entries = slices.Clone(old.entries)
	}
	for _, e := range patch.entries {
		i := slices.IndexFunc(out.entries, func(have entry) bool { return have.key.value == e.key.value })
		switch {
		case isNull(e.value) && i >= 0:
			out.entries = slices.Delete(out.entries, i, i+1)
		case isNull(e.value):
		case i >= 0:
			out.entries[i].value = mergeTree(out.entries[i].value, e.value)
		default:
			out.entries = append(out.entries, entry{key: e.key, value: mergeTree(nil, e.value)})
		}
	}
	for _, e := range out.entries {
		out.grow(e.value)
	}
	return out
}
