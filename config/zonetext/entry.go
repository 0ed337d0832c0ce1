package zonetext

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/miekg/dns"
)

// packedOctets is room for any record: a name, a header and the most data.
const packedOctets = 255 + 10 + math.MaxUint16

// noTTL marks a record without a TTL. As a TTL it is above what RFC 2181 section 8 allows.
const noTTL = math.MaxUint32

var (
	errNoData = errors.New("no data")
	errMisfit = errors.New("octets that are not of the type")
)

// extent is where an entry ends and what it starts with. An entry is a line, or several when brackets or quotes go on.
type extent struct {
	end      int
	lines    int
	brackets bool
	unclosed string // "bracket" or "quote" when the text ends in one
	unopened bool   // a bracket is closed that was not opened
	empty    bool   // blanks, brackets and comments only
	indented bool   // the owner is the one before
	word     []byte // the first word as miekg/dns would read it, if it starts with $ and a blank follows
	odd      bool   // the word was taken together from parts
}

// entry reads the entry at r.file.at and moves behind it.
func (r *Reader) entry() {
	text, start := r.file.text, r.file.at
	e := measure(text, start)
	name := directiveOf(e.word)
	known := len(r.problems)
	switch {
	case name != "" && (e.odd || e.brackets):
		r.fail(Problem{Kind: Malformed, Token: string(e.word), Message: name + " must be on one line, without brackets"})
		r.stopped = true
	case name != "":
		r.directive(name, bytes.TrimSuffix(text[start:e.end], []byte("\n")))
	case e.unclosed != "":
		r.fail(Problem{Kind: Malformed, Message: "a " + e.unclosed + " is opened here and not closed"})
		r.stopped = true
	case e.unopened:
		r.fail(Problem{Kind: Malformed, Token: ")", Message: "a bracket is closed that was not opened"})
	case !e.empty:
		r.rareRecord(text[start:e.end], &e)
	}
	if len(r.problems) > known && e.brackets {
		r.stopped = true // where the entry should have ended is not certain
	}
	r.file.at = e.end
	r.file.line += e.lines
	r.virtual += uint32(e.lines)
}

// measure finds the end of an entry by the rules of the lexer of miekg/dns.
func measure(text []byte, start int) extent {
	e := extent{empty: true, end: len(text), lines: 1}
	quoted, comment, escaped, first := false, false, false, true
	depth := 0
	var word []byte
	for p := start; p < len(text); p++ {
		c := text[p]
		switch {
		case c == '\n':
			escaped = false
			if comment {
				comment = false
			} else if quoted {
				e.lines++
				continue
			}
			if depth <= 0 {
				e.end = p + 1
				return e
			}
			e.lines++
			first = first && len(word) == 0
		case comment:
		case escaped:
			escaped = false
		case c == '\\':
			escaped, e.empty = true, false
			word = append(word, c)
		case c == '"':
			quoted, e.empty, first = !quoted, false, false
		case quoted:
		case c == ';':
			comment = true
			first = first && len(word) == 0
		case c == '(' || c == ')':
			e.brackets = true
			e.odd = e.odd || first && len(word) > 0
			depth += 1 - 2*int(c-'(')
			if depth < 0 {
				e.unopened = true
			}
		case c == '\r':
			e.odd = e.odd || first && len(word) > 0
		case c == ' ' || c == '\t':
			e.indented = e.indented || e.empty
			if first && len(word) > 0 && word[0] == '$' && !e.indented {
				e.word = word
			}
			first = first && len(word) == 0
		default:
			e.empty = false
			if first && len(word) < len("$GENERATE")+1 {
				word = append(word, c)
			}
		}
	}
	switch {
	case quoted:
		e.unclosed = "quote"
	case depth > 0:
		e.unclosed = "bracket"
	}
	return e
}

