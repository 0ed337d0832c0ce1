package config

import "strconv"

// checkTopology checks who reports to whom, and who answers.
func (c *checker) checkTopology() {
	byName := make(map[string]*Site, len(c.doc.Sites))
	for i := range c.doc.Sites {
		byName[c.doc.Sites[i].Name] = &c.doc.Sites[i]
	}
	answering := false
	for i := range c.doc.Sites {
		s := &c.doc.Sites[i]
		path := at("sites", i)
		answering = answering || s.Answers()
		if s.Foreign {
			c.checkForeign(s, path)
		}
		c.checkParents(s, path, byName)
		if s.AcceptAnnounced && s.Foreign {
			c.problem(path+"/accept_announced", codeTopology, "remove it", "a foreign site announces nothing")
		}
	}
	if !answering && len(c.doc.Sites) > 0 {
		c.problem(at("sites"), codeTopology, "remove parent:, foreign: or answers_dns: false of one of them", "no site answers DNS")
	}
	c.checkDials()
}

// checkForeign refuses what needs a node where there is none.
func (c *checker) checkForeign(s *Site, path string) {
	if s.Parent != "" {
		c.problem(path+"/parent", codeTopology, "remove it", "a foreign site has no node that could report to a parent")
	}
	if s.AnswersDNS != nil && *s.AnswersDNS {
		c.problem(path+"/answers_dns", codeTopology, "remove it", "a foreign site has no node that could answer DNS")
	}
	if s.Dial != DialAuto {
		c.problem(path+"/dial", codeWarnNoEffect, "remove it", "dial has no effect at a foreign site")
	}
}

// checkParents checks the parents of one site: that they exist, are different, and that nobody is above itself.
func (c *checker) checkParents(s *Site, path string, byName map[string]*Site) {
	if s.Parent == "" {
		if len(s.BackupParents) > 0 {
			c.problem(path+"/backup_parents", codeTopology, "add parent:", "backup_parents without parent")
		}
		return
	}
	c.limit(path+"/backup_parents", "backup parents", len(s.BackupParents), MaxBackupParents)
	seen := make(map[string]bool)
	for i, name := range s.Parents() {
		at := path + "/parent"
		if i > 0 {
			at = path + "/backup_parents/" + strconv.Itoa(i-1)
		}
		p := byName[name]
		switch {
		case p == nil:
			c.unknownSite(at, name)
		case name == s.Name:
			c.problem(at, codeTopology, "name another site", "site %s is its own parent", quote(name))
		case seen[name]:
			c.problem(at, codeTopology, "remove one of them", "%s is named twice among the parents of %s", quote(name), quote(s.Name))
		case p.Foreign:
			c.problem(at, codeTopology, "name a site with a node", "%s is foreign: nobody is there to report to", quote(name))
		default:
			c.checkAbove(s, p, at, byName)
		}
		seen[name] = true
	}
}

// checkAbove refuses a parent that has the site above itself, or too many levels. Only the first parents are followed for
// the depth: backup parents must be no deeper than the parent that they stand in for.
func (c *checker) checkAbove(s, p *Site, path string, byName map[string]*Site) {
	depth := 2
	next, seen := []*Site{p}, map[string]bool{}
	for ; len(next) > 0; depth++ {
		var further []*Site
		for _, q := range next {
			for _, name := range q.Parents() {
				if name == s.Name {
					c.problem(path, codeTopology, "", "%s reports to %s, which is above it", quote(p.Name), quote(s.Name))
					return
				}
				if up := byName[name]; up != nil && !seen[name] {
					seen[name] = true
					further = append(further, up)
				}
			}
		}
		next = further
	}
	if depth-1 > MaxSiteDepth {
		c.problem(path, codeTopology, "let it report to a site further up", "site %s is on level %d; there are at most %d", quote(s.Name), depth-1, MaxSiteDepth)
	}
}

// checkDials refuses two sites of which neither may open the connection.
func (c *checker) checkDials() {
	byName := make(map[string]int, len(c.doc.Sites))
	first := -1 // site in the mesh that never dials
	for i := range c.doc.Sites {
		byName[c.doc.Sites[i].Name] = i
	}
	for i := range c.doc.Sites {
		s := &c.doc.Sites[i]
		if s.Dial != DialNever || s.Foreign {
			continue
		}
		if s.Parent == "" {
			if first >= 0 {
				c.problem(at("sites", i, "dial"), codeTopology, c.firstAt(at("sites", first, "dial")), "neither %s nor %s opens connections: they would never meet",
					quote(c.doc.Sites[first].Name), quote(s.Name))
			} else {
				first = i
			}
			continue
		}
		for _, name := range s.Parents() {
			if j, ok := byName[name]; ok && c.doc.Sites[j].Dial == DialNever {
				c.problem(at("sites", i, "dial"), codeTopology, c.firstAt(at("sites", j, "dial")), "neither %s nor its parent %s opens connections: they would never meet",
					quote(s.Name), quote(name))
			}
		}
	}
}

// checkQuorum checks one quorum.
func (c *checker) checkQuorum(path string, q *Quorum) {
	switch {
	case q.Agree == 0 && (q.Of > 0 || q.Regions > 0):
		c.problem(path, codeQuorum, "add agree:", "a quorum without agree")
	case q.Of > 0 && q.Agree > q.Of:
		c.problem(path+"/agree", codeQuorum, "raise of: or lower agree:", "%d sites cannot agree when %d are asked", q.Agree, q.Of)
	case q.Regions > q.Agree:
		c.problem(path+"/regions", codeQuorum, "lower it", "%d sites cannot be from %d regions", q.Agree, q.Regions)
	case q.Agree > 0:
		c.checkAsked(path, q)
	}
}

// checkAsked checks a quorum against the sites that can be asked.
func (c *checker) checkAsked(path string, q *Quorum) {
	asked, regions := 0, make(map[string]bool)
	for i := range c.doc.Sites {
		if s := &c.doc.Sites[i]; s.Asked() {
			asked++
			regions[s.Location.Region()] = true
		}
	}
	switch {
	case q.Agree > asked:
		c.problem(path+"/agree", codeQuorum, "lower it", "%d sites must agree, but only %d answer DNS without a parent and so are asked", q.Agree, asked)
	case q.Regions > len(regions):
		c.problem(path+"/regions", codeQuorum, "lower it, or give sites their places", "sites of %d regions must agree, but those that are asked are from %d", q.Regions, len(regions))
	}
}
