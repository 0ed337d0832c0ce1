package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"fairlead/config"
)

// endpoint is one address that the node serves.
type endpoint struct{ key, network, address string }

func endpoints(n *config.Node) []endpoint {
	var list []endpoint
	for _, a := range n.DNS.Listen {
		list = append(list, endpoint{"dns.listen", "udp", a}, endpoint{"dns.listen", "tcp", a})
	}
	if n.DNS.TLS != nil {
		for _, a := range n.DNS.TLS.Listen {
			list = append(list, endpoint{"dns.tls.listen", "tcp", a})
		}
	}
	if n.DNS.HTTPS != nil {
		for _, a := range n.DNS.HTTPS.Listen {
			list = append(list, endpoint{"dns.https.listen", "tcp", a})
		}
	}
	if n.MEP.Listen != "" {
		list = append(list, endpoint{"mep.listen", "tcp", n.MEP.Listen})
	}
	return append(list, endpoint{"api.listen", "tcp", n.API.Listen})
}

// sockets checks that each address is free, or is served by this node.
func (p *patient) sockets(ctx context.Context, f *findings) {
	here := p.whoRuns()
	good := 0
	for _, e := range endpoints(p.node) {
		if ctx.Err() != nil {
			return
		}
		subject := e.key + " " + e.address + "/" + e.network
		address, err := netip.ParseAddrPort(e.address)
		if err != nil {
			if host, port, ok := net.SplitHostPort(e.address); ok == nil && host == "" {
				address, err = netip.ParseAddrPort("[::]:" + port)
			}
		}
		if err != nil || address.Port() == 0 {
			f.skip(subject, "it is not one address with a port")
			continue
		}
		if f.socket(subject, e.network, address, here) {
			good++
		}
	}
	switch {
	case good == 0:
	case here.running:
		f.ok("", "%s: this node serves them", countOf(good, "address"))
	default:
		f.ok("", "%s: free for this node", countOf(good, "address"))
	}
}

// ownName begins the name of each process of this program, as the system tells it.
const ownName = "fairlead"

// runner is the node of this site that runs on this machine.
type runner struct {
	running bool
	other   string // the site of a node that answers in its place; empty: none does
	process string // as holder names it; empty: it is not known
}

func (p *patient) whoRuns() runner {
	switch {
	case p.live == nil:
		return runner{}
	case p.live.site != p.node.Site && p.o.Expected: // of a node elsewhere
		return runner{}
	case p.live.site != p.node.Site:
		return runner{other: p.live.site}
	}
	r := runner{running: true}
	if a, err := netip.ParseAddrPort(p.node.API.Listen); err == nil {
		if who := holder("tcp", a); strings.HasPrefix(who, ownName) {
			r.process = who
		}
	}
	return r
}

// serves reports whether a process that has an address is the runner.
func (r runner) serves(who string) bool {
	switch {
	case !r.running:
		return false
	case who == "": // this user may not see the processes of another one
		return true
	case r.process != "":
		return who == r.process
	}
	return strings.HasPrefix(who, ownName)
}

// socket checks one address and reports what is wrong with it.
func (f *findings) socket(subject, network string, address netip.AddrPort, here runner) bool {
	const why = "the node does not start"
	// DNS takes IPv4 on sockets of its own, so that 0.0.0.0 and [::] can both be listened on.
	err := bindOnce(network, address, strings.HasPrefix(subject, "dns."))
	switch {
	case err == nil && here.running:
		f.add(Failed, subject, "the node that runs here does not serve it", "who asks there gets no answer", "restart the node: its file has changed since it was started, or it is another one")
	case err == nil:
		return true
	case taken(err):
		who := holder(network, address)
		switch {
		case here.serves(who):
			return true
		case !here.running && here.other == "" && strings.HasPrefix(who, ownName):
			f.add(Warning, subject, "it is taken by "+who+", and whether that is this site's node is not known: its API was not asked, or does not tell", "if it is another node, this one does not start",
				"name its API with --api, and --token-file or --cert; if it is another node, stop it, or write another address")
			return false
		case who == "":
			who = "a process that this user may not see"
		}
		f.add(Failed, subject, "it is taken by "+who, why, takenHint(who, address))
	case notAllowed(err):
		f.add(Failed, subject, fmt.Sprintf("this user may not bind port %d: %v", address.Port(), err), why,
			"run Fairlead with CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE); if it does, run this as root")
	case notHere(err):
		f.add(Failed, subject, "this machine does not have the address", why, "write one that ip address shows, or 0.0.0.0 and [::]")
	default:
		f.add(Failed, subject, errText(err), why, "write another address")
	}
	return false
}

func takenHint(who string, address netip.AddrPort) string {
	if strings.HasPrefix(who, "systemd-resolve") && address.Port() == 53 {
		return "listen on the machine's own address instead of 0.0.0.0, or set DNSStubListener=no in /etc/systemd/resolved.conf"
	}
	return "stop it, or write another address"
}
