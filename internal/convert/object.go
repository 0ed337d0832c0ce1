package convert

import "strings"

// object is what commands made of one thing of NetScaler's, or one line that binds something to it.
type object struct {
	kind     string // its noun; of bindings with "bind" before it
	name     string
	line     int
	text     string
	args     []string // behind the name
	params   []*param
	bindings []*object
	out      *mapping // what became of it
	as       string   // its name in the document
	bound    bool     // something refers to it
}

// param returns a parameter and marks it as converted; nil when the object has none of this name.
func (o *object) param(name string) *param {
	for _, p := range o.params {
		if strings.EqualFold(p.name, name) {
			p.used = true
			return p
		}
	}
	return nil
}

// value returns a parameter's first value, "" when there is none.
func (o *object) value(name string) string {
	if p := o.param(name); p != nil {
		return p.value()
	}
	return ""
}

// is reports whether a parameter has a value, in any case.
func (o *object) is(name, value string) bool { return strings.EqualFold(o.value(name), value) }

// arg returns an argument, "" when there are less.
func (o *object) arg(i int) string {
	if i < len(o.args) {
		return o.args[i]
	}
	return ""
}

// merge sets parameters, over those of the same name.
func (o *object) merge(params []*param) {
	for _, p := range params {
		o.unset(p.name)
		o.params = append(o.params, p)
	}
}

func (o *object) unset(name string) {
	kept := o.params[:0]
	for _, p := range o.params {
		if !strings.EqualFold(p.name, name) {
			kept = append(kept, p)
		}
	}
	o.params = kept
}

// put sets a parameter as if a command had.
func (o *object) put(line int, name, value string) {
	o.merge([]*param{{name: name, values: []string{value}, line: line}})
}

// table is the objects of one kind, in order.
type table struct {
	list   []*object
	byName map[string]*object // by lower case
}

func (t *table) find(name string) *object {
	if t == nil {
		return nil
	}
	return t.byName[strings.ToLower(name)]
}

func (t *table) put(o *object) {
	if t.byName == nil {
		t.byName = map[string]*object{}
	}
	t.list = append(t.list, o)
	t.byName[strings.ToLower(o.name)] = o
}

func (t *table) remove(name string) bool {
	o := t.find(name)
	if o == nil {
		return false
	}
	delete(t.byName, strings.ToLower(name))
	for i := range t.list {
		if t.list[i] == o {
			t.list = append(t.list[:i], t.list[i+1:]...)
			break
		}
	}
	return true
}

// named are the kinds whose objects have a name that stands first. The others have as many objects as there are lines, or one.
var named = map[string]bool{"gslb site": true, "gslb service": true, "gslb servicegroup": true, "gslb vserver": true, "lb monitor": true,
	"lb metrictable": true, "server": true, "dns zone": true, "dns view": true, "dns action": true, "dns policy": true, "lb action": true, "lb policy": true}

// single are the kinds of which there is one object.
var single = map[string]bool{"gslb parameter": true, "locationparameter": true}

// store is the state that the commands lead to.
type store struct {
	tables map[string]*table
	found  *findings
}

func (s *store) table(kind string) *table {
	t := s.tables[kind]
	if t == nil {
		t = new(table)
		s.tables[kind] = t
	}
	return t
}

// apply carries a command out.
func (s *store) apply(c *command) {
	args, name := c.args, ""
	if named[c.noun] {
		if len(args) == 0 {
			s.found.add(Left, c.line, c.text, "it names nothing")
			return
		}
		name, args = args[0], args[1:]
	}
	switch c.verb {
	case "add":
		s.add(c, name, args)
	case "rm":
		s.remove(c, name, args)
	case "set", "unset", "bind", "unbind", "rename", "enable", "disable":
		s.change(c, name, args)
	case "show", "save", "sync":
	default:
		s.found.add(Left, c.line, c.text, "%s %s is not known", c.verb, c.noun)
	}
}

func (s *store) add(c *command, name string, args []string) {
	t := s.table(c.noun)
	o := &object{kind: c.noun, name: name, line: c.line, text: c.text, args: args, params: c.params}
	if named[c.noun] && t.find(name) != nil {
		s.found.add(Left, c.line, c.text, "there is a %s of this name already, of line %d", c.noun, t.find(name).line)
		return
	}
	if named[c.noun] {
		t.put(o)
		return
	}
	t.list = append(t.list, o)
}

func (s *store) remove(c *command, name string, args []string) {
	t := s.table(c.noun)
	if named[c.noun] {
		if !t.remove(name) {
			s.found.add(Left, c.line, c.text, "there is nothing of this name to remove")
		}
		return
	}
	for i := len(t.list) - 1; i >= 0; i-- {
		if o := t.list[i]; strings.EqualFold(strings.Join(o.args, "\x00"), strings.Join(args, "\x00")) ||
			len(args) < len(o.args) && strings.EqualFold(strings.Join(o.args[:len(args)], "\x00"), strings.Join(args, "\x00")) {
			t.list = append(t.list[:i], t.list[i+1:]...)
			return
		}
	}
	s.found.add(Left, c.line, c.text, "there is no such record to remove")
}

