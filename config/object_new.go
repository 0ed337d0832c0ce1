package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// ObjectError says why a text is no object. Problems name places in the text.
type ObjectError struct {
	Key      ObjectKey
	Problems []Problem
}

// Error lists the problems, one a line.
func (e *ObjectError) Error() string {
	lines := make([]string, len(e.Problems))
	for i := range e.Problems {
		lines[i] = e.Problems[i].String()
	}
	return fmt.Sprintf("read object %q: %s", e.Key, strings.Join(lines, "\n"))
}

// NewObject makes an object of YAML or JSON text. The name in the text may be missing; another one than name is an error. Whether the object means
// something is not judged: that is for Assemble, which sees the whole document. Errors are *ObjectError.
func NewObject(kind ObjectKind, name string, text []byte) (*Object, error) {
	key := ObjectKey{kind, CanonicalObjectName(kind, name)}
	report := new(Report)
	p := newPage(key.String(), text, report)
	switch {
	case !kind.Valid() || key.Name == "" || len(key.Name) > MaxObjectName:
		p.problem("", codeName, "", "%s is not the name of an object", quote(key.String()))
	case kind == ObjectFile && len(text) > MaxZoneFileBytes:
		p.problem("", codeTooLarge, "", "the file has %d bytes; the limit is %d", len(text), MaxZoneFileBytes)
	case kind == ObjectFile:
		return NewFile(name, text), nil
	default:
		if o := newObject(p, key); o != nil && report.Errors() == 0 {
			return o, nil
		}
	}
	return nil, &ObjectError{key, report.Problems()}
}

// newObject makes an object of a page's text, and reports what keeps it from being one.
func newObject(p *page, key ObjectKey) *Object {
	if p.root = parseObjectText(p); p.root == nil {
		return nil
	}
	root := nameObject(p, key, p.root)
	return newObjectOf(key, root, func(n *node, path *trail, f finding) { p.failAt(n, path.String(), f) })
}

// parseObjectText reads JSON as what it is: YAML does not know all of its escapes.
func parseObjectText(p *page) *node {
	if trimmed := bytes.TrimLeft(p.text, " \t\r\n"); len(trimmed) > 0 && len(p.text) <= MaxDocumentBytes && strings.IndexByte("{[", trimmed[0]) >= 0 {
		if n, err := parseJSON(p.text, MaxObjectDepth); err == nil {
			return n
		}
	}
	n := parseYAML(p)
	if n != nil && n.depth > MaxObjectDepth {
		p.failAt(n, "", finding{codeTooDeep, fmt.Sprintf("values nest deeper than %d levels", MaxObjectDepth), ""})
		return nil
	}
	return n
}

// NewFile makes an object of a zone file: path is how the document names it.
func NewFile(path string, text []byte) *Object {
	return sealObject(ObjectKey{ObjectFile, path}, bytes.Clone(text))
}

// ObjectFromCanonical makes an object of what Text returned, at another time or another site. It returns an error unless the text is canonical and
// has the name of the key. Objects of a kind that only a newer release knows are taken as they are: they are passed on, and have no effect here.
func ObjectFromCanonical(key ObjectKey, text []byte) (*Object, error) {
	if key.Kind == 0 || key.Name == "" || len(key.Name) > MaxObjectName {
		return nil, fmt.Errorf("read object %q: it has no kind, or no name of at most %d bytes", clip(key.String()), MaxObjectName)
	}
	if len(text) > max(MaxObjectBytes, MaxZoneFileBytes) {
		return nil, fmt.Errorf("read object %q: %d bytes are too many", clip(key.String()), len(text))
	}
	if key.Kind == ObjectFile || !key.Kind.Valid() {
		return sealObject(key, bytes.Clone(text)), nil
	}
	n, err := parseJSON(text, MaxObjectDepth)
	if err != nil {
		return nil, fmt.Errorf("read object %q: %w", key, err)
	}
	var refused error
	o := newObjectOf(key, n, func(_ *node, path *trail, f finding) {
		refused = fmt.Errorf("read object %q: %s: %s", key, path, f.message)
	})
	switch {
	case refused != nil:
		return nil, refused
	case !bytes.Equal(o.text, text):
		return nil, fmt.Errorf("read object %q: %w", key, errNotCanonical)
	}
	if named, f := keyOfTree(key.Kind, n); f != nil {
		return nil, fmt.Errorf("read object %q: %s", key, f.message)
	} else if named != key.Name {
		return nil, fmt.Errorf("read object %q: it is named %s inside", key, quote(named))
	}
	return o, nil
}

var errNotCanonical = errors.New("the text is not in canonical form")

// opaque reports whether the object's text is no JSON: it is a file, or of a kind that only a newer release knows.
func (o *Object) opaque() bool { return o.key.Kind == ObjectFile || !o.key.Kind.Valid() }
