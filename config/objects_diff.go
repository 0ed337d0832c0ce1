package config

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ObjectDiff is one object that differs. Before is nil for an added one, After for a removed one.
type ObjectDiff struct {
	Key           ObjectKey
	Before, After *Object
}

// Diff lists the objects that differ between two documents, in order of their keys.
func Diff(a, b *Objects) []ObjectDiff {
	var out []ObjectDiff
	i, j := 0, 0
	for i < len(a.list) || j < len(b.list) {
		switch order := diffOrder(a, b, i, j); {
		case order < 0:
			out = append(out, ObjectDiff{Key: a.list[i].key, Before: a.list[i]})
			i++
		case order > 0:
			out = append(out, ObjectDiff{Key: b.list[j].key, After: b.list[j]})
			j++
		default:
			if x, y := a.list[i], b.list[j]; x != y && x.hash != y.hash {
				out = append(out, ObjectDiff{x.key, x, y})
			}
			i++
			j++
		}
	}
	return out
}

// diffOrder says which of two lists' next objects comes first.
func diffOrder(a, b *Objects, i, j int) int {
	switch {
	case i == len(a.list):
		return 1
	case j == len(b.list):
		return -1
	case a.list[i] == b.list[j]:
		return 0
	}
	return a.list[i].key.Compare(b.list[j].key)
}

// Limits of DiffText.
const (
	diffContext = 3
	// maxDiffLines bounds the texts that are compared line by line; longer ones are shown as removed and added where they differ.
	maxDiffLines = 2000
)

// DiffText shows how an object differs from another one of the same key, as YAML in the unified format. Either may be nil. Secrets are masked.
func DiffText(a, b *Object) string {
	key := keyOfEither(a, b)
	before, after := shownLines(a), shownLines(b)
	edits := lineEdits(before, after)
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", sideName(a, key), sideName(b, key))
	head := out.Len()
	writeHunks(&out, edits)
	switch {
	case out.Len() > head:
	case a != nil && b != nil && a.hash != b.hash:
		out.WriteString("# only what is not shown differs\n")
	default:
		return ""
	}
	return out.String()
}

func keyOfEither(a, b *Object) ObjectKey {
	switch {
	case a != nil:
		return a.key
	case b != nil:
		return b.key
	}
	return ObjectKey{}
}

func sideName(o *Object, key ObjectKey) string {
	if o == nil {
		return "/dev/null"
	}
	return key.String()
}

// shownLines are the lines of an object as people see it.
func shownLines(o *Object) []string {
	if o == nil {
		return nil
	}
	text := o.MaskedYAML()
	if !utf8.Valid(text) {
		return []string{fmt.Sprintf("(%d bytes that are no text, sha256 %x)", len(text), o.hash[:8])}
	}
	return strings.Split(string(bytes.TrimSuffix(text, []byte{'\n'})), "\n")
}

// lineEdit is one line of a difference: ' ' stays, '-' goes, '+' comes.
type lineEdit struct {
	op   byte
	text string
}

// lineEdits compares two texts by their longest common subsequence.
func lineEdits(a, b []string) []lineEdit {
	var out []lineEdit
	start := 0
	for start < min(len(a), len(b)) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < min(len(a), len(b))-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	for _, line := range a[:start] {
		out = append(out, lineEdit{' ', line})
	}
	out = append(out, middleEdits(a[start:len(a)-end], b[start:len(b)-end])...)
	for _, line := range a[len(a)-end:] {
		out = append(out, lineEdit{' ', line})
	}
	return out
}

func middleEdits(a, b []string) []lineEdit {
	var out []lineEdit
	if len(a) > maxDiffLines || len(b) > maxDiffLines {
		for _, line := range a {
			out = append(out, lineEdit{'-', line})
		}
		for _, line := range b {
			out = append(out, lineEdit{'+', line})
		}
		return out
	}
	width := len(b) + 1
	common := make([]int32, (len(a)+1)*width) // of what follows
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i*width+j] = common[(i+1)*width+j+1] + 1
			} else {
				common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, lineEdit{' ', a[i]})
			i++
			j++
		case j == len(b) || i < len(a) && common[(i+1)*width+j] >= common[i*width+j+1]:
			out = append(out, lineEdit{'-', a[i]})
			i++
		default:
			out = append(out, lineEdit{'+', b[j]})
			j++
		}
	}
	return out
}

// writeHunks writes the changes with some lines around them.
func writeHunks(out *strings.Builder, edits []lineEdit) {
	last := -1 // of the hunk, exclusive
	oldLine, newLine := 1, 1
	for i := 0; i < len(edits); i++ {
		if i >= last {
			next := i
			for next < len(edits) && edits[next].op == ' ' {
				next++
			}
			if next == len(edits) {
				return
			}
			for from := max(i, next-diffContext); i < from; i++ {
				oldLine++
				newLine++
			}
			last = hunkEnd(edits, next)
			writeHunkHead(out, edits[i:last], oldLine, newLine)
		}
		e := edits[i]
		out.WriteByte(e.op)
		out.WriteString(e.text)
		out.WriteByte('\n')
		if e.op != '+' {
			oldLine++
		}
		if e.op != '-' {
			newLine++
		}
	}
}

// hunkEnd returns where a hunk ends whose first change is at i.
func hunkEnd(edits []lineEdit, i int) int {
	end := i
	for ; i < len(edits) && i <= end+2*diffContext; i++ {
		if edits[i].op != ' ' {
			end = i
		}
	}
	return min(len(edits), end+1+diffContext)
}

func writeHunkHead(out *strings.Builder, hunk []lineEdit, oldLine, newLine int) {
	removed, added := 0, 0
	for _, e := range hunk {
		if e.op != '+' {
			removed++
		}
		if e.op != '-' {
			added++
		}
	}
	if removed == 0 {
		oldLine--
	}
	if added == 0 {
		newLine--
	}
	fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n", oldLine, removed, newLine, added)
}
