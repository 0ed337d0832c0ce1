package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Limits of what is converted.
const (
	// MaxFileBytes is the largest file that is read.
	MaxFileBytes = 64 << 20
	// MaxLineBytes is the longest line, with those that continue it.
	MaxLineBytes = 1 << 20
	// MaxFindings is how many findings are kept; further ones are counted.
	MaxFindings = 10_000
	// maxFindingText bounds what a finding quotes, in bytes.
	maxFindingText = 200
)

// Kind is a kind of finding.
type Kind string

// Kinds of findings.
const (
	Left    Kind = "left"    // it is not in the document
	Changed Kind = "changed" // it is in the document with another value or in another form
	Problem Kind = "problem" // the document is not valid as it is
	Note    Kind = "note"    // it is converted; this is worth knowing
)

// Finding is something that the operator should look at.
type Finding struct {
	Kind Kind   `json:"kind"`
	File string `json:"file,omitempty"` // what was read, or the document
	Line int    `json:"line,omitempty"` // in the file, from 1; 0: it is about the whole
	Text string `json:"text,omitempty"` // what stands there, without secrets
	Why  string `json:"why"`
}

// String is the finding in one line.
func (f Finding) String() string {
	where := f.File
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	out := string(f.Kind) + ": "
	if where != "" {
		out = where + ": " + out
	}
	if f.Text != "" {
		out += f.Text + ": "
	}
	return out + f.Why
}

// Result is a document and what is to be said about it. It is not changed after it was made.
type Result struct {
	Document []byte         // YAML
	Findings []Finding      // in order of their lines; at most MaxFindings
	More     int            // findings beyond these
	Passed   map[string]int // lines that are about something else, by kind
	Objects  map[string]int // objects of the document, by kind
}

// Complete reports whether everything was converted as it is. Notes do not count.
func (r *Result) Complete() bool {
	return r.More == 0 && !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Kind != Note })
}

// findings collects findings up to their limit.
type findings struct {
	file string
	list []Finding
	more int
}

func (f *findings) add(kind Kind, line int, text, format string, args ...any) {
	f.addIn(f.file, kind, line, text, fmt.Sprintf(format, args...))
}

func (f *findings) addIn(file string, kind Kind, line int, text, why string) {
	if len(f.list) >= MaxFindings {
		f.more++
		return
	}
	f.list = append(f.list, Finding{kind, file, line, clip(text), clip(why)})
}

// sorted returns the findings by line; what has none, the document's own, comes last.
func (f *findings) sorted() []Finding {
	slices.SortStableFunc(f.list, func(a, b Finding) int {
		if (a.File == f.file) != (b.File == f.file) {
			if a.File == f.file {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Line, b.Line)
	})
	return f.list
}

// clip makes text of somebody else's file fit for one line of a terminal.
func clip(s string) string {
	cut := len(s) > maxFindingText
	if cut {
		s = s[:maxFindingText]
	}
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '.'
		}
		return r
	}, strings.ToValidUTF8(s, "."))
	if cut {
		s += "…"
	}
	return s
}
