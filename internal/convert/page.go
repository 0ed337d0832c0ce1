package convert

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mapping is a YAML mapping that is written in the order in which its keys were set.
type mapping struct {
	entries  []entry
	comments []string // lines above it
	flow     bool     // {on: one, line: ""}
}

type entry struct {
	key   string
	value any // string, int, bool, number, numbers, []string, *mapping, []*mapping, block
}

// block is text over several lines.
type block string

// number is a number as it is written.
type number string

// numbers is a list of numbers.
type numbers []int

func newMapping() *mapping { return new(mapping) }

// inline is a mapping on one line.
func inline(pairs ...any) *mapping {
	m := &mapping{flow: true}
	for i := 0; i+1 < len(pairs); i += 2 {
		m.set(pairs[i].(string), pairs[i+1])
	}
	return m
}

// set sets a key, in the place where it stood if it was set before.
func (m *mapping) set(key string, value any) {
	for i := range m.entries {
		if m.entries[i].key == key {
			m.entries[i].value = value
			return
		}
	}
	m.entries = append(m.entries, entry{key, value})
}

// get returns a key's value, nil when it was not set.
func (m *mapping) get(key string) any {
	for i := range m.entries {
		if m.entries[i].key == key {
			return m.entries[i].value
		}
	}
	return nil
}

func (m *mapping) drop(key string) {
	m.entries = slices.DeleteFunc(m.entries, func(e entry) bool { return e.key == key })
}

// text returns a key's text, "" when it has none.
func (m *mapping) text(key string) string {
	s, _ := m.get(key).(string)
	return s
}

// section returns the mapping at a key, made if it is not there.
func (m *mapping) section(key string) *mapping {
	if s, ok := m.get(key).(*mapping); ok {
		return s
	}
	s := &mapping{flow: true}
	m.set(key, s)
	return s
}

// remark adds a line above the mapping.
func (m *mapping) remark(text string) { m.comments = append(m.comments, clip(text)) }

const indentStep = "  "

// writeTo writes the mapping as a block.
func (m *mapping) writeTo(b *bytes.Buffer, indent string, started bool) {
	for i, e := range m.entries {
		if i > 0 || !started {
			b.WriteString(indent)
		}
		b.WriteString(e.key)
		b.WriteByte(':')
		writeValue(b, indent, e.value)
	}
}

func writeValue(b *bytes.Buffer, indent string, value any) {
	switch v := value.(type) {
	case []*mapping:
		b.WriteByte('\n')
		for _, item := range v {
			writeItem(b, indent+indentStep, item)
		}
	case *mapping:
		if v.flow || len(v.entries) == 0 {
			b.WriteByte(' ')
			writeFlow(b, v)
			b.WriteByte('\n')
			return
		}
		b.WriteByte('\n')
		v.writeTo(b, indent+indentStep, false)
	case block:
		b.WriteString(" |\n")
		for line := range strings.SplitSeq(strings.TrimSuffix(string(v), "\n"), "\n") {
			if line != "" {
				b.WriteString(indent + indentStep + line)
			}
			b.WriteByte('\n')
		}
	default:
		b.WriteByte(' ')
		writeFlow(b, v)
		b.WriteByte('\n')
	}
}

func writeItem(b *bytes.Buffer, indent string, item *mapping) {
	for _, comment := range item.comments {
		b.WriteString(indent + "# " + comment + "\n")
	}
	b.WriteString(indent + "- ")
	if item.flow {
		writeFlow(b, item)
		b.WriteByte('\n')
		return
	}
	item.writeTo(b, indent+indentStep, true)
}

// writeFlow writes a value on one line.
func writeFlow(b *bytes.Buffer, value any) {
	switch v := value.(type) {
	case string:
		b.WriteString(scalar(v))
	case int:
		b.WriteString(strconv.Itoa(v))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case number:
		b.WriteString(string(v))
	case numbers:
		writeFlow(b, number("["+strings.Trim(strings.ReplaceAll(fmt.Sprint([]int(v)), " ", ", "), "[]")+"]"))
	case []string:
		b.WriteByte('[')
		for i, s := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(scalar(s))
		}
		b.WriteByte(']')
	case []*mapping:
		b.WriteByte('[')
		for i, m := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			writeFlow(b, m)
		}
		b.WriteByte(']')
	case *mapping:
		b.WriteByte('{')
		for i, e := range v.entries {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(e.key + ": ")
			writeFlow(b, e.value)
		}
		b.WriteByte('}')
	}
}

var (
	plainWord = regexp.MustCompile(`^(?:[A-Za-z_/][A-Za-z0-9_./-]*|[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2})?|[0-9]{1,9}(?:ms|s|m|h))$`)
	// reservedWord is what YAML 1.1 or 1.2 reads as something else than text.
	reservedWord = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|y|n|null)$`)
)

// scalar writes text, in quotes where YAML would read something else or where it is hard to read without.
func scalar(s string) string {
	if plainWord.MatchString(s) && !reservedWord.MatchString(s) {
		return s
	}
	return strconv.Quote(strings.ToValidUTF8(s, "\uFFFD"))
}

// document writes sections with an empty line between them.
func document(head []string, sections []entry) []byte {
	b := new(bytes.Buffer)
	for _, line := range head {
		b.WriteString("# " + clip(line) + "\n")
	}
	for _, s := range sections {
		b.WriteByte('\n')
		b.WriteString(s.key)
		b.WriteByte(':')
		writeValue(b, "", s.value)
	}
	return b.Bytes()
}
