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
	running := p.live != nil && p.live.site == p.node.Site
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
		if f.socket(subject, e.network, address, running) {
			good++
		}
	}
	switch {
	case good == 0:
	case running:
		f.ok("", "%s: this node serves them", countOf(good, "address"))
	default:
		f.ok("", "%s: free for this node", countOf(good, "address"))
	}
}

// socket checks one address and reports what is wrong with it.
func (f *findings) socket(subject, network string, address netip.AddrPort, running bool) bool {
	const why = "the node does not start"
	err := bindOnce(network, address)
	switch {
	case err == nil && running:
		f.add(Failed, subject, "the node that runs here does not serve it", "who asks there gets no answer", "restart the node: its file has changed since it was started, or it is another one")
	case err == nil:
		return true
	case taken(err):
		who := holder(network, address)
		if running || strings.HasPrefix(who, "fairlead ") {
			return true
		}
		if who == "" {
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
