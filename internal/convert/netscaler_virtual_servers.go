package convert

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/config"
)

// virtualServer is a virtual server of GSLB on its way to the document.
type virtualServer struct {
	*object
	domains []*object // bindings
	twins   []*virtualServer
	within  *virtualServer // it became part of this one
	isNAPTR bool
}

// convertVirtualServers makes the virtual servers. One that answers AAAA for a domain that another answers A for becomes part of it.
func (n *netscaler) convertVirtualServers() {
	all := n.gatherVirtualServers()
	owners := map[string]*virtualServer{}
	for _, v := range all {
		n.claimDomains(v, owners)
	}
	for _, v := range all {
		n.absorb(v, all)
	}
	for _, v := range all {
		if v.within == nil {
			n.startVirtualServer(v)
		}
	}
	for _, v := range all {
		if v.out != nil {
			n.finishVirtualServer(v)
		}
	}
}

func (n *netscaler) gatherVirtualServers() (all []*virtualServer) {
	n.servers = map[string]*virtualServer{}
	for _, o := range n.store.table("gslb vserver").list {
		n.nameFor(o, "virtual_servers")
		if o.param("domainName") != nil { // some set the domain with the virtual server
			b := &object{kind: "bind gslb vserver", name: o.name, line: o.line, text: o.text}
			for _, name := range []string{"domainName", "TTL", "backupIP", "cookieDomain", "cookieTimeout", "siteDomainTTL"} {
				if p := o.param(name); p != nil {
					b.params = append(b.params, &param{name: p.name, values: p.values, line: p.line})
				}
			}
			o.bindings = append(o.bindings, b)
		}
		v := &virtualServer{object: o, isNAPTR: o.is("dnsRecordType", "NAPTR")}
		all = append(all, v)
		n.servers[strings.ToLower(o.name)] = v
	}
	return all
}

// family is the type of records that a virtual server answers with.
func (v *virtualServer) family() string {
	kind := strings.ToUpper(v.value("dnsRecordType"))
	if kind == "" && v.is("ipType", "IPV6") || kind == "AAAA" {
		return "AAAA"
	}
	if kind == "" {
		return "A"
	}
	return kind
}

// claimDomains gives a virtual server the domains that no other has. owners holds who has which.
func (n *netscaler) claimDomains(v *virtualServer, owners map[string]*virtualServer) {
	for _, b := range v.bindings {
		p := b.param("domainName")
		if p == nil {
			continue
		}
		domain := strings.ToLower(strings.TrimSuffix(p.value(), "."))
		other := owners[domain]
		switch {
		case other == nil:
			owners[domain] = v
			v.domains = append(v.domains, b)
		case other == v:
			n.left(v.object, b.line, b.text, "the domain is bound already")
			b.params = nil
		case other.family() == v.family():
			n.left(v.object, b.line, b.text, "the domain is bound to %s already", other.name)
			b.params = nil
		default:
			if !slices.Contains(other.twins, v) {
				other.twins = append(other.twins, v)
			}
			n.note(v.object, b.line, b.text, "one virtual server answers both families: the members of %s joined %s", v.name, other.name)
			b.params = nil
		}
	}
}

// serverOf returns a virtual server by its name, the one that it became part of if it did.
func (n *netscaler) serverOf(name string) *virtualServer {
	v := n.servers[strings.ToLower(name)]
	for steps := 0; v != nil && v.within != nil && steps < len(n.servers); steps++ {
		v = v.within
	}
	return v
}

// absorb makes the twins of a virtual server part of it, and their backups part of its backup.
func (n *netscaler) absorb(v *virtualServer, all []*virtualServer) {
	for i := 0; i < len(v.twins); i++ {
		twin := v.twins[i]
		if len(twin.domains) > 0 || twin.within != nil || twin == v || v.within != nil {
			continue // it answers other names besides: its members are in both
		}
		twin.within = v
		mine, its := n.serverOf(v.value("backupVServer")), n.serverOf(twin.value("backupVServer"))
		switch {
		case its == nil || its == mine:
		case mine == nil:
			p := twin.param("backupVServer")
			n.left(twin.object, p.line, twin.where()+" "+p.text(), "%s, which it became part of, has no backup", v.name)
		case !slices.Contains(mine.twins, its):
			mine.twins = append(mine.twins, its)
			if slices.Index(all, mine) < slices.Index(all, v) {
				n.absorb(mine, all)
			}
		}
		n.compareTwin(v, twin)
	}
}