// target is the object that a command changes. Kinds of which there is one, and monitors that NetScaler has built in, come to be here.
func (s *store) target(c *command, name string) *object {
	t := s.table(c.noun)
	switch {
	case single[c.noun] || c.noun == "dns global":
		if len(t.list) == 0 {
			t.list = append(t.list, &object{kind: c.noun, line: c.line, text: c.text})
		}
		return t.list[0]
	case c.noun == "lb monitor" && t.find(name) == nil && builtinMonitors[strings.ToLower(name)] != "":
		t.put(&object{kind: c.noun, name: name, line: c.line, text: c.text, args: []string{builtinMonitors[strings.ToLower(name)]}})
	case !named[c.noun]:
		return nil
	}
	return t.find(name)
}

// change carries out what is about an object that is there.
func (s *store) change(c *command, name string, args []string) {
	o := s.target(c, name)
	if o == nil {
		s.found.add(Left, c.line, c.text, "there is no %s %q that it could be about", c.noun, name)
		return
	}
	switch c.verb {
	case "set":
		o.merge(c.params)
		if c.noun != "lb monitor" && len(args) > 0 { // its type may stand there again
			s.found.add(Left, c.line, c.text, "%q is not the value of a parameter", args[0])
		}
	case "unset":
		for _, p := range c.params {
			o.unset(p.name)
		}
	case "bind":
		o.bindings = append(o.bindings, &object{kind: "bind " + c.noun, name: o.name, line: c.line, text: c.text, args: args, params: c.params})
	case "unbind":
		s.unbind(o, c, args)
	case "rename":
		s.rename(o, c, args)
	default:
		s.enable(o, c, args)
	}
}

// enable carries out enable and disable, of an object or of a member of a group.
func (s *store) enable(o *object, c *command, args []string) {
	state := strings.ToUpper(c.verb) + "D"
	if c.noun != "gslb servicegroup" || len(args) == 0 {
		o.put(c.line, "state", state)
		return
	}
	for _, b := range o.bindings {
		if strings.EqualFold(b.arg(0), args[0]) && (len(args) < 2 || strings.EqualFold(b.arg(1), args[1])) {
			b.put(c.line, "state", state)
			return
		}
	}
	s.found.add(Left, c.line, c.text, "the group has no such member")
}

// bindingKeys are the parameters that say what a binding binds.
var bindingKeys = []string{"serviceName", "serviceGroupName", "domainName", "policyName", "monitorName", "viewName", "backupIP", "metric"}

// boundThing is what a binding binds, for comparing.
func boundThing(args []string, params []*param) string {
	for _, key := range bindingKeys {
		for _, p := range params {
			if strings.EqualFold(p.name, key) {
				return strings.ToLower(key + "\x00" + p.value())
			}
		}
	}
	return strings.ToLower(strings.Join(args, "\x00"))
}

func (s *store) unbind(o *object, c *command, args []string) {
	want := boundThing(args, c.params)
	for i, b := range o.bindings {
		if boundThing(b.args, b.params) == want {
			o.bindings = append(o.bindings[:i], o.bindings[i+1:]...)
			return
		}
	}
	s.found.add(Left, c.line, c.text, "nothing like it is bound")
}

// references are the parameters by which objects of other kinds name those of a kind.
var references = map[string][]string{"gslb site": {"siteName", "parentSite", "backupParentlist"}, "gslb service": {"serviceName"},
	"gslb servicegroup": {"serviceGroupName"}, "gslb vserver": {"backupVServer"}, "lb monitor": {"monitorName"}, "dns view": {"viewName"}}

// rename gives an object another name, everywhere.
func (s *store) rename(o *object, c *command, args []string) {
	if len(args) != 1 {
		s.found.add(Left, c.line, c.text, "it needs the old and the new name")
		return
	}
	t, old := s.table(c.noun), o.name
	if other := t.find(args[0]); other != nil && other != o {
		s.found.add(Left, c.line, c.text, "there is a %s of the new name already, of line %d", c.noun, other.line)
		return
	}
	delete(t.byName, strings.ToLower(old))
	o.name = args[0]
	t.byName[strings.ToLower(o.name)] = o
	for _, kind := range s.tables {
		for _, other := range kind.list {
			renameIn(other, references[c.noun], old, o.name)
			for _, b := range other.bindings {
				renameIn(b, references[c.noun], old, o.name)
			}
		}
	}
}

func renameIn(o *object, names []string, old, to string) {
	for _, p := range o.params {
		for _, name := range names {
			if !strings.EqualFold(p.name, name) {
				continue
			}
			for i := range p.values {
				if strings.EqualFold(p.values[i], old) {
					p.values[i] = to
				}
			}
		}
	}
}

// where says which object something is about, for a finding.
func (o *object) where() string { return strings.TrimSpace(o.kind + " " + o.name) }
