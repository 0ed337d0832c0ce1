package config

import (
	"net/netip"
	"strings"
)

// MaxListen is how many addresses the DNS server can listen on.
const MaxListen = 64

// maxNSID bounds the name server identifier, so that it never decides whether an answer fits.
const maxNSID = 128

// nodeChecker validates a node file by itself: without its document and without the files it names.
type nodeChecker struct {
	page *page
	node *Node
}

func validateNode(p *page, n *Node) {
	c := nodeChecker{page: p, node: n}
	if err := checkName(n.Site); err != nil {
		c.page.problem("/site", codeName, "the name of this node's site in the GSLB document", "%v", err)
	}
	if n.DataDir == "" {
		c.page.problem("/data_dir", codeNodeDataDir, "write data_dir: /var/lib/fairlead", "the data directory is empty")
	}
	c.checkSource()
	c.checkStore()
	c.checkDNS()
	c.checkObservers()
	c.checkMEP()
	c.checkAPI()
	c.checkGeoIP()
	c.checkProbes()
}

func (c *nodeChecker) checkSource() {
	switch s := c.node.Config; {
	case s.Seed == "" && s.Follow == "" && s.Store.Etcd == nil:
		c.page.problem("/config", codeNodeSource, "add seed: or follow: with the path of the GSLB document", "the node has no GSLB document")
	case s.Seed != "" && s.Follow != "":
		c.page.problem("/config/follow", codeNodeSource, "seed is read once, follow is the truth at every start: keep one", "seed and follow exclude each other")
	}
}

func (c *nodeChecker) checkDNS() {
	dns := &c.node.DNS
	if len(dns.Listen) == 0 {
		c.page.problem("/dns/listen", codeEmptyList, `write listen: ["0.0.0.0:53", "[::]:53"]`, "the DNS server listens nowhere")
	}
	c.checkTSIGKeys()
	c.checkStreams()
	if len(dns.NSID) > maxNSID {
		c.page.problem("/dns/nsid", codeNodeNSID, "", "the NSID has %d bytes; the limit is %d", len(dns.NSID), maxNSID)
	}
	c.checkQueryPolicy()
}

// overlap reports whether two sockets cannot be bound to these addresses at once. Port 0 is any that is free.
func overlap(a, b netip.AddrPort) bool {
	if a.Port() != b.Port() || a.Addr().Is4() != b.Addr().Is4() {
		return false
	}
	return a == b || a.Port() != 0 && (a.Addr().IsUnspecified() || b.Addr().IsUnspecified())
}

// listen checks an address to listen on: IP:port, or :port for every address of the machine.
func (c *nodeChecker) listen(path, text string) (netip.AddrPort, bool) {
	full := text
	if strings.HasPrefix(text, ":") {
		full = "[::]" + text
	}
	address, err := netip.ParseAddrPort(full)
	if err != nil || address.Addr().IsMulticast() {
		hint := "write 192.0.2.1:53, [2001:db8::1]:53 or :53"
		_, portless := netip.ParseAddr(text)
		switch {
		case portless == nil:
			hint = "add the port"
		case path == "/api/listen":
			hint = "write 127.0.0.1:8053"
		case path == "/mep/listen":
			hint = "write 0.0.0.0:3009 or [::]:3009"
		}
		c.page.problem(path, codeNodeListen, hint, "%s is not an address with a port to listen on", quote(text))
		return netip.AddrPort{}, false
	}
	return address, true
}

func (c *nodeChecker) checkMEP() {
	mep := &c.node.MEP
	if mep.Listen != "" {
		c.listen("/mep/listen", mep.Listen)
	}
	files := []struct{ key, value string }{{"cert", mep.TLS.Cert}, {"key", mep.TLS.Key}, {"ca", mep.TLS.CA}}
	var missing []string
	for _, f := range files {
		if f.value == "" {
			missing = append(missing, f.key)
		}
	}
	switch {
	case mep.Insecure && len(missing) < len(files):
		c.page.problem("/mep/insecure", codeNodeMEPIdentity, "remove one of them", "insecure: true and tls exclude each other")
	case mep.Insecure && mep.Listen != "":
		c.page.problem("/mep/insecure", codeWarnInsecure, "for a lab only; use tls: {cert, key, ca}", "sites exchange metrics in the clear, and anyone can speak as a site")
	case mep.Insecure:
	case len(missing) == len(files) && mep.Listen == "":
	case len(missing) > 0:
		c.page.problem("/mep/tls", codeNodeMEPIdentity, "add tls: {cert: …, key: …, ca: …}, or insecure: true in a lab", "the MEP identity lacks %s", strings.Join(missing, ", "))
	}
}