// compareTwin lists what a virtual server wants otherwise than the one that it became part of.
func (n *netscaler) compareTwin(v, twin *virtualServer) {
	for _, p := range twin.params {
		switch p.key() {
		case "dnsrecordtype", "iptype", "backupvserver", "persistenceid", "comment":
			p.used = true
			continue
		}
		if p.used || isDefault(twin.kind, p) {
			continue
		}
		same := slices.ContainsFunc(v.params, func(q *param) bool { return q.key() == p.key() && strings.EqualFold(q.value(), p.value()) })
		p.used = true
		if !same && !(p.key() == "lbmethod" && strings.EqualFold(p.value(), "LEASTCONNECTION")) {
			n.left(twin.object, p.line, twin.where()+" "+p.text(), "%s, which it became part of, has its own settings", v.name)
		}
	}
}

// startVirtualServer writes name, domains and members.
func (n *netscaler) startVirtualServer(v *virtualServer) {
	v.out = newMapping()
	v.out.set("name", v.as)
	if domains := n.domains(v); len(domains) > 0 {
		v.out.set("domains", domains)
	}
	n.method(v)
	seen := map[string]bool{}
	members := n.vserverMembers(v, v, nil, seen)
	for _, twin := range v.twins {
		members = n.vserverMembers(v, twin, members, seen)
	}
	for _, b := range v.bindings {
		b.out = v.out
	}
	if len(members) == 0 {
		n.left(v.object, v.line, v.text, "it has no members that could be converted")
		v.out = nil
		for _, b := range v.bindings {
			b.out = nil
		}
		return
	}
	v.out.set("members", members)
	n.sections["virtual_servers"] = append(n.sections["virtual_servers"], v.out)
}

// domains are the balanced names.
func (n *netscaler) domains(v *virtualServer) (list []*mapping) {
	const mostTTL, defaultTTL = 24 * time.Hour, 5 * time.Second
	for _, b := range v.domains {
		b.out = v.out
		name, err := config.CanonicalName(b.value("domainName"))
		if err != nil {
			n.left(v.object, b.line, b.text, "%v", err)
			continue
		}
		ttl, _ := n.span(b, "TTL", time.Second, defaultTTL, 0, mostTTL)
		m := inline("name", strings.TrimSuffix(name, "."), "ttl", duration(ttl))
		if p := b.param("backupIP"); p != nil && p.value() != "" && p.value() != "0.0.0.0" {
			if at, ok := address(p.value()); ok {
				m.set("backup_addresses", []string{at})
			} else {
				n.left(v.object, p.line, p.text(), "it is not an address")
			}
		}
		if v.isNAPTR {
			m.set("naptr", inline("all", true))
		}
		list = append(list, m)
	}
	return list
}

// vserverMembers adds the members of one virtual server to a list. seen holds those that are there.
func (n *netscaler) vserverMembers(v, from *virtualServer, list []*mapping, seen map[string]bool) []*mapping {
	for _, b := range from.bindings {
		service, group := b.param("serviceName"), b.param("serviceGroupName")
		key, p, o := "service", service, (*object)(nil)
		switch {
		case service != nil:
			o = n.store.table("gslb service").find(service.value())
		case group != nil:
			key, p = "group", group
			o = n.store.table("gslb servicegroup").find(group.value())
		default:
			continue
		}
		if o == nil || o.out == nil {
			n.left(v.object, b.line, b.text, "%s %s is not in the document", key, p.value())
			b.params = nil
			continue
		}
		if seen[key+" "+o.as] {
			continue
		}
		seen[key+" "+o.as] = true
		m := inline(key, o.as)
		if weight, ok := n.count(v.object, b, "weight", 1, config.MaxWeight); ok && weight > 1 {
			m.set("weight", int(weight))
		}
		if order := n.order(v.object, b); order > 1 {
			m.set("order", order)
		}
		list = append(list, m)
	}
	return list
}

// methods are a NetScaler's methods with Fairlead's words for them.
var methods = map[string]config.Method{"ROUNDROBIN": config.RoundRobin, "LEASTCONNECTION": config.LeastConnection, "LEASTRESPONSETIME": config.LeastResponseTime,
	"SOURCEIPHASH": config.SourceIPHashing, "LEASTBANDWIDTH": config.LeastBandwidth, "LEASTPACKETS": config.LeastPackets,
	"STATICPROXIMITY": config.StaticProximity, "RTT": config.RTT, "CUSTOMLOAD": config.CustomLoad, "API": config.Measured}

