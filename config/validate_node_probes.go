package config

import (
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
)

// Limits of the lists in the node file's probes section.
const (
	maxProbeDirectories = 64
	maxProbeVariables   = 256
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// checkProbes checks what the document may reach on this machine.
func (c *nodeChecker) checkProbes() {
	probes := &c.node.Probes
	checkPrefixList(c.page, "/probes/allow", probes.Allow)
	checkPrefixList(c.page, "/probes/deny", probes.Deny)
	for i, p := range probes.Allow {
		path := at("probes", "allow", i)
		switch {
		case !p.IsValid():
		case slices.Contains(probes.Deny, p):
			c.page.problem(path, codeWarnNoEffect, "remove one of them", "%s is denied, too, and deny counts before allow", p)
		case opensMetadata(p):
			c.page.problem(path, codeWarnMetadata, "allow only what is needed", "%s has the metadata service of a cloud in it, which hands out this machine's credentials", p)
		}
	}
	directories := probes.directories()
	if n := len(directories); n > maxProbeDirectories {
		c.page.problem("/probes", codeTooMany, "", "%d directories; the limit is %d", n, maxProbeDirectories)
	}
	for _, d := range directories {
		switch {
		case *d.directory == "" && !c.page.failed[d.path]:
			c.page.problem(d.path, codeNodeProbeDirectory, "name a directory, or remove the entry", "a directory without a name")
		case filepath.Clean(*d.directory) == string(filepath.Separator):
			c.page.problem(d.path, codeNodeProbeDirectory, "name a directory that holds nothing else", "the root directory stands for every file of this machine")
		}
	}
	c.checkVariables("/probes/secrets/environment", probes.Secrets.Environment)
	c.checkVariables("/probes/scripts/environment", probes.Scripts.Environment)
}

func (c *nodeChecker) checkVariables(path string, names []string) {
	if n := len(names); n > maxProbeVariables {
		c.page.problem(path, codeTooMany, "", "%d variables; the limit is %d", n, maxProbeVariables)
		return
	}
	for i, name := range names {
		if !variableName.MatchString(name) && !c.page.failed[path+at(i)] {
			c.page.problem(path+at(i), codeNodeVariable, "write SNMP_COMMUNITY", "%s is not the name of an environment variable", quote(name))
		}
	}
}

// opensMetadata reports whether a prefix has the metadata service of a cloud in it, and more than that: who names its address
// alone means it.
func opensMetadata(p netip.Prefix) bool {
	return !p.IsSingleIP() && slices.ContainsFunc(deniedDestinations, func(d deniedDestination) bool {
		return d.metadata && p.Contains(d.prefix.Addr())
	})
}
