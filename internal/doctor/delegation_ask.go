package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"fairlead/config"
	"fairlead/internal/query"
)

const (
	// maxResolvers, maxParents and maxNames bound who is asked: resolvers of this machine, addresses of the parent's name servers, names that it delegates to.
	maxResolvers = 3
	maxParents   = 4
	maxNames     = 13
	// maxSteps is how many ancestors of a zone are asked for until its parent is found.
	maxSteps = 10
	// maxRecords is how many records of a section are looked at, maxKeys how many keys.
	maxRecords = 200
	maxKeys    = 16
	// askTimeout is how long a server has for one answer. Over UDP it is asked twice.
	askTimeout = 1500 * time.Millisecond
)

// resolvers are those that find the parents' servers.
func (p *patient) resolvers() ([]string, error) {
	if len(p.o.Resolvers) > 0 {
		return p.o.Resolvers[:min(len(p.o.Resolvers), maxResolvers)], nil
	}
	c, err := dns.ClientConfigFromFile(p.o.ResolvConf)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, server := range c.Servers[:min(len(c.Servers), maxResolvers)] {
		list = append(list, net.JoinHostPort(server, c.Port))
	}
	return list, nil
}

// ask sends one question; over UDP twice when nothing comes back.
func (v *visit) ask(ctx context.Context, name, kind, server string, tcp, recurse bool) (*dns.Msg, error) {
	r := query.Request{Name: name, Type: kind, Server: server, TCP: tcp, Recurse: recurse, Timeout: askTimeout, Dial: v.p.o.Dial}
	result, err := query.Do(ctx, r)
	var silent *query.UnreachableError
	if !tcp && errors.As(err, &silent) && !errors.Is(err, syscall.ENETUNREACH) && ctx.Err() == nil {
		result, err = query.Do(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	m := result.Message
	for _, section := range []*[]dns.RR{&m.Answer, &m.Ns, &m.Extra} {
		*section = (*section)[:min(len(*section), maxRecords)]
	}
	return m, nil
}

// resolve asks the resolvers in turn until one knows.
func (v *visit) resolve(ctx context.Context, name, kind string) (m *dns.Msg, err error) {
	for _, server := range v.resolvers {
		m, err = v.ask(ctx, name, kind, server, false, true)
		if err == nil && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError) {
			return m, nil
		}
		if err == nil {
			err = fmt.Errorf("resolver %s answers %s for %s %s", server, rcodeText(m.Rcode), name, kind)
		}
	}
	return nil, err
}

// addresses resolves a host. Without any, the error says why they are not known; nil: the host has none.
func (v *visit) addresses(ctx context.Context, name string) (list []netip.Addr, err error) {
	for _, kind := range []string{"A", "AAAA"} {
		m, failed := v.resolve(ctx, name, kind)
		if failed != nil {
			err = failed
			continue
		}
		for _, rr := range m.Answer {
			list = appendAddress(list, rr)
		}
	}
	if slices.SortFunc(list, netip.Addr.Compare); len(list) > 0 {
		err = nil
	}
	return slices.Compact(list), err
}

func appendAddress(list []netip.Addr, rr dns.RR) []netip.Addr {
	var ip net.IP
	switch r := rr.(type) {
	case *dns.A:
		ip = r.A
	case *dns.AAAA:
		ip = r.AAAA
	}
	if a, ok := netip.AddrFromSlice(ip); ok {
		list = append(list, a.Unmap())
	}
	return list
}

// parent finds the zone above and the addresses of its servers.
func (v *visit) parent(ctx context.Context) (name string, servers []string, err error) {
	name = above(v.zone)
	var names []string
	for range maxSteps {
		m, err := v.resolve(ctx, name, "NS")
		if err != nil {
			return "", nil, fmt.Errorf("find the parent zone: %w", err)
		}
		if names = serversNamed(m.Answer, name); len(names) > 0 || name == "." {
			break
		}
		next := above(name)
		for _, rr := range m.Ns {
			if soa, is := rr.(*dns.SOA); is && dns.IsSubDomain(dns.CanonicalName(soa.Hdr.Name), next) {
				next = dns.CanonicalName(soa.Hdr.Name)
			}
		}
		name = next
	}
	if servers, err = v.parentServers(ctx, names); err != nil {
		return "", nil, fmt.Errorf("find the parent zone: %w", err)
	}
	if len(names) == 0 {
		return "", nil, fmt.Errorf("find the parent zone: the resolvers (%s) know no name server of %s", strings.Join(v.resolvers, ", "), name)
	}
	if len(servers) == 0 {
		return "", nil, fmt.Errorf("find the parent zone: no address of a name server of %s is known", name)
	}
	return name, servers, nil
}

// parentServers are addresses of the name servers of a zone, of both families where this machine has a way to both.
func (v *visit) parentServers(ctx context.Context, names []string) (servers []string, err error) {
	var lists [2][]netip.Addr // IPv4, IPv6
	for _, host := range names {
		if min(len(lists[0]), len(lists[1])) >= maxParents || ctx.Err() != nil {
			break
		}
		found, failed := v.addresses(ctx, host)
		if failed != nil {
			err = failed
		}
		for _, a := range found {
			if family := familyOf(a); !absurd(a) && !slices.Contains(lists[family], a) {
				lists[family] = append(lists[family], a)
			}
		}
	}
	for n := 0; len(servers) < maxParents && n < max(len(lists[0]), len(lists[1])); n++ {
		for _, list := range lists {
			if n < len(list) && len(servers) < maxParents && v.reaches(ctx, list[n]) {
				servers = append(servers, netip.AddrPortFrom(list[n], query.DefaultPort).String())
			}
		}
	}
	if len(servers) > 0 {
		return servers, nil
	}
	return nil, err
}

// familyOf is 0 for IPv4 and 1 for IPv6.
func familyOf(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// reaches reports whether this machine has a way to an address. No packet is sent.
func (v *visit) reaches(ctx context.Context, a netip.Addr) bool {
	if a.Is4() {
		return true
	}
	conn, err := v.p.o.Dial(ctx, "udp", netip.AddrPortFrom(a, query.DefaultPort).String())
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// above is a name without its first label.
func above(name string) string {
	if next, end := dns.NextLabel(name, 0); !end {
		return name[next:]
	}
	return "."
}

// serversNamed lists the name servers of a zone in records, sorted, at most maxNames.
func serversNamed(records []dns.RR, zone string) []string {
	var names []string
	for _, rr := range records {
		if ns, is := rr.(*dns.NS); is && dns.CanonicalName(ns.Hdr.Name) == zone {
			names = append(names, dns.CanonicalName(ns.Ns))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), maxNames)]
}

// delegation is what the parent says of the zone.
type delegation struct {
	names []string // sorted
	glue  map[string][]netip.Addr
	ds    []*dns.DS
}

// delegated asks the parent's servers. nil: the zone is not delegated, or none answers, and that was reported.
func (v *visit) delegated(ctx context.Context, parent string, servers []string) *delegation {
	var d *delegation
	answered := false
	for _, server := range servers {
		m, err := v.ask(ctx, v.zone, "NS", server, false, false)
		if ctx.Err() != nil {
			return d
		}
		if err != nil {
			continue
		}
		names := serversNamed(append(m.Answer, m.Ns...), v.zone)
		switch {
		case len(names) == 0 && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError):
			answered = true
			v.add(Failed, "at "+server, fmt.Sprintf("%s does not delegate it (%s)", parent, rcodeText(m.Rcode)), notFound, "ask who runs "+parent+" for NS records of "+v.zone)
			continue
		case len(names) == 0:
			continue
		}
		answered = true
		if d != nil && !slices.Equal(d.names, names) {
			v.add(Warning, "at "+server, fmt.Sprintf("it delegates to %s, and another server of %s to %s", strings.Join(names, ", "), parent, strings.Join(d.names, ", ")), "resolvers ask different servers", "wait until all servers of the parent have the same version")
		}
		if d == nil {
			d = &delegation{names: names, glue: glue(m.Extra, names)}
			d.ds = v.delegationSigner(ctx, server)
		}
	}
	if !answered {
		v.add(Warning, "", fmt.Sprintf("none of %s of %s says whether it delegates the zone", countOf(len(servers), "server"), parent), "whether resolvers find the zone is not known", "ask again; is port 53 let through to the internet from here?")
	}
	return d
}

// glue is the addresses that come with a delegation, of its names alone.
func glue(extra []dns.RR, names []string) map[string][]netip.Addr {
	out := map[string][]netip.Addr{}
	for _, rr := range extra {
		if name := dns.CanonicalName(rr.Header().Name); slices.Contains(names, name) {
			out[name] = appendAddress(out[name], rr)
		}
	}
	for name := range out {
		slices.SortFunc(out[name], netip.Addr.Compare)
		out[name] = slices.Compact(out[name])
	}
	return out
}

func (v *visit) delegationSigner(ctx context.Context, server string) []*dns.DS {
	m, err := v.ask(ctx, v.zone, "DS", server, false, false)
	if err != nil {
		return nil
	}
	var list []*dns.DS
	for _, rr := range m.Answer {
		if ds, is := rr.(*dns.DS); is && len(list) < maxKeys && dns.CanonicalName(ds.Hdr.Name) == v.zone {
			list = append(list, ds)
		}
	}
	return list
}

// target is an address of a name server of the zone.
type target struct {
	name    string
	address netip.Addr
	glue    []netip.Addr // of the name; empty: the parent gives none
}

func (t target) subject() string { return strings.TrimSuffix(t.name, ".") + " " + t.address.String() }
func (t target) server() string {
	return netip.AddrPortFrom(t.address, query.DefaultPort).String()
}

// targets are the addresses to ask; names without any are reported.
func (v *visit) targets(ctx context.Context, d *delegation) []target {
	var list []target
	for _, name := range d.names {
		given := d.glue[name]
		addresses := given
		below := dns.IsSubDomain(v.zone, name)
		if len(given) == 0 && below {
			v.add(Failed, name, "the delegation has no address (glue) of it, though its name is in the zone", "resolvers cannot ask it", "add its A and AAAA records to the parent zone")
			continue
		}
		if len(given) == 0 {
			var err error
			addresses, err = v.addresses(ctx, name)
			switch {
			case ctx.Err() != nil:
				return list
			case err != nil:
				v.add(Warning, name, errText(err), "whether it has an address is not known", "ask again, or with another --resolver")
				continue
			case len(addresses) == 0:
				v.add(Failed, name, "it has no address", "resolvers cannot ask it", "add its A and AAAA records where its name is")
				continue
			}
		}
		if !below {
			given = nil
		}
		for _, a := range addresses {
			if len(list) == maxServers {
				v.add(Skipped, "", fmt.Sprintf("only %d addresses are asked", maxServers), "", "")
				return list
			}
			list = append(list, target{name, a, given})
		}
	}
	return list
}

// absurd reports whether others cannot reach an address, or it is no host's.
func absurd(a netip.Addr) bool {
	return a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// reply is what came from one target.
type reply struct {
	target
	absurd, unroutable bool
	udpErr, tcpErr     error
	rcode              int
	authoritative      bool
	edns               bool
	soa                *dns.SOA
	ns                 []string
	ownAddresses       []netip.Addr // of the name, as the zone says, if it is in the zone
}

// askServers asks all targets at a time.
func (v *visit) askServers(ctx context.Context, targets []target) []reply {
	replies := make([]reply, len(targets))
	var all sync.WaitGroup
	for n, t := range targets {
		replies[n].target = t
		if replies[n].absurd = absurd(t.address); replies[n].absurd {
			continue
		}
		all.Go(func() { v.askServer(ctx, &replies[n]) })
	}
	all.Wait()
	return replies
}

func (v *visit) askServer(ctx context.Context, r *reply) {
	server := r.server()
	m, err := v.ask(ctx, v.zone, "SOA", server, false, false)
	if err != nil && r.address.Is6() && (errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL)) {
		r.unroutable = true
		return
	}
	r.udpErr = err
	_, r.tcpErr = v.ask(ctx, v.zone, "SOA", server, true, false)
	if m == nil {
		return
	}
	r.rcode, r.authoritative, r.edns = m.Rcode, m.Authoritative, m.IsEdns0() != nil
	for _, rr := range m.Answer {
		if soa, is := rr.(*dns.SOA); is && dns.CanonicalName(soa.Hdr.Name) == v.zone {
			r.soa = soa
		}
	}
	if r.soa == nil {
		r.authoritative = false
		return
	}
	if m, err := v.ask(ctx, v.zone, "NS", server, false, false); err == nil {
		r.ns = serversNamed(m.Answer, v.zone)
	}
	if len(r.glue) == 0 {
		return
	}
	for _, kind := range []string{"A", "AAAA"} {
		if m, err := v.ask(ctx, r.name, kind, server, false, false); err == nil {
			for _, rr := range m.Answer {
				r.ownAddresses = appendAddress(r.ownAddresses, rr)
			}
		}
	}
	slices.SortFunc(r.ownAddresses, netip.Addr.Compare)
	r.ownAddresses = slices.Compact(r.ownAddresses)
}

// listening are the addresses that a node serves DNS on; of an unspecified one, those of this machine.
func listening(n *config.Node) []netip.Addr {
	var list []netip.Addr
	for _, text := range n.DNS.Listen {
		host, _, err := net.SplitHostPort(text)
		if err != nil {
			continue
		}
		a, err := netip.ParseAddr(host)
		if err == nil && !a.IsUnspecified() {
			list = append(list, a.Unmap())
			continue
		}
		all, _ := net.InterfaceAddrs()
		for _, one := range all {
			if prefix, err := netip.ParsePrefix(one.String()); err == nil {
				list = append(list, prefix.Addr().Unmap())
			}
		}
	}
	return list
}
