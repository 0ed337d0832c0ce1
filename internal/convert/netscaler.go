package convert

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"fairlead/config"
)

// NetScalerOptions say what is converted.
type NetScalerOptions struct {
	Name string // of the file, for findings
	Text []byte // ns.conf, or what show ns runningConfig prints; at most MaxFileBytes
}

// NetScaler converts what a NetScaler's configuration says of global server load balancing and of DNS. The error is for text that is no
// such configuration, or too much of it.
func NetScaler(o NetScalerOptions) (*Result, error) {
	if len(o.Text) > MaxFileBytes {
		return nil, fmt.Errorf("convert %q: it has %d bytes, the limit is %d", o.Name, len(o.Text), MaxFileBytes)
	}
	n := &netscaler{file: o.Name, passed: map[string]int{}, names: map[string]map[string]bool{}, zoneNames: map[string]*zoneRecords{}}
	n.found = &findings{file: o.Name}
	n.store = store{tables: map[string]*table{}, found: n.found}
	if commands := n.read(o.Text); commands == 0 {
		return nil, fmt.Errorf("convert %q: there is no command of a NetScaler in it", o.Name)
	}
	r := n.convert()
	if len(r.Objects) == 0 {
		return nil, fmt.Errorf("convert %q: nothing in it is about sites, services, virtual servers or zones that could be converted", o.Name)
	}
	return r, nil
}

// netscaler is one conversion.
type netscaler struct {
	file   string
	found  *findings
	store  store
	passed map[string]int

	names       map[string]map[string]bool // given in the document, by kind
	ranks       map[int]int                // orders, when some are too large
	zones       []*zoneRecords
	locations   []*mapping
	zoneNames   map[string]*zoneRecords
	servers     map[string]*virtualServer // by lower case
	places      []placeRange
	preferences []preference
	sections    map[string][]*mapping
	settings    *mapping
}

// read carries out the commands of a text. It returns how many there were, known or not.
func (n *netscaler) read(text []byte) (commands int) {
	from := &lines{text: text}
	for {
		line, ok := from.next()
		if !ok {
			return commands
		}
		at := from.at
		line = strings.TrimPrefix(strings.TrimLeft(line, " \t\uFEFF"), "> ")
		switch {
		case len(line) > MaxLineBytes:
			n.found.add(Left, at, "", "the line has more than %d bytes", MaxLineBytes)
			continue
		case line == "" || line[0] == '#' || strings.EqualFold(strings.TrimSpace(line), "done"):
			continue
		}
		words, unclosed := splitWords(line, from)
		c, ok := readCommand(at, words)
		if !ok {
			n.found.add(Left, at, strings.SplitN(line, " ", 2)[0]+" …", "it is not a command")
			continue
		}
		commands++
		if unclosed {
			n.found.add(Changed, at, c.text, "a quote is not closed: its text was taken to end with the line")
		}
		n.command(&c)
	}
}

// command sorts a command out by what it is about.
func (n *netscaler) command(c *command) {
	_, known := nounParams[c.noun]
	group, _, _ := strings.Cut(c.noun, " ")
	switch {
	case c.noun == "service" || c.noun == "servicegroup":
		n.plainService(c)
	case c.noun == "dns nameserver" || c.noun == "dns suffix" || c.noun == "lb vserver" || c.noun == "gslb config" || c.noun == "gslb domain" || c.noun == "gslb syncstatus":
		n.passed[c.verb+" "+c.noun]++
	case c.noun == "cs vserver" && c.param("targetType") != nil && strings.EqualFold(c.param("targetType").value(), "GSLB"):
		n.found.add(Left, c.line, c.verb+" "+c.noun+" "+strings.Join(c.args[:min(1, len(c.args))], ""), "virtual servers that choose among GSLB virtual servers have no counterpart: use policies")
	case c.noun == "responder global" && c.param("type") != nil && strings.HasPrefix(strings.ToUpper(c.param("type").value()), "DNS"):
		n.found.add(Left, c.line, c.verb+" "+c.noun+" "+strings.Join(c.args[:min(1, len(c.args))], ""), "policies answer or drop no queries: see allow_query of zones, and views")
	case known:
		n.store.apply(c)
	case group == "gslb" || group == "dns" || group == "location" || c.noun == "lb metric":
		n.found.add(Left, c.line, c.text, "%s", unknownNoun(c.noun))
	default:
		n.passed[c.verb+" "+c.noun]++
	}
}

// unknownNoun says why a command is not converted.
func unknownNoun(noun string) string {
	switch noun {
	case "dns key":
		return "keys of DNSSEC are not taken over"
	case "dns parameter", "dns profile":
		return "what DNS servers do beside the records is in the node file (docs/configuration.md)"
	case "dns policy64", "dns action64":
		return "there is no DNS64"
	case "dns policylabel":
		return "policy labels have no counterpart"
	case "gslb ldnsentry", "gslb ldnsentries":
		return "measured resolvers are not configuration"
	}
	return "this command is not known"
}

