package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Limits of leaving out.
const (
	// maxGentleRounds is how often only the first of several faults of an object is left out before the next look: the others may follow from it.
	maxGentleRounds = 24
	// maxPartRounds is how often parts are left out before whole objects are.
	maxPartRounds = 48
	// maxRounds is how often anything is left out.
	maxRounds = 96
	// maxObjectCuts is how many looks may find something in one object before it is left out.
	maxObjectCuts = 8
	// maxLenientProblems is how many errors one look acts on.
	maxLenientProblems = 100_000
)

// leaver leaves out of objects what is wrong, look by look, until the rest is a valid document.
type leaver struct {
	from   *Objects
	cuts   map[ObjectKey]*cutting
	shapes shapes
	inert  []Problem
}

// cutting is what is left out of one object.
type cutting struct {
	tree    *node          // of the whole object
	gone    map[*node]bool // in the tree
	looks   int            // that found something
	all     bool           // the object is left out
	bare    bool           // a zone that lost its records' file
	touched bool           // in this look
}

// assembleLenient makes a document of what is right. It is nil when there is no such document, for example since no site is left.
func assembleLenient(o *Objects, previous *Objects) (*Document, *Report) {
	l := leaver{from: o, cuts: map[ObjectKey]*cutting{}, shapes: shapes{}}
	current := o
	for round := 0; ; round++ {
		report := &Report{limit: maxLenientProblems, terse: true}
		found := newAssembly(current).assemble(report, previous, true)
		tolerated := report.tolerate()
		if report.Errors() == 0 {
			o.assembled.Store(found)
			return found.doc, l.report(report, tolerated)
		}
		if round == maxRounds || !l.leaveOut(report.problems, round) {
			report.limit = 0
			return nil, report
		}
		current = l.rest()
	}
}

// report returns what was left out, and the warnings of the last look.
func (l *leaver) report(last *Report, tolerated []Problem) *Report {
	out := new(Report)
	for _, p := range slices.Concat(l.inert, tolerated, last.problems) {
		out.add(p)
	}
	return out
}

// tolerate takes errors out of a report that a document may have whose parts were left out: a virtual server has no members. Its backup may
// answer, or what it has for that case.
func (r *Report) tolerate() []Problem {
	var out []Problem
	r.problems = slices.DeleteFunc(r.problems, func(p Problem) bool {
		if p.Code != codeEmptyList || p.ObjectPath != "/members" || !strings.HasPrefix(p.Object, ObjectVirtualServer.String()+"/") {
			return false
		}
		r.errors--
		p.Code, p.Hint = codeInertMembers, ""
		out = append(out, p)
		return true
	})
	return out
}

// danglingCodes are those of references to what is not there.
var danglingCodes = []Code{codeUnknownService, codeUnknownSite, codeUnknownMonitor, codeUnknownVirtualServer, codeUnknownView, codeUnknownGroup}

// leaveOut leaves out what the errors of one look ask for. It reports whether there was anything.
func (l *leaver) leaveOut(problems []Problem, round int) bool {
	for _, c := range l.cuts {
		c.touched = false
	}
	progress, topology := false, false
	for i := range problems {
		p := &problems[i]
		if p.Severity != SeverityError {
			continue
		}
		key, found := ParseObjectKey(p.Object)
		if !found {
			progress = l.shorten(p) || progress
			continue
		}
		dangling := slices.Contains(danglingCodes, p.Code)
		relation := p.Code == codeTopology || p.Code == codeBackupDepth
		if round < maxGentleRounds && relation && topology {
			continue // it may be about the same circle
		}
		topology = topology || relation
		c := l.cutting(key)
		if c.all || c.touched && !dangling && round < maxGentleRounds {
			continue
		}
		if !c.touched {
			c.looks++
		}
		c.touched = true
		l.cut(c, key, p, dangling, round >= maxPartRounds || c.looks > maxObjectCuts)
		progress = true
	}
	return progress
}

func (l *leaver) cutting(key ObjectKey) *cutting {
	c := l.cuts[key]
	if c == nil {
		c = &cutting{gone: map[*node]bool{}}
		if o := l.from.Get(key); o != nil {
			c.tree = o.tree()
		}
		l.cuts[key] = c
	}
	return c
}

// shorten leaves out the last objects of a kind of which there are too many. It reports whether the problem was of that sort.
func (l *leaver) shorten(p *Problem) bool {
	kind, known := kindOfKey(strings.TrimPrefix(p.Path, "/"))
	if p.Code != codeTooMany || !known {
		return false
	}
	var left []ObjectKey
	for _, o := range l.from.list {
		if c := l.cuts[o.key]; o.key.Kind == kind && (c == nil || !c.all) {
			left = append(left, o.key)
		}
	}
	const share = 16 // of them
	for _, key := range left[len(left)-min(len(left), 1+len(left)/share):] {
		l.cutting(key).all = true
		l.tell(key, "", codeInertObject, p)
	}
	return len(left) > 0
}

