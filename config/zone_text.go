package config

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Limits of zone data.
const (
	// MaxZoneRecords is how many records one zone can have.
	MaxZoneRecords = 1_000_000
	// maxRecordTTL is the largest TTL (RFC 2181 section 8), in seconds.
	maxRecordTTL = 1<<31 - 1
	// maxZoneProblems and maxRereadBytes bound the search for what else is malformed: the text is read once for each.
	maxZoneProblems = 20
	maxRereadBytes  = 1 << 20
)

// zoneRecord is one record with the line of the text where it ends, counted from 1. Line 0: made from the zone's keys.
type zoneRecord struct {
	rr   dns.RR
	line int
}

// zoneTextError says where zone-file text is malformed.
type zoneTextError struct {
	line  int
	token string // what could not be read; may be empty
	finding
}

func (e *zoneTextError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.message) }

var generateDirective = regexp.MustCompile(`(?im)^[ \t(]*(\$GENERATE)\b`)

// parseZoneText reads zone-file text (RFC 1035 section 5). $INCLUDE is refused because a document is complete by itself,
// $GENERATE because a line of text could stand for thousands of records.
func parseZoneText(text, origin string, defaultTTL *uint32) (records []zoneRecord, problem *zoneTextError) {
	lines := &lineCounter{text: text, line: 1}
	defer func() {
		if r := recover(); r != nil {
			problem = &zoneTextError{line: lines.line, finding: finding{code: codeZoneText, message: fmt.Sprintf("cannot be read (%v)", r)}}
		}
	}()
	if at := generateDirective.FindStringSubmatchIndex(text); at != nil {
		return nil, &zoneTextError{line: 1 + strings.Count(text[:at[2]], "\n"), token: text[at[2]:at[3]],
			finding: finding{codeZoneDirective, "$GENERATE is not allowed", "write the records out"}}
	}
	parser := dns.NewZoneParser(lines, origin, "")
	parser.SetIncludeAllowed(false)
	if defaultTTL != nil {
		parser.SetDefaultTTL(*defaultTTL)
	}
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		if len(records) == MaxZoneRecords {
			return nil, &zoneTextError{line: lines.recordLine(), finding: finding{code: codeTooManyRecords,
				message: fmt.Sprintf("the zone has more than %d records", MaxZoneRecords)}}
		}
		rr.Header().Name = strings.ToLower(rr.Header().Name)
		records = append(records, zoneRecord{rr, lines.recordLine()})
	}
	if err := parser.Err(); err != nil {
		return records, explainZoneError(err, lines.recordLine())
	}
	return records, nil
}

// zoneProblems returns first and what else is malformed in the text, in order, by reading it again without the lines that
// were. It stops at a line whose loss would change how the next ones are read: one with parentheses, or a
// directive of its own such as $TTL.
func zoneProblems(text, origin string, defaultTTL *uint32, first *zoneTextError) []*zoneTextError {
	out := []*zoneTextError{first}
	if len(text) > maxRereadBytes {
		return out
	}
	lines := strings.Split(text, "\n")
	for p := first; len(out) < maxZoneProblems; out = append(out, p) {
		if p.line < 1 || p.line > len(lines) || p.code == codeTooManyRecords {
			break
		}
		line := lines[p.line-1]
		if strings.ContainsAny(line, "()") || p.code != codeZoneDirective && strings.HasPrefix(strings.TrimSpace(line), "$") {
			break
		}
		lines[p.line-1] = ""
		_, next := parseZoneText(strings.Join(lines, "\n"), origin, defaultTTL)
		if next == nil || next.line <= p.line && next.code == p.code {
			break
		}
		p = next
	}
	return out
}

// lineCounter feeds the zone parser and knows how far it has read.
type lineCounter struct {
	text string
	next int
	line int
	last byte
}

// ReadByte implements io.ByteReader; the parser then reads no further than it needs.
func (c *lineCounter) ReadByte() (byte, error) {
	if c.next == len(c.text) {
		return 0, io.EOF
	}
	if c.last == '\n' {
		c.line++
	}
	c.last = c.text[c.next]
	c.next++
	return c.last, nil
}

// Read implements io.Reader, which the parser's constructor asks for.
func (c *lineCounter) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	one, err := c.ReadByte()
	if err != nil {
		return 0, err
	}
	b[0] = one
	return 1, nil
}

// recordLine is the line of the record that was just returned.
func (c *lineCounter) recordLine() int { return c.line }

var zoneParserMessage = regexp.MustCompile(`(?s)^dns: (.*): ("(?:[^"\\]|\\.)*") at line: (\d+):\d+$`)

// malformedRecord is how the parser names the type and field of bad record data.
var malformedRecord = regexp.MustCompile(`^bad ([A-Z][A-Z0-9]*) \w+$`)

// explainZoneError takes the parser's message apart: what, which token, which line.
func explainZoneError(err error, line int) *zoneTextError {
	out := &zoneTextError{line: line, finding: finding{code: codeZoneText, message: err.Error()}}
	m := zoneParserMessage.FindStringSubmatch(err.Error())
	if m == nil {
		return out
	}
	if token, err := strconv.Unquote(m[2]); err == nil {
		out.token = strings.TrimSpace(token)
	}
	if n, err := strconv.Atoi(m[3]); err == nil && n > 0 {
		out.line = n
	}
	what := m[1]
	switch {
	case strings.HasPrefix(what, "$INCLUDE"):
		out.code, out.message, out.hint = codeZoneDirective, "$INCLUDE is not allowed", "write the records here"
		return out
	case what == "missing TTL with no previous value":
		out.message, out.hint = "the record has no TTL", "give it one, or start the text with a $TTL line"
		return out
	case strings.HasPrefix(what, "expecting RR type"), what == "not a TTL":
		what, out.hint = "not a record type, TTL or class", "a record is: owner, TTL, class, type, data"
	}
	if kind := malformedRecord.FindStringSubmatch(what); kind != nil {
		what = "malformed data of type " + kind[1]
	}
	out.message = what
	if out.token != "" {
		out.message = what + ": " + quote(out.token)
	}
	return out
}
