package config

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Limits of what ReadSource reads.
const (
	// MaxZoneFileBytes is the largest zone file.
	MaxZoneFileBytes = 128 << 20
	// MaxSourceBytes is the largest document with all its zone files.
	MaxSourceBytes = 256 << 20
)

// Source is a GSLB document as text, with the zone files it names: all that Parse needs, and what a revision keeps. It is
// not changed after it was made.
type Source struct {
	Name  string            // shown in problems, usually the file's path; not part of the content
	Text  []byte            // YAML
	Files map[string][]byte // zone files, by path as the document writes it, and what they include, by its path beside theirs

	tree   *parsedText      // of Text; nil: not parsed yet
	opened map[string]bool  // files that were included; nil: nobody asks
	unread map[string]error // zone files that ReadSource could not read; Parse reports them in their place
}

// parsedText keeps what finding the zone files needed, for Parse.
type parsedText struct {
	text []byte
	root *node
}

// of reports whether the tree is that of a text.
func (t *parsedText) of(text []byte) bool {
	return t != nil && len(text) == len(t.text) && len(text) > 0 && &text[0] == &t.text[0]
}

// ReadSource reads a document and the zone files it names, relative to it. The error concerns the document alone: a zone
// file that cannot be read is left out and reported by Parse, at the place that names it.
func ReadSource(path string) (Source, error) {
	text, err := readLimited(path, MaxDocumentBytes)
	if err != nil {
		return Source{}, fmt.Errorf("read document: %w", err)
	}
	return withZoneFiles(path, text), nil
}

// Paths returns the zone files that the document names and what they include, as it writes them, in order; those too that could not be read.
func (s Source) Paths() []string {
	return slices.Compact(slices.Sorted(func(yield func(string) bool) {
		for name := range s.Files {
			if !yield(name) {
				return
			}
		}
		for name := range s.unread {
			if !yield(name) {
				return
			}
		}
	}))
}

// withZoneFiles makes a source of a document that was read, with the zone files it names.
func withZoneFiles(path string, text []byte) Source {
	src := Source{Name: path, Text: text, Files: map[string][]byte{}, unread: map[string]error{}}
	r := sourceReading{src: &src, left: int64(MaxSourceBytes - len(text))}
	report := new(Report)
	root := parseYAML(newPage(path, text, report))
	if report.Errors()+report.Warnings() == 0 {
		src.tree = &parsedText{text, root}
	}
	for _, name := range zoneFileNames(root) {
		r.zoneFile(filepath.Dir(path), name)
	}
	return src
}

// zoneFileNames finds /zones/*/file in a document that may be broken elsewhere.
func zoneFileNames(root *node) []string {
	var names []string
	zones := root.child("zones")
	if zones == nil {
		return nil
	}
	for _, z := range zones.items {
		if f := z.child("file"); f != nil && f.kind == kindScalar && !f.refused && f.scalar == scalarText && f.value != "" {
			names = append(names, f.value)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func readZoneFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return readLimited(path, limit)
}

func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return readAll(f, limit)
}

// ID is the hash of the content: the first 32 hexadecimal digits of SHA-256 over the text and the zone files in order of
// their paths. The name is not part of it.
func (s Source) ID() string {
	h := sha256.New()
	write := func(b []byte) {
		_ = binary.Write(h, binary.BigEndian, uint64(len(b))) // a hash takes all it is given
		h.Write(b)
	}
	write(s.Text)
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		write([]byte(name))
		write(s.Files[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// Parse decodes and validates a document as a whole. The document is nil when the report has errors.
func Parse(src Source) (*Document, *Report) {
	report := new(Report)
	doc := parseDocument(src, report)
	if report.Errors() > 0 {
		return nil, report
	}
	return doc, report
}

// parseDocument adds what it finds to report. The result may be incomplete, or nil, when there are errors.
func parseDocument(src Source, report *Report) *Document {
	name := src.Name
	if name == "" {
		name = "document"
	}
	p := newPage(name, src.Text, report)
	if src.tree.of(src.Text) {
		p.root = src.tree.root
	} else if p.root = parseYAML(p); p.root == nil {
		return nil
	}
	if otherFile[Document, Node](p, "GSLB document", "node file", "name the document, which lists sites and services") {
		return nil
	}
	doc := new(Document)
	decodePage(p, doc)
	validateDocument(p, doc, src)
	return doc
}
