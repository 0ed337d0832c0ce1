package convert

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fairlead/config"
)

// conditions are what an expression asks of a query. All that are given must hold; in each list one is enough.
type conditions struct {
	places, clients, listeners, names []string
}

// preference is a policy for all virtual servers.
type preference struct {
	o      *object
	name   string
	when   conditions
	prefer []string
}

var (
	matchesLocation = regexp.MustCompile(`(?i)^CLIENT\.IP(?:V6)?\.SRC\.MATCHES_LOCATION\(\s*"?([^()]*?)"?\s*\)$`)
	sourceIn        = regexp.MustCompile(`(?i)^CLIENT\.IP(?:V6)?\.SRC\.(?:IN_SUBNET|EQ)\(\s*"?([0-9a-f.:/]+)"?\s*\)$`)
	listenerIs      = regexp.MustCompile(`(?i)^CLIENT\.IP(?:V6)?\.DST\.EQ\(\s*"?([0-9a-f.:]+)"?\s*\)$`)
	domainIs        = regexp.MustCompile(`(?i)^DNS\.REQ\.QUESTION\.DOMAIN\.(?:EQ|EQUALS_ANY)\(\s*"([^"]+)"\s*\)$`)
)

// readRule reads an expression: parts joined by &&, each of them one or more conditions of one kind joined by ||.
func readRule(rule string) (c conditions, ok bool) {
	rule = strings.TrimSpace(strings.ReplaceAll(rule, `\"`, `"`))
	if strings.EqualFold(rule, "true") || strings.EqualFold(rule, "ns_true") {
		return c, true
	}
	for _, part := range splitOutside(bare(rule), "&&") {
		var one conditions
		for _, atom := range splitOutside(bare(part), "||") {
			if !one.add(bare(atom)) {
				return c, false
			}
		}
		if !c.join(&one) {
			return c, false
		}
	}
	return c, true
}

// bare takes brackets off that are around the whole.
func bare(s string) string {
	for s = strings.TrimSpace(s); strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")"); s = strings.TrimSpace(s[1 : len(s)-1]) {
		depth := 0
		for i, c := range s {
			switch c {
			case '(':
				depth++
			case ')':
				depth--
			}
			if depth == 0 && i < len(s)-1 {
				return s
			}
		}
	}
	return s
}

// splitOutside splits at an operator that is in no brackets and no quotes.
func splitOutside(s, operator string) (parts []string) {
	depth, start, inQuotes := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			inQuotes = !inQuotes
		case inQuotes:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth == 0 && strings.HasPrefix(s[i:], operator):
			parts = append(parts, s[start:i])
			start = i + len(operator)
			i = start - 1
		}
	}
	return append(parts, s[start:])
}

