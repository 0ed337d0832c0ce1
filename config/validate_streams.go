package config

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// maxHTTPSPath bounds the path of DNS over HTTPS.
const maxHTTPSPath = 256

// checkStreams checks where DNS is listened for, by all transports.
func (c *nodeChecker) checkStreams() {
	dns := &c.node.DNS
	taken := new(takenPorts)
	c.checkListen("/dns/listen", dns.Listen, taken)
	if t := dns.TLS; t != nil {
		c.checkSecure("/dns/tls", t.Listen, t.Cert, t.Key, taken)
	}
	if h := dns.HTTPS; h != nil {
		c.checkSecure("/dns/https", h.Listen, h.Cert, h.Key, taken)
		if p := h.Path; !strings.HasPrefix(p, "/") || len(p) > maxHTTPSPath || strings.ContainsFunc(p, notInPath) {
			c.page.problem("/dns/https/path", codeNodeHTTPSPath, "write path: /dns-query", "%s is not the path of a URL", quote(p))
		}
	}
}

// notInPath reports whether a character cannot stand in the path of a URL as it is.
func notInPath(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"#%<>?\^{|}`+"`", r) }

// checkSecure checks a listener under TLS without its files.
func (c *nodeChecker) checkSecure(path string, listen []string, cert, key string, taken *takenPorts) {
	if len(listen) == 0 {
		c.page.problem(path+"/listen", codeEmptyList, "add an address, or remove the section", "there is no address to listen on")
	}
	c.checkListen(path+"/listen", listen, taken)
	for _, f := range []struct{ key, value string }{{"cert", cert}, {"key", key}} {
		if f.value == "" {
			c.page.problem(path+"/"+f.key, codeNodeCertificate, "name a PEM file", "the %s is missing", f.key)
		}
	}
}

// takenPorts is what sockets of TCP were asked for.
type takenPorts []takenPort

type takenPort struct {
	path, text string
	address    netip.AddrPort
}

// checkListen checks a list of addresses, and finds those of which one takes another's port: the same one twice, or one
// that a wildcard of its family includes.
func (c *nodeChecker) checkListen(list string, listen []string, taken *takenPorts) {
	if n := len(listen); n > MaxListen {
		c.page.problem(list, codeTooMany, "", "%d addresses to listen on; the limit is %d", n, MaxListen)
	}
	for i, text := range listen[:min(len(listen), MaxListen)] {
		path := list + at(i)
		address, ok := c.listen(path, text)
		if !ok {
			continue
		}
		address = netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
		these := []takenPort{{path, text, address}}
		if strings.HasPrefix(text, ":") { // both families
			these = append(these, takenPort{path, text, netip.AddrPortFrom(netip.IPv4Unspecified(), address.Port())})
		}
		for _, t := range these {
			if first := slices.IndexFunc(*taken, func(b takenPort) bool { return overlap(b.address, t.address) }); first >= 0 {
				c.listenTwice(t, (*taken)[first])
				break
			}
		}
		*taken = append(*taken, these...)
	}
}

func (c *nodeChecker) listenTwice(t, before takenPort) {
	if t.text == before.text || t.address == before.address {
		c.page.problem(t.path, codeNodeListen, "remove one of them", "%s stands twice", quote(t.text))
		return
	}
	c.page.problem(t.path, codeNodeListen, "remove one of them", "%s and %s take the same port", quote(t.text), quote(before.text))
}

// checkSecureFiles checks the certificates of DNS over TLS and HTTPS, and of the API.
func checkSecureFiles(p *page, n *Node, now time.Time) {
	if t := n.DNS.TLS; t != nil {
		checkServerCertificate(p, "/dns/tls", t.Cert, t.Key, now)
	}
	if h := n.DNS.HTTPS; h != nil {
		checkServerCertificate(p, "/dns/https", h.Cert, h.Key, now)
	}
	if n.API.Secure() {
		checkServerCertificate(p, "/api/tls", n.API.TLS.Cert, n.API.TLS.Key, now)
	}
}

func checkServerCertificate(p *page, path, certFile, keyFile string, now time.Time) {
	cert, haveCert := readNamed(p, path+"/cert", certFile, maxPEMBytes)
	key, haveKey := readNamed(p, path+"/key", keyFile, maxPEMBytes)
	if haveKey {
		checkSecretMode(p, path+"/key", keyFile, "the private key")
	}
	if !haveCert || !haveKey {
		return
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		p.problem(path+"/cert", codeNodeCertificate, "give the PEM chain and the unencrypted PEM key it was issued for",
			"certificate and key cannot be used: %v", err)
		return
	}
	checkDates(p, path+"/cert", pair.Leaf, "renew it", "clients that look refuse it", now)
}