// tell notes that something was left out.
func (l *leaver) tell(key ObjectKey, path string, code Code, why *Problem) {
	what := map[Code]string{codeInertReference: "the reference is left out: ", codeInertPart: "this part is left out: ", codeInertObject: "the object is left out: "}[code]
	l.inert = append(l.inert, Problem{File: assembledName, Code: code, Message: what + why.Message, Hint: why.Hint, Object: key.String(), ObjectPath: path})
}

// rest returns the objects with what is left of them.
func (l *leaver) rest() *Objects {
	var put []*Object
	var remove []ObjectKey
	for key, c := range l.cuts {
		if c.all {
			remove = append(remove, key)
			continue
		}
		n := c.rest(c.tree)
		if c.bare && n.child("nameservers") == nil {
			list := &node{kind: kindSequence, items: []*node{textNode(textOf(n.child("name")))}, size: 1, depth: 1}
			n.entries = append(n.entries, entry{key: textNode("nameservers"), value: list})
		}
		put = append(put, newObjectOf(key, n, func(*node, *trail, finding) {}))
	}
	return l.from.With(put, remove)
}

func (c *cutting) rest(n *node) *node {
	out := *n
	out.entries, out.items = nil, nil
	for _, e := range n.entries {
		if !c.gone[e.value] {
			out.entries = append(out.entries, entry{key: e.key, value: c.rest(e.value)})
		}
	}
	for _, item := range n.items {
		if !c.gone[item] {
			out.items = append(out.items, c.rest(item))
		}
	}
	return &out
}

// cutStep is one level of the way from an object to the place of a problem.
type cutStep struct {
	value *node
	path  string // in the whole object
	item  bool   // of a list
	field field  // of a mapping that the model knows
	known bool
}

// way returns the levels from the object to a place in what is left of it, as far as they are there.
func (l *leaver) way(c *cutting, kind ObjectKind, path string) []cutStep {
	steps := []cutStep{{value: c.tree}}
	t := typeOfKind(kind)
	for rest := path; rest != ""; {
		var word string
		word, rest, _ = strings.Cut(rest[1:], "/")
		if rest != "" {
			rest = "/" + rest
		}
		word = strings.ReplaceAll(strings.ReplaceAll(word, "~1", "/"), "~0", "~")
		last := &steps[len(steps)-1]
		next := cutStep{}
		for t != nil && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if last.value.kind == kindSequence {
			i := c.original(last.value, word)
			if i < 0 {
				return steps
			}
			next = cutStep{value: last.value.items[i], path: last.path + at(i), item: true}
			t = itemType(t)
		} else {
			value := last.value.child(word)
			if value == nil || c.gone[value] {
				return steps
			}
			next = cutStep{value: value, path: last.path + at(word)}
			next.field, next.known = l.field(t, word)
			t = next.field.typ
		}
		steps = append(steps, next)
	}
	return steps
}

// original returns which entry of a list one of those that are left is; -1: none.
func (c *cutting) original(list *node, word string) int {
	left, err := strconv.Atoi(word)
	if err != nil {
		return -1
	}
	for i, item := range list.items {
		if c.gone[item] {
			continue
		}
		if left == 0 {
			return i
		}
		left--
	}
	return -1
}

func (l *leaver) field(t reflect.Type, key string) (field, bool) {
	if t == nil || t.Kind() != reflect.Struct || isText(t) {
		return field{}, false
	}
	fields := l.shapes.fields(t)
	if i := fieldIndex(fields, key); i >= 0 {
		return fields[i], true
	}
	return field{}, false
}

// conditions are keys that say for whom something is: without them it would be for more than was meant.
var conditions = []string{"allow_query", "views", "clients", "listeners", "places", "names"}

// cut leaves out the least that holds a problem: an entry of a list, a key that may be missing, or the object.
func (l *leaver) cut(c *cutting, key ObjectKey, p *Problem, dangling, whole bool) {
	steps := l.way(c, key.Kind, p.ObjectPath)
	code := codeInertPart
	if dangling {
		code = codeInertReference
	}
	for i := len(steps) - 1; i > 0 && !whole; i-- {
		s := &steps[i]
		inItem := !s.item && i > 1 && steps[i-1].item
		switch {
		case s.item:
		case s.known && s.field.required, inItem && (dangling || p.Code == codeCalculated):
			continue
		case slices.Contains(conditions, s.field.key) && !isMapping(s.value):
			continue
		}
		c.gone[s.value] = true
		c.bare = c.bare || key.Kind == ObjectZone && s.path == "/file"
		l.tell(key, s.path, code, p)
		return
	}
	c.all = true
	l.tell(key, "", codeInertObject, p)
}

func isMapping(n *node) bool { return n.kind == kindMapping }
