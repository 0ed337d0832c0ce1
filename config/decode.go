package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// decoder fills a struct from a tree. It goes on after a problem, so that all of them are reported at once; a value that
// could not be decoded keeps its default.
type decoder struct {
	page   *page
	shapes shapes
}

// trail is the path to a value, written out only when there is a problem.
type trail struct {
	parent *trail
	key    string
	index  int // used when key is ""
}

func (t *trail) String() string {
	if t == nil {
		return ""
	}
	if t.key == "" {
		return t.parent.String() + at(t.index)
	}
	return t.parent.String() + at(t.key)
}

// decodePage decodes the page's tree into target, a pointer to a struct.
func decodePage(p *page, target any) {
	d := decoder{page: p, shapes: shapes{}}
	v := reflect.ValueOf(target).Elem()
	d.defaults(v)
	d.value(p.root, v, nil, nil)
}

// defaults sets what absent keys mean, in v and the structs inside it.
func (d *decoder) defaults(v reflect.Value) {
	for _, f := range d.shapes.fields(v.Type()) {
		fv := v.Field(f.index)
		if fv.Kind() == reflect.Struct && !isText(f.typ) {
			d.defaults(fv)
		}
		if f.def != "" {
			setDefault(fv, f)
		}
	}
}

// setDefault panics on a malformed default tag, which is a mistake in the model.
func setDefault(v reflect.Value, f field) {
	var err error
	switch {
	case isText(f.typ):
		err = v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(f.def))
	case v.Kind() == reflect.String:
		v.SetString(f.def)
	case v.Kind() == reflect.Bool:
		v.SetBool(f.def == "true")
	case v.CanInt():
		var n int64
		n, err = strconv.ParseInt(f.def, 10, 64)
		v.SetInt(n)
	case v.CanUint():
		var n uint64
		n, err = strconv.ParseUint(f.def, 10, 64)
		v.SetUint(n)
	case v.CanFloat():
		var x float64
		x, err = strconv.ParseFloat(f.def, 64)
		v.SetFloat(x)
	case v.Type() == textsType:
		v.Set(reflect.ValueOf(strings.Split(f.def, listComma)))
	default:
		err = fmt.Errorf("no defaults for %s", f.typ)
	}
	if err != nil {
		panic(fmt.Sprintf("default tag of %s: %v", f.key, err))
	}
}

func (d *decoder) fail(n *node, path *trail, code Code, hint, format string, args ...any) {
	d.page.failAt(n, path.String(), finding{code: code, message: fmt.Sprintf(format, args...), hint: hint})
}

// value decodes n into v. f is nil for list entries and the root.
func (d *decoder) value(n *node, v reflect.Value, path *trail, f *field) {
	if n.refused {
		d.page.failed[path.String()] = true
		return
	}
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		d.pointer(n, v, path, f)
		return
	}
	switch {
	case isText(t):
		d.text(n, v, path, f)
	case isWord(t):
		d.word(n, v, path)
	case isBrief(t) && n.kind == kindScalar && n.scalar != scalarNull:
		v.Addr().Interface().(brief).setBrief(n.value)
	case t.Kind() == reflect.Struct:
		d.mapping(n, v, path)
	case t.Kind() == reflect.Slice:
		d.list(n, v, path)
	case t.Kind() == reflect.Map:
		d.texts(n, v, path)
	default:
		d.scalar(n, v, path, f)
	}
}

func (d *decoder) pointer(n *node, v reflect.Value, path *trail, f *field) {
	target := reflect.New(v.Type().Elem())
	if e := target.Elem(); e.Kind() == reflect.Struct && !isText(e.Type()) {
		d.defaults(e)
	}
	d.value(n, target.Elem(), path, f)
	v.Set(target)
}

func (d *decoder) mapping(n *node, v reflect.Value, path *trail) {
	if n.kind != kindMapping {
		d.fail(n, path, codeWrongKind, "", "expected a mapping with keys, not %s", n.describe())
		return
	}
	fields := d.shapes.fields(v.Type())
	seen := make([]bool, len(fields))
	for _, e := range n.entries {
		i := fieldIndex(fields, e.key.value)
		step := &trail{parent: path, key: e.key.value}
		switch {
		case i < 0:
			d.unknownKey(e.key, step, fields)
		case seen[i]:
			d.fail(e.key, step, codeDuplicateKey, "remove one of them", "key %s stands twice", quote(e.key.value))
		case e.value.kind == kindScalar && e.value.scalar == scalarNull:
			seen[i] = true
			if fields[i].required {
				d.fail(e.key, step, codeMissingKey, fields[i].doc, "key %s has no value", quote(e.key.value))
			}
		default:
			seen[i] = true
			d.value(e.value, v.Field(fields[i].index), step, &fields[i])
		}
	}
	for i := range fields {
		if fields[i].required && !seen[i] {
			step := &trail{parent: path, key: fields[i].key}
			d.fail(n, step, codeMissingKey, fields[i].doc, "key %q is missing", fields[i].key)
		}
	}
}

