package zonetext

import (
	"regexp"
	"strconv"
	"strings"
)

// Kind is a kind of problem.
type Kind uint8

// Kinds of problems.
const (
	Malformed   Kind = iota // the text cannot be read
	Directive               // a directive that is not allowed
	OutsidePath             // the path of an $INCLUDE leads out of the zone file's directory
	Unreadable              // a file to include cannot be read
	TooDeep                 // files include each other in a circle, or too deep
	TooMuch                 // more than MaxOctets
)

// Problem is one thing wrong with a text.
type Problem struct {
	Kind    Kind
	Name    string // of the file
	Line    int    // from 1
	Token   string // what could not be read, as it stands in the line; may be empty
	Message string
	Hint    string
}

// maxQuoted bounds what is quoted of the text in a message, in bytes.
const maxQuoted = 80

func quote(s string) string {
	if len(s) > maxQuoted {
		s = strings.ToValidUTF8(s[:maxQuoted], "") + "…"
	}
	return strconv.Quote(s)
}

var parserMessage = regexp.MustCompile(`(?s)^dns: (.*): ("(?:[^"\\]|\\.)*") at line: (\d+):\d+$`)

// malformedRecord is how miekg/dns names the type and field of bad record data.
var malformedRecord = regexp.MustCompile(`^bad ([A-Z][A-Z0-9]*) [\w ]+$`)

// explain takes a message of miekg/dns apart: what, which token, which line. Line counts from the entry's start.
func explain(err error) Problem {
	p := Problem{Message: err.Error()}
	m := parserMessage.FindStringSubmatch(err.Error())
	if m == nil {
		return p
	}
	if token, err := strconv.Unquote(m[2]); err == nil {
		p.Token = strings.TrimSpace(token)
	}
	if n, err := strconv.Atoi(m[3]); err == nil && n > 0 {
		p.Line = n - 1
	}
	what := m[1]
	if strings.HasPrefix(what, "expecting RR type") || what == "not a TTL" {
		what, p.Hint = "not a record type, TTL or class", "a record is: owner, TTL, class, type, data"
	}
	if what == "unexpected newline" {
		what = "the record has no data"
	}
	if kind := malformedRecord.FindStringSubmatch(what); kind != nil {
		what = "malformed data of type " + kind[1]
	}
	if what == "" { // of some types the parser loses the reason
		what = "malformed data"
	}
	p.Message = what
	if p.Token != "" {
		p.Message = what + ": " + quote(p.Token)
	}
	return p
}