// method writes how a member is picked.
func (n *netscaler) method(v *virtualServer) {
	method := config.LeastConnection
	if p := v.param("lbMethod"); p != nil {
		known, ok := methods[strings.ToUpper(p.value())]
		if !ok {
			n.changed(v.object, p.line, p.text(), "least-connection was put in its place")
			known = config.LeastConnection
		}
		method = known
	}
	if v.param("lbMethod") != nil {
		v.out.set("method", string(method))
	}
	backup := config.RoundRobin
	if p := v.param("backupLBMethod"); p != nil {
		known, ok := methods[strings.ToUpper(p.value())]
		switch {
		case !ok:
			n.changed(v.object, p.line, p.text(), "round-robin was put in its place")
		case method == config.RTT || method == config.StaticProximity || method == config.Measured:
			backup = known
		case known != config.RoundRobin:
			n.note(v.object, p.line, p.text(), "a NetScaler does not use it with this method: round-robin stands in")
		}
	}
	if backup != config.RoundRobin {
		v.out.set("backup_method", string(backup))
	}
	if tolerance, ok := n.span(v.object, "tolerance", time.Millisecond, 0, 0, 100*time.Millisecond); ok && tolerance > 0 && (method == config.RTT || backup == config.RTT) {
		v.out.set("tolerance", tolerance.String())
	}
	n.hashMasks(v, method == config.SourceIPHashing || backup == config.SourceIPHashing)
}

// hashMasks writes how much of a client is hashed: all of it, unless the virtual server says less.
func (n *netscaler) hashMasks(v *virtualServer, used bool) {
	length4, ok := n.mask(v.object, "netmask")
	if !ok {
		length4 = 32
	}
	length6, ok := n.count(v.object, v.object, "v6netmasklen", 1, 128)
	if !ok {
		length6 = 128
	}
	if used {
		v.out.set("source_ip_hash", inline("prefix4", length4, "prefix6", int(length6)))
	}
}

// finishVirtualServer writes what follows the members.
func (n *netscaler) finishVirtualServer(v *virtualServer) {
	n.persistence(v)
	if !v.is("ECS", "ENABLED") {
		v.out.set("client_subnet", false) // a NetScaler's default
	}
	const mostAnswers = 16
	if v.is("MIR", "ENABLED") {
		v.out.set("max_answers", mostAnswers)
	}
	n.whenAllDown(v)
	n.backup(v)
	n.spillover(v)
	if threshold, ok := n.count(v.object, v.object, "orderThreshold", 0, 100); ok && threshold > 0 {
		v.out.set("order_threshold", int(threshold))
	}
	if v.is("toggleorder", "DESCENDING") {
		v.out.set("active_order", "descending")
	}
	switch strings.ToUpper(v.value("dynamicWeight")) {
	case "SERVICECOUNT":
		v.out.set("dynamic_weight", "members")
	case "SERVICEWEIGHT":
		v.out.set("dynamic_weight", "member-weight")
	}
	if p := v.param("considerEffectiveState"); p != nil && strings.EqualFold(p.value(), "STATE_ONLY") {
		v.out.set("effective_state", true)
		n.changed(v.object, p.line, p.text(), "name the services that stand in behind a service's address in its backup_services")
	}
	if p := v.param("state"); p != nil && strings.EqualFold(p.value(), "DISABLED") {
		n.left(v.object, p.line, p.text(), "virtual servers are not disabled as a whole: disable its services, or remove it")
	}
	v.param("ipType")
	n.attachPolicies(v)
}

func (n *netscaler) persistence(v *virtualServer) {
	const least, most, usual = time.Second, 24 * time.Hour, 2 * time.Minute
	timeout, _ := n.span(v.object, "timeout", time.Minute, usual, least, most)
	length4, ok4 := n.mask(v.object, "persistMask")
	length6, ok6 := n.count(v.object, v.object, "v6persistmasklen", 1, 128)
	id, _ := n.count(v.object, v.object, "persistenceId", 0, math.MaxUint16)
	if !ok4 {
		length4 = 32
	}
	if !ok6 {
		length6 = 128
	}
	kind := strings.ToUpper(v.value("persistenceType"))
	keeps := kind == "SOURCEIP"
	if !keeps && !v.is("soPersistence", "ENABLED") {
		return
	}
	m := inline()
	if keeps {
		m.set("type", "source-ip")
	}
	if timeout != usual {
		m.set("timeout", duration(timeout))
	}
	m.set("prefix4", length4)
	m.set("prefix6", int(length6))
	if id > 0 {
		m.set("id", int(id))
	}
	if p := n.parameter("overridePersistencyForOrder"); keeps && p != nil && (strings.EqualFold(p.value(), "YES") || strings.EqualFold(p.value(), "ENABLED")) {
		m.set("yield_to_order", true)
	}
	v.out.set("persistence", m)
}