// plainService looks at services that are not GSLB's: those that answer DNS say where the node listens.
func (n *netscaler) plainService(c *command) {
	if kind := strings.ToUpper(argument(c.args, 2)); c.verb == "add" && (kind == "ADNS" || kind == "ADNS_TCP") {
		n.store.table("adns").list = append(n.store.table("adns").list, &object{kind: "adns", name: c.args[0], line: c.line, text: c.text, args: c.args[1:]})
		return
	}
	n.passed[c.verb+" "+c.noun]++
}

func argument(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

// convert makes the document of what the commands led to.
func (n *netscaler) convert() *Result {
	n.sections = map[string][]*mapping{}
	n.settings = newMapping()
	n.rankOrders()
	n.collectLocations()
	n.collectZones()
	n.collectPolicies()
	n.convertSites()
	n.convertMonitors()
	n.convertServices()
	n.convertGroups()
	n.convertVirtualServers()
	n.convertZones()
	n.convertParameters()
	n.listUnread()
	return n.result()
}

// result writes the document and reads it again.
func (n *netscaler) result() *Result {
	r := &Result{Passed: n.passed, Objects: map[string]int{}}
	var sections []entry
	for _, key := range []string{"zones", "sites", "monitors", "services", "service_groups", "virtual_servers", "views", "locations"} {
		if list := n.sections[key]; len(list) > 0 {
			r.Objects[key] = len(list)
			sections = append(sections, entry{key, list})
		}
	}
	if len(n.settings.entries) > 0 {
		sections = append(sections, entry{"settings", n.settings})
	}
	head := []string{"Converted from " + path.Base(n.file) + ", a NetScaler's configuration.",
		"Comments say which lines of it were not taken over as they are, and why."}
	r.Document = document(head, sections)
	checkDocument(n.found, r.Document, nil)
	r.Findings, r.More = n.found.sorted(), n.found.more
	return r
}

// checkDocument adds what reading the document finds.
func checkDocument(found *findings, text []byte, files map[string][]byte) {
	const name = "document"
	_, report := config.Parse(config.Source{Name: name, Text: text, Files: files})
	for _, p := range report.Problems() {
		kind, why := Note, fmt.Sprintf("%s [%s]", p.Message, p.Code)
		if p.Severity == config.SeverityError {
			kind = Problem
		}
		if p.Hint != "" {
			why += ": " + p.Hint
		}
		found.addIn(name, kind, p.Line, "", why)
	}
}

// left notes that something of an object is not converted, and says so beside what became of the object.
func (n *netscaler) left(o *object, line int, text, format string, args ...any) {
	n.remark(o, Left, line, text, fmt.Sprintf(format, args...))
}

// changed notes that something was converted with another value.
func (n *netscaler) changed(o *object, line int, text, format string, args ...any) {
	n.remark(o, Changed, line, text, fmt.Sprintf(format, args...))
}

// note notes what is worth knowing.
func (n *netscaler) note(o *object, line int, text, format string, args ...any) {
	n.remark(o, Note, line, text, fmt.Sprintf(format, args...))
}

func (n *netscaler) remark(o *object, kind Kind, line int, text, why string) {
	subject := text
	if strings.HasPrefix(text, "-") {
		subject = o.where() + " " + text
	}
	n.found.add(kind, line, subject, "%s", why)
	if o.out != nil && kind != Note {
		o.out.remark(fmt.Sprintf("line %d: %s: %s", line, text, why))
	}
}

// listUnread lists the parameters that nothing was made of, of all objects that are in the document.
func (n *netscaler) listUnread() {
	for _, kind := range slices.Sorted(maps.Keys(nounParams)) {
		for _, o := range n.store.table(kind).list {
			n.listParams(o, o)
			for _, b := range o.bindings {
				n.listParams(o, b)
			}
		}
	}
}

// listParams lists unread parameters of an object or of a binding to it.
func (n *netscaler) listParams(o, at *object) {
	if at.out == nil && o.out == nil {
		return // it was listed as a whole
	}
	for _, p := range at.params {
		if p.used || isDefault(o.kind, p) {
			continue
		}
		_, known := findParam(paramTable(o.kind), p.name)
		if !known {
			n.left(o, p.line, p.text(), "this parameter is not known")
			continue
		}
		n.left(o, p.line, p.text(), "%s", withoutCounterpart(p))
	}
}

// nameFor gives an object a name that the document can have, and that no other of its kind has.
func (n *netscaler) nameFor(o *object, kind string) string {
	o.as = n.uniqueName(kind, o.name)
	if o.as != o.name {
		n.note(o, o.line, o.where(), "it is named %s here: names are unique, and have letters, digits, '-', '_' and '.'", o.as)
	}
	return o.as
}

// uniqueName makes a name that the document can have of another.
func (n *netscaler) uniqueName(kind, name string) string {
	used := n.names[kind]
	if used == nil {
		used = map[string]bool{}
		n.names[kind] = used
	}
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '-'
	}, name)
	const room = len("-99999")
	name = name[:min(len(name), config.MaxNameLength-room)]
	if name == "" {
		name = "unnamed"
	}
	base := name
	for i := 2; used[name]; i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	used[name] = true
	return name
}
