package convert

import (
	"fmt"
	"strings"
)

// Limits of named.conf.
const (
	maxStatements     = 1_000_000
	maxStatementDepth = 16
)

// statement is a statement of named.conf: words, and perhaps a block of others.
type statement struct {
	line  int
	words []string
	block []*statement // not nil when there is a block, even an empty one
}

func (s *statement) word(i int) string {
	if i < len(s.words) {
		return s.words[i]
	}
	return ""
}

// text is the statement's words, for a finding. What follows a secret is not shown.
func (s *statement) text() string {
	for i, w := range s.words {
		if w == "secret" {
			return strings.Join(s.words[:i+1], " ") + " ***"
		}
	}
	return strings.Join(s.words, " ")
}

// child returns the first statement of the block with a word, nil when there is none.
func (s *statement) child(word string) *statement {
	for _, c := range s.block {
		if c.word(0) == word {
			return c
		}
	}
	return nil
}

// value is the second word of a statement of the block.
func (s *statement) value(word string) string {
	if c := s.child(word); c != nil {
		return c.word(1)
	}
	return ""
}

// readStatements reads the text of a named.conf.
func readStatements(text []byte) ([]*statement, error) {
	if len(text) > MaxFileBytes {
		return nil, fmt.Errorf("it has %d bytes, the limit is %d", len(text), MaxFileBytes)
	}
	r := statementReader{rest: string(text), line: 1}
	return r.statements(0)
}

type statementReader struct {
	rest  string
	line  int
	count int
}

// statements reads up to the end of a block, or of the text.
func (r *statementReader) statements(depth int) ([]*statement, error) {
	if depth > maxStatementDepth {
		return nil, fmt.Errorf("line %d: blocks are more than %d deep", r.line, maxStatementDepth)
	}
	out := []*statement{}
	var current *statement
	for {
		token, quoted, ok := r.token()
		switch {
		case !ok && (current != nil || depth > 0):
			return nil, fmt.Errorf("line %d: the text ends inside a statement", r.line)
		case !ok:
			return out, nil
		case token == ";" && !quoted:
			current = nil
			continue
		case token == "}" && !quoted:
			if depth == 0 {
				return nil, fmt.Errorf("line %d: there is no block that } could end", r.line)
			}
			return out, nil
		}
		if current == nil {
			if r.count++; r.count > maxStatements {
				return nil, fmt.Errorf("line %d: there are more than %d statements", r.line, maxStatements)
			}
			current = &statement{line: r.line}
			out = append(out, current)
		}
		if token == "{" && !quoted {
			block, err := r.statements(depth + 1)
			if err != nil {
				return nil, err
			}
			current.block = block
			continue
		}
		if len(current.words) == 0 {
			token = strings.ToLower(token)
		}
		current.words = append(current.words, token)
	}
}

// token takes the next word, text in quotes, or one of { } ; off.
func (r *statementReader) token() (token string, quoted, ok bool) {
	r.skip()
	if r.rest == "" {
		return "", false, false
	}
	switch c := r.rest[0]; {
	case strings.IndexByte("{};", c) >= 0:
		r.rest = r.rest[1:]
		return string(c), false, true
	case c == '"':
		end := strings.IndexByte(r.rest[1:], '"')
		if end < 0 {
			end = len(r.rest) - 1
		}
		token = r.rest[1 : 1+end]
		r.line += strings.Count(token, "\n")
		r.rest = r.rest[min(len(r.rest), end+2):]
		return token, true, true
	}
	end := strings.IndexAny(r.rest, " \t\r\n{};\"")
	if end < 0 {
		end = len(r.rest)
	}
	token, r.rest = r.rest[:end], r.rest[end:]
	return token, false, true
}

// skip passes over blanks and comments.
func (r *statementReader) skip() {
	for r.rest != "" {
		end := 0
		switch {
		case strings.IndexByte(" \t\r\n", r.rest[0]) >= 0:
			end = 1
		case r.rest[0] == '#' || strings.HasPrefix(r.rest, "//"):
			if end = strings.IndexByte(r.rest, '\n'); end < 0 {
				end = len(r.rest)
			}
		case strings.HasPrefix(r.rest, "/*"):
			if end = strings.Index(r.rest[2:], "*/") + 4; end < 4 {
				end = len(r.rest)
			}
		default:
			return
		}
		r.line += strings.Count(r.rest[:end], "\n")
		r.rest = r.rest[end:]
	}
}
