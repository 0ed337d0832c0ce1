package config

import (
	"net/netip"
	"net/url"
)

// checkReached checks an address that monitors or load sources would connect to. What no document can mean is refused; what only
// a node file can open is warned of. A name is judged when it has been resolved.
func (c *checker) checkReached(path string, a netip.Addr) {
	if !a.IsValid() {
		return
	}
	for _, form := range []netip.Addr{a, StandsFor(a)} {
		if !form.IsValid() {
			continue
		}
		switch what, metadata := DeniedByDefault(form); {
		case metadata:
			c.problem(path, codeMetadataAddress, "it is nobody's service", "%s is %s, which hands out the credentials of the machine that asks", a, what)
			return
		case what != "":
			c.problem(path, codeWarnNotReached, "nodes that are to reach it need it in probes.allow of their node files", "%s is %s, which monitors and load sources do not reach", a, what)
			return
		}
	}
}

// checkReachedAddresses checks those of a service. Those that nothing connects to are only looked at for what nobody can mean.
func (c *checker) checkReachedAddresses(path string, addresses []netip.Addr, monitored bool) {
	for i, a := range addresses {
		if !a.IsValid() || unusableAddress(a) != "" {
			continue // reported already
		}
		if _, metadata := DeniedByDefault(a); monitored || metadata {
			c.checkReached(path+at(i), a)
		}
	}
}

// checkReachedURL checks the host of a load source's URL, if it is an address.
func (c *checker) checkReachedURL(path, text string) {
	u, err := url.Parse(text)
	if err != nil {
		return // reported already
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		c.checkReached(path, a)
	}
}