// rareRecord reads an entry by miekg/dns.
func (r *Reader) rareRecord(text []byte, e *extent) {
	entry := string(text)
	if e.indented {
		if r.owner().n == 0 {
			r.fail(Problem{Kind: Malformed, Message: "the record has no owner", Hint: "a line that starts with a blank has the owner of the one before it, and there is none"})
			return
		}
		entry = r.owner().text() + " " + entry
	}
	entry += "\n\n" // an entry that stops short at the end of a text would be taken for one that deletes records
	ttl := uint32(noTTL)
	if r.hasTTL {
		ttl = r.ttl
	}
	rr, err := parseEntry(entry, r.originText(), ttl)
	switch {
	case err != nil:
		p := explain(err)
		p.Line = min(p.Line, e.lines-1)
		r.fail(p)
		return
	case rr == nil:
		return
	case rr.Header().Name == "": // a lone word that is a type
		r.fail(Problem{Kind: Malformed, Message: "the record has no owner", Hint: "a record is: owner, TTL, class, type, data"})
		return
	case !r.hasTTL && rr.Header().Ttl == noTTL:
		r.fail(Problem{Kind: Malformed, Message: "the record has no TTL", Hint: "give it one, or start the text with a $TTL line"})
		return
	case !r.fixedTTL:
		r.ttl, r.hasTTL = rr.Header().Ttl, true
	}
	switch err := r.pack(rr); {
	case errors.Is(err, errNoData):
		r.fail(Problem{Kind: Malformed, Message: fmt.Sprintf("the %s record has no data", dns.Type(rr.Header().Rrtype))})
	case errors.Is(err, errMisfit):
		r.fail(Problem{Kind: Malformed, Token: `\#`, Message: fmt.Sprintf("these octets are not the data of a record of type %s", dns.Type(rr.Header().Rrtype)),
			Hint: "a type that is known has its own data in the generic form too (RFC 3597 section 5)"})
	case err != nil:
		r.fail(Problem{Kind: Malformed, Token: strings.TrimSuffix(rr.Header().Name, "."),
			Message: fmt.Sprintf("the data of this %s record cannot be put on the wire: %v", dns.Type(rr.Header().Rrtype), err)})
	}
}

// parseEntry returns the record of an entry, nil when there is none.
func parseEntry(entry, origin string, ttl uint32) (rr dns.RR, err error) {
	defer func() {
		if p := recover(); p != nil {
			rr, err = nil, fmt.Errorf("cannot be read (%v)", p)
		}
	}()
	parser := dns.NewZoneParser(strings.NewReader(entry), origin, "")
	parser.SetDefaultTTL(ttl)
	rr, ok := parser.Next()
	if ok {
		if _, more := parser.Next(); more {
			return nil, errors.New("the line holds more than one record")
		}
	}
	return rr, parser.Err()
}

// pack passes a record on in wire form.
func (r *Reader) pack(rr dns.RR) error {
	if r.packed == nil {
		r.packed = make([]byte, packedOctets)
	}
	generic := int(rr.Header().Rdlength) // 0 when the data was not given in the generic form
	end, err := dns.PackRR(rr, r.packed, 0, nil, false)
	if err != nil {
		return err
	}
	n := 0
	for r.packed[n] != 0 {
		n += 1 + int(r.packed[n])
	}
	n++
	header, data := r.packed[n:], r.packed[n+10:end]
	rrtype := binary.BigEndian.Uint16(header)
	if _, known := dns.TypeToRR[rrtype]; known && len(data) == 0 && rrtype != dns.TypeNULL && rrtype != dns.TypeAPL {
		return errNoData
	}
	// Of a known type in the generic form miekg/dns takes too few and too many octets.
	_, read, err := dns.UnpackRR(r.packed[:end], 0)
	if err != nil || read != end || generic != 0 && generic != len(data) || lacksName(rr) {
		return errMisfit
	}
	owner := &r.names[1-r.current]
	owner.set(r.packed[:n])
	lower(owner.octets())
	r.current = 1 - r.current
	r.put(binary.BigEndian.Uint16(header[2:]), rrtype, binary.BigEndian.Uint32(header[4:]), data)
	return nil
}

// lacksName reports whether a record has a name without even a root label, which on the wire is nothing.
func lacksName(rr dns.RR) bool { return hasEmptyName(reflect.Indirect(reflect.ValueOf(rr))) }

func hasEmptyName(v reflect.Value) bool {
	for i := range v.NumField() {
		switch field := v.Field(i); field.Kind() {
		case reflect.Struct: // the header, or the type that this one is like
			if hasEmptyName(field) {
				return true
			}
		case reflect.String:
			if field.Len() == 0 && strings.HasSuffix(v.Type().Field(i).Tag.Get("dns"), "domain-name") {
				return true
			}
		}
	}
	return false
}
