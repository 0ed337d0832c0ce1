package convert

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"strings"
)

// named converts the zones of a named.conf.
func (b *bindReading) named() error {
	all, err := readStatements(b.options.Named)
	if err != nil {
		return err
	}
	b.acls = map[string]*statement{}
	var options *statement
	for _, s := range all {
		switch s.word(0) {
		case "options":
			options = s
		case "acl":
			b.acls[s.word(1)] = s
		}
	}
	for _, s := range all {
		switch s.word(0) {
		case "zone":
			b.namedZone(s, options, "")
		case "view":
			b.namedView(s, options)
		case "options", "acl":
		case "key":
			b.found.add(Left, s.line, "key "+s.word(1), "keys are in the node file: dns: {tsig_keys: …}; secrets are not copied")
		default:
			b.found.add(Left, s.line, s.text(), "this statement is not converted")
		}
	}
	if options != nil {
		for _, s := range options.block {
			switch s.word(0) {
			case "directory", "allow-transfer", "also-notify", "allow-query":
			default:
				b.found.add(Left, s.line, "options: "+s.text(), "what the server does as a whole is in the node file")
			}
		}
	}
	return nil
}

// namedView converts a view with its zones. Where it is not sure who is in it, its zones are left out: they would be shown to others.
func (b *bindReading) namedView(s, options *statement) {
	name := s.word(1)
	view := newMapping()
	named := strings.Trim(notName.ReplaceAllString(name, "-"), "-")
	view.set("name", named)
	sure := named != ""
	if clients := s.child("match-clients"); clients != nil {
		before := len(b.found.list) + b.found.more
		list, _ := b.clients(view, clients, "view "+name, false, 0)
		sure = sure && len(list) > 0 && before == len(b.found.list)+b.found.more
		if sure && list[0] != anyone4 {
			view.set("clients", list)
		}
	}
	for _, inner := range s.block {
		switch inner.word(0) {
		case "zone":
			if !sure {
				b.found.add(Left, inner.line, "zone "+inner.word(1), "it is not sure who is in its view %s", name)
				continue
			}
			b.namedZone(inner, options, named)
		case "match-clients":
		default:
			sure = sure && inner.word(0) != "match-destinations"
			b.found.add(Left, inner.line, "view "+name+": "+inner.text(), "this statement has no counterpart")
		}
	}
	if sure {
		b.views = append(b.views, view)
	}
}

// notName is what cannot stand in a name of the document.
var notName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// namedZone converts one zone statement.
func (b *bindReading) namedZone(s, options *statement, view string) {
	name := strings.TrimSuffix(s.word(1), ".")
	what := "zone " + s.word(1)
	kind := s.value("type")
	m := newMapping()
	switch kind {
	case "primary", "master":
		f, ok := b.namedFile(s, options, what)
		if !ok {
			return
		}
		made, err := b.zone(f)
		if err != nil {
			b.found.add(Left, s.line, what, "%v", err)
			return
		}
		m = made
	case "secondary", "slave":
		m.set("name", name)
		list := s.child("primaries")
		if list == nil {
			list = s.child("masters")
		}
		primaries := b.peers(m, list, what)
		if len(primaries) == 0 {
			b.found.add(Left, s.line, what, "it names no primaries")
			return
		}
		m.set("primaries", primaries)
	default:
		b.found.add(Left, s.line, what, "zones of type %q have no counterpart", kind)
		return
	}
	if view != "" {
		m.set("views", []string{view})
	}
	b.access(m, s, options, what)
	for _, inner := range s.block {
		switch inner.word(0) {
		case "type", "file", "allow-transfer", "also-notify", "allow-query", "primaries", "masters", "notify", "masterfile-format":
		default:
			b.found.add(Left, inner.line, what+": "+inner.text(), "this statement has no counterpart")
			m.remark(inner.text() + ": this statement has no counterpart")
		}
	}
	b.zones = append(b.zones, m)
}

