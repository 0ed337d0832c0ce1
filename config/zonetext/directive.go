package zonetext

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/miekg/dns"
)

// directiveOf returns a directive in capitals, "" if the word is none.
func directiveOf(word []byte) string {
	if len(word) == 0 {
		return ""
	}
	upper := strings.ToUpper(string(word))
	if slices.Contains([]string{"$TTL", "$ORIGIN", "$INCLUDE", "$GENERATE"}, upper) {
		return upper
	}
	return ""
}

// directive obeys the directive on a line. When one that changes how the next lines are read is malformed, reading stops.
func (r *Reader) directive(name string, line []byte) {
	arguments, ok := words(line)
	bad := func(token, message string) {
		r.fail(Problem{Kind: Malformed, Token: token, Message: message})
		r.stopped = true
	}
	argument := ""
	if len(arguments) > 0 {
		argument = arguments[0]
	}
	switch {
	case name == "$GENERATE":
		r.fail(Problem{Kind: Directive, Token: string(line[:len(name)]), Message: "$GENERATE is not allowed", Hint: "write the records out"})
	case name == "$INCLUDE" && r.options.Include == nil:
		r.fail(Problem{Kind: Directive, Token: argument, Message: "$INCLUDE is not allowed", Hint: "write the records here"})
	case name == "$INCLUDE":
		if !ok || len(arguments) == 0 || len(arguments) > 2 {
			bad("", "$INCLUDE needs a file, and can have an origin after it")
			return
		}
		r.includeDirective(arguments)
	case !ok || len(arguments) != 1:
		bad("", name+" needs one word after it")
	case name == "$TTL":
		ttl, ok := parseTTL([]byte(argument))
		if !ok {
			bad(argument, "$TTL needs seconds, or a duration such as 1h30m, not "+quote(argument))
			return
		}
		r.ttl, r.hasTTL, r.fixedTTL = ttl, true, true
	default:
		origin, ok := r.absolute(argument)
		if !ok {
			bad(argument, "$ORIGIN needs a domain name, not "+quote(argument))
			return
		}
		r.setOrigin(origin)
	}
}

// includeDirective reads the file that is named.
func (r *Reader) includeDirective(arguments []string) {
	origin := r.origin
	if len(arguments) == 2 {
		name, ok := r.absolute(arguments[1])
		if !ok {
			r.fail(Problem{Kind: Malformed, Token: arguments[1], Message: "the origin of $INCLUDE is not a domain name: " + quote(arguments[1])})
			return
		}
		origin.set(name)
	}
	p := Problem{Token: arguments[0]}
	given, err := IncludePath(arguments[0])
	if err != nil {
		p.Kind, p.Message, p.Hint = OutsidePath, err.Error(), "name a file in the directory of the zone file, or below it"
		r.fail(p)
		return
	}
	name, text, err := r.options.Include(r.file.name, given)
	switch {
	case err != nil:
		p.Kind, p.Message, p.Hint = Unreadable, "file "+quote(given)+" cannot be read: "+err.Error(), "the path is relative to the file that has the $INCLUDE"
	case r.including(name):
		p.Kind, p.Message = TooDeep, "file "+quote(given)+" includes itself"
	case len(r.open) == MaxDepth:
		p.Kind, p.Message = TooDeep, "files include each other more than 8 deep"
	default:
		r.include(name, text, origin.octets())
		return
	}
	r.fail(p)
}

// absolute returns a name of a directive in wire form.
func (r *Reader) absolute(word string) ([]byte, bool) {
	if word == "@" {
		return bytes.Clone(r.origin.octets()), true
	}
	if _, ok := dns.IsDomainName(word); !ok || word == "" {
		return nil, false
	}
	if !dns.IsFqdn(word) {
		word += "." + strings.TrimPrefix(r.originText(), ".")
	}
	var w wireName
	n, err := dns.PackDomainName(word, w.b[:], 0, nil, false)
	if err != nil || n > len(w.b)-1 {
		return nil, false
	}
	return bytes.Clone(w.b[:n]), true
}

// words splits what follows a directive. A word can be in quotes; ok is false when something else than words is there.
func words(line []byte) (out []string, ok bool) {
	p := bytes.IndexAny(line, " \t")
	if p < 0 {
		return nil, true
	}
	line = bytes.TrimSuffix(line, []byte("\r"))
	for {
		if p = skipBlanks(line, p); p >= len(line) || line[p] == ';' {
			return out, true
		}
		if line[p] == '"' {
			n := bytes.IndexByte(line[p+1:], '"')
			if n < 0 || bytes.IndexByte(line[p+1:p+1+n], '\\') >= 0 || !ends(line, p+n+2) {
				return out, false
			}
			out = append(out, string(line[p+1:p+1+n]))
			p += n + 2
			continue
		}
		start := p
		for ; p < len(line) && !ends(line, p); p++ {
			switch line[p] {
			case '\\':
				p++
			case '"', '(', ')', '\r':
				return out, false
			}
		}
		p = min(p, len(line))
		out = append(out, string(line[start:p]))
	}
}

// IncludePath checks and cleans the path of an $INCLUDE: slashes between its parts, relative, and without "..", so that it
// stays below the directory of the file that names it.
func IncludePath(name string) (string, error) {
	switch {
	case name == "":
		return "", errors.New("$INCLUDE names no file")
	case path.IsAbs(name) || strings.ContainsAny(name, `\:`) || strings.ContainsFunc(name, unicode.IsControl):
		return "", errors.New("$INCLUDE needs a relative path with slashes, not " + quote(name))
	case slices.Contains(strings.Split(name, "/"), ".."):
		return "", errors.New("$INCLUDE cannot lead upwards: " + quote(name))
	}
	return path.Clean(name), nil
}

// Includes returns the paths of the $INCLUDE directives in a text, cleaned; those that IncludePath refuses are left out.
// It may return a path from a place where Read sees no directive.
func Includes(text []byte) []string {
	var out []string
	for at := 0; at < len(text); {
		if text[at] == '$' {
			line := text[at:]
			if n := bytes.IndexByte(line, '\n'); n >= 0 {
				line = line[:n]
			}
			out = appendInclude(out, line)
		}
		n := bytes.Index(text[at:], []byte("\n$"))
		if n < 0 {
			break
		}
		at += n + 1
	}
	return out
}

func appendInclude(out []string, line []byte) []string {
	n := bytes.IndexAny(line, " \t")
	if n < 0 || directiveOf(line[:n]) != "$INCLUDE" {
		return out
	}
	if arguments, _ := words(line); len(arguments) > 0 {
		if name, err := IncludePath(arguments[0]); err == nil && !slices.Contains(out, name) {
			return append(out, name)
		}
	}
	return out
}
