package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/miekg/dns"
)

// maxCharacterString is the longest character string of a record (RFC 1035 section 3.3).
const maxCharacterString = 255

// checkNAPTR checks the NAPTR record of a service (RFC 3403 section 4.1).
func (c *checker) checkNAPTR(s *Service, path string) {
	n := s.NAPTR
	if n == nil {
		return
	}
	if s.CNAME != "" {
		c.problem(path, codeNAPTR, "remove one of them", "service %s has both a naptr and a cname", quote(s.Name))
	}
	for _, flag := range n.Flags {
		if !nameCharacter(flag) || strings.ContainsRune("-_.", flag) {
			c.problem(path+"/flags", codeNAPTR, "write S, A, U or P", "flags are letters and digits, not %s", quote(n.Flags))
			break
		}
	}
	for _, text := range []struct{ key, value string }{{"flags", n.Flags}, {"services", n.Services}, {"regexp", n.Regexp}} {
		if len(text.value) > maxCharacterString {
			c.problem(path+"/"+text.key, codeNAPTR, "", "%s has %d bytes; the limit is %d", text.key, len(text.value), maxCharacterString)
		}
	}
	if strings.ContainsFunc(n.Services, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.problem(path+"/services", codeNAPTR, "write E2U+sip or SIP+D2U", "%s is not a service field", quote(n.Services))
	}
	switch {
	case n.Regexp == "" && n.Replacement == "":
		c.problem(path, codeNAPTR, "add replacement: or regexp:", "the naptr of service %s leads nowhere", quote(s.Name))
	case n.Regexp != "" && n.Replacement != "":
		c.problem(path+"/regexp", codeNAPTR, "remove one of them", "regexp and replacement exclude each other")
	case n.Regexp != "":
		if err := checkSubstitution(n.Regexp); err != nil {
			c.problem(path+"/regexp", codeNAPTR, "write !^.*$!sip:info@example.com!", "%v", err)
		}
	default:
		c.checkReplacement(n.Replacement, path+"/replacement")
	}
}

// checkReplacement checks the next name of a NAPTR record: it is asked for as it is, so that an alias of ours is not meant.
func (c *checker) checkReplacement(replacement, path string) {
	name, err := canonicalHost(replacement)
	if err != nil {
		c.problem(path, codeNAPTR, "", "replacement: %v", err)
		return
	}
	for z := c.zoneOf(name); z != nil; z = z.twin {
		if z.has(name, dns.TypeCNAME) {
			c.problem(path, codeNAPTR, "give the name that it is an alias of", "replacement %s is an alias in zone %s", show(name), show(z.name))
			return
		}
	}
}

// checkSubstitution checks a substitution expression (RFC 3402 section 3.2): a delimiter, an extended regular expression,
// the delimiter, the replacement, the delimiter, and perhaps the flag i.
func checkSubstitution(text string) error {
	delimiter := text[0]
	if delimiter >= '1' && delimiter <= '9' || delimiter == 'i' || delimiter == '\\' || delimiter >= 0x80 {
		return fmt.Errorf("a substitution cannot be delimited by %q", delimiter)
	}
	parts := splitSubstitution(text[1:], delimiter)
	if len(parts) != 3 {
		return fmt.Errorf("a substitution has 3 delimiters %q, not %d", delimiter, len(parts))
	}
	expression, replacement, flags := parts[0], parts[1], parts[2]
	if flags != "" && flags != "i" {
		return fmt.Errorf("the only flag of a substitution is i, not %s", quote(flags))
	}
	if expression == "" {
		return errors.New("the expression of a substitution is empty")
	}
	compiled, err := regexp.CompilePOSIX(expression)
	if err != nil {
		return fmt.Errorf("%s is not an extended regular expression", quote(expression))
	}
	for i := 0; i+1 < len(replacement); i++ {
		if replacement[i] != '\\' {
			continue
		}
		i++
		if group := int(replacement[i]) - '0'; group >= 1 && group <= 9 && group > compiled.NumSubexp() {
			return fmt.Errorf("\\%d stands for a part in parentheses, of which the expression has %d", group, compiled.NumSubexp())
		}
	}
	return nil
}

// splitSubstitution splits at delimiters that no backslash stands before, which it drops from those that one does.
func splitSubstitution(text string, delimiter byte) []string {
	var parts []string
	var part []byte
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			if text[i+1] != delimiter {
				part = append(part, text[i])
			}
			part = append(part, text[i+1])
			i++
		case text[i] == delimiter:
			parts, part = append(parts, string(part)), nil
		default:
			part = append(part, text[i])
		}
	}
	return append(parts, string(part))
}
