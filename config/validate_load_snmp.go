package config

import "strings"

// Limits of a load source of kind snmp.
const (
	maxOIDSum      = 8  // OIDs that make up one number
	maxSNMPObjects = 32 // that one read asks for
	maxF5Name      = 64 // octets of a virtual server's name in an index
	// maxNetScalerName: a NetScaler shows longer names as a hash of them.
	maxNetScalerName = 31
)

// checkLoadSNMP checks how an agent is asked, and that there is something to ask.
func (c *checker) checkLoadSNMP(l *LoadSource, path string) {
	if l.Source != LoadSNMP {
		return
	}
	if l.SNMP == nil {
		if !c.page.failed[path+"/snmp"] {
			c.problem(path+"/snmp", codeLoadSource, "add snmp: {community: file:PATH}, or a user of version 3", "load source snmp does not say how the agent is asked")
		}
	} else {
		c.checkSNMP(l.SNMP, path+"/snmp")
		if len(l.SNMP.Checks) > 0 {
			c.problem(path+"/snmp/checks", codeWarnNoEffect, "remove it", "checks has no effect on load sources: fields says what is read")
		}
	}
	objects := 0
	for _, f := range l.Fields.list() {
		if f.path != "" {
			objects += 1 + strings.Count(f.path, "+")
		}
	}
	given := objects > 0
	for i := range l.Custom {
		if l.Custom[i].Path != "" {
			objects += 1 + strings.Count(l.Custom[i].Path, "+")
		}
	}
	c.limit(path+"/fields", "objects", objects, maxSNMPObjects)
	switch {
	case c.page.failed[path+"/preset"]:
	case l.Preset != "" && given:
		c.problem(path+"/fields", codeLoadSource, "remove one of them", "preset %s says itself where each number is", l.Preset)
	case l.Preset != "" && l.Backend == "" && !c.page.failed[path+"/backend"]:
		c.problem(path+"/backend", codeLoadSource, "add backend: with the name of the virtual server", "preset %s needs backend", l.Preset)
	case l.Preset == PresetF5 && len(l.Backend) > maxF5Name:
		c.problem(path+"/backend", codeLoadSource, "write the OIDs in fields", "%s has %d octets; a name in an object identifier has at most %d", quote(l.Backend), len(l.Backend), maxF5Name)
	case l.Preset == PresetNetScaler && len(l.Backend) > maxNetScalerName:
		c.problem(path+"/backend", codeLoadSource, "write the OIDs in fields, as snmpwalk shows them", "%s has %d octets; a NetScaler shows names above %d as a hash", quote(l.Backend), len(l.Backend), maxNetScalerName)
	case l.Preset == "" && l.Backend != "":
		c.problem(path+"/backend", codeWarnNoEffect, "remove it, or add preset:", "backend has no effect without a preset")
	case l.Preset == "" && objects == 0 && !c.page.present(path+"/fields"):
		c.problem(path+"/fields", codeLoadSource, "add fields: {active: OID}, or preset:", "load source snmp needs fields or a preset")
	}
}

// ParseOIDSum reads the OIDs of a number that is their sum: "1.3.6.1.2.1.31.1.1.1.6.2 + 1.3.6.1.2.1.31.1.1.1.10.2". There are at most 8;
// it returns nil for what is none.
func ParseOIDSum(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, "+") {
		part = strings.TrimSpace(part)
		if len(out) == maxOIDSum || !ValidOID(part) {
			return nil
		}
		out = append(out, part)
	}
	return out
}
