package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxProblems is how many errors, and how many warnings, a Report keeps; further ones are only counted.
const maxProblems = 500

// Problem is one thing wrong with a file. Line, Column and Width are in characters and 0 when the problem has no place in
// the text. Path is a JSON Pointer (RFC 6901) into the file.
type Problem struct {
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Width    int      `json:"width,omitempty"`
	Path     string   `json:"path,omitempty"`
	Severity Severity `json:"severity"`
	Code     Code     `json:"code"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`

	// Object is the object that the place lies in, such as service/web-ams, and ObjectPath a JSON Pointer into that; both are empty for a file.
	Object     string `json:"object,omitempty"`
	ObjectPath string `json:"object_path,omitempty"`
}

// String is the problem in one line, without its hint. Where there is no text to point into, it names the object, or the path in the file.
func (p Problem) String() string {
	where := p.File
	switch {
	case p.Line > 0:
		where = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	case p.Object != "":
		where = p.File + ", " + p.Object + p.ObjectPath
	case p.Path != "":
		where = p.File + ", " + p.Path
	}
	return fmt.Sprintf("%s: %s: %s [%s]", where, p.Severity, p.Message, p.Code)
}

// Report is everything that reading one file, and the files it names, found. The zero Report is empty and usable. A
// Report belongs to one goroutine until it is complete; then it may be read from any number.
type Report struct {
	problems []Problem
	texts    map[string][]byte // for rendering, by file name
	order    []string          // of files, as they were read
	hidden   []string          // what is not shown of the texts: users of addresses where none belong
	errors   int
	warnings int

	limit  int                                         // of errors and of warnings that are kept; 0: maxProblems
	terse  bool                                        // hints are not looked for
	placed func(path string) (ObjectKey, string, bool) // where a path lies in a document of objects; nil: there are none
}

func (r *Report) keepText(file string, text []byte) {
	if r.texts == nil {
		r.texts = map[string][]byte{}
	}
	if _, known := r.texts[file]; !known {
		r.order = append(r.order, file)
	}
	r.texts[file] = text
}

func (r *Report) add(p Problem) {
	p.Severity = p.Code.Severity()
	if r.placed != nil {
		if key, inside, found := r.placed(p.Path); found {
			p.Object, p.ObjectPath = key.String(), inside
		}
	}
	if !r.full(p.Code) {
		r.problems = append(r.problems, p)
	}
	r.count(p.Code)
}

// count counts a problem that is not kept.
func (r *Report) count(code Code) {
	if code.Severity() == SeverityError {
		r.errors++
	} else {
		r.warnings++
	}
}

// full reports whether a further problem of this code's severity would only be counted. Warnings never crowd out errors.
func (r *Report) full(code Code) bool {
	most := maxProblems
	if r.limit > 0 {
		most = r.limit
	}
	if code.Severity() == SeverityError {
		return r.errors >= most
	}
	return r.warnings >= most
}

// Problems returns at most 500 errors and 500 warnings, ordered by file and place.
func (r *Report) Problems() []Problem {
	rank := make(map[string]int, len(r.order))
	for i, file := range r.order {
		rank[file] = i
	}
	out := slices.Clone(r.problems)
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank[a.File], rank[b.File]), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Code, b.Code))
	})
	return out
}

// Errors returns how many errors were found, also those beyond what Problems returns.
func (r *Report) Errors() int { return r.errors }

// Warnings returns how many warnings were found, also those beyond what Problems returns.
func (r *Report) Warnings() int { return r.warnings }

// Err returns nil when there are no errors, else an error whose text is all of them, one a line.
func (r *Report) Err() error {
	if r.errors == 0 {
		return nil
	}
	return reportError{r}
}

// reportError is a Report as an error.
type reportError struct{ report *Report }

func (e reportError) Error() string {
	var lines []string
	for _, p := range e.report.Problems() {
		if p.Severity == SeverityError {
			lines = append(lines, p.String())
		}
	}
	if more := e.report.errors - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %s more", plural(more, "error")))
	}
	return strings.Join(lines, "\n")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