// whenAllDown says what is answered when nobody is usable.
func (n *netscaler) whenAllDown(v *virtualServer) {
	if v.is("EDR", "ENABLED") {
		v.out.set("when_all_down", "empty")
	}
	domains, _ := v.out.get("domains").([]*mapping)
	with := 0
	for _, d := range domains {
		if d.get("backup_addresses") != nil {
			with++
		}
	}
	switch {
	case with == 0:
	case with == len(domains):
		v.out.set("when_all_down", "backup-address")
	default:
		for _, d := range domains {
			d.drop("backup_addresses")
		}
		n.left(v.object, v.line, v.text, "only some of its domains have a backupIP: give those a virtual server of their own")
	}
}

func (n *netscaler) backup(v *virtualServer) {
	p := v.param("backupVServer")
	hold := v.param("disablePrimaryOnDown")
	if p != nil && p.value() != "" {
		switch other := n.serverOf(p.value()); {
		case other == nil || other.out == nil:
			n.left(v.object, p.line, p.text(), "there is no such virtual server in the document")
		case other == v:
			n.left(v.object, p.line, p.text(), "it would be its own backup")
		default:
			v.out.set("backup", other.as)
		}
	}
	if hold != nil && strings.EqualFold(hold.value(), "ENABLED") {
		if v.out.get("backup") == nil {
			n.left(v.object, hold.line, hold.text(), "it has no backup")
			return
		}
		v.out.set("backup_hold", true)
	}
}

// spilloverMethods are the words for what spillover measures.
var spilloverMethods = map[string]config.SpilloverMethod{"CONNECTION": config.SpilloverConnections, "DYNAMICCONNECTION": config.SpilloverDynamicConnections,
	"BANDWIDTH": config.SpilloverBandwidth, "HEALTH": config.SpilloverHealth}

func (n *netscaler) spillover(v *virtualServer) {
	p := v.param("soMethod")
	threshold := v.param("soThreshold")
	keeps, timeout := v.is("soPersistence", "ENABLED"), v.param("soPersistenceTimeOut")
	action := v.param("soBackupAction")
	if p == nil || strings.EqualFold(p.value(), "NONE") || p.value() == "" {
		return
	}
	method, ok := spilloverMethods[strings.ToUpper(p.value())]
	value, err := uint64(0), error(nil)
	if threshold != nil {
		value, err = strconv.ParseUint(threshold.value(), 10, 62)
	}
	const bitsOfKilobit = 1000
	switch {
	case !ok:
		n.left(v.object, p.line, p.text(), "this is not measured")
		return
	case method != config.SpilloverDynamicConnections && (err != nil || value == 0 || method == config.SpilloverHealth && value > 100):
		n.left(v.object, p.line, p.text(), "its threshold is missing, or no number that it can have")
		return
	case method == config.SpilloverBandwidth:
		value *= bitsOfKilobit // it stands in kbit/s there, in bit/s here
	}
	m := inline("method", string(method))
	if method != config.SpilloverDynamicConnections {
		m.set("threshold", number(strconv.FormatUint(value, 10)))
	} else if !n.allLimited(v) {
		n.left(v.object, p.line, p.text(), "it is the sum of the services' maxClient, and not all have one")
		return
	}
	if keeps {
		m.set("persistence", true)
		if timeout != nil {
			d, _ := n.span(v.object, timeout.name, time.Minute, 2*time.Minute, time.Second, 24*time.Hour)
			m.set("timeout", duration(d))
		}
	}
	switch {
	case action == nil || strings.EqualFold(action.value(), "ACCEPT"):
	case strings.EqualFold(action.value(), "DROP"):
		m.set("without_backup", "empty")
	default:
		n.left(v.object, action.line, action.text(), "DNS redirects nobody")
	}
	v.out.set("spillover", m)
}

// allLimited reports whether all members have max_connections.
func (n *netscaler) allLimited(v *virtualServer) bool {
	members, _ := v.out.get("members").([]*mapping)
	for _, m := range members {
		section, name := "services", m.text("service")
		if name == "" {
			section, name = "service_groups", m.text("group")
		}
		limited := slices.ContainsFunc(n.sections[section], func(s *mapping) bool { return s.text("name") == name && s.get("max_connections") != nil })
		if !limited {
			return false
		}
	}
	return true
}

// parameter returns a parameter of GSLB as a whole; nil when it is not set.
func (n *netscaler) parameter(name string) *param {
	for _, o := range n.store.table("gslb parameter").list {
		return o.param(name)
	}
	return nil
}
