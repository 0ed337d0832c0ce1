package config

// checkHeard warns of services of which a site that answers DNS is told nothing.
func (c *checker) checkHeard() {
	foreign := make(map[string]bool)
	for i := range c.doc.Sites {
		foreign[c.doc.Sites[i].Name] = c.doc.Sites[i].Foreign
	}
	silent := make([]*Service, 0, len(c.doc.Services)) // without monitors
	for i := range c.doc.Services {
		if s := &c.doc.Services[i]; len(s.Monitors) == 0 {
			silent = append(silent, s)
			if foreign[s.Site] {
				c.problem(at("services", i), codeWarnForeignBlind, "bind monitors:", "nobody speaks for foreign site %s: without monitors service %s is assumed UP for ever", quote(s.Site), quote(s.Name))
			}
		}
	}
	for i := range c.doc.ServiceGroups {
		if g := &c.doc.ServiceGroups[i]; foreign[g.Site] && len(g.Monitors) == 0 {
			c.problem(at("service_groups", i), codeWarnForeignBlind, "bind monitors:", "nobody speaks for foreign site %s: without monitors the services of group %s are assumed UP for ever", quote(g.Site), quote(g.Name))
		}
	}
	relays := c.doc.Relays()
	for i := range c.doc.Sites {
		if s := &c.doc.Sites[i]; s.Parent != "" && s.Answers() {
			c.checkChildAnswers(s, at("sites", i)+"/answers_dns", silent, foreign, relays)
		}
	}
}

// checkChildAnswers warns of a child that answers DNS with services that it knows nothing of.
func (c *checker) checkChildAnswers(s *Site, path string, silent []*Service, foreign map[string]bool, relays map[string][]string) {
	below := map[string]bool{s.Name: true}
	for name, above := range relays {
		for _, a := range above {
			below[name] = below[name] || a == s.Name
		}
	}
	unknown, first := 0, ""
	for _, service := range silent {
		if !below[service.Site] && !foreign[service.Site] {
			if unknown++; first == "" {
				first = service.Name
			}
		}
	}
	switch {
	case unknown == 1:
		c.problem(path, codeWarnChildAnswers, "bind monitors: to it", "site %s has a parent, which tells it nothing: service %s has no monitors and is UNKNOWN there", quote(s.Name), quote(first))
	case unknown > 1:
		c.problem(path, codeWarnChildAnswers, "bind monitors: to them", "site %s has a parent, which tells it nothing: %d services that have no monitors are UNKNOWN there, such as %s", quote(s.Name), unknown, quote(first))
	}
}
