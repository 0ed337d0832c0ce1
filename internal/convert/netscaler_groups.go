package convert

import (
	"math"
	"net/netip"

	"fairlead/config"
)

// convertGroups makes the service groups.
func (n *netscaler) convertGroups() {
	for _, o := range n.store.table("gslb servicegroup").list {
		n.nameFor(o, "service_groups")
		n.group(o)
	}
}

func (n *netscaler) group(o *object) {
	site := n.siteOf(o)
	if site == "" {
		return
	}
	o.out = newMapping()
	o.out.set("name", o.as)
	o.out.set("site", site)
	members, port := n.members(o)
	if members == nil && o.out.get("autoscale") == nil {
		n.left(o, o.line, o.text, "the group has no members that could be converted")
		o.out = nil
		return
	}
	if port > 0 {
		o.out.set("port", port)
	}
	if members != nil {
		o.out.set("members", members)
	}
	n.bindMonitors(o, "{address}", port)
	n.serviceLimits(o)
	n.sections["service_groups"] = append(n.sections["service_groups"], o.out)
}

// members are the members of a group, and the port that most of them have: the first one's.
func (n *netscaler) members(o *object) (list []*mapping, port int) {
	taken := map[string]bool{}
	for _, b := range o.bindings {
		if len(b.args) == 0 {
			continue
		}
		b.out = o.out
		own, name := n.resolve(b.arg(0))
		at := 0
		if len(b.args) > 1 {
			at = n.port(o, b.arg(1))
		}
		switch {
		case own == "" && name != "" && !o.is("autoScale", "DNS"):
			n.left(o, b.line, b.text, "server %s is the name %s, which only groups with autoscale follow", b.arg(0), name)
			continue
		case own == "" && name != "":
			if list == nil && o.out.get("autoscale") == nil {
				o.out.set("autoscale", inline("name", name))
				port = at
				continue
			}
			n.left(o, b.line, b.text, "a group with autoscale has one name")
			continue
		case own == "":
			n.left(o, b.line, b.text, "%q is neither an address nor a server", b.arg(0))
			continue
		case o.out.get("autoscale") != nil:
			n.left(o, b.line, b.text, "a group with autoscale has no other members")
			continue
		}
		if port == 0 {
			port = at
		}
		m := inline()
		key := config.AddressName(netip.MustParseAddr(own))
		if taken[key] {
			key += "-" + argument(b.args, 1)
			m.set("name", key)
		}
		if taken[key] {
			n.left(o, b.line, b.text, "it is a member already")
			continue
		}
		taken[key] = true
		m.set("addresses", []string{own})
		if at != port {
			m.set("port", at)
		}
		n.member(o, b, m, own, at)
		list = append(list, m)
	}
	return list, port
}

func (n *netscaler) member(o, b *object, m *mapping, own string, port int) {
	n.publicAddress(o, b, m, own, port)
	if v, ok := n.count(o, b, "weight", 1, config.MaxWeight); ok && v > 1 {
		m.set("weight", int(v))
	}
	if v := n.order(o, b); v > 0 {
		m.set("order", v)
	}
	if v, ok := n.count(o, b, "hashId", 0, math.MaxUint32); ok && v > 0 {
		m.set("hash_id", int(v))
	}
	if b.is("state", "DISABLED") {
		m.set("state", "disabled")
	}
}
