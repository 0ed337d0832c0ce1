package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const referenceHead = `# Configuration reference

Every key of the two files, as the decoder reads it. This page is made from the program: ` + "`go test ./config -run Reference -update`" + `.

Durations are Go durations (` + "`30s`, `2m`" + `). Names are letters, digits, ` + "`-`, `_`, `.`" + `, at most 127 characters. An unknown key is an error.
Where a range is given it is checked; "required" keys have no default. NetScaler's spellings of methods (` + "`LEASTCONNECTION`" + `) are
accepted.

What services, groups and views are for is told in [services](services.md). The files name a little more than this release
does: what would only tune a feature that does not run yet is warned of ([codes](errors.md)).
`

// TestReference holds docs/configuration.md to the tags that the decoder reads.
func TestReference(t *testing.T) {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, file := range []struct {
		title string
		typ   reflect.Type
	}{{"The GSLB document", reflect.TypeFor[Document]()}, {"The node file", reflect.TypeFor[Node]()}} {
		fmt.Fprintf(&b, "\n## %s\n\n| key | value | default | what |\n|---|---|---|---|\n", file.title)
		writeReference(&b, shapes{}, file.typ, "")
	}
	path := filepath.Join("..", "docs", "configuration.md")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Error("docs/configuration.md is not what the tags say; write it anew: go test ./config -run Reference -update")
	}
}

func writeReference(b *strings.Builder, s shapes, t reflect.Type, prefix string) {
	for _, f := range s.fields(t) {
		inner, list := f.typ, ""
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice && !isText(inner) {
			if inner.Kind() == reflect.Slice {
				list = "[]"
			}
			inner = inner.Elem()
		}
		def := "`" + f.def + "`"
		switch {
		case f.required:
			def = "required"
		case f.def == "":
			def = ""
		}
		fmt.Fprintf(b, "| `%s%s%s` | %s | %s | %s |\n", prefix, f.key, list, referenceValue(inner, f.limits), def, f.doc)
		if inner.Kind() == reflect.Struct && !isText(inner) {
			writeReference(b, s, inner, prefix+f.key+list+".")
		}
	}
}

func referenceValue(t reflect.Type, l *limits) string {
	text := ""
	switch {
	case isWord(t):
		return "`" + strings.Join(words(t), "`, `") + "`"
	case t == durationType:
		text = "duration"
	case isText(t):
		text = map[string]string{"Addr": "IP address", "Prefix": "prefix"}[t.Name()]
	case t.Kind() == reflect.Struct:
		return ""
	case t.Kind() == reflect.Map:
		text = "mapping of texts"
	case t.Kind() == reflect.String:
		text = "text"
	case t.Kind() == reflect.Bool:
		text = "true or false"
	default:
		text = "number"
	}
	if l != nil {
		text += ", " + l.text
	}
	return text
}