// add adds one condition.
func (c *conditions) add(atom string) bool {
	if m := matchesLocation.FindStringSubmatch(atom); m != nil {
		where, err := place(m[1])
		c.places = append(c.places, where)
		return err == nil && where != "" && c.kinds() == 1
	}
	if m := sourceIn.FindStringSubmatch(atom); m != nil {
		prefix, err := netip.ParsePrefix(m[1])
		if a, bad := netip.ParseAddr(m[1]); bad == nil {
			prefix, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		c.clients = append(c.clients, prefix.Masked().String())
		return err == nil && c.kinds() == 1
	}
	if m := listenerIs.FindStringSubmatch(atom); m != nil {
		at, ok := address(m[1])
		c.listeners = append(c.listeners, at)
		return ok && c.kinds() == 1
	}
	if m := domainIs.FindStringSubmatch(atom); m != nil {
		name, err := config.CanonicalName(m[1])
		c.names = append(c.names, strings.TrimSuffix(name, "."))
		return err == nil && c.kinds() == 1
	}
	return false
}

func (c *conditions) lists() []*[]string {
	return []*[]string{&c.places, &c.clients, &c.listeners, &c.names}
}

func (c *conditions) kinds() (n int) {
	for _, list := range c.lists() {
		if len(*list) > 0 {
			n++
		}
	}
	return n
}

// join adds conditions of another kind. It reports false where both have the same kind.
func (c *conditions) join(other *conditions) bool {
	mine, its := c.lists(), other.lists()
	for i := range mine {
		if len(*mine[i]) > 0 && len(*its[i]) > 0 {
			return false
		}
		*mine[i] = append(*mine[i], *its[i]...)
	}
	return true
}

const noRule = "the expression asks for something else than CLIENT.IP.SRC.MATCHES_LOCATION, IN_SUBNET and EQ, CLIENT.IP.DST.EQ and DNS.REQ.QUESTION.DOMAIN.EQ, joined so that lists can say it"

// collectPolicies reads the DNS policies in order of their priority: those that select a view and those that prefer locations.
func (n *netscaler) collectPolicies() {
	type bound struct {
		policy   *object
		b        *object
		priority int
	}
	var all []bound
	for _, global := range n.store.table("dns global").list {
		for _, b := range global.bindings {
			b.out = newMapping()
			o := n.store.table("dns policy").find(b.arg(0))
			if o == nil {
				n.found.add(Left, b.line, b.text, "there is no such policy")
				continue
			}
			priority, _ := strconv.Atoi(b.arg(1)) // without one it comes first
			if strings.HasPrefix(strings.ToUpper(b.value("type")), "RES_") {
				n.found.add(Left, b.line, b.text, "policies look at queries, not at responses")
				o.bound = true
				continue
			}
			const override = 1 << 20
			if !b.is("type", "REQ_OVERRIDE") {
				priority += override
			}
			all = append(all, bound{o, b, priority})
		}
	}
	slices.SortStableFunc(all, func(a, b bound) int { return cmp.Compare(a.priority, b.priority) })
	for _, p := range all {
		p.policy.bound = true
		n.dnsPolicy(p.policy)
	}
	for _, kind := range []string{"dns policy", "dns action", "dns view"} {
		for _, o := range n.store.table(kind).list {
			if !o.bound && o.out == nil {
				n.found.add(Left, o.line, o.text, "nothing that could be converted uses it")
			}
		}
	}
}

// dnsPolicy converts one policy that is bound.
func (n *netscaler) dnsPolicy(o *object) {
	view, prefer := o.value("viewName"), o.param("preferredLocList")
	if p := o.param("preferredLocation"); p != nil {
		prefer = p
	}
	name := o.value("actionName")
	if name == "" {
		name = o.arg(1)
	}
	kind := ""
	if action := n.store.table("dns action").find(name); action != nil {
		action.bound = true
		kind = strings.ToUpper(action.arg(0))
		switch kind {
		case "VIEWNAME":
			view = action.value("viewName")
		case "GSLBPREFLOC":
			prefer = action.param("preferredLocList")
		default:
			n.found.add(Left, o.line, o.text, "action %s has no counterpart", action.arg(0))
			return
		}
	}
	when, ok := readRule(o.arg(0))
	switch {
	case strings.EqualFold(name, "dns_default_act_Drop") || o.is("drop", "YES"):
		n.found.add(Left, o.line, o.text, "policies drop no queries: see allow_query of zones")
	case !ok:
		n.found.add(Left, o.line, o.text, noRule)
	case view != "":
		n.view(o, view, when)
	case prefer != nil && len(prefer.values) > 0:
		n.preference(o, when, prefer)
	default:
		n.found.add(Left, o.line, o.text, "it does nothing that has a counterpart")
	}
}

// view makes a view of a policy that selects it.
func (n *netscaler) view(o *object, name string, when conditions) {
	v := n.store.table("dns view").find(name)
	switch {
	case v == nil:
		n.found.add(Left, o.line, o.text, "there is no view %s", name)
		return
	case len(when.places) > 0 || len(when.names) > 0:
		n.found.add(Left, o.line, o.text, "views know clients by their prefixes and by the address that was asked, not by place or name")
		return
	case v.out != nil:
		n.found.add(Left, o.line, o.text, "view %s has the conditions of another policy: join them in one view", name)
		return
	}
	n.nameFor(v, "views")
	v.out = newMapping()
	v.bound = true
	v.out.set("name", v.as)
	if len(when.clients) > 0 {
		v.out.set("clients", when.clients)
	}
	if len(when.listeners) > 0 {
		v.out.set("listeners", when.listeners)
	}
	n.sections["views"] = append(n.sections["views"], v.out)
}

// preference keeps a policy that prefers locations, for all virtual servers.
func (n *netscaler) preference(o *object, when conditions, p *param) {
	var prefer []string
	for _, v := range p.values {
		where, err := place(v)
		if err != nil || where == "" {
			n.found.add(Left, p.line, p.text(), "%q is no place that sites could be at", v)
			continue
		}
		prefer = append(prefer, where)
	}
	if len(prefer) > config.MaxPreferences {
		n.found.add(Changed, p.line, p.text(), "a policy has at most %d preferences: the first were taken", config.MaxPreferences)
		prefer = prefer[:config.MaxPreferences]
	}
	if len(prefer) > 0 {
		n.preferences = append(n.preferences, preference{o, n.nameFor(o, "policies"), when, prefer})
	}
}

// attachPolicies gives a virtual server with domains the policies that are for all, and then its own.
func (n *netscaler) attachPolicies(v *virtualServer) {
	var list []*mapping
	domains, _ := v.out.get("domains").([]*mapping)
	if len(domains) > 0 {
		for i := range n.preferences {
			p := &n.preferences[i]
			if m := policy(p.name, &p.when, domains); m != nil {
				m.set("prefer", p.prefer)
				list = append(list, m)
			}
		}
	}
	for _, b := range v.bindings {
		if p := b.param("policyName"); p != nil {
			b.param("priority")
			if m := n.orderPolicy(v, b, p.value(), domains); m != nil {
				list = append(list, m)
			}
		}
	}
	if len(list) > config.MaxPolicies {
		n.changed(v.object, v.line, v.text, "it would have %d policies, the limit is %d: the first were taken", len(list), config.MaxPolicies)
		list = list[:config.MaxPolicies]
	}
	if len(list) > 0 {
		v.out.set("policies", list)
	}
}

// policy writes the conditions of a policy. nil: it is about none of the domains.
func policy(name string, when *conditions, domains []*mapping) *mapping {
	m := inline("name", name)
	for _, part := range []struct {
		key  string
		list []string
	}{{"clients", when.clients}, {"places", when.places}, {"listeners", when.listeners}} {
		if len(part.list) > 0 {
			m.set(part.key, part.list)
		}
	}
	var names []string
	for _, d := range domains {
		if slices.Contains(when.names, d.text("name")) {
			names = append(names, d.text("name"))
		}
	}
	switch {
	case len(when.names) > 0 && names == nil:
		return nil
	case names != nil:
		m.set("names", names)
	}
	return m
}

// orderPolicy is a policy that is bound to one virtual server: it selects orders.
func (n *netscaler) orderPolicy(v *virtualServer, b *object, name string, domains []*mapping) *mapping {
	o := n.store.table("lb policy").find(name)
	if o == nil {
		n.left(v.object, b.line, b.text, "there is no lb policy %q; other kinds have no counterpart here", name)
		return nil
	}
	when, ok := readRule(o.value("rule"))
	if !ok {
		n.left(v.object, b.line, b.text, noRule)
		return nil
	}
	action := n.store.table("lb action").find(o.value("action"))
	if action == nil || !strings.EqualFold(action.arg(0), "SELECTIONORDER") && !action.is("type", "SELECTIONORDER") {
		n.left(v.object, b.line, b.text, "its action selects no orders")
		return nil
	}
	p := action.param("value")
	if p == nil {
		return nil
	}
	m := policy(n.uniqueName("policies", o.name), &when, domains)
	if m == nil {
		return nil
	}
	var orders numbers
	for _, text := range p.values {
		at := &object{params: []*param{{name: "order", values: []string{text}, line: p.line}}}
		if order := n.order(v.object, at); order > 0 {
			orders = append(orders, order)
		}
	}
	if len(orders) > config.MaxPreferences {
		n.changed(v.object, b.line, b.text, "a policy has at most %d orders: the first were taken", config.MaxPreferences)
		orders = orders[:config.MaxPreferences]
	}
	m.set("orders", orders)
	return m
}
