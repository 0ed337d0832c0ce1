package config

import (
	"slices"
	"strings"
)

// Limits of what a script is run with.
const (
	maxScriptArguments = 64
	maxScriptArgument  = 4 << 10
	maxScriptVariables = 32
)

// scriptFacts are what may stand in braces in an argument.
var scriptFacts = []string{"address", "port", "family", "service", "monitor"}

// checkScript checks what a script monitor runs. Whether it may is each node's to say.
func (c *checker) checkScript(m *Monitor, path string) {
	if m.Type != MonitorScript {
		return
	}
	s := m.Script
	if s == nil {
		s = new(ScriptProbe)
	}
	if len(s.Command) == 0 {
		if !c.page.failed[path] && !c.page.failed[path+"/command"] {
			c.problem(path, codeProbe, "add script: {command: [/etc/fairlead/scripts/check, \"{address}\"]}", "a script monitor has no program to run")
		}
		return
	}
	c.limit(path+"/command", "arguments", len(s.Command), maxScriptArguments)
	if program := s.Command[0]; !strings.HasPrefix(program, "/") && !c.page.failed[path+"/command/0"] {
		c.problem(path+"/command/0", codeProbe, "write each word as an entry of the list, the program first by its absolute path", "%s is not an absolute path", quote(program))
	}
	for i, argument := range s.Command[:min(len(s.Command), maxScriptArguments)] {
		c.checkScriptArgument(path+at("command", i), argument)
	}
	c.limit(path+"/environment", "variables", len(s.Environment), maxScriptVariables)
	for i, name := range s.Environment {
		if entry := path + at("environment", i); !variableName.MatchString(name) && !c.page.failed[entry] {
			c.problem(entry, codeProbe, "write the name alone; its value stands in each node's environment", "%s is not the name of an environment variable", quote(name))
		}
	}
}

func (c *checker) checkScriptArgument(path, argument string) {
	switch {
	case len(argument) > maxScriptArgument:
		c.problem(path, codeProbe, "", "the argument has %d bytes; the limit is %d", len(argument), maxScriptArgument)
	case strings.ContainsRune(argument, 0):
		c.problem(path, codeProbe, "", "an argument cannot have a zero octet")
	}
	for rest := argument; ; {
		_, after, open := strings.Cut(rest, "{")
		name, behind, closed := strings.Cut(after, "}")
		if !open || !closed {
			return
		}
		rest = behind
		if !slices.Contains(scriptFacts, name) && (nearest(name, scriptFacts) != "" || strings.EqualFold(name, "host")) {
			c.problem(path, codeWarnNoEffect, "what stands in braces is one of "+strings.Join(scriptFacts, ", "), "{%s} is handed over as it is", clip(name))
		}
	}
}
