package main

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
)

// maxMarkedRow bounds how much of a line is looked at for the end of a word, in bytes.
const maxMarkedRow = 64 << 10

// markedWidth is how many characters of a YAML text a problem at a line and column is about: the key, the value, or what stands in quotes there, as
// fairlead check marks it. A node tells where a problem begins, not where it ends. 0: the text has no such place.
func markedWidth(text []byte, line, column int) int {
	row := rowOf(text, line)
	if column < 1 || column > len(row) {
		return 0
	}
	before, word := string(row[:column-1]), row[column-1:]
	switch word[0] {
	case '"', '\'':
		return quotedWidth(word)
	case '[', '{', '|', '>', '-':
		return 1
	}
	inFlow := strings.Count(before, "[")+strings.Count(before, "{") > strings.Count(before, "]")+strings.Count(before, "}")
	for n, c := range word {
		last := n+1 == len(word)
		switch {
		case inFlow && strings.ContainsRune(",]}", c),
			c == ':' && (last || word[n+1] == ' '),
			c == ' ' && !last && word[n+1] == '#':
			return max(1, len([]rune(strings.TrimRight(string(word[:n]), " \t"))))
		}
	}
	return len(word)
}

// rowOf is a line of a text, from 1, without spaces at its end; nil: there is none.
func rowOf(text []byte, line int) []rune {
	if line < 1 {
		return nil
	}
	for ; line > 1; line-- {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			return nil
		}
		text = text[end+1:]
	}
	text, _, _ = bytes.Cut(text[:min(len(text), maxMarkedRow)], []byte("\n"))
	return []rune(strings.TrimRight(string(text), " \t\r"))
}

// writtenWidth is how many characters of a zone file a problem at a line and column is about: up to the next space.
func writtenWidth(text []byte, line, column int) int {
	row := rowOf(text, line)
	if column < 1 || column > len(row) {
		return 0
	}
	if row[column-1] == '"' {
		return quotedWidth(row[column-1:])
	}
	if end := slices.IndexFunc(row[column-1:], unicode.IsSpace); end >= 0 {
		return end
	}
	return len(row) - column + 1
}

// quotedWidth is the length of a text in quotes, both included.
func quotedWidth(word []rune) int {
	for n := 1; n < len(word); n++ {
		switch {
		case word[0] == '"' && word[n] == '\\':
			n++
		case word[n] == word[0]:
			return n + 1
		}
	}
	return 1
}
