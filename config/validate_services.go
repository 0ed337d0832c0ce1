package config

import (
	"net/url"
	"slices"
)

func (c *checker) checkServices() {
	for i := range c.doc.Services {
		if c.settled(ObjectService, i) {
			continue
		}
		c.look(ObjectService, i, func() { c.checkService(&c.doc.Services[i], at("services", i)) })
	}
	c.checkBackupServices()
}

// checkService checks one service with what it refers to.
func (c *checker) checkService(s *Service, path string) {
	if _, ok := c.sites[s.Site]; !ok {
		c.unknownSite(path+"/site", s.Site)
	}
	c.checkServiceAddresses(s, path)
	c.checkServiceHost(s, path+"/host")
	c.checkNAPTR(s, path+"/naptr")
	c.checkServiceMonitors(s, path)
	c.checkReplacements(path+"/public_addresses", quote(s.Name), s.Addresses, s.PublicAddresses)
	c.checkServiceViews(s, path+"/views")
	c.checkQuorum(path+"/quorum", &s.Quorum)
	if s.Load != nil {
		c.checkLoad(s.Load, path+"/load")
	}
	c.checkLimits(path, &loadLimits{name: "service " + quote(s.Name), load: s.Load, connections: s.MaxConnections, bandwidth: s.MaxBandwidth, threshold: s.LoadThreshold})
}

func (c *checker) unknownSite(path, name string) {
	hint := c.nearestName(name, len(c.doc.Sites), func(i int) string { return c.doc.Sites[i].Name })
	c.problem(path, codeUnknownSite, hint, "site %s does not exist", quote(name))
}

func (c *checker) unknownService(path, name string) {
	hint := c.nearestName(name, len(c.doc.Services), func(i int) string { return c.doc.Services[i].Name })
	c.problem(path, codeUnknownService, hint, "service %s does not exist", quote(name))
}

func (c *checker) checkServiceAddresses(s *Service, path string) {
	if s.CNAME != "" {
		if _, err := canonicalHost(s.CNAME); err != nil {
			c.problem(path+"/cname", codeDomainName, "", "%v", err)
		}
	}
	failed := c.page.failed[path+"/host"] || c.page.failed[path+"/addresses"] || c.page.failed[path+"/cname"] || c.page.failed[path+"/naptr"]
	switch {
	case s.CNAME != "" && len(s.Addresses) > 0:
		c.problem(path+"/cname", codeAddressOrCNAME, "remove one of them", "service %s has both addresses and a cname", quote(s.Name))
	case s.CNAME == "" && len(s.Addresses) == 0 && s.Host == "" && s.NAPTR == nil && !failed:
		c.problem(path, codeAddressOrCNAME, "add addresses: [192.0.2.1], cname:, host: or naptr:", "service %s has neither addresses nor a cname nor a host nor a naptr", quote(s.Name))
	}
	c.checkFamilies(path+"/addresses", quote(s.Name), s.Addresses)
	c.checkReachedAddresses(path+"/addresses", s.Addresses, len(s.Monitors) > 0)
}

// boundMonitors is the monitors of a service or of each service of a group, and what they must add up to.
type boundMonitors struct {
	monitors  []MonitorBinding
	threshold int
}

// checkBoundMonitors checks the monitors of the object at path.
func (c *checker) checkBoundMonitors(path string, b *boundMonitors) {
	c.limit(path+"/monitors", "monitors", len(b.monitors), MaxServiceMonitors)
	sum := 0
	for i, bound := range b.monitors[:min(len(b.monitors), MaxServiceMonitors)] {
		name, at := bound.Monitor, path+at("monitors", i)
		sum += bound.Weight
		if _, ok := c.monitors[name]; !ok {
			hint := c.nearestName(name, len(c.doc.Monitors), func(i int) string { return c.doc.Monitors[i].Name })
			c.problem(at, codeUnknownMonitor, hint, "monitor %s does not exist", quote(name))
		} else if slices.IndexFunc(b.monitors, func(o MonitorBinding) bool { return o.Monitor == name }) < i {
			c.problem(at, codeDuplicateMonitor, "remove one of them", "monitor %s stands twice", quote(name))
		}
		if b.threshold == 0 && bound.Weight != 1 {
			c.problem(at+"/weight", codeWarnNoEffect, "add monitor_threshold:", "weights of monitors have no effect without monitor_threshold: all monitors must pass")
		}
	}
	switch {
	case c.page.failed[path+"/monitors"]:
	case b.threshold > 0 && len(b.monitors) == 0:
		c.problem(path+"/monitor_threshold", codeMonitorThreshold, "add monitors, or remove it", "there are no monitors that could reach monitor_threshold %d", b.threshold)
	case b.threshold > sum && len(b.monitors) <= MaxServiceMonitors:
		c.problem(path+"/monitor_threshold", codeMonitorThreshold, "raise weights, or lower it", "the weights of all monitors add up to %d, which never reaches %d", sum, b.threshold)
	}
}

func (c *checker) checkServiceMonitors(s *Service, path string) {
	c.checkBoundMonitors(path, &boundMonitors{monitors: s.Monitors, threshold: s.MonitorThreshold})
	if len(s.Monitors) == 0 {
		return
	}
	if len(s.Addresses) == 0 && s.CNAME == "" && !c.page.failed[path+"/addresses"] && (s.Host != "" || s.NAPTR != nil) {
		c.problem(path+"/monitors", codeMonitorOnCNAME, "add addresses, or remove the monitors", "service %s has no addresses to monitor", quote(s.Name))
	} else if s.CNAME != "" {
		c.problem(path+"/monitors", codeMonitorOnCNAME, "use addresses, or remove the monitors", "service %s answers with a name, which cannot be monitored", quote(s.Name))
	} else if name := c.needsPort(s.Monitors); name != "" && s.Port == 0 && !c.page.failed[path+"/port"] {
		c.problem(path+"/monitors", codePortMissing, "add port:, or target.port to the monitor", "service %s has no port, which monitor %s needs", quote(s.Name), quote(name))
	}
}

func (c *checker) checkURL(path, text string) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		c.problem(path, codeURL, "write http://host:port/path", "%s is not an http or https URL", quote(text))
		return
	}
	if u.Port() != "" {
		if _, err := parsePort(u.Port()); err != nil {
			c.problem(path, codeURL, "write http://host:port/path", "%s: %v", quote(text), err)
		}
	}
}

func (c *checker) checkTimeout(path string, interval, timeout Duration) {
	if timeout <= interval {
		return
	}
	if c.page.present(path + "/timeout") {
		c.problem(path+"/timeout", codeTimeout, "", "timeout %s is above the interval of %s", timeout, interval)
		return
	}
	c.problem(path+"/interval", codeTimeout, "add timeout: "+interval.String(), "the default timeout of %s is above the interval of %s", timeout, interval)
}
