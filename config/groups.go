package config

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxGroups is how many service groups a document can have.
	MaxGroups = 10_000
	// MaxWeight is the greatest weight of a member. A member of a group has the product of both weights, but no more.
	MaxWeight = 100
	// groupSeparator stands between the name of a group and that of its member. No other name has it, so that services of
	// groups never have the name of another service.
	groupSeparator = ":"
)

// Expanded returns the document with every service group replaced by its services, each named GROUP:MEMBER, and with
// virtual servers that have these as members. A document without groups is returned as it is.
//
// resolved holds what the names of autoscaled groups resolve to, by the name of the group: each address is a service of
// its own, up to Autoscale.Max of them by order of address. A group that is missing there has no services, and a virtual
// server may be left without members.
//
// The result shares what it did not have to change with the document; both are only read. It has no groups, so that
// expanding it again changes nothing.
func (d *Document) Expanded(resolved map[string][]netip.Addr) *Document {
	return d.ExpandedWith(resolved, nil)
}

// ExpandedWith is Expanded with what sites announce, by the name of the group: up to Announced.Max members, in this order.
func (d *Document) ExpandedWith(resolved map[string][]netip.Addr, announced map[string][]GroupMember) *Document {
	if len(d.ServiceGroups) == 0 {
		return d
	}
	out := *d
	out.ServiceGroups = nil
	out.Services = slices.Clone(d.Services)
	members := make(map[string][]Member, len(d.ServiceGroups)) // of a group, with weights and orders of its own
	for i := range d.ServiceGroups {
		g := &d.ServiceGroups[i]
		services, of := g.services(resolved[g.Name], announced[g.Name])
		out.Services = append(out.Services, services...)
		members[g.Name] = of
	}
	out.VirtualServers = slices.Clone(d.VirtualServers)
	for i := range out.VirtualServers {
		v := &out.VirtualServers[i]
		if slices.ContainsFunc(v.Members, func(m Member) bool { return m.Group != "" }) {
			v.Members = expandMembers(v.Members, members)
		}
	}
	return &out
}

// services makes a group's services, and for each the weight and order that it has inside the group.
func (g *ServiceGroup) services(resolved []netip.Addr, announced []GroupMember) ([]Service, []Member) {
	own := g.Members
	switch {
	case g.Autoscale != nil:
		own = g.Autoscale.members(resolved)
	case g.Announced != nil:
		own = announced[:min(len(announced), g.Announced.Max)]
	}
	services, members := make([]Service, len(own)), make([]Member, len(own))
	for i := range own {
		m := &own[i]
		port := m.Port
		if port == 0 {
			port = g.Port
		}
		services[i] = Service{
			Name: g.serviceName(m), Group: g.Name, Site: g.Site, Addresses: m.Addresses, PublicAddresses: m.PublicAddresses,
			Port: port, HashID: m.HashID, State: stricter(g.State, m.State),
			Monitors: g.Monitors, MonitorThreshold: g.MonitorThreshold,
			MaxConnections: g.MaxConnections, MaxBandwidth: g.MaxBandwidth, LoadThreshold: g.LoadThreshold,
			Capacity: g.Capacity, Cost: g.Cost, SlowStart: g.SlowStart, Load: g.loadOf(m, port), Labels: g.Labels,
		}
		members[i] = Member{Service: services[i].Name, Weight: m.Weight, Order: m.Order}
	}
	return services, members
}

// members is what a DNS name resolves to, as members of a group.
func (a *Autoscale) members(resolved []netip.Addr) []GroupMember {
	addresses := slices.Clone(resolved)
	slices.SortFunc(addresses, netip.Addr.Compare)
	addresses = slices.Compact(addresses)
	addresses = addresses[:min(len(addresses), a.Max)]
	members := make([]GroupMember, len(addresses))
	for i, address := range addresses {
		members[i] = GroupMember{Addresses: []netip.Addr{address}, Weight: 1, State: ServiceEnabled}
	}
	return members
}

// serviceName is the name of the service that a member of the group becomes.
func (g *ServiceGroup) serviceName(m *GroupMember) string {
	return g.Name + groupSeparator + m.ownName()
}

// ownName is a member's half of its service's name; empty when it has neither name nor address.
func (m *GroupMember) ownName() string {
	if m.Name != "" || len(m.Addresses) == 0 {
		return m.Name
	}
	return AddressName(m.Addresses[0])
}

// AddressName is an address as the member of a group is named for it: with '-' in place of each colon.
func AddressName(a netip.Addr) string { return strings.ReplaceAll(a.String(), ":", "-") }

// GroupService is the name of the service that an address of an autoscaled group becomes.
func GroupService(group string, a netip.Addr) string { return group + groupSeparator + AddressName(a) }

// expandMembers puts the services of each group in the group's place.
func expandMembers(members []Member, groups map[string][]Member) []Member {
	out := make([]Member, 0, len(members))
	for _, m := range members {
		if m.Group == "" {
			out = append(out, m)
			continue
		}
		for _, own := range groups[m.Group] {
			own.Weight = min(own.Weight*m.Weight, MaxWeight)
			if own.Order == 0 {
				own.Order = m.Order
			}
			out = append(out, own)
		}
	}
	return out
}

// stricter is what operators want of a service when they said it of the group and of the member.
func stricter(a, b ServiceState) ServiceState {
	for _, s := range []ServiceState{ServiceDisabled, ServiceDraining} {
		if a == s || b == s {
			return s
		}
	}
	return ServiceEnabled
}

// Answerable reports whether an address can be answered with: it is one host's, and means the same to all clients.
func Answerable(a netip.Addr) bool { return a.IsValid() && unusableAddress(a) == "" }

// ResolverAddress returns the resolver that is asked for an autoscaled group's name, as host:port for a dialer; empty for
// the system's. Port 53 unless it has one.
func (a *Autoscale) ResolverAddress() string {
	if a.Resolver == "" {
		return ""
	}
	host, port, err := splitHostPort(a.Resolver, DefaultDNSPort)
	if err != nil {
		return a.Resolver
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
