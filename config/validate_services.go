package config

import (
	"net/url"
	"regexp"
	"slices"
)

func (c *checker) checkServices() {
	for i := range c.doc.Services {
		s := &c.doc.Services[i]
		path := at("services", i)
		if _, ok := c.sites[s.Site]; !ok {
			hint := c.nearestName(s.Site, len(c.doc.Sites), func(i int) string { return c.doc.Sites[i].Name })
			c.problem(path+"/site", codeUnknownSite, hint, "site %s does not exist", quote(s.Site))
		}
		c.checkServiceAddresses(s, path)
		c.checkServiceHost(s, path+"/host")
		c.checkServiceMonitors(s, path)
		if s.Load != nil {
			c.checkLoad(s.Load, path+"/load")
		}
	}
}

func (c *checker) checkServiceAddresses(s *Service, path string) {
	if s.CNAME != "" {
		if _, err := canonicalHost(s.CNAME); err != nil {
			c.problem(path+"/cname", codeDomainName, "", "%v", err)
		}
	}
	switch {
	case s.CNAME != "" && len(s.Addresses) > 0:
		c.problem(path+"/cname", codeAddressOrCNAME, "remove one of them", "service %s has both addresses and a cname", quote(s.Name))
	case s.CNAME == "" && len(s.Addresses) == 0 && s.Host == "" && !c.page.failed[path+"/host"] && !c.page.failed[path+"/addresses"] && !c.page.failed[path+"/cname"]:
		c.problem(path, codeAddressOrCNAME, "add addresses: [192.0.2.1], cname: or host:", "service %s has neither addresses nor a cname nor a host", quote(s.Name))
	}
	four, six := 0, 0
	for i, a := range s.Addresses {
		if !a.IsValid() {
			continue // not decoded, and reported so
		}
		if why := unusableAddress(a); why != "" {
			c.problem(path+at("addresses", i), codeUnusableAddress, "", "%s %s", a, why)
			continue
		}
		count := &six
		if a.Is4() {
			count = &four
		}
		if *count++; *count == 2 {
			c.problem(path+at("addresses", i), codeTwoOfFamily, "make it a service of its own", "service %s already has an address of this family", quote(s.Name))
		}
	}
}

func (c *checker) checkServiceMonitors(s *Service, path string) {
	c.limit(path+"/monitors", "monitors", len(s.Monitors), MaxServiceMonitors)
	for i, bound := range s.Monitors[:min(len(s.Monitors), MaxServiceMonitors)] {
		name, at := bound.Monitor, path+at("monitors", i)
		if _, ok := c.monitors[name]; !ok {
			hint := c.nearestName(name, len(c.doc.Monitors), func(i int) string { return c.doc.Monitors[i].Name })
			c.problem(at, codeUnknownMonitor, hint, "monitor %s does not exist", quote(name))
		} else if slices.IndexFunc(s.Monitors, func(b MonitorBinding) bool { return b.Monitor == name }) < i {
			c.problem(at, codeDuplicateMonitor, "remove one of them", "monitor %s stands twice", quote(name))
		}
	}
	if len(s.Monitors) == 0 {
		return
	}
	if len(s.Addresses) == 0 && s.CNAME == "" && !c.page.failed[path+"/addresses"] && s.Host != "" {
		c.problem(path+"/monitors", codeMonitorOnCNAME, "add addresses, or remove the monitors", "service %s has no addresses to monitor", quote(s.Name))
	} else if s.CNAME != "" {
		c.problem(path+"/monitors", codeMonitorOnCNAME, "use addresses, or remove the monitors", "service %s answers with a name, which cannot be monitored", quote(s.Name))
	} else if s.Port == 0 && !c.page.failed[path+"/port"] {
		c.problem(path+"/monitors", codePortMissing, "add port:", "service %s has monitors but no port", quote(s.Name))
	}
}

// loadKeys says which keys a kind of load source needs; it can use no others.
func loadKeys(kind LoadKind) (need, optional []string) {
	switch kind {
	case LoadHAProxy:
		return []string{"url", "backend"}, nil
	case LoadJSON:
		return []string{"url"}, []string{"path"}
	}
	return nil, nil
}

// jsonPath is what package monitors reads: names and indexes between dots, indexes in brackets too.
var jsonPath = regexp.MustCompile(`^(?:[^.\[]+(?:\[\d+\])*|(?:\[\d+\])+)(?:\.(?:[^.\[]+(?:\[\d+\])*|(?:\[\d+\])+))*$`)

func (c *checker) checkLoad(l *LoadSource, path string) {
	if l.Source == "" {
		return // not decoded, and reported so
	}
	need, optional := loadKeys(l.Source)
	for _, key := range []struct{ name, value string }{{"url", l.URL}, {"path", l.Path}, {"backend", l.Backend}} {
		needed, usable := slices.Contains(need, key.name), slices.Contains(optional, key.name)
		switch {
		case needed && key.value == "":
			c.problem(path+"/"+key.name, codeLoadSource, "add "+key.name+":", "load source %s needs %s", l.Source, key.name)
		case !needed && !usable && key.value != "":
			c.problem(path+"/"+key.name, codeLoadSource, "remove it", "load source %s has no %s", l.Source, key.name)
		}
	}
	if l.URL != "" {
		c.checkURL(path+"/url", l.URL)
	}
	if l.Source == LoadJSON && l.Path != "" && !jsonPath.MatchString(l.Path) {
		c.problem(path+"/path", codeLoadSource, "write load.active, pools.0.active or pools[0].active", "%s is not a path to a number in JSON", quote(l.Path))
	}
	c.checkTimeout(path, l.Interval, l.Timeout)
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
