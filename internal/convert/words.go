package convert

import (
	"bytes"
	"strings"
)

// word is one argument of a command line.
type word struct {
	text   string
	quoted bool
}

// maxContinued is how many lines one command can go on over.
const maxContinued = 64

// lines hands out the lines of a text.
type lines struct {
	text []byte
	at   int // the number of the line that next returns, from 1
}

// next returns the next line without its end; ok is false after the last.
func (l *lines) next() (line string, ok bool) {
	if len(l.text) == 0 {
		return "", false
	}
	text, rest, _ := bytes.Cut(l.text, []byte{'\n'})
	l.text = rest
	l.at++
	return strings.TrimSuffix(string(text), "\r"), true
}

// peek returns the next line without taking it.
func (l *lines) peek() (line string, ok bool) {
	copied := *l
	return copied.next()
}

// splitting is one command line being taken apart as NetScaler's command line does.
type splitting struct {
	from      *lines
	rest      string
	continued int
	octets    int
	unclosed  bool // a quote was not closed
}

// splitWords takes a line apart: words between blanks; "text" with \" and \\; 'text'; q/text/ with any delimiter, nesting where it is a
// bracket; a backslash at the end of a line joins the next. Text in double quotes may go on over lines.
func splitWords(line string, from *lines) (words []word, unclosed bool) {
	s := splitting{from: from, rest: line, octets: len(line)}
	for {
		s.rest = strings.TrimLeft(s.rest, " \t")
		switch {
		case s.rest == "":
			return words, s.unclosed
		case s.rest == `\`:
			if !s.join("") {
				return words, s.unclosed
			}
		case s.rest[0] == '"':
			words = append(words, word{s.quoted(), true})
		default:
			if text, ok := s.delimited(); ok {
				words = append(words, word{text, true})
				continue
			}
			words = append(words, word{s.plain(), false})
		}
	}
}

// join appends the next line behind a separator. It reports false at the end, and where lines have become too many.
func (s *splitting) join(separator string) bool {
	next, ok := s.from.peek()
	if !ok || s.continued >= maxContinued || s.octets+len(next) > MaxLineBytes {
		s.rest = ""
		return false
	}
	_, _ = s.from.next()
	s.continued++
	s.octets += len(next)
	s.rest = separator + next
	return true
}

// quoted takes text in double quotes. Where the quote is not closed before something that looks like a command, it ends with its line.
func (s *splitting) quoted() string {
	var b strings.Builder
	s.rest = s.rest[1:]
	for {
		for i := 0; i < len(s.rest); i++ {
			switch c := s.rest[i]; {
			case c == '"':
				s.rest = s.rest[i+1:]
				return b.String()
			case c == '\\' && i+1 < len(s.rest) && (s.rest[i+1] == '"' || s.rest[i+1] == '\\'):
				i++
				b.WriteByte(s.rest[i])
			default:
				b.WriteByte(c)
			}
		}
		next, ok := s.from.peek()
		if !ok || startsCommand(next) || !s.join("\n") {
			s.rest, s.unclosed = "", true
			return b.String()
		}
	}
}

// delimiters are what can stand behind q.
const delimiters = "/{<|~$^+=&%@`?([!"

// delimited takes q{text} and 'text' where it is closed on its line.
func (s *splitting) delimited() (text string, ok bool) {
	if s.rest[0] == '\'' {
		end := strings.IndexByte(s.rest[1:], '\'') + 1
		if end == 0 || end+1 < len(s.rest) && s.rest[end+1] != ' ' && s.rest[end+1] != '\t' {
			return "", false
		}
		text, s.rest = s.rest[1:end], s.rest[end+1:]
		return text, true
	}
	if len(s.rest) < 3 || s.rest[0] != 'q' || strings.IndexByte(delimiters, s.rest[1]) < 0 {
		return "", false
	}
	open, end := s.rest[1], s.rest[1]
	if i := strings.IndexByte("{<([", open); i >= 0 {
		end = "}>)]"[i]
	}
	depth := 1
	for i := 2; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == end:
			if depth--; depth == 0 {
				text, s.rest = s.rest[2:i], s.rest[i+1:]
				return text, true
			}
		case c == open:
			depth++
		}
	}
	return "", false
}

// plain takes a word up to a blank. Quotes inside it belong to it, with the blanks between them: EQ("a b").
func (s *splitting) plain() string {
	inQuotes := false
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			inQuotes = !inQuotes && strings.IndexByte(s.rest[i+1:], '"') >= 0
		case (c == ' ' || c == '\t') && !inQuotes:
			text := s.rest[:i]
			s.rest = s.rest[i:]
			return text
		}
	}
	text := s.rest
	s.rest = ""
	if before, joined := strings.CutSuffix(text, `\`); joined && !strings.HasSuffix(before, `\`) && s.join("") {
		return before
	}
	return text
}

// verbs begin the commands of a configuration.
var verbs = map[string]bool{"add": true, "set": true, "bind": true, "unbind": true, "unset": true, "rm": true, "rename": true, "enable": true,
	"disable": true, "link": true, "unlink": true, "import": true, "create": true, "apply": true, "sync": true, "save": true, "show": true, "sign": true,
	"force": true, "update": true, "switch": true, "install": true, "reset": true, "clear": true, "export": true, "start": true, "stop": true}

// startsCommand reports whether a line begins with a verb and a space, as the commands of a configuration do.
func startsCommand(line string) bool {
	verb, _, more := strings.Cut(strings.TrimLeft(line, " \t"), " ")
	return more && verbs[strings.ToLower(verb)]
}

// unescape reads \r, \n, \t, \", \\ and \xHH in what a monitor sends and expects. NetScaler shows them with one or two backslashes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'r':
			b.WriteByte('\r')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '\\', '"':
			b.WriteByte(s[i])
		case 'x':
			if i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0 {
				b.WriteByte(byte(hexDigit(s[i+1])<<4 | hexDigit(s[i+2])))
				i += 2
				continue
			}
			b.WriteString(`\x`)
		default:
			b.WriteString(s[i-1 : i+1])
		}
	}
	return b.String()
}

// hexDigit is the value of a hexadecimal digit, -1 for what is none.
func hexDigit(c byte) int {
	if c >= 'A' && c <= 'F' {
		c += 'a' - 'A'
	}
	return strings.IndexByte("0123456789abcdef", c)
}