func fieldIndex(fields []field, key string) int {
	for i := range fields {
		if fields[i].key == key {
			return i
		}
	}
	return -1
}

func (d *decoder) unknownKey(key *node, path *trail, fields []field) {
	if d.page.lenient {
		d.fail(key, path, codeInertKey, "", "key %s is not known to this release and has no effect", quote(key.value))
		return
	}
	if d.page.report.full(codeUnknownKey) {
		d.fail(key, path, codeUnknownKey, "", "")
		return
	}
	known := make([]string, 0, len(fields))
	for _, f := range fields {
		known = append(known, f.key)
	}
	hint := didYouMean(key.value, known, "known keys: "+strings.Join(known, ", "))
	d.fail(key, path, codeUnknownKey, hint, "unknown key %s", quote(key.value))
}

func (d *decoder) list(n *node, v reflect.Value, path *trail) {
	if n.kind != kindSequence {
		d.fail(n, path, codeWrongKind, "write [one, two], or a line with \"- \" for each", "expected a list, not %s", n.describe())
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		e := out.Index(i)
		if e.Kind() == reflect.Struct && !isText(e.Type()) {
			d.defaults(e)
		}
		d.value(item, e, &trail{parent: path, index: i}, nil)
	}
	v.Set(out)
}

// texts decodes a mapping whose keys are chosen by who writes it, and whose values are texts.
func (d *decoder) texts(n *node, v reflect.Value, path *trail) {
	if n.kind != kindMapping {
		d.fail(n, path, codeWrongKind, "write {key: text, other: text}", "expected a mapping of texts, not %s", n.describe())
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.entries))
	for _, e := range n.entries {
		step := &trail{parent: path, key: e.key.value}
		key := reflect.ValueOf(e.key.value).Convert(v.Type().Key())
		if out.MapIndex(key).IsValid() {
			d.fail(e.key, step, codeDuplicateKey, "remove one of them", "key %s stands twice", quote(e.key.value))
			continue
		}
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(e.value, value, step, nil)
		out.SetMapIndex(key, value)
	}
	v.Set(out)
}

// text decodes a value that reads itself: durations, addresses, prefixes.
func (d *decoder) text(n *node, v reflect.Value, path *trail, f *field) {
	kind := textKindOf(v.Type())
	if n.kind != kindScalar || n.scalar == scalarNull || n.scalar == scalarBool {
		d.fail(n, path, codeWrongKind, "", "expected %s, not %s", kind.noun, n.describe())
		return
	}
	fresh := reflect.New(v.Type())
	err := fresh.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.value))
	if err != nil || n.scalar != scalarText {
		d.fail(n, path, kind.code, kind.hint(n), "%s is not %s", quote(n.value), kind.noun)
		return
	}
	if v.Type() == durationType && f != nil && f.limits != nil {
		value := fresh.Elem().Interface().(Duration)
		if !d.within(float64(value), n, path, f.limits) {
			return
		}
		if f.limits.step > 0 && value.Std()%f.limits.step != 0 {
			d.fail(n, path, codeStep, "", "%s is not a multiple of %s", quote(n.value), f.limits.step)
			return
		}
	}
	v.Set(fresh.Elem())
}

func (d *decoder) word(n *node, v reflect.Value, path *trail) {
	noun, code := wordNoun(v.Type())
	if n.kind != kindScalar || n.scalar != scalarText {
		d.fail(n, path, codeWrongKind, oneOf(words(v.Type())), "expected a %s, not %s", noun, n.describe())
		return
	}
	w, ok := lookUpWord(v.Type(), n.value)
	if !ok {
		known := words(v.Type())
		d.fail(n, path, code, didYouMean(n.value, known, oneOf(known)), "unknown %s %s", noun, quote(n.value))
		return
	}
	v.SetString(w)
}

func (d *decoder) within(value float64, n *node, path *trail, l *limits) bool {
	if value >= l.min && value <= l.max {
		return true
	}
	d.fail(n, path, codeRange, "", "%s is out of range: %s", clip(n.value), l.text)
	return false
}