// namedFile reads the file of a zone.
func (b *bindReading) namedFile(s, options *statement, what string) (*ZoneFile, bool) {
	file := s.value("file")
	if file == "" || b.options.Read == nil {
		b.found.add(Left, s.line, what, "it names no file that could be read")
		return nil, false
	}
	if options != nil && !path.IsAbs(file) {
		file = path.Join(options.value("directory"), file)
	}
	text, err := b.options.Read(file)
	if err != nil {
		b.found.add(Left, s.line, what, "%v", err)
		return nil, false
	}
	return &ZoneFile{Zone: s.word(1), Name: file, Text: text}, true
}

// access converts who may ask for a zone, fetch it, and is told of its changes.
func (b *bindReading) access(m *mapping, s, options *statement, what string) {
	own := func(word string) *statement {
		if c := s.child(word); c != nil || options == nil {
			return c
		}
		return options.child(word)
	}
	transfer := &mapping{flow: true}
	if c := own("allow-transfer"); c != nil {
		if allow, _ := b.clients(m, c, what, true, 0); len(allow) > 0 {
			transfer.set("allow", allow)
		}
	}
	if c := own("also-notify"); c != nil {
		if notify := b.peers(m, c, what); len(notify) > 0 {
			transfer.set("notify", notify)
		}
	}
	if len(transfer.entries) > 0 {
		m.set("transfer", transfer)
	}
	if c := own("allow-query"); c != nil {
		allow, _ := b.clients(m, c, what, false, 0)
		switch {
		case len(allow) == 0: // an absent list would mean everybody
			b.found.add(Changed, c.line, what+": "+c.text(), "nobody is left in the list: this machine alone was put in place")
			m.set("allow_query", []string{"127.0.0.1/32", "::1/128"})
		case allow[0] != anyone4:
			m.set("allow_query", allow)
		}
	}
}

const (
	anyone4, anyone6 = "0.0.0.0/0", "::/0"
	maxACLDepth      = 8
)

// clients are the prefixes and keys of a list of addresses, up to the first that is excluded: what follows it would include that.
func (b *bindReading) clients(m *mapping, list *statement, what string, keys bool, depth int) (out []string, ended bool) {
	if len(list.words) > 1 && depth == 0 {
		b.leave(m, list, what, "ports and transports of transfers are in the node file")
	}
	for _, c := range list.block {
		word := c.word(0)
		acl := b.acls[word]
		prefix, err := netip.ParsePrefix(word)
		if a, bad := netip.ParseAddr(word); bad == nil {
			prefix, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		switch {
		case strings.HasPrefix(word, "!"):
			b.leave(m, c, what, "nothing can be excluded from a list: what follows it was left out, too")
			return out, true
		case word == "key" && keys && c.word(1) != "":
			out = append(out, "key:"+c.word(1))
		case word == "none":
		case word == "any":
			out = append(out, anyone4, anyone6)
		case word == "localhost":
			out = append(out, "127.0.0.1/32", "::1/128")
		case (acl != nil || word == "" && c.block != nil) && depth < maxACLDepth:
			inner := c
			if acl != nil {
				inner = acl
			}
			more, ended := b.clients(m, inner, what, keys, depth+1)
			out = append(out, more...)
			if ended {
				return out, true
			}
		case err == nil && len(c.words) == 1:
			out = append(out, prefix.Masked().String())
		default:
			b.leave(m, c, what, "it is neither a prefix nor the name of a list that stands here")
		}
	}
	return out, false
}

// peers are servers with their ports and keys.
func (b *bindReading) peers(m *mapping, list *statement, what string) (out []*mapping) {
	if list == nil {
		return nil
	}
	for _, c := range list.block {
		at, ok := address(c.word(0))
		if !ok {
			b.leave(m, c, what, "it is not an address")
			continue
		}
		peer := inline("address", at)
		for i := 1; i+1 < len(c.words); i += 2 {
			switch c.words[i] {
			case "port":
				if strings.Contains(at, ":") {
					at = "[" + at + "]"
				}
				peer.set("address", at+":"+c.words[i+1])
			case "key":
				peer.set("key", c.words[i+1])
			default:
				b.leave(m, c, what, c.words[i]+" has no counterpart")
			}
		}
		out = append(out, peer)
	}
	return out
}

func (b *bindReading) leave(m *mapping, s *statement, what, why string) {
	b.found.add(Left, s.line, what+": "+s.text(), "%s", why)
	m.remark(fmt.Sprintf("line %d: %s: %s", s.line, s.text(), why))
}
