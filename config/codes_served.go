package config

import (
	"fmt"
	"strings"
)

// Inert reports whether a problem of this code leaves a part of a document without effect, and the rest as it is.
func (c Code) Inert() bool { return strings.HasPrefix(string(c), "FL92") }

// MissingSite is the problem of a document that does not have the site of the node which would serve it.
func MissingSite(name string) Problem {
	return Problem{File: assembledName, Path: at("sites"), Severity: SeverityError, Code: codeUnknownSite,
		Message: fmt.Sprintf("this node's site %s is not among the sites", quote(name)), Hint: "keep the site, or stop its node first"}
}
