package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// maxInterfaceName is the length of the longest name of a network interface that Linux has.
const maxInterfaceName = 15

// IPVSService is a virtual service in the table of Linux's IPVS.
type IPVSService struct {
	Protocol string         // "tcp", "udp", "sctp", or "fwmark"
	Address  netip.AddrPort // not of fwmark
	Mark     uint32         // of fwmark
}

// ParseIPVSService reads the backend of an ipvs source: "tcp 192.0.2.80:80", "udp [2001:db8::1]:53" or "fwmark 7".
func ParseIPVSService(text string) (IPVSService, error) {
	words := strings.Fields(text)
	if len(words) == 2 {
		out := IPVSService{Protocol: strings.ToLower(words[0])}
		switch out.Protocol {
		case "tcp", "udp", "sctp":
			at, err := ParseLocalEnd(words[1])
			if out.Address = at; err == nil && at.Addr().IsValid() {
				return out, nil
			}
		case "fwmark":
			mark, err := strconv.ParseUint(words[1], 10, 32)
			if out.Mark = uint32(mark); err == nil && mark > 0 {
				return out, nil
			}
		}
	}
	return IPVSService{}, fmt.Errorf("%s is not a virtual service", quote(text))
}

// ParseLocalEnd reads the backend of a host source: ADDRESS:PORT, or :PORT for every address, which is the invalid one then.
func ParseLocalEnd(text string) (netip.AddrPort, error) {
	if at, err := netip.ParseAddrPort(text); err == nil && at.Port() != 0 && at.Addr().Zone() == "" {
		return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
	}
	// An address that took the place of {address} has no brackets.
	i := strings.LastIndexByte(text, ':')
	port, err := strconv.ParseUint(text[i+1:], 10, 16)
	if i < 0 || err != nil || port == 0 {
		return netip.AddrPort{}, fmt.Errorf("%s is not ADDRESS:PORT or :PORT", quote(text))
	}
	if i == 0 {
		return netip.AddrPortFrom(netip.Addr{}, uint16(port)), nil
	}
	address, err := netip.ParseAddr(text[:i])
	if err != nil || address.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%s is not ADDRESS:PORT or :PORT", quote(text))
	}
	return netip.AddrPortFrom(address.Unmap(), uint16(port)), nil
}

// checkLoadKernel checks what is looked up in the tables of this machine's kernel.
func (c *checker) checkLoadKernel(l *LoadSource, path string) {
	backend := filled(l.Backend, "192.0.2.1", 1, "member")
	switch {
	case l.Backend == "" || c.page.failed[path+"/backend"]:
	case l.Source == LoadIPVS:
		if _, err := ParseIPVSService(backend); err != nil {
			c.problem(path+"/backend", codeLoadSource, "write tcp ADDRESS:PORT, udp ADDRESS:PORT, sctp ADDRESS:PORT, or fwmark NUMBER", "%v", err)
		}
	case l.Source == LoadHost:
		if _, err := ParseLocalEnd(backend); err != nil {
			c.problem(path+"/backend", codeLoadSource, "", "%v", err)
		}
	}
	if l.Source == LoadHost && (len(l.Interface) > maxInterfaceName || strings.ContainsAny(l.Interface, "/ :\t\n")) {
		c.problem(path+"/interface", codeLoadSource, "write the name that ip link shows", "%s is not the name of a network interface", quote(l.Interface))
	}
}

// checkHostLoads finds host sources that do not know which connections to count.
func (c *checker) checkHostLoads() {
	unknown := func(path string, l *LoadSource, port int, addresses []netip.Addr, name string) {
		if l != nil && l.Source == LoadHost && l.Backend == "" && (port == 0 || len(addresses) == 0) {
			c.problem(path+"/load", codeLoadSource, "add backend: \":80\" to the load, or port: to the service", "the load source host counts connections to the address and port of %s, which has none", name)
		}
	}
	for i := range c.doc.Services {
		s := &c.doc.Services[i]
		if s.Load == nil {
			continue
		}
		unknown(at("services", i), s.Load, s.Port, s.Addresses, "service "+quote(s.Name))
	}
	for i := range c.doc.ServiceGroups {
		g := &c.doc.ServiceGroups[i]
		portless := g.Autoscale != nil || slices.ContainsFunc(g.Members, func(m GroupMember) bool { return m.Port == 0 && m.Load == nil })
		if g.Port == 0 && portless && g.Load != nil {
			unknown(at("service_groups", i), g.Load, 0, nil, "the members of group "+quote(g.Name))
		}
		for j := range g.Members[:min(len(g.Members), MaxMembers)] {
			m, port := &g.Members[j], g.Port
			if m.Port != 0 {
				port = m.Port
			}
			unknown(at("service_groups", i, "members", j), m.Load, port, m.Addresses, "member "+quote(g.serviceName(m)))
		}
	}
}
